"""LiveCodeBench (Jain et al. 2024, arXiv:2403.07974), code generation: tasks of programming contests, with their dates.

A program reads standard input, or is a method of `class Solution` (LeetCode), called with JSON arguments. The data set
has no solutions. Private tests are a packed pickle, whose text is read and which is never run; they stay in their file
until their task is graded: unpacked, a release has more than most machines have memory.

Texts that a model is shown are in livecodebench.json. docs/livecodebench.md says what is as upstream has it, and what
is not.
"""

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from codepref import benchmarks, contests
from codepref.errors import CodeprefError
from codepref.extract import parse, spoken
from codepref.files import BYTE_ORDER_MARK, LineError, checked_text, json_object
from codepref.sandbox import Limits
from codepref.stdin import StdinTest
from evaluation.benchmark import Asked, Benchmark, Graded, Problem, Settings, Work, hub_files
from evaluation.grade.slices import grade_in_slices

TEXTS = json.loads(Path(__file__).with_name("livecodebench.json").read_text(encoding="utf-8"))
MAX_TOKENS = 2000
CPU_S, WALL_S = 6.0, 30.0
DIFFICULTIES = ("easy", "medium", "hard")
_SEVERAL, _ASKS, _WRONG = "several right outputs", "interactive", "wrong tests"
ERRATA = {
    **dict.fromkeys(("abc311_c", "abc326_d", "abc327_b", "abc333_e", "abc343_a", "abc343_e", "abc362_c"), _SEVERAL),
    **dict.fromkeys(("arc185_c", "find-words-containing-character", "find-the-peaks"), _SEVERAL),
    "generate-binary-strings-without-adjacent-zeros": _SEVERAL,
    **dict.fromkeys(("abc337_e", "abc355_e"), _ASKS),
    **dict.fromkeys(("abc350_c", "arc189_a", "apply-operations-to-make-string-empty", "most-frequent-ids"), _WRONG),
}
"""Upstream's ERRATA.md (28fef95): ids of questions, or their titles with hyphens, and what is wrong."""
_OPENED = (
    "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics", "itertools",
    "functools", "operator", "io", "sys", "json", "builtins", "typing",
)  # fmt: skip
"""Modules whose names every program is given, in this order: later ones win."""
_NAMED = tuple(name for name in _OPENED if name not in ("builtins", "typing"))
PRELUDE = "; ".join(
    [*(f"from {name} import *" for name in _OPENED), f"import {', '.join(_NAMED)}",
     "sys.setrecursionlimit(50000)", "sys.set_int_max_str_digits(50000)"]
)  # fmt: skip
"""One line that stands before every program: what upstream imports for it."""
ENTRY_POINT = "codepref_answer"
CALL = """

def {entry}(*arguments):
    import builtins
    value = {called}(*arguments)
    return builtins.list(value) if builtins.isinstance(value, builtins.tuple) else value
"""
"""Behind the program of a task by calls: a tuple counts as the list, at the top only. A program may call a variable
`list` or `tuple`."""
_KEYS = (
    "question_title", "question_content", "platform", "question_id", "contest_date", "starter_code", "difficulty",
    "public_test_cases", "private_test_cases", "metadata",
)  # fmt: skip


@dataclass(frozen=True)
class StoredTests:
    """The tests of a row, in their file."""

    digest: str
    """Of what they are made of; of a problem's hash this is the part that its tests have."""
    path: Path = field(repr=False)
    line: int = field(repr=False)
    """Number of the line, from 1."""
    start: int = field(repr=False)
    """Byte of the file that the line begins at."""

    def row(self) -> dict[str, Any]:
        """The whole row; raises `CodeprefError` where the file can not be read any more, or is another one."""
        try:
            with self.path.open("rb") as stream:
                stream.seek(self.start)
                found = _row(self.path, self.line, stream.readline())
        except OSError as error:
            raise CodeprefError(f"{self.path}: {error.strerror}; it is needed until the end of the run") from None
        if tests_digest(found) != self.digest:
            raise CodeprefError(f"{self.path}:{self.line}: the file has changed; start the run again")
        return found


def load(name: str, path: Path | None) -> list[Problem]:
    """The tasks of a release, by their ids: from the Hub, a folder with its files, or one such file.

    Raises:
        CodeprefError: a file can not be read, or a row lacks something; file, line and remedy are named.
    """
    by_id: dict[str, Problem] = {}
    for file in _files(name, path):
        for problem in _problems(file):
            stored: StoredTests = problem.row["tests"]
            before = by_id.setdefault(problem.task_id, problem)
            if before is not problem:
                first, place = before.row["tests"], f"{stored.path}:{stored.line}"
                raise CodeprefError(
                    f"{place}: task {problem.task_id!r} stands in {first.path}:{first.line} too; keep one of the rows"
                )
    if not by_id:
        raise CodeprefError(f"{path or name}: no tasks; give a .jsonl file of the Hub")
    return [by_id[task_id] for task_id in sorted(by_id)]


def _files(name: str, path: Path | None) -> list[Path]:
    variant = benchmarks.variant_of(name)
    assert variant is not None and variant.data is not None
    if path is None:
        return hub_files(variant.data)
    if path.is_dir():
        missing = [file for file in variant.data.files if not (path / file).is_file()]
        if missing:
            raise CodeprefError(f"{path}: no {missing[0]}, which is a part of {name}; copy it there")
        return [path / file for file in variant.data.files]
    if path.suffix != ".jsonl":
        raise CodeprefError(f"{path}: give a .jsonl file of the Hub as it is, not packed, or a folder with such files")
    return [path]


def _problems(path: Path) -> Iterator[Problem]:
    start = 0
    try:
        with path.open("rb") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    yield _problem(path, number, start, line)
                start += len(line)
    except OSError as error:
        raise CodeprefError(f"{path}: {error.strerror}; give a .jsonl file of the Hub") from None


def _row(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        row = json_object(line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line)
        missing = [key for key in _KEYS if key not in row]
        if missing:
            raise LineError(f"no {missing[0]!r}", "give a file of livecodebench/code_generation_lite")
        for key in _KEYS:
            checked_text(row[key], key)
        if not row["private_test_cases"].strip():
            raise LineError("private_test_cases is empty", "take the file of the original; no tests are '[]'")
        return row
    except LineError as error:
        raise CodeprefError(f"{path}:{number}: {error.problem}; {error.remedy}") from None


def _problem(path: Path, number: int, start: int, line: bytes) -> Problem:
    row = _row(path, number, line)
    try:
        day = datetime.fromisoformat(row["contest_date"]).date().isoformat()
        facts = json.loads(row["metadata"] or "{}")
        called = facts.get("func_name") or ""
        if called and not called.isidentifier():
            raise ValueError
    except (ValueError, AttributeError, RecursionError):
        place = f"{path}:{number}"
        raise CodeprefError(
            f"{place}: contest_date is no date, or metadata no JSON object of a func_name; mend the row"
        ) from None
    title = "-".join(row["question_title"].lower().split())
    flaw = ERRATA.get(row["question_id"]) or ERRATA.get(title) or ""
    groups = (
        f"difficulty: {row['difficulty']}", f"platform: {row['platform']}", f"month: {day[:7]}",
        "errata: listed" if flaw else "errata: not listed",
    )  # fmt: skip
    stored = StoredTests(tests_digest(row), path, number, start)
    data = {"starter": row["starter_code"], "called": called, "tests": stored}
    return Problem(row["question_id"], row["question_content"], "", "", groups, data, day, flaw)


def tests_digest(row: Mapping[str, Any]) -> str:
    """Hash of all that the tests of a row are made of, packed as they are."""
    digest = hashlib.sha256()
    for key in ("public_test_cases", "private_test_cases", "metadata"):
        digest.update(f"{row[key]}\n".encode())
    return digest.hexdigest()[:16]


def tests_of(problem: Problem) -> list[str]:
    """The tests of a problem, public ones first, read from its file.

    Raises:
        CodeprefError: they can not be read; file and line are named.
    """
    stored: StoredTests = problem.row["tests"]
    row = stored.row()
    try:
        cases = [
            case for key in ("public_test_cases", "private_test_cases") for case in contests.lcb_cases(row[key], key)
        ]
        if not cases:
            raise LineError("no tests", "take the file of the original")
        return [_test(case, problem.row["called"]) for case in cases]
    except LineError as error:
        raise CodeprefError(f"{stored.path}:{stored.line}: {error.problem}; {error.remedy}") from None


def _test(case: Mapping[str, Any], called: str) -> str:
    given, printed = (checked_text(case.get(key), f"{key} of a test") for key in ("input", "output"))
    if not called:
        return StdinTest(given, (printed,), by_line=True).text
    try:
        arguments = [contests.literal(json.loads(line)) for line in given.split("\n") if line.strip()]
        wanted = contests.literal(json.loads(printed))
    except (ValueError, RecursionError):
        raise LineError("an argument or value of a test is no JSON", "take the file of the original") from None
    return f"assert {ENTRY_POINT}({', '.join(arguments)}) == {wanted}"


def program(problem: Problem, text: str) -> str:
    """The code in an answer, by the official rules: what stands between the last two fences, or else the whole text.

    Marked thoughts go first. Of a text that is Python already the fences are part, as in a comment.
    """
    code = (spoken(text) or "").strip()
    rows = code.split("\n")
    fences = [place for place, row in enumerate(rows) if "```" in row]
    if len(fences) > 1 and parse(code) is None:
        code = "\n".join(rows[fences[-2] + 1 : fences[-1]])
    if not code.strip():
        return ""
    called = problem.row["called"]
    method = f"Solution().{called}" if "class Solution" in code else called
    call = CALL.format(entry=ENTRY_POINT, called=method) if called else ""
    return f"{PRELUDE}\n{code}{call}"


def grade(work: Work, settings: Settings) -> Iterator[list[Graded]]:
    """Verdicts on programs, problem by problem, in order."""
    limits = Limits(
        cpu_s=max(CPU_S, settings.cpu_s), screen_s=None, load_s=CPU_S, wall_s=WALL_S, memory_mb=settings.memory_mb,
        output_bytes=16 << 20, profile=settings.profile,
    )  # fmt: skip
    return grade_in_slices(work, tests_of, limits, settings)


def question(problem: Problem, chat: bool, prefill: bool) -> Asked:
    """What a model is shown: upstream's generic prompt for chat models, one example and the task for base models."""
    starter = problem.row["starter"]
    if chat:
        return Asked(_chat_question(problem.prompt, starter), system=TEXTS["system"])
    example = TEXTS["examples"]["function" if starter else "stdin"]
    shown = _base_question(example["question"], starter and example["sample_code"])
    return Asked(f"{shown}{example['answer']}\n\n{_base_question(problem.prompt, starter)}", stop=("###",))


def _chat_question(task: str, starter: str) -> str:
    form = TEXTS["with_starter"] if starter else TEXTS["without_starter"]
    code = starter or "# YOUR CODE HERE"
    return (
        f"### Question:\n{task}\n\n### Format: {form}\n```python\n{code}\n```\n\n"
        "### Answer: (use the provided format with backticks)\n\n"
    )


def _base_question(task: str, starter: str) -> str:
    code = f"### Starter Code\n{starter}\n\n" if starter else ""
    return f"### Question\n{task}\n\n{code}### Answer\n\n"


def _benchmark(name: str) -> Benchmark:
    return Benchmark(
        name=name,
        paper="arXiv:2403.07974",
        load=functools.partial(load, name),
        program=program,
        reference=None,
        grade=grade,
        ask=question,
        max_tokens=MAX_TOKENS,
        bare=True,
        framed=True,
    )


BENCHMARKS = tuple(_benchmark(variant.name) for variant in benchmarks.variants_of("livecodebench"))
