"""The transport: values as bytes, in a closed grammar with a fixed table of constructors.

Bytes come from a process that ran untrusted code. `decode` therefore looks nothing up: no import, no attribute and no
callable is found by a name in a message. What the grammar can say is this:

=====================  ===============================================================================================
plain data             None, True, False, ..., int, float, complex, str, bytes, list, tuple, set, frozenset, dict; the
                       codes are those of marshal version 2, so exact plain data may be written by `marshal.dumps`
`& number value`       an object with a number, for identity; a known object is refilled, a container may hold itself
`r number`             a known object
`x name parts`         a value that a constructor of the table makes of plain parts
`o number type flags`  an object of another process, known by its number only
`G name`               a global of the candidate's module
=====================  ===============================================================================================

What the grammar can not say is an object of the other process: only its number, the name of its type and four flags
travel. writing.py writes it. Both files run under CPython >= 3.8 on the candidate's side and again on the judge's.
"""

from __future__ import annotations

import struct
from typing import Any

from . import table

MAX_DEPTH = 150
MAX_NUMBER = 1 << 31
CALLABLE, ITERATOR, AWAITABLE, DEEP, DERIVED = 1, 2, 4, 8, 16
"""Flags of an object of the other process. DEEP: plain data, nested more deeply than is sent. DERIVED, at the judge:
what an own class made of itself and plain data, which decides nothing by itself."""

NONE, TRUE, FALSE, DOTS = b"N"[0], b"T"[0], b"F"[0], b"."[0]
INT, LONG, FLOAT, COMPLEX, TEXT, BYTES = b"i"[0], b"l"[0], b"g"[0], b"y"[0], b"u"[0], b"s"[0]
TUPLE, LIST, SET, FROZENSET, DICT, END = b"("[0], b"["[0], b"<"[0], b">"[0], b"{"[0], b"0"[0]
NUMBERED, KNOWN, MADE, OBJECT, GLOBAL = b"&"[0], b"r"[0], b"x"[0], b"o"[0], b"G"[0]

SCALARS = frozenset((type(None), type(Ellipsis), bool, int, float, complex, str, bytes))
_SINGLE = {NONE: None, TRUE: True, FALSE: False, DOTS: ...}
_I32, U32, _F64, _F64X2 = struct.Struct("<i"), struct.Struct("<I"), struct.Struct("<d"), struct.Struct("<dd")
_DIGIT_BITS = 15


class Malformed(ValueError):
    """The bytes are not a value."""


class NotPlain(Exception):
    """The grammar can not say this value, and no number may be given to it."""


class World:
    """What a decoder makes of the parts of a message that are not plain data. This one knows no other process."""

    def __init__(self) -> None:
        self.known: dict[int, Any] = {}

    def keep(self, value: Any, number: int) -> Any:
        """Makes an object known by its number."""
        self.known[number] = value
        return value

    def touch(self, number: int) -> None:
        """Called for each object that a message names by its number."""

    def made(self, name: str, parts: Any) -> Any:
        """A value of the table; raises `Malformed`."""
        build = table.BUILD.get(name)
        if build is None or type(parts) is not tuple:
            raise Malformed(f"constructor {name[:20]!r}")
        try:
            return build(*parts)
        except Exception as error:
            raise Malformed(f"{name}: {type(error).__name__}") from None

    def object(self, number: int, type_name: str, flags: int) -> Any:
        """An object of the other process; raises `Malformed` where there is none."""
        raise Malformed("an object of another process")

    def named(self, name: str) -> Any:
        """A global of the candidate's module; raises `Malformed` where there is none."""
        raise Malformed("a global of another process")


def decode(data: bytes, world: World | None = None, max_depth: int = 2 * MAX_DEPTH + 32) -> Any:
    """The value that `data` says; raises `Malformed` and nothing else, whatever the bytes are."""
    reader = _Reader(data, world or World())
    try:
        value = reader.value(max_depth)
    except Malformed:
        raise
    except (struct.error, IndexError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise Malformed(type(error).__name__) from None
    if reader.at != len(data):
        raise Malformed("trailing bytes")
    return value


class _Reader:
    """One message, read from left to right."""

    def __init__(self, data: bytes, world: World) -> None:
        self.data, self.at, self.world = data, 0, world

    def count(self) -> int:
        """A number of four bytes."""
        (number,) = U32.unpack_from(self.data, self.at)
        self.at += 4
        return int(number)

    def size(self, least: int = 1) -> int:
        """A number of items of at least `least` bytes each, which must fit into what is left."""
        count = self.count()
        if count * least > len(self.data) - self.at:
            raise Malformed("cut off")
        return count

    def raw(self) -> bytes:
        """Bytes with their length before them."""
        size = self.size()
        self.at += size
        return self.data[self.at - size : self.at]

    def text(self) -> str:
        """Text with its length before it; may hold half a surrogate pair."""
        return self.raw().decode("utf-8", "surrogatepass")

    def value(self, depth: int, number: int = -1) -> Any:  # noqa: PLR0911 - one return a code
        """The next value; `number` is the one it will be known by."""
        code = self.data[self.at]
        self.at += 1
        if code in _SINGLE:
            return _SINGLE[code]
        if code == INT:
            self.at += 4
            return _I32.unpack_from(self.data, self.at - 4)[0]
        if code == TEXT:
            return self.text()
        if code == FLOAT:
            self.at += 8
            return _F64.unpack_from(self.data, self.at - 8)[0]
        if code == BYTES:
            return self.raw()
        if code == COMPLEX:
            self.at += 16
            return complex(*_F64X2.unpack_from(self.data, self.at - 16))
        if code == LONG:
            return self.long()
        if code == KNOWN:
            return self.known()
        if code == GLOBAL:
            return self.world.named(self.text())
        if depth <= 0:
            raise Malformed("too deep")
        return self.nested(code, depth, number)

    def nested(self, code: int, depth: int, number: int) -> Any:
        """A value that holds others."""
        if code == NUMBERED:
            if number >= 0:
                raise Malformed("two numbers")
            return self.numbered(depth)
        if code in (TUPLE, FROZENSET):
            items = [self.value(depth - 1) for _ in range(self.size())]
            return self.keep(tuple(items) if code == TUPLE else frozenset(items), number)
        if code in (LIST, SET, DICT):
            return self.container(code, depth, number)
        if code == MADE:
            name = self.text()
            return self.keep(self.world.made(name, self.value(depth - 1)), number)
        if code == OBJECT:
            return self.object()
        raise Malformed(f"code {code}")

    def long(self) -> int:
        """A number of 15-bit digits."""
        (count,) = _I32.unpack_from(self.data, self.at)
        self.at += 4
        size = abs(count)
        if 2 * size > len(self.data) - self.at:
            raise Malformed("cut off")
        digits = struct.unpack_from(f"<{size}H", self.data, self.at)
        self.at += 2 * size
        if size > 64:  # hexadecimal text keeps long numbers linear
            value = int("".join(f"{digit & 0x7FFF:015b}" for digit in reversed(digits)), 2)
        else:
            value = 0
            for digit in reversed(digits):
                value = value << _DIGIT_BITS | digit
        return -value if count < 0 else value

    def number(self) -> int:
        """The number of an object."""
        number = self.count()
        if number >= MAX_NUMBER:
            raise Malformed("number")
        return number

    def known(self) -> Any:
        """An object said before."""
        number = self.number()
        if number not in self.world.known:
            raise Malformed("unknown object")
        self.world.touch(number)
        return self.world.known[number]

    def numbered(self, depth: int) -> Any:
        """An object with its number: a new one, or a known one with the contents it has now."""
        number = self.number()
        old = self.world.known.get(number)
        value = self.value(depth - 1, number)
        if old is None or old is value:
            return self.keep(value, number)
        if refill(old, value) or (type(old) is type(value) and type(value) not in table.mutable()):
            return self.keep(old, number)  # what can not change has not changed
        return self.keep(value, number)

    def keep(self, value: Any, number: int) -> Any:
        """Makes a value known by its number."""
        return self.world.keep(value, number) if number >= 0 else value

    def container(self, code: int, depth: int, number: int) -> Any:
        """A list, set or dict, known before it is filled: it may hold itself."""
        value: Any = [] if code == LIST else set() if code == SET else {}
        old = self.world.known.get(number) if number >= 0 else None
        reused = type(old) is type(value)
        if reused:
            value = old
        self.keep(value, number)
        if code == DICT:
            self.fill_dict(value, depth, reused)
            return value
        items = [self.value(depth - 1) for _ in range(self.size())]
        if reused:
            value.clear()
        value.extend(items) if code == LIST else value.update(items)
        return value

    def fill_dict(self, value: dict[Any, Any], depth: int, reused: bool) -> None:
        """Keys and values up to the end mark."""
        items = []
        while self.data[self.at] != END:
            key = self.value(depth - 1)
            items.append((key, self.value(depth - 1)))
        self.at += 1
        if reused:
            value.clear()
        value.update(items)

    def object(self) -> Any:
        """An object of the other process, the same one for the same number."""
        number, name, flags = self.number(), self.text(), self.count()
        if number in self.world.known:
            return self.world.known[number]
        return self.world.keep(self.world.object(number, name, flags), number)


def refill(old: Any, new: Any) -> bool:
    """Gives a mutable object the contents of another one of its type; False for other types."""
    if type(old) is not type(new):
        return False
    kind = type(old)
    name = f"{kind.__module__}.{kind.__name__}"
    if kind in (list, bytearray):
        old[:] = new
    elif kind in (dict, set) or name in ("collections.OrderedDict", "collections.Counter", "collections.defaultdict"):
        old.clear()
        old.update(new)
    elif name == "collections.deque" and old.maxlen == new.maxlen:
        old.clear()
        old.extend(new)
    elif name == "numpy.ndarray" and old.shape == new.shape and old.dtype == new.dtype and old.flags.writeable:
        old[...] = new
    else:
        return False
    return True
