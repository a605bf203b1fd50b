import os
import signal
import subprocess
import sys
import time

import pyarrow as pa
import pytest

from codepref.errors import CodeprefError
from codepref.records import Exclusion
from codepref.stages import Runner, locked_runner, stage_line
from codepref.store import Shard, Store

from interrupts import started  # isort: skip

SHARDS = 6


def numbers(index):
    return pa.table({"x": list(range(index * 10, index * 10 + 10))})


def double(config, table):
    """Keeps multiples of `config["keep"]`, doubled; notes which shards were worked on."""
    with open(config["log"], "a") as log:
        log.write(f"{table['x'][0].as_py()}\n")
    time.sleep(config.get("sleep", 0))
    values = [x.as_py() for x in table["x"]]
    kept = [2 * x for x in values if x % config["keep"] == 0]
    dropped = tuple(Exclusion("double", str(x), "prompt", "odd") for x in values if x % config["keep"])
    return Shard(pa.table({"x": pa.array(kept, pa.int64())}), dropped)


def fail(config, table):
    if table["x"][0].as_py() == 30:
        raise ValueError("shard three")
    return Shard(table)


def die(config, table):
    if table["x"][0].as_py() == 30:
        os.kill(os.getpid(), signal.SIGKILL)
    return Shard(table)


def where(config, table):
    time.sleep(0.2)  # so that each of them has something to do
    return Shard(pa.table({"x": [os.getpid()]}))


def build(root, workers, log, sleep=0.0, quiet=True):
    runner = Runner(Store(root), workers, quiet)
    source = runner.source("numbers", (Shard(numbers(i)) for i in range(SHARDS)), {}, 10 * SHARDS)
    return runner.map("double", double, {"keep": 2, "log": str(log), "sleep": sleep}, [source])


def contents(root):
    return {path.name: path.read_bytes() for path in sorted(root.rglob("*.parquet")) if "double" in str(path)}


def test_the_number_of_workers_changes_nothing(tmp_path):
    log = tmp_path / "log"
    one = build(tmp_path / "a", 1, log)
    two = build(tmp_path / "b", 3, log)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert one.summary() == two.summary()
    assert one.summary()["excluded"] == [{"kind": "prompt", "rule": "odd", "count": 30}]


def test_a_finished_stage_is_not_run_again(tmp_path):
    log = tmp_path / "log"
    build(tmp_path, 1, log)
    build(tmp_path, 2, log)
    assert len(log.read_text().splitlines()) == SHARDS


def test_a_failing_shard_leaves_the_others(tmp_path):
    runner = Runner(Store(tmp_path), 1, quiet=True)
    source = runner.source("numbers", (Shard(numbers(i)) for i in range(SHARDS)), {}, 10 * SHARDS)
    for workers in (1, 2):
        with pytest.raises(ValueError, match="shard three"):
            Runner(Store(tmp_path), workers, quiet=True).map("fail", fail, {"workers": workers}, [source])
    stage = runner.store.stage("fail", {"workers": 1}, [source])
    assert len(stage.shards()) == 3
    assert not stage.done


def test_processes_are_started_once_for_all_stages(tmp_path):
    with locked_runner(tmp_path, 2, quiet=True) as runner:
        source = runner.source("numbers", (Shard(numbers(i)) for i in range(SHARDS)), {}, 10 * SHARDS)
        seen = [
            {stage.read(index)["x"][0].as_py() for index in range(SHARDS)}
            for stage in (runner.map(name, where, {}, [source]) for name in ("first", "second"))
        ]
    assert seen[0] | seen[1] <= seen[0]
    assert len(seen[0]) == 2
    assert os.getpid() not in seen[0]
    assert not any(map(alive, seen[0]))


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_worker_is_reported_in_one_line(tmp_path):
    runner = Runner(Store(tmp_path), 2, quiet=True)
    source = runner.source("numbers", (Shard(numbers(i)) for i in range(SHARDS)), {}, 10 * SHARDS)
    with pytest.raises(CodeprefError, match="die: a worker process was killed .*fewer --workers"):
        runner.map("die", die, {}, [source])


def test_the_summary_line_says_what_was_dropped_and_why(tmp_path, capsys):
    build(tmp_path, 1, tmp_path / "log", quiet=False)
    assert "double      60 in, 30 out; dropped: 30 prompts odd" in capsys.readouterr().err
    build(tmp_path, 1, tmp_path / "log", quiet=False)
    assert "kept from before" in capsys.readouterr().err


def test_describe_without_exclusions():
    assert stage_line({"stage": "pairs", "rows_in": 2, "rows_out": 2, "excluded": []}) == "pairs       2 in, 2 out"


SCRIPT = """
import pathlib, sys
sys.path[:0] = {path!r}
from test_stages import build
if __name__ == "__main__":
    build(pathlib.Path({root!r}), {workers}, {log!r}, sleep=0.2)
"""


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_killed_run_goes_on_where_it_was(tmp_path, workers, how):
    root, log = tmp_path / "run", tmp_path / "log"
    log.touch()
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(path=sys.path, root=str(root), log=str(log), workers=workers))
    process = started([sys.executable, str(script)], start_new_session=True, stderr=(tmp_path / "err").open("w"))
    while len(list(root.glob("stages/double-*/*.parquet"))) < 2 and process.poll() is None:
        time.sleep(0.02)
    assert process.poll() is None, (tmp_path / "err").read_text()
    (os.killpg if how == signal.SIGINT else os.kill)(process.pid, how)
    process.wait()
    finished = {path.name for path in root.glob("stages/double-*/[0-9]*.parquet")}
    assert 2 <= len(finished) < SHARDS
    _wait_until_gone(process.pid)
    before = log.read_text().split()
    build(root, workers, log, sleep=0.2)
    redone = [int(line) // 10 for line in log.read_text().split()[len(before) :]]
    assert not {f"{index:05d}.parquet" for index in redone} & finished
    build(tmp_path / "whole", 1, log)
    assert list(contents(root).values()) == list(contents(tmp_path / "whole").values())
    assert not list(root.rglob("*.part*"))


def _wait_until_gone(session):
    """Workers end with their parent, however it went."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if subprocess.run(["pgrep", "-s", str(session)], capture_output=True).returncode:
            return
        time.sleep(0.05)
    raise AssertionError("pool workers survived their parent")
