"""Saved samples: EvalPlus' and BigCodeBench's JSON lines in and out, and HumanEval's.

A line has `task_id` and either `solution` (a whole program, or a model's answer) or `completion` (what follows the
prompt). DS-1000's lines have `metadata.problem_id` or `id`, and `code`, LiveCodeBench's rows `question_id` and
`code_list`. Several lines of one task, or several texts of a line, are its samples, in order.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from codepref import extract
from codepref.errors import CodeprefError
from codepref.files import read_rows, write_whole
from codepref.sandbox import Sandbox
from evaluation.benchmark import Benchmark, Problem, Settings
from evaluation.taskids import task_ids

EXTRACTOR = "codepref-2"
"""Version of the rules that take a program out of a text; part of the fingerprint."""
MARK = "\ufeff"
"""A byte order mark at the begin of a text: editors and shells write it, and Python refuses it inside a program."""
UNFINISHED = "unfinished thought"
"""The rule of an answer that ended before it began."""


@dataclass(frozen=True)
class GradedSample:
    """One answer to one problem: the text as it came, and the program that is run."""

    task_id: str
    index: int
    raw: str
    program: str
    rule: str = ""
    """How the program was found in the text, or why none was (`codepref.extract`); empty where nobody looked."""
    cut: bool | None = None
    """Whether the answer ended at the token limit; None: nobody says."""
    spelt: str = ""
    """How the file of samples spells the id of the task, where that is another spelling."""
    mended: bool = False
    """Half surrogate pairs, which are no characters, were replaced in the text."""
    thought: str = ""
    """What the model thought before it, where the server gives that apart."""


@dataclass(frozen=True)
class SavedText:
    """One line of a file of samples."""

    where: str
    """FILE:LINE."""
    task: str
    """The id of the task as it stands there."""
    text: str
    whole: bool | None
    """Whether it is a whole program; None: the benchmark decides."""
    cut: bool | None = None
    mended: bool = False


def saved_texts(path: Path) -> Iterator[SavedText]:
    """The lines of a file of samples, whatever benchmark they are of.

    Raises:
        CodeprefError: the file can not be read, or a line is not JSON or holds no text; the line is named.
    """
    empty = True
    try:
        for number, row in read_rows(path):
            empty = False
            where = f"{path}:{number}"
            reason = row.get("finish_reason")
            cut = reason == "length" if isinstance(reason, str) else None
            for given, whole in _texts(row, where):
                text = writable(given)
                yield SavedText(where, writable(_task(row)), text.removeprefix(MARK), whole, cut, text != given)
    except CodeprefError as error:
        raise CodeprefError(f"--samples {error}") from None
    if empty:
        raise CodeprefError(f"--samples {path}: {NO_SAMPLES}")


def check_saved_texts(path: Path) -> None:
    """Raises `CodeprefError` as `saved_texts` does, for the first line that can not be used."""
    for _ in saved_texts(path):
        pass


NO_SAMPLES = "no samples; one JSON object a line with task_id and solution or completion"


def writable(text: str) -> str:
    """The text with the halves of surrogate pairs joined, and U+FFFD for a half without the other.

    JSON can hold such a half (`\\ud83d`, from an answer that was cut inside a character), UTF-8 can not.
    """
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def read_samples(
    path: Path,
    benchmark: Benchmark,
    problems: Sequence[Problem],
    clean: bool = False,
    every: Sequence[Problem] = (),
    settings: Settings = Settings(),  # noqa: B008 - frozen
) -> list[GradedSample]:
    """Samples of a file, in the order of the problems.

    Args:
        path: JSON lines.
        benchmark: Whose samples they are.
        problems: Those that are graded.
        clean: Take the program out of each text first (fences, prose, usage examples).
        every: All problems of the benchmark, where only some are graded: lines of the others are passed over.
        settings: Where programs are loaded if reading alone can not tell usage from what they need.

    Raises:
        CodeprefError: A line that is not JSON, names no known task, or holds no text; the file and line are named.
    """
    wanted = {problem.task_id: problem for problem in problems}
    known = task_ids(benchmark.name, [problem.task_id for problem in every or problems])
    given = list[tuple[Problem, SavedText]]()
    for line in saved_texts(path):
        task_id = known.find(line.task)
        if task_id is None:
            raise CodeprefError(f"--samples {line.where}: {known.refusal(line.task)}; correct or remove the line")
        if task_id in wanted:
            given.append((wanted[task_id], line))
    if not given:
        raise CodeprefError(f"--samples {path}: {NO_SAMPLES} of one of the {len(problems)} problems that are graded")
    if clean and not benchmark.bare:
        programs = cleaned(benchmark, [(problem, line.text) for problem, line in given], settings)
    else:
        rules = [unfinished(line.text) if benchmark.bare else "" for _, line in given]
        programs = [(_as_given(benchmark, *item), rule) for item, rule in zip(given, rules, strict=True)]
    found: dict[str, list[GradedSample]] = {}
    for (problem, line), (program, rule) in zip(given, programs, strict=True):
        samples = found.setdefault(problem.task_id, [])
        spelt = line.task if line.task != problem.task_id else ""
        samples.append(
            GradedSample(problem.task_id, len(samples), line.text, program, rule, line.cut, spelt, line.mended)
        )
    return [sample for problem in problems for sample in found.get(problem.task_id, [])]


def _as_given(benchmark: Benchmark, problem: Problem, line: SavedText) -> str:
    """The program of a line whose text is taken as it is."""
    if line.whole is True and not benchmark.framed:
        return line.text
    completes = line.whole is False and not benchmark.bare
    return benchmark.program(problem, problem.prompt + line.text if completes else line.text)


def _task(row: dict[str, object]) -> str:
    metadata = row.get("metadata")
    number = metadata.get("problem_id") if isinstance(metadata, dict) else None
    given = (row.get("task_id"), number, *(row.get(key) for key in ("problem_id", "question_id", "id")))
    return str(next((value for value in given if value is not None), ""))


_FIELDS = (("solution", True), ("completion", False), ("code", None), ("answer", None), ("code_list", None))


def _texts(row: dict[str, object], where: str) -> list[tuple[str, bool | None]]:
    """The text of a line, or several of a list, and whether it is a whole program (None: the benchmark decides).

    Null is an empty answer.
    """
    for key, whole in _FIELDS:
        value = row.get(key)
        values = value if isinstance(value, list) else [value]
        texts = [text for text in values if isinstance(text, str)]
        if texts and len(texts) == len(values):
            return [(text, whole) for text in texts]
    for key, whole in _FIELDS:
        if key in row and row[key] is None:
            return [("", whole)]
    raise CodeprefError(f"{where}: neither 'solution' nor 'completion' holds a text")


def unfinished(text: str) -> str:
    """The rule of an answer that is a thought without an end, or nothing for any other."""
    return UNFINISHED if text.strip() and extract.spoken(text) is None else ""


def is_program(text: str, entry_point: str) -> bool:
    """True if a text defines the entry point itself."""
    return any(line.startswith((f"def {entry_point}", f"async def {entry_point}")) for line in text.splitlines())


def cleaned(benchmark: Benchmark, answers: Sequence[tuple[Problem, str]], settings: Settings) -> list[tuple[str, str]]:
    """The programs in some answers, by the rules of builders and training, and the rule that applied to each.

    What is run for an answer without a program is its text, or nothing if it is an unfinished thought.
    """
    with contextlib.ExitStack() as stack:

        def sandbox() -> Sandbox:
            python, anyhow = settings.python, settings.allow_unisolated
            made = Sandbox(extract.LOADING, mode="official", profile="library", python=python, allow_unisolated=anyhow)
            return stack.enter_context(made)

        asked = [extract.Answer(text, problem.prompt, problem.entry_point) for problem, text in answers]
        found = extract.extracted(asked, sandbox)
    return [
        (_program(benchmark, problem, text, item), item.rule)
        for (problem, text), item in zip(answers, found, strict=True)
    ]


def _program(benchmark: Benchmark, problem: Problem, text: str, item: extract.Extracted | extract.Rejected) -> str:
    if isinstance(item, extract.Extracted):
        return benchmark.program(problem, item.program) if benchmark.framed else item.program
    return benchmark.program(problem, "" if item.rule == UNFINISHED else text)


def write_samples(folder: Path, name: str, samples: Iterable[GradedSample]) -> None:
    """Writes `NAME.raw.jsonl` (texts) and `NAME.jsonl` (programs), as EvalPlus and BigCodeBench take them."""
    kept = list(samples)
    write_text(folder / f"{name}.raw.jsonl", json_text(map(_raw_row, kept)))
    write_text(folder / f"{name}.jsonl", json_text({"task_id": s.task_id, "solution": s.program} for s in kept))


def _raw_row(sample: GradedSample) -> dict[str, str]:
    row = {"task_id": sample.task_id, "solution": sample.raw}
    row |= {"finish_reason": "length"} if sample.cut else {}
    return row | ({"thought": sample.thought} if sample.thought else {})


def json_text(rows: Iterable[object]) -> str:
    """JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write_text(path: Path, text: str) -> None:
    """Writes a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())
