"""Descriptors 0, 1 and 2 of a process of a candidate, and what goes through them: held and bounded at the other end."""

from __future__ import annotations

import os
import select
import time

from . import ENDED, OUTPUT_LIMIT

CHUNK = 1 << 16
KEPT_ERRORS = 4096
"""Last bytes of standard error that are kept."""
PATIENCE_S, STEP_MS = 0.01, 1
"""How long to go on while a process reads or writes, and how long to wait for its next move."""


class Streams:
    """Descriptors of the next process: newly opened, so no state of an open file outlives a candidate.

    What is written goes into pipes and is counted at their other ends, where the candidate can not lift the limit. Of a
    program that is given an input it is kept there, too: output and errors in pipes of their own.
    """

    def __init__(self, limit: int) -> None:
        self.limit, self.written = limit, 0
        self.ends: list[int] = []
        self.feed, self.left = -1, memoryview(b"")
        self.keeps = False
        self.output, self.errors = bytearray(), bytearray()

    def renew(self, given: bytes | None = None) -> None:
        """To be called before the fork. `given`: what a program reads; None for one that is called, not fed."""
        self.written, self.keeps = 0, given is not None
        self.output, self.errors = bytearray(), bytearray()
        if given is None:
            empty_input()
            self.ends = [new_pipe_to(1)]
            os.dup2(1, 2)
        else:
            read, self.feed = os.pipe()
            os.dup2(read, 0)
            os.close(read)
            os.set_blocking(self.feed, False)
            self.left = memoryview(given)
            self.pour()
            self.ends = [new_pipe_to(1), new_pipe_to(2)]

    def close(self) -> None:
        """Of the ends in this process; in a process of a candidate none is left."""
        for end in (*self.ends, *([self.feed] if self.feed >= 0 else [])):
            os.close(end)
        self.ends, self.feed, self.left = [], -1, memoryview(b"")

    def check(self) -> int:
        """Moves what can be moved; `OUTPUT_LIMIT` if more was written than is allowed."""
        end = time.monotonic() + PATIENCE_S
        poll = select.poll()
        for pipe in self.ends:
            poll.register(pipe, select.POLLIN)
        while self.move() and self.written <= self.limit and time.monotonic() < end:
            poll.poll(STEP_MS)
        return OUTPUT_LIMIT if self.written > self.limit else ENDED

    def move(self) -> bool:
        """Reads what was written and writes what is still to be read; true if there was any of both."""
        moved = self.pour()
        for place, end in enumerate(self.ends):
            while self.written <= self.limit:
                try:
                    data = os.read(end, CHUNK)
                except BlockingIOError:
                    break
                if not data:
                    break
                moved = True
                self.written += len(data)
                if self.keeps:
                    self.keep(place, data)
        return moved

    def keep(self, place: int, data: bytes) -> None:
        """All of the output within the limit, and the last of the errors."""
        if place == 0:
            self.output += data[: max(0, self.limit - len(self.output))]
        else:
            self.errors += data
            del self.errors[:-KEPT_ERRORS]

    def pour(self) -> bool:
        """Writes as much of the input as the pipe takes; true if it took any."""
        before = len(self.left)
        try:
            while self.left:
                self.left = self.left[os.write(self.feed, self.left[:CHUNK]) :]
        except BlockingIOError:
            return len(self.left) < before
        if self.feed >= 0:
            os.close(self.feed)
            self.feed = -1
        return before > 0

    def finish(self) -> int:
        """After the end of the process, and of all that it started."""
        while self.move() and self.written <= self.limit:
            pass
        self.close()
        return OUTPUT_LIMIT if self.written > self.limit else ENDED


def new_pipe_to(number: int) -> int:
    """Makes a descriptor the write end of a new pipe; the other end, which never blocks."""
    end, write = os.pipe()
    os.set_blocking(end, False)
    os.dup2(write, number)
    os.close(write)
    return end


def empty_input() -> None:
    """Standard input is /dev/null, opened anew."""
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


def no_output() -> None:
    """Standard output and error are /dev/null, opened anew."""
    null = os.open("/dev/null", os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.close(null)
