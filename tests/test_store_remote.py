"""Stages on an object store: a real server that speaks S3, and builds that are real processes."""

import signal
import subprocess
import sys
import time

import boto3
import pyarrow as pa
import pytest

from codepref import cli
from codepref.errors import CodeprefError
from codepref.records import Exclusion
from codepref.store import Shard, Store, location, store, write_whole

TABLE = pa.table({"x": [1, 2]})


def objects(prefix):
    return [item.key for item in boto3.resource("s3").Bucket("runs").objects.filter(Prefix=f"{prefix}/")]


def test_a_shard_comes_back_with_what_stood_beside_it(bucket, tmp_path):
    stage = Store(tmp_path, f"{bucket}/shard").stage("outcomes", {"a": 1})
    excluded = (Exclusion("outcomes", "p", "code", "unjudged", 3, "why\nnot"),)
    stage.write(0, Shard(TABLE, excluded, pa.table({"cpu_s": [0.25]})))
    stage.write(1, Shard(TABLE.slice(1)))
    assert stage.read(0).equals(TABLE)
    assert stage.measured(0).to_pydict() == {"cpu_s": [0.25]}
    assert stage.measured(1) is None
    assert tuple(stage.excluded()) == excluded
    assert ([stage.rows(index) for index in stage.finished()], stage.has(1), stage.has(2), stage.done) == (
        [2, 1],
        True,
        False,
        False,
    )
    stage.finish({"rows_out": 3})
    again = Store(tmp_path, f"{bucket}/shard").stage("outcomes", {"a": 1})
    assert (again.done, again.summary()) == (True, {"rows_out": 3})


def test_two_machines_see_what_the_other_wrote(bucket, tmp_path):
    mine, other = (Store(tmp_path / name, f"{bucket}/seen").stage("x", {}) for name in "ab")
    assert not mine.shards()
    other.write(0, Shard(TABLE))
    assert mine.has(0) and len(mine.shards()) == 1


WORDS = ["build", "codedpo", "--quiet", "--workers", "1", "--config", "builders/configs/codedpo/quickstart.yaml"]
FEW = ["--set", "codes_per_prompt=4", "--set", "tests_per_prompt=4", "--set", "shard_size=1"]


def test_a_killed_build_goes_on_from_any_machine(bucket, tmp_path, root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    where = ["--store", f"{bucket}/killed"]
    command = [sys.executable, "-m", "codepref.cli", *WORDS, *FEW, *where, "--out", str(tmp_path / "first")]
    process = subprocess.Popen(command)
    while sum("outcomes" in key and key.endswith(".parquet") for key in objects("killed")) < 2:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not any("/outcomes-" in key and key.endswith("done.json") for key in objects("killed"))
    finished = {key for key in objects("killed") if "/outcomes-" in key and key.endswith(".parquet")}
    before = modified()
    assert cli.main([*WORDS, *FEW, *where, "--out", str(tmp_path / "elsewhere")]) == 0  # another --out: another machine
    assert {key: modified()[key] for key in finished} == {key: before[key] for key in finished}
    assert cli.main([*WORDS, *FEW, "--out", str(tmp_path / "local")]) == 0
    for name in ("manifest.json", "README.md", "exclusions.jsonl", "correctness/train-00000-of-00001.parquet"):
        assert (tmp_path / "elsewhere" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()
    for path in (tmp_path / "local" / "stages").rglob("*.parquet"):
        there = location(f"{bucket}/killed") / path.parent.name / path.name
        assert there.read_bytes() == path.read_bytes()
    assert cli.main([*WORDS, *FEW, "--out", str(tmp_path / "elsewhere")]) == 0  # where the stages are is remembered
    assert not (tmp_path / "elsewhere" / "stages").exists()
    inspected(tmp_path, capsys)


def modified():
    return {
        item.key: item.last_modified for item in boto3.resource("s3").Bucket("runs").objects.filter(Prefix="killed/")
    }


def inspected(folder, capsys):
    texts = []
    for name in ("elsewhere", "local"):
        for more in (["--prompt", "quickstart/error_peak"], ["--rank-with", "combined"]):
            capsys.readouterr()
            assert cli.main(["inspect", str(folder / name), *more]) == 0
            texts.append(capsys.readouterr().out.replace(name, ""))
    assert texts[:2] == texts[2:]


WRITER = """
import pathlib, sys
from codepref.store import location, write_whole
place = location(sys.argv[1])
for number in range(1000):
    write_whole(place / f"{number:05d}.parquet", b"x" * (4 << 20) + b"END")
"""


def test_a_killed_writer_leaves_whole_objects_alone(bucket):
    place = location(f"{bucket}/halves")
    for round_ in range(3):
        process = subprocess.Popen([sys.executable, "-c", WRITER, f"{bucket}/halves"])
        while len(list(place.glob("*.parquet"))) <= round_:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.01 * round_)
        process.kill()
        process.wait()
    for path in place.glob("*.parquet"):
        data = path.read_bytes()
        assert (len(data), data[-3:]) == ((4 << 20) + 3, b"END")


def test_a_place_that_can_not_be_written_is_named_before_any_work(bucket, tmp_path):
    written = r"--store s3://none/run: can not be written \(.*\); name a bucket"
    with pytest.raises(CodeprefError, match=written), Store(tmp_path, "s3://none/run").lock():
        pass
    known = r"bogus://run: .*; pip install 'codepref\[s3\]'"
    with pytest.raises(CodeprefError, match=known), Store(tmp_path, "bogus://run").lock():
        pass
    assert not (tmp_path / "stages.url").exists()


def test_a_path_may_be_the_place_too(tmp_path):
    with store(tmp_path / "run", str(tmp_path / "shared")).lock():
        pass
    stage = store(tmp_path / "run").stage("x", {})
    stage.write(0, Shard(TABLE))
    assert [path.parent.parent for path in (tmp_path / "shared").rglob("*.parquet")] == [tmp_path / "shared"]
    assert location(f"file://{tmp_path}") == tmp_path
    write_whole(tmp_path / "file", b"data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "run", "shared"]
