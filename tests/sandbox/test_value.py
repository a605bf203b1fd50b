"""Plain data survives the way from a candidate to the supervisor; anything else is a name and parts there."""

import contextlib
import math
import struct
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values import same, values

from codepref.sandbox.value import Item, Malformed, answers_print, canonical, decode, fingerprint_of, read
from codepref.sandbox.worker.image import NotPlain, encode
from codepref.sandbox.worker.operations import Session
from codepref.sandbox.worker.writing import Writer, global_bytes


@given(values)
def test_round_trip(value):
    assert same(decode(encode(value)), value)
    assert read(encode(value)).is_plain


@given(values, values)
def test_fingerprints_are_equal_exactly_for_equal_values(left, right):
    prints = fingerprint_of([encode(left)]), fingerprint_of([encode(right)])
    assert (prints[0] == prints[1]) == (left == right)


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused(data):
    with contextlib.suppress(Malformed):
        canonical(decode(data))


def test_equal_numbers_of_different_types_have_one_fingerprint():
    assert len({fingerprint_of([encode(value)]) for value in (1, 1.0, True, 1 + 0j)}) == 1
    assert fingerprint_of([encode({1, 2, 3})]) == fingerprint_of([encode({3, 2, 1})])
    assert fingerprint_of([encode({"a": 1, "b": 2})]) == fingerprint_of([encode({"b": 2, "a": 1})])
    assert fingerprint_of([encode([1])]) != fingerprint_of([encode((1,))])


def test_any_size_of_number_has_a_fingerprint():
    numbers = [10**1000, -(10**1000), 1e308, -0.0, math.inf, -math.inf, math.nan, complex(math.nan, 1), 1e308j]
    assert len({fingerprint_of([encode(number)]) for number in numbers}) == len(numbers)


def test_a_number_of_numpy_has_the_fingerprint_of_that_number():
    np = pytest.importorskip("numpy")
    numbers = [np.int8(-3), np.uint64(2**63), np.float32(0.5), np.float64(0.1), np.bool_(True)]
    for number in numbers:
        assert fingerprint_of([encode(number)]) == fingerprint_of([encode(number.item())])


def test_values_of_the_table_are_items():
    assert decode(encode(Decimal("1.50"))) == Item("Decimal", ("1.50",))
    assert decode(encode(Fraction(1, 3))) == Item("Fraction", (1, 3))
    assert decode(encode(range(3))) == Item("range", (0, 3, 1))
    assert decode(encode(Counter("ab"))) == Item("Counter", ({"a": 1, "b": 1},))
    assert not read(encode([range(3)])).is_plain


def test_a_name_of_the_table_makes_nothing_here():
    """Not even what the judge's process would make: the supervisor has no objects but plain ones."""
    message = b"x\x06\x00\x00\x00module(\x01\x00\x00\x00u\x04\x00\x00\x00math"
    assert decode(message) == Item("module", ("math",))


def session(code):
    namespace = {"__name__": "solution"}
    exec(code, namespace)
    return Session(namespace)


def call(name, *arguments):
    writer = Writer()
    writer.begin(4)
    writer.put("call", 0)
    writer.parts.append(b"[" + struct.pack("<I", 1 + len(arguments)) + global_bytes(name))
    for argument in arguments:
        writer.put(argument, 1)
    writer.put({}, 0)
    writer.put([], 0)
    return b"".join(writer.parts)


OWN = "class L(list):\n    pass\nclass P:\n    pass\nmade = []\ndef f(x):\n    return L([x])\ndef g(x):\n    made.append(P())\n    return made[-1]"


def test_an_own_subclass_counts_as_its_base_value():
    plain = session("def f(x):\n    return [x]").perform(call("f", 1))
    assert answers_print([session(OWN).perform(call("f", 1))]) == answers_print([plain])


def test_the_number_of_an_object_is_no_part_of_a_fingerprint():
    """Numbers depend on what came before, in this process or another."""
    one = session(OWN)
    first, second = one.perform(call("g", 1)), one.perform(call("g", 1))
    assert first != second
    assert answers_print([first]) == answers_print([second]) != ""


def test_exceptions_count_by_their_names():
    codes = [f"def f(x):\n    raise {what}" for what in ("ValueError(1)", "ValueError('b')", "KeyError(1)")]
    first, second, third = (answers_print([session(code).perform(call("f", 1))]) for code in codes)
    assert first == second != third


@given(st.lists(st.binary(max_size=30), max_size=3))
def test_any_answers_have_a_fingerprint(answers):
    assert isinstance(answers_print(answers), str)


def test_own_classes_are_not_plain():
    class Decimal:
        pass

    Decimal.__module__ = "decimal"
    for value in (Decimal(), Decimal, [Decimal()], {"a": Decimal()}):
        with pytest.raises(NotPlain):
            encode(value)
