"""Rows as they are stored: every kind of file and folder, with the place of what can not be read."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset

from codepref.errors import CodeprefError

ROWS = [{"prompt": f"p{i}", "chosen": "c", "rejected": "r"} for i in range(700)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS).encode()


@pytest.fixture(scope="module")
def source():
    import source

    return source


def read(source, path):
    return list(source.opened(str(path), None, "train", frozenset(ROWS[0])).rows())


def stored(folder, kind):
    path = folder / f"pairs{kind}"
    if kind == ".parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    elif kind == "saved":
        Dataset.from_list(ROWS).save_to_disk(path)
    elif kind == "folder":
        path.mkdir()
        (path / "a.jsonl").write_bytes(LINES[: LINES.index(b"p300") - 12])
        (path / "b.jsonl.gz").write_bytes(gzip.compress(LINES[LINES.index(b"p300") - 12 :]))
    else:
        text = json.dumps(ROWS, indent=1).encode() if ".json" in kind and "l" not in kind else LINES
        path.write_bytes(gzip.compress(text) if kind.endswith(".gz") else text)
    return path


@pytest.mark.parametrize("kind", [".jsonl", ".jsonl.gz", ".json", ".json.gz", ".parquet", "saved", "folder"])
def test_every_kind_gives_the_same_rows(source, tmp_path, kind):
    found = read(source, stored(tmp_path, kind))
    assert [raw.value for raw in found] == ROWS
    assert found[-1].place.endswith((", line 700", ", row 700", "b.jsonl.gz, line 400"))


def test_json_lines_in_a_file_called_json(source, tmp_path):
    (tmp_path / "pairs.json").write_bytes(LINES)
    assert [raw.value for raw in read(source, tmp_path / "pairs.json")] == ROWS


def test_a_mark_of_byte_order_and_empty_lines(source, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'\xef\xbb\xbf{"prompt": 1}\r\n\r\n{"prompt": 2}')
    assert [(raw.place, raw.value) for raw in read(source, tmp_path / "a.jsonl")] == [
        ("a.jsonl, line 1", {"prompt": 1}),
        ("a.jsonl, line 3", {"prompt": 2}),
    ]


def test_a_list_is_read_in_blocks_that_cut_through_rows(source, tmp_path, monkeypatch):
    monkeypatch.setattr(source, "BLOCK", 7)
    rows = [{"prompt": "\xe4 ]}, {[", "chosen": 12345678901}, {"prompt": ""}, 17]
    (tmp_path / "a.json").write_text("\ufeff" + json.dumps(rows, ensure_ascii=False, indent=2), encoding="utf-8")
    found = read(source, tmp_path / "a.json")
    assert [raw.value for raw in found] == [*rows[:2], None]
    assert found[2].fault.startswith("a number, not a row")


@pytest.mark.parametrize("text", ['[{"prompt": 1}, {"prompt": ', '[{"prompt": 1} {]', '[{"prompt": 1}, nonsense]'])
def test_a_broken_list_names_its_row(source, tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    found = read(source, tmp_path / "a.json")
    assert found[0].value == {"prompt": 1}
    assert found[1].place == "a.json, row 2"
    assert found[1].fault.startswith("not JSON")


@pytest.mark.parametrize("line", [b"[" * 100_000, b'{"prompt": \xff}', b"17", b'{"prompt"'])
def test_a_broken_line_has_a_fault(source, tmp_path, line):
    (tmp_path / "a.jsonl").write_bytes(b"{}\n" + line + b"\n{}\n")
    assert [bool(raw.fault) for raw in read(source, tmp_path / "a.jsonl")] == [False, True, False]


def test_a_folder_that_was_meant_is_not_asked_of_the_hub(source, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    for name in ("runs/absent", "./absent", "~/absent", "a/b/c", "absent"):
        with pytest.raises(CodeprefError, match="no such folder"):
            source.opened(name, None, "train", frozenset())


def test_columns_that_nobody_knows(source, tmp_path):
    pq.write_table(pa.table({"instruction": ["a"], "output": ["b"]}), tmp_path / "a.parquet")
    with pytest.raises(CodeprefError, match=r"no column of training rows \(it has instruction, output\)"):
        source.opened(str(tmp_path), None, "train", frozenset(ROWS[0]))
