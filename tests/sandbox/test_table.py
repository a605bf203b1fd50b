"""Values of the standard library and numpy come back as they were, and no others are made."""

import array
import datetime
import ipaddress
import math
import pathlib
import re
import types
from collections import Counter, OrderedDict, defaultdict, deque
from decimal import Decimal

import pytest

from codepref.sandbox.worker import table
from codepref.sandbox.worker.wire import Malformed, NotPlain, World, decode
from codepref.sandbox.worker.writing import encode, text

UTC = datetime.UTC
EAST = datetime.timezone(datetime.timedelta(hours=5, minutes=30), "IST")
VALUES = [
    datetime.datetime(2026, 1, 2, 3, 4, 5, 6, UTC), datetime.datetime(2026, 10, 25, 2, tzinfo=EAST, fold=1),
    datetime.time(1, 2, tzinfo=UTC), EAST, datetime.timedelta(-1, 5), Decimal("1.50"), Decimal("-0"), Decimal("Infinity"),
    Counter(a=0, b=-1), OrderedDict([("b", 1), ("a", 2)]), defaultdict(int, a=1), deque([1, 2], 3), deque([[1]]),
    memoryview(b"ab"), bytearray(b"ab"), array.array("d", [1.5, math.inf]), types.SimpleNamespace(a=[1]),
    re.compile("a.b", re.IGNORECASE | re.MULTILINE), re.compile(b"a"), list[int], dict[str, list[int]],
    ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_address("::1"), pathlib.PureWindowsPath("a/b"), pathlib.Path("/a/b"),
    range(5, 0, -2), slice(None, 3, None), {"a": 1}.keys(), {"a": [1]}.items(), math.isclose, math, datetime,
    int, dict, Decimal, Counter, type(None), KeyError, types.GeneratorType,
]  # fmt: skip


@pytest.mark.parametrize(
    "value", VALUES, ids=lambda value: f"{type(value).__name__} {value}".partition(" at 0x")[0][:40]
)
def test_round_trip(value):
    came = decode(encode(value))
    assert type(came) is type(value)
    assert came == value
    if not isinstance(value, (memoryview, types.GenericAlias)):
        assert repr(came) == repr(value)


def test_parts_that_comparison_does_not_see():
    assert decode(encode(datetime.datetime(2026, 1, 1, tzinfo=EAST))).tzname() == "IST"
    assert decode(encode(datetime.time(1, fold=1))).fold == 1
    assert list(decode(encode(OrderedDict([("b", 1), ("a", 2)])))) == ["b", "a"]
    assert decode(encode(deque([1], 3))).maxlen == 3
    assert decode(encode(defaultdict(list)))["new"] == []
    assert decode(encode(memoryview(b"a"))).readonly
    assert list(decode(encode({"a": 1, "b": 1}.values()))) == [1, 1]


def test_exceptions_with_their_arguments():
    error = decode(encode(KeyError("a", 1)))
    assert (type(error), error.args) == (KeyError, ("a", 1))


numpy = pytest.importorskip("numpy")
ARRAYS = [
    numpy.arange(6).reshape(2, 3), numpy.array([[1.5], [numpy.nan]]), numpy.array([], dtype="<i4"), numpy.zeros((0, 3)),
    numpy.array(3.0), numpy.array([True]), numpy.array(["ab", "é"]), numpy.array([b"a"]), numpy.array([1 + 2j]),
    numpy.array(["2026-01-02"], dtype="datetime64[D]"), numpy.arange(6)[::2], numpy.asfortranarray(numpy.eye(3)),
    numpy.array([1, "a", [2]], dtype=object), numpy.array([1], dtype=">i8"), numpy.array([""]),
]  # fmt: skip


@pytest.mark.parametrize("value", ARRAYS, ids=lambda value: f"{value.dtype.str} {value.shape}")
def test_arrays(value):
    came = decode(encode(value))
    assert (type(came), came.dtype, came.shape) == (type(value), value.dtype, value.shape)
    assert repr(came) == repr(value)


@pytest.mark.parametrize(
    "value",
    [
        numpy.int64(3), numpy.float32(0.1), numpy.bool_(True), numpy.str_("a"), numpy.complex128(1j), numpy.uint8(200),
        numpy.datetime64("2026-01-02"), numpy.timedelta64(3, "h"), numpy.float64("nan"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_scalars(value):
    came = decode(encode(value))
    assert type(came) is type(value)
    assert repr(came) == repr(value)


def test_types_of_numpy():
    for value in (numpy.dtype("float32"), numpy.float64, numpy.ndarray, numpy):
        assert decode(encode(value)) == value


@pytest.mark.parametrize(
    "value",
    [
        numpy.matrix([[1]]), numpy.ma.array([1]), numpy.array([(1, 2.0)], dtype=[("a", int), ("b", float)]), numpy.sum,
        numpy.random.default_rng(1), numpy.linalg,
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_of_numpy_is_not_sent(value):
    with pytest.raises(NotPlain):
        encode(value)


def test_what_of_the_library_is_not_sent():
    class Zone(datetime.tzinfo):
        def utcoffset(self, when):
            return None

    others = [
        datetime.datetime(2026, 1, 1, tzinfo=Zone()), defaultdict(lambda: 1), memoryview(array.array("i", [1])),
        types.SimpleNamespace(a=object()), pathlib, types.ModuleType("math"), re.match("a", "a"),
    ]  # fmt: skip
    for value in others:
        with pytest.raises(NotPlain):
            encode(value)


def constructed(name, *parts):
    return b"x" + text(name) + encode(parts)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Decimal", (1.5,)), ("Decimal", ("one",)), ("Fraction", (1, 0)), ("Fraction", (1.5, 2)), ("range", (1, 2, 0)),
        ("range", ("a", 1, 1)), ("bytearray", (10**9,)), ("bytearray", ([1],)), ("date", (2026, 13, 1)),
        ("time", (1, 2, 3, 4, 0, "UTC")), ("timezone", (1, "a")), ("UUID", (-1,)), ("Counter", ([1],)),
        ("deque", (1, 2)), ("array", ("u", b"a")), ("array", ("i", b"a")), ("SimpleNamespace", ({1: 2},)),
        ("Pattern", ("(", 0)), ("Pattern", (1, 0)), ("alias", (1, (2,))), ("exception", ("Decimal", ())),
        ("exception", ("int", (1,))), ("type", ("builtins.eval",)), ("type", ("os",)), ("module", ("os",)),
        ("module", ("sys",)), ("function", ("os.system",)), ("function", ("builtins.exec",)), ("numpy.type", ("save",)),
        ("numpy.dtype", ("O",)), ("numpy.dtype", ("i4,(9,9)f8",)), ("numpy.array", ("|O", (1,), b"12345678")),
        ("numpy.array", ("<i8", (2,), b"12345678")), ("numpy.array", ("<i8", (10**12,), b"")), ("Decimal", ()),
        ("numpy.objects", ((3,), [1])), ("numpy.scalar", ("<i8", b"1")), ("defaultdict", (bytes, {})),
        ("numpy.array", ("<i8", (-1,), b"12345678" * 2**4 + b"1")), ("IPv4Address", (1,)), ("PurePosixPath", (b"a",)),
    ],
)  # fmt: skip
def test_other_parts_make_nothing(name, parts):
    with pytest.raises(Malformed):
        decode(constructed(name, *parts))


def test_the_table_is_closed():
    """Constructors, types, functions and modules are named one by one."""
    assert all(callable(build) for build in table.BUILD.values())
    assert not {"os", "sys", "subprocess", "builtins", "importlib", "pickle"} & set(table.MODULES)
    assert not {"exec", "eval", "open", "__import__", "compile", "input", "getattr"} & {
        name.rpartition(".")[2] for name in table.FUNCTIONS
    }
    assert "builtins.type" not in table.TYPES


def test_pattern_flags_are_those_of_a_pattern():
    assert decode(constructed("Pattern", "a", int(re.DEBUG | re.IGNORECASE))).flags & re.DEBUG == 0


def test_refilled_arrays_keep_their_identity():
    world = World()
    first = numpy.array([1, 2])
    message = b"&\1\0\0\0" + encode(first)
    came = decode(message, world)
    again = decode(b"&\1\0\0\0" + encode(numpy.array([3, 4])), world)
    assert again is came
    assert list(came) == [3, 4]
    other = decode(b"&\1\0\0\0" + encode(numpy.array([1.5])), world)
    assert other is not came
