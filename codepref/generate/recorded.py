"""Generations made elsewhere: the format in which users bring their own samples.

JSON lines, plain or gzip, UTF-8, one prompt per line:

    {"prompt_id": "p1", "prompt": "...", "entry_point": "f", "codes": ["..."], "tests": ["assert f(1) == 2"]}

Codes are whole programs or completions of the prompt. Optional strings: `source`, `licence`, `generator`.

Trajectories are the same with `versions` in place of `codes`: what a model wrote for one prompt one after the other,
each time told what was wrong. There a prompt may have several lines, one a trajectory.
"""

import gzip
import json
import keyword
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from codepref.errors import CodeprefError

if TYPE_CHECKING:
    from codepref.ondisk import Rows

CODES, VERSIONS = "codes", "versions"
HEAD = ("prompt_id", "prompt", "entry_point")
OPTIONAL = ("source", "licence", "generator")
SHOWN = 10
"""Bad lines that an error message lists before it only counts them."""
GZIP_MAGIC = b"\x1f\x8b"
JSON_WORDS = {
    dict: "an object",
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}


@dataclass(frozen=True)
class Recording:
    """One prompt with everything that was generated for it."""

    prompt_id: str
    prompt: str
    entry_point: str
    codes: tuple[str, ...]
    tests: tuple[str, ...]
    source: str = ""
    licence: str = ""
    generator: str = ""


@dataclass(frozen=True)
class BadLine:
    """A line that can not be used. `str()` gives `FILE:LINE: what is wrong; remedy`."""

    path: str
    line: int
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.problem}; {self.remedy}"


class RecordingError(CodeprefError):
    """The file can not be used. The message names it, the first bad lines, and what to do about each."""


class _Bad(Exception):
    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy


def read(path: str | Path, skip_bad: bool = False, codes: str = CODES) -> "tuple[Rows, list[BadLine]]":
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
    number = 0
    try:
        with _open(path) as stream:
            for number, raw in enumerate(stream, start=1):
                if raw.strip():
                    yield number, _item(path, number, raw, codes, before)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        damaged = f"the gzip stream is damaged ({error})"
        yield number, BadLine(str(path), number + 1, damaged, "copy or compress the file again")
    except OSError as error:
        raise RecordingError(f"{path}: {error.strerror or error}; name a .jsonl or .jsonl.gz file") from None


def _open(path: Path) -> IO[bytes] | gzip.GzipFile:
    stream = path.open("rb")
    magic = stream.read(2)
    stream.seek(0)
    if magic != GZIP_MAGIC:
        return stream
    stream.close()
    return gzip.open(path, "rb")


def _item(path: Path, number: int, raw: bytes, codes: str, before: "Rows") -> Recording | BadLine:
    try:
        recording = _recording(_entry(raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw), codes)
        first = before.first(recording.prompt_id) if codes == CODES else None
        if first is not None:
            raise _Bad(
                f"prompt_id {recording.prompt_id!r} is already that of line {first}",
                "give every line its own prompt_id, or join the two lines",
            )
    except _Bad as bad:
        return BadLine(str(path), number, bad.problem, bad.remedy)
    return recording


def _entry(raw: bytes) -> dict[str, Any]:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Bad(f"not UTF-8 (byte {error.start + 1} of the line)", "save the file as UTF-8") from None
    try:
        entry = json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        remedy = "write one JSON object per line" if text.endswith("\n") else "the file seems to be cut off here"
        raise _Bad(f"not JSON ({error.msg} at column {error.colno})", remedy) from None
    except (RecursionError, ValueError) as error:
        raise _Bad(f"not usable JSON ({error})", "write one flat JSON object of strings per line") from None
    if not isinstance(entry, dict):
        raise _Bad(f"the line is {_word(entry)}", "write one JSON object per line")
    return entry


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entry = dict(pairs)
    if len(entry) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _Bad(f"key {twice!r} appears twice", "keep one of them")
    return entry


def _recording(entry: Mapping[str, Any], codes: str) -> Recording:
    _check_keys(entry, (*HEAD, codes, "tests"))
    prompt_id, prompt, entry_point = (_filled(entry, key) for key in HEAD)
    if not entry_point.isidentifier() or keyword.iskeyword(entry_point):
        raise _Bad(f"entry_point {entry_point!r} is no Python name", "give the bare name of the function under test")
    return Recording(
        prompt_id,
        prompt,
        entry_point,
        codes=_texts(entry, codes),
        tests=_texts(entry, "tests"),
        **{key: _text(entry[key], key) for key in OPTIONAL if key in entry},
    )


def _check_keys(entry: Mapping[str, Any], required: tuple[str, ...]) -> None:
    known = required + OPTIONAL
    for key in entry:
        if key not in known:
            near = get_close_matches(key, [name for name in known if name not in entry], n=1)
            raise _Bad(f"unknown key {key!r}", f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}")
    missing = [key for key in required if key not in entry]
    if missing:
        raise _Bad(f"missing key {', '.join(map(repr, missing))}", f"every line needs {', '.join(required)}")


def _filled(entry: Mapping[str, Any], key: str) -> str:
    text = _text(entry[key], key)
    if not text.strip():
        raise _Bad(f"{key} is empty", "fill it in")
    return text


def _texts(entry: Mapping[str, Any], key: str) -> tuple[str, ...]:
    items = entry[key]
    if not isinstance(items, list):
        raise _Bad(f"{key} is {_word(items)}", "write a list of strings")
    if not items:
        raise _Bad(f"{key} is an empty list", "give at least one, or leave this prompt out")
    return tuple(_text(item, f"{key}[{index}]") for index, item in enumerate(items))


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise _Bad(f"{name} is {_word(value)}", "write a string")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise _Bad(
            f"{name} holds half a surrogate pair (\\ud800 to \\udfff)", "remove it: it is no character"
        ) from None
    return value


def _word(value: Any) -> str:
    return JSON_WORDS.get(type(value), type(value).__name__)
