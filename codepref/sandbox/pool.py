"""Several sandboxes at once: `execute` gives jobs to worker processes and yields their matrices in input order.

Each member of the pool is a fresh single-threaded process with a `Sandbox` of its own, spoken to over two pipes; so the
caller may have threads, and nothing is ever forked from it. A member ends when its request pipe closes, that is at the
latest with the caller, and its sandbox with it.
"""

import contextlib
import os
import pickle
import select
import struct
import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from codepref.sandbox import interpreter, process
from codepref.sandbox.base import Job, Limits, Matrix, SandboxUnavailable
from codepref.sandbox.supervisor import Sandbox, matrix

BATCH_CELLS = 4096
"""Cells of the jobs that one member is given at once: enough to share processes, few enough for a steady progress."""
AHEAD = 2
"""Batches per member that may be finished or running beyond the next one to yield."""
_SCRIPT = "import sys; sys.path[:] = {path!r}; from codepref.sandbox.pool import serve; serve({requests}, {answers})"


def execute(
    jobs: Iterable[Job],
    limits: Limits = Limits(),  # noqa: B008 - frozen
    *,
    workers: int = 1,
    batch_cells: int = BATCH_CELLS,
    **options: Any,
) -> Iterator[Matrix]:
    """Matrices of `jobs` in input order, from `workers` sandboxes; `options` are those of `Sandbox`.

    A sandbox is given jobs of `batch_cells` cells at once: fewer where cells are slow and progress should be seen.

    Jobs are taken from the iterable as they are needed (back-pressure). Closing the iterator ends every process.
    Raises `SandboxUnavailable` as `Sandbox` does.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}")
    batches = _batches(jobs, batch_cells)
    if workers == 1:
        with Sandbox(limits, **options) as sandbox:
            for batch in batches:
                yield from sandbox.run_many(batch)
        return
    with contextlib.ExitStack() as stack:
        interpreter.interpreter(options.get("python") or sys.executable)  # asked once, for all members
        members = [stack.enter_context(contextlib.closing(_Member(limits, options))) for _ in range(workers)]
        yield from _in_order(members, batches)


def _batches(jobs: Iterable[Job], batch_cells: int) -> Iterator[list[Job]]:
    batch: list[Job] = []
    cells = 0
    for job in jobs:
        batch.append(job)
        cells += max(1, len(job.codes) * len(job.tests))
        if cells >= batch_cells:
            yield batch
            batch, cells = [], 0
    if batch:
        yield batch


class _Member:
    """One process of the pool, seen from the caller. It has at most one batch, so neither side ever waits to write."""

    def __init__(self, limits: Limits, options: dict[str, Any]) -> None:
        requests, self._requests = os.pipe()
        self.answers, answers = os.pipe()
        script = _SCRIPT.format(path=sys.path, requests=requests, answers=answers)
        self._process = subprocess.Popen(
            [sys.executable, "-c", script], pass_fds=(requests, answers), stdin=subprocess.DEVNULL
        )
        os.close(requests)
        os.close(answers)
        self.batch: int | None = None
        _write(self._requests, pickle.dumps((limits, options, interpreter.known)))

    def give(self, number: int, batch: list[Job]) -> None:
        """Starts a batch."""
        self.batch = number
        _write(self._requests, pickle.dumps(batch))

    def take(self) -> tuple[int, bytes]:
        """Number and packed matrices of the finished batch."""
        number, self.batch = self.batch, None
        try:
            return number or 0, _read(self.answers)
        except EOFError:
            raise SandboxUnavailable("a process of the pool ended unexpectedly; see its message on stderr") from None

    def close(self) -> None:
        """Ends the process and waits for it."""
        os.close(self._requests)
        os.close(self.answers)
        self._process.wait()


def _in_order(members: list[_Member], batches: Iterator[list[Job]]) -> Iterator[Matrix]:
    numbered = enumerate(batches)
    finished: dict[int, bytes] = {}
    next_out = 0
    while True:
        for member in members:
            if member.batch is None and len(finished) <= AHEAD * len(members):
                number, batch = next(numbered, (None, None))
                if number is not None and batch is not None:
                    member.give(number, batch)
        busy = [member for member in members if member.batch is not None]
        if not busy and not finished:
            return
        for member in _ready(busy):
            number, packed = member.take()
            finished[number] = packed
        while next_out in finished:
            yield from _unpack(finished.pop(next_out))
            next_out += 1


def _ready(members: list[_Member]) -> list[_Member]:
    poll = select.poll()
    by_fd = {member.answers: member for member in members}
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    return [by_fd[fd] for fd, _ in poll.poll()]


def _write(fd: int, data: bytes) -> None:
    view = memoryview(struct.pack("<Q", len(data)) + data)
    while view:
        view = view[os.write(fd, view[: 1 << 20]) :]


def _read(fd: int) -> bytes:
    return _exactly(fd, *struct.unpack("<Q", _exactly(fd, 8)))


def _exactly(fd: int, size: int) -> bytes:
    parts = []
    while size:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _unpack(data: bytes) -> list[Matrix]:
    """From a process of this pool, which is codepref itself, never a candidate."""
    packed = pickle.loads(data)  # noqa: S301
    if isinstance(packed, Exception):
        raise packed
    return [matrix(item) for item in packed]


def serve(requests: int, answers: int) -> None:
    """Body of a process of the pool: a sandbox that answers batches until its request pipe closes."""
    process.end_with(requests)
    try:
        limits, options, known = pickle.loads(_read(requests))  # noqa: S301
        interpreter.known.update(known)
        with Sandbox(limits, **options) as sandbox:
            while True:
                batch = pickle.loads(_read(requests))  # noqa: S301
                _write(answers, pickle.dumps(sandbox.run_packed(batch)))
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        return
    except (SandboxUnavailable, ValueError, TypeError) as error:
        _write(answers, pickle.dumps(error))
