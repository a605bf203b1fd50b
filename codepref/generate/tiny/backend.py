"""Generation backend `tiny`: codes, tests and repairs by the tiny model, for prompts of its own family."""

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from codepref.extract import defines, fenced_blocks
from codepref.files import file_hash
from codepref.generate.base import (
    Completion,
    GenerationError,
    OnDone,
    Request,
    Sampling,
    Stats,
    check_requests,
    repeats,
    sample_seed,
)
from codepref.generate.cache import Cache, payload_key
from codepref.generate.tiny import text
from codepref.generate.tiny.tasks import ENTRY_POINT, NotOfTheFamily, Task, read

if TYPE_CHECKING:
    from codepref.generate.tiny.sampler import Job, Sampler, Written

CHECKPOINT = Path(__file__).parent / "checkpoint"
FAILING = re.compile(rf"^assert {ENTRY_POINT}\(.*$", re.MULTILINE)


@dataclass(frozen=True)
class TinyConfig:
    """Which checkpoint, and how it is run. The defaults are the shipped one, on all cores."""

    checkpoint: str = str(CHECKPOINT)
    """Folder in the Hugging Face format, as `codepref tiny train` writes it."""
    test_temperature: Annotated[float, Field(ge=0)] | None = 0.4
    """Tests are drawn cooler than programs: one wrong digit spoils them. null: like programs."""
    tests_per_answer: Annotated[int, Field(ge=1, le=5)] = 1
    """Tests in one answer. Later ones lean on earlier ones, mistakes included, so one each is better evidence."""
    threads: Annotated[int, Field(ge=1)] | None = None
    """Batches written at the same time; by default one for each core. Texts do not depend on it."""


@dataclass(frozen=True)
class _Todo:
    """One sample that is not in the cache."""

    position: int
    index: int
    seed: int
    key: bytes
    asked: str


class TinyGenerator:
    """See `Generator`. A text depends on checkpoint, prompt, sampling and seed only, not on what else is asked."""

    def __init__(self, config: TinyConfig, sampling: Sampling, cache: Cache, run_seed: int = 0) -> None:
        """Raises GenerationError when the folder holds no checkpoint. Weights are loaded by the first `generate`."""
        self.config = config
        self.sampling = sampling
        self.cache = cache
        self.run_seed = run_seed
        self.stats = Stats()
        self.name = f"tiny-{fingerprint(Path(config.checkpoint))}"

    def generate(self, requests: Sequence[Request], on_done: OnDone | None = None) -> list[list[Completion]]:
        """See `Generator.generate`. Raises NotOfTheFamily before anything is drawn when a prompt is none of its own."""
        check_requests(requests)
        asked = [model_prompt(request) for request in requests]
        done: list[dict[int, Completion]] = [{} for _ in requests]
        todo: list[_Todo] = []

        def take(position: int, index: int, completion: Completion) -> None:
            done[position][index] = completion
            if len(done[position]) == requests[position].n and on_done is not None:
                on_done(requests[position], _in_order(done[position]))

        for item in self._samples(requests, asked):
            kept = self.cache.get(item.key)
            if kept is None:
                todo.append(item)
            else:
                self.stats.cached += 1
                take(item.position, item.index, kept[0])
        for sampling, items in self._by_sampling(requests, todo):
            for item, completion in self._drawn(sampling, items):
                self.cache.put(item.key, [completion])
                self._count(completion)
                take(item.position, item.index, completion)
        results = [_in_order(slots) for slots in done]
        self.stats.repeated += sum(map(repeats, results))
        return results

    def sampling_of(self, request: Request) -> Sampling:
        """How a request's texts are drawn."""
        if request.purpose not in ("test", "repair") or self.config.test_temperature is None:
            return self.sampling
        return replace(self.sampling, temperature=self.config.test_temperature)

    def _samples(self, requests: Sequence[Request], asked: Sequence[str]) -> Iterator[_Todo]:
        for position, request in enumerate(requests):
            how = asdict(self.sampling_of(request))
            for index in range(request.n):
                seed = sample_seed(self.run_seed, request.prompt_id, request.purpose, index)
                payload = {"model": self.name, "prompt": asked[position], "sampling": how, "seed": seed}
                key = payload_key({**payload, "tests_per_answer": self.config.tests_per_answer})
                yield _Todo(position, index, seed, key, asked[position])

    def _by_sampling(
        self, requests: Sequence[Request], todo: Sequence[_Todo]
    ) -> Iterator[tuple[Sampling, list[_Todo]]]:
        found: dict[Sampling, list[_Todo]] = {}
        for item in todo:
            found.setdefault(self.sampling_of(requests[item.position]), []).append(item)
        yield from found.items()

    def _drawn(self, sampling: Sampling, items: Sequence[_Todo]) -> Iterator[tuple[_Todo, Completion]]:
        model, tokenizer = _loaded(self.config)
        jobs = [self._job(tokenizer, item) for item in items]
        for number, written in model.write(jobs, sampling):
            yield items[number], _completion(tokenizer, jobs[number], written, sampling.stop)

    def _job(self, tokenizer: Any, item: _Todo) -> "Job":
        from codepref.generate.tiny.sampler import Job

        lines = self.config.tests_per_answer if item.asked.endswith(text.TEST) else None
        return Job(tuple(tokenizer.encode(item.asked).ids), item.seed, lines)

    def _count(self, completion: Completion) -> None:
        self.stats.answers += 1
        self.stats.empty += not completion.text.strip()
        self.stats.prompt_tokens += completion.prompt_tokens
        self.stats.completion_tokens += completion.completion_tokens


def model_prompt(request: Request) -> str:
    """What the model reads for a builder's request: the task and, for a repair, the program and the test it fails.

    The wording around them is for models that read English; this one only knows `codepref.generate.tiny.text`.

    Raises:
        NotOfTheFamily: the request holds no prompt of the family.
        GenerationError: the model was never taught what is asked.
    """
    try:
        task = read(request.prompt)
    except NotOfTheFamily as error:
        raise NotOfTheFamily(f"prompt {request.prompt_id!r}: {error}") from None
    if request.purpose in ("code", "vote"):
        return text.code(task.prompt)
    if request.purpose in ("test", "repair"):  # asked to mend a test, it can only write another one
        return text.test(task.prompt)
    if request.purpose.startswith("refine"):
        return _repair(task, request.prompt)
    raise GenerationError(
        f"prompt {request.prompt_id!r}: the tiny model writes programs, tests and repairs, and was asked for "
        f"{request.purpose!r}; take another generation backend for that"
    )


def _repair(task: Task, asked: str) -> str:
    """A repair needs a program and a failing test. Where one is missing, a new program is all that can be asked for."""
    programs = [block for block in fenced_blocks(asked) if defines(block, ENTRY_POINT) and task.prompt not in block]
    failing = FAILING.search(asked.rpartition(programs[-1])[2]) if programs else None
    return text.repair(task.prompt, programs[-1], failing[0]) if failing else text.code(task.prompt)


def fingerprint(checkpoint: Path) -> str:
    """Eight hexadecimal digits that tell one checkpoint's weights from another's.

    Raises:
        GenerationError: there is none.
    """
    try:
        return file_hash(checkpoint / "model.safetensors")[:8]
    except OSError as error:
        raise GenerationError(
            f"{checkpoint}: no checkpoint ({error.strerror}); name a folder that `codepref tiny train` wrote"
        ) from None


def _in_order(slots: dict[int, Completion]) -> list[Completion]:
    return [slots[index] for index in range(len(slots))]


@functools.lru_cache(maxsize=2)
def _loaded(config: TinyConfig) -> "tuple[Sampler, Any]":
    """The model and its tokenizer, once a process and configuration."""
    try:
        from tokenizers import Tokenizer

        from codepref.generate.tiny.sampler import Sampler
    except ImportError as error:
        raise GenerationError(f"the tiny model needs {error.name}: pip install 'codepref[local]'") from None
    folder = Path(config.checkpoint)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    (newline,) = tokenizer.encode("\n").ids
    return Sampler(folder, text.SPECIAL.index(text.END), newline, config.threads), tokenizer


def _completion(tokenizer: Any, job: "Job", written: "Written", stop: Sequence[str]) -> Completion:
    found: str = tokenizer.decode(written.ids, skip_special_tokens=True)
    ends = [found.index(end) for end in stop if end in found]
    reason = "stop" if written.finished or ends else "length"
    return Completion(found[: min(ends, default=len(found))], job.seed, reason, len(job.ids), len(written.ids))
