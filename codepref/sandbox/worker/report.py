"""What a worker's processes write for the supervisor: records in shared pages, and where printed text goes."""

from __future__ import annotations

import mmap
import os
import time
from typing import Any, Iterable  # noqa: UP035 - Python 3.8

from . import HEAD, RECORD, TOO_LARGE


class Report:
    """Writes records to the shared pages, readable for the parent the moment they are complete."""

    def __init__(self, size: int, output_bytes: int) -> None:
        self.pages = mmap.mmap(-1, size)
        self.limit = size - 4096
        self.output_bytes = output_bytes
        self.clear()

    def clear(self) -> None:
        """Forgets every record."""
        self.offset, self.where, self.room, self.clock = HEAD.size, (0, 0), self.output_bytes, 0.0
        HEAD.pack_into(self.pages, 0, HEAD.size)

    def used(self) -> int:
        """Bytes written; the child may have scribbled anything here."""
        return min(max(int(HEAD.unpack_from(self.pages)[0]), HEAD.size), self.limit)

    def resume(self) -> None:
        """Goes on after the records that a child wrote."""
        self.offset = self.used()

    def put(self, program: int, test: int, slot: int, status: int, data: bytes = b"") -> None:
        """Appends one record. The child ends when the pages are full; the supervisor asks again for the rest."""
        now = time.process_time()
        start, size = self.offset, len(data)
        if start + RECORD.size + size > self.limit:
            os._exit(0)
        RECORD.pack_into(self.pages, start, program, test, slot, status, size, now - self.clock)
        start += RECORD.size
        if size:
            self.pages[start : start + size] = data
        self.offset = start + size
        self.clock = now
        HEAD.pack_into(self.pages, 0, self.offset)


class Sink:
    """Standard output and error of a candidate: counted, then dropped; ends the child at the output limit."""

    encoding, errors, newlines, closed, mode, name = "utf-8", "strict", None, False, "w", "<stdout>"

    def __init__(self, report: Report) -> None:
        self._report = report

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
        return size

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
        """Descriptor 1 is /dev/null."""
        return 1
