"""Maps a pure shard -> shard function over a stage: in this process, on a process pool or on Ray.

Whoever runs it, a shard is read from the store, worked on and written to the store in one place, so only its number
travels back. Stages that wait rather than compute (a model's answers) stay in the process that was started: it holds
the connections and the cache of answers, and counts what the server may be asked at once.
"""

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from codepref import cluster
from codepref.cluster import Cluster
from codepref.errors import CodeprefError
from codepref.records import Exclusion
from codepref.store import Shard, Stage, Store, store

ShardFunction = Callable[..., Shard]
"""`function(config, *tables) -> Shard`: pure, importable by name, one table per input stage."""
QUARANTINED = "quarantined"
"""Rule under which the prompts of a shard are left out that kills its workers."""


class _Workers:
    """Processes of this machine that work on one stage after the other; they start when there is work for them."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None

    def pool(self, number: int) -> ProcessPoolExecutor:
        """At most so many processes."""
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(number, mp_context=context, initializer=_start_worker)
        return self._pool

    def stop(self, busy: bool = False) -> None:
        """Ends the processes; busy ones leave what they are at."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        at_work = list((pool._processes or {}).values()) if busy else []  # there is no public way to stop them
        pool.shutdown(wait=not busy, cancel_futures=True)
        for process in at_work:
            process.terminate()


@dataclass(frozen=True)
class Runner:
    """Where and how stages run."""

    store: Store
    workers: int = 1
    quiet: bool = False
    cluster: Cluster | None = None
    """Ray instead of a process pool."""
    _workers: _Workers = field(default_factory=_Workers, init=False, repr=False, compare=False)

    def source(self, name: str, tables: Iterator[Shard], depends: dict[str, Any], total: int) -> Stage:
        """Makes the first stage of a chain from shards that are made here, one after the other.

        Args:
            name: Stage name.
            tables: The shards; those already finished are made again but not written.
            depends: Whatever identifies their content, e.g. the hash of an input file.
            total: Number of rows to come.
        """
        stage = self.store.stage(name, depends)
        if stage.done:
            return self._report(stage, reused=True)
        with self._progress(name, total) as bar:
            for index, shard in enumerate(tables):
                if not stage.has(index):
                    stage.write(index, shard)
                bar.update(shard.table.num_rows)
        return self._finish(stage, total)

    def map(
        self, name: str, function: ShardFunction, config: Any, inputs: Sequence[Stage], *, here: bool = False
    ) -> Stage:
        """Runs a stage: every shard that is not finished yet, then the done marker.

        Args:
            name: Stage name.
            function: Pure function of the config and one shard of each input stage.
            config: The settings the function needs, and nothing else: they decide whether old shards are reused.
            inputs: Stages with aligned shards.
            here: Run in this process whatever `workers` says (stages that wait rather than compute).

        Raises:
            CodeprefError: a process of the pool was killed. Finished shards stay, as they do on any other exception. On
                Ray the shard is tried again, and left out (`QUARANTINED`) if it kills its workers each time.
        """
        stage = self.store.stage(name, config, inputs)
        if stage.done:
            return self._report(stage, reused=True)
        total, shards = (inputs[0].summary()[key] for key in ("rows_out", "shards"))
        kept = stage.finished()
        todo = sorted(set(range(shards)).difference(kept))
        work = _Work(stage, function, config, tuple(inputs), _quarantined(inputs))
        with self._progress(name, total, sum(map(inputs[0].rows, kept))) as bar:
            for index in self._engine(len(todo), here)(work, todo):
                bar.update(inputs[0].rows(index))
        return self._finish(stage, total)

    def _engine(self, shards: int, here: bool) -> "Callable[[_Work, list[int]], Iterator[int]]":
        if here or not shards:
            return _in_process
        if self.cluster is not None:
            return self._on_ray
        return self._pooled if self.workers > 1 and shards > 1 else _in_process

    def _on_ray(self, work: "_Work", todo: list[int]) -> Iterator[int]:
        assert self.cluster is not None
        for place, found in cluster.run_calls(self.cluster, work.elsewhere, todo):
            if isinstance(found, cluster.Lost):
                self._leave_out(work, todo[place], found.times)
            yield todo[place]

    def _leave_out(self, work: "_Work", index: int, times: int) -> None:
        """Writes an empty shard in place of one that ends every worker it is given to, and names its prompts."""
        assert self.cluster is not None
        name = work.stage.name
        ((_, shard),) = cluster.run_calls(self.cluster, work.empty, [index])
        if isinstance(shard, cluster.Lost):
            raise CodeprefError(
                f"{name}: workers die whatever they are given to do; look at the nodes and their memory"
            )
        detail = f"its shard ended {times} workers"
        work.stage.write(
            index,
            replace(
                shard,
                excluded=tuple(Exclusion(name, item, "prompt", QUARANTINED, detail=detail) for item in work.ids(index)),
            ),
        )
        listed = ", ".join(work.ids(index))
        again = f"to try again, delete {work.stage.path} and what was made of it"
        tqdm.write(f"{name}: shard {index} ended {times} workers and is left out: {listed}; {again}", file=sys.stderr)

    def _pooled(self, work: "_Work", todo: list[int]) -> Iterator[int]:
        pool = self._workers.pool(self.workers)
        pending: set[Future[int]] = set()
        queue = iter(todo)
        try:
            while True:
                for index in queue:
                    pending.add(pool.submit(work.run, index))
                    if len(pending) >= 2 * self.workers:
                        break
                if not pending:
                    return
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
        except BrokenProcessPool:
            remedy = "finished shards are kept; run the same command with fewer --workers"
            raise CodeprefError(f"{work.stage.name}: a worker process was killed (out of memory?); {remedy}") from None
        finally:
            if pending:
                self._workers.stop(busy=True)

    def close(self) -> None:
        """Ends the processes of the pool, which else end with this one."""
        self._workers.stop()

    def _progress(self, name: str, total: int, initial: int = 0) -> "tqdm[Any]":
        return progress(name, total, "prompt", initial, self.quiet)

    def _finish(self, stage: Stage, rows_in: int) -> Stage:
        head = {"stage": stage.name, "key": stage.key, "depends": stage.depends, "rows_in": rows_in}
        stage.finish({**head, **counted(stage)})
        return self._report(stage)

    def _report(self, stage: Stage, reused: bool = False) -> Stage:
        if not self.quiet:
            print(stage_line(stage.summary()) + ("  (kept from before)" if reused else ""), file=sys.stderr)
        return stage


def runner_in(
    out: str | Path,
    workers: int = 1,
    quiet: bool = False,
    cluster: Cluster | None = None,
    url: str | None = None,
) -> Runner:
    """The runner of a build in a folder, its stages there or at a URL."""
    root = Path(out) if cluster is None else Path(out).absolute()  # on a node, a relative path is another one
    return Runner(store(root, url), workers, quiet, cluster)


@contextmanager
def locked_runner(
    out: str | Path,
    workers: int = 1,
    quiet: bool = False,
    cluster: Cluster | None = None,
    url: str | None = None,
) -> Iterator[Runner]:
    """The runner of a build in a folder, which is locked against a second build for as long.

    Args:
        out: The run's folder.
        workers: Processes; the result does not depend on their number.
        quiet: No progress and no summaries.
        cluster: Ray, to run on instead of processes of this machine.
        url: Where the stages go, if not into the run's folder (`codepref.store`).

    Raises:
        CodeprefError: another build is at work there, or nothing can be written there.
    """
    runner = runner_in(out, workers, quiet, cluster, url)
    with runner.store.lock(), closing(runner):
        yield runner


def progress(name: str, total: int, unit: str, initial: int = 0, quiet: bool = False) -> "tqdm[Any]":
    """A bar with rate and time left. A log file gets a line every half minute instead of a moving bar."""
    pause = 0.1 if sys.stderr.isatty() else 30.0
    return tqdm(
        total=total,
        initial=initial,
        desc=name,
        unit=unit,
        mininterval=pause,
        miniters=0,  # tokens are shown also while no sample ends
        delay=0 if sys.stderr.isatty() else pause,
        disable=quiet,
        leave=False,
    )


def counted(stage: Stage) -> dict[str, Any]:
    """What the shards of a stage hold that are there: `shards`, `rows_out`, and `excluded` by kind and rule.

    Where a stage takes programs from answers, also `found`: how many by which rule.
    """
    shards = stage.finished()
    rules = Counter((item.kind, item.rule) for item in stage.excluded())
    found = Counter(rule for index in shards for rule in stage.rules(index))
    return {
        **({"found": dict(sorted(found.items()))} if found else {}),
        "shards": len(shards),
        "rows_out": sum(map(stage.rows, shards)),
        "excluded": [{"kind": kind, "rule": rule, "count": n} for (kind, rule), n in sorted(rules.items())],
    }


def stage_line(summary: dict[str, Any]) -> str:
    """One line on a finished stage: rows in, rows out, what was dropped by which rule."""
    dropped = ", ".join(
        f"{item['count']} {item['kind']}{'s' if item['count'] != 1 else ''} {item['rule']}"
        for item in summary["excluded"]
    )
    line = f"{summary['stage']:<11} {summary['rows_in']} in, {summary['rows_out']} out"
    return f"{line}; dropped: {dropped}" if dropped else line


@dataclass(frozen=True)
class _Work:
    """What is done to each shard; goes to the workers as it is."""

    stage: Stage
    function: ShardFunction
    config: Any
    inputs: tuple[Stage, ...]
    left_out: frozenset[str]
    """Prompts that an earlier stage has quarantined: gone from one input, so to be taken out of all."""

    def run(self, index: int) -> int:
        """Makes and writes one shard."""
        self.stage.write(index, self.function(self.config, *self._tables(index)))
        return index

    def elsewhere(self, index: int) -> int:
        """The same on another node, if that sees the store."""
        cluster.seen(self.inputs[0].path)
        return self.run(index)

    def empty(self, index: int) -> Shard:
        """The shard that the function makes of no rows."""
        return self.function(self.config, *(table.slice(0, 0) for table in self._tables(index)))

    def ids(self, index: int) -> list[str]:
        """Ids of the prompts that go into one shard."""
        table = self._tables(index)[0]
        column = "prompt_id" if "prompt_id" in table.column_names else 0
        return list(dict.fromkeys(table.column(column).to_pylist()))

    def _tables(self, index: int) -> list[pa.Table]:
        tables = [stage.read(index) for stage in self.inputs]
        if not self.left_out:
            return tables
        gone = pa.array(sorted(self.left_out))
        return [
            table.filter(pc.invert(pc.is_in(table["prompt_id"], gone))) if "prompt_id" in table.column_names else table
            for table in tables
        ]


def _in_process(work: _Work, todo: list[int]) -> Iterator[int]:
    return map(work.run, todo)


def _quarantined(stages: Sequence[Stage]) -> frozenset[str]:
    """Prompts that one of these stages has given up."""
    some = (stage for stage in stages if any(item["rule"] == QUARANTINED for item in stage.summary()["excluded"]))
    return frozenset(item.prompt_id for stage in some for item in stage.excluded() if item.rule == QUARANTINED)


def _start_worker() -> None:
    """Pool workers leave Ctrl-C to the parent, and end when the parent is gone, however it went."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave_with(sentinel: int) -> None:
        multiprocessing.connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=leave_with, args=(parent.sentinel,), daemon=True).start()
