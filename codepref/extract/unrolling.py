"""Test code taken apart into single assertions, where that provably changes nothing."""

import ast
import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from codepref.extract.syntax import Rejected, bound, named

ROWS = 200
"""A table with more rows stays a loop."""
_PURE_CALLS = frozenset(
    ("float", "int", "set", "frozenset", "list", "tuple", "dict", "range", "complex", "bytes", "str", "Counter")
)
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
)
_COMPARED = {
    "assertEqual": ast.Eq, "assertEquals": ast.Eq, "assertListEqual": ast.Eq, "assertDictEqual": ast.Eq,
    "assertTupleEqual": ast.Eq, "assertSetEqual": ast.Eq, "assertSequenceEqual": ast.Eq, "assertMultiLineEqual": ast.Eq,
    "assertNotEqual": ast.NotEq, "assertIs": ast.Is, "assertIsNot": ast.IsNot, "assertIn": ast.In,
    "assertNotIn": ast.NotIn, "assertGreater": ast.Gt, "assertGreaterEqual": ast.GtE, "assertLess": ast.Lt,
    "assertLessEqual": ast.LtE,
}  # fmt: skip


@dataclass(frozen=True)
class Unit:
    """One test: a statement that asserts, and the statements before it, of which it may need some."""

    before: list[ast.stmt]
    statement: ast.stmt
    calls: tuple[str, ...] = ()
    """Lines that call what the statement defines."""


def units(body: Sequence[ast.stmt], entry_point: str) -> Iterator[Unit | Rejected]:
    """The tests in the statements of a module, in order."""
    body = list(_opened(body))
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
            yield Unit(list(before), _raising(node))
        elif isinstance(node, ast.Expr) and _calls_a_check(node, before):
            yield Unit(list(before), node)
        before.append(node)


def _opened(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """With the statements under `if __name__ == "__main__":` in its place."""
    for node in body:
        is_guard = isinstance(node, ast.If) and "__name__" in named(node.test) and not node.orelse
        yield from node.body if isinstance(node, ast.If) and is_guard else [node]


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
    if _table_of(node) is not None:
        return True
    count = len(node.args.args) - len(node.args.defaults)
    return count <= 0 or (count == 1 and (node.name == "check" or (node.name in called and entry_point in called)))


def _is_method(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test") and _asserts(node)


def _of_function(node: ast.FunctionDef, before: list[ast.stmt], entry_point: str) -> Iterator[Unit | Rejected]:
    """The assertions of a test function, each with what it needs of the function; or the function as it is."""
    body = list(node.body)
    table = _table_of(node)
    if table is not None:
        body = [table]
    elif len(node.args.args) - len(node.args.defaults) == 1:
        put = _Put({node.args.args[0].arg: ast.Name(entry_point, ast.Load())})
        body = [_new(put.visit(copy.deepcopy(statement))) for statement in body]
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


def _can_be_opened(body: Sequence[ast.stmt], before: Sequence[ast.stmt]) -> bool:
    """Whether the body of a function does the same in a module: simple statements, and no name that the module has."""
    taken = set[str]().union(*(bound(node) for node in before))
    own = set[str]().union(*(bound(node) for node in body))
    inner = (n for statement in body for n in ast.walk(statement))
    is_simple = all(isinstance(node, _SIMPLE) or _raised(node) is not None for node in body)
    blocked = (ast.Return, ast.Yield, ast.YieldFrom, ast.Await, ast.Global, ast.Nonlocal)
    return is_simple and not taken & own and not any(isinstance(n, blocked) for n in inner)


def _flat(body: Sequence[ast.stmt], before: list[ast.stmt]) -> Iterator[Unit]:
    seen = list(before)
    for node in body:
        if isinstance(node, ast.For):
            yield from _of_loop(node, seen)
        elif _asserts(node):
            yield from _joined(seen, _raising(node))
        elif isinstance(node, ast.Expr) and _calls_a_check(node, seen):
            yield Unit(list(seen), node)
        seen.append(node)


def _joined(before: list[ast.stmt], node: ast.stmt) -> Iterator[Unit]:
    """An assertion; the result that the statement right above it names stands in the place of the name."""
    last = before[-1] if before else None
    if isinstance(node, ast.Assert) and isinstance(last, ast.Assign) and len(last.targets) == 1:
        target = last.targets[0]
        if isinstance(target, ast.Name) and _count(node.test, target.id) == 1 and _is_first(node.test, target.id):
            test = _Put({target.id: last.value}).visit(copy.deepcopy(node.test))
            yield Unit(before[:-1], _new(ast.Assert(test, None)))
            return
    yield Unit(list(before), node)


def _count(node: ast.AST, name: str) -> int:
    return sum(isinstance(n, ast.Name) and n.id == name for n in ast.walk(node))


def _is_first(test: ast.expr, name: str) -> bool:
    """Whether nothing but literals is evaluated before a name, so that a call in its place comes no later than it did."""
    if isinstance(test, ast.UnaryOp):
        test = test.operand
    first = test.left if isinstance(test, ast.Compare) else test
    others = test.comparators if isinstance(test, ast.Compare) else []
    is_there = isinstance(first, ast.Name) and first.id == name
    return is_there or (_is_pure(first) and any(isinstance(n, ast.Name) and n.id == name for n in others))


def _of_loop(node: ast.For, before: list[ast.stmt]) -> Iterator[Unit]:
    """The assertions of a loop over a table, row by row; or the loop as it is."""
    if not _asserts(node):
        return
    rows = _rows(node.iter, before)
    own = bound(node.target)
    is_open = all(isinstance(inner, _SIMPLE) or _sub_test(inner) is not None for inner in node.body)
    stored = set[str]().union(*(bound(inner) for inner in node.body))
    if rows is None or node.orelse or not is_open or stored & own:
        yield Unit(list(before), _raising(node))
        return
    found: list[Unit] = []
    for row in rows:
        values = _matched(node.target, row)
        if values is None:
            yield Unit(list(before), node)
            return
        body = [_new(_Put(values).visit(copy.deepcopy(_bare(inner)))) for inner in _under(node.body)]
        found += _flat(body, before)
    yield from found


def _under(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for inner in body:
        within = _sub_test(inner)
        yield from [inner] if within is None else within


def _sub_test(node: ast.stmt) -> list[ast.stmt] | None:
    """The body of `with self.subTest(...)`."""
    if isinstance(node, ast.With) and "subTest" in ast.dump(node.items[0].context_expr):
        return node.body
    return None


def _bare(node: ast.stmt) -> ast.stmt:
    """An assertion of a row without its message, which names the row."""
    return ast.Assert(node.test, None) if isinstance(node, ast.Assert) else node


def _rows(table: ast.expr, before: Sequence[ast.stmt]) -> list[ast.expr] | None:
    """The rows of a literal table, or None; nothing in it but literals and what makes values of them."""
    if isinstance(table, ast.Name):
        value = _only_value(table.id, before)
        return None if value is None else _rows(value, ())
    if isinstance(table, ast.List | ast.Tuple):
        return list(table.elts) if len(table.elts) <= ROWS and all(map(_is_pure, table.elts)) else None
    if not isinstance(table, ast.Call):
        return None
    inner = [_rows(argument, before) for argument in table.args]
    if isinstance(table.func, ast.Name) and table.func.id == "enumerate" and len(inner) == 1 and inner[0] is not None:
        pairs = enumerate(inner[0])
        return [ast.Tuple([ast.Constant(n), row], ast.Load()) for n, row in pairs]
    if isinstance(table.func, ast.Name) and table.func.id == "zip" and inner and not table.keywords:
        columns = [column for column in inner if column is not None]
        rows = zip(*columns, strict=False)
        return [ast.Tuple(list(row), ast.Load()) for row in rows] if len(columns) == len(inner) else None
    if isinstance(table.func, ast.Attribute) and table.func.attr == "items" and not table.args:
        return _items_of(table.func.value, before)
    return None


def _items_of(table: ast.expr, before: Sequence[ast.stmt]) -> list[ast.expr] | None:
    value = _only_value(table.id, before) if isinstance(table, ast.Name) else table
    if not isinstance(value, ast.Dict) or not _is_pure(value) or len(value.keys) > ROWS:
        return None
    keys = [key for key in value.keys if isinstance(key, ast.Constant | ast.Tuple)]
    distinct = {ast.dump(key) for key in keys}
    if len(distinct) < len(value.keys):
        return None
    return [ast.Tuple([key, item], ast.Load()) for key, item in zip(keys, value.values, strict=True)]


def _only_value(name: str, before: Sequence[ast.stmt]) -> ast.expr | None:
    """The value of a name that one plain assignment binds and nothing else touches but loops over it."""
    users = [node for node in before if name in named(node)]
    assignments = [node for node in users if isinstance(node, ast.Assign | ast.AnnAssign) and name in bound(node)]
    others = [node for node in users if node not in assignments]
    if len(assignments) != 1 or any(not isinstance(node, ast.For | ast.FunctionDef | ast.Assert) for node in others):
        return None
    (node,) = assignments
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    changed = any(
        isinstance(n, ast.Attribute | ast.Subscript) and isinstance(n.value, ast.Name) and n.value.id == name
        for other in others
        for n in ast.walk(other)
    )
    return node.value if len(targets) == 1 and isinstance(targets[0], ast.Name) and not changed else None


def _is_pure(node: ast.AST) -> bool:
    """Whether an expression always gives an equal value and does nothing else."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call):
            if not isinstance(inner.func, ast.Name) or inner.func.id not in _PURE_CALLS:
                return False
        elif isinstance(inner, ast.Name):
            if inner.id not in _PURE_CALLS:
                return False
        elif isinstance(
            inner, ast.Attribute | ast.Lambda | ast.NamedExpr | ast.Await | ast.comprehension | ast.Starred
        ):
            return False
    return True


def _matched(target: ast.expr, row: ast.expr) -> dict[str, ast.expr] | None:
    """Which value each name of a loop's target gets."""
    if isinstance(target, ast.Name):
        return {target.id: row}
    if not isinstance(target, ast.Tuple | ast.List) or not isinstance(row, ast.Tuple | ast.List):
        return None
    starred = [place for place, part in enumerate(target.elts) if isinstance(part, ast.Starred)]
    parts, values = list(target.elts), list(row.elts)
    if starred:
        place = starred[0]
        rest = len(parts) - place - 1
        if len(starred) > 1 or len(values) < len(parts) - 1:
            return None
        part = parts[place]
        parts[place] = part.value if isinstance(part, ast.Starred) else part
        middle = values[place : len(values) - rest]
        values = [*values[:place], ast.List(middle, ast.Load()), *values[len(values) - rest :]]
    if len(parts) != len(values):
        return None
    found: dict[str, ast.expr] = {}
    for part, value in zip(parts, values, strict=True):
        inner = _matched(part, value)
        if inner is None:
            return None
        found |= inner
    return found


class _Put(ast.NodeTransformer):
    """Puts values in the place of names, and what an item of a literal is in the place of the item."""

    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        found = self.values.get(node.id) if isinstance(node.ctx, ast.Load) else None
        return node if found is None else copy.deepcopy(found)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.ctx, ast.Load) and isinstance(node.slice, ast.Constant):
            key = node.slice.value
            if isinstance(node.value, ast.Tuple | ast.List) and type(key) is int and key < len(node.value.elts):
                return node.value.elts[key]
            if isinstance(node.value, ast.Dict):
                for name, value in zip(node.value.keys, node.value.values, strict=True):
                    if isinstance(name, ast.Constant) and name.value == key:
                        return value
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        arguments: list[ast.expr] = []
        for argument in node.args:
            is_literal = isinstance(argument, ast.Starred) and isinstance(argument.value, ast.Tuple | ast.List)
            arguments += argument.value.elts if is_literal else [argument]  # type: ignore[attr-defined]
        keywords: list[ast.keyword] = []
        for keyword in node.keywords:
            pairs = _named_values(keyword.value) if keyword.arg is None else None
            keywords += [keyword] if pairs is None else pairs
        node.args, node.keywords = arguments, keywords
        return node


def _named_values(value: ast.expr) -> list[ast.keyword] | None:
    """`**{"a": 1}` as `a=1`."""
    if not isinstance(value, ast.Dict):
        return None
    names = [key.value for key in value.keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    if len(names) < len(value.keys) or not all(name.isidentifier() for name in names):
        return None
    return [ast.keyword(name, item) for name, item in zip(names, value.values, strict=True)]


def _new(node: ast.stmt) -> ast.stmt:
    """Marks a statement that no longer is as the source has it."""
    node = ast.fix_missing_locations(node)
    node.is_new = True  # type: ignore[attr-defined]
    return node


def _table_of(node: ast.FunctionDef) -> ast.For | None:
    """A function with `pytest.mark.parametrize` as the loop it stands for."""
    if len(node.decorator_list) != 1 or not isinstance(node.decorator_list[0], ast.Call):
        return None
    call = node.decorator_list[0]
    if getattr(call.func, "attr", "") != "parametrize" or len(call.args) < 2 or not node.args.args:
        return None
    names = call.args[0]
    if isinstance(names, ast.Constant) and isinstance(names.value, str):
        found = [name.strip() for name in names.value.split(",") if name.strip()]
    elif isinstance(names, ast.List | ast.Tuple):
        found = [str(name.value) for name in names.elts if isinstance(name, ast.Constant)]
    else:
        return None
    if {argument.arg for argument in node.args.args} != set(found):
        return None
    targets: list[ast.expr] = [ast.Name(name, ast.Store()) for name in found]
    target = targets[0] if len(targets) == 1 else ast.Tuple(targets, ast.Store())
    loop = ast.For(target, _without_marks(call.args[1]), node.body, [])
    return ast.fix_missing_locations(ast.copy_location(loop, node))


def _without_marks(table: ast.expr) -> ast.expr:
    """`pytest.param(1, 2, id="x")` as `(1, 2)`."""
    if not isinstance(table, ast.List | ast.Tuple):
        return table
    rows = [
        ast.Tuple(row.args, ast.Load())
        if isinstance(row, ast.Call) and getattr(row.func, "attr", "") == "param"
        else row
        for row in table.elts
    ]
    return ast.List(rows, ast.Load())


def _raised(node: ast.stmt) -> tuple[ast.expr, list[ast.stmt]] | None:
    """The exception and the body of `with pytest.raises(...)` or `with self.assertRaises(...)`."""
    if not isinstance(node, ast.With) or len(node.items) != 1 or node.items[0].optional_vars is not None:
        return None
    call = node.items[0].context_expr
    if not isinstance(call, ast.Call) or getattr(call.func, "attr", "") not in ("raises", "assertRaises"):
        return None
    return (call.args[0], node.body) if len(call.args) == 1 and not call.keywords else None


def _raising(node: ast.stmt) -> ast.stmt:
    """The same check without pytest or unittest: `try`, and a failure where nothing was raised."""
    found = _raised(node)
    if found is None:
        return node
    failure = ast.parse("raise AssertionError('nothing was raised')").body
    handler = ast.ExceptHandler(found[0], None, [ast.Pass()])
    return _new(ast.copy_location(ast.Try(found[1], [handler], failure, []), node))


def _of_class(node: ast.ClassDef, before: list[ast.stmt], entry_point: str) -> Iterator[Unit | Rejected]:
    """The assertions of a `unittest` class without fixtures; or the class as it is, for its runner."""
    methods = [method for method in node.body if isinstance(method, ast.FunctionDef)]
    bodies = [[_plain(statement) for statement in method.body] for method in methods]
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


def _plain(node: ast.stmt) -> ast.stmt:
    """A statement of a test method with plain assertions."""
    found = _raised(node)
    if found is not None:
        return _raising(node)
    return _new(_Plain().visit(copy.deepcopy(node)))


class _Plain(ast.NodeTransformer):
    """Turns `self.assertEqual(a, b)` and its kin into `assert a == b`."""

    def visit_With(self, node: ast.With) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        within = _sub_test(node)
        return node if within is None else within

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        call = node.value
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or call.keywords:
            return node
        test = _asserted(call.func.attr, call.args)
        return node if test is None else ast.copy_location(ast.Assert(test, None), node)


def _asserted(name: str, values: list[ast.expr]) -> ast.expr | None:
    if name in _COMPARED and len(values) >= 2:
        return ast.Compare(values[0], [_COMPARED[name]()], [values[1]])
    if name in ("assertTrue", "assertFalse") and values:
        return values[0] if name == "assertTrue" else ast.UnaryOp(ast.Not(), values[0])
    if name in ("assertIsNone", "assertIsNotNone") and values:
        return ast.Compare(values[0], [ast.Is() if name == "assertIsNone" else ast.IsNot()], [ast.Constant(None)])
    if name == "assertAlmostEqual" and len(values) == 2:
        difference = ast.BinOp(values[0], ast.Sub(), values[1])
        close = ast.Call(ast.Name("round", ast.Load()), [difference, ast.Constant(7)], [])
        return ast.Compare(close, [ast.Eq()], [ast.Constant(0)])
    return None


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
