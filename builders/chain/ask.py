"""The first link of every chain: samples (codes and tests of a model), recorded by the user or asked for here."""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import jinja2
import pyarrow as pa
from pydantic import Field
from tqdm import tqdm

from codepref.errors import CodeprefError
from codepref.extract import given_examples
from codepref.files import BadLine, LineError, checked_text, file_hash, good_lines, json_word
from codepref.generate import Completion, Generator, Request, Sampling
from codepref.generate.backends import Backend, answer_options, connected
from codepref.generate.local import release
from codepref.generate.progress import counting
from codepref.generate.recorded import CODES, Recording, RecordingError, entry_point_of, read_recordings
from codepref.ondisk import Rows
from codepref.records import Exclusion, Sample, Samples, from_table, to_table
from codepref.stages import Runner, progress, stage_line
from codepref.stdin import text_of
from codepref.store import Shard, Stage
from codepref.templates import compile_template

TEMPLATES = Path(__file__).parent.parent / "prompts"
AHEAD = 20
"""Shards are asked for together until they hold this many times the requests that servers take at once: at the end of
each group the servers run dry, for about one part in so many of the time."""
Count = Annotated[int, Field(ge=1)]
Row = TypeVar("Row")
PROMPT_KEYS = ("prompt_id", "prompt", "entry_point")


@dataclass(frozen=True)
class Generation(Backend):
    """How samples are asked for: what is asked (the keys of `Backend`), and in which words."""

    sampling: Sampling = Sampling()  # noqa: RUF009 - frozen
    """How codes and tests are drawn."""
    task_sampling: Sampling = Sampling(temperature=0.7)  # noqa: RUF009 - frozen
    """How concepts and tasks are drawn: they must keep a format, so cooler than codes."""
    code_template: str = str(TEMPLATES / "code.jinja")
    test_template: str = str(TEMPLATES / "test.jinja")
    concept_template: str = str(TEMPLATES / "concepts.jinja")
    task_template: str = str(TEMPLATES / "task.jinja")
    gpu_tokens_per_second: Annotated[float, Field(gt=0)] = 2500.0
    """For `--estimate`: completion tokens that one GPU gives, all requests together. Assumed; a server logs its own."""


def recorded_stage(runner: Runner, path: str, shard_size: int, skip_bad: bool, codes: str = CODES) -> Stage:
    """Samples from a recordings file (docs/formats.md), or with `codes=VERSIONS` from one of trajectories.

    Raises:
        CodeprefError: the file has bad lines and `skip_bad` is off; nothing was written.
    """
    try:
        depends = {"sha256": file_hash(path), "shard_size": shard_size, "skip_bad": skip_bad}
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror}; name a .jsonl or .jsonl.gz file") from None
    if runner.store.stage("samples", depends).done:
        return runner.source("samples", iter(()), depends, 0)
    recordings, bad = read_recordings(path, skip_bad=skip_bad, codes=codes)
    return runner.source("samples", _shards(map(sampled, recordings), shard_size, bad), depends, len(recordings))


def sampled(recording: Recording) -> Samples:
    """A recording as a row."""
    return Samples(
        recording.prompt_id,
        recording.prompt,
        recording.entry_point,
        tuple(Sample(text) for text in recording.codes),
        tuple(Sample(text) for text in recording.tests),
        recording.generator or None,
        recording.source or None,
        recording.licence or None,
        recording.examples,
    )


def _shards(rows: Iterable[Samples], size: int, bad: Sequence[BadLine]) -> Iterator[Shard]:
    """Tables of `size` rows, at least one; the first says which lines were left out."""
    skipped = tuple(Exclusion("samples", "", "line", "bad line", line.line, line.problem) for line in bad)
    left = iter(rows)
    yield Shard(to_table(islice(left, size), Samples), skipped)
    while held := list(islice(left, size)):
        yield Shard(to_table(held, Samples))


@dataclass(frozen=True)
class Question:
    """One thing a stage asks about every row."""

    purpose: str
    template: str
    """Path of the prompt template; it knows the fields of the row."""
    n: int
    """Independent samples a row."""


Answered = Callable[[Any, Sequence[Sequence[Completion]], str], tuple[Sequence[Any], Sequence[Exclusion]]]
"""`answered(row, one list of completions a question, generator name) -> (new rows, what was left out)`; pure."""


@dataclass(frozen=True)
class Inquiry:
    """What is asked about every row of a stage, and what becomes of the answers."""

    questions: Sequence[Question]
    answered: Answered
    """Makes new rows of a row and its answers."""
    asked_record: type
    """Record class of the rows that are asked about; its first field is the row's id."""
    answered_record: type
    """Record class of the new rows."""


@dataclass(frozen=True)
class Drawing:
    """Who answers, and how its tokens are drawn."""

    generation: Generation
    sampling: Sampling
    seed: int
    """Run seed; every sample's own seed is derived from it."""


@dataclass(frozen=True)
class _StageSettings:
    """Everything the answers of a shard depend on; where the model is served is not part of it."""

    model: str
    templates: tuple[str, ...]
    """sha256 of the template of every question."""
    samples: Mapping[str, int]
    sampling: Sampling
    options: Mapping[str, Any]
    seed: int


def ask_stage(runner: Runner, name: str, source: Stage, inquiry: Inquiry, drawing: Drawing) -> Stage:
    """Runs a stage whose rows are made of a model's answers to questions about the rows of another stage.

    Args:
        runner: Where the stage goes; answers are also kept in `requests.sqlite` there, so none is asked for twice.
        name: Stage name.
        source: Stage with the rows that are asked about.
        inquiry: What is asked about each row.
        drawing: Who answers.

    Raises:
        CodeprefError: the backend or a template can not be used, or the model does not answer.
    """
    with ExitStack() as stack:
        cache = runner.store.root / "requests.sqlite"
        say = _silent if runner.quiet else _say
        generator = stack.enter_context(connected(drawing.generation, drawing.sampling, cache, drawing.seed, say))
        settings = _settings(generator, inquiry, drawing)
        total = source.summary()["rows_out"] * sum(settings.samples.values())
        bar = stack.enter_context(progress(name, total, "sample", quiet=runner.quiet))

        count = counting(bar, generator.stats)
        stage = runner.store.stage(name, settings, [source])
        # Shards are asked for ahead, several at once; the stage's function then finds their answers in order.
        todo = [index for index in range(len(source.shards())) if not stage.has(index)]
        shards = (_requests(source.read(index), inquiry) for index in todo)
        answers = _in_groups(shards, drawing.generation, lambda requests: generator.generate(requests, on_done=count))

        def answer_shard(_: _StageSettings, table: pa.Table) -> Shard:
            return _answered_shard(inquiry, table, next(answers), generator.name)

        try:
            stage = replace(runner, quiet=True).map(name, answer_shard, settings, [source], here=True)
        finally:
            bar.close()
            say(f"{name:<11} {generator.stats}")
        say(stage_line(stage.summary()))
        return stage


def _settings(generator: Generator, inquiry: Inquiry, drawing: Drawing) -> _StageSettings:
    hashes = tuple(_template_hash(question.template) for question in inquiry.questions)
    counts = {question.purpose: question.n for question in inquiry.questions}
    options = answer_options(drawing.generation)
    return _StageSettings(generator.name, hashes, counts, drawing.sampling, options, drawing.seed)


def _answered_shard(inquiry: Inquiry, table: pa.Table, answers: list[list[Completion]], generator: str) -> Shard:
    """The new rows of one shard; `answers` holds one list a request, row by row, question by question."""
    coming = iter(answers)
    made, excluded = list[Any](), list[Exclusion]()
    row: Any
    for row in from_table(table, inquiry.asked_record):
        rows, left_out = inquiry.answered(row, [next(coming) for _ in inquiry.questions], generator)
        made += rows
        excluded += left_out
    return Shard(to_table(made, inquiry.answered_record), tuple(excluded))


def _requests(table: pa.Table, inquiry: Inquiry) -> list[Request]:
    found = list[Request]()
    row: Any
    for row in from_table(table, inquiry.asked_record):
        found += requests_of(row, inquiry.questions)
    return found


def _in_groups(
    shards: Iterator[list[Request]],
    generation: Generation,
    generate: Callable[[list[Request]], list[list[Completion]]],
) -> Iterator[list[list[Completion]]]:
    """The answers to the requests of each shard, asked for in groups of shards that keep all servers busy."""
    most = 0 if generation.server is None else AHEAD * generation.server.in_flight
    for shard in shards:
        group = [shard]
        while sum(request.n for requests in group for request in requests) < most:
            following = next(shards, None)
            if following is None:
                break
            group.append(following)
        answers = iter(generate([request for requests in group for request in requests]))
        for requests in group:
            yield [next(answers) for _ in requests]


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)


def _silent(_: str) -> None:
    pass


def _template_hash(path: str) -> str:
    try:
        return file_hash(path)
    except OSError as error:
        raise CodeprefError(f"{path}: {error.strerror}; name a template file") from None


def rows_of(stage: Stage, record: type[Row]) -> Iterator[Row]:
    """The records of a finished stage."""
    for index in range(stage.summary()["shards"]):
        yield from from_table(stage.read(index), record)


def requests_of(row: Any, questions: Sequence[Question]) -> list[Request]:
    """What is asked about one row: one request a question, its samples not yet told apart."""
    values = asdict(row)
    row_id = next(iter(values.values()))
    return [Request(row_id, q.purpose, render_prompt(Path(q.template), values), n=q.n) for q in questions]


def prompt_stage(runner: Runner, path: str, shard_size: int) -> Stage:
    """Prompts of the user: JSON lines `{"prompt_id", "prompt", "entry_point"}`, optionally `source`, `licence`,
    `tests` (a list, for methods that need not ask for them) and `examples` (tests that are known to be right). The
    entry point is null for programs that read standard input; it may be left out where all tests are by input and
    output.

    Raises:
        CodeprefError: a line can not be used, or two have the same id.
    """
    rows = _read_prompts(Path(path))
    depends = {"sha256": file_hash(path), "shard_size": shard_size}
    return runner.source("prompts", _shards(rows, shard_size, ()), depends, len(rows))


def sample_questions(generation: Generation, codes: int, tests: int) -> tuple[Question, Question]:
    """What is asked about every prompt: codes and tests, in separate requests."""
    return Question("code", generation.code_template, codes), Question("test", generation.test_template, tests)


def generated_stage(
    runner: Runner, source: Stage, generation: Generation, *, codes: int, tests: int, seed: int
) -> Stage:
    """Samples asked from a model: `codes` programs and `tests` answers with tests for every prompt of `source`."""
    inquiry = Inquiry(sample_questions(generation, codes, tests), _with_samples, Samples, Samples)
    stage = ask_stage(runner, "samples", source, inquiry, Drawing(generation, generation.sampling, seed))
    release()  # nothing more is asked: what comes next has the memory
    return stage


def _with_samples(
    row: Samples, answers: Sequence[Sequence[Completion]], name: str
) -> tuple[list[Samples], list[Exclusion]]:
    codes, tests = map(_as_samples, answers)
    kinds: tuple[Literal["code", "test"], ...] = ("code", "test")
    unanswered = [
        Exclusion("samples", row.prompt_id, kind, "no answer", index, completion.finish_reason)
        for kind, answer in zip(kinds, answers, strict=True)
        for index, completion in enumerate(answer)
        if not completion.text.strip()
    ]
    return [replace(row, codes=codes, tests=tests, generator=name)], unanswered


def _as_samples(answer: Sequence[Completion]) -> tuple[Sample, ...]:
    """The samples that hold an answer."""
    return tuple(Sample(found.text, found.seed, found.finish_reason) for found in answer if found.text.strip())


def _read_prompts(path: Path) -> Rows:
    """Rows by prompt id."""
    found = Rows()
    for number, entry in good_lines(path):
        try:
            row = _read_prompt(entry)
        except LineError as error:
            raise CodeprefError(f"{path}:{number}: {error.problem}; {error.remedy}") from None
        if (first := found.first(row.prompt_id)) is not None:
            raise CodeprefError(f"{path}:{number}: prompt_id {row.prompt_id!r} is already on line {first}")
        found.add(row.prompt_id, number, row)
    return found


def _read_prompt(entry: Mapping[str, Any]) -> Samples:
    """The prompt of a line.

    Raises:
        LineError: a key is missing or is no text.
    """
    missing = [key for key in PROMPT_KEYS[:2] if key not in entry]
    if missing:
        raise LineError(f"missing key {missing[0]!r}", f"every line needs {', '.join(PROMPT_KEYS)}")
    prompt_id, prompt = (checked_text(entry[key], key) for key in PROMPT_KEYS[:2])
    tests = entry.get("tests", [])
    if not isinstance(tests, list):
        raise LineError(f"tests is {json_word(tests)}", "write a list of texts")
    given = tuple(Sample(text_of(test, f"tests[{index}]")) for index, test in enumerate(tests))
    entry_point = entry_point_of(entry)
    examples = given_examples(entry, entry_point)
    about = {key: entry.get(key) for key in ("source", "licence")}
    return Samples(prompt_id, prompt, entry_point, (), given, **about, examples=examples)


def render_prompt(template: Path, values: dict[str, object]) -> str:
    """A prompt template filled in.

    Raises:
        CodeprefError: it can not be read, is no template, or uses a name that is not among `values`.
    """
    try:
        return compile_template(template.read_text(encoding="utf-8")).render(values).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CodeprefError(f"{template}: {getattr(error, 'strerror', error)}; name a template file") from None
    except jinja2.TemplateError as error:
        line = f":{error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
        raise CodeprefError(f"{template}{line}: {error.message}; known names: {', '.join(values)}") from None
