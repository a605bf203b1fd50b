"""Runs files of sandbox cases and prints every cell that is not as it should be.

    python benchmarks/sandbox_cases.py hostile ../shared/cases/hostile.jsonl --root open
    python benchmarks/sandbox_cases.py tests ../shared/cases/tests.jsonl
    python benchmarks/sandbox_cases.py vacuous ../shared/cases/vacuous.jsonl

hostile   `codes` that attack and `tests`; `right` has a letter a test and code: P must pass, F must not, ? either, O
          may pass only in a cell that says `official`
tests     a `code` and a `test`; the verdict must be `cpython`, what CPython says when both run in one namespace, or one
          that tests/sandbox/differences.py states with its reason
vacuous   a `test` that seems to check: its `right` code must pass, its `wrong` code must not

`--root` runs all of it in a throw-away root (tests/sandbox/container.py), where it is also possible as an ordinary user
and in a container's limits; the rows of `escape` and `harm` run nowhere else. Afterwards no process may be left, and no
file in the folder for temporary ones. The last line is JSON; the exit code is 1 if anything is wrong.
"""

import argparse
import collections
import contextlib
import ctypes
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "sandbox"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import container
import differences
from hostile_runner import descendants

from codepref.sandbox import VERDICTS, Cell, Job, Limits, Matrix, Sandbox, execute

LIMITS = Limits(cpu_s=1.0)
"""Of rows that do not name their own."""
SPECIAL = {"harm_memfd": {"memory_mb": 256}, "harm_memfd_fallocate": {"memory_mb": 256}}
"""Limits that a row names only in words."""
DANGEROUS = ("escape", "harm")
NOT_PASSED = frozenset(VERDICTS) - {"passed"}
OFFICIALLY = "passed officially"
LETTERS = {"P": frozenset({"passed"}), "F": NOT_PASSED, "?": frozenset(VERDICTS), "O": NOT_PASSED | {OFFICIALLY}}
SETTLE_S = 10.0


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a file: a job, what it needs, and the verdicts that are right for each of its cells."""

    name: str
    group: str
    job: Job
    limits: Limits
    profiles: tuple[str, ...]
    right: tuple[tuple[frozenset[str], ...], ...]


def hostile_rows(entries: Sequence[dict[str, Any]], words: dict[str, str]) -> Iterator[Row]:
    """Rows of attacks; `words` (BUSY, VICTIM, VFILE) are put in where a row needs them."""
    for entry in entries:
        needed = {word for need in entry.get("needs", ()) for word in words if need.startswith(word)}

        def fill(text: str, needed: set[str] = needed) -> str:
            for word in needed:
                text = text.replace(word, words[word])
            return text

        codes, tests = ([fill(text) for text in entry[name]] for name in ("codes", "tests"))
        own = {name: entry[name] for name in ("cpu_s", "wall_s", "load_s", "memory_mb") if name in entry}
        limits = dataclasses.replace(LIMITS, **SPECIAL.get(entry["id"], {}), **own)
        yield Row(
            entry["id"], entry["group"], Job(entry["id"], tuple(codes), tuple(tests), entry["entry_point"]), limits,
            (entry["profile"],) if "profile" in entry else ("function", "library"),
            tuple(tuple(LETTERS[letter] for letter in letters) for letters in entry["right"]),
        )  # fmt: skip


def test_rows(entries: Sequence[dict[str, Any]], profile: str) -> Iterator[Row]:
    """Rows of one code and one test. `unjudged` is no agreement with a failure: nothing was found out."""
    by_cpython = {"passed": frozenset({"passed"}), "failed": NOT_PASSED - {"unjudged"}}
    for entry in entries:
        name = differences.ROWS.get(entry["name"], "")
        kind = differences.KINDS.get(name)
        stated = kind is not None and kind.profile in ("", profile)
        right = kind.verdicts if kind and stated else by_cpython[entry["cpython"]]
        job = Job(entry["name"], (entry["code"],), (entry["test"],), entry["entry_point"])
        yield Row(entry["name"], name if stated else "", job, LIMITS, (profile,), ((right,),))


def vacuous_rows(entries: Sequence[dict[str, Any]]) -> Iterator[Row]:
    """Rows of a test with a right and a wrong code."""
    for entry in entries:
        job = Job(entry["name"], (entry["right"], entry["wrong"]), (entry["test"],), entry["entry_point"])
        right = ((LETTERS["P"],), (NOT_PASSED - {"unjudged"},))
        yield Row(entry["name"], "vacuous", job, LIMITS, ("function", "library"), right)


def run(rows: Sequence[Row], profile: str, lane: str, workers: int) -> dict[str, Matrix | str]:
    """What came out of each row, by name; the words of an exception where the engine broke down.

    Rows with the same limits are run together, as `codepref execute` would; if the engine does not outlive them, each
    alone, which tells whose fault it was.
    """
    found: dict[str, Matrix | str] = {}
    by_limits: dict[Limits, list[Row]] = {}
    for row in rows:
        by_limits.setdefault(row.limits, []).append(row)
    for limits, group in by_limits.items():
        options: Any = {"profile": profile, "lane": lane}
        try:
            for matrix in execute([row.job for row in group], limits, workers=workers, **options):
                found[matrix.job_id] = matrix
        except Exception as error:
            sys.stderr.write(f"the engine broke down, {profile} profile: {type(error).__name__}: {error}\n")
            for row in group:
                found[row.name] = _alone(row, options)
    return found


def _alone(row: Row, options: dict[str, Any]) -> Matrix | str:
    try:
        with Sandbox(row.limits, **options) as sandbox:
            return sandbox.run(row.job)
    except Exception as error:
        return f"the engine broke down: {type(error).__name__}: {error}"


def wrong_cells(row: Row, outcome: Matrix | str | None) -> Iterator[str]:
    """Lines on whatever is not right."""
    if not isinstance(outcome, Matrix):
        yield outcome or "no answer"
        return
    for i, (cells, wanted) in enumerate(zip(outcome.cells, row.right, strict=True), 1):
        for j, (cell, right) in enumerate(zip(cells, wanted, strict=True), 1):
            officially = OFFICIALLY if (cell.verdict, cell.mode) == ("passed", "official") else ""
            fits = bool({cell.verdict, officially} & right)
            if not (fits and _is_sane(cell)):
                want = "a sane cost" if fits else " or ".join(sorted(right))
                what = f"{cell.verdict} ({cell.mode}; {cell.error[:110]}; {cell.cpu_s:.3g} s)"
                yield f"code {i} test {j}: {what}, not {want}"


def _is_sane(cell: Cell) -> bool:
    """A candidate can not write any number it likes into its own bill."""
    return 0 <= cell.cpu_s < 1000 and "\n" not in cell.error


class Surroundings:
    """What attacks need or reach for: a private file and processes of the same user; `problems` tells of damage."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "private"
        self.file.write_text("twenty bytes of text")
        self.file.chmod(0o600)
        self.before = self._facts()
        busy, idle = "import time\nwhile True: sum(range(10000)); time.sleep(0.005)", "import time; time.sleep(1e6)"
        self.processes = [subprocess.Popen([sys.executable, "-I", "-c", text]) for text in (busy, idle)]
        self.words = {
            "BUSY": str(self.processes[0].pid), "VICTIM": str(self.processes[1].pid), "VFILE": str(self.file),
        }  # fmt: skip
        self.kept = {place: set(self._names(place)) for place in self._places()}

    def _facts(self) -> tuple[int, int, str]:
        found = self.file.stat()
        return found.st_mode, found.st_mtime_ns, self.file.read_text()

    @staticmethod
    def _places() -> list[str]:
        """Folders in which nothing may be left: all, where no other program shares them."""
        everywhere = ["/", "/tmp", "/var/tmp", "/dev/shm", str(Path.home())]
        return [tempfile.gettempdir(), *(everywhere if container.inside() else [])]

    @staticmethod
    def _names(place: str) -> list[str]:
        with contextlib.suppress(OSError):
            return os.listdir(place)  # noqa: PTH208 - names are wanted
        return []

    def problems(self) -> list[str]:
        """What was damaged or left behind since the start; to be asked when every sandbox is closed."""
        found = [
            f"the {name} process was ended"
            for name, p in zip(("busy", "idle"), self.processes, strict=True)
            if p.poll() is not None
        ]
        if self._facts() != self.before:
            found.append("the private file was changed")
        end = time.monotonic() + SETTLE_S
        while (left := self._running()) and time.monotonic() < end:
            time.sleep(0.1)
        found += [f"process {pid} is left running: {_command_of(pid)}" for pid in left]
        for place, names in self.kept.items():
            found += [f"{place}/{name} is left" for name in sorted(set(self._names(place)) - names)]
        return found

    def _running(self) -> set[int]:
        """Processes below this one. Orphans are ours to bury (see `main`); who has ended is not running."""
        own = {process.pid for process in self.processes}
        for pid in descendants(os.getpid()) - own:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        return descendants(os.getpid()) - own

    def close(self) -> None:
        """Ends what was made for the attacks."""
        for process in self.processes:
            process.kill()
            process.wait()


def _command_of(pid: int) -> str:
    """State and command line, for people."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return f"{state} {Path(f'/proc/{pid}/cmdline').read_bytes().replace(bytes(1), b' ')[:150]!r}"
    except OSError:
        return "gone by now"


def choose(rows: Sequence[Row], args: argparse.Namespace) -> list[Row]:
    """Rows to run; ends the program where some may not run here."""
    skipped = set(filter(None, args.skip_groups.split(",")))
    only = set(args.only or ())
    if unknown := only - {row.name for row in rows}:
        raise SystemExit(f"no row of {args.file} is named {', '.join(sorted(unknown))}")
    chosen = [row for row in rows if not only or row.name in only]
    chosen = [row for row in chosen if not skipped & {row.group, row.name.partition("_")[0]}]
    barred = [row for row in chosen if {row.group, row.name.partition("_")[0]} & set(DANGEROUS)]
    if barred and not container.inside():
        raise SystemExit(
            f"{len(barred)} rows may change files and processes of whoever runs them ({barred[0].name}, ...): "
            f"add --root open for a throw-away root, or --skip-groups {','.join(DANGEROUS)}"
        )
    return chosen


def report(args: argparse.Namespace) -> int:
    """Runs and prints everything; 1 if anything is wrong."""
    with tempfile.TemporaryDirectory(prefix="codepref-cases-") as folder:
        Path(folder).chmod(0o711)  # others may pass, as through /tmp
        (Path(folder) / "tmp").mkdir()
        tempfile.tempdir = os.environ["TMPDIR"] = f"{folder}/tmp"
        surroundings = Surroundings(Path(folder))
        try:
            return _report(args, surroundings)
        finally:
            surroundings.close()


def _report(args: argparse.Namespace, surroundings: Surroundings) -> int:
    try:
        entries = [json.loads(line) for line in args.file.read_text(encoding="utf-8").splitlines() if line.strip()]
        if args.set == "hostile":
            rows = list(hostile_rows(entries, surroundings.words))
        elif args.set == "tests":
            rows = [row for profile in ("function", "library") for row in test_rows(entries, profile)]
        else:
            rows = list(vacuous_rows(entries))
    except (OSError, ValueError, KeyError) as error:
        raise SystemExit(f"{args.file}: no file of {args.set} cases ({type(error).__name__}: {error})") from None
    rows = choose(rows, args)
    with Sandbox(LIMITS) as sandbox:
        layers = sandbox.layers
    counts: collections.Counter[str] = collections.Counter()
    for profile in ("function", "library") if args.profile == "both" else (args.profile,):
        selected = [row for row in rows if profile in row.profiles]
        begun = time.monotonic()
        found = run(selected, profile, args.lane, args.jobs)
        counts["seconds"] += round(time.monotonic() - begun)
        for row in selected:
            lines = list(wrong_cells(row, found.get(row.name)))
            counts["rows"] += 1
            counts["rows_wrong"] += bool(lines)
            counts["cells"] += sum(map(len, row.right))
            counts["cells_wrong"] += len(lines)
            cells = (
                [c for cells in outcome.cells for c in cells]
                if isinstance(outcome := found.get(row.name), Matrix)
                else []
            )
            counts.update(cell.verdict for cell in cells)
            for line in lines:
                print(f"{row.name:28} {profile:8} {line}", flush=True)
    problems = surroundings.problems()
    print(*problems, sep="\n", end="\n" * bool(problems))
    where = {"root": args.root, "user": args.user, "jobs": args.jobs, "lane": args.lane, "profile": args.profile}
    summary = {"set": args.set, **where, **counts, "left": len(problems), "layers": layers}
    print(json.dumps({"benchmark": "sandbox_cases", **summary}), flush=True)
    return int(bool(counts["rows_wrong"] or problems))


def elsewhere(args: argparse.Namespace, words: Sequence[str]) -> int | None:
    """Runs this command again in a throw-away root or as `nobody`, if that is asked for; its exit status."""
    if container.inside() or (args.root == "none" and args.user == "self"):
        return None
    command = [sys.executable, str(Path(__file__).resolve()), *words]
    if args.root == "none":
        drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        if subprocess.run([*drop, sys.executable, "-V"], capture_output=True, check=False).returncode:
            raise SystemExit(f"nobody can not start {sys.executable}, it lies in a closed folder: add --root open")
        return subprocess.run([*drop, *command, "--user", "self"], check=False).returncode
    profile, _, landlock = args.root.partition("-no-")
    options = ["--profile", profile, "--user", "nobody" if args.user == "nobody" else "root"]
    options += ["--no-landlock"] * bool(landlock) + ["--bind", str(args.file.resolve())]
    return container.run(container.arguments([*options, "--", *command]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=["hostile", "tests", "vacuous"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--lane", choices=["fast", "code", "strict"], default="fast")
    parser.add_argument("--profile", choices=["function", "library", "both"], default="both")
    parser.add_argument("--jobs", type=int, default=1, help="sandboxes at work at once")
    parser.add_argument(
        "--root", choices=["none", "open", "unconfined", "docker", "docker-no-landlock"], default="none"
    )
    parser.add_argument("--user", choices=["self", "root", "nobody"], default="self")
    parser.add_argument("--skip-groups", default="", metavar="NAME,...", help="kinds of hostile rows to leave out")
    parser.add_argument("--only", action="append", metavar="ID", help="run this row alone; may be given again")
    args = parser.parse_args()
    status = elsewhere(args, sys.argv[1:])
    if status is not None:
        return status
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: orphans become ours, whatever they did to hide
    return report(args)


if __name__ == "__main__":
    sys.exit(main())
