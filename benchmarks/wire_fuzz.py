"""Throws random and mutated messages at the sandbox's transport, and watches that nothing but its table is ever used.

    PYTHONPATH=. python benchmarks/wire_fuzz.py --messages 1000000

Messages are random bytes, encodings of random values that are damaged or spliced, and messages made after the grammar
with names and parts that do not belong there. Each must be decoded to values of the types of the table, or be refused
with `Malformed`; then nothing may be imported, opened, compiled, started or called outside (an audit hook listens), no
module may appear, and reading must not take long. Prints every kind of breach with a message, and one JSON line; the
exit code is 1 if there is any.
"""

import argparse
import collections
import json
import random
import struct
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from codepref.sandbox.play import Play, Stop, TooDeep
from codepref.sandbox.proxies import Remote
from codepref.sandbox.worker import table, wire, writing

SLOW_S = 2.0
QUIET = (
    "object.__getattr__",
    "object.__setattr__",
    "gc.",
    "sys._getframe",
    "array.__new__",
    "builtins.id",
    "marshal.dumps",
)
"""Events that reading may cause: `array.__new__` is a constructor of the table, and the judge writes what it asks."""
NAMES = [
    *table.BUILD, "own", "source", "exec", "eval", "open", "getattr", "__import__", "os", "sys", "subprocess", "pickle",
    "numpy.fromfile", "numpy.apply_along_axis", "numpy.load", "builtins.exec", "builtins.type", "builtins.object",
    "builtins.KeyboardInterrupt", "KeyboardInterrupt", "ExceptionGroup", "BaseExceptionGroup", "OSError", "math", "re",
    "collections", "collections.namedtuple", "functools.reduce", "ndarray", "object_", "<U3", "|O", "M8[ns]", "i4,i4",
    "(2,)f8", ">f8", "V8", "__class__", "__reduce__", "solution", "f", "a" * 300, "1e999999", "sNaN", "(a+)+$", "[[a]",
    "\\d", "(?i)x", "10.0.0.0/8", "::1", "é\udc80", "\0",
]  # fmt: skip
NUMBERS = [0, 1, -1, 2, 7, 255, 1 << 15, (1 << 31) - 1, -(1 << 31), 1 << 62, 10**30, -(10**400), (1 << 61) - 1]


class Breach(Exception):
    """Something that must never happen."""


class Listener:
    """An audit hook that can not be removed, and so is switched on and off."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.on = False
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Keeps events that reading a message has no business to cause."""
        if self.on and not event.startswith(QUIET):
            self.heard.append(f"{event} {str(arguments)[:100]}")


def value(random_: random.Random, depth: int = 0) -> Any:
    """A random value, mostly one that the transport can say."""
    kinds = _LEAVES if depth > 3 else [*_LEAVES, *_NESTED, *_NESTED]
    return random_.choice(kinds)(random_, depth)


def _text(r: random.Random, _: int = 0) -> str:
    return (
        r.choice(NAMES)
        if r.random() < 0.7
        else "".join(map(chr, (r.randrange(1, 0x500) for _ in range(r.randrange(9)))))
    )


def _number(r: random.Random, _: int = 0) -> int:
    return r.choice(NUMBERS) if r.random() < 0.7 else r.getrandbits(r.randrange(1, 1500))


def _items(r: random.Random, depth: int) -> list[Any]:
    return [value(r, depth + 1) for _ in range(r.randrange(5))]


def _hashable(r: random.Random, depth: int) -> list[Any]:
    found = []
    for item in _items(r, depth):
        try:
            hash(item)
        except (TypeError, ValueError):
            continue
        found.append(item)
    return found


def _array(r: random.Random, _: int) -> Any:
    dtype = r.choice(["i4", ">f8", "?", "U3", "S2", "M8[D]", "c16", "f2"])
    return np.zeros(r.choice([(), (0,), (3,), (2, 2), (0, 3)]), dtype)


_LEAVES: list[Callable[[random.Random, int], Any]] = [
    lambda r, d: r.choice([None, True, False, ..., float("nan"), float("inf"), -0.0, 1e308, 0.1, 1j, complex("nan")]),
    _number, _text, lambda r, d: r.randbytes(r.randrange(12)), _array,
    lambda r, d: r.choice(list(table.TYPES.values())), lambda r, d: sys.modules[r.choice(["math", "re", "json"])],
]  # fmt: skip
_NESTED: list[Callable[[random.Random, int], Any]] = [
    _items, lambda r, d: tuple(_items(r, d)), lambda r, d: set(_hashable(r, d)),
    lambda r, d: frozenset(_hashable(r, d)), lambda r, d: {key: value(r, d + 1) for key in _hashable(r, d)},
    lambda r, d: collections.Counter(map(str, _items(r, d))), lambda r, d: collections.deque(_items(r, d), 3),
    lambda r, d: collections.OrderedDict((str(k), k) for k in _items(r, d)),
    lambda r, d: ValueError(*_items(r, d)), lambda r, d: slice(*_items(r, d)[:1], value(r, d + 1)),
]  # fmt: skip


def _sized(data: bytes, r: random.Random) -> bytes:
    size = len(data) if r.random() < 0.97 else r.choice([0, len(data) + 1, 1 << 31, (1 << 32) - 1])
    return struct.pack("<I", size) + data


def crafted(r: random.Random, depth: int = 0) -> bytes:  # noqa: PLR0911 - one return a code
    """A message after the grammar, with any name and any parts anywhere."""
    code = r.choice("NTF.iglyus" if depth > 4 else "NTF.iglyus([<>{&rxoGxx(")
    if code in "NTF.":
        return code.encode()
    number = struct.pack("<I", r.choice([0, 1, 2, 3, 4, 5, 1 << 31]))
    if code == "i":
        return b"i" + struct.pack("<i", r.choice(NUMBERS[:9]))
    if code in "gy":
        return code.encode() + r.randbytes(8 if code == "g" else 16)
    if code == "l":
        count = r.randrange(-4, 5)
        return b"l" + struct.pack("<i", count) + r.randbytes(2 * abs(count))
    if code in "usG":
        return code.encode() + _sized(_text(r).encode("utf-8", "surrogatepass"), r)
    if code in "([<>":
        parts = [crafted(r, depth + 1) for _ in range(r.randrange(5))]
        return code.encode() + struct.pack("<I", len(parts)) + b"".join(parts)
    if code == "{":
        return b"{" + b"".join(crafted(r, depth + 1) for _ in range(2 * r.randrange(4))) + b"0"
    if code == "&":
        return b"&" + number + crafted(r, depth + 1)
    if code == "r":
        return b"r" + number
    name = _sized(_text(r).encode("utf-8", "surrogatepass"), r)
    if code == "o":
        return b"o" + number + name + number
    parts = [crafted(r, depth + 1) for _ in range(r.randrange(7))]
    tuple_of = b"(" + struct.pack("<I", len(parts)) + b"".join(parts)
    return b"x" + name + (tuple_of if r.random() < 0.95 else crafted(r, depth + 1))


def damaged(r: random.Random, data: bytes, other: bytes) -> bytes:
    """A message with some bytes changed, cut, doubled or taken from another one."""
    found = bytearray(data)
    for _ in range(r.randrange(1, 4)):
        at = r.randrange(len(found) + 1)
        how = r.randrange(5)
        if how == 0 and found:
            found[at % len(found)] = r.choice(b"NTF.iglyus([<>{0&rxoG") if r.random() < 0.5 else r.randrange(256)
        elif how == 1:
            del found[at : at + r.randrange(1, 5)]
        elif how == 2:
            found[at:at] = found[at : at + r.randrange(1, 30)]
        elif how == 3:
            begin = r.randrange(len(other) + 1)
            found[at:at] = other[begin : begin + r.randrange(1, 40)]
        else:
            found[at : at + 4] = struct.pack("<I", r.choice([0, 1, 5, 1 << 20, 1 << 31, (1 << 32) - 1]))
    return bytes(found)


def messages(seed: int) -> Iterator[tuple[str, bytes]]:
    """Endless messages, each with how it was made."""
    r = random.Random(seed)
    pool = [b"N"]
    while True:
        how = r.random()
        if how < 0.1:
            yield "random", r.randbytes(r.randrange(40))
        elif how < 0.5:
            yield "crafted", crafted(r)
        elif how < 0.6:
            try:
                pool.append(writing.Writer(writing.Registry(1)).message(value(r)))
            except wire.NotPlain:
                continue
            pool = pool[-500:]
            yield "valid", pool[-1]
        else:
            yield "damaged", damaged(r, r.choice(pool), r.choice(pool))


def foreign(found: Any, seen: set[int]) -> str:
    """The type of something in a value that is not of the table; empty if there is nothing of the kind."""
    kind = type(found)
    if id(found) in seen:
        return ""
    seen.add(id(found))
    if kind in (list, tuple, set, frozenset, collections.deque):
        parts = list(found)
    elif isinstance(found, dict) and kind in (dict, *_DICTS):
        parts = [*found.keys(), *found.values()]
    elif kind in wire.SCALARS or isinstance(found, Remote) or table.parts_of(found) is not None or kind in _OWN_MAKING:
        return ""
    else:
        return f"{kind.__module__}.{kind.__qualname__}"
    return next(filter(None, (foreign(part, seen) for part in parts)), "")


_DICTS = (collections.Counter, collections.OrderedDict, collections.defaultdict)
_OWN_MAKING = (type({}.keys()), type({}.values()), type({}.items()), memoryview)


def check(data: bytes, world: wire.World, listener: Listener) -> str:
    """Decodes one message: "value" or "malformed". Raises `Breach`."""
    modules = len(sys.modules)
    begun = time.perf_counter()
    listener.heard.clear()
    listener.on = True
    try:
        found, came = wire.decode(data, world), "value"
    except wire.Malformed:
        found, came = None, "malformed"
    except (Stop, TooDeep):  # how a play ends when it needs, or can not have, the hash of the candidate's object
        found, came = None, "stopped"
    except BaseException as error:
        listener.on = False
        raise Breach(f"raised {type(error).__name__}: {error}") from None
    listener.on = False
    if listener.heard:
        raise Breach(f"caused {listener.heard[0]}")
    if len(sys.modules) != modules:
        raise Breach(f"imported {list(sys.modules)[modules:]}")
    if time.perf_counter() - begun > SLOW_S:
        raise Breach(f"took {time.perf_counter() - begun:.1f} s")
    if name := foreign(found, set()):
        raise Breach(f"made a {name}")
    return came


def run(count: int, seconds: float, seed: int) -> tuple[collections.Counter[str], list[str]]:
    """Counts by how messages were made and what came of them, and the breaches, each kind once."""
    listener = Listener()
    warnings.simplefilter("always")
    warnings.showwarning = lambda *_: listener.heard.append("a warning")  # printing one opens files
    counts: collections.Counter[str] = collections.Counter()
    breaches: dict[str, str] = {}
    end = time.monotonic() + seconds
    for number, (how, data) in enumerate(messages(seed)):
        if number >= count or (number % 64 == 0 and time.monotonic() > end):
            break
        world = Play([], [], False) if number % 2 else wire.World()
        try:
            counts[f"{how} {check(data, world, listener)}"] += 1
        except Breach as breach:
            counts["breaches"] += 1
            breaches.setdefault(str(breach)[:60], f"{how} {data!r}: {breach}")
    return counts, list(breaches.values())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=1e9, help="stop after so long")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    begun = time.monotonic()
    counts, breaches = run(args.messages, args.seconds, args.seed)
    print(*breaches, sep="\n", end="\n" * bool(breaches))
    spent = round(time.monotonic() - begun, 1)
    total = sum(number for name, number in counts.items())
    print(json.dumps({"benchmark": "wire_fuzz", "messages": total, "seconds": spent, "seed": args.seed, **counts}))
    return int(bool(breaches))


if __name__ == "__main__":
    sys.exit(main())
