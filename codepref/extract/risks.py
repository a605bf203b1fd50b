"""What of a program may keep it from being loaded, though its entry point would do well: input, files, other packages.

Reading can not tell whether such statements are in the way; running programs without them does.
"""

import ast
import sys
from collections.abc import Callable, Iterable

from codepref.extract.names import BUILTINS, dotted
from codepref.extract.needed import ParsedProgram, needed_statements, reached_statements

_OUTSIDE = frozenset((
    "sys.stdin", "sys.argv", "sys.exit", "os._exit", "os.environ", "os.getenv", "os.getcwd", "os.listdir",
    "os.system", "os.path", "os.open", "pathlib", "argparse", "socket", "requests", "urllib", "http", "subprocess",
    "tkinter", "getpass", "fileinput", "unittest.main", "doctest.testmod", "pytest.main", "time.sleep", "json.load",
    "pickle.load", "csv.reader", "io.open", "sys.stdout", "sys.stderr", "timeit", "cProfile", "profile", "logging",
    "multiprocessing", "threading", "asyncio.run", "concurrent", "signal",
))  # fmt: skip
_OUTSIDE_BUILTINS = frozenset(("input", "open", "exit", "quit", "breakpoint"))


def without_risks(parts: ParsedProgram, kept: set[int], entry_point: str) -> Iterable[set[int]]:
    """Ever smaller selections: without what may fail at load, from what is least likely needed on."""
    tests: tuple[Callable[[int], bool], ...] = (
        lambda n: _is_strange_import(parts, n, entry_point),
        lambda n: _is_risky(parts, n) and not parts.facts[n].binds - _used_as_result(parts, n, entry_point),
        lambda n: _is_risky(parts, n) or _hides(parts, n, entry_point),
    )
    left = set(kept)
    for test in tests:
        left = {number for number in left if not test(number)}
        yield set(left)


def _used_as_result(parts: ParsedProgram, number: int, entry_point: str) -> set[str]:
    return {entry_point} if _hides(parts, number, entry_point) else set()


def _is_strange_import(parts: ParsedProgram, number: int, entry_point: str) -> bool:
    """An import that may not be possible: of a module outside the standard library, for a name that is defined here."""
    node, fact = parts.tree.body[number], parts.facts[number]
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return False
    if is_of_python(node):
        return False
    others = (other for n, other in enumerate(parts.facts) if n != number)
    own = set().union(*(other.binds for other in others if other.is_definition))
    read = set().union(*(parts.facts[n].reads for n in needed_statements(parts, {entry_point})))
    return fact.binds <= own or not fact.binds & read


def _is_risky(parts: ParsedProgram, number: int) -> bool:
    """Whether a statement that is no definition may fail at load, or wait, though the entry point would do well."""
    node, fact = parts.tree.body[number], parts.facts[number]
    if fact.is_definition or isinstance(node, ast.Import | ast.ImportFrom | ast.Pass):
        return False
    known: set[str] = set().union(BUILTINS, *(other.binds | other.writes for other in parts.facts))
    if isinstance(node, ast.While | ast.Raise | ast.Assert) or fact.reads_at_load - known:
        return True
    if any(parts.facts[n].is_definition for n in reached_statements(parts, fact.reads_at_load)):
        return True
    return any(_goes_outside(parts, inner) for inner in ast.walk(node))


def _goes_outside(parts: ParsedProgram, node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _OUTSIDE_BUILTINS:
        return True
    name = dotted(node, parts.imported) if isinstance(node, ast.Attribute | ast.Name) else ""
    return any(name == place or name.startswith(f"{place}.") for place in _OUTSIDE)


def _hides(parts: ParsedProgram, number: int, entry_point: str) -> bool:
    """Whether an assignment puts something else, such as a result, in the place of the entry point defined above."""
    if entry_point not in parts.facts[number].binds or parts.facts[number].is_definition:
        return False
    return any(fact.is_definition and entry_point in fact.binds for fact in parts.facts[:number])


def is_of_python(node: ast.Import | ast.ImportFrom) -> bool:
    """Whether an import is of the standard library alone."""
    modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    known = all(name.partition(".")[0] in sys.stdlib_module_names for name in modules)
    return known and getattr(node, "level", 0) == 0
