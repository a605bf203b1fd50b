"""What one call of a server's `generate` has gathered, which samples have no answer, and when that is too many."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from codepref.generate.base import Completion, GenerationError, OnDone, Request

EMPTY_LIMIT = 20
"""Samples without an answer in a row, of as many prompts where there are so many, that end a run."""


class SampleLost(GenerationError):
    """There is no answer for one sample; others may still get theirs."""

    def __init__(self, line: str, reason: str) -> None:
        """`reason` is the `finish_reason` of the empty sample."""
        super().__init__(line)
        self.reason = reason


class PromptRefused(SampleLost):
    """The server can not answer this one prompt."""


@dataclass(frozen=True)
class Job:
    """`want` samples of one request, whose seeds start at sample `index`; they fill `slots[index:index + want]`."""

    position: int
    request: Request
    index: int
    want: int


def jobs_of(requests: Sequence[Request], batch: bool) -> Iterator[Job]:
    """What is asked for: all samples of a request together, or one by one."""
    for position, request in enumerate(requests):
        if batch:
            yield Job(position, request, 0, request.n)
        else:
            yield from (Job(position, request, index, 1) for index in range(request.n))


@dataclass
class Drought:
    """The samples without an answer since the last one that had one, over all calls of a generator."""

    answered: bool = False
    """Whether any sample ever had an answer."""
    count: int = 0
    prompts: set[str] = field(default_factory=set)
    first: str = ""

    def end(self) -> None:
        """A sample has an answer."""
        self.answered, self.count = True, 0
        self.prompts.clear()

    def error(self, prompt_id: str, why: GenerationError, prompts: int) -> GenerationError | None:
        """Counts a sample without an answer, out of a call with so many prompts; the error when it is one too many."""
        if not self.count:
            self.first = str(why)
        self.count += 1
        self.prompts.add(prompt_id)
        if self.count < EMPTY_LIMIT or len(self.prompts) < min(EMPTY_LIMIT, prompts):
            return None
        return GenerationError(f"{self.count} samples in a row without an answer, the first: {self.first}")


class Gathered:
    """What one call of `generate` has gathered so far."""

    def __init__(self, requests: Sequence[Request], on_done: OnDone | None) -> None:
        self.requests = requests
        self.prompts = {request.prompt_id for request in requests}
        self.refused: dict[int, PromptRefused] = {}
        self.lost: list[SampleLost] = []
        """Samples for which the server, not the model, had no answer."""
        self.fatal: GenerationError | None = None
        self._on_done = on_done
        self._partial: dict[int, dict[int, Completion]] = {}
        self._done: dict[int, list[Completion]] = {}

    def add(self, job: Job, completions: Sequence[Completion]) -> None:
        """Puts the samples of a job in their places."""
        slots = self._partial.setdefault(job.position, {})
        slots.update(enumerate(completions, start=job.index))
        if len(slots) == job.request.n:
            del self._partial[job.position]
            self._done[job.position] = [slots[index] for index in range(job.request.n)]
            if self._on_done is not None:
                self._on_done(job.request, self._done[job.position])

    def lose(self, job: Job, why: SampleLost) -> None:
        """Notes that there is no answer for a sample, or for all further ones of its prompt."""
        self.lost.append(why)
        if isinstance(why, PromptRefused):
            self.refused.setdefault(job.position, why)

    def results(self) -> list[list[Completion]]:
        """All samples. Raises the error that stopped the run."""
        if self.fatal is not None:
            raise self.fatal
        return [self._done[position] for position in range(len(self.requests))]

    def empties(self) -> str:
        """How many samples have no answer, by reason, in a line; nothing where all have one."""
        found = [one for done in self._done.values() for one in done]
        reasons = [one.finish_reason for one in found if not one.text.strip()]
        if not reasons:
            return ""
        counts = Counter(reason.partition(":")[0] for reason in reasons)
        words = ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common())
        quote = next((f"; e.g. {reason}" for reason in reasons if ":" in reason), "")
        return f"{len(reasons):,} of {len(found):,} samples are without an answer ({words}){quote}"
