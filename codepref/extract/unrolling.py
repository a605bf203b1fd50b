"""Test code taken apart into single assertions, where that provably changes nothing."""

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codepref.extract.checks import plain, raised, raising, sub_test
from codepref.extract.syntax import Rejected, bound, named
from codepref.extract.tables import Put, is_pure, matched, new, rows, table_of

_SIMPLE = (
    ast.Assert,
    ast.Assign,
    ast.AnnAssign,
    ast.AugAssign,
    ast.Expr,
    ast.Pass,
    ast.For,
    ast.Import,
    ast.ImportFrom,
    ast.Try,
    ast.If,
    ast.While,
)


@dataclass(frozen=True)
class Unit:
    """One test: a statement that asserts, and the statements before it, of which it may need some."""

    before: list[ast.stmt]
    statement: ast.stmt
    calls: tuple[str, ...] = ()
    """Lines that call what the statement defines."""


def units(body: Sequence[ast.stmt], entry_point: str) -> Iterator[Unit | Rejected]:
    """The tests in the statements of a module, in order."""
    body = [_without_async(node) for node in _opened(body)]
    called = {name for node in body if isinstance(node, ast.Expr) for name in named(node)}
    before: list[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.FunctionDef) and _is_test(node, called, entry_point):
            yield from _of_function(node, before, entry_point)
        elif isinstance(node, ast.ClassDef) and any(_is_method(method) for method in node.body):
            yield from _of_class(node, before, entry_point)
        elif isinstance(node, ast.For):
            yield from _of_loop(node, before)
        elif _asserts(node) and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield Unit(list(before), raising(node))
        elif isinstance(node, ast.Expr) and _calls_a_check(node, before):
            yield Unit(list(before), node)
        before.append(node)


def _opened(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """With the statements under `if __name__ == "__main__":` in its place."""
    for node in body:
        is_guard = isinstance(node, ast.If) and "__name__" in named(node.test) and not node.orelse
        yield from node.body if isinstance(node, ast.If) and is_guard else [node]


def _without_async(node: ast.stmt) -> ast.stmt:
    """An `async def` that awaits nothing as a plain function: nothing else would ever run it."""
    waits = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield)
    if not isinstance(node, ast.AsyncFunctionDef) or any(isinstance(inner, waits) for inner in ast.walk(node)):
        return node
    node.decorator_list = []
    return new(ast.parse(ast.unparse(node).removeprefix("async ")).body[0])


def _asserts(node: ast.AST) -> bool:
    """Whether something in a statement can fail a test."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Assert) or (isinstance(inner, ast.Raise) and not isinstance(node, ast.FunctionDef)):
            return True
        if isinstance(inner, ast.Attribute) and (inner.attr == "raises" or inner.attr.startswith(("assert", "fail"))):
            return True
    return False


def _is_test(node: ast.FunctionDef, called: set[str], entry_point: str) -> bool:
    """A function without parameters that asserts, or one like `check(candidate)`, or with a table of its parameters."""
    if not _asserts(node) or node.args.vararg or node.args.kwonlyargs:
        return False
    if table_of(node) is not None:
        return True
    count = len(node.args.args) - len(node.args.defaults)
    return count <= 0 or (count == 1 and (node.name == "check" or (node.name in called and entry_point in called)))


def _is_method(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test") and _asserts(node)


def _of_function(node: ast.FunctionDef, before: list[ast.stmt], entry_point: str) -> Iterator[Unit | Rejected]:
    """The assertions of a test function, each with what it needs of the function; or the function as it is."""
    body = node.body[:-1] if _returns_nothing(node.body[-1]) else list(node.body)
    table = table_of(node)
    if table is not None:
        body = [table]
    elif len(node.args.args) - len(node.args.defaults) == 1:
        put = Put({node.args.args[0].arg: ast.Name(entry_point, ast.Load())})
        body = [new(put.visit(copy.deepcopy(statement))) for statement in body]
    elif node.args.args or node.decorator_list:
        body = []
    if not body or not _can_be_opened(body, before):
        if table is None and len(node.args.args) <= len(node.args.defaults):
            yield Unit(list(before), node, (f"{node.name}()",))
        elif table is None and len(node.args.args) == 1:
            yield Unit(list(before), node, (f"{node.name}({entry_point})",))
        else:
            yield Rejected("unparseable", f"parameters of {node.name} that nothing gives")
        return
    yield from _flat(body, before)


def _returns_nothing(node: ast.stmt) -> bool:
    """A `return` without a value that is computed, at the end of a test."""
    return isinstance(node, ast.Return) and (node.value is None or isinstance(node.value, ast.Constant))


def _can_be_opened(body: Sequence[ast.stmt], before: Sequence[ast.stmt]) -> bool:
    """Whether the body of a function does the same in a module: simple statements, and no name that the module has."""
    taken = set[str]().union(*(bound(node) for node in before))
    own = set[str]().union(*(bound(node) for node in body))
    inner = (n for statement in body for n in ast.walk(statement))
    is_simple = all(isinstance(node, _SIMPLE) or raised(node) is not None for node in body)
    blocked = (ast.Return, ast.Yield, ast.YieldFrom, ast.Await, ast.Global, ast.Nonlocal)
    return is_simple and not taken & own and not any(isinstance(n, blocked) for n in inner)


def _flat(body: Sequence[ast.stmt], before: list[ast.stmt]) -> Iterator[Unit]:
    seen = list(before)
    for node in body:
        if isinstance(node, ast.For):
            yield from _of_loop(node, seen)
        elif _asserts(node):
            yield from _joined(seen, raising(node))
        elif isinstance(node, ast.Expr) and _calls_a_check(node, seen):
            yield Unit(list(seen), node)
        seen.append(node)


def _joined(before: list[ast.stmt], node: ast.stmt) -> Iterator[Unit]:
    """An assertion; the result that the statement right above it names stands in the place of the name."""
    last = before[-1] if before else None
    if isinstance(node, ast.Assert) and isinstance(last, ast.Assign) and len(last.targets) == 1:
        target = last.targets[0]
        if isinstance(target, ast.Name) and _count(node.test, target.id) == 1 and _is_first(node.test, target.id):
            test = Put({target.id: last.value}).visit(copy.deepcopy(node.test))
            yield Unit(before[:-1], new(ast.Assert(test, None)))
            return
    yield Unit(list(before), node)


def _count(node: ast.AST, name: str) -> int:
    return sum(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node))


def _is_first(test: ast.expr, name: str) -> bool:
    """Whether nothing but literals is evaluated before a name, so that a call in its place comes when it did."""
    if isinstance(test, ast.UnaryOp):
        test = test.operand
    first = test.left if isinstance(test, ast.Compare) else test
    others = test.comparators if isinstance(test, ast.Compare) else []
    is_there = isinstance(first, ast.Name) and first.id == name
    return is_there or (is_pure(first) and any(isinstance(n, ast.Name) and n.id == name for n in others))


def _of_loop(node: ast.For, before: list[ast.stmt]) -> Iterator[Unit]:
    """The assertions of a loop over a table, row by row; or the loop as it is."""
    if not _asserts(node):
        return
    table = rows(node.iter, before)
    own = bound(node.target)
    is_open = all(isinstance(inner, _SIMPLE) or sub_test(inner) is not None for inner in node.body)
    stored = set[str]().union(*(bound(inner) for inner in node.body))
    if table is None or node.orelse or not is_open or stored & own:
        yield Unit(list(before), raising(node))
        return
    found: list[Unit] = []
    for row in table:
        values = matched(node.target, row)
        if values is None:
            yield Unit(list(before), node)
            return
        body = [new(Put(values).visit(copy.deepcopy(_bare(inner)))) for inner in _under(node.body)]
        found += _flat(body, before)
    yield from found


def _under(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for inner in body:
        within = sub_test(inner)
        yield from [inner] if within is None else within


def _bare(node: ast.stmt) -> ast.stmt:
    """An assertion of a row without its message, which names the row."""
    return ast.Assert(node.test, None) if isinstance(node, ast.Assert) else node


def _of_class(node: ast.ClassDef, before: list[ast.stmt], entry_point: str) -> Iterator[Unit | Rejected]:
    """The assertions of a `unittest` class without fixtures; or the class as it is, for its runner."""
    methods = [method for method in node.body if isinstance(method, ast.FunctionDef)]
    bodies = [[plain(statement) for statement in method.body] for method in methods]
    is_open = all(method.name.startswith("test") and len(method.args.args) == 1 for method in methods) and all(
        isinstance(part, ast.FunctionDef) or (isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant))
        for part in node.body
    )
    left = {name for body in bodies for statement in body for name in named(statement)}
    if not is_open or "self" in left or not all(_can_be_opened(body, before) for body in bodies):
        yield Unit(list(before), node)
        return
    for body in bodies:
        yield from _flat(body, before)


def _calls_a_check(node: ast.Expr, before: Sequence[ast.stmt]) -> bool:
    """Whether a statement calls a function with parameters that asserts, such as `check_case(1, 2, 3)`."""
    checks = {
        other.name
        for other in before
        if isinstance(other, ast.FunctionDef) and _asserts(other) and len(other.args.args) > len(other.args.defaults)
    }
    call = node.value
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id not in checks:
        return False
    return call.func.id != "check"
