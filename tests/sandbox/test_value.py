"""Plain data survives the way from a candidate to the supervisor, and nothing else does."""

import contextlib
import marshal
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codepref.sandbox.value import Malformed, Reference, canonical, decode, fingerprint_of
from codepref.sandbox.worker.image import NotPlain, encode

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary(),
    st.complex_numbers(allow_nan=False),
)  # fmt: skip
hashable = st.recursive(scalars, lambda inner: st.one_of(st.tuples(inner, inner), st.frozensets(inner)), max_leaves=6)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner), st.tuples(inner, inner), st.sets(hashable), st.dictionaries(hashable, inner)
    ),
    max_leaves=20,
)


def same(left, right):
    return left == right and type(left) is type(right) and repr(type(left)) == repr(type(right))


@given(values)
def test_round_trip(value):
    assert same(decode(encode(value, False)), value)
    assert decode(encode(value, True)) == value


@given(values, values)
def test_fingerprints_are_equal_exactly_for_equal_values(left, right):
    prints = fingerprint_of([encode(left, False)]), fingerprint_of([encode(right, False)])
    assert (prints[0] == prints[1]) == (left == right)


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused(data):
    with contextlib.suppress(Malformed):
        canonical(decode(data))


@given(values, st.data())
def test_damaged_bytes_never_crash(value, data):
    raw = bytearray(encode(value, False))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Malformed):
        decode(bytes(raw))


def test_equal_numbers_of_different_types_have_one_fingerprint():
    assert len({fingerprint_of([encode(value, False)]) for value in (1, 1.0, True, 1 + 0j)}) == 1
    assert fingerprint_of([encode({1, 2, 3}, False)]) == fingerprint_of([encode({3, 2, 1}, False)])
    assert fingerprint_of([encode({"a": 1, "b": 2}, False)]) == fingerprint_of([encode({"b": 2, "a": 1}, False)])
    assert fingerprint_of([encode([1], False)]) != fingerprint_of([encode((1,), False)])


def test_any_size_of_number_has_a_fingerprint():
    numbers = [10**1000, -(10**1000), 1e308, -0.0, math.inf, -math.inf, math.nan, complex(math.nan, 1), 1e308j]
    assert len({fingerprint_of([encode(number, False)]) for number in numbers}) == len(numbers)


def test_nan_is_decoded_as_nan():
    assert math.isnan(decode(encode(math.nan, False)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"i\0",
        b"[\xff\xff\xff\xff",
        b"u\xff\xff\xff\x7f",
        b"NN",
        b"(" + b"\1\0\0\0(" * 999,
        b"<\1\0\0\0[\0\0\0\0",
    ],
)
def test_malformed(data):
    with pytest.raises(Malformed):
        decode(data)


def test_code_objects_are_not_values():
    with pytest.raises(Malformed):
        decode(marshal.dumps(compile("1", "", "eval"), 2))


class LyingList(list):
    def __iter__(self):
        return iter([1])

    def __eq__(self, other):
        return True

    __hash__ = None


class LyingInt(int):
    def __int__(self):
        return 7

    __index__ = __int__


class LyingText(str):
    def __str__(self):
        return "lie"


def test_subclasses_are_read_as_their_base():
    assert decode(encode(LyingList([2, 3]), False)) == Reference("", "subclass", ([2, 3],))
    number, text = decode(encode([LyingInt(5), LyingText("true")], False))
    assert (number.arguments, text.arguments) == ((5,), ("true",))


def test_standard_types_travel_by_name():
    from datetime import timedelta
    from decimal import Decimal
    from fractions import Fraction

    assert decode(encode(Decimal("1.50"), False)) == Reference("decimal", "Decimal", ("1.50",))
    assert decode(encode(Fraction(1, 3), False)) == Reference("fractions", "Fraction", (1, 3))
    assert decode(encode(timedelta(days=1), False)) == Reference("datetime", "timedelta", (1, 0, 0))
    assert decode(encode(range(3), False)) == Reference("builtins", "range", (0, 3, 1))


def test_own_classes_are_not_plain():
    class Decimal:
        pass

    Decimal.__module__ = "decimal"
    for value in (Decimal(), Decimal, [Decimal()], {"a": Decimal()}):
        with pytest.raises(NotPlain):
            encode(value, False)
