"""Operations that a test asks of the candidate's process: a call, an attribute, an item, the next of an iterator.

A test is run by the judge, in another process. What it does to the candidate's functions and objects arrives here, one
operation after the other, each `(kind, operands, keywords, changes)` in the transport of wire.py. Operands are values,
or the numbers of objects that live here; changes are lists and dicts of both sides that the test has changed. The
answer is `(outcome, value, changes)`: what came back or was raised, and what became of mutable arguments.
"""

from __future__ import annotations

import builtins
import copy
import operator
from typing import Any, Callable  # noqa: UP035 - Python 3.8

from . import wire
from .runner import TEST_FILE
from .table import BASES
from .wire import World
from .writing import Registry, Writer, encode, known_bytes, object_bytes

RETURNED, RAISED = 0, 1
_CALL = b"(\x04\x00\x00\x00" + encode("call") + b"["
_MOST_CHANGES = 1 << 16


def global_of(operation: bytes) -> str:
    """The name of the global that an operation calls; empty for other operations."""
    at = len(_CALL) + 4
    if not operation.startswith(_CALL) or operation[at : at + 1] != b"G":
        return ""
    size = int.from_bytes(operation[at + 1 : at + 5], "little")
    return operation[at + 5 : at + 5 + size].decode("utf-8", "replace")


def is_plain_call(operation: bytes) -> bool:
    """True for a call of a global whose arguments are plain data or known data, and no functions or objects."""
    return bool(global_of(operation)) and b"x\x06\x00\x00\x00source" not in operation


def _drive(awaitable: Any) -> Any:
    import asyncio

    async def wait() -> Any:
        return await awaitable

    return asyncio.run(wait())


# Functions of the interpreter as they were before any candidate ran.
_BUILTINS = """len next iter repr str bool hash abs int float complex round format bytes reversed dir isinstance
    issubclass getattr setattr delattr type divmod pow"""
_OPERATORS = """getitem setitem delitem contains eq ne lt le gt ge add sub mul truediv floordiv mod matmul and_ or_ xor
    lshift rshift neg pos invert index iadd isub imul ior iand ixor"""
OPERATIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(builtins, name) for name in _BUILTINS.split()},
    **{name: getattr(operator, name) for name in _OPERATORS.split()},
    "call": lambda function, arguments, keywords: function(*arguments, **keywords),
    "object": lambda value: value,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "descends": lambda value, kind: kind in _mro(type(value)),
    "enter": lambda manager: type(manager).__enter__(manager),
    "exit": lambda manager: type(manager).__exit__(manager, None, None, None),
    "await": _drive,
}
_EXCEPTION_BASES = frozenset(
    kind for kind in vars(builtins).values() if isinstance(kind, type) and issubclass(kind, BaseException)
)
_mro: Callable[[type], tuple[type, ...]] = type.__dict__["__mro__"].__get__
_type_name: Callable[[type], str] = type.__dict__["__name__"].__get__


def builtin_base(kind: type) -> type | None:
    """The builtin type whose values these are; reads the real inheritance, which no metaclass can change."""
    order = _mro(kind)
    return next((base for base in BASES if base in order), None)


class Session(World):
    """The objects of one test in the candidate's process, and their numbers."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        super().__init__()
        self.namespace = namespace
        self.registry = Registry(1)
        self.known = self.registry.kept

    def keep(self, value: Any, number: int) -> Any:
        """An object of the judge's side is known by its number here, too."""
        self.registry.enter(value, number)
        return value

    def touch(self, number: int) -> None:
        """An object that the judge names may be changed again."""
        self.registry.touch(number)

    def named(self, name: str) -> Any:
        """A global of the candidate's module; a missing one is found out by the operation."""
        return Name(name)

    def made(self, name: str, parts: Any) -> Any:
        """A value of the table, or a function of the test that is given as an argument, which comes as its source."""
        if name != "source":
            return super().made(name, parts)
        source, function_name = parts
        namespace: dict[str, Any] = {"__builtins__": PRISTINE}
        if not function_name:
            return eval(compile(source, TEST_FILE, "eval", dont_inherit=True), namespace)
        exec(compile(source, TEST_FILE, "exec", dont_inherit=True), namespace)  # noqa: S102 - what the sandbox is for
        return namespace[function_name]

    def perform(self, data: bytes) -> bytes:
        """Runs one operation; raises `MemoryError`, and `NotPlain` for an answer that is too deep in calls."""
        self.registry.release()
        kind, operands, keywords, _ = wire.decode(data, self, 1000)
        before = self.registry.snapshots(self.say)
        outcome = RETURNED
        try:
            operands = [self.resolved(operand) for operand in operands]
            if kind == "call":
                operands = [operands[0], operands[1:], keywords]
            value = OPERATIONS[kind](*operands)
        except MemoryError:
            raise
        except BaseException as error:
            outcome, value = RAISED, self.exception(error)
        writer = Writer(self.registry, self.say)
        writer.begin(3)
        writer.put(outcome, 0)
        writer.put(value, 0)
        self.put_changes(writer, before)
        return b"".join(writer.parts)

    def resolved(self, operand: Any) -> Any:
        """An operand, or the global that it names; raises `NameError` as the test would."""
        if type(operand) is not Name:
            return operand
        if operand.name in self.namespace:
            return self.namespace[operand.name]
        raise NameError(f"name '{operand.name}' is not defined")

    def exception(self, error: BaseException) -> Any:
        """Nearest builtin class, name and message of an exception, and the exception itself."""
        kind = type(error)
        base = next(base for base in _mro(kind) if base in _EXCEPTION_BASES)
        arguments = BaseException.__dict__["args"].__get__(error)
        message = arguments[0] if arguments and type(arguments[0]) is str else ""
        return base.__name__, str(_type_name(kind))[:100], message[:1000], error

    def put_changes(self, writer: Writer, before: dict[int, bytes]) -> None:
        """The known objects that the operation changed, as a list."""
        changed = []
        for number, data in before.items():
            value = self.registry.kept[number]
            if number not in writer.written and Writer(self.registry, self.say).message(value) != data:
                changed.append(value)
        writer.parts.append(b"(" + len(changed[:_MOST_CHANGES]).to_bytes(4, "little"))
        for value in changed[:_MOST_CHANGES]:
            writer.put(value, 1)

    def say(self, writer: Writer, value: Any, depth: int) -> None:
        """A value of an own subclass of a builtin type as its base value; any other object as its number."""
        kind = type(value)
        number = self.registry.number(value)
        base = builtin_base(kind)
        if base is None or base is kind:
            writer.parts.append(object_bytes(number, _type_name(kind), flags_of(value, kind, base is kind)))
        elif number in writer.written:
            writer.parts.append(known_bytes(number))
        else:
            writer.numbered(value, b"")
            parts = number, base_copy(value, base), str(_type_name(kind)), tuple(own_names(kind, base))
            writer.put_parts("own", parts, depth)


class Name:
    """A global of the candidate's module that is to be looked up."""

    def __init__(self, name: str) -> None:
        self.name = name


def flags_of(value: Any, kind: type, deep: bool) -> int:
    """What the judge must know of an object to stand in for it."""
    if deep:
        return wire.DEEP
    names = {name for base in _mro(kind) for name in type.__dict__["__dict__"].__get__(base)}
    flags = wire.CALLABLE if "__call__" in names else 0
    flags |= wire.ITERATOR if "__next__" in names else 0
    return flags | (wire.AWAITABLE if "__await__" in names else 0)


def own_names(kind: type, base: type) -> list[str]:
    """Attributes that own classes define on top of a builtin type."""
    names: set[str] = set()
    for own in _mro(kind):
        if own is base:
            break
        names.update(name for name in type.__dict__["__dict__"].__get__(own) if type(name) is str)
    return sorted(names)[:200]


def base_copy(value: Any, base: type) -> Any:
    """The value of the builtin base, read past anything a subclass overrides."""
    if base is dict:
        return dict(dict.items(value))
    if base in (set, frozenset):
        return base(set.__or__(set(), value)) if base is set else frozenset(frozenset.__or__(frozenset(), value))
    if base in (list, tuple):
        return base(getattr(base, "__getitem__")(value, slice(None)))  # noqa: B009
    copies: dict[type, Callable[[Any], Any]] = {
        int: int.__pos__, float: float.__pos__, complex: complex.__pos__, str: str.__str__,
        bytes: lambda item: b"".join([item]),
    }  # fmt: skip
    return copies[base](value)


PRISTINE = dict(vars(builtins))
"""The builtins before any candidate ran, for tests that run beside it."""
