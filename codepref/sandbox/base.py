"""Words shared by every sandbox: what is asked (`Job`, `Limits`), what is answered (`Matrix` of `Cell`s).

The closed set of verdicts, one per (code, test) cell:

========  ==========================================================================================
passed    the test holds
failed    the test does not hold: wrong value, an exception, or code that does not compile
timeout   over the CPU limit, or over the much larger wall limit while sleeping or blocked
memory    over the memory limit
output    wrote more than the output limit, or returned a value too large to compare
crashed   the candidate's process died (signal, `os._exit`) before the test was finished
unjudged  infrastructure trouble: nothing is known about the candidate; never a label, never a score
========  ==========================================================================================
"""

from dataclasses import dataclass, field
from typing import Literal, get_args

from codepref.errors import CodeprefError

Verdict = Literal["passed", "failed", "timeout", "memory", "output", "crashed", "unjudged"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

Mode = Literal["plain", "official"]
"""How a cell was judged. `plain`: the candidate's process returned plain data and the supervisor compared it, so the
verdict can not be forged. `official`: the test ran beside the candidate in one process."""

Profile = Literal["function", "library"]
"""`function`: no files and no child processes, few threads. `library`: allows them in a private, wiped folder."""


class SandboxUnavailable(CodeprefError):
    """The sandbox could not start (no worker, no isolation layer). The message says what to do about it."""


@dataclass(frozen=True)
class Limits:
    """Limits of one cell. Time is CPU time, so that verdicts do not depend on the load of the machine."""

    cpu_s: float = 1.0
    """CPU seconds for one test."""
    screen_s: float | None = 0.01
    """Shorter CPU limit, as endless loops decide the total time: of a test in a shared process, which is never final,
    and of the further tests of a code that has used up the full `cpu_s`, alone, on one. There it is final for easy
    tests only: at least three other codes passed the test, and neither they nor this code on any other test needed a
    tenth of it. None: every cell gets the full `cpu_s` at once."""
    load_s: float = 5.0
    """CPU seconds for executing the candidate's module body when it imports something that is not preloaded."""
    wall_s: float = 15.0
    """Wall-clock backstop in seconds, for code that sleeps or blocks; generous on purpose."""
    memory_mb: int = 1024
    """Address space of the candidate's process in MiB."""
    output_bytes: int = 1 << 20
    """Bytes written to stdout and stderr, and bytes of a returned value, before the verdict is `output`."""
    profile: Profile = "function"
    """What a candidate may do: see `Profile`."""


@dataclass(frozen=True)
class Job:
    """All codes of one prompt and all tests to run them on."""

    job_id: str
    codes: tuple[str, ...]
    """Whole programs."""
    tests: tuple[str, ...]
    """One independently judged test each, usually a single `assert`."""
    entry_point: str | None = None
    """Name of the function under test, where there is one."""


@dataclass(frozen=True)
class Cell:
    """What happened when one code met one test."""

    verdict: Verdict
    mode: Mode = "plain"
    cpu_s: float = 0.0
    """CPU seconds this cell cost, inclusive of executing the module body."""
    fingerprint: str = ""
    """Hash of the value the candidate computed for this test; equal values have equal fingerprints. A raised
    exception has the fingerprint of its type. Empty when nothing came back."""
    error: str = ""
    """One line, for people: exception type and message, signal name, or why the cell is unjudged."""


@dataclass(frozen=True)
class Matrix:
    """Answer to a `Job`: `cells[i][j]` is code `i` on test `j`."""

    job_id: str
    cells: tuple[tuple[Cell, ...], ...]
    layers: tuple[str, ...] = field(default=())
    """Isolation layers that were active, e.g. `("user-namespace", "seccomp", "rlimits")`."""
    blind: tuple[int, ...] = ()
    """Places of tests that check nothing that the code returns; their cells are `unjudged`."""
