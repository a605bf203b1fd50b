"""What a worker's processes write for the supervisor: records in shared pages, and where printed text goes."""

from __future__ import annotations

import mmap
import os
import time
from typing import Any, Iterable  # noqa: UP035 - Python 3.8

from . import CELL, ENDING, HEAD, OUT_OF_ROOM, RECORD, TOO_LARGE

SPARE = 1 << 16
"""What the pages of a child hold beyond those of one process of a candidate, so that its record always fits."""
PAGE = mmap.PAGESIZE
KEPT = 8192
"""Bytes of printed text that are kept back before they are written."""


class Report:
    """Writes records to shared pages, readable for the parent the moment they are complete.

    There are two sets of pages: `outer`, which a child of the server writes, and `inner`, for a process of a candidate,
    which can not reach the outer ones.
    """

    def __init__(self, size: int, output_bytes: int) -> None:
        self.outer, self.inner = mmap.mmap(-1, size + SPARE), mmap.mmap(-1, size)
        self.output_bytes = output_bytes
        self.use(self.outer)

    def use(self, pages: mmap.mmap) -> None:
        """Writes to these pages, from their beginning."""
        self.pages, self.limit = pages, len(pages) - PAGE
        self.offset, self.where, self.room, self.clock = HEAD.size, (0, 0), self.output_bytes, 0.0
        HEAD.pack_into(pages, 0, HEAD.size)

    def go_inside(self) -> None:
        """In a process of a candidate: only the inner pages are left."""
        self.outer.close()
        self.use(self.inner)

    def put(self, program: int, test: int, slot: int, status: int, data: bytes = b"") -> None:
        """Appends one record. The child ends when the pages are full; the supervisor asks again for the rest."""
        now = time.process_time()
        start, size = self.offset, len(data)
        if start + RECORD.size + size > self.limit:
            os._exit(OUT_OF_ROOM if self.pages is self.inner else 0)
        RECORD.pack_into(self.pages, start, program, test, slot, status, size, now - self.clock)
        start += RECORD.size
        if size:
            self.pages[start : start + size] = data
        self.offset = start + size
        self.clock = now
        HEAD.pack_into(self.pages, 0, self.offset)

    def seal(self, program: int, test: int, status: int, why: int, cpu_s: tuple[float, float]) -> None:
        """Appends how a process of a candidate ended, and what it wrote; then empties its pages for the next one."""
        written = self.inner[HEAD.size : used(self.inner)]
        self.put(program, test, 0, CELL, ENDING.pack(status, why, *cpu_s) + written)
        empty(self.inner)


def used(pages: mmap.mmap) -> int:
    """Bytes written, head included; a candidate may have scribbled anything there."""
    return min(max(int(HEAD.unpack_from(pages)[0]), HEAD.size), len(pages) - PAGE)


def empty(pages: mmap.mmap) -> None:
    """Nothing that was written anywhere in these pages is left for the next process to read."""
    if hasattr(mmap, "MADV_REMOVE"):
        pages.madvise(mmap.MADV_REMOVE)
    else:
        pages[:] = bytes(len(pages))


class Sink:
    """Standard output and error of a candidate: counted, then dropped; ends the child at the output limit.

    In a process of its own what is written goes on to the descriptor, whose other end counts once more.
    """

    encoding, errors, newlines, closed, mode, name = "utf-8", "strict", None, False, "w", "<stdout>"

    def __init__(self, report: Report) -> None:
        self._report = report
        self._kept: bytearray | None = None

    def go_inside(self) -> None:
        """Text reaches the descriptor from now on, a few thousand bytes at a time."""
        self._kept = bytearray()

    @property
    def buffer(self) -> Sink:
        """The binary layer, which counts the same way."""
        return self

    def write(self, text: Any) -> int:
        """Accepts anything with a length."""
        report, size = self._report, len(text)
        report.room -= size
        if report.room < 0:
            report.put(*report.where, 0, TOO_LARGE)
            os._exit(0)
        if self._kept is not None and type(text) in (str, bytes, bytearray):
            self._kept += text.encode("utf-8", "replace") if type(text) is str else text
            if len(self._kept) > KEPT:
                self.send()
        return size

    def send(self) -> None:
        """Writes what was kept to the descriptor."""
        view, self._kept = memoryview(self._kept or b""), bytearray()
        while view:
            view = view[os.write(1, view) :]

    def writelines(self, lines: Iterable[Any]) -> None:
        """As of a text file."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Nothing to flush."""

    def isatty(self) -> bool:
        """Never a terminal."""
        return False

    def writable(self) -> bool:
        """Always."""
        return True

    readable = seekable = isatty

    def fileno(self) -> int:
        """Descriptor 1."""
        return 1
