import os
import re
import signal
import subprocess
import sys
import threading
import time

import pyarrow as pa
import pytest
import ray
import ray.cloudpickle
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from codepref import cli, cluster
from codepref.cluster import Cluster
from codepref.errors import CodeprefError
from codepref.records import Exclusion
from codepref.sandbox import Job, Sandbox
from codepref.stages import Runner, runner_in
from codepref.store import Shard, Store, store

from interrupts import started  # isort: skip

# nodes of a cluster import what is installed there; the functions of this file travel with the task
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
SHARDS = 6


def rows(index):
    return pa.table({"prompt_id": [f"p{index}{n}" for n in range(4)], "x": [index * 4 + n for n in range(4)]})


def double(config, table):
    if config:
        with open(config["log"], "a") as log:
            log.write(f"{ray.get_runtime_context().get_node_id()}\n")
        time.sleep(config["sleep"])
    x = table["x"].to_pylist()
    dropped = tuple(Exclusion("double", f"p{n // 4}{n % 4}", "prompt", "odd") for n in x if n % 2)
    kept = [n for n in x if n % 2 == 0]
    return Shard(pa.table({"prompt_id": [f"p{n // 4}{n % 4}" for n in kept], "x": pa.array(kept, pa.int64())}), dropped)


def die(config, table):
    if table.num_rows and table["x"][0].as_py() in config["at"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return Shard(table)


def die_always(config, table):
    os.kill(os.getpid(), signal.SIGKILL)


def fail(config, table):
    if table["x"][0].as_py() == 8:
        raise ValueError("shard two")
    return Shard(table)


def both(config, table, other):
    assert table["prompt_id"] == other["prompt_id"]
    return Shard(table)


def numbers(runner):
    return runner.source("numbers", (Shard(rows(index)) for index in range(SHARDS)), {}, 4 * SHARDS)


def doubled(runner, log=None, sleep=0.0):
    return runner.map("double", double, {"log": str(log), "sleep": sleep} if log else {}, [numbers(runner)])


def contents(stage):
    return {path.name: path.read_bytes() for path in stage.path.iterdir() if path.name != "done.json"}


def sizes(stage):
    return [stage.rows(index) for index in stage.finished()]


def on(nodes, root):
    return runner_in(root, quiet=True, cluster=Cluster(nodes.address))


@pytest.mark.parametrize("method", ["codedpo", "codeflow"])
def test_who_does_the_work_changes_no_byte(nodes, tmp_path, root, monkeypatch, method):
    monkeypatch.chdir(root)
    few = ["--set", "codes_per_prompt=4", "--set", "tests_per_prompt=4"] if method == "codedpo" else []
    words = ["build", method, "--config", f"builders/configs/{method}/quickstart.yaml", *few, "--quiet", "--out"]
    kinds = {
        "one": ["--workers", "1"],
        "pool": ["--workers", "2"],
        "ray": ["--runner", "ray", "--set", f"ray.address={nodes.address}"],
    }
    if method == "codeflow":
        del kinds["pool"]
    for name, more in kinds.items():
        assert cli.main([*words, str(tmp_path / name), *more]) == 0
    assert len({built(tmp_path / name) for name in kinds}) == 1


def built(folder):
    """Every file of a build that a rebuild repeats."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != ".lock"]
    kept = [
        path for path in paths if path.suffix not in (".arrow", ".sqlite") and not path.name.endswith(("-wal", "-shm"))
    ]
    assert {"manifest.json", "README.md", "exclusions.jsonl", "done.json"} <= {path.name for path in kept}
    return tuple((str(path.relative_to(folder)), path.read_bytes()) for path in kept)


@pytest.fixture(scope="module")
def right(tmp_path_factory):
    """What the files of stage `double` hold."""
    return contents(doubled(Runner(Store(tmp_path_factory.mktemp("right")), quiet=True)))


def test_a_lost_node_loses_and_doubles_nothing(nodes, tmp_path, right):
    runner, log = on(nodes, tmp_path), tmp_path / "log"
    cluster.connect(runner.cluster)
    more = nodes.add_node(num_cpus=1, object_store_memory=100 << 20)
    there = NodeAffinitySchedulingStrategy(more.node_id, soft=False)
    ray.get(ray.remote(num_cpus=1)(rows).options(scheduling_strategy=there).remote(0))  # its worker is ready
    watch = threading.Thread(target=remove_when_at_work, args=(nodes, more, log))
    watch.start()
    lossy = doubled(runner, log, 1.5)
    watch.join()
    assert contents(lossy) == right
    assert len(log.read_text().split()) > SHARDS


def remove_when_at_work(nodes, node, log):
    deadline = time.monotonic() + 60
    while not log.exists() or node.node_id not in log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    nodes.remove_node(node, allow_graceful=False)


def wait_for(root, count):
    deadline = time.monotonic() + 60
    while len(list(root.glob("stages/double-*/*.parquet"))) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_poisoned_shard_is_left_out_and_named(nodes, tmp_path, capfd):
    runner = on(nodes, tmp_path)
    source = numbers(runner)
    kept = runner.map("die", die, {"at": [8]}, [source])
    names = ["p20", "p21", "p22", "p23"]
    assert "die: shard 2 ended 3 workers and is left out: p20, p21, p22, p23; to try again" in capfd.readouterr().err
    assert [item.prompt_id for item in kept.excluded() if item.rule == "quarantined"] == names
    assert kept.summary()["excluded"] == [{"kind": "prompt", "rule": "quarantined", "count": 4}]
    assert sizes(kept) == [4, 4, 0, 4, 4, 4]
    assert kept.read(2).schema == kept.read(1).schema
    after = runner.map("both", both, {}, [source, kept])  # gone from its other input, too
    assert not set(names) & {name for index in range(SHARDS) for name in after.read(index)["prompt_id"].to_pylist()}
    assert runner.map("die", die, {"at": [8]}, [source]).summary() == kept.summary()


def test_workers_that_always_die_stop_the_build(nodes, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "TRIES", 2)
    runner = on(nodes, tmp_path)
    with pytest.raises(CodeprefError, match="workers die whatever they are given"):
        runner.map("die", die_always, {}, [numbers(runner)])


def test_an_exception_is_a_bug_and_stops_the_build(nodes, tmp_path):
    runner = on(nodes, tmp_path)
    with pytest.raises(ValueError, match="shard two"):
        runner.map("fail", fail, {}, [numbers(runner)])
    assert not runner.store.stage("fail", {}, [numbers(runner)]).done


SEEN = "import os\n\ndef f(name):\n    return sorted(key for key in os.environ if name in key.upper())"


def look(item):
    with Sandbox() as sandbox:
        cell = sandbox.run(Job("p", (SEEN,), ("assert f('RAY') == []", "assert f('AWS') == []"), "f")).cells[0]
    mine = [any(name in key for key in os.environ) for name in ("RAY", "AWS")]
    return mine, [one.verdict for one in cell], threading.current_thread() is threading.main_thread()


def test_candidates_do_not_see_the_cluster(nodes):
    found = list(cluster.run_calls(Cluster(nodes.address), look, [0]))
    assert found == [(0, ([True, True], ["passed", "passed"], True))]


SCRIPT = """
import pathlib, sys
sys.path[:0] = {path!r}
import test_cluster
if __name__ == "__main__":
    test_cluster.doubled(test_cluster.runner_in({root!r}, quiet=True, cluster=test_cluster.Cluster({address!r})), {log!r}, 0.7)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_driver_loses_nothing_finished(nodes, tmp_path, how, right):
    root, script = tmp_path / "run", tmp_path / "script.py"
    log = str(tmp_path / "log")
    script.write_text(SCRIPT.format(path=sys.path, root=str(root), address=nodes.address, log=log))
    process = started([sys.executable, str(script)], start_new_session=True, stderr=subprocess.PIPE, text=True)
    wait_for(root, 2)
    (os.killpg if how == signal.SIGINT else os.kill)(process.pid, how)
    _, err = process.communicate(timeout=60)
    assert process.returncode and ("KeyboardInterrupt" in err or how == signal.SIGKILL)
    finished = {path: path.stat().st_mtime_ns for path in root.glob("stages/double-*/*.parquet")}
    assert 2 <= len(finished) < SHARDS
    time.sleep(1.5)  # what was at work has ended with its driver, or would write now
    assert len(list(root.glob("stages/double-*/*.parquet"))) <= len(finished) + 1
    again = doubled(on(nodes, root), log, 0.7)
    assert all(path.stat().st_mtime_ns == when for path, when in finished.items())
    assert contents(again) == right


def test_evaluate_gives_the_same_verdicts(nodes, tmp_path):
    from evaluation_tiny import RIGHT, data, samples  # isort: skip

    programs = [RIGHT[0], "def half(a):\n    return a // 2\n", RIGHT[2]]
    words = ["evaluate", "humaneval_plus", "--data", str(data(tmp_path)), "--samples", str(samples(tmp_path, programs))]
    for name, more in {"here": [], "there": ["--runner", "ray", "--ray-address", nodes.address]}.items():
        cache = ["--quiet", "--cache", str(tmp_path / f"cache-{name}"), "--out", str(tmp_path / name)]
        assert cli.main([*words, *cache, *more]) == 0
    here, there = (
        re.sub(r'"cpu_s": [^,}]*', "", next((tmp_path / name).rglob("verdicts.jsonl")).read_text())
        for name in ("here", "there")
    )
    assert here == there
    assert here.count('"failed"') >= 1


def codepref(*words, before="pass"):
    program = f"import sys; {before}; from codepref.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, timeout=60)


BUILD = ["build", "codedpo", "--quiet", "--set", "generations=builders/quickstart/generations.jsonl"]


def test_a_wrong_address_is_said_in_one_line(root, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    for address in ("127.0.0.1:1", "nonsense"):
        done = codepref(*BUILD, "--out", str(tmp_path / "run"), "--runner", "ray", "--set", f"ray.address={address}")
        assert done.returncode == 2
        assert re.fullmatch(rf"codepref: error: no Ray at {address} \(.*\); give HOST:PORT .*\n", done.stderr)
    done = codepref(*BUILD, "--out", str(tmp_path / "run"), "--ray-address", "127.0.0.1:1")
    assert (done.returncode, done.stderr) == (2, "codepref: error: --ray-address 127.0.0.1:1: add --runner ray\n")


def test_without_ray_the_remedy_is_named(root, tmp_path, monkeypatch):
    monkeypatch.chdir(root)
    done = codepref(*BUILD, "--out", str(tmp_path / "run"), "--runner", "ray", before="sys.modules['ray'] = None")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "codepref: error: --runner ray: Ray is not installed; pip install 'codepref[ray]', on every node"
    ]


def test_a_node_that_differs_or_does_not_see_the_run_is_named(tmp_path):
    with pytest.raises(CodeprefError, match=r"pyarrow .*, but 1.0 where the build was started; install the same"):
        cluster._task({**cluster._versions(), "pyarrow": "1.0"}, double, None)
    with pytest.raises(CodeprefError, match="is not there; let --out be on a file system that all nodes share"):
        cluster.seen(tmp_path / "elsewhere")


def test_stages_on_an_object_store_have_the_same_bytes(nodes, bucket, tmp_path, right):
    url = f"{bucket}/cluster"
    there = doubled(runner_in(tmp_path / "there", quiet=True, cluster=Cluster(nodes.address), url=url))
    assert contents(there) == right
    assert not (tmp_path / "there" / "stages").exists()
    assert store(tmp_path / "there").url is None  # nothing is noted before the folder is locked
