"""The trusted side's own sandboxed worker: plans tests and evaluates their conditions, and never sees a candidate.

Same fork server as worker.py, run by the supervisor's interpreter: whatever a test's text or a returned value does to a
parser or to a comparison happens in a forked child under limits.
Requests: `("plan", "second" or "whole", [(test, entry_point), ...])` and `("judge", [(prelude, condition,
[value, ...]), ...])`, both marshalled.
"""

import builtins
import importlib
import marshal
import sys
from collections.abc import Callable, Iterator
from typing import Any

from codepref.sandbox.plan import (
    FALSE,
    JUDGE_BUILTINS,
    MODULES,
    NEEDS,
    PLAN,
    RAISED,
    REFERENCES,
    TRUE,
    plan,
)
from codepref.sandbox.value import Malformed, Reference, decode
from codepref.sandbox.worker import serve
from codepref.sandbox.worker.candidate import Spawn
from codepref.sandbox.worker.image import describe
from codepref.sandbox.worker.report import Report

TYPES = ("decimal.Decimal", "fractions.Fraction", "builtins.range", "builtins.bytearray", "datetime.date",
         "datetime.timedelta", "datetime.time", "datetime.datetime", "collections.deque")  # fmt: skip


_BUILTINS = {name: getattr(builtins, name) for name in sorted(JUDGE_BUILTINS)} | {"__import__": __import__}


class Missing(Exception):
    """A value is needed that the candidate did not return as plain data."""


def rebuild(value: Any) -> Any:
    """Genuine standard-library objects for the `Reference`s within a decoded value; raises `Missing` for others."""
    if isinstance(value, Reference):
        return genuine(value) if value.arguments is None or value.module else special(value.name, *value.arguments)
    if isinstance(value, (list, tuple, set, frozenset)):
        return type(value)(rebuild(item) for item in value)
    if isinstance(value, dict):
        return {rebuild(key): rebuild(item) for key, item in value.items()}
    return value


def special(name: str, items: Any = None, cut_off: bool = False) -> Any:
    """A module, a view of a dict, an iterator, or a value of a subclass of a builtin type."""
    if items is None:
        if name not in MODULES:
            raise Missing
        return importlib.import_module(name)
    items = rebuild(items)
    if name == "subclass":
        hidden = {"__repr__": _ask_candidate, "__str__": _ask_candidate, "__format__": _ask_candidate}
        return type("Subclass", (type(items),), hidden)(items)
    views: dict[str, Callable[[], Any]] = {
        "keys": lambda: dict.fromkeys(items).keys(),
        "values": lambda: dict(enumerate(items)).values(),
        "items": lambda: dict(items).items(),
        "iterator": lambda: iterate(items, cut_off),
    }
    return views[name]()


def _ask_candidate(*_: Any) -> Any:
    """How a subclass looks as text is only known beside the candidate."""
    raise Missing


def iterate(items: list[Any], cut_off: bool) -> Iterator[Any]:
    """What a generator yielded; it may have gone on."""
    yield from items
    if cut_off:
        raise Missing


def genuine(value: Reference) -> Any:
    """A type, a function or a value by the name of its type."""
    name = f"{value.module}.{value.name}"
    allowed = value.module in (*MODULES, "builtins") if value.arguments is None else name in TYPES
    if value.module == "numpy":
        allowed = "numpy" in sys.modules
    if not allowed or value.name.startswith("_"):
        raise Missing
    thing = getattr(importlib.import_module(value.module), value.name)
    return thing if value.arguments is None else thing(*(rebuild(item) for item in value.arguments))


def judge(prelude: str, condition: str, values: list[bytes | None]) -> tuple[int, bytes]:
    """Truth of one condition after the statements in `prelude`.

    Values are decoded only when asked for, as `a or b` may not need the second.
    """
    needed = []

    def value_of(k: int, name: str = "") -> Any:
        needed.append(k)
        data = values[k] if k < len(values) else None
        if data is None:
            raise Missing
        value = decode(data, 2000)
        if name and not (isinstance(value, Reference) and (value.module, value.name) in REFERENCES[name]):
            raise Missing
        return rebuild(value)

    try:
        namespace = {"__builtins__": _BUILTINS, "_v": value_of}
        exec(compile(prelude, "<test>", "exec", dont_inherit=True), namespace)  # noqa: S102 - in a sandboxed child
        holds = eval(compile(condition, "<test>", "eval", dont_inherit=True), namespace)
        return (TRUE if holds else FALSE), b""
    except (Missing, Malformed):
        return NEEDS, bytes([needed[-1]])
    except BaseException as error:
        return RAISED, describe(error)


def handle(report: Report, payload: bytes, _: Spawn) -> None:
    """Body of a child of the referee."""
    kind, items = marshal.loads(payload)  # ours: written by the supervisor
    sys.setrecursionlimit(20_000)
    for i, item in enumerate(items):
        if kind == "judge":
            report.put(i, 0, 0, *judge(*item))
        else:
            test, entry_point = item
            report.put(i, 0, 0, PLAN, marshal.dumps(tuple(plan(test, entry_point, kind)), 2))


def handler() -> Callable[[Report, bytes, Spawn], None]:
    """Imports what conditions may use before the worker locks itself down."""
    for name in MODULES - {"numpy"}:
        importlib.import_module(name)
    return handle


def main() -> None:
    """Entry of the process."""
    serve.main(handler, ())
