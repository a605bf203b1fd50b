"""Runs a test's text as its own runner would: asserts, test functions, pytest-like classes, unittest, doctest, async.

One and the same module runs a test at the judge and, where a test can not be taken apart, beside the candidate.
`Runner` raises what the test raises, `AssertionError` for a failed suite.
"""

from __future__ import annotations

import ast
import functools
import inspect
import sys
import types
from typing import Any, Callable, Iterator  # noqa: UP035 - Python 3.8

_SETUPS, _TEARDOWNS = ("setup_class", "setup_method", "setup"), ("teardown_method", "teardown_class", "teardown")
_RUNNERS = ("main", "run", "test", "check", "suite", "verify", "all")
_NAMES = """tmp_path tmpdir tmp_path_factory capsys capfd caplog monkeypatch request recwarn mocker benchmark subtests
    event_loop self"""
_FIXTURES = frozenset(_NAMES.split())
"""Parameters that only pytest can fill."""
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

TEST_FILE = "<test>"
"""File name of a test's code, by which its frames are known."""


class Unrunnable(Exception):
    """The test needs something that only its own runner has, such as a fixture."""


class Outline:
    """What a test's text defines, found before it runs."""

    def __init__(self, tree: ast.Module) -> None:
        self.definitions = [node for node in tree.body if isinstance(node, _DEFINITIONS)]
        self.used = {
            node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)
        }
        self.has_unittest = "unittest" in self.used or "TestCase" in self.used
        self.asserts_at_once = any(isinstance(node, ast.Assert) for node in _top_level(tree.body))

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Functions that nobody in the text calls and that a runner would."""
        free = [node for node in self.definitions if not isinstance(node, ast.ClassDef) and node.name not in self.used]
        tests = [node for node in free if node.name.startswith("test") or node.name == "check"]
        yield from tests
        if not (tests or self.asserts_at_once or any(isinstance(node, ast.ClassDef) for node in self.definitions)):
            for node in free:  # `def main()`, `def run_tests()` that the author meant to call
                if not node.args.args or node.name.startswith(_RUNNERS):
                    yield node

    def classes(self) -> Iterator[ast.ClassDef]:
        """Classes with test methods, but those that unittest runs."""
        classes = [node for node in self.definitions if isinstance(node, ast.ClassDef)]
        for node in classes:
            of_unittest = any("TestCase" in ast.dump(base) for base in node.bases)
            names = [item.name for item in node.body if isinstance(item, _DEFINITIONS)]
            if not of_unittest and any(name.startswith("test") for name in names):
                yield node


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when the text runs, those within blocks too."""
    for node in body:
        yield node
        if not isinstance(node, _DEFINITIONS):
            for name in ("body", "orelse", "finalbody"):
                yield from _top_level(getattr(node, name, []))


class Runner:
    """Runs one test in a namespace."""

    def __init__(self, namespace: dict[str, Any], entry_point: str | None, subject: Any = None) -> None:
        """`subject` is what `check(candidate)` is given; the global of the entry point if None."""
        self.namespace, self.entry_point, self.subject = namespace, entry_point, subject
        self.suites: list[Any] = []
        """Results of unittest's suites and cases that the text has started."""
        self.started: set[type] = set()
        """Classes of what was started: the candidate may start some of its own, which is no run of the test's."""
        self.foreign: set[type] = set()
        """Cases that were there before the text."""
        self.within = False
        """Whether a suite or a case is running."""
        self.ran = 0

    def run(self, outline: Outline, code: types.CodeType) -> None:
        """Executes the text, then what it only defines."""
        module = sys.modules["__main__"]
        self.namespace["__name__"] = "__main__"
        if outline.has_unittest:
            self.take_over_unittest()
            self.foreign = set(self.cases())
        if "doctest" in outline.used:
            self.take_over_doctest()
        try:
            exec(code, self.namespace)  # noqa: S102 - what the sandbox is for
        except SystemExit as error:
            if not left_by_test(error):
                raise AssertionError(f"exit status {error.code}") from None
        for node in outline.functions():
            self.call(self.namespace[node.name])
        for class_node in outline.classes():
            kind = self.namespace[class_node.name]
            derived = (
                isinstance(kind, type) and outline.has_unittest and issubclass(kind, sys.modules["unittest"].TestCase)
            )
            if not derived:
                self.run_class(kind)
        if outline.has_unittest:
            self.finish_unittest()
        sys.modules["__main__"] = module

    def call(self, function: Any) -> None:
        """One test function, once for each set of parameters."""
        for arguments in parameters(function):
            self.ran += 1
            await_result(function(*self.arguments(function, arguments)))

    def arguments(self, function: Any, given: dict[str, Any]) -> list[Any]:
        """Values for the parameters that have no default."""
        found = []
        for name, parameter in inspect.signature(function).parameters.items():
            if name in given:
                found.append(given[name])
            elif parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                other = name in self.namespace and name != self.entry_point
                if found or self.entry_point is None or name in _FIXTURES or other:
                    raise Unrunnable(f"the test function has a parameter {name}, for which nothing is known")
                found.append(self.namespace[self.entry_point] if self.subject is None else self.subject)
        return found

    def run_class(self, kind: Any) -> None:
        """Test methods of a class as pytest runs them, each on a new object."""
        for name in [name for name in dir(kind) if name.startswith("test")]:
            instance = kind()
            for setup in _SETUPS:
                if hasattr(instance, setup):
                    getattr(instance, setup)(*[None] * (len(inspect.signature(getattr(instance, setup)).parameters)))
            self.call(getattr(instance, name))
            for teardown in _TEARDOWNS:
                if hasattr(instance, teardown):
                    getattr(instance, teardown)(
                        *[None] * len(inspect.signature(getattr(instance, teardown)).parameters)
                    )

    def take_over_unittest(self) -> None:
        """Makes every way to start unittest run quietly, and remembers what came out."""
        import unittest

        runner = self

        def run(_: Any, suite: Any) -> Any:
            result = unittest.TestResult()
            suite(result)
            return result

        def main(*_: Any, **__: Any) -> None:
            runner.run_cases()

        for kind in (unittest.TestSuite, unittest.TestCase):
            for name in ("run", "debug"):
                setattr(kind, name, self.remembered(inspect.unwrap(getattr(kind, name))))
        unittest.TextTestRunner.run = run  # type: ignore[method-assign, assignment]
        unittest.main = unittest.TestProgram = main  # type: ignore[assignment, misc]

    def remembered(self, run: Callable[..., Any]) -> Callable[..., Any]:
        """A suite's or a case's way to run that keeps what came out, unless a running test has started it."""
        import unittest

        @functools.wraps(run)
        def wrapped(*arguments: Any, **options: Any) -> Any:
            self.started.add(type(arguments[0]))
            if self.within:
                return run(*arguments, **options)
            self.within = True
            try:
                result = run(*arguments, **options)
            finally:
                self.within = False
            if isinstance(result, unittest.TestResult) and not any(result is known for known in self.suites):
                self.suites.append(result)
            return result

        return wrapped

    def run_cases(self) -> None:
        """Every test case that the text defines."""
        import unittest

        loader, suite = unittest.TestLoader(), unittest.TestSuite()
        for case in self.cases():
            suite.addTests(loader.loadTestsFromTestCase(case))
        suite(unittest.TestResult())

    def cases(self) -> list[Any]:
        """The test cases that are there, in their order."""
        import unittest

        values = [value for value in self.namespace.values() if isinstance(value, type)]
        return [kind for kind in values if issubclass(kind, unittest.TestCase) and kind.__module__ == "__main__"]

    def finish_unittest(self) -> None:
        """Runs cases that nobody has started, and raises for one that failed."""
        own = set(self.cases()) - self.foreign
        if not (self.started & own if own else self.started):
            self.run_cases()
        for result in self.suites:
            self.ran += result.testsRun
            troubles = [text for _, text in (*result.failures, *result.errors)]
            if troubles or result.unexpectedSuccesses:
                last = troubles[0].strip().splitlines()[-1] if troubles else "unexpected success"
                raise AssertionError(last.removeprefix("AssertionError: ") if hasattr(last, "removeprefix") else last)

    def take_over_doctest(self) -> None:
        """Makes examples that fail, or are none at all, raise."""
        import doctest

        genuine = doctest.testmod

        def testmod(*arguments: Any, **options: Any) -> Any:
            options["raise_on_error"] = False
            result = genuine(*arguments, **options)
            self.ran += result.attempted
            if result.failed or not result.attempted:
                raise AssertionError(f"doctest: {result.failed} of {result.attempted} examples failed")
            return result

        doctest.testmod = testmod


def parameters(function: Any) -> list[dict[str, Any]]:
    """Sets of parameters that `pytest.mark.parametrize` gives a function; one empty set without it."""
    sets: list[dict[str, Any]] = [{}]
    for mark in reversed(getattr(function, "pytestmark", [])):
        if getattr(mark, "name", "") != "parametrize":
            continue
        names, values = mark.args[:2]
        names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
        rows = [getattr(value, "values", value if len(names) > 1 else (value,)) for value in values]
        sets = [{**one, **dict(zip(names, row))} for row in rows for one in sets]  # noqa: B905 - Python 3.8
    return sets


def await_result(value: Any) -> None:
    """Runs a coroutine to its end; without an event loop where none may be made."""
    if not inspect.iscoroutine(value):
        return
    import asyncio

    try:
        loop = asyncio.new_event_loop()
    except OSError:
        loop = None
    try:
        if loop is None:
            value.send(None)
            raise Unrunnable("the test waits for an event loop of its own")
        loop.run_until_complete(value)
    except StopIteration:
        return
    finally:
        if loop is not None:
            loop.close()


def left_by_test(error: SystemExit) -> bool:
    """True if the text of the test itself ends with success, and not what it called."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    own = trace is not None and trace.tb_frame.f_code.co_filename == TEST_FILE
    return own and error.code in (None, 0, False)
