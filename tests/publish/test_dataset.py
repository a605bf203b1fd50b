import dataclasses
import hashlib
import json
import random
import tracemalloc

import datasets
import pyarrow as pa
import pytest

from codepref.publish import dataset
from codepref.records import Exclusion, schema, to_table
from codepref.stages import Runner
from codepref.store import Shard, Store

from releases import CARD, Pair  # isort: skip


def row(number, size=400):
    rng = random.Random(number)
    text = "".join(rng.choices("abcdefghij \n", k=rng.randrange(size)))
    licence = None if 1100 < number < 1300 else "MIT"  # some groups without nulls, one with
    return Pair(f"p{number}", f"Write f{number}.\n", text, text[::-1], number / 1e4, licence, None)


def stage(root, rows, shard, excluded=0):
    runner = Runner(Store(root), quiet=True)
    left_out = tuple(Exclusion("pairs", f"q{n}", "prompt", "rule", n, "é" * 9) for n in range(excluded))
    shards = (
        Shard(to_table(rows[start : start + shard], Pair), left_out) for start in range(0, max(len(rows), 1), shard)
    )
    return runner.source("pairs", shards, {}, len(rows))


@pytest.mark.parametrize(("count", "shard"), [(1, 1), (999, 32), (1000, 1000), (2500, 37), (4000, 1500)])
def test_files_are_those_of_the_hubs_own_client(tmp_path, monkeypatch, count, shard):
    monkeypatch.setattr(dataset, "ROWS_PER_FILE", 2000)
    rows = [row(number) for number in range(count)]
    written = dataset._write_part(tmp_path, "pairs", stage(tmp_path, rows, shard), Pair)
    whole = to_table(rows, Pair)
    assert [item["file"][-21:] for item in written["files"]] == [
        f"-{n:05d}-of-{-(-count // 2000):05d}.parquet"[-21:] for n in range(-(-count // 2000))
    ]
    for number, item in enumerate(written["files"]):
        table = whole.slice(2000 * number, 2000).combine_chunks()
        datasets.Dataset(table).to_parquet(tmp_path / "theirs.parquet", batch_size=dataset.ROWS_PER_GROUP)
        assert hashlib.sha256((tmp_path / "theirs.parquet").read_bytes()).hexdigest() == item["sha256"]
    assert written["rows"] == count


def test_what_was_left_out_is_one_object_a_line(tmp_path):
    made = stage(tmp_path, [row(1), row(2)], 1, excluded=2)
    manifest = dataset.publish_locally(Store(tmp_path), "small", {}, [made], CARD, {"pairs": (made, Pair)})
    lines = (tmp_path / "exclusions.jsonl").read_text().splitlines()
    assert manifest["exclusions"] == {"file": "exclusions.jsonl", "count": 4}
    assert [json.loads(line)["prompt_id"] for line in lines] == ["q0", "q1", "q0", "q1"]
    assert json.loads(lines[0])["detail"] == "é" * 9
    assert not list(tmp_path.glob("*.part*"))


@dataclasses.dataclass(frozen=True)
class Bare:
    prompt_id: str
    chosen: str


def test_rows_without_a_column_of_the_card_are_refused_before_anything_is_written(tmp_path):
    made = stage(tmp_path, [row(1)], 1)
    with pytest.raises(TypeError, match="rows of 'pairs': Bare has no field 'generator'"):
        dataset.publish_locally(Store(tmp_path), "small", {}, [made], CARD, {"pairs": (made, Bare)})
    assert not (tmp_path / "manifest.json").exists()


def published(root, count):
    """Peak bytes of Arrow and of Python while a dataset of so many rows of 4 KB is written."""
    table = to_table([row(n, 4_000) for n in range(100)], Pair)
    runner = Runner(Store(root), quiet=True)
    left_out = tuple(Exclusion("pairs", f"q{n}", "prompt", "rule") for n in range(200))
    made = runner.source("pairs", (Shard(table, left_out) for _ in range(count // 100)), {}, count)
    tracemalloc.start()
    before, peak = pa.total_allocated_bytes(), 0

    def watched(*arguments):
        nonlocal peak
        for group in groups(*arguments):
            peak = max(peak, pa.total_allocated_bytes() - before)
            yield group

    groups = dataset._groups
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dataset, "_groups", watched)
        dataset.publish_locally(runner.store, "small", {}, [made], CARD, {"pairs": (made, Pair)})
    python = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, python


def test_memory_does_not_grow_with_the_rows(tmp_path):
    small, large = published(tmp_path / "small", 2_000), published(tmp_path / "large", 8_000)
    assert large[0] < 1.2 * small[0] < 8_000 * 4_000  # of 32 MB
    assert large[1] - small[1] < 6_000 * 50  # bytes a row


def test_no_rows_are_no_file(tmp_path):
    made = stage(tmp_path, [], 5)
    assert dataset._write_part(tmp_path, "pairs", made, Pair) == {"rows": 0, "num_bytes": 0, "files": []}
    assert list(dataset._groups(made, Pair)) == []
    assert schema(Pair).names[0] == "prompt_id"
