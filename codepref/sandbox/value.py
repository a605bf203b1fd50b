"""Values as the worker sends them, seen from the supervisor: a canonical form and fingerprints.

The bytes come from a process that ran untrusted code. They are read by wire.py, whose grammar is closed; what is no plain
data stays an `Item` here, so that this process makes no object but plain ones.
"""

import cmath
import functools
import hashlib
import math
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from codepref.sandbox.worker import wire
from codepref.sandbox.worker.wire import Malformed, World

__all__ = ["SMALL", "Item", "Malformed", "Read", "canonical", "decode", "fingerprint", "fingerprint_of", "read"]
SMALL = 4096
"""Bytes up to which decoding and comparing a value costs at most a few milliseconds, whatever it is made of."""
_NUMBERS = {
    "|b1": "?", "|i1": "b", "|u1": "B", "<i2": "<h", "<u2": "<H", "<i4": "<i", "<u4": "<I", "<i8": "<q", "<u8": "<Q",
    "<f2": "<e", "<f4": "<f", "<f8": "<d",
}  # fmt: skip
"""Numbers of numpy by their dtype, as `struct` reads them."""


class Item(NamedTuple):
    """A value of the table of constructors, or an object of the candidate: its name and parts."""

    name: str
    parts: Any


class Read(NamedTuple):
    """A value that was read: plain or with `Item`s in it."""

    value: Any
    fingerprint: str
    is_plain: bool


class _Outside(World):
    """Makes nothing of what is no plain data."""

    has_items = False

    def made(self, name: str, parts: Any) -> Any:
        """The name and the parts."""
        self.has_items = True
        if name == "own" and type(parts) is tuple and len(parts) == 4:
            return Item("own", parts[1])
        return Item(name, parts)

    def object(self, number: int, type_name: str, flags: int) -> Any:
        """Its type's name: numbers differ from run to run."""
        self.has_items = True
        return Item("object", type_name)


def decode(data: bytes, max_depth: int = 2 * wire.MAX_DEPTH) -> Any:
    """The value, with an `Item` for what is no plain data; raises `Malformed`."""
    return wire.decode(data, _Outside(), max_depth)


def canonical(value: Any) -> str:  # noqa: PLR0911 - one return a type
    """Text that is equal for equal values: `1 == 1.0 == True`, sets and dicts without their order, NaN as one value."""
    if value is None or value is ...:
        return "N" if value is None else "."
    if isinstance(value, (int, float, complex)):
        return _canonical_number(value)
    if isinstance(value, (str, bytes)):
        return repr(value)
    if isinstance(value, Item):
        return _canonical_item(value)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ",".join(map(canonical, value)) + ")"
    if isinstance(value, (set, frozenset)):
        return "<" + ",".join(sorted(map(canonical, value))) + ">"
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{canonical(k)}:{canonical(v)}" for k, v in value.items())) + "}"
    raise Malformed(f"no canonical form for {type(value).__name__}")


def _canonical_item(value: Item) -> str:
    """A number of numpy is that number, an own subclass its base value: so they compare in Python, too."""
    if value.name == "own":
        return canonical(value.parts)
    if value.name == "numpy.scalar" and type(value.parts) is tuple and len(value.parts) == 2:
        dtype, data = value.parts
        layout = _NUMBERS.get(dtype) if type(dtype) is str else None
        if layout is not None and type(data) is bytes and len(data) == struct.calcsize(layout):
            return _canonical_number(struct.unpack(layout, data)[0])
    return f"{value.name}{canonical(value.parts)}"


def _canonical_number(value: complex) -> str:
    if isinstance(value, complex):
        if cmath.isnan(value) or value.imag:
            return f"{_canonical_number(value.real)}+{_canonical_number(value.imag)}j"
        return _canonical_number(value.real)
    if isinstance(value, float):
        if math.isnan(value) or not value.is_integer():
            return repr(value)
        return hex(int(value))
    return hex(value)


def fingerprint(text: str) -> str:
    """Sixteen hexadecimal digits of a canonical text (or of the name of an exception)."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


@functools.lru_cache(maxsize=1 << 15)
def read(data: bytes) -> Read:
    """A value and its fingerprint. Raises `Malformed`. The same few values come back from many candidates."""
    world = _Outside()
    value = wire.decode(data, world)
    try:
        return Read(value, fingerprint(canonical(value)), not world.has_items)
    except RecursionError:  # a list that holds itself
        raise Malformed("recursive") from None


def fingerprint_of(parts: Sequence[bytes]) -> str:
    """Fingerprint of the values a test computed. Large or deep values are hashed as they were sent."""
    if all(len(part) <= SMALL for part in parts):
        try:
            prints = [read(part).fingerprint for part in parts]
            return prints[0] if len(prints) == 1 else fingerprint(";".join(prints))
        except (Malformed, OverflowError):
            pass
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def answer_print(data: bytes) -> str:
    """Fingerprint of the answer to an operation, `(outcome, value, changes)`: an exception counts by its name."""
    value = read(data).value
    if type(value) is not tuple or len(value) != 3:
        raise Malformed("answer")
    outcome, content, changes = value
    if outcome == 1 and type(content) is tuple and len(content) == 4:
        return fingerprint(str(content[1]))
    return fingerprint(canonical(content)) if not changes else fingerprint(canonical((content, changes)))


def answers_print(answers: Sequence[bytes]) -> str:
    """Fingerprint of all answers that a test got."""
    if not answers:
        return ""
    try:
        if all(len(answer) <= SMALL for answer in answers):
            prints = [answer_print(answer) for answer in answers]
            return prints[0] if len(prints) == 1 else fingerprint(";".join(prints))
    except (Malformed, OverflowError, RecursionError):
        pass
    return fingerprint_of(answers[:1] if len(answers) == 1 else [b"".join(answers)])
