"""Maps a pure shard -> shard function over a stage: in this process or on a process pool."""

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
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from tqdm import tqdm

from codepref.errors import CodeprefError
from codepref.store import Shard, Stage, Store

ShardFunction = Callable[..., Shard]
"""`function(config, *tables) -> Shard`: pure, importable by name, one table per input stage."""


@dataclass(frozen=True)
class Runner:
    """Where and how stages run."""

    store: Store
    workers: int = 1
    quiet: bool = False

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
            CodeprefError: a worker process was killed. Finished shards stay, as they do on any other exception.
        """
        stage = self.store.stage(name, config, inputs)
        if stage.done:
            return self._report(stage, reused=True)
        total, shards = (inputs[0].summary()[key] for key in ("rows_out", "shards"))
        kept = stage.finished()
        todo = sorted(set(range(shards)).difference(kept))
        with self._progress(name, total, sum(map(inputs[0].rows, kept))) as bar:
            pooled = self.workers > 1 and len(todo) > 1 and not here
            work = self._pooled if pooled else self._in_process
            for index in work(stage, function, config, inputs, todo):
                bar.update(inputs[0].rows(index))
        return self._finish(stage, total)

    def _in_process(
        self, stage: Stage, function: ShardFunction, config: Any, inputs: Sequence[Stage], todo: list[int]
    ) -> Iterator[int]:
        for index in todo:
            yield _run_shard(stage, function, config, inputs, index)

    def _pooled(
        self, stage: Stage, function: ShardFunction, config: Any, inputs: Sequence[Stage], todo: list[int]
    ) -> Iterator[int]:
        pool = ProcessPoolExecutor(
            max_workers=min(self.workers, len(todo)),
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
        )
        pending: set[Future[int]] = set()
        queue = iter(todo)
        try:
            while True:
                for index in queue:
                    pending.add(pool.submit(_run_shard, stage, function, config, inputs, index))
                    if len(pending) >= 2 * self.workers:
                        break
                if not pending:
                    return
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
        except BrokenProcessPool:
            remedy = "finished shards are kept; run the same command with fewer --workers"
            raise CodeprefError(f"{stage.name}: a worker process was killed (out of memory?); {remedy}") from None
        finally:
            in_flight = (
                list((pool._processes or {}).values()) if pending else []
            )  # the pool offers no public way to stop them
            pool.shutdown(wait=not pending, cancel_futures=True)
            for process in in_flight:
                process.terminate()

    def _progress(self, name: str, total: int, initial: int = 0) -> "tqdm[Any]":
        return progress(name, total, "prompt", initial, self.quiet)

    def _finish(self, stage: Stage, rows_in: int) -> Stage:
        head = {"stage": stage.name, "key": stage.key, "depends": stage.depends, "rows_in": rows_in}
        stage.finish({**head, **counted(stage)})
        return self._report(stage)

    def _report(self, stage: Stage, reused: bool = False) -> Stage:
        if not self.quiet:
            print(describe(stage.summary()) + ("  (kept from before)" if reused else ""), file=sys.stderr)
        return stage


def progress(name: str, total: int, unit: str, initial: int = 0, quiet: bool = False) -> "tqdm[Any]":
    """A bar with rate and time left. A log file gets a line every half minute instead of a moving bar."""
    pause = 0.1 if sys.stderr.isatty() else 30.0
    return tqdm(
        total=total,
        initial=initial,
        desc=name,
        unit=unit,
        mininterval=pause,
        delay=0 if sys.stderr.isatty() else pause,
        disable=quiet,
        leave=False,
    )


def counted(stage: Stage) -> dict[str, Any]:
    """What the shards of a stage hold that are there: `shards`, `rows_out`, and `excluded` by kind and rule."""
    shards = stage.finished()
    rules = Counter((item.kind, item.rule) for item in stage.excluded())
    return {
        "shards": len(shards),
        "rows_out": sum(map(stage.rows, shards)),
        "excluded": [{"kind": kind, "rule": rule, "count": n} for (kind, rule), n in sorted(rules.items())],
    }


def describe(summary: dict[str, Any]) -> str:
    """One line on a finished stage: rows in, rows out, what was dropped by which rule."""
    dropped = ", ".join(
        f"{item['count']} {item['kind']}{'s' if item['count'] != 1 else ''} {item['rule']}"
        for item in summary["excluded"]
    )
    line = f"{summary['stage']:<11} {summary['rows_in']} in, {summary['rows_out']} out"
    return f"{line}; dropped: {dropped}" if dropped else line


def _run_shard(stage: Stage, function: ShardFunction, config: Any, inputs: Sequence[Stage], index: int) -> int:
    tables: list[pa.Table] = [source.read(index) for source in inputs]
    stage.write(index, function(config, *tables))
    return index


def _start_worker() -> None:
    """Pool workers leave Ctrl-C to the parent, and end when the parent is gone, however it went."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def leave_with(sentinel: int) -> None:
        multiprocessing.connection.wait([sentinel])
        os._exit(1)

    threading.Thread(target=leave_with, args=(parent.sentinel,), daemon=True).start()
