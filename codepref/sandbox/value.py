"""Plain data as the worker sends it: a strict decoder, a canonical form and fingerprints.

The bytes are marshal version 2 of plain data, but they come from a process that ran untrusted code, so they are never
given to `marshal.loads`: `decode` accepts plain data only and raises `Malformed` for anything else.
Standard-library values travel as the tuple `(..., module, name, arguments)` and are rebuilt by `rebuild` through an
allow-list; in this file they stay `Reference`s.
"""

import cmath
import functools
import hashlib
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 200
SMALL = 4096
"""Bytes up to which decoding and comparing a value costs at most a few milliseconds, whatever it is made of."""


class Malformed(ValueError):
    """The bytes are not a value."""


@dataclass(frozen=True)
class Reference:
    """A module, type, function or value of the standard library; `arguments` is None for the thing itself."""

    module: str
    name: str
    arguments: tuple[Any, ...] | None


_INT, _FLOAT, _COMPLEX = struct.Struct("<i"), struct.Struct("<d"), struct.Struct("<dd")
_SIZE, _DIGIT_BITS = struct.Struct("<I"), 15
_CONSTANTS = {b"N"[0]: None, b"T"[0]: True, b"F"[0]: False, b"."[0]: ...}
_SEQUENCES: dict[int, Any] = {b"("[0]: tuple, b"["[0]: list, b"<"[0]: set, b">"[0]: frozenset}
_I, _G, _L, _U, _S, _Y, _DICT, _NULL = b"iglusy{0"


def decode(data: bytes, max_depth: int = MAX_DEPTH) -> Any:
    """The value; raises `Malformed`, also for values nested deeper than `max_depth`."""
    try:
        value, end = _decode(data, 0, max_depth)
    except (struct.error, IndexError, UnicodeDecodeError, TypeError) as error:
        raise Malformed(str(error)) from None
    if end != len(data):
        raise Malformed("trailing bytes")
    return value


def _decode(data: bytes, at: int, depth: int) -> tuple[Any, int]:  # noqa: PLR0911 - one return a type
    kind = data[at]
    at += 1
    if kind == _I:
        return _INT.unpack_from(data, at)[0], at + 4
    if kind in _CONSTANTS:
        return _CONSTANTS[kind], at
    if kind in (_U, _S):
        end = at + 4 + _SIZE.unpack_from(data, at)[0]
        if end > len(data):
            raise Malformed("cut off")
        text = data[at + 4 : end]
        return (text.decode("utf-8", "surrogatepass") if kind == _U else text), end
    if kind == _G:
        return _FLOAT.unpack_from(data, at)[0], at + 8
    if kind == _Y:
        return complex(*_COMPLEX.unpack_from(data, at)), at + 16
    if kind == _L:
        return _decode_long(data, at)
    if depth == 0:
        raise Malformed("too deep")
    if kind in _SEQUENCES:
        return _decode_sequence(data, at, depth, _SEQUENCES[kind])
    if kind == _DICT:
        return _decode_dict(data, at, depth)
    raise Malformed(f"type {kind}")


def _decode_long(data: bytes, at: int) -> tuple[int, int]:
    count = _INT.unpack_from(data, at)[0]
    at, size = at + 4, abs(count)
    if at + 2 * size > len(data):
        raise Malformed("cut off")
    if size <= 64:
        value = 0
        for digit in reversed(struct.unpack_from(f"<{size}H", data, at)):
            value = value << _DIGIT_BITS | digit
    else:  # hexadecimal text keeps long numbers linear
        digits = struct.unpack_from(f"<{size}H", data, at)
        value = int("".join(f"{digit:015b}" for digit in reversed(digits)), 2)
    return (-value if count < 0 else value), at + 2 * size


def _decode_sequence(data: bytes, at: int, depth: int, build: Any) -> tuple[Any, int]:
    count = _SIZE.unpack_from(data, at)[0]
    at += 4
    if count > len(data) - at:
        raise Malformed("cut off")
    items = []
    for _ in range(count):
        item, at = _decode(data, at, depth - 1)
        items.append(item)
    if build is tuple and count == 4 and items[0] is ...:
        return _reference(items), at
    return build(items), at


def _reference(items: list[Any]) -> Reference:
    _, module, name, arguments = items
    if not (type(module) is str and type(name) is str and (arguments is None or type(arguments) is tuple)):
        raise Malformed("reference")
    return Reference(module, name, arguments)


def _decode_dict(data: bytes, at: int, depth: int) -> tuple[dict[Any, Any], int]:
    result = {}
    while data[at] != _NULL:
        key, at = _decode(data, at, depth - 1)
        result[key], at = _decode(data, at, depth - 1)
    return result, at + 1


def canonical(value: Any) -> str:  # noqa: PLR0911 - one return a type
    """Text that is equal for equal values: `1 == 1.0 == True`, sets and dicts without their order, NaN as one value."""
    if value is None or value is ...:
        return "N" if value is None else "."
    if isinstance(value, (int, float, complex)):
        return _canonical_number(value)
    if isinstance(value, (str, bytes)):
        return repr(value)
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, tuple):
        return "(" + ",".join(map(canonical, value)) + ")"
    if isinstance(value, (set, frozenset)):
        return "<" + ",".join(sorted(map(canonical, value))) + ">"
    if isinstance(value, dict):
        return "{" + ",".join(sorted(f"{canonical(k)}:{canonical(v)}" for k, v in value.items())) + "}"
    if isinstance(value, Reference):
        if value.arguments and (value.name == "subclass" or (value.module == "numpy" and value.name != "array")):
            return canonical(value.arguments[0])
        return f"{value.module}.{value.name}{canonical(value.arguments)}"
    raise Malformed(f"no canonical form for {type(value).__name__}")


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
def read(data: bytes) -> tuple[Any, str]:
    """A value and its fingerprint. Raises `Malformed`. The same few values come back from many candidates."""
    value = decode(data)
    return value, fingerprint(canonical(value))


def fingerprint_of(parts: Sequence[bytes]) -> str:
    """Fingerprint of the values a test computed. Large or deep values are hashed as they were sent."""
    if all(len(part) <= SMALL for part in parts):
        try:
            return read(parts[0])[1] if len(parts) == 1 else fingerprint(";".join(read(part)[1] for part in parts))
        except (Malformed, RecursionError, OverflowError):
            pass
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
