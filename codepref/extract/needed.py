"""Which statements of a program some names need: those that bind them or may change their objects, and so on.

What can not be told by reading counts as needed.
"""

import ast
import functools
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from codepref.extract.names import BUILTINS, Facts, dotted, facts, imports
from codepref.extract.syntax import program

_STATE = frozenset((
    "seed", "setstate", "setrecursionlimit", "set_int_max_str_digits", "setcontext", "getcontext", "stack_size",
    "filterwarnings", "simplefilter", "seterr", "set_option", "manual_seed", "setlocale", "setrlimit", "register",
    "unregister", "register_adapter",
))  # fmt: skip
"""Functions of modules by which a statement changes how others behave."""
_EVERYWHERE = frozenset((
    "sys", "warnings", "threading", "resource", "signal", "gc", "locale", "decimal", "os", "builtins",
    "faulthandler",
))  # fmt: skip
"""Modules whose state works on programs that do not name them."""
_HARMLESS = frozenset(sys.stdlib_module_names) - {"heapq", "bisect", "operator", "atexit", "ctypes", "builtins"} | {
    "pytest", "numpy", "pandas", "tqdm", "hypothesis", "requests", "parameterized", "matplotlib", "rich", "colorama",
}  # fmt: skip


@dataclass(frozen=True)
class ParsedProgram:
    """A program that parses, statement by statement."""

    source: str
    tree: ast.Module
    facts: tuple[Facts, ...]
    """What each statement reads, binds and changes."""
    imported: dict[str, str]
    """Name -> what it is imported as, dotted (`codepref.extract.names.imports`)."""


@functools.lru_cache(maxsize=64)
def read_program(source: str) -> ParsedProgram | None:
    """A program with the facts of its statements; None if it does not parse."""
    tree = program(source)
    if tree is None:
        return None
    imported = imports(tree)
    return ParsedProgram(source, tree, tuple(facts(node, frozenset(imported)) for node in tree.body), imported)


def needed_statements(parts: ParsedProgram, names: set[str], without: str = "") -> set[int]:
    """Numbers of the statements that some names need."""
    needed, kept, everything = set(names), set[int](), False
    altered = [_altered(parts, number) for number in range(len(parts.facts))]
    growing = True
    while growing:
        growing = False
        for number, (node, fact) in enumerate(zip(parts.tree.body, parts.facts, strict=True)):
            if number in kept or (without and without in fact.binds) or _is_main_guard(node):
                continue
            is_state = any(_reaches(parts, name, needed) for name in _state(parts, node))
            defines = bool(fact.binds) and not isinstance(node, ast.Import | ast.ImportFrom)
            anything = (everything and defines) or (fact.dynamic and not fact.is_definition)
            if fact.binds & needed or altered[number] & needed or is_state or anything:
                kept.add(number)
                needed |= fact.reads | (fact.binds if everything or fact.dynamic else set())
                everything = everything or fact.dynamic
                growing = True
    return kept


def _altered(parts: ParsedProgram, number: int) -> set[str]:
    """Names whose objects a statement may change at load, itself or through what it calls."""
    node, fact = parts.tree.body[number], parts.facts[number]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return set()
    reached = [parts.facts[n] for n in reached_statements(parts, fact.reads_at_load)]
    called = [inner for inner in reached if inner.is_definition]
    if any(inner.calls_given for inner in (fact, *called)):  # maybe what a decorator has put aside
        called += [inner for inner in parts.facts if inner.is_definition and inner.reads_at_load - set(parts.imported)]
    values = _functions(parts)
    changed = set(fact.changes_at_load) | (fact.calls_at_load - values)
    aliases = set[str]().union(*(parts.facts[n].reads for n in reached_statements(parts, changed))) - values
    if not fact.is_definition:
        aliases |= (fact.reads - values) if changed & fact.binds else set()
    through = set[str]().union(*(inner.writes | (inner.changes & inner.reads) for inner in called))
    if not fact.is_definition and all(_is_memo(parts, name) for name in through - set(parts.imported)):
        through = set()
    given = set(fact.hands) if isinstance(node, ast.ClassDef) else set[str]()
    if any(inner.loose for inner in (fact, *called)):
        given |= fact.hands | (set[str]().union(*(inner.reads for inner in called)) - values)
    return (
        (changed | (aliases if changed else set()) | through | given)
        - set(parts.imported)
        - _constants(parts)
        - BUILTINS
    )


def reached_statements(parts: ParsedProgram, names: Iterable[str]) -> list[int]:
    """Numbers of the statements that bind some names, or names that those read, and so on."""
    todo, seen, found = list(names), set(names), list[int]()
    while todo:
        name = todo.pop()
        for number, fact in enumerate(parts.facts):
            if name in fact.binds and number not in found:
                found.append(number)
                new = fact.reads - seen
                seen |= new
                todo += new
    return found


def _functions(parts: ParsedProgram) -> set[str]:
    """Names that stand for functions, classes and modules alone."""
    values = set[str]().union(*(fact.binds for fact in parts.facts if not fact.is_definition))
    return set(parts.imported).union(*(fact.binds for fact in parts.facts if fact.is_definition)) - values


def _constants(parts: ParsedProgram) -> set[str]:
    """Names that only ever hold numbers, texts and the like, which can not be changed."""
    constant, other = set[str](), set[str]()
    for node, fact in zip(parts.tree.body, parts.facts, strict=True):
        is_constant = isinstance(node, ast.Assign | ast.AnnAssign) and all(
            isinstance(
                inner,
                ast.Constant | ast.BinOp | ast.UnaryOp | ast.operator | ast.unaryop | ast.Tuple | ast.expr_context,
            )
            for inner in ast.walk(node.value or node)
        )
        (constant if is_constant else other).update(fact.binds | fact.writes)
        other |= fact.writes
    return constant - other


def _is_memo(parts: ParsedProgram, name: str) -> bool:
    """Whether a name is a table of known results: its items are set, and by functions that ask first for their own."""
    for node, fact in zip(parts.tree.body, parts.facts, strict=True):
        if name in fact.changes_at_load | fact.hands | fact.writes:
            return False
        if name in fact.changes and not _asks_first(node, name):
            return False
    return True


def _asks_first(node: ast.stmt, name: str) -> bool:
    asked = False
    for inner in ast.walk(node):
        if isinstance(inner, ast.Compare) and isinstance(inner.ops[0], ast.In | ast.NotIn):
            asked = asked or any(isinstance(n, ast.Name) and n.id == name for n in inner.comparators)
        elif isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Name) and inner.value.id == name:
            return False
    return asked


def _state(parts: ParsedProgram, node: ast.stmt) -> set[str]:
    """Modules whose state a statement changes when it runs, by their dotted names."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
        return set()
    found = set[str]()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Attribute | ast.Subscript) and isinstance(inner.ctx, ast.Store | ast.Del):
            value = inner.value.func if isinstance(inner.value, ast.Call) else inner.value
            found.add(dotted(value.value if isinstance(value, ast.Subscript) else value, parts.imported))
        elif isinstance(inner, ast.Call):
            name = dotted(inner.func, parts.imported)
            module, _, rest = name.partition(".")
            if name and (module not in _HARMLESS or set(rest.split(".")) & _STATE):
                found.add(name)
    return found - {""}


def _reaches(parts: ParsedProgram, name: str, needed: set[str]) -> bool:
    """Whether the state of a module matters to needed names."""
    module = name.partition(".")[0]
    return module in _EVERYWHERE or any(
        parts.imported[word].partition(".")[0] == module for word in needed if word in parts.imported
    )


def _is_main_guard(node: ast.stmt) -> bool:
    """`if __name__ == "__main__":` without an `else`: not so where programs are loaded."""
    if not isinstance(node, ast.If) or node.orelse:
        return False
    tests = node.test.values if isinstance(node.test, ast.BoolOp) and isinstance(node.test.op, ast.And) else [node.test]
    return any(
        isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq) and "__name__" in ast.dump(test)
        for test in tests
    )
