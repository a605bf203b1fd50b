"""Datasets from a real model's answers to MBPP's training part, against the truth that no model was shown.

    python -m benchmarks.real_model prompts MBPP_FILE FOLDER [--n 100]
    codepref build codedpo --config builders/configs/codedpo/best.yaml --set prompts=FOLDER/prompts.jsonl \\
        --set generation.local.model=MODEL --set decontaminate='[FOLDER/graded.jsonl, humaneval]' --out RUN
    python -m benchmarks.real_model labels RUN FOLDER
    python -m benchmarks.real_model choices RUN_OF_DSTC FOLDER
    python -m benchmarks.real_model repairs RUN_OF_CODEFLOW FOLDER
    python -m benchmarks.real_model record RUN FILE.jsonl.gz [--source TEXT --licence NAME]

MBPP (Austin et al., arXiv 2108.07732, CC-BY-4.0) numbers its training part 601 to 974; its test part, which models are
graded on, 11 to 510. A prompt shows the function's header and the task's sentence, never an assertion: a program is
right when it passes all of the task's assertions, a test is right when the task's reference passes it.

`prompts` writes FOLDER/prompts.jsonl, truth.jsonl (for `codepref run`), references.jsonl, and graded.jsonl: the tasks
that models are graded on and shown, for decontamination. `labels` ranks a finished CodeDPO run by every ranking and
asks nothing again. `choices` counts which codes and tests DSTC chose, `repairs` what CodeFlow's repairs made right.
`record` writes the run's answers as recordings, with their credit, from which everyone can build
the same bytes again.
"""

import argparse
import ast
import gzip
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from builders.chain import ranking
from builders.codedpo import method as codedpo
from codepref.commands.experiment.measured import judged_pairs, paired_rows, read_truth
from codepref.commands.quickstart.truth import area
from codepref.inspection import run as inspection
from codepref.intervals import bootstrap
from codepref.report.facts import dataset_rows
from codepref.sandbox import Job, Limits, execute

TRAINING = range(601, 975)
SOURCE = "MBPP (Austin et al. 2021), training part: for measuring only"
LICENCE = "CC-BY-4.0"
LIMITS = Limits(cpu_s=2.0, memory_mb=1024)
THRESHOLDS = (0, 0.3, 0.4, 0.5, 0.6, 0.7)


@dataclass(frozen=True)
class Problem:
    """One task."""

    prompt_id: str
    prompt: str
    entry_point: str
    asserts: tuple[str, ...]
    reference: str


def problems(path: Path) -> list[Problem]:
    """All tasks of the training part that one function of plain arguments answers, by number."""
    return [found for row in _rows(path) if row["task_id"] in TRAINING for found in _problem(row)]


def _rows(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _problem(row: Mapping[str, Any]) -> Iterator[Problem]:
    """The task, unless its assertions need classes, set-up code or two functions."""
    code = row["code"].replace("\r\n", "\n")
    tree = ast.parse(code)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    called = {name for text in row["test_list"] for name in _calls(text) if name in functions}
    if classes or row["test_setup_code"] or len(called) != 1:
        return
    name = called.pop()
    header = f"def {name}({ast.unparse(functions[name].args)}):"
    prompt = f'{header}\n    """{row["text"].strip()}"""\n'
    # an id that names a benchmark's task would be left out by its name alone
    yield Problem(f"training-{row['task_id']}", prompt, name, tuple(row["test_list"]), code)


def _calls(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def write_prompts(path: Path, folder: Path, most: int | None) -> str:
    """Writes the files of `prompts`; returns what was written, in words."""
    kept = problems(path)[:most]
    graded = [row for row in _rows(path) if row["task_id"] not in TRAINING]
    files = {
        "prompts": [{"prompt_id": one.prompt_id, "prompt": one.prompt, "entry_point": one.entry_point} for one in kept],
        "truth": [{"prompt_id": one.prompt_id, "tests": one.asserts} for one in kept],
        "references": [{"prompt_id": one.prompt_id, "code": one.reference} for one in kept],
        "graded": graded,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in files.items():
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    return f"{len(kept)} prompts and {len(graded)} tasks to keep clear of in {folder}"


def write_recordings(run: Path, out: Path, source: str, licence: str) -> str:
    """Writes the answers of a run as recordings (docs/formats.md); returns what was written, in words."""
    found = inspection.read_run(run)
    rows = _by_prompt(found.stage("samples")).values()
    with gzip.GzipFile(out, "wb", mtime=0) as file:
        for row in rows:
            kept = {key: row[key] for key in ("prompt_id", "prompt", "entry_point", "generator")}
            texts = {key: [sample["text"] for sample in row[key]] for key in ("codes", "tests")}
            line = {**kept, "source": source, "licence": licence, **texts}
            file.write(json.dumps(line).encode() + b"\n")
    return f"{len(rows)} prompts -> {out}"


@dataclass(frozen=True)
class Judged:
    """All codes and tests of a run, with their truth; a list a prompt."""

    codes: list[np.ndarray]
    tests: list[np.ndarray]
    verdicts: Counter[str]

    @property
    def mixed(self) -> int:
        """Prompts with a right code and a wrong one."""
        return sum(bool(codes.any() and not codes.all()) for codes in self.codes)


def judged_run(run: Path, folder: Path) -> Judged:
    """The truth about everything that was run."""
    hidden = read_truth(folder / "truth.jsonl")
    references = _references(folder)
    found = inspection.read_run(run)
    ready, ran = (_by_prompt(stage) for stage in found.inputs(found.stage("pairs"))[:2])
    jobs = [job for row in ready.values() for job in _jobs(row, hidden, references)]
    passed = [_passed(matrix.cells) for matrix in execute(jobs, LIMITS, workers=2)]
    verdicts = Counter[str]()
    for row in ran.values():
        for line in row["verdicts"]:
            verdicts.update(line)
    return Judged([rows.all(axis=1) for rows in passed[::2]], [rows[0] for rows in passed[1::2]], verdicts)


def _jobs(row: Mapping[str, Any], hidden: Mapping[str, Sequence[str]], references: Mapping[str, str]) -> Iterator[Job]:
    """The prompt's codes on the hidden tests, and its reference on the prompt's tests."""
    name, entry = row["prompt_id"], row["entry_point"]
    yield Job(f"{name} codes", tuple(code["code"] for code in row["codes"]), tuple(hidden[name]), entry)
    yield Job(f"{name} tests", (references[name],), tuple(test["test"] for test in row["tests"]), entry)


def _passed(cells: Sequence[Sequence[Any]]) -> np.ndarray:
    return np.array([[cell.verdict == "passed" for cell in line] for line in cells], dtype=bool)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _by_prompt(stage: Any) -> dict[str, dict[str, Any]]:
    rows = [row for index in range(len(stage.shards())) for row in stage.read(index).to_pylist()]
    return {row["prompt_id"]: row for row in rows}


def table(run: Path, folder: Path) -> Iterator[str]:
    """The report of `labels`, a line at a time."""
    hidden = read_truth(folder / "truth.jsonl")
    judged = judged_run(run, folder)
    codes, tests = (bootstrap([part.mean() for part in parts if part.size]) for parts in (judged.codes, judged.tests))
    yield f"{len(judged.codes)} prompts, {judged.mixed} with a right and a wrong code"
    yield f"codes right {_percent(codes)}, tests right {_percent(tests)}"
    cells = judged.verdicts.total()
    yield "verdicts: " + ", ".join(f"{word} {100 * n / cells:.1f} %" for word, n in judged.verdicts.most_common())
    yield "| ranking | pairs | right | of mixed pairs | inverted | right, confident half | AUC of confidence |"
    yield "|---|---|---|---|---|---|---|"
    for name in ranking.NAMES:
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "run"
            codedpo.rerank(inspection.read_run(run), name, ("min_confidence=0",), out)
            rows = list(paired_rows(out))
            yield _row(name, rows, hidden)
        if name == "combined":
            kept = list(_kept(rows, hidden))
    yield from kept


def choices(run: Path, folder: Path) -> Iterator[str]:
    """The report of `choices`, a line at a time: codes and tests that DSTC chose and rejected, against the truth."""
    hidden, references = read_truth(folder / "truth.jsonl"), _references(folder)
    rows = list(paired_rows(run))
    if not rows:
        raise SystemExit(f"{run}: no pairs; give a finished run of DSTC")
    jobs = [job for row in rows for job in _sides(row, hidden, references)]
    passed = [_passed(matrix.cells) for matrix in execute(jobs, LIMITS, workers=2)]
    codes = np.array([found.all(axis=1)[[0, -1]] for found in passed[::2]], dtype=bool)
    tests = np.array([found[0][[0, -1]] for found in passed[1::2]], dtype=bool)
    yield f"{len(rows)} pairs; in {sum(row['same_code'] for row in rows)} of them both sides have the same code"
    yield "| | chosen | rejected |\n|---|---|---|"
    yield f"| code right | {_percent(bootstrap(codes[:, 0]))} | {_percent(bootstrap(codes[:, 1]))} |"
    yield f"| test right | {_percent(bootstrap(tests[:, 0]))} | {_percent(bootstrap(tests[:, 1]))} |"
    whole = codes & tests
    yield f"| both right | {_percent(bootstrap(whole[:, 0]))} | {_percent(bootstrap(whole[:, 1]))} |"
    better, worse = whole[:, 0] & ~whole[:, 1], whole[:, 1] & ~whole[:, 0]
    yield f"right pairs: {better.sum()} of {len(rows)} ({_percent(bootstrap(better))}), inverted {worse.sum()}"


def _sides(row: Mapping[str, Any], hidden: Mapping[str, Sequence[str]], references: Mapping[str, str]) -> Iterator[Job]:
    """Both codes of a pair on the hidden tests, and the reference on both tests."""
    name, entry = row["prompt_id"], row["entry_point"]
    codes = dict.fromkeys(row["codes"][row[f"{side}_code_index"]] for side in ("chosen", "rejected"))
    tests = dict.fromkeys(row["tests"][row[f"{side}_test_index"]] for side in ("chosen", "rejected"))
    yield Job(f"{name} codes", tuple(codes), tuple(hidden[name]), entry)
    yield Job(f"{name} tests", (references[name],), tuple(tests), entry)


def repairs(run: Path, folder: Path) -> Iterator[str]:
    """The report of `repairs`, a line at a time: how many programs are right after each round."""
    hidden = read_truth(folder / "truth.jsonl")
    found = inspection.read_run(run)
    told = list(dataset_rows(found, "trajectories"))
    if not told:
        raise SystemExit(f"{run}: no trajectories; give a finished run of CodeFlow")
    jobs = [
        Job(row["trajectory_id"], _versions(row), tuple(hidden[row["prompt_id"]]), row["entry_point"]) for row in told
    ]
    truth = [_passed(matrix.cells).all(axis=1) for matrix in execute(jobs, LIMITS, workers=2)]
    rounds = max(len(row["versions"]) for row in told)
    yield f"{len(told)} trajectories, {sum(row['solved'] for row in told)} end with a program that passes its own tests"
    yield "| round | programs | pass their own tests | right by the hidden tests |\n|---|---|---|---|"
    for number in range(rounds):
        reached = [(row, right) for row, right in zip(told, truth, strict=True) if len(row["versions"]) > number]
        passing = [_solves(row["versions"][number]) for row, _ in reached]
        right = [bool(found[number]) for _, found in reached]
        yield f"| {number} | {len(reached)} | {sum(passing)} | {sum(right)} |"
    first, last = ([bool(right[place]) for right in truth] for place in (0, -1))
    yield f"right at first {sum(first)}, at last {sum(last)} of {len(told)}"
    solved = [right for right, row in zip(last, told, strict=True) if row["solved"]]
    yield f"of {len(solved)} that pass their own tests at last, {sum(solved)} are right"
    judged = judged_pairs(list(paired_rows(run)), hidden)
    good = sum(chosen and not rejected for chosen, rejected in judged)
    wrong = sum(rejected and not chosen for chosen, rejected in judged)
    yield f"pairs: {len(judged)}, right {good}, inverted {wrong}, both right {sum(map(all, judged))}"


def _versions(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(version["code"] for version in row["versions"])


def _solves(version: Mapping[str, Any]) -> bool:
    return bool(version["verdicts"]) and set(version["verdicts"]) == {"passed"}


def _references(folder: Path) -> dict[str, str]:
    return {row["prompt_id"]: row["code"] for row in _lines(folder / "references.jsonl")}


def _row(name: str, rows: list[dict[str, Any]], hidden: Mapping[str, tuple[str, ...]]) -> str:
    """One ranking's pairs against the truth."""
    chosen, rejected = np.array(judged_pairs(rows, hidden), dtype=bool).reshape(-1, 2).T
    right, inverted = chosen & ~rejected, rejected & ~chosen
    confidence = np.array([row["confidence"] for row in rows])
    half = np.argsort(-confidence, kind="stable")[: len(rows) // 2]
    differ = chosen != rejected
    cells = [
        name, str(len(rows)), _percent(bootstrap(right)), f"{right.sum()} of {differ.sum()}",
        f"{100 * inverted.mean():.0f} %", _percent(bootstrap(right[half])), f"{area(confidence, right):.2f}",
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _kept(rows: list[dict[str, Any]], hidden: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """What `min_confidence` leaves of one ranking's pairs."""
    chosen, rejected = np.array(judged_pairs(rows, hidden), dtype=bool).reshape(-1, 2).T
    confidence = np.array([row["confidence"] for row in rows])
    yield f"combined: mean confidence {confidence.mean():.2f}"
    yield "| min_confidence | pairs | right |"
    yield "|---|---|---|"
    for least in THRESHOLDS:
        kept = confidence >= least
        right = int((chosen & ~rejected)[kept].sum())
        yield f"| {least} | {kept.sum()} | {right} ({100 * right / max(kept.sum(), 1):.0f} %) |"


def _percent(values: Sequence[float]) -> str:
    mean, low, high = (100 * value for value in values)
    return f"{mean:.0f} % [{low:.0f}, {high:.0f}]"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    prompts = commands.add_parser("prompts", help="write prompts and their truth")
    prompts.add_argument("mbpp", type=Path, help="mbpp.jsonl.gz")
    prompts.add_argument("folder", type=Path)
    prompts.add_argument("--n", type=int, help="only the first N")
    labels = commands.add_parser("labels", help="how often the pairs of each ranking are right")
    labels.add_argument("run", type=Path, help="a finished CodeDPO run on these prompts")
    labels.add_argument("folder", type=Path, help="what `prompts` wrote")
    for name, words in (
        ("choices", "codes and tests that DSTC chose"),
        ("repairs", "what CodeFlow's repairs made right"),
    ):
        command = commands.add_parser(name, help=words)
        command.add_argument("run", type=Path, help="a finished run on these prompts")
        command.add_argument("folder", type=Path, help="what `prompts` wrote")
    record = commands.add_parser("record", help="write a run's answers as recordings")
    record.add_argument("run", type=Path)
    record.add_argument("out", type=Path, help=".jsonl.gz")
    record.add_argument("--source", default=SOURCE, help="where the prompts come from (%(default)s)")
    record.add_argument("--licence", default=LICENCE, help="of the prompts (%(default)s)")
    arguments = parser.parse_args()
    if arguments.command == "prompts":
        print(write_prompts(arguments.mbpp, arguments.folder, arguments.n))
    elif arguments.command == "record":
        print(write_recordings(arguments.run, arguments.out, arguments.source, arguments.licence))
    else:
        report = {"labels": table, "choices": choices, "repairs": repairs}[arguments.command]
        for line in report(arguments.run, arguments.folder):
            print(line, flush=True)


if __name__ == "__main__":
    main()
