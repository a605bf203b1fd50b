"""`codepref execute`: a file of cases in, a file of verdicts out, one JSON object a line in both.

    codepref execute --input cases.jsonl --output verdicts.jsonl --jobs 2

A case is `{"id", "code", "tests": [...], "entry_point"?}`. A test is a text, `"assert ..."`, or for a program that
reads standard input an object `{"input", "output"}` (`codepref.stdin`). A verdict is `{"id", "verdicts", "modes",
"cpu_s", "fingerprints", "errors", "layers"}`, lists in the order of the tests, lines in the order of the input (so ids
may repeat).
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from codepref.commands.options import cores
from codepref.errors import CodeprefError
from codepref.files import LineError, good_lines
from codepref.sandbox.base import Job, Limits, Matrix, SandboxUnavailable
from codepref.sandbox.pool import execute
from codepref.stdin import text_of

_FIELDS: dict[str, type] = {"id": str, "code": str, "tests": list}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("--input", type=Path, required=True, metavar="FILE", help="cases, one JSON object a line")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="verdicts, written as they come")
    parser.add_argument("--jobs", type=int, default=cores(), metavar="N", help="sandboxes at work at once")
    parser.add_argument("--timeout", type=float, metavar="S", help="CPU seconds for one test (default: 1)")
    parser.add_argument("--memory", type=int, metavar="MB", help="memory of a candidate (default: 1024)")
    parser.add_argument("--mode", choices=("auto", "plain", "official"), default="auto")
    parser.add_argument("--lane", choices=("fast", "code", "strict"), default="fast")
    parser.add_argument("--profile", choices=("function", "library"), default="function")
    parser.add_argument("--python", metavar="PATH", help="interpreter of the candidates (default: this one)")
    parser.add_argument("--allow-unisolated", action="store_true", help="run even where nothing protects this machine")


def run(args: argparse.Namespace) -> int:
    """Exit code 0; 2 for bad input or where no sandbox can be started, 130 when interrupted."""
    try:
        limits = _limits(args)
        jobs = list(_read(args.input))
        if args.output.exists() and args.output.samefile(args.input):
            raise BadInput(f"{args.output} is the file of cases, too; name another --output")
        with args.output.open("w", encoding="utf-8", errors="backslashreplace") as output:  # half a surrogate pair
            if jobs:
                _run(args, limits, jobs, output)
            else:
                sys.stderr.write(f"codepref execute: {args.input} holds no cases\n")
    except (CodeprefError, SandboxUnavailable) as error:
        sys.stderr.write(f"codepref execute: {error}\n")
        return 2
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        sys.stderr.write(f"codepref execute: {where}{error.strerror or error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write(f"codepref execute: interrupted; {args.output} holds the verdicts so far\n")
        return 130
    return 0


class BadInput(CodeprefError):
    """One line: what is wrong, where, and what to do."""


def _limits(args: argparse.Namespace) -> Limits:
    for name, most in ("jobs", 4096), ("timeout", 86_400), ("memory", 1 << 24):
        value = getattr(args, name)
        if value is not None and not 0 < value <= most:
            raise BadInput(f"--{name} must be greater than 0 and at most {most}, not {value}")
    given = {"cpu_s": args.timeout, "memory_mb": args.memory}
    return Limits(**{name: value for name, value in given.items() if value is not None})


def _read(path: Path) -> Iterator[Job]:
    """Jobs of one code each; raises `CodeprefError` for the first bad line."""
    for number, case in good_lines(path):
        yield _job(case, f"{path}:{number}")


def _job(case: dict[str, Any], where: str) -> Job:
    for name, kind in _FIELDS.items():
        if not isinstance(case.get(name), kind):
            raise BadInput(f"{where}: '{name}' is missing or not a {'string' if kind is str else 'list'}; add it")
    try:
        tests = tuple(_test(test, f"tests[{number}]") for number, test in enumerate(case["tests"]))
    except LineError as error:
        raise BadInput(f"{where}: {error.problem}; {error.remedy}") from None
    entry_point = case.get("entry_point")
    if entry_point is not None and not isinstance(entry_point, str):
        raise BadInput(f"{where}: 'entry_point' is not a string; give the name of the function or leave it out")
    return Job(case["id"], (case["code"],), tests, entry_point)


def _test(test: Any, name: str) -> str:
    """A test as text. An assert may hold anything; the sandbox says what comes of it."""
    return test if isinstance(test, str) else text_of(test, name)


def _run(args: argparse.Namespace, limits: Limits, jobs: list[Job], output: TextIO) -> None:
    matrices = execute(
        jobs, limits, workers=min(args.jobs, max(1, len(jobs))), mode=args.mode, lane=args.lane, profile=args.profile,
        python=args.python, allow_unisolated=args.allow_unisolated,
    )  # fmt: skip
    with tqdm(total=sum(len(job.tests) for job in jobs), unit="cell", file=sys.stderr, smoothing=0.1) as progress:
        for matrix in matrices:
            output.write(json.dumps(_row(matrix), ensure_ascii=False) + "\n")
            output.flush()
            progress.update(len(matrix.cells[0]))


def _row(matrix: Matrix) -> dict[str, Any]:
    cells = matrix.cells[0]
    return {
        "id": matrix.job_id,
        "verdicts": [cell.verdict for cell in cells],
        "modes": [cell.mode for cell in cells],
        "cpu_s": [round(cell.cpu_s, 6) for cell in cells],
        "fingerprints": [cell.fingerprint for cell in cells],
        "errors": [cell.error for cell in cells],
        "layers": list(matrix.layers),
    }
