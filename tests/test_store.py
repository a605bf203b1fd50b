import os

import pyarrow as pa
import pytest

from codepref.errors import CodeprefError
from codepref.records import Exclusion
from codepref.store import Shard, Store, parquet_bytes, write_whole

TABLE = pa.table({"x": [1, 2]})


def test_a_shard_comes_back_with_what_stood_beside_it(tmp_path):
    stage = Store(tmp_path).stage("outcomes", {"a": 1})
    excluded = (Exclusion("outcomes", "p", "code", "unjudged", 3, "why\nnot"),)
    stage.write(0, Shard(TABLE, excluded, pa.table({"cpu_s": [0.25]})))
    stage.write(1, Shard(TABLE))
    assert stage.read(0).equals(TABLE)
    assert stage.measured(0).to_pydict() == {"cpu_s": [0.25]}
    assert stage.measured(1) is None
    assert tuple(stage.excluded()) == excluded
    assert (len(stage.shards()), stage.rows(1), stage.has(1), stage.has(2)) == (2, 2, True, False)


def test_a_stage_is_done_when_it_says_so(tmp_path):
    stage = Store(tmp_path).stage("pairs", {})
    stage.write(0, Shard(TABLE))
    assert not stage.done
    stage.finish({"rows_out": 2})
    assert stage.done
    assert stage.summary() == {"rows_out": 2}


def test_the_folder_depends_on_settings_and_inputs_alone(tmp_path):
    store = Store(tmp_path)
    first = store.stage("scores", {"b": 1, "a": 2})
    assert store.stage("scores", {"a": 2, "b": 1}).path == first.path
    others = [store.stage("scores", {"a": 3, "b": 1}), store.stage("scores", {"a": 2, "b": 1}, [first])]
    assert len({first.path, *(stage.path for stage in others)}) == 3


def test_leftovers_of_dead_writers_go(tmp_path):
    store = Store(tmp_path)
    stage = store.stage("x", {})
    stage.write(0, Shard(TABLE))
    (stage.path / "00001.parquet.part99").write_bytes(b"half")
    store.stage("x", {})
    assert [path.name for path in stage.path.iterdir()] == ["00000.parquet"]


def test_a_file_is_whole_or_absent(tmp_path):
    path = tmp_path / "file"
    write_whole(path, b"old")
    with pytest.raises(TypeError):
        write_whole(path, "not bytes")
    assert path.read_bytes() == b"old"


def test_two_builds_do_not_share_a_folder(tmp_path):
    with Store(tmp_path).lock(), pytest.raises(CodeprefError, match="another build is running"), Store(tmp_path).lock():
        pass
    with Store(tmp_path).lock():
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(CodeprefError, match="Permission denied; choose another --out"), Store(tmp_path / "run").lock():
        pass


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(CodeprefError, match="choose another --out"), Store(tmp_path / "run").lock():
        pass


def test_equal_rows_are_equal_bytes():
    parts = pa.concat_tables([pa.table({"x": [1]}), pa.table({"x": [2]})])
    assert parquet_bytes(parts) == parquet_bytes(TABLE)
