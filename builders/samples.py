"""The first link of every chain: samples (codes and tests of a model), recorded by the user or asked for here."""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import jinja2
import pyarrow as pa
from pydantic import Field
from tqdm import tqdm

from codepref.errors import CodeprefError
from codepref.generate import Completion, Generator, Request, Sampling
from codepref.generate.cache import Cache
from codepref.generate.recorded import BadLine, Recording
from codepref.generate.recorded import read as read_recordings
from codepref.generate.scripted import ScriptedGenerator, read_script
from codepref.generate.server import ServerConfig, ServerGenerator
from codepref.records import Exclusion, Sample, Samples, from_table, to_table
from codepref.stages import Runner
from codepref.store import Shard, Stage

TEMPLATES = Path(__file__).parent / "prompts"
Count = Annotated[int, Field(ge=1)]


@dataclass(frozen=True)
class Generation:
    """How samples are asked for."""

    server: ServerConfig | None = None
    """An OpenAI-compatible endpoint; this or `script`."""
    script: str | None = None
    """Answers known in advance, for dry runs: JSON lines `{"prompt_id", "purpose", "answers"}`."""
    sampling: Sampling = Sampling()  # noqa: RUF009 - frozen
    code_template: str = str(TEMPLATES / "code.jinja")
    test_template: str = str(TEMPLATES / "test.jinja")


def recorded(runner: Runner, path: str, shard_size: int, skip_bad: bool) -> Stage:
    """Samples from a recordings file (README, "Your own samples").

    Raises:
        CodeprefError: the file has bad lines and `skip_bad` is off; nothing was written.
    """
    recordings, bad = read_recordings(path, skip_bad=skip_bad)
    rows = sorted((_samples(recording) for recording in recordings), key=lambda row: row.prompt_id)
    depends = {"sha256": file_hash(path), "shard_size": shard_size, "skip_bad": skip_bad}
    return runner.source("samples", _shards(rows, shard_size, bad), depends, len(rows))


def _samples(recording: Recording) -> Samples:
    return Samples(
        recording.prompt_id,
        recording.prompt,
        recording.entry_point,
        tuple(Sample(text) for text in recording.codes),
        tuple(Sample(text) for text in recording.tests),
        recording.generator or None,
        recording.source or None,
        recording.licence or None,
    )


def _shards(rows: Sequence[Samples], size: int, bad: Sequence[BadLine]) -> Iterator[Shard]:
    skipped = tuple(Exclusion("samples", "", "line", "bad line", line.line, line.problem) for line in bad)
    for start in range(0, max(len(rows), 1), size):
        yield Shard(to_table(rows[start : start + size], Samples), skipped if start == 0 else ())


def file_hash(path: str | Path) -> str:
    """sha256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class _Asking:
    """Everything the samples of a shard depend on; where the model is served is not part of it."""

    model: str
    templates: tuple[str, str]
    """sha256 of the code and the test template."""
    sampling: Sampling
    options: Mapping[str, Any]
    codes: int
    tests: int
    seed: int


def generated(
    runner: Runner, prompts: str, generation: Generation, *, codes: int, tests: int, seed: int, shard_size: int
) -> Stage:
    """Samples asked from a model: `codes` programs and `tests` answers with tests a prompt, in separate requests.

    Args:
        runner: Where the stages go; answers are also kept in `requests.sqlite` there, so none is asked for twice.
        prompts: JSON lines `{"prompt_id", "prompt", "entry_point"}`, optionally `source` and `licence`.
        generation: Backend and templates.
        codes: Number of code samples a prompt.
        tests: Number of test samples a prompt.
        seed: Run seed; every sample's own seed is derived from it.
        shard_size: Prompts a shard.
    """
    rows = sorted(_read_prompts(Path(prompts)), key=lambda row: row.prompt_id)
    source = runner.source("prompts", _shards(rows, shard_size, ()), {"sha256": file_hash(prompts)}, len(rows))
    with _connected(generation, runner.store.root / "requests.sqlite", seed) as generator:
        hashes = (file_hash(generation.code_template), file_hash(generation.test_template))
        asking = _Asking(generator.name, hashes, generation.sampling, _options(generation), codes, tests, seed)
        bar = tqdm(total=len(rows) * (codes + tests), desc="samples", unit="sample", disable=runner.quiet, leave=False)

        def count(_: Request, done: list[Completion]) -> None:
            bar.update(len(done))

        def ask(config: _Asking, table: pa.Table) -> Shard:
            shard = list(from_table(table, Samples))
            requests = [request for row in shard for request in _requests(row, generation, config)]
            answers = generator.generate(requests, on_done=count)
            return _answered(shard, answers, generator.name)

        with bar:
            stage = replace(runner, quiet=True).map("samples", ask, asking, [source], here=True)
        if not runner.quiet:
            print(f"{'samples':<11} {generator.stats}", file=sys.stderr)
        return stage


def _options(generation: Generation) -> dict[str, Any]:
    """What changes the answers of a backend, besides model and sampling."""
    if generation.server is None:
        return {"script": file_hash(generation.script)} if generation.script else {}
    server = generation.server
    return {"api": server.api, "batch_choices": server.batch_choices, "extra": dict(server.extra)}


@contextmanager
def _connected(generation: Generation, cache: Path, seed: int) -> Iterator[Generator]:
    if generation.script is not None and generation.server is None:
        yield ScriptedGenerator(read_script(generation.script), run_seed=seed, choose="seed")
    elif generation.server is not None and generation.script is None:
        with Cache(cache) as answers:
            yield ServerGenerator(generation.server, generation.sampling, answers, run_seed=seed)
    else:
        raise CodeprefError("configuration: 'generation' needs either 'server' (model, base_url) or 'script' (a file)")


def _read_prompts(path: Path) -> Iterator[Samples]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CodeprefError(f"{path}: {error}; give prompts=FILE, JSON lines") from None
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            prompt_id, prompt, entry_point = (row[key] for key in ("prompt_id", "prompt", "entry_point"))
        except (ValueError, TypeError, KeyError) as error:
            need = 'expected {"prompt_id", "prompt", "entry_point"}'
            raise CodeprefError(f"{path}:{number}: {type(error).__name__}: {error}; {need}") from None
        if seen.setdefault(prompt_id, number) != number:
            raise CodeprefError(f"{path}:{number}: prompt_id {prompt_id!r} is already on line {seen[prompt_id]}")
        yield Samples(prompt_id, prompt, entry_point, (), (), source=row.get("source"), licence=row.get("licence"))


def _requests(row: Samples, generation: Generation, config: _Asking) -> list[Request]:
    texts = {"code": generation.code_template, "test": generation.test_template}
    return [
        Request(row.prompt_id, purpose, render(Path(texts[purpose]), asdict(row)), n=n)
        for purpose, n in (("code", config.codes), ("test", config.tests))
    ]


def render(template: Path, values: dict[str, object]) -> str:
    """A prompt template filled in; an unknown name in the template is an error."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=False)
    return environment.from_string(template.read_text(encoding="utf-8")).render(values).strip()


def _answered(rows: Sequence[Samples], answers: Sequence[Sequence[Completion]], name: str) -> Shard:
    def samples(completions: Sequence[Completion]) -> tuple[Sample, ...]:
        return tuple(Sample(c.text, c.seed, c.finish_reason) for c in completions)

    pairs = zip(answers[::2], answers[1::2], strict=True)
    done = [
        replace(row, codes=samples(code), tests=samples(test), generator=name)
        for row, (code, test) in zip(rows, pairs, strict=True)
    ]
    return Shard(to_table(done, Samples))
