"""Reads the programs in hostile/: what each one tries, the tests it meets and the verdicts that are allowed.

A program starts with a header of comment lines (the header itself is never sent to the sandbox):

    # attack: what it tries                      or   # honest: what looks odd about it
    # test: assert f(1) == 2                     one line per test; `# | ` continues a test on a new line
    # expect: failed or crashed                  verdicts allowed for every test, in both profiles
    # expect 2: failed                           ... for test 2 alone
    # expect in library: passed                  ... in one profile; also `expect 2 in library:`
    # expect: failed ; passed                    one set per candidate, where the file holds several candidates

Candidates of one file are separated by a line `# --- next candidate`; they form one job, in that order. The word
`passed in official mode` allows a pass only where the cell says that it was judged in that weaker mode.
Words such as @SECRET@ are replaced by particulars of the running test (see hostile_runner.py).
"""

import re
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("hostile")
SEPARATOR = re.compile(r"^# --- next candidate\n", re.M)
EXPECT = re.compile(r"expect(?: (\d+))?(?: in (function|library))?$")


@dataclass(frozen=True)
class Program:
    """One file of hostile/."""

    name: str
    purpose: str
    codes: tuple[str, ...]
    tests: tuple[str, ...]
    expect: dict[tuple[int, str], tuple[frozenset[str], ...]]
    """(test number from 1 or 0 for all, profile or "") -> allowed words per candidate, or one set for all."""

    def allowed(self, code: int, test: int, profile: str) -> frozenset[str]:
        """Verdict words allowed for candidate `code` on test `test` (both from 0); the most special line wins."""
        for key in ((test + 1, profile), (test + 1, ""), (0, profile), (0, "")):
            if key in self.expect:
                sets = self.expect[key]
                return sets[code] if len(sets) > 1 else sets[0]
        raise ValueError(f"{self.name}: no verdict stated for test {test + 1}")


def parse(path: Path) -> Program:
    """Read one program; raises ValueError with file and line for a header that can not be understood."""
    purpose, tests, expect = "", [], {}
    lines = path.read_text(encoding="utf-8").split("\n")
    body = next(number for number, line in enumerate(lines) if not line.startswith("# ") or "---" in line)
    for number, line in enumerate(lines[:body], 1):
        key, _, value = line[2:].partition(": ")
        if line.startswith("# | "):
            tests[-1] += "\n" + line[4:]
        elif key in ("attack", "honest"):
            purpose = f"{key}: {value}"
        elif key == "test":
            tests.append(value)
        elif match := EXPECT.match(key):
            expect[int(match[1] or 0), match[2] or ""] = tuple(
                frozenset(word.strip() for word in part.split(" or ")) for part in value.split(";")
            )
        elif tests or not purpose:
            raise ValueError(f"{path}:{number}: not a header line: {line!r}")
    codes = tuple(SEPARATOR.split("\n".join(lines[body:])))
    return Program(path.stem, purpose, codes, tuple(tests), expect)


def programs() -> list[Program]:
    """All programs, by name."""
    return [parse(path) for path in sorted(FOLDER.glob("*.py"))]


def fill(text: str, particulars: dict[str, str]) -> str:
    """Replace @WORDS@ by the particulars of this run."""
    return re.sub(r"@([A-Z_]+)@", lambda match: particulars.get(match[1], match[0]), text)
