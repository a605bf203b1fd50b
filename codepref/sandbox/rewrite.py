"""Rewrites a test for the judge: names of the candidate become proxies, asserts may be guessed past.

| in the test | at the judge |
| --- | --- |
| `assert X` | the same; while answers are guessed, a failure does not end the test |
| `a is b` | `is_same(a, b)`, where the candidate's objects are compared by their identity |
| `abs(a - b)` | `distance(a, b)`: an object of an own class is at no distance from a number |
| `type(x)` | `type_of(x)`, the candidate's type of the candidate's objects |
| `lambda`, `def` that use nothing from outside | carry their source, so that they can be given as arguments |
| `math`, `np`, `Counter` that the test does not import | the judge's own, if the candidate's module has the real ones |
"""

import ast
import builtins
from collections.abc import Iterator
from typing import Any

HOOK = "codepref."
"""Begins the names of the judge's own functions in a rewritten test, which no text of a test can spell."""
_MODULES = "math cmath collections itertools operator fractions decimal statistics typing re string functools heapq"
KNOWN = {
    **{name: f"module {name}" for name in _MODULES.split()},
    "np": "numpy", "numpy": "numpy", "datetime": "datetime", "date": "type datetime.date",
    "timedelta": "type datetime.timedelta", "timezone": "type datetime.timezone", "Decimal": "type decimal.Decimal",
    "Fraction": "type fractions.Fraction", "Counter": "type collections.Counter",
    "OrderedDict": "type collections.OrderedDict", "defaultdict": "type collections.defaultdict",
    "deque": "type collections.deque", "isclose": "function math.isclose", "isnan": "function math.isnan",
    "isinf": "function math.isinf", "sqrt": "function math.sqrt", "gcd": "function math.gcd",
}  # fmt: skip
"""Names that tests use without importing them, and what the candidate's module must hold there."""
_BUILTINS = frozenset(dir(builtins))
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def bound_names(tree: ast.Module) -> set[str]:
    """Names that the text binds for itself anywhere outside its functions and classes."""
    found: set[str] = set()
    todo: list[ast.AST] = list(tree.body)
    while todo:
        node = todo.pop()
        found.update(_bound_by(node))
        if not isinstance(node, _SCOPES):
            todo.extend(ast.iter_child_nodes(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            found.update(node.names)
    return found


def local_names(scope: ast.AST) -> set[str]:
    """Parameters and names bound within a function."""
    return {name for node in ast.walk(scope) for name in _bound_by(node)}


def _bound_by(node: ast.AST) -> list[str]:
    """Names that a node itself binds."""
    if isinstance(node, ast.Name):
        return [] if isinstance(node.ctx, ast.Load) else [node.id]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return [node.name]
    if isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)):
        name = node.name
        return [] if name is None else [name]
    return []


def loaded_names(tree: ast.AST) -> set[str]:
    """Every name that the text reads."""
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def free_names(tree: ast.Module) -> set[str]:
    """Names that the text reads and neither binds nor finds among the builtins: the candidate's."""
    outer = bound_names(tree)
    return set(_free(tree, outer | _BUILTINS))


def _free(node: ast.AST, bound: set[str]) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id not in bound:
        yield node.id
    inner = bound
    if isinstance(node, (*_SCOPES, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        inner = bound | local_names(node)
    for child in ast.iter_child_nodes(node):
        yield from _free(child, inner)


def is_closed(function: ast.AST) -> bool:
    """True if a function uses nothing but its parameters, its own names and builtins."""
    return loaded_names(function) <= local_names(function) | _BUILTINS


class Rewriter(ast.NodeTransformer):
    """Rewrites a tree in place; see the table above."""

    def __init__(self, known: set[str]) -> None:
        self.known = known

    def visit_Assert(self, node: ast.Assert) -> Any:
        """An assert that may be guessed past."""
        self.generic_visit(node)
        check = ast.If(ast.UnaryOp(ast.Not(), _call("guessing")), [ast.Raise(None, None)], [])
        reached = ast.Expr(_call("reached", ast.Constant(node.lineno)))
        return ast.Try([reached, node], [ast.ExceptHandler(_name("Exception"), None, [check])], [], [])

    def visit_Compare(self, node: ast.Compare) -> Any:
        """Identity of two objects."""
        self.generic_visit(node)
        if len(node.ops) == 1 and isinstance(node.ops[0], (ast.Is, ast.IsNot)):
            same = _call("is_same", node.left, node.comparators[0])
            return same if isinstance(node.ops[0], ast.Is) else ast.UnaryOp(ast.Not(), same)
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        """The type of an object, and the distance of two."""
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "type" and len(node.args) == 1 and not node.keywords:
            return _call("type_of", node.args[0])
        if isinstance(node.func, ast.Name) and node.func.id == "abs" and len(node.args) == 1:
            difference = node.args[0]
            if isinstance(difference, ast.BinOp) and isinstance(difference.op, ast.Sub):
                return _call("distance", difference.left, difference.right)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        """The class of an object, by its attribute."""
        self.generic_visit(node)
        if node.attr == "__class__" and isinstance(node.ctx, ast.Load):
            return _call("type_of", node.value)
        return node

    def visit_Name(self, node: ast.Name) -> Any:
        """A name that is known although nobody imported it."""
        if isinstance(node.ctx, ast.Load) and node.id in self.known:
            return _call("known", ast.Constant(node.id))
        return node

    def visit_Lambda(self, node: ast.Lambda) -> Any:
        """A function that carries its source."""
        source = ast.unparse(node) if is_closed(node) else ""
        self.generic_visit(node)
        return _call("with_source", node, ast.Constant(source), ast.Constant("")) if source else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        """As of a lambda."""
        source = ast.unparse(node) if is_closed(node) and not node.decorator_list else ""
        self.generic_visit(node)
        if source:
            node.decorator_list.append(_call("source_of", ast.Constant(source), ast.Constant(node.name)))
        return node


def _name(name: str) -> ast.Name:
    return ast.Name(HOOK + name, ast.Load())


def _call(name: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(_name(name), list(arguments), [])


def rewritten(tree: ast.Module, known: set[str]) -> ast.Module:
    """The test as the judge runs it; `known` are the free names of `KNOWN`."""
    Rewriter(known).visit(tree)
    return ast.fix_missing_locations(tree)
