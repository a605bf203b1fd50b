"""Splits a test into what the candidate's process evaluates and what the judge evaluates.

`assert f([1, 2]) == 3` becomes the expression `f([1, 2])`, run beside the candidate, and the comparison with `3`, which
the candidate's process never sees. Straight-line tests (imports and assignments before the asserts) are split the same
way: what only the asserts use stays with the judge. A test that can not be split runs whole beside the candidate
(`official`).

Runs in a forked child of the referee: test text is model-written, and may crash or stall a parser.
"""

import ast
import builtins
import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

TRUE, FALSE, RAISED, NEEDS, PLAN = range(5)
"""Answers of the referee: truth of a condition, or that it raised or needs a value that is not plain data; a plan."""
KINDS = {
    "eq": "the last step equals a literal", "ne": "the last step differs from a literal",
    "is": "the last step is None, True or False", "isnot": "the last step is not None, True or False",
    "truth": "the last step is true", "not": "the last step is false",
    "judge": "the condition is true, where `_v(k)` stands for the value of evaluation k",
    "own": "like `judge`, and nothing but values of the candidate is compared",
    "official": "the steps, run beside the candidate, raise nothing",
    "broken": "does not parse in this interpreter; runs as `official` does, in the candidate's",
}  # fmt: skip


class Plan(NamedTuple):
    """How to judge a test."""

    kind: str
    steps: list[tuple[str, str]]
    """For the candidate's process: `("exec", statements)`, `("eval", expression)` or `("check", "")`, after which the
    values of an assert are looked at: later calls may have changed earlier values."""
    prelude: str = ""
    """Statements for the judge."""
    condition: str = ""
    expected: Any = None

    @property
    def evaluations(self) -> int:
        """Number of values that come back; a test that is run whole returns one None."""
        return max(1, sum(mode == "eval" for mode, _ in self.steps))


_MODULES = "math cmath collections itertools operator fractions decimal datetime statistics numpy typing"
MODULES = frozenset(_MODULES.split())
"""Modules whose functions and types the judge has itself."""
REFERENCES = {
    **{module: [("", module)] for module in MODULES}, "np": [("", "numpy")],
    "datetime": [("", "datetime"), ("datetime", "datetime")], "date": [("datetime", "date")],
    "timedelta": [("datetime", "timedelta")], "Decimal": [("decimal", "Decimal")],
    "Fraction": [("fractions", "Fraction")], "Counter": [("collections", "Counter")],
    "OrderedDict": [("collections", "OrderedDict")], "defaultdict": [("collections", "defaultdict")],
    "deque": [("collections", "deque")], "isclose": [("math", "isclose")], "isnan": [("math", "isnan")],
    "isinf": [("math", "isinf")],
}  # fmt: skip
"""Names that tests use without importing them, and what (module, name) the candidate's namespace must hold there."""
_ALLOWED = """abs all any ascii bin bool bytearray bytes callable chr complex dict divmod enumerate filter float format
    frozenset hash hex int isinstance issubclass iter len list map max min next oct ord pow range repr reversed round
    set slice sorted str sum tuple type zip object None True False"""
JUDGE_BUILTINS = frozenset(_ALLOWED.split())
"""What a test may use on the judge's side; a test that wants more runs beside the candidate."""
_BUILTINS = frozenset(dir(builtins))
_COMPARISONS = {ast.Eq: "eq", ast.NotEq: "ne", ast.Is: "is", ast.IsNot: "isnot"}
_ONLY_CANDIDATES = re.compile(r"_v\(\d+\)|\b(?:is|not|and|or|in)\b|[=!<>()\s]")
_NOT_SPLIT = (ast.IfExp, ast.NamedExpr, ast.JoinedStr, ast.Await, ast.Yield, ast.YieldFrom)


class Inseparable(Exception):
    """The test can not be split."""


def walk(body: Sequence[ast.stmt]) -> Iterator[ast.AST]:
    """Every node of some statements."""
    return (node for statement in body for node in ast.walk(statement))


def names_in(node: ast.AST) -> set[str]:
    """Every name that occurs in a node."""
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}


class Splitter:
    """Finds the maximal sub-expressions that are for the candidate's process.

    `judged` are names that only the judge has, `assigned` names that the test binds beside the candidate. `whole` also
    gives conversions and operations on nothing but the candidate's values to the candidate's process.
    """

    def __init__(self, entry_point: str | None, judged: set[str], assigned: set[str], whole: bool) -> None:
        self.entry_point, self.judged, self.assigned, self.whole = entry_point, judged, assigned, whole
        self.places: list[ast.expr] = []
        self.local: set[str] = set()

    def is_candidate_name(self, name: str) -> bool:
        """True for every name that the judge can not know."""
        if name in self.local or name in self.judged:
            return False
        return name == self.entry_point or name in self.assigned or (name not in _BUILTINS and name not in REFERENCES)

    def involves(self, node: ast.AST) -> bool:
        """True if any name within `node` comes from the candidate's process."""
        return any(
            self.is_candidate_name(name) or (name in REFERENCES and name not in self.local | self.judged)
            for name in names_in(node)
        )

    def is_candidates(self, node: ast.expr) -> bool:
        """True if `node` as a whole is for the candidate's process."""
        while True:
            if isinstance(node, ast.Name):
                return self.is_candidate_name(node.id)
            if isinstance(node, (ast.Attribute, ast.Subscript)):
                node = node.value
            elif isinstance(node, ast.Call):
                if self.whole and isinstance(node.func, ast.Name) and node.func.id in JUDGE_BUILTINS:
                    return self.is_conversion(node.func.id, node)
                node = node.func
            elif self.whole and isinstance(node, ast.BinOp):
                return self.is_candidates(node.left) and self.is_candidates(node.right)
            elif self.whole and isinstance(node, ast.Compare):
                equality = any(isinstance(op, (ast.Eq, ast.NotEq, ast.Is, ast.IsNot)) for op in node.ops)
                return not equality and all(self.is_candidates(item) for item in (node.left, *node.comparators))
            elif self.whole and isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Not):
                node = node.operand
            else:
                return False

    def is_conversion(self, name: str, node: ast.Call) -> bool:
        """True for a builtin applied to what the candidate returned, or given a function or class of the candidate."""
        arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
        found = [self.is_candidates(item) for item in arguments]
        return all(found) if name in ("isinstance", "issubclass") else any(found)

    def visit(self, node: ast.AST) -> None:
        """Walks in the order of evaluation; raises `Inseparable` where that order can not be kept."""
        if isinstance(node, ast.expr) and self.is_candidates(node):
            if self.local and names_in(node) & self.local:
                raise Inseparable
            self.places.append(node)
        elif isinstance(node, ast.Name):
            if node.id in REFERENCES and node.id not in self.local | self.judged:
                self.places.append(node)
            elif node.id not in self.local | self.judged | JUDGE_BUILTINS:
                raise Inseparable
        elif (isinstance(node, ast.Attribute) and node.attr.startswith("_")) or (
            isinstance(node, ast.Compare) and self.compares_identity(node)
        ):
            raise Inseparable
        elif isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            self.visit_comprehension(node)
        elif isinstance(node, ast.Lambda):
            self.reject(node, {child.arg for child in ast.walk(node) if isinstance(child, ast.arg)})
        elif isinstance(node, _NOT_SPLIT):
            self.reject(node, set())
        else:
            self.visit_children(node)

    def compares_identity(self, node: ast.Compare) -> bool:
        """True if two objects of the candidate are compared by identity, which no copy of them has."""
        identity = any(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops)
        return identity and sum(self.involves(item) for item in (node.left, *node.comparators)) > 1

    def visit_comprehension(self, node: ast.AST) -> None:
        """Only the first iterable is evaluated exactly once, so only that one may involve the candidate."""
        generators: list[ast.comprehension] = node.generators  # type: ignore[attr-defined]
        self.visit(generators[0].iter)
        bound = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        rest: list[ast.AST | None] = [getattr(node, name, None) for name in ("elt", "key", "value")]
        for i, generator in enumerate(generators):
            rest += [generator.iter if i else None, *generator.ifs]
        for part in rest:
            if part is not None:
                self.reject(part, bound)

    def reject(self, node: ast.AST, bound: set[str]) -> None:
        """Raises if `node` involves the candidate when the names in `bound` are local."""
        outer, self.local = self.local, self.local | bound
        if self.involves(node):
            raise Inseparable
        self.visit_children(node)
        self.local = outer

    def visit_children(self, node: ast.AST) -> None:
        """Every child in order."""
        for child in ast.iter_child_nodes(node):
            self.visit(child)


class Source:
    """The text of a test, addressed by syntax nodes."""

    def __init__(self, text: str) -> None:
        self.data = text.encode()
        self.lines = [0]
        for line in self.data.split(b"\n"):
            self.lines.append(self.lines[-1] + len(line) + 1)

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Byte offsets of a node."""
        if node.end_lineno is None or node.end_col_offset is None:
            raise Inseparable
        return self.lines[node.lineno - 1] + node.col_offset, self.lines[node.end_lineno - 1] + node.end_col_offset

    def text(self, node: ast.expr | ast.stmt) -> str:
        """Source of a node; brackets make an expression over several lines valid on its own."""
        start, end = self.span(node)
        text = self.data[start:end].decode()
        return f"({text}\n)" if isinstance(node, ast.expr) and "\n" in text else text

    def replaced(self, node: ast.expr, places: Sequence[ast.expr], first: int) -> str:
        """Source of `node` with `_v(first)`, `_v(first + 1)`, ... for the places within it."""
        start, end = self.span(node)
        data = self.data[start:end]
        for k, place in reversed(list(enumerate(places, first))):
            low, high = self.span(place)
            name = f', "{place.id}"' if isinstance(place, ast.Name) and place.id in REFERENCES else ""
            data = data[: low - start] + f"_v({k}{name})".encode() + data[high - start :]
        return f"({data.decode()}\n)"


def plan(test: str, entry_point: str | None, how: str = "plan") -> Plan:
    """How to judge one test. Never raises for any text.

    `how`: `whole` keeps the test in one piece; `second` also lets conversions such as `list(...)` and operations on
    nothing but the candidate's values run beside the candidate, for values that are not plain data.
    """
    try:
        tree = ast.parse(test)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Plan("broken", [("exec", test)])
    if how != "whole":
        with contextlib.suppress(Inseparable, RecursionError):
            return split(test, tree.body, entry_point, how == "second")
    return Plan("official", [("exec", test + tail(tree, entry_point))])


def split(test: str, body: Sequence[ast.stmt], entry_point: str | None, whole: bool) -> Plan:
    """Plan of a straight-line test; raises `Inseparable`."""
    if not body or not isinstance(body[-1], ast.Assert):
        raise Inseparable
    judged, assigned = judged_names(body, entry_point) if len(body) > 1 else (set(), set())
    source = Source(test)
    if (":=" in test or "await" in test) and any(isinstance(node, (ast.NamedExpr, ast.Await)) for node in walk(body)):
        raise Inseparable
    steps: list[tuple[str, str]] = []
    prelude, conditions, count = [], [], 0
    places: list[ast.expr] = []
    for node in body:
        if isinstance(node, ast.Assert):
            splitter = Splitter(entry_point, judged, assigned, whole)
            splitter.visit(node.test)
            places = sorted(splitter.places, key=source.span)
            conditions.append(source.replaced(node.test, places, count))
            steps += [("eval", source.text(place)) for place in places]
            steps += [("check", "")] if len(places) > 1 else []
            count += len(places)
        else:
            bound = bound_names(node)
            if bound & judged and not is_import(node):
                Splitter(entry_point, judged, assigned, whole).visit_children(node)  # only what the judge may run
            if bound & judged or is_import(node):
                prelude.append(source.text(node))
            if is_import(node) or not bound <= judged or not bound:
                steps.append(("exec", source.text(node)))
    if not count:
        steps.append(("eval", "None"))  # without any value the code would seem to have died
    condition = " and ".join(conditions)
    simple = len(conditions) == 1 and len(places) == 1 and not prelude
    last = body[-1].test
    kind, expected = compare(last, places[0]) if simple else ("judge", None)
    if kind == "judge" and count and _ONLY_CANDIDATES.sub("", condition) == "":
        kind = "own"
    return Plan(kind, steps, "\n".join(prelude), condition, expected)


def judged_names(body: Sequence[ast.stmt], entry_point: str | None) -> tuple[set[str], set[str]]:
    """Names that a straight-line test binds for its asserts alone, and those it binds beside the candidate.

    A name is the judge's if its value does not involve the candidate and nothing beside the candidate uses it.
    """
    statements = [node for node in body if not isinstance(node, ast.Assert)]
    bound = [name for node in statements for name in bound_names(node)]
    if entry_point in bound:
        raise Inseparable
    judged = {name for name in bound if bound.count(name) == 1}
    imported = {name for node in statements if is_import(node) for name in bound_names(node)}
    while True:
        splitter = Splitter(entry_point, judged, set(bound) - judged, True)
        drop: set[str] = set()
        for node in statements:
            names = bound_names(node)
            if not is_import(node) and (splitter.involves(node) or not names or not names <= judged):
                drop |= names | names_in(node)
        for node in body:
            if isinstance(node, ast.Assert):
                splitter.visit(node.test)
        drop |= {name for place in splitter.places for name in names_in(place)}
        if not drop & (judged - imported):
            return judged, set(bound) - judged
        judged -= drop - imported


def bound_names(node: ast.stmt) -> set[str]:
    """Names that a statement of a straight-line test binds; raises for statements of other kinds."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        if not is_import(node):
            raise Inseparable
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if isinstance(node, ast.Expr) and isinstance(node.value, (ast.Call, ast.Constant)):
        return set()
    targets: Iterable[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        targets = [node.target]
    names = [item for target in targets for item in (target.elts if isinstance(target, ast.Tuple) else [target])]
    if not names or not all(isinstance(name, ast.Name) for name in names):
        raise Inseparable
    return {name.id for name in names if isinstance(name, ast.Name)}


def is_import(node: ast.stmt) -> bool:
    """True for an import of names from modules that the judge has."""
    if isinstance(node, ast.ImportFrom):
        return node.level == 0 and node.module in MODULES and all(alias.name != "*" for alias in node.names)
    return isinstance(node, ast.Import) and all(alias.name in MODULES for alias in node.names)


def compare(condition: ast.expr, place: ast.expr) -> tuple[str, Any]:
    """Kind and expected literal; `judge` where plain comparison does not do."""
    if condition is place:
        return "truth", None
    if isinstance(condition, ast.UnaryOp) and isinstance(condition.op, ast.Not) and condition.operand is place:
        return "not", None
    if isinstance(condition, ast.Compare) and len(condition.ops) == 1:
        left, right = condition.left, condition.comparators[0]
        kind = _COMPARISONS.get(type(condition.ops[0]), "judge")
        if kind in ("eq", "ne") and right is place:
            left, right = right, left
        with contextlib.suppress(ValueError, TypeError, RecursionError, MemoryError):
            literal = ast.literal_eval(right)
            if left is place and (kind in ("eq", "ne") or literal is None or isinstance(literal, bool)):
                return kind, literal
    return "judge", None


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
            calls.append(_UNITTEST.format(name=node.name))
    return "".join("\n" + call for call in calls)


_UNITTEST = """import unittest as _unittest
_result = _unittest.TestResult()
_unittest.defaultTestLoader.loadTestsFromTestCase({name}).run(_result)
assert _result.testsRun and _result.wasSuccessful(), str(_result)"""


def is_main_guard(node: ast.stmt) -> bool:
    """True for `if __name__ == ...:`."""
    return isinstance(node, ast.If) and "__name__" in names_in(node.test)
