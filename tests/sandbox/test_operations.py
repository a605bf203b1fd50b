"""What a test asks of the candidate's process: each operation, what became of its arguments, and what can not be said."""

import struct
import sys

import pytest

from codepref.sandbox.worker import wire
from codepref.sandbox.worker.operations import OPERATIONS, RAISED, RETURNED, Session, global_of, is_plain_call
from codepref.sandbox.worker.wire import World, decode
from codepref.sandbox.worker.writing import Registry, Writer, encode, global_bytes, known_bytes, text

CODE = """
import enum
class Stack:
    def __init__(self): self.items = [1]
    def __len__(self): return len(self.items)
    def __iter__(self): return iter(self.items)
    def __call__(self, x): return x
class L(list):
    def __len__(self): return 99
    def __iter__(self): return iter([0])
    def __getitem__(self, k): return 0
class Color(enum.IntEnum):
    RED = 3
class Own(ValueError):
    pass
def f(x): return x
def add(items, more=()):
    items.append(1)
    items.extend(more)
def make(): return Stack()
def own(): return L([1, 2])
def red(): return Color.RED
def fails(x): raise Own("no", x)
def up_to(n): yield from range(n)
async def later(x): return x
number = 3
kept = []
def keep(items):
    kept.append(items)
    return kept[0] is items
"""


class Objects(World):
    """Stands for the judge: objects are what is told of them."""

    def object(self, number, type_name, flags):
        return ["object", type_name, flags]

    def made(self, name, parts):
        return ["own", parts[1], parts[2]] if name == "own" else super().made(name, parts)


class Side:
    """The judge's side of a session."""

    def __init__(self, code=CODE):
        namespace = {"__name__": "solution"}
        exec(code, namespace)
        self.session, self.registry, self.world = Session(namespace), Registry(0), Objects()
        self.changed = []
        self.world.known, self.world.keep = self.registry.kept, self.keep

    def keep(self, value, number):
        self.registry.enter(value, number)
        return value

    def ask(self, kind, *operands, **keywords):
        def say(writer, value, depth):
            if isinstance(value, Global):
                writer.parts.append(global_bytes(value.name))
            else:
                writer.parts.append(known_bytes(value.number))

        writer = Writer(self.registry, say)
        writer.begin(4)
        writer.put(kind, 0)
        writer.put_items(list(operands), list, 1)
        writer.put_items(keywords, dict, 1)
        writer.put_items(self.changed, list, 1)
        self.operation = b"".join(writer.parts)
        return decode(self.session.perform(self.operation), self.world)

    def value(self, kind, *operands, **keywords):
        outcome, value, _ = self.ask(kind, *operands, **keywords)
        assert outcome == RETURNED, value
        return value


class Global:
    def __init__(self, name):
        self.name = name


class Known:
    """An object of the candidate by its number."""

    def __init__(self, number):
        self.number = number


F, ADD, KEEP = Global("f"), Global("add"), Global("keep")


def test_a_call_gives_its_value():
    side = Side()
    assert side.value("call", F, [1, (2.5, None)]) == [1, (2.5, None)]
    assert side.value("call", F, x=3) == 3
    assert side.value("object", Global("number")) == 3


def test_what_becomes_of_arguments_is_told():
    side = Side()
    items, other = [0], [5]
    outcome, value, changes = side.ask("call", ADD, items, more=other)
    assert (outcome, value, items, other) == (RETURNED, None, [0, 1, 5], [5])
    assert len(changes) == 1
    assert changes[0] is items


def test_an_argument_is_the_same_object_every_time():
    side = Side()
    items = [0]
    assert side.value("call", KEEP, items) is True
    assert side.value("call", KEEP, items) is True
    assert side.value("call", KEEP, [0]) is False
    items.append(7)
    assert side.value("call", F, items) is items
    assert side.value("getitem", Global("kept"), 0) == [0, 7]


def test_what_the_test_changed_is_changed_there_first():
    side = Side()
    kept = side.value("object", Global("kept"))
    kept.append(5)
    side.changed = [kept]
    assert side.value("len", Global("kept")) == 1
    assert side.value("getitem", Global("kept"), 0) == 5


def test_what_is_returned_is_known_afterwards():
    side = Side()
    first = side.value("object", Global("kept"))
    assert first == []
    assert side.value("object", Global("kept")) is first
    side.ask("call", KEEP, [3])
    assert first == [[3]]


def test_exceptions_with_class_name_and_message():
    outcome, parts, _ = Side().ask("call", Global("fails"), 2)
    assert outcome == RAISED
    assert parts[:3] == ("ValueError", "Own", "no")
    outcome, parts, _ = Side().ask("call", Global("nobody"))
    assert (outcome, parts[:3]) == (RAISED, ("NameError", "NameError", "name 'nobody' is not defined"))
    outcome, parts, _ = Side().ask("call", F, 1, 2, 3)
    assert parts[:2] == ("TypeError", "TypeError")


def test_objects_travel_as_number_name_and_flags():
    side = Side()
    assert side.value("call", Global("make")) == ["object", "Stack", wire.CALLABLE]
    assert side.value("call", Global("up_to"), 3) == ["object", "generator", wire.ITERATOR]
    coroutine = side.value("call", Global("later"), 3)
    assert coroutine == ["object", "coroutine", wire.AWAITABLE]
    (number,) = [number for number, value in side.world.known.items() if value is coroutine]
    assert side.value("await", Known(number)) == 3


def test_an_object_is_asked_by_its_number():
    side = Side()
    side.ask("call", Global("make"))
    (number,) = side.world.known
    assert side.value("getattr", Known(number), "items") == [1]
    assert side.value("len", Known(number)) == 1
    assert side.value("contains", Known(number), 1) is True
    assert side.ask("getattr", Known(number), "nothing")[1][0] == "AttributeError"
    assert side.value("setattr", Known(number), "items", [1, 2]) is None
    assert side.value("len", Known(number)) == 2


def test_next_moves_an_iterator_on_and_nothing_else_does():
    side = Side()
    side.ask("call", Global("up_to"), 2)
    (number,) = side.world.known
    assert [side.value("next", Known(number)) for _ in range(2)] == [0, 1]
    assert side.ask("next", Known(number))[1][0] == "StopIteration"


def test_an_own_subclass_is_its_base_value_whatever_it_says():
    assert Side().value("call", Global("own"))[:2] == ["own", [1, 2]]
    assert Side().value("call", Global("red"))[:3] == ["own", 3, "Color"]


def test_a_function_comes_as_its_source():
    side = Side("def apply(function, x):\n    return function(x)")
    operands = encode("call") + b"[" + struct.pack("<I", 3) + global_bytes("apply")
    function = b"x" + text("source") + encode(("lambda v: v + 1", ""))
    operation = b"(\4\0\0\0" + operands + function + encode(2) + encode({}) + encode([])
    assert decode(side.session.perform(operation))[:2] == (RETURNED, 3)
    assert global_of(operation) == "apply"
    assert not is_plain_call(operation)


def test_only_calls_of_globals_with_data_share_a_process():
    side = Side()
    side.ask("call", F, 1)
    assert (global_of(side.operation), is_plain_call(side.operation)) == ("f", True)
    side.ask("object", F)
    assert (global_of(side.operation), is_plain_call(side.operation)) == ("", False)
    side.ask("getattr", F, "call")
    assert not is_plain_call(side.operation)
    assert global_of(b"(\3\0\0\0u\4\0\0\0call[") == ""


def test_messages_of_unknown_kinds_raise_in_the_operation_alone():
    outcome, parts, _ = Side().ask("system", "true")
    assert (outcome, parts[0]) == (RAISED, "KeyError")
    assert not {"exec", "eval", "open", "__import__", "compile"} & OPERATIONS.keys()


def test_memory_is_the_cells_own_verdict():
    with pytest.raises(MemoryError):
        Side("def f(x):\n    raise MemoryError").ask("call", F, 1)


@pytest.fixture
def _deep_calls():
    """As the referee, which reads such values."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.usefixtures("_deep_calls")
def test_a_deep_value_is_flagged():
    side = Side("def f(n):\n    x = []\n    for _ in range(n):\n        x = [x]\n    return x")
    value = side.value("call", F, 400)
    for _ in range(wire.MAX_DEPTH):
        value = value[0]
    while isinstance(value, list) and value and isinstance(value[0], list):
        value = value[0]
    assert value == ["object", "list", wire.DEEP]
