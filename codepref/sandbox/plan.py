"""How a test is judged, told from its text alone.

========  ===========================================================================================================
direct    one assert about one call with literal arguments: the call runs in the candidate's process, the supervisor or
          the referee looks at what came back
play      any other test: the judge runs its text, and every use of the candidate's functions and objects becomes an
          operation in the candidate's process (play.py)
official  the test needs the candidate's own process: it patches, seeds, reads standard output, catches the candidate's
          exceptions by name, imports what the judge does not have; it runs whole beside the candidate
blind     the test checks nothing that the code returns, or brings its own copy of the entry point
broken    the text is no Python of this interpreter; it runs as `official` does, in the candidate's
stdin     a test by input and output: the program runs whole with the input, what it printed is compared outside
========  ===========================================================================================================

The kind depends on the test alone, never on what a candidate returns. Runs in a forked child of the referee: test text
is model-written, and may crash or stall a parser.
"""

import ast
import builtins
import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from codepref.sandbox.proxies import Hole
from codepref.sandbox.rewrite import KNOWN, bound_names, free_names, is_closed, loaded_names

TRUE, FALSE, RAISED, NEEDS, PLAN = range(5)
"""Answers of the referee: truth of a condition, or that it raised or needs a value that is not plain data; a plan."""
KINDS = {
    "eq": "the value equals a literal", "ne": "the value differs from a literal",
    "is": "the value is None, True or False", "isnot": "the value is not None, True or False",
    "truth": "the value is true", "not": "the value is false",
    "judge": "the condition is true, where `_v(0)` stands for the value",
    "play": "the test passes when it is played with the answers to its operations",
    "official": "the test, run beside the candidate, raises nothing",
    "broken": "does not parse in this interpreter; runs as `official` does, in the candidate's",
    "stdin": "the program prints the right output for the input",
    "blind": "checks nothing that the code returns",
    "missing": "needs a package that is not installed",
}  # fmt: skip
DIRECT = frozenset(("eq", "ne", "is", "isnot", "truth", "not", "judge"))
WHOLE = frozenset(("official", "broken"))
STDIN = "stdin"
ALONE = WHOLE | {STDIN}
"""Kinds that need a process of their own."""
IDLE = frozenset(("blind", "missing"))
"""Kinds that nothing is run for."""


class Plan(NamedTuple):
    """How to judge a test."""

    kind: str
    steps: list[tuple[str, Any]]
    """For the candidate's process: `("eval", expression)`, `("op", operation)`, `("whole", [text, entry point])` or
    `("stdin", input)`."""
    condition: str = ""
    expected: Any = None
    modules: tuple[str, ...] = ()
    """Top-level packages that a test beside the candidate imports."""

    @property
    def evaluations(self) -> int:
        """Number of values that come back; a test that is run whole returns one None."""
        return max(1, len(self.steps))


_MODULES = """math cmath collections collections.abc itertools operator fractions decimal datetime statistics numpy
    typing functools string re copy json uuid pathlib unittest asyncio dataclasses enum heapq bisect textwrap types
    array ipaddress abc numbers random contextlib __future__"""
JUDGE_MODULES = frozenset(_MODULES.split())
"""Modules that a test may import at the judge."""
_PROCESS_NAMES = frozenset(
    ["open", "input", "exec", "eval", "compile", "globals", "locals", "__import__", "breakpoint"]
)
_PROCESS_ATTRIBUTES = frozenset(
    ["seed", "setstate", "redirect_stdout", "redirect_stderr", "mock", "patch", "stdin", "stdout", "stderr"]
)
_DATACLASSES = frozenset(("dataclass", "field"))
"""What the judge has of `dataclasses`; the rest looks into objects of the candidate's classes."""
_RAISES = frozenset(["raises", "assertRaises", "assertRaisesRegex", "assertWarns", "suppress"])
_ALLOWED = """abs all any ascii bin bool bytearray bytes callable chr complex dict divmod enumerate filter float
    frozenset hex int isinstance issubclass iter len list map max min next oct ord pow range repr reversed round
    set slice sorted str sum tuple zip"""
JUDGE_BUILTINS = frozenset(_ALLOWED.split())
"""What a condition may use that the referee evaluates together with others."""
_CONVERSIONS = "list range tuple set dict str int float bytes frozenset complex len chr sorted"
_ARGUMENT_BUILTINS = frozenset(_CONVERSIONS.split())
_PLAIN_TYPES = (str, bytes, int, float, complex, list, tuple, dict, set, frozenset)
_METHODS = frozenset(
    name for kind in _PLAIN_TYPES for name in dir(kind) if name[0] != "_" and name not in ("format", "format_map")
)
_BUILTINS = frozenset(dir(builtins))
_COMPARISONS = {ast.Eq: "eq", ast.NotEq: "ne", ast.Is: "is", ast.IsNot: "isnot"}
_LITERALS = (
    ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.UnaryOp, ast.BinOp, ast.operator, ast.unaryop,
    ast.expr_context, ast.Starred, ast.keyword,
)  # fmt: skip
_PURE = (
    *_LITERALS, ast.Compare, ast.cmpop, ast.BoolOp, ast.boolop, ast.IfExp, ast.Subscript, ast.Slice, ast.Call, ast.Name,
    ast.Attribute, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.comprehension, ast.Lambda,
    ast.arguments, ast.arg, ast.Expression,
)  # fmt: skip


def plan(test: str, entry_point: str | None, how: str = "plan") -> Plan:
    """How to judge one test. Never raises for any text.

    `how`: `whole` keeps the test in one piece, `official` does so whatever it checks.
    """
    try:
        tree = ast.parse(test)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Plan("broken", [("whole", [test, entry_point])])
    try:
        return _planned(test, tree, entry_point, how)
    except RecursionError:
        return Plan("broken", [("whole", [test, entry_point])])


def _planned(test: str, tree: ast.Module, entry_point: str | None, how: str) -> Plan:
    if how == "official":
        return Plan("official", [("whole", [test, entry_point])])
    if entry_point in bound_names(tree) and not _imports_solution(tree):
        return Plan("blind", [])
    only = tree.body[0] if len(tree.body) == 1 else None
    found = direct(only.test, entry_point) if how == "plan" and isinstance(only, ast.Assert) else None
    if found is not None:
        return found
    if how == "whole" or needs_process(tree):
        return official(test, tree, entry_point)
    return Plan("play", [])


def official(test: str, tree: ast.Module, entry_point: str | None) -> Plan:
    """A test that runs beside the candidate; blind if nothing in it can tell a right code from a wrong one."""
    checks = any(isinstance(node, (ast.Assert, ast.Raise)) for node in ast.walk(tree))
    words = loaded_names(tree) | {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    checks = checks or any(word.startswith(("assert", "raises", "testmod", "run_docstring")) for word in words)
    if not checks:
        return Plan("blind", [])
    modules = tuple(sorted(_imported(tree) - {"solution"}))
    return Plan("official", [("whole", [test, entry_point])], modules=modules)


def _imported(tree: ast.Module) -> set[str]:
    """Top-level names of the modules that a test can not do without."""
    optional = {id(node) for part in ast.walk(tree) if isinstance(part, ast.Try) for node in ast.walk(part)}
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in optional:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module.partition(".")[0])
    return found


def _imports_solution(tree: ast.Module) -> bool:
    return any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.walk(tree))


def needs_process(tree: ast.Module) -> bool:
    """True if a test can not be played, as it does something to the process itself or to its classes by name."""
    free = free_names(tree)
    return any(_uses_process(node) or _names_class(node, free) for node in ast.walk(tree))


def _uses_process(node: ast.AST) -> bool:
    """True for what the judge does not import, or what would do something to its own process."""
    if isinstance(node, ast.Import):
        return not all(alias.name in JUDGE_MODULES for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        names = {alias.name for alias in node.names}
        if node.module == "dataclasses":
            return not names <= _DATACLASSES
        return bool(node.level) or node.module not in JUDGE_MODULES or not names.isdisjoint(_PROCESS_ATTRIBUTES)
    if isinstance(node, ast.Name):
        return node.id in _PROCESS_NAMES
    if isinstance(node, ast.Attribute):
        of_dataclasses = isinstance(node.value, ast.Name) and node.value.id == "dataclasses"
        return node.attr in _PROCESS_ATTRIBUTES or (of_dataclasses and node.attr not in _DATACLASSES)
    return isinstance(node, (ast.AsyncFor, ast.AsyncWith, ast.MatchClass))


def _names_class(node: ast.AST, free: set[str]) -> bool:
    """True if a class of the candidate stands where Python wants a real class."""
    if isinstance(node, ast.ExceptHandler) and node.type is not None:
        return not loaded_names(node.type).isdisjoint(free)
    if isinstance(node, ast.ClassDef):
        return any(not loaded_names(base).isdisjoint(free) for base in node.bases)
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return name in _RAISES and bool(node.args) and not loaded_names(node.args[0]).isdisjoint(free)
    return isinstance(node, ast.Raise) and node.exc is not None and not loaded_names(node.exc).isdisjoint(free)


# ------------------------------------------------------------------------------------------------------------ direct


def direct(test: ast.expr, entry_point: str | None) -> Plan | None:
    """The plan of an assert about one call with literal arguments, or None."""
    if isinstance(test, ast.Tuple) and test.elts:
        return Plan("blind", [])  # `assert (f(1) == 2, "message")` is always true
    local = {node.arg for node in ast.walk(test) if isinstance(node, ast.arg)}
    local |= {node.id for node in ast.walk(test) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    places = list(candidate_parts(test, local | {entry_point or ""}))
    if len(places) == 2 and isinstance(test, ast.Compare) and [test.left, *test.comparators] == places:
        return compared(test, places)
    if len(places) != 1 or not is_pure(test, places[0]):
        return None
    steps: list[tuple[str, Any]] = [("eval", ast.unparse(places[0]))]
    kind, expected = compare(test, places[0])
    if kind != "judge":
        return Plan(kind, steps, "", expected)
    condition = ast.unparse(_Replacer(places).visit(test))
    return Plan("blind", []) if is_always_true(condition) else Plan("judge", steps, condition)


def candidate_parts(node: ast.AST, others: set[str]) -> Iterator[ast.AST]:
    """The largest parts that are for the candidate's process: calls with literal arguments, bare names but `others`."""
    bare = isinstance(node, ast.Name) and is_candidate_name(node.id) and node.id not in others
    if bare or is_candidate_call(node):
        yield node
        return
    for child in ast.iter_child_nodes(node):
        yield from candidate_parts(child, others)


def compared(test: ast.Compare, places: list[ast.AST]) -> Plan | None:
    """The plan of a comparison of two calls, which are both made before their values are looked at."""
    if isinstance(test.ops[0], (ast.Is, ast.IsNot)):
        return None
    steps: list[tuple[str, Any]] = [("eval", ast.unparse(place)) for place in places]
    return Plan("judge", steps, ast.unparse(_Replacer(places).visit(test)))


def is_candidate_name(name: str) -> bool:
    """True for a name that neither Python nor a well-known module has."""
    return name not in _BUILTINS and name not in KNOWN and not name.startswith("_v")


def is_candidate_call(node: ast.AST) -> bool:
    """True for a call of a name of the candidate with literal arguments, or with calls of that kind as arguments."""
    if not isinstance(node, ast.Call):
        return False
    named = isinstance(node.func, ast.Name) and is_candidate_name(node.func.id)
    if not named and not is_method_of_new(node.func):
        return False
    return all(map(is_literal, node.args)) and all(map(is_literal, node.keywords))


def is_method_of_new(node: ast.AST) -> bool:
    """True for a method of an object of a class of the candidate that is made for this call alone: `Solution().f`."""
    if not isinstance(node, ast.Attribute) or node.attr.startswith("_"):
        return False
    made = node.value
    if not isinstance(made, ast.Call) or made.args or made.keywords or not isinstance(made.func, ast.Name):
        return False
    return made.func.id[:1].isupper() and is_candidate_name(made.func.id)


def is_literal(node: ast.AST) -> bool:
    """True for an argument made of constants, conversions of constants and functions that use nothing from outside."""
    if isinstance(node, ast.Lambda):
        return is_closed(node)
    if isinstance(node, ast.Call):
        plain = isinstance(node.func, ast.Name) and node.func.id in _ARGUMENT_BUILTINS and not node.keywords
        return is_candidate_call(node) or (plain and all(map(is_literal, node.args)))
    return isinstance(node, _LITERALS) and all(map(is_literal, ast.iter_child_nodes(node)))


def is_pure(test: ast.expr, place: ast.AST) -> bool:
    """True if the condition around a call can do nothing but compute: it may share a process with other conditions."""
    local: set[str] = set()
    for node in ast.walk(test):
        if isinstance(node, ast.arg):
            local.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            local.add(node.id)
    inside = {id(node) for node in ast.walk(place)}
    outside = [node for node in ast.walk(test) if id(node) not in inside]
    return all(_only_computes(node, place, JUDGE_BUILTINS | local) for node in outside) and not _is_identity(test)


def _only_computes(node: ast.AST, place: ast.AST, names: frozenset[str] | set[str]) -> bool:
    if isinstance(node, ast.Name):
        return node.id in names
    if isinstance(node, ast.Attribute):
        return node.attr in _METHODS
    if isinstance(node, (ast.GeneratorExp, ast.ListComp, ast.SetComp, ast.DictComp)):
        return not _is_repeated(node, place)
    if isinstance(node, ast.Lambda):
        return all(item is not place for item in ast.walk(node))
    return isinstance(node, _PURE)


def _is_repeated(node: ast.AST, place: ast.AST) -> bool:
    """True if the call stands where a comprehension evaluates it more than once."""
    first = node.generators[0].iter  # type: ignore[attr-defined]
    within = {id(item) for item in ast.walk(node)}
    return id(place) in within and id(place) not in {id(item) for item in ast.walk(first)}


def _is_identity(test: ast.expr) -> bool:
    """True if objects are compared by identity, which no copy of them has; None, True and False are known."""
    for node in ast.walk(test):
        if isinstance(node, ast.Compare):
            for operation, right in zip(node.ops, node.comparators, strict=True):
                single = isinstance(right, ast.Constant) and (right.value is None or isinstance(right.value, bool))
                if isinstance(operation, (ast.Is, ast.IsNot)) and not single:
                    return True
    return False


class _Replacer(ast.NodeTransformer):
    """Puts `_v(k)` in the place of call k."""

    def __init__(self, places: list[ast.AST]) -> None:
        self.places = places

    def visit(self, node: ast.AST) -> Any:
        """The node, or what stands for the value."""
        for number, place in enumerate(self.places):
            if node is place:
                return ast.Call(ast.Name("_v", ast.Load()), [ast.Constant(number)], [])
        return self.generic_visit(node)


def is_always_true(condition: str) -> bool:
    """True if a pure condition holds whatever the value is."""
    code = compile(condition, "<test>", "eval", dont_inherit=True)
    allowed = {name: getattr(builtins, name) for name in JUDGE_BUILTINS}
    for value in (Hole(truth=False), Hole(truth=True), None):
        try:
            if not eval(code, {"__builtins__": allowed, "_v": lambda _, value=value: value}):
                return False
        except Exception:
            return False
    return True


def compare(condition: ast.expr, place: ast.AST) -> tuple[str, Any]:
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
