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
from codepref.generate.base import Completion, GenerationError, OnDone, Request, Sampling, Stats
from codepref.generate.cache import Cache
from codepref.generate.cached import CachedLoop, Wanted
from codepref.generate.tiny import text
from codepref.generate.tiny.tasks import ENTRY_POINT, NotOfTheFamily, Task, read_task

if TYPE_CHECKING:
    from codepref.generate.tiny.sampler import Sampler, TextJob, Written

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


class TinyGenerator:
    """See `Generator`. A text depends on checkpoint, prompt, sampling and seed only, not on what else is asked."""

    def __init__(self, config: TinyConfig, sampling: Sampling, cache: Cache, run_seed: int = 0) -> None:
        """Raises GenerationError when the folder holds no checkpoint. Weights are loaded by the first `generate`."""
        self.config = config
        self.sampling = sampling
        self.stats = Stats()
        self.name = f"tiny-{checkpoint_fingerprint(Path(config.checkpoint))}"
        self._loop = CachedLoop(cache, run_seed, self.stats)

    def generate(self, requests: Sequence[Request], on_done: OnDone | None = None) -> list[list[Completion]]:
        """See `Generator.generate`. Raises NotOfTheFamily before anything is drawn when a prompt is none of its own."""
        return self._loop.complete(requests, self._payload, functools.partial(self._draw, requests), on_done)

    def sampling_of(self, request: Request) -> Sampling:
        """How a request's texts are drawn."""
        if request.purpose not in ("test", "repair") or self.config.test_temperature is None:
            return self.sampling
        return replace(self.sampling, temperature=self.config.test_temperature)

    def _payload(self, request: Request) -> dict[str, Any]:
        return {
            "model": self.name,
            "prompt": model_prompt(request),
            "sampling": asdict(self.sampling_of(request)),
            "tests_per_answer": self.config.tests_per_answer,
        }

    def _draw(self, requests: Sequence[Request], missing: Sequence[Wanted]) -> Iterator[tuple[Wanted, Completion]]:
        """Texts of one temperature are drawn together."""
        by_sampling: dict[Sampling, list[Wanted]] = {}
        for wanted in missing:
            by_sampling.setdefault(self.sampling_of(requests[wanted.position]), []).append(wanted)
        model, tokenizer = _loaded(self.config)
        for sampling, together in by_sampling.items():
            jobs = [self._job(tokenizer, requests[wanted.position], wanted.seed) for wanted in together]
            for number, written in model.write(jobs, sampling):
                yield together[number], _completion(tokenizer, jobs[number], written, sampling.stop)

    def _job(self, tokenizer: Any, request: Request, seed: int) -> "TextJob":
        from codepref.generate.tiny.sampler import TextJob

        asked = model_prompt(request)
        lines = self.config.tests_per_answer if asked.endswith(text.TEST) else None
        return TextJob(tuple(tokenizer.encode(asked).ids), seed, lines)


def model_prompt(request: Request) -> str:
    """What the model reads for a builder's request: the task and, for a repair, the program and the test it fails.

    The wording around them is for models that read English; this one only knows `codepref.generate.tiny.text`.

    Raises:
        NotOfTheFamily: the request holds no prompt of the family.
        GenerationError: the model was never taught what is asked.
    """
    try:
        task = read_task(request.prompt)
    except NotOfTheFamily as error:
        raise NotOfTheFamily(f"prompt {request.prompt_id!r}: {error}") from None
    if request.purpose in ("code", "vote"):
        return text.code_prompt(task.prompt)
    if request.purpose in ("test", "repair"):  # asked to mend a test, it can only write another one
        return text.test_prompt(task.prompt)
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
    return text.repair_prompt(task.prompt, programs[-1], failing[0]) if failing else text.code_prompt(task.prompt)


def checkpoint_fingerprint(checkpoint: Path) -> str:
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


def _completion(tokenizer: Any, job: "TextJob", written: "Written", stop: Sequence[str]) -> Completion:
    found: str = tokenizer.decode(written.ids, skip_special_tokens=True)
    ends = [found.index(end) for end in stop if end in found]
    reason = "stop" if written.finished or ends else "length"
    return Completion(found[: min(ends, default=len(found))], job.seed, reason, len(job.ids), len(written.ids))
