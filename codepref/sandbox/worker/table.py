"""The table of constructors of the transport: values of the standard library and numpy, made of plain parts.

`parts_of` takes such a value apart, `BUILD` puts it together again. Every constructor checks the types of its parts, as
they come from a process that ran untrusted code; what it raises makes the message malformed. A name that is not in the
table stands for nothing. numpy is only touched where its name occurs in a message or a value.
"""

from __future__ import annotations

import array
import builtins
import collections
import collections.abc
import datetime
import decimal
import fractions
import functools
import importlib
import ipaddress
import math
import pathlib
import re
import sys
import types
import uuid
from typing import Any, Callable  # noqa: UP035 - Python 3.8

NUMPY_MARK = b"numpy."
"""Occurs in every message that needs numpy to be read."""

_MODULES = """math cmath collections itertools operator fractions decimal datetime statistics typing re string
    functools heapq"""
MODULES = frozenset(_MODULES.split())
"""Modules that a test may name without importing them; the judge has its own. `statistics` loads `random`, which would
seed itself anew in every child if it were loaded here."""
_FUNCTIONS = (
    math.isclose, math.isnan, math.isinf, math.sqrt, math.gcd, math.floor, math.ceil, collections.namedtuple,
    functools.reduce,
)  # fmt: skip
FUNCTIONS = {f"{function.__module__}.{function.__name__}": function for function in _FUNCTIONS}
_EXCEPTIONS = {
    kind for kind in vars(builtins).values() if isinstance(kind, type) and issubclass(kind, BaseException)
}  # fmt: skip
_PLAIN_TYPES: tuple[type, ...] = (
    object, bool, int, float, complex, str, bytes, bytearray, list, tuple, set, frozenset, dict, range, slice,
    type(None), memoryview, decimal.Decimal, fractions.Fraction, datetime.date, datetime.time, datetime.datetime,
    datetime.timedelta, datetime.timezone, uuid.UUID, collections.Counter, collections.OrderedDict,
    collections.defaultdict, collections.deque, types.GeneratorType, decimal.InvalidOperation, decimal.DivisionByZero,
)  # fmt: skip
TYPES = {f"{kind.__module__}.{kind.__qualname__}": kind for kind in (*_PLAIN_TYPES, *sorted(_EXCEPTIONS, key=repr))}
_NUMPY_NAMES = """bool_ int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128
    str_ bytes_ datetime64 timedelta64 ndarray generic number integer floating"""
_NUMPY_TYPES = frozenset(_NUMPY_NAMES.split())
_NUMPY_KINDS = frozenset("biufcSUMm")
_PATHS = ("PurePosixPath", "PureWindowsPath", "PosixPath")
_ARRAY_CODES = frozenset("bBhHiIlLqQfd")
_VIEWS = {type({}.keys()): "keys", type({}.values()): "values", type({}.items()): "items"}
_ADDRESSES = ("IPv4Address", "IPv6Address", "IPv4Network", "IPv6Network")
BASES = (bool, int, float, complex, str, bytes, list, tuple, set, frozenset, dict)
"""Builtin types whose subclasses travel as their base value."""
_REGEX_FLAGS = int(re.ASCII | re.IGNORECASE | re.LOCALE | re.MULTILINE | re.DOTALL | re.VERBOSE | re.UNICODE)
_DTYPE = re.compile(r"[<>|=](?:[biufc]\d{1,2}|[SU]\d{1,6}|[Mm]8(?:\[[0-9a-zA-Z]{1,20}\])?)")
"""All that numpy is asked to read of a type's text; it would read far more."""
_FACTORIES = frozenset((int, float, str, list, dict, set, bool, tuple))


def mutable() -> set[type]:
    """Types of the table whose values may change."""
    numpy = sys.modules.get("numpy")
    return {collections.deque, array.array, types.SimpleNamespace, memoryview} | ({numpy.ndarray} if numpy else set())


# ------------------------------------------------------------------------------------------------------ to parts


def _datetime_parts(value: Any) -> tuple[Any, ...]:
    zone = value.tzinfo
    if zone is not None and type(zone) is not datetime.timezone:
        raise ValueError("a time zone of another kind")
    return (value.hour, value.minute, value.second, value.microsecond, value.fold, zone)


def _memory(value: Any) -> tuple[Any, ...]:
    if value.format != "B" or value.ndim != 1:
        raise ValueError("a memoryview of other items")
    return (bytes(value), value.readonly)


def _path(value: Any) -> tuple[Any, ...]:
    return (str(value),)


_PARTS: dict[type, tuple[str, Callable[[Any], tuple[Any, ...]]]] = {
    decimal.Decimal: ("Decimal", lambda v: (str(v),)),
    fractions.Fraction: ("Fraction", lambda v: (v.numerator, v.denominator)),
    range: ("range", lambda v: (v.start, v.stop, v.step)),
    slice: ("slice", lambda v: (v.start, v.stop, v.step)),
    bytearray: ("bytearray", lambda v: (bytes(v),)),
    memoryview: ("memoryview", _memory),
    datetime.date: ("date", lambda v: (v.year, v.month, v.day)),
    datetime.time: ("time", _datetime_parts),
    datetime.datetime: ("datetime", lambda v: (v.year, v.month, v.day, *_datetime_parts(v))),
    datetime.timedelta: ("timedelta", lambda v: (v.days, v.seconds, v.microseconds)),
    datetime.timezone: ("timezone", lambda v: (v.utcoffset(None), v.tzname(None))),
    uuid.UUID: ("UUID", lambda v: (v.int,)),
    collections.Counter: ("Counter", lambda v: (dict(v),)),
    collections.OrderedDict: ("OrderedDict", lambda v: (dict(v),)),
    collections.defaultdict: ("defaultdict", lambda v: (_factory(v.default_factory), dict(v))),
    collections.deque: ("deque", lambda v: (list(v), v.maxlen)),
    array.array: ("array", lambda v: (v.typecode, v.tobytes())),
    types.SimpleNamespace: ("SimpleNamespace", lambda v: (dict(vars(v)),)),
    re.Pattern: ("Pattern", lambda v: (v.pattern, v.flags)),
}
if hasattr(types, "GenericAlias"):
    _PARTS[types.GenericAlias] = ("alias", lambda v: (v.__origin__, v.__args__))
for _name in _ADDRESSES:
    _PARTS[getattr(ipaddress, _name)] = (_name, _path)
for _name in _PATHS:
    if hasattr(pathlib, _name):
        _PARTS[getattr(pathlib, _name)] = (_name, _path)
for _kind, _name in _VIEWS.items():
    _PARTS[_kind] = (_name, lambda v: (list(v),))


def _factory(factory: Any) -> Any:
    if factory is not None and factory not in _FACTORIES:
        raise ValueError("a factory of another kind")
    return factory


def parts_of(value: Any) -> Any:
    """Name and parts of a value of the table, or None.

    `type(value)` alone decides, never what a class says of itself.
    """
    kind = type(value)
    if kind in _PARTS:
        name, taken_apart = _PARTS[kind]
        return name, taken_apart(value)
    if kind in _EXCEPTIONS:
        return "exception", (kind.__name__, BaseException.__dict__["args"].__get__(value))
    if kind in _NAMED_PARTS:
        return _NAMED_PARTS[kind](value)
    if str(kind.__module__).partition(".")[0] == "numpy":
        return _numpy_parts(value, kind)
    return None


def _type_parts(value: type) -> Any:
    for name, kind in TYPES.items():
        if kind is value:
            return "type", (name,)
    numpy = sys.modules.get("numpy")
    if numpy is not None and value.__module__ == "numpy" and value.__name__ in _NUMPY_TYPES:
        return ("numpy.type", (value.__name__,)) if getattr(numpy, value.__name__, None) is value else None
    return None


def _module_parts(value: Any) -> Any:
    name = value.__dict__.get("__name__")
    if name in MODULES and value is sys.modules.get(name):
        return "module", (name,)
    if name == "numpy" and value is sys.modules.get("numpy"):
        return "numpy.module", ()
    return None


def _function_parts(value: Any) -> Any:
    name = f"{value.__module__}.{value.__name__}"
    return ("function", (name,)) if FUNCTIONS.get(name) is value else None


_NAMED_PARTS: dict[type, Callable[[Any], Any]] = {
    type: _type_parts, type(fractions.Fraction): _type_parts, types.ModuleType: _module_parts,
    types.FunctionType: _function_parts, types.BuiltinFunctionType: _function_parts,
}  # fmt: skip
"""What is found by its name: None for a value that only has the name of one of the table."""


def _numpy_parts(value: Any, kind: type) -> Any:
    numpy = sys.modules["numpy"]
    if isinstance(value, numpy.dtype):
        return ("numpy.dtype", (value.str,)) if value.kind in _NUMPY_KINDS else None
    if kind is numpy.ndarray:
        if value.dtype.kind == "O":
            return "numpy.objects", (tuple(value.shape), [value[place] for place in numpy.ndindex(value.shape)])
        if value.dtype.kind in _NUMPY_KINDS:
            return "numpy.array", (value.dtype.str, tuple(value.shape), value.tobytes())
    elif issubclass(kind, numpy.generic) and value.dtype.kind in _NUMPY_KINDS and kind is value.dtype.type:
        return "numpy.scalar", (value.dtype.str, value.tobytes())
    return None


# ---------------------------------------------------------------------------------------------------- from parts


class BadParts(TypeError):
    """The parts are of other types than the constructor's own."""


def _exact(*kinds_and_values: Any) -> None:
    """Raises unless each value is exactly of the type before it."""
    for kind, value in zip(kinds_and_values[::2], kinds_and_values[1::2]):  # noqa: B905 - Python 3.8
        if type(value) is not kind:
            raise BadParts(f"{type(value).__name__} for {kind.__name__}")


def _of(build: Callable[..., Any], *kinds: type) -> Callable[..., Any]:
    """A constructor that takes parts of exactly these types."""

    def made(*parts: Any) -> Any:
        if tuple(map(type, parts)) != kinds:
            raise BadParts("parts")
        return build(*parts)

    return made


def _memoryview(data: Any, readonly: Any) -> Any:
    _exact(bytes, data, bool, readonly)
    return memoryview(data if readonly else bytearray(data))


def _zone(zone: Any) -> Any:
    if zone is not None:
        _exact(datetime.timezone, zone)
    return zone


def _time(hour: Any, minute: Any, second: Any, micros: Any, fold: Any, zone: Any) -> Any:
    return datetime.time(hour, minute, second, micros, _zone(zone), fold=fold)


def _datetime(
    year: Any, month: Any, day: Any, hour: Any, minute: Any, second: Any, micros: Any, fold: Any, zone: Any
) -> Any:
    return datetime.datetime(year, month, day, hour, minute, second, micros, _zone(zone), fold=fold)


def _timezone(offset: Any, name: Any) -> Any:
    _exact(datetime.timedelta, offset, str, name)
    plain = datetime.timezone(offset)
    return plain if plain.tzname(None) == name else datetime.timezone(offset, name)


def _defaultdict(factory: Any, items: Any) -> Any:
    _exact(dict, items)
    return collections.defaultdict(_factory(factory), items)


def _deque(items: Any, most: Any) -> Any:
    _exact(list, items)
    return collections.deque(items, most)


def _array(code: Any, data: Any) -> Any:
    _exact(str, code, bytes, data)
    if code not in _ARRAY_CODES:
        raise BadParts(code)
    return array.array(code, data)


def _pattern(pattern: Any, flags: Any) -> Any:
    _exact(int, flags)
    if type(pattern) not in (str, bytes):
        raise BadParts("pattern")
    return re.compile(pattern, flags & _REGEX_FLAGS)


def _alias(origin: Any, arguments: Any) -> Any:
    _exact(type, origin, tuple, arguments)
    return types.GenericAlias(origin, arguments)


def _view(name: str) -> Callable[[Any], Any]:
    def build(items: Any) -> Any:
        _exact(list, items)
        if name == "keys":
            return dict.fromkeys(items).keys()
        return dict(enumerate(items)).values() if name == "values" else dict(items).items()

    return build


def _text_maker(module: Any, name: str) -> Callable[[Any], Any]:
    def build(text: Any) -> Any:
        _exact(str, text)
        return getattr(module, name)(text)  # `name` is ours

    return build


def _exception(name: Any, arguments: Any) -> Any:
    _exact(str, name, tuple, arguments)
    kind = TYPES[f"builtins.{name}"]
    if kind not in _EXCEPTIONS:
        raise BadParts(name)
    return kind(*arguments)


def _lookup(table: dict[str, Any]) -> Callable[[Any], Any]:
    def build(name: Any) -> Any:
        _exact(str, name)
        return table[name]

    return build


def module(name: Any) -> Any:
    """One of `MODULES`, by its name."""
    if name not in MODULES:
        raise BadParts("module")
    return importlib.import_module(name)


def _numpy() -> Any:
    return importlib.import_module("numpy")


def _numpy_dtype(text: Any) -> Any:
    _exact(str, text)
    if _DTYPE.fullmatch(text) is None:
        raise BadParts("dtype")
    dtype = _numpy().dtype(text)
    if dtype.kind not in _NUMPY_KINDS:
        raise BadParts(text)
    return dtype


def _numpy_array(dtype: Any, shape: Any, data: Any) -> Any:
    _exact(tuple, shape, bytes, data)
    return _numpy().frombuffer(data, _numpy_dtype(dtype)).reshape(shape).copy() if data else _empty(dtype, shape)


def _empty(dtype: Any, shape: Any) -> Any:
    if 0 not in shape and _numpy_dtype(dtype).itemsize:
        raise BadParts("no items")
    return _numpy().zeros(shape, _numpy_dtype(dtype)) if 0 in shape else _numpy().zeros(0, "U0").reshape(shape)


def _numpy_objects(shape: Any, items: Any) -> Any:
    _exact(tuple, shape, list, items)
    if math.prod(shape) != len(items):
        raise BadParts("shape")
    made = _numpy().empty(len(items), dtype=object)
    for place, item in enumerate(items):
        made[place] = item
    return made.reshape(shape)


def _numpy_scalar(dtype: Any, data: Any) -> Any:
    _exact(bytes, data)
    if not data:  # an empty text
        return _numpy_dtype(dtype).type()
    return _numpy().frombuffer(data, _numpy_dtype(dtype), 1)[0]


def _numpy_type(name: Any) -> Any:
    if name not in _NUMPY_TYPES:
        raise BadParts("type")
    return getattr(_numpy(), name)  # of the list


BUILD: dict[str, Callable[..., Any]] = {
    "Decimal": _of(decimal.Decimal, str), "Fraction": _of(fractions.Fraction, int, int),
    "range": _of(range, int, int, int), "slice": slice,
    "bytearray": _of(bytearray, bytes), "memoryview": _memoryview,
    "date": _of(datetime.date, int, int, int), "time": _time, "datetime": _datetime,
    "timedelta": _of(datetime.timedelta, int, int, int), "timezone": _timezone,
    "UUID": _of(lambda number: uuid.UUID(int=number), int),
    "Counter": _of(collections.Counter, dict), "OrderedDict": _of(collections.OrderedDict, dict),
    "defaultdict": _defaultdict, "deque": _deque, "array": _array,
    "SimpleNamespace": _of(lambda items: types.SimpleNamespace(**items), dict), "Pattern": _pattern, "alias": _alias,
    "keys": _view("keys"), "values": _view("values"), "items": _view("items"), "exception": _exception,
    "type": _lookup(TYPES), "module": module, "function": _lookup(FUNCTIONS),
    **{name: _text_maker(ipaddress, name) for name in _ADDRESSES},
    **{name: _text_maker(pathlib, name) for name in _PATHS if hasattr(pathlib, name)},
    "numpy.module": _numpy, "numpy.type": _numpy_type, "numpy.dtype": _numpy_dtype, "numpy.array": _numpy_array,
    "numpy.objects": _numpy_objects, "numpy.scalar": _numpy_scalar,
}  # fmt: skip
