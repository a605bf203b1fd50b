"""Tables of test cases: their rows, and rows put in the place of names."""

import ast
import copy
from collections.abc import Mapping, Sequence

from codepref.extract.syntax import bound, named

ROWS = 200
"""A table with more rows stays a loop."""
_PURE_CALLS = frozenset(
    ("float", "int", "set", "frozenset", "list", "tuple", "dict", "range", "complex", "bytes", "str", "Counter")
)


def rows(table: ast.expr, before: Sequence[ast.stmt]) -> list[ast.expr] | None:
    """The rows of a literal table, or None; nothing in it but literals and what makes values of them."""
    if isinstance(table, ast.Name):
        value = _only_value(table.id, before)
        return None if value is None else rows(value, ())
    if isinstance(table, ast.List | ast.Tuple):
        return list(table.elts) if len(table.elts) <= ROWS and all(map(is_pure, table.elts)) else None
    if isinstance(table, ast.Call) and isinstance(table.func, ast.Attribute):
        is_items = table.func.attr == "items" and not table.args
        return _items_of(table.func.value, before) if is_items else None
    return _paired(table, before) if isinstance(table, ast.Call) and isinstance(table.func, ast.Name) else None


def _paired(call: ast.Call, before: Sequence[ast.stmt]) -> list[ast.expr] | None:
    """The rows of `enumerate(table)` and `zip(tables)`."""
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    inner = [rows(argument, before) for argument in call.args]
    columns = [column for column in inner if column is not None]
    if len(columns) < len(inner) or not columns or call.keywords:
        return None
    if name == "enumerate" and len(columns) == 1:
        return [ast.Tuple([ast.Constant(number), row], ast.Load()) for number, row in enumerate(columns[0])]
    pairs = zip(*columns, strict=False)
    return [ast.Tuple(list(pair), ast.Load()) for pair in pairs] if name == "zip" else None


def _items_of(table: ast.expr, before: Sequence[ast.stmt]) -> list[ast.expr] | None:
    value = _only_value(table.id, before) if isinstance(table, ast.Name) else table
    if not isinstance(value, ast.Dict) or not is_pure(value) or len(value.keys) > ROWS:
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


def is_pure(node: ast.AST) -> bool:
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


def matched(target: ast.expr, row: ast.expr) -> dict[str, ast.expr] | None:
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
        inner = matched(part, value)
        if inner is None:
            return None
        found |= inner
    return found


class Put(ast.NodeTransformer):
    """Puts values in the place of names, and what an item of a literal is in the place of the item."""

    def __init__(self, values: Mapping[str, ast.expr]) -> None:
        self.values = values

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """A value for a name that is read."""
        found = self.values.get(node.id) if isinstance(node.ctx, ast.Load) else None
        return node if found is None else copy.deepcopy(found)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        """The item of a literal for `literal[key]`."""
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
        """Arguments for `*literal` and `**literal`."""
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


def new(node: ast.stmt) -> ast.stmt:
    """Marks a statement that no longer is as the source has it."""
    node = ast.fix_missing_locations(node)
    node.is_new = True  # type: ignore[attr-defined]
    return node


def table_of(node: ast.FunctionDef) -> ast.For | None:
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
    plain = [
        ast.Tuple(row.args, ast.Load())
        if isinstance(row, ast.Call) and getattr(row.func, "attr", "") == "param"
        else row
        for row in table.elts
    ]
    return ast.List(plain, ast.Load())
