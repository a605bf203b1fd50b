"""Generations made elsewhere: the format in which users bring their own samples.

JSON lines, plain or gzip, UTF-8, one prompt per line:

    {"prompt_id": "p1", "prompt": "...", "entry_point": "f", "codes": ["..."], "tests": ["assert f(1) == 2"]}

Codes are whole programs or completions of the prompt. Optional strings: `source`, `licence`, `generator`. Optional
`examples`: tests of the prompt that are known to be right.

Programs that read standard input have no entry point, and tests by input and output (`codepref.stdin`):

    {"prompt_id": "p2", "prompt": "...", "codes": ["..."], "tests": [{"input": "1 2\\n", "output": "3\\n"}]}

Trajectories are the same with `versions` in place of `codes`: what a model wrote for one prompt one after the other,
each time told what was wrong. There a prompt may have several lines, one a trajectory.
"""

import keyword
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codepref.errors import CodeprefError
from codepref.files import BadLine, LineError, checked_text, json_lines, json_word
from codepref.stdin import read_test, text_of

if TYPE_CHECKING:
    from codepref.ondisk import Rows

CODES, VERSIONS = "codes", "versions"
HEAD = ("prompt_id", "prompt", "entry_point")
NO_ENTRY_POINT = "for programs that read standard input give it as null, or give tests of input and output"
OPTIONAL = ("source", "licence", "generator")
SHOWN = 10
"""Bad lines that an error message lists before it only counts them."""


@dataclass(frozen=True)
class Recording:
    """One prompt with everything that was generated for it."""

    prompt_id: str
    prompt: str
    entry_point: str
    """Empty for programs that read standard input."""
    codes: tuple[str, ...]
    tests: tuple[str, ...]
    source: str = ""
    licence: str = ""
    generator: str = ""
    examples: tuple[str, ...] = ()


class RecordingError(CodeprefError):
    """The file can not be used. The message names it, the first bad lines, and what to do about each."""


def read_recordings(path: str | Path, skip_bad: bool = False, codes: str = CODES) -> "tuple[Rows, list[BadLine]]":
    """All recordings by prompt id, those of one id in the order of the file, and the lines that were left out.

    Every line is looked at before this returns; blank lines are ignored. Recordings lie on disk, bad lines in memory.
    `codes` is the key that holds the codes: `CODES`, or `VERSIONS` for trajectories.

    Raises RecordingError when the file can not be opened or holds no line at all and, unless `skip_bad`, when any line
    is bad.
    """
    from codepref.ondisk import Rows  # needs numpy, which most uses of this package do not

    good, bad = Rows(), list[BadLine]()
    for number, item in _items(Path(path), codes, good):
        if isinstance(item, Recording):
            good.add(item.prompt_id, number, item)
        else:
            bad.append(item)
    if not good and not bad:
        raise RecordingError(f"{path}: holds no lines; write one JSON object per prompt")
    if bad and not skip_bad:
        raise RecordingError(_message(bad))
    return good, bad


def _message(bad: list[BadLine]) -> str:
    lines = [str(line) for line in bad[:SHOWN]]
    if len(bad) > SHOWN:
        lines.append(f"... and {len(bad) - SHOWN} more bad lines in {bad[0].path}")
    return "\n".join(lines)


def _items(path: Path, codes: str, before: "Rows") -> Iterator[tuple[int, Recording | BadLine]]:
    try:
        for number, line in json_lines(path, unique_keys=True):
            yield number, line if isinstance(line, BadLine) else _item(path, number, line, codes, before)
    except CodeprefError as error:
        raise RecordingError(str(error)) from None


def _item(path: Path, number: int, entry: dict[str, Any], codes: str, before: "Rows") -> Recording | BadLine:
    try:
        recording = _recording(entry, codes)
        first = before.first(recording.prompt_id) if codes == CODES else None
        if first is not None:
            raise LineError(
                f"prompt_id {recording.prompt_id!r} is already that of line {first}",
                "give every line its own prompt_id, or join the two lines",
            )
    except LineError as error:
        return BadLine(str(path), number, error.problem, error.remedy)
    return recording


def _recording(entry: Mapping[str, Any], codes: str) -> Recording:
    from codepref.extract import given_examples  # takes a moment to load, and most uses of this module read none

    _check_keys(entry, (*HEAD, codes, "tests"))
    entry_point = entry_point_of(entry)
    return Recording(
        _filled(entry, "prompt_id"),
        _filled(entry, "prompt"),
        entry_point,
        codes=_texts(entry, codes, checked_text),
        tests=_texts(entry, "tests", text_of),
        **{key: checked_text(entry[key], key) for key in OPTIONAL if key in entry},
        examples=given_examples(entry, entry_point),
    )


def entry_point_of(entry: Mapping[str, Any]) -> str:
    """The entry point of a line; empty where it has none because programs read standard input.

    Raises:
        LineError: it is missing, and nothing says that there is none; or it is no name.
    """
    if entry.get("entry_point") is None and _reads_input(entry):
        return ""
    if "entry_point" not in entry:
        raise LineError("missing key 'entry_point'", NO_ENTRY_POINT)
    entry_point = _filled(entry, "entry_point")
    if not entry_point.isidentifier() or keyword.iskeyword(entry_point):
        raise LineError(
            f"entry_point {entry_point!r} is no Python name", "give the bare name of the function under test"
        )
    return entry_point


def _reads_input(entry: Mapping[str, Any]) -> bool:
    """Whether the entry point is null, or all tests are by input and output."""
    if "entry_point" in entry:
        return True
    tests = entry.get("tests")
    if not isinstance(tests, list) or not tests:
        return False
    return all(isinstance(test, dict) or (isinstance(test, str) and read_test(test) is not None) for test in tests)


def _check_keys(entry: Mapping[str, Any], required: tuple[str, ...]) -> None:
    known = (*required, *OPTIONAL, "examples")
    for key in entry:
        if key not in known:
            near = get_close_matches(key, [name for name in known if name not in entry], n=1)
            raise LineError(
                f"unknown key {key!r}", f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            )
    missing = [key for key in required if key not in entry and (key != "entry_point" or not _reads_input(entry))]
    if missing:
        raise LineError(f"missing key {', '.join(map(repr, missing))}", f"every line needs {', '.join(required)}")


def _filled(entry: Mapping[str, Any], key: str) -> str:
    text = checked_text(entry[key], key)
    if not text.strip():
        raise LineError(f"{key} is empty", "fill it in")
    return text


def _texts(entry: Mapping[str, Any], key: str, read: Callable[[Any, str], str]) -> tuple[str, ...]:
    items = entry[key]
    if not isinstance(items, list):
        raise LineError(f"{key} is {json_word(items)}", "write a list of strings")
    if not items:
        raise LineError(f"{key} is an empty list", "give at least one, or leave this prompt out")
    return tuple(read(item, f"{key}[{index}]") for index, item in enumerate(items))
