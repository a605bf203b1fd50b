"""Ray next to the process pool on this machine, and a node of two killed in the middle of a build.

    python benchmarks/scale_ray.py overhead [--rounds 2] [--copies 7] [--shards 2]
    python benchmarks/scale_ray.py node

`overhead` runs the stage `outcomes` of CodeDPO, two workers, on shards of many prompts: the quickstart's, copied. Pool
and Ray take turns. CPU is that of the driver with all its descendants, the start of every worker included. Told apart
are the start of Ray, once a build, and what its own processes take, which grows with wall time, not with work. Wall
seconds depend on whatever else the machine does.

`node` builds the quickstart on two nodes of one processor each, kills one when two shards of the matrix are done, and
compares every file with a build in one process.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
SAMPLES = ROOT / "builders" / "quickstart" / "generations.jsonl"
TICKS = os.sysconf("SC_CLK_TCK")


OWN = (b"/ray/core/src/ray/", b"/ray/_private/log_monitor", b"/ray/dashboard/", b"/ray/autoscaler/")
"""What the command lines of Ray's own processes hold."""


def tree_cpu(pid: int, own: bool = False) -> float:
    """CPU seconds of a process and its descendants, those that have ended and were waited for included.

    Args:
        pid: The process.
        own: Of the descendants only those that are Ray's own.
    """
    parents, times = dict[int, int](), dict[int, float]()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        parents[int(path.parent.name)] = int(fields[1])
        times[int(path.parent.name)] = sum(map(int, fields[11:15])) / TICKS
    mine = {pid}
    while more := {child for child, parent in parents.items() if parent in mine} - mine:
        mine |= more
    return sum(times[one] for one in mine if not own or _is_own(one))


def _is_own(pid: int) -> bool:
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return any(part in line for part in OWN)


def once(engine: str, copies: int, shards: int) -> dict[str, float]:
    """One run of the stage in this process, which is fresh."""
    from builders.chain import ask, matrix
    from codepref import cluster
    from codepref.stages import runner_in

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.jsonl"
        rows = [json.loads(line) for line in SAMPLES.read_text().splitlines()]
        path.write_text("".join(lines(rows, copies * shards)))
        started, began = time.perf_counter(), tree_cpu(os.getpid())
        ray = cluster.Cluster(workers=2) if engine == "ray" else None
        if ray:
            cluster.connect(ray)
        start = {"start_s": time.perf_counter() - started, "start_cpu_s": tree_cpu(os.getpid()) - began}
        here = runner_in(folder, quiet=True)
        source = ask.recorded_stage(here, str(path), copies * len(rows), False)
        ready = here.map("candidates", matrix.select_candidates, matrix.Selection(), [source], here=True)
        started, began, own = time.perf_counter(), tree_cpu(os.getpid()), tree_cpu(os.getpid(), own=True)
        runner_in(folder, 2, True, ray).map("outcomes", matrix.run_matrices, matrix.Execution(), [ready])
        own = tree_cpu(os.getpid(), own=True) - own
        cpu = tree_cpu(os.getpid()) - began - own
        return {**start, "wall_s": time.perf_counter() - started, "cpu_s": cpu, "own_cpu_s": own}


def lines(rows: list[dict[str, Any]], copies: int) -> Iterator[str]:
    for copy in range(copies):
        for row in rows:
            yield json.dumps({**row, "prompt_id": f"{copy:03d}/{row['prompt_id']}"}) + "\n"


def overhead(rounds: int, copies: int, shards: int) -> dict[str, Any]:
    found: dict[str, list[dict[str, float]]] = {"pool": [], "ray": []}
    for number in range(rounds):
        for engine in ("pool", "ray") if number % 2 == 0 else ("ray", "pool"):
            words = ["once", "--engine", engine, "--copies", str(copies), "--shards", str(shards)]
            done = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True, check=True)
            found[engine].append(json.loads(done.stdout.splitlines()[-1]))
            print(engine, found[engine][-1], file=sys.stderr, flush=True)
    print(f"{shards} shards of {copies * 22} prompts, 2 workers, {rounds} runs each, medians\n")
    print("| engine | CPU s a shard | CPU s | Ray's own CPU s | wall s | start: wall s | start: CPU s |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    middle = {engine: medians(runs) for engine, runs in found.items()}
    for engine, one in middle.items():
        keys = ("cpu_s", "own_cpu_s", "wall_s", "start_s", "start_cpu_s")
        print(f"| {engine} | {one['cpu_s'] / shards:.1f} | {' | '.join(f'{one[key]:.1f}' for key in keys)} |")
    ratio = {key: middle["ray"][key] / middle["pool"][key] for key in ("cpu_s", "wall_s")}
    print(f"\nRay over pool: {ratio['cpu_s']:.3f} in CPU, {ratio['wall_s']:.3f} in wall time")
    return {"runs": found, "ratio": ratio}


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    """Of each figure the middle one."""
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def node() -> dict[str, Any]:
    from ray.cluster_utils import Cluster as Nodes

    from builders.codedpo import method as codedpo
    from codepref import config
    from codepref.cluster import Cluster
    from codepref.stages import locked_runner

    settings = config.load(
        codedpo.Config, ROOT / "builders/configs/codedpo/quickstart.yaml", [f"generations={SAMPLES}", "shard_size=2"]
    )
    small = {"num_cpus": 1, "object_store_memory": 100 << 20}
    with tempfile.TemporaryDirectory() as folder:
        nodes = Nodes(initialize_head=True, head_node_args={**small, "include_dashboard": False})
        from codepref import cluster

        where = Cluster(nodes.address)
        cluster.connect(where)
        other = nodes.add_node(**small)
        killed: dict[str, float] = {}
        there, here = Path(folder) / "there", Path(folder) / "here"

        def kill() -> None:
            while len(list(there.glob("stages/outcomes-*/*.parquet"))) < 2:
                time.sleep(0.05)
            nodes.remove_node(other, allow_graceful=False)
            killed["shards"] = len(list(there.glob("stages/outcomes-*/*.parquet")))

        watch = threading.Thread(target=kill)
        watch.start()
        with locked_runner(there, quiet=True, cluster=where) as runner:
            codedpo.build(settings, runner)
        watch.join()
        with locked_runner(here, quiet=True) as runner:
            codedpo.build(settings, runner)
        files = [path.relative_to(here) for path in here.rglob("*") if path.suffix in (".parquet", ".jsonl", ".json")]
        equal = [digest(there / path) == digest(here / path) for path in files]
        extra = {path.relative_to(there) for path in there.rglob("*.parquet")} - set(files)
        print(f"one of two nodes killed after {killed['shards']} of 11 shards of the matrix were done: the build ended")
        print(f"{len(files)} files compared with a build in one process: {sum(equal)} equal, {len(extra)} more")
        print(f"sha256 of the dataset: {digest(next(there.glob('correctness/*.parquet')))}")
        return {"files": len(files), "equal": sum(equal), "extra": len(extra), **killed}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("overhead", "node", "once"))
    parser.add_argument("--engine", choices=("pool", "ray"), default="pool", help="of `once`, a single run")
    parser.add_argument("--rounds", type=int, default=2, help="runs of each engine")
    parser.add_argument("--copies", type=int, default=7, help="of the 22 prompts, a shard")
    parser.add_argument("--shards", type=int, default=2)
    args = parser.parse_args()
    if args.what == "once":
        found: dict[str, Any] = dict(once(args.engine, args.copies, args.shards))
    else:
        found = node() if args.what == "node" else overhead(args.rounds, args.copies, args.shards)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
