"""Splits a test into what the candidate's process evaluates and what the judge evaluates.

`assert f([1, 2]) == 3` becomes the expression `f([1, 2])`, run beside the candidate, and the comparison with `3`, which
the candidate's process never sees. A test that can not be split runs whole beside the candidate (`official`).

Runs in a forked child of the referee: test text is model-written, and may crash or stall a parser.
A plan is plain data: `(kind, expressions, source, expected)`, see `KINDS`.
"""

import ast
import builtins
import re
from typing import Any

KINDS = {
    "eq": "one expression equals a literal", "ne": "one expression differs from a literal",
    "is": "one expression is None, True or False", "isnot": "one expression is not None, True or False",
    "truth": "one expression is true", "not": "one expression is false",
    "judge": "`source` is true, where `_v(k)` stands for the value of expression k",
    "own": "like `judge`, and nothing but values of the candidate is compared",
    "official": "`source` runs beside the candidate and raises nothing",
    "broken": "does not parse in this interpreter; runs as `official` does, in the candidate's",
}  # fmt: skip

Plan = tuple[str, list[str], str, Any]

# Evaluated beside the candidate when applied to what it returned, as they may run its code (generators, own classes).
CONVERSIONS = frozenset(
    "list tuple set frozenset sorted dict len sum min max str repr next any all bool int float abs round type".split()
)
# Standard-library names a judge can evaluate itself, provided that they mean the same in the candidate's namespace.
REFERENCES = frozenset(
    """math cmath collections itertools operator fractions decimal datetime statistics isclose isnan isinf Decimal
    Fraction Counter OrderedDict defaultdict deque date timedelta""".split()
)
_BUILTINS = frozenset(dir(builtins))
_COMPARISONS = {ast.Eq: "eq", ast.NotEq: "ne", ast.Is: "is", ast.IsNot: "isnot"}
_ONLY_CANDIDATES = re.compile(rb"_v\(\d+\)|\b(?:is|not|and|or|in)\b|[=!<>()\s]")


class Inseparable(Exception):
    """The test can not be split."""


class _Splitter:
    """Collects the maximal sub-expressions that involve the candidate, with their place in the source."""

    def __init__(self, source: bytes, entry_point: str | None) -> None:
        self.lines = [0]
        for line in source.split(b"\n"):
            self.lines.append(self.lines[-1] + len(line) + 1)
        self.source, self.entry_point = source, entry_point
        self.places: list[tuple[int, int]] = []
        self.bound: set[str] = set()

    def span(self, node: ast.expr) -> tuple[int, int]:
        """Byte offsets of a node."""
        if node.end_lineno is None or node.end_col_offset is None:
            raise Inseparable
        return self.lines[node.lineno - 1] + node.col_offset, self.lines[node.end_lineno - 1] + node.end_col_offset

    def is_candidate_name(self, name: str) -> bool:
        """True for every name that the judge can not know."""
        return name == self.entry_point or (name not in _BUILTINS and name not in REFERENCES)

    def involves(self, node: ast.AST) -> bool:
        """True if any name within `node` is the candidate's."""
        names = (child.id for child in ast.walk(node) if isinstance(child, ast.Name))
        return any(name not in self.bound and (self.is_candidate_name(name) or name in REFERENCES) for name in names)

    def is_candidates(self, node: ast.expr) -> bool:
        """True if `node` as a whole is for the candidate's process."""
        while True:
            if isinstance(node, ast.Name):
                return node.id not in self.bound and self.is_candidate_name(node.id)
            if isinstance(node, (ast.Attribute, ast.Subscript)):
                node = node.value
            elif isinstance(node, ast.Call):
                func = node.func
                if isinstance(func, ast.Name) and func.id in CONVERSIONS and node.args:
                    node = node.args[0]
                else:
                    node = func
            else:
                return False

    def visit(self, node: ast.AST) -> None:
        """Walks in the order of evaluation; raises `Inseparable` where that order can not be kept."""
        if isinstance(node, ast.expr) and self.is_candidates(node):
            names = {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}
            if names & self.bound or any(isinstance(child, ast.NamedExpr | ast.Await) for child in ast.walk(node)):
                raise Inseparable
            self.places.append(self.span(node))
        elif isinstance(node, ast.Name) and node.id in REFERENCES and node.id not in self.bound:
            self.places.append(self.span(node))
        elif isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            self.visit_comprehension(node)
        elif isinstance(node, ast.Lambda | ast.IfExp | ast.NamedExpr | ast.JoinedStr | ast.Await | ast.Yield):
            if isinstance(node, ast.Lambda):
                bound = {child.arg for child in ast.walk(node) if isinstance(child, ast.arg)}
                self.reject_inside(node, bound)
            elif self.involves(node):
                raise Inseparable
        else:
            for child in ast.iter_child_nodes(node):
                self.visit(child)

    def visit_comprehension(self, node: Any) -> None:
        """Only the first iterable is evaluated exactly once, so only that one may involve the candidate."""
        first = node.generators[0].iter
        self.visit(first)
        bound = {
            child.id for child in ast.walk(node) if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store)
        }
        for child in ast.walk(node):
            if isinstance(child, ast.comprehension):
                self.reject_inside(child.target, bound)
                for part in [*([child.iter] if child.iter is not first else []), *child.ifs]:
                    self.reject_inside(part, bound)
        for part in (getattr(node, name, None) for name in ("elt", "key", "value")):
            if part is not None:
                self.reject_inside(part, bound)

    def reject_inside(self, node: ast.AST, bound: set[str]) -> None:
        """Raises if `node` involves the candidate when the names in `bound` are local."""
        outer, self.bound = self.bound, self.bound | bound
        if self.involves(node):
            raise Inseparable
        self.bound = outer

    def text(self, start: int, end: int) -> str:
        """Source of a span; the brackets make a piece over several lines valid on its own."""
        return (
            f"({self.source[start:end].decode()}\n)"
            if b"\n" in self.source[start:end]
            else self.source[start:end].decode()
        )


def plan(test: str, entry_point: str | None, whole: bool = False) -> Plan:
    """How to judge one test; `whole` keeps it in one piece. Never raises for any text."""
    try:
        tree = ast.parse(test)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "broken", [], test, None
    if not whole and len(tree.body) == 1 and isinstance(tree.body[0], ast.Assert):
        try:
            return split(test, tree.body[0].test, entry_point)
        except (Inseparable, RecursionError):
            pass
    return "official", [], test + tail(tree, entry_point), None


def split(test: str, condition: ast.expr, entry_point: str | None) -> Plan:
    """Plan of a single assert; raises `Inseparable`."""
    splitter = _Splitter(test.encode(), entry_point)
    splitter.visit(condition)
    places = sorted(splitter.places)
    calls = [splitter.text(*place) for place in places]
    start, end = splitter.span(condition)
    source = splitter.source[start:end]
    for k, (low, high) in reversed(list(enumerate(places))):
        source = source[: low - start] + f"_v({k})".encode() + source[high - start :]
    kind, expected = compare(splitter, condition, places[0]) if len(places) == 1 else ("judge", None)
    if kind == "judge" and _ONLY_CANDIDATES.sub(b"", source) == b"":
        kind = "own"
    return kind, calls, f"({source.decode()}\n)", expected


def compare(splitter: _Splitter, condition: ast.expr, place: tuple[int, int]) -> tuple[str, Any]:
    """Kind and expected literal; `judge` where plain comparison does not do."""
    if splitter.span(condition) == place:
        return "truth", None
    if isinstance(condition, ast.UnaryOp) and isinstance(condition.op, ast.Not):
        return ("not" if splitter.span(condition.operand) == place else "judge"), None
    if not (isinstance(condition, ast.Compare) and len(condition.ops) == 1):
        return "judge", None
    left, right = condition.left, condition.comparators[0]
    kind = _COMPARISONS.get(type(condition.ops[0]))
    if kind in ("eq", "ne") and splitter.span(right) == place:
        left, right = right, left
    if kind is None or splitter.span(left) != place:
        return "judge", None
    try:
        literal = ast.literal_eval(right)
    except (ValueError, TypeError, RecursionError, MemoryError):
        return "judge", None
    if kind in ("is", "isnot") and not (literal is None or literal is True or literal is False):
        return "judge", None
    return kind, literal


def tail(tree: ast.Module, entry_point: str | None) -> str:
    """Statements that run what the test only defines: test functions, `check(candidate)`, unittest classes."""
    passive = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign)
    for node in tree.body:
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not (isinstance(node, passive) or is_text or is_main_guard(node)):
            return ""
    calls = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test") and not node.args.args:
            calls.append(f"{node.name}()")
        elif isinstance(node, ast.FunctionDef) and node.name == "check" and entry_point and len(node.args.args) == 1:
            calls.append(f"check({entry_point})")
        elif isinstance(node, ast.ClassDef) and any("TestCase" in ast.unparse(base) for base in node.bases):
            calls.append(
                f"_r = __import__('unittest').TestResult(); __import__('unittest').defaultTestLoader"
                f".loadTestsFromTestCase({node.name}).run(_r); assert _r.wasSuccessful(), str(_r)"
            )
    return "".join("\n" + call for call in calls)


def is_main_guard(node: ast.stmt) -> bool:
    """True for `if __name__ == ...:`."""
    return isinstance(node, ast.If) and "__name__" in {n.id for n in ast.walk(node.test) if isinstance(n, ast.Name)}
