"""The transport says a value and its identity, or refuses the bytes; nothing is looked up by a name in a message."""

import collections
import contextlib
import copy
import math
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from values import made, same, values

from codepref.sandbox.worker import table, wire
from codepref.sandbox.worker.wire import Malformed, NotPlain, World, decode
from codepref.sandbox.worker.writing import Registry, Writer, encode, global_bytes, known_bytes, object_bytes, text


def sent(value, registry=None):
    """The value as it comes out at the other side."""
    return decode(Writer(registry or Registry(1)).message(value), World())


@given(values)
def test_round_trip_of_plain_data(value):
    assert same(decode(encode(value)), value)
    assert same(sent(value), value)


@given(made)
def test_round_trip_of_the_table(value):
    for copy_ in (decode(encode(value)), sent([value])[0]):
        assert type(copy_) is type(value)
        assert copy_ == value
        assert repr(copy_) == repr(value)


@given(st.recursive(values | made, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))
def test_round_trip_of_mixtures(value):
    assert decode(encode(value)) == value == sent(value)


def test_one_object_stays_one_and_two_stay_two():
    inner = [1]
    first, second, third = sent([inner, inner, [1]])
    assert first is second
    assert first == third
    assert first is not third
    key = ("a", 2.5)
    pair = sent([{key: inner}, key, inner])
    assert next(iter(pair[0])) is pair[1]
    assert pair[0][pair[1]] is pair[2]


def test_containers_hold_themselves():
    a = [1]
    a.append(a)
    made_ = sent(a)
    assert made_[1] is made_
    d = {}
    d["self"] = [d]
    made_ = sent(d)
    assert made_["self"][0] is made_


def test_nan_is_not_equal_to_another_but_is_found_by_its_identity():
    nan = float("nan")
    first, second, other = sent([nan, nan, float("nan")])
    assert math.isnan(first)
    assert first is second is not other
    assert [first] == [second] != [other]
    assert sent({nan: 1}).keys() != {nan}


def test_a_known_object_is_refilled():
    """The same list, dict or deque with the contents that it has now: whoever holds it sees them."""
    here, there = Registry(1), World()
    values_ = [[1], {"a": 1}, {1}, collections.deque([1]), collections.Counter("a"), bytearray(b"a")]
    first = decode(Writer(here).message(values_), there)
    copies = list(first)
    values_[0].append(2)
    values_[1]["b"] = 2
    values_[2].add(2)
    values_[3].append(2)
    values_[4].update("bb")
    values_[5].extend(b"b")
    second = decode(Writer(here).message(values_), there)
    assert second is first
    assert second == values_
    assert all(new is old for new, old in zip(second, copies, strict=True))


def test_what_can_not_change_keeps_its_identity():
    here, there = Registry(1), World()
    pair = ((1, 2.5), range(3))
    assert decode(Writer(here).message(pair), there) is decode(Writer(here).message(pair), there)


def test_numbers_of_the_two_sides_never_meet():
    here, there = Registry(0), Registry(1)
    kept = [[i] for i in range(9)]
    assert {here.number(item) for item in kept}.isdisjoint({there.number(item) for item in kept})
    assert here.number(kept[0]) == here.number(kept[0])


def test_a_look_alike_of_the_own_form_is_what_it_is():
    for value in [
        ("x", "Decimal", ("1",)), (..., "numpy", "array", ([1], "|u1")), ("&", 1, [2]), {"o": 1}, b"x\x07\0\0\0Decimal",
        ["G", "f"], ("r", 1), "Gf",
    ]:  # fmt: skip
        assert same(sent(value), value)


class Lying(list):
    def __iter__(self):
        return iter([1])

    def __eq__(self, other):
        return True

    __hash__ = None


class Decimal:
    """Not the library's."""


Decimal.__module__ = "decimal"


@pytest.mark.parametrize(
    "value",
    [
        Lying([2]), Decimal(), Decimal, object(), len, print, sys, lambda: 1, (i for i in [1]), iter([1]), Lying,
        compile("1", "", "eval"), [Lying([1])], {"a": object()}, NotImplemented, sys._getframe(), type("int", (), {}),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_the_grammar_can_not_say_is_left_to_the_sender(value):
    with pytest.raises(NotPlain):
        encode(value)
    with pytest.raises(NotPlain):
        Writer(Registry(1)).message(value)


def test_deep_values_are_not_sent():
    deep = []
    for _ in range(wire.MAX_DEPTH + 1):
        deep = [deep]
    with pytest.raises(NotPlain):
        encode(deep)
    assert decode(encode(deep[0][0])) == deep[0][0]


def test_an_endless_value_is_not_sent_without_numbers():
    endless = []
    endless.append(endless)
    with pytest.raises(NotPlain):
        encode(endless)


class Listening(World):
    """Keeps what it was asked to make."""

    def __init__(self):
        super().__init__()
        self.asked = []

    def object(self, number, type_name, flags):
        self.asked.append((number, type_name, flags))
        return [number]

    def named(self, name):
        self.asked.append(name)
        return {name}


def test_objects_and_globals_are_the_worlds():
    world = Listening()
    message = b"(\x03\0\0\0" + object_bytes(5, "Stack", wire.CALLABLE) + known_bytes(5) + global_bytes("f")
    first, second, name = decode(message, world)
    assert first is second
    assert name == {"f"}
    assert world.asked == [(5, "Stack", wire.CALLABLE), "f"]


def test_a_plain_world_has_neither():
    for message in (object_bytes(5, "Stack", 0), known_bytes(5), global_bytes("f")):
        with pytest.raises(Malformed):
            decode(message)


def constructed(name, *parts):
    return b"x" + text(name) + encode(parts)


@pytest.mark.parametrize(
    "name", ["os", "eval", "builtins.eval", "__import__", "numpy.apply_along_axis", "", "\udcff", "own"]
)
def test_a_name_outside_the_table_makes_nothing(name):
    before = set(sys.modules)
    for parts in ((), ("1",), ("os", "system", ("true",))):
        with pytest.raises(Malformed, match="constructor"):
            decode(constructed(name, *parts))
    assert set(sys.modules) == before


@pytest.mark.parametrize(
    "data",
    [
        b"", b"x", b"i\0", b"[\xff\xff\xff\xff", b"u\xff\xff\xff\x7f", b"NN", b"(" + b"\1\0\0\0(" * 999, b"?",
        b"<\1\0\0\0[\0\0\0\0", b"{N", b"{NN", b"l\xff\xff\xff\x7f", b"l\0\0\0\x80", b"&\0\0\0\x80N", b"&\1\0\0\0&\2\0\0\0N",
        b"u\1\0\0\0\xff", b"c\0\0\0\0", b"r\0\0\0\0", b"{[\0\0\0\0N0", b"x\1\0\0\0aN", b"g\0",
    ],
)  # fmt: skip
def test_malformed(data):
    with pytest.raises(Malformed):
        decode(data)


@given(st.binary(max_size=80))
def test_any_bytes_are_decoded_or_refused(data):
    with contextlib.suppress(Malformed):
        decode(data)


CODES = [bytes([code]) for code in b"NTF.igylus([<>{0&rxoG"]
PIECES = st.one_of(
    st.sampled_from(CODES), st.sampled_from([struct.pack("<I", n) for n in (0, 1, 2, 5, 1 << 31)]), st.binary(max_size=4),
    st.sampled_from([text(name) for name in [*table.BUILD, "own", "eval"]]), (values | made).map(encode),
)  # fmt: skip


@given(st.lists(PIECES, max_size=12).map(b"".join))
def test_any_message_of_known_pieces_is_decoded_or_refused(data):
    with contextlib.suppress(Malformed):
        decode(data, Listening())


@given(values | made, st.data())
def test_damaged_bytes_are_decoded_or_refused(value, data):
    raw = bytearray(Writer(Registry(1)).message([value, value]))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(Malformed):
        decode(bytes(raw), Listening())


def test_a_message_of_little_bytes_makes_little():
    """A number of items is believed only as far as bytes are left for them."""
    for code in b"([<>":
        with pytest.raises(Malformed, match="cut off"):
            decode(bytes([code]) + b"\xff\xff\xff\x7f" + b"N" * 1000)


def test_writing_runs_no_method_of_a_value():
    class Loud(dict):
        def __getattribute__(self, name):
            raise RuntimeError(name)

        keys = values = items = __iter__ = __len__ = __reduce__ = __getattribute__

    with pytest.raises(NotPlain):
        encode([Loud(a=1)])


def test_long_numbers():
    for number in (10**4000, -(10**4000), 2**1000, -1, 0, 2**31, -(2**31) - 1):
        assert decode(encode(number)) == number


def test_a_copy_is_not_the_original():
    value = [[1], {"a": (2,)}]
    assert sent(value) == copy.deepcopy(value)
    assert sent(value)[0] is not value[0]
