"""The steps tasks are made of: what each says in English, its right forms, its slow forms and the usual mistakes.

A form is a few statements that turn the list `nums` into another list `nums`, or, for the last step of a task, into a
number or a truth value `result`. `{k}` stands for the task's constant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Result = Literal["list", "int", "bool"]

RARE, OFTEN, USUAL = 0.08, 0.30, 0.62
"""How often programs of the training corpus get a step wrong. USUAL: a popular misconception, wrong more often than
right."""
VALUES, LENGTHS = (2, 3, 4, 5), (2, 3)
"""Constants of steps that speak of values and of lengths; lists of the family's tests have at most five numbers."""


@dataclass(frozen=True)
class Step:
    """One step of a task."""

    name: str
    phrases: tuple[str, ...]
    right: tuple[str, ...]
    """Right forms; the first one is the reference."""
    slow: tuple[str, ...]
    """Right forms that take quadratic time."""
    wrong: tuple[str, ...]
    error: float
    """Share of the corpus' programs in which this step is wrong."""
    result: Result = "list"

    @property
    def constants(self) -> tuple[int | None, ...]:
        """What `k` may be; None where the step speaks of no number."""
        if "{k}" not in self.phrases[0]:
            return (None,)
        return LENGTHS if "{k} numbers" in self.phrases[-1] else VALUES


def _loop(body: str) -> str:
    return f"out = []\nfor n in nums:\n    {body}\nnums = out"


def _keep(name: str, phrases: Sequence[str], right: Sequence[str], wrong: Sequence[str], error: float) -> Step:
    """A step that keeps the numbers for which a condition on `n` holds."""

    def forms(condition: str) -> list[str]:
        return [
            f"nums = [n for n in nums if {condition}]",
            _loop(f"if {condition}:\n        out.append(n)"),
            f"nums = list(filter(lambda n: {condition}, nums))",
        ]

    slow = [_loop(f"if {condition}:\n        out = out + [n]") for condition in right[:1]]
    return _step(name, phrases, _all(forms, right), slow, _all(forms, wrong), error)


def _change(name: str, phrases: Sequence[str], right: Sequence[str], wrong: Sequence[str], error: float) -> Step:
    """A step that replaces every number `n` by an expression."""

    def forms(expression: str) -> list[str]:
        return [
            f"nums = [{expression} for n in nums]",
            _loop(f"out.append({expression})"),
            f"nums = list(map(lambda n: {expression}, nums))",
        ]

    slow = [_loop(f"out = out + [{expression}]") for expression in right[:1]]
    return _step(name, phrases, _all(forms, right), slow, _all(forms, wrong), error)


def _all(forms, expressions: Sequence[str]) -> list[str]:  # type: ignore[no-untyped-def]  # noqa: ANN001
    return [form for expression in expressions for form in forms(expression)]


def _step(
    name: str,
    phrases: Sequence[str],
    right: Sequence[str],
    slow: Sequence[str],
    wrong: Sequence[str],
    error: float,
    result: Result = "list",
) -> Step:
    return Step(name, tuple(phrases), tuple(right), tuple(slow), tuple(wrong), error, result)


SELECTION = (
    "rest = nums[:]\nout = []\nwhile rest:\n    out.append({pick}(rest))\n    rest.remove({pick}(rest))\nnums = out"
)

SEEN = (
    "seen = set()\nout = []\nfor n in nums:\n    if n not in seen:\n"
    "        seen.add(n)\n        out.append(n)\nnums = out"
)

LIST_STEPS = (
    _keep("even", ["keep the even numbers", "leave out all odd numbers"], ["n % 2 == 0"], ["n % 2 == 1"], RARE),
    _keep(
        "odd",
        ["keep the odd numbers", "leave out all even numbers"],
        ["n % 2 == 1", "n % 2 != 0"],
        ["n % 2 == 0"],
        RARE,
    ),
    _keep(
        "above",
        ["keep the numbers above {k}", "leave out numbers up to and including {k}"],
        ["n > {k}"],
        ["n >= {k}", "n < {k}"],
        OFTEN,
    ),
    _keep(
        "from",
        ["keep the numbers from {k} upwards", "leave out numbers smaller than {k}", "keep what is {k} or larger"],
        ["n >= {k}"],
        ["n > {k}"],
        USUAL,
    ),
    _keep(
        "below",
        ["keep the numbers below {k}", "leave out numbers that are {k} or larger"],
        ["n < {k}"],
        ["n <= {k}", "n > {k}"],
        OFTEN,
    ),
    _keep(
        "upto",
        [
            "keep the numbers up to and including {k}",
            "leave out numbers larger than {k}",
            "keep what is {k} or smaller",
        ],
        ["n <= {k}"],
        ["n < {k}"],
        USUAL,
    ),
    _keep(
        "positive",
        ["keep the positive numbers", "leave out zeros and negative numbers"],
        ["n > 0"],
        ["n >= 0"],
        USUAL,
    ),
    _keep(
        "negative", ["keep the negative numbers", "leave out zeros and positive numbers"], ["n < 0"], ["n <= 0"], OFTEN
    ),
    _keep("nonzero", ["leave out the zeros", "keep every number but zero"], ["n != 0"], ["n > 0"], OFTEN),
    _keep(
        "without", ["leave out every {k}", "keep the numbers that differ from {k}"], ["n != {k}"], ["n == {k}"], RARE
    ),
    _change("double", ["double every number", "multiply every number by 2"], ["n * 2", "n + n"], ["n ** 2"], RARE),
    _change(
        "square", ["square every number", "multiply every number by itself"], ["n * n", "n ** 2"], ["n * 2"], OFTEN
    ),
    _change("add", ["add {k} to every number", "raise every number by {k}"], ["n + {k}"], ["n * {k}", "n - {k}"], RARE),
    _change(
        "subtract", ["subtract {k} from every number", "lower every number by {k}"], ["n - {k}"], ["{k} - n"], OFTEN
    ),
    _change("negate", ["change the sign of every number", "negate every number"], ["-n", "0 - n"], ["abs(n)"], RARE),
    _change(
        "absolute",
        ["take the absolute value of every number", "drop the sign of every number"],
        ["abs(n)", "n if n >= 0 else -n"],
        ["-n"],
        OFTEN,
    ),
    _change(
        "atmost",
        ["lower every number above {k} to {k}", "cap every number at {k}"],
        ["min(n, {k})", "n if n < {k} else {k}"],
        ["max(n, {k})"],
        USUAL,
    ),
    _change(
        "atleast",
        ["lift every number below {k} to {k}", "make every number at least {k}"],
        ["max(n, {k})", "n if n > {k} else {k}"],
        ["min(n, {k})"],
        OFTEN,
    ),
    _step(
        "reverse",
        ["reverse the list", "turn the list around"],
        ["nums = nums[::-1]", "nums = list(reversed(nums))"],
        ["out = []\nfor n in nums:\n    out.insert(0, n)\nnums = out", _loop("out = [n] + out")],
        ["nums = sorted(nums)[::-1]", "nums = nums[:-1]"],
        RARE,
    ),
    _step(
        "ascending",
        ["sort the list", "put the numbers in ascending order"],
        ["nums = sorted(nums)"],
        [SELECTION.replace("{pick}", "min")],
        ["nums = sorted(set(nums))", "nums = sorted(nums, reverse=True)"],
        OFTEN,
    ),
    _step(
        "descending",
        ["sort the list from large to small", "put the numbers in descending order"],
        ["nums = sorted(nums, reverse=True)", "nums = sorted(nums)[::-1]"],
        [SELECTION.replace("{pick}", "max")],
        ["nums = sorted(nums)", "nums = nums[::-1]"],
        OFTEN,
    ),
    _step(
        "unique",
        ["leave out repeated numbers", "keep the first of equal numbers"],
        [
            "nums = list(dict.fromkeys(nums))",
            SEEN,
        ],
        [_loop("if n not in out:\n        out.append(n)")],
        ["nums = sorted(set(nums))", "nums = [n for n in nums if nums.count(n) == 1]"],
        USUAL,
    ),
    _step(
        "first",
        ["take the first {k} numbers", "keep only {k} numbers from the front"],
        ["nums = nums[:{k}]"],
        ["nums = [nums[i] for i in range(len(nums)) if i < {k}]"],
        ["nums = nums[:{k} - 1]", "nums = nums[{k}:]"],
        OFTEN,
    ),
    _step(
        "skip",
        ["skip the first {k} numbers", "drop {k} numbers from the front"],
        ["nums = nums[{k}:]"],
        ["nums = [nums[i] for i in range(len(nums)) if i >= {k}]"],
        ["nums = nums[{k} - 1:]", "nums = nums[{k} + 1:]"],
        USUAL,
    ),
    _step(
        "last",
        ["take the last {k} numbers", "keep only {k} numbers from the back"],
        ["nums = nums[-{k}:]"],
        ["while len(nums) > {k}:\n    nums = nums[1:]"],
        ["nums = nums[{k}:]", "nums = nums[:-{k}]"],
        OFTEN,
    ),
    _step(
        "droplast",
        ["drop the last {k} numbers", "drop {k} numbers from the back"],
        ["nums = nums[:-{k}]"],
        ["nums = [nums[i] for i in range(len(nums)) if i < len(nums) - {k}]"],
        ["nums = nums[:{k}]", "nums = nums[-{k}:]"],
        USUAL,
    ),
    _step(
        "alternate",
        ["take every other number beginning with the first", "keep the numbers at even indices"],
        ["nums = nums[::2]", "nums = [n for i, n in enumerate(nums) if i % 2 == 0]"],
        [],
        ["nums = nums[1::2]", "nums = [n for n in nums if n % 2 == 0]"],
        USUAL,
    ),
    _step(
        "totals",
        ["replace every number by the sum up to it", "make a list of running sums"],
        ["total = 0\nout = []\nfor n in nums:\n    total += n\n    out.append(total)\nnums = out"],
        ["nums = [sum(nums[:i + 1]) for i in range(len(nums))]"],
        [
            "nums = [sum(nums[:i]) for i in range(len(nums))]",
            "total = 0\nout = []\nfor n in nums:\n    out.append(total)\n    total += n\nnums = out",
        ],
        OFTEN,
    ),
    _step(
        "rotate",
        ["move the first number to the end", "rotate the list by one to the left"],
        ["nums = nums[1:] + nums[:1]"],
        [],
        ["nums = nums[-1:] + nums[:-1]", "nums = nums[1:]"],
        OFTEN,
    ),
    _step(
        "twice",
        ["append the list to itself", "write the list twice in a row"],
        ["nums = nums + nums", "nums = nums * 2"],
        [],
        ["nums = [n * 2 for n in nums]", "nums = [n for n in nums for _ in range(2)]"],
        OFTEN,
    ),
)

LAST_STEPS = (
    _step(
        "sum",
        ["return the sum", "return the total of what is left"],
        ["result = sum(nums)", "result = 0\nfor n in nums:\n    result += n"],
        [],
        ["result = len(nums)", "result = sum(nums[1:])"],
        RARE,
        "int",
    ),
    _step(
        "count",
        ["return how many numbers are left", "return the length of the list"],
        ["result = len(nums)", "result = 0\nfor n in nums:\n    result += 1"],
        [],
        ["result = sum(nums)", "result = len(nums) - 1"],
        RARE,
        "int",
    ),
    _step(
        "largest",
        ["return the largest number, 0 if there is none", "return the maximum, or 0 for an empty list"],
        ["result = max(nums, default=0)", "result = max(nums) if nums else 0"],
        ["result = 0\nfor n in nums:\n    if n == max(nums):\n        result = n"],
        ["result = max(nums)", "result = 0\nfor n in nums:\n    if n > result:\n        result = n"],
        USUAL,
        "int",
    ),
    _step(
        "smallest",
        ["return the smallest number, 0 if there is none", "return the minimum, or 0 for an empty list"],
        ["result = min(nums, default=0)", "result = min(nums) if nums else 0"],
        ["result = 0\nfor n in nums:\n    if n == min(nums):\n        result = n"],
        ["result = min(nums)", "result = 0\nfor n in nums:\n    if n < result:\n        result = n"],
        OFTEN,
        "int",
    ),
    _step(
        "head",
        ["return the first number, 0 if there is none"],
        ["result = nums[0] if nums else 0"],
        [],
        ["result = nums[0]", "result = nums[-1] if nums else 0"],
        OFTEN,
        "int",
    ),
    _step(
        "tail",
        ["return the last number, 0 if there is none"],
        ["result = nums[-1] if nums else 0"],
        [],
        ["result = nums[-1]", "result = nums[0] if nums else 0"],
        USUAL,
        "int",
    ),
    _step(
        "kinds",
        ["return how many different numbers there are", "return the count of distinct numbers"],
        ["result = len(set(nums))"],
        ["seen = []\nfor n in nums:\n    if n not in seen:\n        seen.append(n)\nresult = len(seen)"],
        ["result = len(nums)", "result = len(nums) - len(set(nums))"],
        RARE,
        "int",
    ),
    _step(
        "occurrences",
        ["return how often {k} occurs", "return the number of times {k} is in the list"],
        ["result = nums.count({k})", "result = sum(1 for n in nums if n == {k})"],
        [],
        ["result = len([n for n in nums if n != {k}])", "result = {k} in nums"],
        OFTEN,
        "int",
    ),
    _step(
        "contains",
        ["return whether {k} is in the list", "return True if some number equals {k}"],
        ["result = {k} in nums", "result = any(n == {k} for n in nums)"],
        [],
        ["result = {k} not in nums", "result = all(n == {k} for n in nums)"],
        RARE,
        "bool",
    ),
    _step(
        "repeats",
        ["return whether a number occurs twice", "return True if two numbers are equal"],
        ["result = len(set(nums)) < len(nums)", "result = len(nums) != len(set(nums))"],
        ["result = any(nums.count(n) > 1 for n in nums)"],
        ["result = len(set(nums)) == len(nums)", "result = any(a == b for a, b in zip(nums, nums[1:]))"],
        USUAL,
        "bool",
    ),
    _step(
        "ordered",
        ["return whether no number is smaller than the one before", "return True if the numbers never go down"],
        ["result = nums == sorted(nums)", "result = all(a <= b for a, b in zip(nums, nums[1:]))"],
        [],
        ["result = all(a < b for a, b in zip(nums, nums[1:]))", "result = nums != sorted(nums)"],
        USUAL,
        "bool",
    ),
)

STEPS = {step.name: step for step in (*LIST_STEPS, *LAST_STEPS)}
