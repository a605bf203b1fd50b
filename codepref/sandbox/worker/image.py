"""Values as plain data: what a candidate returned, written down without running any of its code."""

from __future__ import annotations

import marshal
from typing import Any

from . import wire
from .wire import SCALARS, NotPlain

MAX_NODES = 200_000

__all__ = ["SCALARS", "NotPlain", "describe", "encode", "is_exact"]


def is_exact(value: Any) -> bool:
    """True if `value` is made of exact builtin types only, which marshal writes faithfully and without any call."""
    todo, seen = [value], 0
    while todo:
        item = todo.pop()
        kind = type(item)
        if kind in SCALARS:
            continue
        seen += 1
        if seen > MAX_NODES:
            return False
        if kind is dict:
            todo.extend(item.keys())
            todo.extend(item.values())
        elif kind in (list, tuple, set, frozenset):
            todo.extend(item)
        else:
            return False
    return True


def encode(value: Any) -> bytes:
    """Bytes of the value, without numbers for its parts; raises NotPlain."""
    try:
        if is_exact(value):
            return marshal.dumps(value, 2)
    except ValueError:
        pass
    try:
        return wire.encode(value)
    except (MemoryError, NotPlain):
        raise
    except Exception:
        raise NotPlain from None


def describe(error: BaseException) -> bytes:
    """Type and message, without running anything a candidate may have overridden."""
    kind = type(error)
    name = str.__str__(type.__dict__["__name__"].__get__(kind))
    arguments = BaseException.__dict__["args"].__get__(error)
    first = arguments[0] if arguments else ""
    text = first[:200] if type(first) is str else ""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return f"{name[:100]}: {text}".encode("utf-8", "replace")
