"""The family of tasks: chains of one to three steps on a list of numbers, described in English.

Which tasks are for pre-training, for building datasets and for evaluation is decided by the *set* of steps: a held-out
task shares its set, in whatever order and with whatever constants, with no task of another split. Single steps always
belong to pre-training, so every step is known and only their compositions are new.
"""

import functools
import hashlib
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from codepref.generate.base import GenerationError
from codepref.generate.tiny.steps import LAST_STEPS, LIST_STEPS, STEPS

Split = Literal["train", "build", "heldout"]
Value = list[int] | int | bool
Function = Callable[[list[int]], Value]

ENTRY_POINT = "solve"
SHARES = {"train": 70, "build": 85, "heldout": 100}
"""Upper ends of the splits' percentiles: 70 % of the sets of steps for pre-training, 15 % each for the others."""
HIDDEN_TESTS = 30
FLAT = 0.7
"""A task that gives one and the same value on more than this share of its hidden tests says too little."""
WORLD = ("", "Given a list of numbers, ", "Here is a list of integers: ", "For the list nums, ")
JOINS = (", then ", "; ", ", after that ", ", next ")
LAST_JOINS = (" and ", ", then ", "; finally ", ", and ")
RETURNS = ("return the list", "return the result")
PROMPT = re.compile(r'def solve\(nums\):\n    """(?P<text>[^"\n]+)"""')


class NotOfTheFamily(GenerationError):
    """A prompt the tiny model was never taught to answer."""


@dataclass(frozen=True)
class Task:
    """One task. `steps` are names of `STEPS` with their constant, None where the step has none."""

    steps: tuple[tuple[str, int | None], ...]
    description: str

    @property
    def split(self) -> Split:
        """Which of the three this task belongs to."""
        return split_of([name for name, _ in self.steps])

    @property
    def prompt(self) -> str:
        """The prompt as datasets and the model have it: a function's head and its docstring."""
        return f'def {ENTRY_POINT}(nums):\n    """{self.description}"""'

    @property
    def task_id(self) -> str:
        """Hash of the prompt."""
        return "tiny-" + hashlib.sha256(self.prompt.encode()).hexdigest()[:12]

    @property
    def reference(self) -> str:
        """A right program."""
        return render_program([STEPS[name].right[0].replace("{k}", str(k)) for name, k in self.steps])

    def truth(self, nums: Sequence[int]) -> Value:
        """What a right program returns."""
        return _reference(self.steps)(list(nums))

    def hidden_tests(self) -> list[str]:
        """Assert statements that decide whether a program is right; no model is ever shown them."""
        rng = random.Random(f"hidden {self.description}")
        cases = [[], [0], [5], *(self.numbers(rng) for _ in range(HIDDEN_TESTS - 4))]
        cases.append([rng.randint(-20, 20) for _ in range(40)])
        return [assert_text(nums, self.truth(nums)) for nums in cases]

    def numbers(self, rng: random.Random) -> list[int]:
        """A short list of small numbers, some of them next to the task's constants."""
        near = [k + d for _, k in self.steps if k is not None for d in (-1, 0, 0, 1)]
        nums: list[int] = []
        for _ in range(rng.choices(range(6), (5, 10, 20, 32, 28, 5))[0]):
            draw = rng.random()
            if near and draw < 0.25:
                nums.append(rng.choice(near))
            elif nums and draw < 0.4:
                nums.append(rng.choice(nums))
            else:
                nums.append(rng.randint(-5, 0) if draw > 0.85 else rng.randint(0, 9))
        return nums

    def program(self, rng: random.Random, *, errors: float = 0.0, slow: float = 0.3) -> str:
        """A program in one of many styles.

        Args:
            rng: Where its choices come from.
            errors: 0 for a right program, 1 for the error rates of `STEPS`, in between proportionally.
            slow: Share of the steps in a quadratic form, where there is one.
        """
        steps = list(self.steps)
        if len(steps) > 1 and rng.random() < 0.04 * errors:
            del steps[rng.randrange(len(steps) - 1)]
        return render_program([_form(rng, name, k, errors, slow) for name, k in steps], rng)

    def flat(self) -> bool:
        """Whether nearly every input has the same answer."""
        answers = [test.rpartition("==")[2] for test in self.hidden_tests()]
        return max(map(answers.count, answers)) > FLAT * len(answers)


def _form(rng: random.Random, name: str, k: int | None, errors: float, slow: float) -> str:
    step = STEPS[name]
    forms = step.wrong if rng.random() < step.error * errors else step.right
    if forms is step.right and step.slow and rng.random() < slow:
        forms = step.slow
    return rng.choice(forms).replace("{k}", str(k))


def render_program(forms: Sequence[str], rng: random.Random | None = None) -> str:
    """A program out of the forms of its steps."""
    lines = "\n".join(forms).split("\n")
    name = "result" if "result = " in forms[-1] else "nums"
    if lines[-1].startswith(f"{name} = ") and (rng is None or rng.random() < 0.7):
        lines[-1] = "return " + lines[-1].removeprefix(f"{name} = ")
    else:
        lines.append(f"return {name}")
    return f"def {ENTRY_POINT}(nums):\n" + "".join(f"    {line}\n" for line in lines)


def assert_text(nums: Sequence[int], value: Value) -> str:
    """A test: one assert statement."""
    return f"assert {ENTRY_POINT}({list(nums)}) == {value}"


def function(program: str) -> Function:
    """The function a program of this family defines. Only for programs written here, never for a model's."""
    names: dict[str, Function] = {}
    exec(program, names)  # noqa: S102 - text of `STEPS`, nothing else
    return names[ENTRY_POINT]


@functools.lru_cache(maxsize=4096)
def _reference(steps: tuple[tuple[str, int | None], ...]) -> Function:
    return function(Task(steps, "").reference)


def split_of(names: Sequence[str]) -> Split:
    """The split a set of steps belongs to."""
    if len(set(names)) == 1:
        return "train"
    percentile = int(hashlib.sha256(" ".join(sorted(set(names))).encode()).hexdigest(), 16) % 100
    if percentile < SHARES["train"]:
        return "train"
    return "build" if percentile < SHARES["build"] else "heldout"


def draw(rng: random.Random, split: Split, lengths: Sequence[float] = (0, 60, 40)) -> Task:
    """A random task of a split; `lengths` are the weights of one, two and three steps."""
    while True:
        length = rng.choices((1, 2, 3), lengths)[0]
        names = [rng.choice(LIST_STEPS).name for _ in range(length - 1)]
        names.append(rng.choice(LAST_STEPS if rng.random() < 0.45 else LIST_STEPS).name)
        if len(set(names)) == length and split_of(names) == split:
            steps = tuple((name, rng.choice(STEPS[name].constants)) for name in names)
            return Task(steps, describe_steps(rng, steps))


def tasks(split: Split, n: int, seed: int) -> list[Task]:
    """`n` different tasks of a split, none of them flat, the same for the same seed."""
    rng = random.Random(f"{split} {seed}")
    found: dict[tuple[tuple[str, int | None], ...], Task] = {}
    while len(found) < n:
        task = draw(rng, split)
        if task.steps not in found and not task.flat():
            found[task.steps] = task
    return list(found.values())


def describe_steps(rng: random.Random, steps: Sequence[tuple[str, int | None]]) -> str:
    """The steps in English, in one of many wordings."""
    phrases = [rng.choice(STEPS[name].phrases).replace("{k}", str(k)) for name, k in steps]
    if STEPS[steps[-1][0]].result == "list":
        phrases.append(rng.choice(RETURNS))
    text = phrases[0]
    for phrase in phrases[1:-1]:
        text += rng.choice(JOINS) + phrase
    if len(phrases) > 1:
        text += rng.choice(LAST_JOINS) + phrases[-1]
    text = rng.choice(WORLD) + text
    return text[0].upper() + text[1:] + "."


def read_task(text: str) -> Task:
    """The task of a text that holds a prompt of this family.

    Raises:
        NotOfTheFamily: it holds none.
    """
    match = PROMPT.search(text)
    steps = next(_parsed(match["text"]), None) if match else None
    if match is None or steps is None:
        said = " ".join((match["text"] if match else text).split())
        raise NotOfTheFamily(
            f"the tiny model only knows its own family of tasks, and {said[:60]!r} is none of them; "
            "take prompts of `codepref tiny prompts`, or another generation backend"
        )
    return Task(steps, match["text"])


def _parsed(description: str) -> Iterator[tuple[tuple[str, int | None], ...]]:
    for world in WORLD:
        if description.startswith(world):
            text = description[len(world) :].removesuffix(".")
            yield from _chains(text[:1].lower() + text[1:])


def _chains(text: str) -> Iterator[tuple[tuple[str, int | None], ...]]:
    """All ways to read a text as steps joined by connectives."""
    for pattern, name in _phrases():
        match = pattern.match(text)
        if match is None:
            continue
        step = (name, int(match["k"]) if "k" in match.groupdict() else None)
        rest = text[match.end() :]
        is_list = STEPS[name].result == "list"
        if not rest and not is_list:
            yield (step,)
        for join in (*JOINS, *LAST_JOINS):
            if rest.startswith(join):
                after = rest[len(join) :]
                if is_list and after in RETURNS:
                    yield (step,)
                yield from ((step, *chain) for chain in _chains(after) if is_list)


@functools.cache
def _phrases() -> list[tuple[re.Pattern[str], str]]:
    return [(_pattern(phrase), step.name) for step in STEPS.values() for phrase in step.phrases]


def _pattern(phrase: str) -> re.Pattern[str]:
    first, *others = re.escape(phrase).split(re.escape("{k}"))
    return re.compile("(?P=k)".join([r"(?P<k>\d+)".join([first, *others[:1]]), *others[1:]]))
