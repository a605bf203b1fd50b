"""Values as plain data: what a candidate returned, written down without running any of its code."""

from __future__ import annotations

import itertools
import marshal
import sys
import types
from typing import Any, Callable  # noqa: UP035 - Python 3.8

from . import MODULE

SCALARS = frozenset((type(None), type(Ellipsis), bool, int, float, complex, str, bytes))
BASES = (bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict)
COPY_BASE: dict[type, Callable[[Any], Any]] = {
    bool: bool, int: int.__pos__, float: float.__pos__, complex: complex.__pos__, str: str.__str__,
    bytes: lambda value: b"".join([value]),
}  # fmt: skip
# Standard types that the judge can rebuild from plain data: name -> constructor arguments.
REBUILT: dict[tuple[str, str], Callable[[Any], tuple[Any, ...]]] = {
    ("decimal", "Decimal"): lambda v: (str(v),), ("fractions", "Fraction"): lambda v: (v.numerator, v.denominator),
    ("builtins", "range"): lambda v: (v.start, v.stop, v.step), ("builtins", "bytearray"): lambda v: (bytes(v),),
    ("datetime", "date"): lambda v: (v.year, v.month, v.day),
    ("datetime", "timedelta"): lambda v: (v.days, v.seconds, v.microseconds),
    ("datetime", "time"): lambda v: (v.hour, v.minute, v.second, v.microsecond),
    ("datetime", "datetime"): lambda v: (v.year, v.month, v.day, v.hour, v.minute, v.second, v.microsecond),
    ("collections", "deque"): lambda v: (list(v),),
}  # fmt: skip
VIEWS = {type({}.keys()): "keys", type({}.values()): "values", type({}.items()): "items"}
_SAMPLES: list[Any] = [(), [], "", b"", {}, set(), range(0), {}.values(), {}.items()]
ITERATORS = frozenset(
    [type(iter(sample)) for sample in _SAMPLES]
    + [map, filter, zip, enumerate, reversed, types.GeneratorType, type(iter(reversed([])))]
    + [kind for kind in vars(itertools).values() if isinstance(kind, type)]
)
MAX_DEPTH, MAX_NODES, MAX_ITEMS = 200, 200_000, 1000
BUILTIN_FUNCTIONS = (types.BuiltinFunctionType, types.FunctionType, type)


class NotPlain(Exception):
    """The value is not plain data."""


def is_exact(value: Any) -> bool:
    """True if `value` is made of exact builtin types only, which marshal writes faithfully and without any call."""
    todo, seen = [value], 0
    while todo:
        item = todo.pop()
        kind = type(item)
        if kind in SCALARS:
            continue
        seen += 1
        if seen > MAX_NODES:
            return False
        if kind is dict:
            todo.extend(item.keys())
            todo.extend(item.values())
        elif kind in (list, tuple, set, frozenset):
            todo.extend(item)
        else:
            return False
    return True


def plain(value: Any, depth: int = 0) -> Any:
    """Plain-data image: subclasses become their builtin base, known types `(..., module, name, arguments)`.

    Only methods of the builtin bases are called, never a candidate's.
    """
    kind = type(value)
    if kind in SCALARS:
        return value
    if depth > MAX_DEPTH:
        raise NotPlain
    if kind.__module__ == "numpy" and kind is getattr(sys.modules.get("numpy"), kind.__name__, None):
        return numpy_image(value, kind, depth)
    base = builtin_base(kind)
    if base is None:
        return reference(value, kind, depth)
    copy = COPY_BASE[base](value) if base in COPY_BASE else container(value, base, depth)
    return copy if kind is base else (Ellipsis, "", "subclass", (copy,))


def builtin_base(kind: type) -> type | None:
    """The builtin type whose values these are; reads the real inheritance, which no metaclass can change."""
    order = type.__dict__["__mro__"].__get__(kind)
    return next((base for base in BASES if base in order), None)


def container(value: Any, base: type, depth: int) -> Any:
    """A copy with plain items, read past anything a subclass overrides."""
    if base is dict:
        return {plain(key, depth + 1): plain(item, depth + 1) for key, item in dict.items(value)}
    items = set.__or__(set(), value) if base in (set, frozenset) else getattr(base, "__getitem__")(value, slice(None))  # noqa: B009
    return base(plain(item, depth + 1) for item in items)


def numpy_image(value: Any, kind: type, depth: int) -> Any:
    """Scalars and arrays of numbers and text, with their type."""
    if value.dtype.kind not in "biufcSU":
        raise NotPlain
    if hasattr(kind, "__array_finalize__"):
        return (Ellipsis, "numpy", "array", (plain(value.tolist(), depth + 1), value.dtype.str))
    return (Ellipsis, "numpy", kind.__name__, (plain(value.item(), depth + 1),))


def reference(value: Any, kind: type, depth: int) -> Any:
    """Image of a module, type or function of the standard library, of an iterator, or of a value in `REBUILT`."""
    if kind is types.ModuleType and value is sys.modules.get(value.__dict__.get("__name__")):
        return (Ellipsis, "", value.__dict__["__name__"], ())
    if kind in VIEWS:
        return (Ellipsis, "", VIEWS[kind], (plain(list(value), depth + 1),))
    if kind in ITERATORS:
        items = list(itertools.islice(value, MAX_ITEMS + 1))
        return (Ellipsis, "", "iterator", (plain(items[:MAX_ITEMS], depth + 1), len(items) > MAX_ITEMS))
    name = (kind.__module__, kind.__name__)
    arguments = REBUILT.get(name)
    if arguments is not None and getattr(sys.modules[name[0]], name[1]) is kind:
        if getattr(value, "tzinfo", None) is not None:
            raise NotPlain
        return (Ellipsis, name[0], name[1], plain(arguments(value), depth + 1))
    if kind in BUILTIN_FUNCTIONS:
        name = (value.__module__, value.__name__)
        if name[0] != MODULE and getattr(sys.modules.get(name[0]), name[1], None) is value:
            return (Ellipsis, name[0], name[1], None)
    raise NotPlain


def encode(value: Any, shared: bool) -> bytes:
    """Bytes of the value; raises NotPlain. `shared` programs can not make the buffers that marshal takes for bytes."""
    try:
        if shared or is_exact(value):
            return marshal.dumps(value, 2)
    except ValueError:
        pass
    try:
        return marshal.dumps(plain(value), 2)
    except (MemoryError, NotPlain):
        raise
    except Exception:
        raise NotPlain from None


def truth(value: Any) -> bytes:
    """What `if value` would see, for tests that ask a value that is not plain data for nothing else."""
    try:
        return b"T" if value else b"F"
    except Exception:
        return b"E"


def describe(error: BaseException) -> bytes:
    """Type and message, without running anything a candidate may have overridden."""
    kind = type(error)
    name = str.__str__(type.__dict__["__name__"].__get__(kind))
    arguments = BaseException.__dict__["args"].__get__(error)
    first = arguments[0] if arguments else ""
    text = first[:200] if type(first) is str else ""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return f"{name[:100]}: {text}".encode("utf-8", "replace")
