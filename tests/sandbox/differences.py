"""Where a verdict differs from what CPython says when code and test run in one namespace, and why that is right.

`KINDS` gives the reason of each kind in one line; `ROWS` names the cases of tests.jsonl of each kind. Every other case
must have CPython's verdict (benchmarks/sandbox_cases.py tests).
"""

import importlib.util
from typing import NamedTuple


class Kind(NamedTuple):
    """Verdicts that are right here instead of CPython's, the reason, and the one profile it is about, if it is."""

    verdicts: frozenset[str]
    reason: str
    profile: str = ""


def _kind(verdicts: str, reason: str, profile: str = "") -> Kind:
    return Kind(frozenset(verdicts.split()), reason, profile)


_PYTEST = importlib.util.find_spec("pytest") is not None
KINDS = {
    "blind": _kind("unjudged", "the test checks nothing that the code returned; CPython passes it on any code"),
    "runner passes": _kind("passed", "its runner (pytest, unittest, doctest) runs the test; Python alone does not"),
    "runner fails": _kind("failed", "its runner (pytest, unittest, doctest) runs the test; Python alone does not"),
    "pytest passes": _kind(
        "passed" if _PYTEST else "unjudged", "says nothing about the code where pytest is not installed, else it runs"
    ),
    "pytest fails": _kind(
        "failed unjudged" if _PYTEST else "unjudged",
        "says nothing about the code where pytest is not installed, else it runs",
    ),
    "own file name": _kind("passed", "a test may import the code from `solution`, the name of the code's module here"),
    "other file name": _kind("unjudged", "the test imports the code by a file name that nobody promised it"),
    "main guard": _kind("passed", "code under `if __name__ == '__main__'` is not run: the code is imported, as in use"),
    "limits": _kind("passed output", "the limits on output and returned values, which plain Python does not have"),
    "no threads": _kind("failed", "threads and files are for the library profile", "function"),
    "own namespace": _kind("passed", "names that a test imports are its own and do not replace those of the code"),
    "shadowed": _kind("passed", "`sorted`, `list` and so on in a test are Python's own, whatever the code defines"),
}
ROWS = {
    "split/std_values/1": "own namespace",
    "execute/no_asserts/1": "blind",
    "execute/no_asserts/5": "blind",
    "execute/trivial_test/0": "blind",
    "execute/trivial_test/1": "blind",
    "execute/trivial_test/2": "blind",
    "execute/trivial_test/3": "blind",
    "execute/assert_tuple/0": "blind",
    "execute/pytest_fn_tests/5": "runner fails",
    "execute/pytest_fn_tests/7": "runner fails",
    "execute/pytest_fn_tests/9": "runner fails",
    "execute/doctest_test/1": "runner fails",
    "execute/float_tol/3": "pytest passes",
    "execute/class_ep/2": "pytest passes",
    "execute/exception_expected/0": "pytest passes",
    "execute/pytest_fn_tests/3": "pytest fails",
    "execute/pytest_fn_tests/4": "pytest fails",
    "execute/import_solution/0": "own file name",
    "execute/import_solution/1": "other file name",
    "execute/import_solution/2": "other file name",
    "execute/main_guard_input/0": "main guard",
    "execute/big_output_value/1": "limits",
    "execute/big_stdout/1": "limits",
    "execute/deep_list/1": "limits",
    "execute/deep_list/2": "limits",
    "execute/mpl/0": "no threads",
    "execute/shadow_builtin/0": "shadowed",
    "execute/shadow_list/0": "shadowed",
}
