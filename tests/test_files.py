import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from codepref import files
from codepref.errors import CodeprefError

ROWS = [{"a": 1}, {"a": 2}]


def test_every_kind_of_file(tmp_path):
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (tmp_path / "x.jsonl").write_text(lines + "\n")
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "x.v2.json").write_text(json.dumps(ROWS))
    (tmp_path / "x.json.gz").write_bytes(gzip.compress(json.dumps(ROWS).encode()))
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "x.parquet")
    for path in tmp_path.iterdir():
        assert list(files.read_rows(path)) == [(1, ROWS[0]), (2, ROWS[1])], path.name


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.jsonl", b'{"a": 1}\n{', r"x\.jsonl:2: not JSON .*; the file seems to be cut off here"),
        ("x.jsonl", b"[1]", r"x\.jsonl:1: the line is a list; write one JSON object per line"),
        ("x.jsonl.gz", b"plain", r"x\.jsonl\.gz:1: not JSON"),
        ("x.jsonl", b"\xff", r"x\.jsonl:1: not UTF-8 text"),
        ("x.parquet", b"nothing", r"x\.parquet: "),
        ("x.csv", b"", r"x\.csv: unknown kind of file"),
    ],
)
def test_bad_files_are_named(tmp_path, name, data, message):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(CodeprefError, match=message) as caught:
        list(files.read_rows(path))
    assert "\n" not in str(caught.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(CodeprefError, match=r"none\.jsonl: No such file"):
        list(files.read_rows(tmp_path / "none.jsonl"))


def test_a_folder_takes_one_at_a_time(tmp_path):
    folder = tmp_path / "run"
    with (
        files.locked(folder, "another run is here; wait"),
        pytest.raises(CodeprefError, match="another run is here; wait"),
    ):
        files.locked(folder, "another run is here; wait").__enter__()
    with files.locked(folder, "another run is here; wait"):
        pass
