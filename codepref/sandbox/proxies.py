"""What stands at the judge for the candidate's functions and objects, and for answers that are not there yet.

`Global` is a name of the candidate's module, `Thing` an object that the transport can not say, an own subclass of a
builtin type is its base value with the attributes of its class asked for. Whatever is done to one of them becomes an
operation (worker/operations.py). `Hole` stands for an answer while the next operations are guessed.
"""

import operator
from collections.abc import Callable
from typing import Any, Protocol

from codepref.sandbox.worker.wire import DERIVED

_BINARY = "add sub mul truediv floordiv mod divmod pow matmul and or xor lshift rshift"
BINARY = _BINARY.split()
"""Operators with a reflected form each."""
ORDERS = ("lt", "le", "gt", "ge")
UNARY = ("neg", "pos", "invert", "abs")
CONVERSIONS = ("len", "int", "float", "complex", "index", "dir", "bytes")
_OPERATOR_NAMES = {"and": "and_", "or": "or_"}


class Asker(Protocol):
    """Who knows the answers: `play.Play`."""

    entry_point: str | None

    def ask(self, kind: str, operands: list[Any], keywords: dict[str, Any] | None = None, *, own: bool = False) -> Any:
        """What an operation gives; raises what it raises. `own`: the candidate's own class decides."""


class Hole:
    """An answer that is not there yet: true or false as it is made, and again a hole whatever is done to it."""

    def __init__(self, truth: bool = True) -> None:
        self.codepref_truth = truth

    def __getattr__(self, name: str) -> "Hole":
        if name.startswith("__"):
            raise AttributeError(name)
        return Hole(self.codepref_truth)

    def __call__(self, *_: Any, **__: Any) -> "Hole":
        """Again a hole, as for all that follows."""
        return Hole(self.codepref_truth)

    def __getitem__(self, _: Any) -> "Hole":
        return Hole(self.codepref_truth)

    def __setitem__(self, _: Any, __: Any) -> None:
        pass

    def __iter__(self) -> Any:
        return iter(())

    def __await__(self) -> Any:
        yield from ()
        return Hole(self.codepref_truth)

    def send(self, _: Any) -> Any:
        """As of a coroutine."""
        raise StopIteration(Hole(self.codepref_truth))

    def throw(self, error: BaseException, *_: Any) -> Any:
        """As of a coroutine."""
        raise error

    def close(self) -> None:
        """Nothing to close."""

    def __bool__(self) -> bool:
        return self.codepref_truth

    def __eq__(self, _: object) -> bool:
        return self.codepref_truth

    def __ne__(self, _: object) -> bool:
        return not self.codepref_truth

    def __contains__(self, _: Any) -> bool:
        return self.codepref_truth

    def __hash__(self) -> int:
        return 0


def _hole_again(self: Hole, *_: Any) -> Hole:
    return Hole(self.codepref_truth)


def _hole_truth(self: Hole, _: Any) -> bool:
    return self.codepref_truth


for _name in BINARY:
    setattr(Hole, f"__{_name}__", _hole_again)
    setattr(Hole, f"__r{_name}__", _hole_again)
for _name in UNARY:
    setattr(Hole, f"__{_name}__", _hole_again)
for _name in ORDERS:
    setattr(Hole, f"__{_name}__", _hole_truth)


class Remote:
    """Anything of the candidate's process that an operation can be done to."""

    __slots__ = ("codepref_flags", "codepref_name", "codepref_play")

    def __init__(self, play: Asker, name: str, flags: int = 0) -> None:
        self.codepref_play, self.codepref_name, self.codepref_flags = play, name, flags

    def __getattr__(self, name: str) -> Any:
        return self.codepref_play.ask("getattr", [self, name])

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("codepref_"):
            object.__setattr__(self, name, value)
        else:
            self.codepref_play.ask("setattr", [self, name, value], own=True)

    def __delattr__(self, name: str) -> None:
        self.codepref_play.ask("delattr", [self, name], own=True)

    def __getitem__(self, key: Any) -> Any:
        return self.codepref_play.ask("getitem", [self, key])

    def __setitem__(self, key: Any, value: Any) -> None:
        self.codepref_play.ask("setitem", [self, key, value], own=True)

    def __delitem__(self, key: Any) -> None:
        self.codepref_play.ask("delitem", [self, key], own=True)

    def __bool__(self) -> bool:
        return not is_derived(self) and bool(self.codepref_play.ask("bool", [self], own=True))

    def __contains__(self, item: Any) -> bool:
        return not is_derived(self) and bool(self.codepref_play.ask("contains", [self, item], own=True))

    def __iter__(self) -> Any:
        return self.codepref_play.ask("iter", [self])

    def __reversed__(self) -> Any:
        return self.codepref_play.ask("reversed", [self])

    def __str__(self) -> str:
        return self.codepref_text("str")

    def __repr__(self) -> str:
        return self.codepref_text("repr")

    def __format__(self, how: str) -> str:
        return self.codepref_text("format", how)

    def __round__(self, *digits: Any) -> Any:
        return self.codepref_play.ask("round", [self, *digits])

    def __enter__(self) -> Any:
        return self.codepref_play.ask("enter", [self], own=True)

    def __exit__(self, *_: Any) -> Any:
        return self.codepref_play.ask("exit", [self], own=True)

    def __await__(self) -> Any:
        yield from ()
        return self.codepref_play.ask("await", [self])

    def __copy__(self) -> Any:
        return self.codepref_play.ask("copy", [self])

    def __deepcopy__(self, _: Any) -> Any:
        return self.codepref_play.ask("deepcopy", [self])

    def __eq__(self, other: object) -> Any:
        if self is other:
            return True
        if isinstance(other, Remote):
            return self.codepref_play.ask("eq", [self, other], own=True)
        return Difference(self, "eq", other)

    def __ne__(self, other: object) -> Any:
        if isinstance(other, Remote):
            return self.codepref_play.ask("ne", [self, other], own=True)
        return Difference(self, "ne", other)

    def __hash__(self) -> int:
        found = self.codepref_play.ask("hash", [self])
        return found if isinstance(found, int) else 0

    def __instancecheck__(self, instance: Any) -> bool:
        return bool(self.codepref_play.ask("isinstance", [instance, self], own=True))

    def __subclasscheck__(self, kind: Any) -> bool:
        return bool(self.codepref_play.ask("issubclass", [kind, self], own=True))

    def codepref_text(self, kind: str, *how: str) -> str:
        """What a conversion to text gives, as real text."""
        found = self.codepref_play.ask(kind, [self, *how])
        return found if type(found) is str else str.__str__(found) if isinstance(found, str) else ""


class Called(Remote):
    """A `Remote` that may be called."""

    __slots__ = ()

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """What the call gives. An object that is called with arguments decides by its own class."""
        own = not isinstance(self, Global) and bool(arguments or keywords)
        return self.codepref_play.ask("call", [self, *arguments], keywords, own=own)


class Global(Called):
    """A name of the candidate's module."""

    __slots__ = ()

    def __bool__(self) -> bool:
        """The entry point is a function or class, whatever it is; any other name may stand for anything."""
        if self.codepref_name == self.codepref_play.entry_point:
            return True
        return super().__bool__()

    def __eq__(self, other: object) -> Any:
        return self is other or self.codepref_value() == other

    def __ne__(self, other: object) -> Any:
        return self is not other and self.codepref_value() != other

    __hash__ = Remote.__hash__

    def codepref_value(self) -> Any:
        """What the name stands for: plain data, or an object."""
        return self.codepref_play.ask("object", [self])


class Thing(Remote):
    """An object of the candidate's process."""

    __slots__ = ()


class Iterating(Thing):
    """An iterator: looking at it uses nothing up, each `next` is an operation."""

    __slots__ = ()

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> Any:
        return self.codepref_play.ask("next", [self])


class Awaiting(Thing):
    """A coroutine, as asyncio takes it: running it is an operation."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("cr_", "gi_", "__")):  # asyncio looks at them to describe what it runs
            raise AttributeError(name)
        return super().__getattr__(name)

    def send(self, _: Any) -> Any:
        """Ends with the coroutine's result."""
        raise StopIteration(self.codepref_play.ask("await", [self]))

    def throw(self, error: BaseException, *_: Any) -> Any:
        """As of a coroutine."""
        raise error

    def close(self) -> None:
        """Nothing to close."""


class CalledThing(Thing, Called):
    """An object that may be called."""

    __slots__ = ()


class Difference:
    """An object of the candidate compared with plain data: never equal.

    A test that does not ask for the truth of it, as with data frames, gets what the object's own class makes of it.
    """

    def __init__(self, thing: Remote, kind: str, other: object) -> None:
        self._thing, self._kind, self._other = thing, kind, other

    def __bool__(self) -> bool:
        return self._kind == "ne"

    def _asked(self) -> Any:
        return self._thing.codepref_play.ask(self._kind, [self._thing, self._other], own=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._asked(), name)

    def __getitem__(self, key: Any) -> Any:
        return self._asked()[key]

    def __invert__(self) -> Any:
        return ~self._asked()

    def __and__(self, other: Any) -> Any:
        return self._asked() & other

    def __or__(self, other: Any) -> Any:
        return self._asked() | other

    def __iter__(self) -> Any:
        return iter(self._asked())

    def __len__(self) -> int:
        return len(self._asked())


def is_derived(thing: Any) -> bool:
    """True for what an own class made of itself and plain data.

    `abs(f(1) - 5) < 1e-6` would else hold for any object that answers every operation with itself or with True.
    """
    return isinstance(thing, Remote) and bool(thing.codepref_flags & DERIVED)


def _derived(result: Any, *operands: Any) -> Any:
    if isinstance(result, Remote) and any(is_derived(item) or not isinstance(item, Remote) for item in operands):
        result.codepref_flags |= DERIVED
    return result


def _binary(kind: str) -> Callable[[Any, Any], Any]:
    name = _OPERATOR_NAMES.get(kind, kind)

    def operate(self: Any, other: Any) -> Any:
        if isinstance(self, Global):
            return getattr(operator, name)(self.codepref_value(), other) if hasattr(operator, name) else NotImplemented
        return _derived(self.codepref_play.ask(name, [self, other], own=True), self, other)

    return operate


def _reflected(kind: str) -> Callable[[Any, Any], Any]:
    name = _OPERATOR_NAMES.get(kind, kind)
    return lambda self, other: _derived(self.codepref_play.ask(name, [other, self], own=True), self, other)


def _order(kind: str) -> Callable[[Any, Any], Any]:
    def compare(self: Any, other: Any) -> Any:
        if isinstance(self, Global):
            return getattr(operator, kind)(self.codepref_value(), other)
        if is_derived(self) or is_derived(other):
            return False
        return self.codepref_play.ask(kind, [self, other], own=True)

    return compare


def _unary(kind: str, own: bool) -> Callable[[Any], Any]:
    return lambda self: _derived(self.codepref_play.ask(kind, [self], own=own), self)


for _name in BINARY:
    setattr(Remote, f"__{_name}__", _binary(_name))
    setattr(Remote, f"__r{_name}__", _reflected(_name))
for _name in ORDERS:
    setattr(Remote, f"__{_name}__", _order(_name))
for _name in UNARY:
    setattr(Remote, f"__{_name}__", _unary(_name, True))
for _name in CONVERSIONS:
    setattr(Remote, f"__{_name}__", _unary(_name, False))


def own_value(play: Asker, base_value: Any, type_name: str, names: frozenset[str]) -> Any:
    """The value of an own subclass of a builtin type: its base value, with what its class defines asked for."""
    base: Any = type(base_value)

    def attribute(self: Any, name: str) -> Any:
        if name in names and not name.startswith("__"):
            return play.ask("getattr", [self, name])
        return base.__getattribute__(self, name)

    members: dict[str, Any] = {
        "__getattribute__": attribute,
        "__getattr__": lambda self, name: play.ask("getattr", [self, name]),
    }
    for name, kind in (("__str__", "str"), ("__repr__", "repr"), ("__format__", "format")):
        if name in names or (name == "__str__" and "__repr__" in names and base is not str):
            members[name] = lambda self, *how, kind=kind: play.ask(kind, [self, *how])
    if "__call__" in names:
        members["__call__"] = lambda self, *arguments, **keywords: play.ask(
            "call", [self, *arguments], keywords, own=True
        )
    return type(type_name, (base,), members)(base_value)
