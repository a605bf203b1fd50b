"""Plays a test at the judge with what came back from the candidate's process.

The judge runs the whole text of the test. What it does to the candidate's functions and objects becomes operations; the
answers were fetched before from the candidate's process, which never sees more of the test than these operations. Where
an answer is missing, the play goes on guessing which operations come next, asks for them all, and is played again from
the beginning: a test of one call needs two plays, a loop over a table of cases needs two as well.

    play(test, "f", operations, answers) -> Outcome(status, operations asked for, what it raised)
"""

import ast
import builtins
import contextlib
import marshal
import math
import random
import sys
import types
from collections.abc import Sequence
from typing import Any, NamedTuple

from codepref.sandbox.proxies import Awaiting, CalledThing, Global, Hole, Iterating, Remote, Thing, own_value
from codepref.sandbox.rewrite import HOOK, KNOWN, free_names, rewritten
from codepref.sandbox.worker import table, wire
from codepref.sandbox.worker.image import describe
from codepref.sandbox.worker.operations import RAISED as OPERATION_RAISED
from codepref.sandbox.worker.runner import TEST_FILE, Outline, Runner, Unrunnable
from codepref.sandbox.worker.wire import Malformed, World
from codepref.sandbox.worker.writing import Registry, Writer, encode, global_bytes, known_bytes

PASSED, FAILED, RAISED, ASKS, INSEPARABLE, BLIND, LARGE, UNREADABLE = range(8)
"""How a play ended. ASKS: more answers are needed. INSEPARABLE: the test gives the candidate what can not be sent."""
FIRST_GUESSES = 32
MOST_OPERATIONS = 20_000
_NEXT = b"(\x04\x00\x00\x00" + encode("next")


class Outcome(NamedTuple):
    """What came of a play."""

    status: int
    operations: tuple[bytes, ...] = ()
    """Every operation that was asked for, with those guessed after the first missing answer."""
    error: bytes = b""
    """Type and message of what the test raised."""
    own: bool = False
    """An own class of the candidate decided something: the verdict is the candidate's word."""


class Stop(BaseException):
    """The play can not go on: an answer is missing that an operation depends on."""


class Inseparable(BaseException):
    """The test hands something over that can not be sent."""


class Unreadable(BaseException):
    """The candidate's process sent no value."""


class TooDeep(BaseException):
    """A value is nested more deeply than is sent."""


class Play(World):
    """One run of a test. `answers[k]` is the record of the candidate's process on `operations[k]`."""

    def __init__(self, operations: Sequence[bytes], answers: Sequence[bytes], ended: bool) -> None:
        """`ended`: the candidate's process ended after these answers, so there will be no more of them."""
        super().__init__()
        self.registry = Registry(0)
        self.known = self.registry.kept
        self.operations, self.answers, self.ended = operations, answers, ended
        self.most = max(FIRST_GUESSES, 2 * len(answers)) + len(answers)
        self.asked: list[bytes] = []
        self.remembered: dict[int, bytes] = {}
        self.reached: set[int] = set()
        """Lines of the asserts that were reached."""
        self.guessing = False
        self.own = False
        self.entry_point: str | None = None

    # ---------------------------------------------------------------------------------------------- the transport

    def keep(self, value: Any, number: int) -> Any:
        """An object is known by the candidate's number here, too."""
        self.registry.enter(value, number)
        return value

    def object(self, number: int, type_name: str, flags: int) -> Any:
        """Something that stands for an object of the candidate."""
        kinds = ((wire.ITERATOR, Iterating), (wire.AWAITABLE, Awaiting), (wire.CALLABLE, CalledThing))
        kind = next((kind for flag, kind in kinds if flags & flag), Thing)
        return kind(self, type_name, flags)

    def made(self, name: str, parts: Any) -> Any:
        """A value of the table, or of an own subclass of a builtin type."""
        if name != "own":
            return super().made(name, parts)
        if type(parts) is not tuple or len(parts) != 4:
            raise Malformed("own")
        number, value, type_name, names = parts
        if (
            type(value) not in table.BASES
            or type(value) is bool
            or type(type_name) is not str
            or type(number) is not int
        ):
            raise Malformed("own")
        known = self.known.get(number)
        if isinstance(known, type(value)) and type(known).__name__ == type_name:
            return refilled(known, value)
        return self.keep(own_value(self, value, type_name, frozenset(n for n in names if type(n) is str)), number)

    def say(self, writer: Writer, value: Any, depth: int) -> None:
        """What the grammar can not say: a known object, a name of the candidate, the source of a function."""
        if isinstance(value, Global):
            writer.parts.append(global_bytes(value.codepref_name))
        elif isinstance(value, Hole):
            raise Stop
        elif id(value) in self.registry.numbers:
            writer.parts.append(known_bytes(self.registry.numbers[id(value)]))
        elif isinstance(value, types.FunctionType) and value in _SOURCES:
            if writer.numbered(value, b""):
                writer.put_parts("source", _SOURCES[value], depth)
        else:
            raise Inseparable(type(value).__name__)

    # ------------------------------------------------------------------------------------------------ operations

    def ask(self, kind: str, operands: list[Any], keywords: dict[str, Any] | None = None, *, own: bool = False) -> Any:
        """The answer to an operation, or a hole; raises what the candidate raised."""
        if any(isinstance(operand, Remote) and operand.codepref_flags & wire.DEEP for operand in operands):
            raise TooDeep
        writer = Writer(self.registry, self.say)
        writer.begin(4)
        writer.put(kind, 0)
        writer.put_items(operands, list, 1)
        writer.put_items(keywords or {}, dict, 1)
        writer.put_items(self.changed_here(writer), list, 1)
        operation = b"".join(writer.parts)
        place = len(self.asked)
        if place >= (self.most if self.guessing else MOST_OPERATIONS):
            raise Stop
        self.asked.append(operation)
        if not self.guessing and place < len(self.answers) and operation == self.operations[place]:
            self.own = self.own or own
            try:
                return self.answer(self.answers[place])
            finally:
                self.remembered = self.contents()
        if self.ended and place >= len(self.answers):
            self.guessing = True
            raise Stop
        self.guessing = True
        return Hole()

    def contents(self) -> dict[int, bytes]:
        """Every mutable object that both sides know and that may have changed, as it is now here."""
        with contextlib.suppress(Stop, Inseparable):
            return self.registry.snapshots(self.say)
        return {}

    def touch(self, number: int) -> None:
        """An object that the candidate's process names may be changed again."""
        self.registry.touch(number)

    def changed_here(self, writer: Writer) -> list[Any]:
        """Known objects that the test has changed since the last answer, but those that go along anyway."""
        if not self.remembered or self.guessing:
            return []
        now = self.contents()
        self.registry.release()
        places = [number for number, data in now.items() if self.remembered.get(number, data) != data]
        return [self.registry.kept[number] for number in places if number not in writer.written]

    def guesses(self) -> list[bytes]:
        """Every operation asked for; who asks an iterator for an item will mostly ask for more."""
        last = self.asked[-1] if self.asked else b""
        repeats = self.most - len(self.asked) if last.startswith(_NEXT) else 0
        return self.asked + [last] * repeats

    def answer(self, data: bytes) -> Any:
        """The value of an answer, after what it says of changed arguments; raises what the operation raised."""
        try:
            outcome, value, _ = wire.decode(data, self)
        except (Malformed, ValueError, TypeError):
            raise Unreadable from None
        if outcome == OPERATION_RAISED:
            raise self.error(value)
        return value

    def error(self, parts: Any) -> BaseException:
        """The exception that the candidate's code raised, or one of the same name and nearest builtin class."""
        try:
            base_name, name, message, error = parts
            if isinstance(error, BaseException) and not isinstance(error, SystemExit):
                return error
            base = table.TYPES[f"builtins.{base_name}"]
            made = type(name, (base,), {"__module__": "solution", "__getattr__": _attribute_of(error)})(message)
        except (TypeError, ValueError, KeyError):
            raise Unreadable from None
        return made if isinstance(made, BaseException) else Exception(name)

    # -------------------------------------------------------------------------------- functions of rewritten tests

    def hooks(self) -> dict[str, Any]:
        """The judge's own functions, under names that no text can spell, and builtins that know proxies."""
        return {
            HOOK + "guessing": lambda: self.guessing, HOOK + "reached": self.reached.add,
            HOOK + "is_same": self.is_same, HOOK + "type_of": self.type_of,
            HOOK + "known": self.known_name, HOOK + "with_source": with_source, HOOK + "source_of": source_of,
            HOOK + "Exception": Exception, HOOK + "distance": distance, "print": lambda *_, **__: None,
            "isinstance": self.isinstance, "issubclass": self.issubclass,
        }  # fmt: skip

    def resolved(self, value: Any) -> Any:
        """The object behind a name of the candidate."""
        return self.ask("object", [value]) if isinstance(value, Global) else value

    def is_same(self, left: Any, right: Any) -> bool:
        """Identity."""
        return self.resolved(left) is self.resolved(right)

    def type_of(self, value: Any) -> Any:
        """The type of an object, the candidate's of the candidate's."""
        remote = isinstance(value, Remote) or (id(value) in self.registry.numbers and type(value) not in table.BASES)
        return self.ask("type", [value], own=True) if remote and not is_made(value) else type(value)

    def isinstance(self, value: Any, kinds: Any) -> bool:
        """As the builtin, also of the candidate's objects."""
        if isinstance(value, Remote) and not isinstance(kinds, (tuple, types.UnionType)):
            if isinstance(kinds, Remote):
                return bool(self.ask("isinstance", [value, kinds], own=True))
            if table.parts_of(kinds) is not None:  # by its real classes, whatever it says of itself
                return bool(self.ask("descends", [value, kinds]))
        elif isinstance(value, Remote) and isinstance(kinds, tuple):
            return any(self.isinstance(value, kind) for kind in kinds)
        return isinstance(value, kinds)

    def issubclass(self, value: Any, kinds: Any) -> bool:
        """As the builtin, also of the candidate's classes."""
        if isinstance(value, Remote) and isinstance(kinds, (type, Remote)):
            return bool(self.ask("issubclass", [value, kinds], own=True))
        return issubclass(value, kinds)

    def known_name(self, name: str) -> Any:
        """A module or function that the test uses without importing it: the judge's own, if the candidate has it."""
        genuine = known_value(name)
        found = self.ask("object", [Global(self, name)])
        if isinstance(found, Hole):
            return genuine
        if found is genuine or (name == "datetime" and found is table.TYPES["datetime.datetime"]):
            return found
        raise NameError(f"the code's {name} is not the one of the standard library")


_SOURCES: dict[types.FunctionType, tuple[str, str]] = {}


def with_source(function: types.FunctionType, source: str, name: str) -> types.FunctionType:
    """Remembers the source of a function, so that it can be given as an argument."""
    _SOURCES[function] = source, name
    return function


def source_of(source: str, name: str) -> Any:
    """Decorator form of `with_source`."""
    return lambda function: with_source(function, source, name)


def distance(left: Any, right: Any) -> Any:
    """`abs(left - right)`; no number where one is an object of the candidate and the other is plain data.

    Its class would be given the expected value, and could answer 0.
    """
    if isinstance(left, Remote) != isinstance(right, Remote):
        return math.nan
    return abs(left - right)


def _attribute_of(thing: Any) -> Any:
    def attribute(_: Any, name: str) -> Any:
        if isinstance(thing, Remote) and not name.startswith("__"):
            return getattr(thing, name)
        raise AttributeError(name)

    return attribute


def is_made(value: Any) -> bool:
    """True for real values of the table, whose type is known here."""
    return not isinstance(value, Remote) and type(value).__module__ != "codepref.sandbox.proxies"


def known_value(name: str) -> Any:
    """The judge's own value of a known name."""
    kind, _, what = KNOWN[name].partition(" ")
    if kind == "numpy":
        return table.BUILD["numpy.module"]()
    if kind == "datetime":
        return table.module("datetime")
    if kind == "module":
        return table.module(what)
    return table.TYPES[what] if kind == "type" else table.FUNCTIONS[what]


def refilled(known: Any, value: Any) -> Any:
    """A known value of an own subclass, with the contents that it has now."""
    if isinstance(known, list):
        list.__setitem__(known, slice(None), value)
    elif isinstance(known, dict):
        dict.clear(known)
        dict.update(known, value)
    elif isinstance(known, set):
        set.clear(known)
        set.update(known, value)
    return known


class Script:
    """A test, parsed and compiled once for several plays; raises `SyntaxError` and `ValueError` as `compile`."""

    def __init__(self, text: str, entry_point: str | None) -> None:
        tree = ast.parse(text)
        self.entry_point = entry_point
        self.free = free_names(tree)
        self.outline = Outline(tree)
        self.asserts = {node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)}
        self.code = compile(rewritten(tree, self.free & KNOWN.keys()), TEST_FILE, "exec", dont_inherit=True)

    def run(self, stage: Play) -> None:
        """Runs the test; raises what it raises."""
        stage.entry_point = self.entry_point
        seed_generators()
        namespace = main_module().__dict__
        namespace["__builtins__"] = vars(builtins) | stage.hooks()
        for name in self.free - KNOWN.keys():
            namespace[name] = Global(stage, name)
        if self.entry_point:
            namespace.setdefault(self.entry_point, Global(stage, self.entry_point))
        Runner(namespace, self.entry_point).run(self.outline, self.code)


def seed_generators() -> None:
    """Gives every play the same random numbers, so that it asks for the same as the one before."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)


def main_module() -> types.ModuleType:
    """A new module for a test to be, where unittest and dataclasses look for it."""
    sys.modules["__main__"] = types.ModuleType("__main__")
    return sys.modules["__main__"]


def play(script: Script, operations: Sequence[bytes], answers: Sequence[bytes], ended: bool) -> Outcome:
    """Plays a test; never raises."""
    stage = Play(operations, answers, ended)
    status, error = PASSED, b""
    try:
        script.run(stage)
    except Stop:
        status = ASKS
    except (Inseparable, Unrunnable) as trouble:
        return Outcome(INSEPARABLE, (), describe(trouble), stage.own)
    except TooDeep:
        return Outcome(LARGE, (), b"a value is nested more than 150 levels deep", stage.own)
    except Unreadable:
        return Outcome(UNREADABLE, (), b"the value can not be read", stage.own)
    except BaseException as trouble:
        status, error = (FAILED if type(trouble) is AssertionError else RAISED), describe(trouble)
    if status == ASKS and not stage.guessing:
        words = f"the test makes more than {MOST_OPERATIONS:,} operations"
        return Outcome(LARGE, (), words.encode(), stage.own)
    if stage.guessing:
        return Outcome(ASKS, tuple(stage.guesses()), b"", stage.own)
    return Outcome(status, (), error, stage.own)


def packed(outcome: Outcome) -> bytes:
    """An outcome as plain data."""
    return marshal.dumps((list(outcome.operations), outcome.error, outcome.own), 2)
