"""Writes values in the grammar of wire.py, with numbers for objects where their identity counts.

Runs under CPython >= 3.8 on the candidate's side and again on the judge's, as wire.py.
"""

from __future__ import annotations

import marshal
import math
import sys
from typing import Any, Callable, Iterable  # noqa: UP035 - Python 3.8

from . import table
from .wire import MAX_DEPTH, SCALARS, U32, NotPlain

_SIMPLE = SCALARS - {float, complex}
_CODES: dict[type, bytes] = {tuple: b"(", list: b"[", set: b"<", frozenset: b">"}

Opaque = Callable[["Writer", Any, int], None]
"""Appends to a writer what the grammar can not say, at a depth, or raises."""
_MUTABLE = frozenset(("list", "dict", "set", "bytearray", "deque", "Counter", "OrderedDict", "defaultdict", "ndarray"))
MOST_WATCHED = 64
ALONE = 2
"""References to an object that its registry alone holds: that of the dict, and that of the question."""


class Registry:
    """Numbers of objects, for one test in one process. Objects are kept alive, as a number stands for an identity."""

    def __init__(self, first: int) -> None:
        """`first` is 0 on the judge's side and 1 on the candidate's, so that their numbers never meet."""
        self.numbers: dict[int, int] = {}
        self.kept: dict[int, Any] = {}
        self.watched: dict[int, None] = {}
        """Numbers of the mutable objects whose changes are looked for, the last used ones last."""
        self.next = first

    def number(self, value: Any) -> int:
        """The number of an object, a new one if it has none."""
        number = self.numbers.get(id(value))
        if number is None:
            number = self.next
            self.next += 2
            self.enter(value, number)
        return number

    def enter(self, value: Any, number: int) -> None:
        """Gives an object a number."""
        self.numbers[id(value)] = number
        self.kept[number] = value
        self.touch(number)

    def touch(self, number: int) -> None:
        """Looks for changes of an object from now on, if it can change; of all but the last used ones no longer."""
        if type(self.kept.get(number)).__name__ in _MUTABLE:
            self.watched.pop(number, None)
            self.watched[number] = None
            if len(self.watched) > MOST_WATCHED:
                del self.watched[next(iter(self.watched))]

    def release(self) -> None:
        """Forgets to look at objects that nobody but this registry holds: nothing can change them."""
        for number in list(self.watched):
            if sys.getrefcount(self.kept[number]) <= ALONE:
                del self.watched[number]

    def snapshots(self, opaque: Opaque) -> dict[int, bytes]:
        """Every watched object as it is now."""
        found = {}
        for number in list(self.watched):
            try:
                found[number] = Writer(self, opaque).message(self.kept[number])
            except NotPlain:
                continue
        return found


class Writer:
    """Writes values without running any method that they define themselves.

    With a `registry` objects have numbers. `opaque` says what becomes of other values; without it they raise
    `NotPlain`.
    """

    def __init__(self, registry: Registry | None = None, opaque: Opaque | None = None) -> None:
        self.registry, self.opaque = registry, opaque
        self.written: set[int] = set()
        self.parts: list[bytes] = []

    def message(self, value: Any) -> bytes:
        """One message."""
        self.written, self.parts = set(), []
        try:
            self.put(value, 0)
        except RecursionError:  # the program is that deep in calls itself
            raise NotPlain from None
        return b"".join(self.parts)

    def begin(self, count: int) -> None:
        """Begins a message that is a tuple of `count` values, which are put next."""
        self.written, self.parts = set(), [b"(" + U32.pack(count)]

    def put(self, value: Any, depth: int) -> None:
        """Appends one value."""
        kind = type(value)
        if kind in SCALARS:
            if kind is float and self.registry is not None and math.isnan(value):
                self.numbered(value, marshal.dumps(value, 2))
            else:
                self.parts.append(marshal.dumps(value, 2))
            return
        if depth >= MAX_DEPTH:
            self.put_opaque(value, depth)
        elif kind is dict or kind in _CODES:
            self.put_container(value, kind, depth)
        else:
            self.put_made(value, depth)

    def numbered(self, value: Any, content: bytes) -> bool:
        """Appends an object's number, and its content the first time. True if the content is to follow."""
        if self.registry is None:
            self.parts.append(content)
            return True
        number = self.registry.number(value)
        if number in self.written:
            self.parts.append(b"r" + U32.pack(number))
            return False
        self.written.add(number)
        self.parts.append(b"&" + U32.pack(number) + content)
        return True

    def put_container(self, value: Any, kind: type, depth: int) -> None:
        """Appends a list, tuple, set, frozenset or dict; one of scalars alone is written at once."""
        if not self.numbered(value, b""):
            return
        if is_flat(value, kind, self.registry is None):
            self.parts.append(marshal.dumps(value, 2))
        else:
            self.put_items(value, kind, depth)

    def put_items(self, value: Any, kind: type, depth: int) -> None:
        """Appends a container of any values, without its number."""
        if kind is dict:
            self.parts.append(b"{")
            for key, item in value.items():
                self.put(key, depth + 1)
                self.put(item, depth + 1)
            self.parts.append(b"0")
            return
        self.parts.append(_CODES[kind] + U32.pack(len(value)))
        for item in value:
            self.put(item, depth + 1)

    def put_made(self, value: Any, depth: int) -> None:
        """Appends a value of the table, if it is one."""
        try:
            found = table.parts_of(value)
        except Exception:
            found = None  # a look-alike of one of its types
        if found is None:
            self.put_opaque(value, depth)
            return
        name, parts = found
        if self.numbered(value, b""):
            self.put_parts(name, parts, depth)

    def put_parts(self, name: str, parts: tuple[Any, ...], depth: int) -> None:
        """Appends a constructor and its parts.

        Containers among the parts were made for this message, so they have no number.
        """
        self.parts.append(b"x" + text(name) + b"(" + U32.pack(len(parts)))
        for part in parts:
            kind = type(part)
            if kind is dict or kind in _CODES:
                self.put_items(part, kind, depth + 1)
            else:
                self.put(part, depth + 1)

    def put_opaque(self, value: Any, depth: int) -> None:
        """Appends what the grammar can not say."""
        if self.opaque is None:
            raise NotPlain
        self.opaque(self, value, depth)


def text(name: str) -> bytes:
    """Text with its length before it."""
    data = name.encode("utf-8", "surrogatepass")
    return U32.pack(len(data)) + data


def object_bytes(number: int, type_name: str, flags: int) -> bytes:
    """An object of this process, for the other one."""
    return b"o" + U32.pack(number) + text(type_name[:100]) + U32.pack(flags)


def known_bytes(number: int) -> bytes:
    """A known object."""
    return b"r" + U32.pack(number)


def global_bytes(name: str) -> bytes:
    """A global of the candidate's module."""
    return b"G" + text(name)


def is_flat(value: Any, kind: type, with_nan: bool) -> bool:
    """True if a container holds exact scalars alone, and no NaN where identity counts."""
    found = set(map(type, value))
    items: Iterable[Any] = value
    if kind is dict:
        items = [*value.keys(), *value.values()]
        found = set(map(type, items))
    if found <= _SIMPLE:
        return True
    return found <= SCALARS and (with_nan or all(item == item for item in items))  # noqa: PLR0124 - NaN is not


def encode(value: Any) -> bytes:
    """The value as bytes that `decode` reads; raises `NotPlain`."""
    return Writer().message(value)
