"""Tests by input and output: what a program reads on standard input, and what it has to print.

Such a test stands wherever an assert can stand, as one canonical JSON text (`StdinTest.text`):

    {"input": "2 3\\n", "output": "5\\n"}

Optional: `any_of`, a list of right outputs, in place of `output`; `tolerance`, for numbers; `by_line`, for line by line
in place of word by word. No Python text is a JSON
object with these keys and checks something, so the two kinds can not be mistaken for each other.
"""

import json
import re
from dataclasses import dataclass
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation, Overflow, localcontext
from itertools import zip_longest
from typing import Any

from codepref.files import LineError, checked_text, json_word

KEYS = ("input", "output", "any_of", "tolerance", "by_line")
LOOSEST = 1e6
LONGEST = 1000
"""Characters of a number: the pattern takes their square in time, and the program chooses them."""
SHOWN = 60
"""Characters of a line that a difference shows."""
BEFORE = 20
"""Of these, characters before the first that differs."""
_EXACT = Context(prec=50, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[InvalidOperation, Overflow])
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_FENCE = re.compile(r"^[ \t]*(`{3,})", re.MULTILINE)


@dataclass(frozen=True)
class StdinTest:
    """A text to read, and the texts of which one has to be printed."""

    input: str
    outputs: tuple[str, ...]
    """At least one; any of them is right."""
    tolerance: float = 0.0
    """How far a number with a fraction may be off, absolutely or as a share of the right one. Whole numbers are exact.
    0: all is compared as text."""
    by_line: bool = False
    """LiveCodeBench's rule: as many lines, each equal but for blanks at its ends, or of the same decimal numbers, whose
    spelling does not matter (1.0 is 1)."""

    @property
    def text(self) -> str:
        """The canonical form: equal tests have equal texts."""
        entry: dict[str, Any] = {"input": self.input}
        if len(self.outputs) == 1:
            entry["output"] = self.outputs[0]
        else:
            entry["any_of"] = self.outputs
        if self.tolerance:
            entry["tolerance"] = self.tolerance
        if self.by_line:
            entry["by_line"] = True
        return json.dumps(entry, ensure_ascii=False)

    def difference(self, printed: str) -> str:
        """Where `printed` differs first from the (first) right output, as a line; empty if it is right.

        Lines are compared without blanks at their ends, then all words in order whatever the layout.
        """
        if self.by_line:
            return self._difference_by_line(printed)
        if any(self._holds(output.split(), printed) for output in self.outputs):
            return ""
        others = f" (or {len(self.outputs) - 1} other outputs)" if len(self.outputs) > 1 else ""
        pairs = zip_longest(_lines(self.outputs[0]), _lines(printed))
        for number, (wanted, got) in enumerate(pairs, 1):
            if wanted is None or got is None or not self._agree(wanted.split(), got.split()):
                return f"line {number}: expected {_excerpts(wanted, got)}{others}"
        return "the output differs"

    def _difference_by_line(self, printed: str) -> str:
        right = self.outputs[0].strip().split("\n")
        lines = printed.strip().split("\n", len(right))  # what is beyond the right output stays one text
        for number, (wanted, got) in enumerate(zip_longest(right, lines), 1):
            if wanted is None or got is None or not _is_same_line(wanted, got):
                first = None if got is None else got.partition("\n")[0]
                return f"line {number}: expected {_excerpts(wanted, first)}"
        return ""

    def _holds(self, wanted: list[str], printed: str) -> bool:
        """Whether a text has these words; one that goes on for ever is not split to its end."""
        return self._agree(wanted, printed.split(maxsplit=len(wanted)))

    def _agree(self, wanted: list[str], got: list[str]) -> bool:
        if wanted == got:
            return True
        near = self.tolerance > 0 and len(wanted) == len(got)
        return near and all(map(self._is_near, wanted, got))

    def _is_near(self, wanted: str, got: str) -> bool:
        if wanted == got:
            return True
        if max(len(wanted), len(got)) > LONGEST:
            return False
        if not (_NUMBER.fullmatch(wanted) and _NUMBER.fullmatch(got)):
            return False
        whole = _WHOLE.fullmatch(wanted)
        if whole and _WHOLE.fullmatch(got):
            return _digits(wanted) == _digits(got)
        return _is_within(self.tolerance, wanted, got, whole is not None)

    def blocks(self, most: int | None = None) -> str:
        """For people and models: a fenced block with the input, and one with the output.

        Args:
            most: Characters of each that are shown; None: all.
        """
        return "\n\n".join(
            f"{word}:\n{_fenced(_cut(text, most))}"
            for word, text in (("Input", self.input), ("Output", self.outputs[0]))
        )


def _is_same_line(wanted: str, got: str) -> bool:
    """Equal texts, or as many decimal numbers, each equal; no two NaNs are."""
    if wanted.strip() == got.strip():
        return True
    words = wanted.split()
    try:
        return list(map(Decimal, words)) == list(map(Decimal, got.split(maxsplit=len(words))))
    except InvalidOperation:  # no number, or one that nothing may be compared with
        return False


def _is_within(tolerance: float, wanted: str, got: str, is_whole: bool) -> bool:
    """Whether a number is as near as allowed; a float has not room for every number."""
    try:
        with localcontext(_EXACT):
            right = Decimal(wanted)
            allowed = Decimal(repr(tolerance)) * (1 if is_whole else max(Decimal(1), abs(right)))
            return abs(right - Decimal(got)) <= allowed
    except (InvalidOperation, Overflow):  # an exponent that is no number any more
        return False


def _digits(whole: str) -> tuple[bool, str]:
    """Whether a whole number is negative, and its digits: a float has not room for all."""
    digits = whole.lstrip("+-").lstrip("0")
    return whole.startswith("-") and bool(digits), digits


def _lines(text: str) -> list[str]:
    """Lines without blanks at their ends, and without empty ones at the end of the text."""
    return [line.rstrip() for line in text.rstrip().split("\n")] if text.strip() else []


def _excerpts(wanted: str | None, got: str | None) -> str:
    """Both lines, from a little before the place where they differ."""
    pairs = zip(wanted or "", got or "", strict=False)
    at = next((place for place, (left, right) in enumerate(pairs) if left != right), 0)
    sides = ["nothing more" if line is None else repr(_excerpt(line, at)) for line in (wanted, got)]
    return ", got ".join(sides)


def _excerpt(line: str, at: int) -> str:
    if len(line) <= SHOWN:
        return line
    start = max(0, min(at - BEFORE, len(line) - SHOWN))
    return f"{'...' if start else ''}{line[start : start + SHOWN]}{'...' if start + SHOWN < len(line) else ''}"


def _cut(text: str, most: int | None) -> str:
    return text if most is None or len(text) <= most else f"{text[:most]}\n..."


def _fenced(text: str) -> str:
    """A Markdown block that the text does not end, whatever it holds."""
    longest = max((len(fence) for fence in _FENCE.findall(text)), default=2)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text.rstrip()}\n{fence}" if text.strip() else f"{fence}\n{fence}"


def read_test(text: str) -> StdinTest | None:
    """The test by input and output that a text is; None for any other text, such as an assert."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        return given_test(json.loads(text))
    except (ValueError, RecursionError, LineError):
        return None


def shown(text: str, most: int | None = None) -> str:
    """A test as people and models are shown it: a test by input and output as two blocks, any other as it is.

    Args:
        text: The test.
        most: Characters of it, or of each block, that are shown; None: all.
    """
    found = read_test(text)
    return _cut(text, most) if found is None else found.blocks(most)


def given_test(entry: Any) -> StdinTest:
    """The test in a JSON object.

    Raises:
        LineError: it is none.
    """
    if not isinstance(entry, dict):
        raise LineError(f"a test is {json_word(entry)}", 'write an assert, or {"input": TEXT, "output": TEXT}')
    unknown = [key for key in entry if key not in KEYS]
    if unknown:
        raise LineError(f"a test has the unknown key {unknown[0]!r}", f"known: {', '.join(KEYS)}")
    if "input" not in entry or ("output" in entry) == ("any_of" in entry):
        raise LineError("a test has no input, or not one of output and any_of", "give input and output")
    outputs = entry["any_of"] if "any_of" in entry else [entry["output"]]
    if not isinstance(outputs, list) or not outputs:
        raise LineError("any_of is no list of texts", "list every right output, or give one output")
    tolerance = entry.get("tolerance", 0.0)
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float) or not 0 <= tolerance <= LOOSEST:
        raise LineError(f"tolerance is {tolerance!r}", f"give a number from 0 to {LOOSEST:g}, or leave it out")
    texts = tuple(checked_text(output, "output") for output in outputs)
    by_line = entry.get("by_line", False)
    if not isinstance(by_line, bool) or (by_line and (tolerance or len(texts) > 1)):
        raise LineError(f"by_line is {by_line!r}", "write true, with one output and no tolerance, or leave it out")
    return StdinTest(checked_text(entry["input"], "input"), texts, float(tolerance), by_line)


def text_of(item: Any, where: str) -> str:
    """The text of a test as it stands in a file: an assert as it is, or a test by input and output in canonical form.

    Raises:
        LineError: it is neither a text nor a test. `where` names its place.
    """
    if isinstance(item, dict):
        try:
            return given_test(item).text
        except LineError as error:
            raise LineError(f"{where}: {error.problem}", error.remedy) from None
    text = checked_text(item, where)
    found = read_test(text)
    return text if found is None else found.text
