"""EvalPlus' comparison of a value with the expected one: equality, or numpy's allclose for floats.

`CLOSE` is the rule as text, for the referee, which has numpy. `near` gives the same answer here, without a process, for
small plain values, which are nearly all.
"""

import math
from typing import Any

from codepref.sandbox.value import SMALL, Malformed, decode, read

RELATIVE, LEAST = 1e-7, 1e-6
"""Relative tolerance, and the absolute one of floats where the problem names none."""
PRELUDE = """
import numpy as np

def is_floats(value):
    if isinstance(value, (list, tuple)) and value:
        return all(isinstance(item, float) for item in value)
    return isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind == "f")

def close(out, exp, atol):
    if out is ... or exp is ...:
        return False
    if out == exp:
        return True
    atol = 1e-6 if atol == 0 and is_floats(exp) else atol
    if atol == 0 or type(out) != type(exp) or (isinstance(exp, (list, tuple)) and len(out) != len(exp)):
        return False
    return bool(np.allclose(out, exp, rtol=1e-07, atol=atol))
"""
CLOSE = "close(_v(0), _v(1), {atol!r})"
_EXACT_INT = 1 << 53


def near(out: bytes, exp: bytes, atol: float) -> bool | None:
    """Whether two values are equal, or close within `atol`; None where only the referee can tell."""
    if max(len(out), len(exp)) > SMALL:
        return None
    try:
        found, wanted = read(out), read(exp)
    except (Malformed, ValueError, OverflowError):
        return None
    if not (found.is_plain and wanted.is_plain):
        return None
    return _is_near(decode(out), wanted.value, atol)  # anew: one object for both would hide a NaN


def _is_near(value: Any, right: Any, atol: float) -> bool | None:
    if value is ... or right is ... or value == right:
        return value is not ... and right is not ...
    atol = LEAST if atol == 0 and _is_floats(right) else atol
    if atol == 0 or type(value) is not type(right):
        return False
    if not isinstance(right, (list, tuple)):
        return _all_close([value], [right], atol)
    return len(value) == len(right) and _all_close(value, right, atol)


def _is_floats(value: Any) -> bool:
    if isinstance(value, (list, tuple)) and value:
        return all(isinstance(item, float) for item in value)
    return isinstance(value, float)


def _all_close(values: Any, rights: Any, atol: float) -> bool | None:
    """numpy's allclose of plain numbers; None for anything else."""
    if not all(map(_is_number, values)) or not all(map(_is_number, rights)):
        return None
    return all(
        abs(value - right) <= atol + RELATIVE * abs(right) if math.isfinite(right) else value == right
        for value, right in zip(values, rights, strict=True)
    )


def _is_number(value: Any) -> bool:
    return type(value) is float or (type(value) is int and abs(value) < _EXACT_INT)
