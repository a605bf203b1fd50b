"""What of a program is mere usage: prints, checks, loops over input and whatever else its entry point does not need.

A statement is needed if it binds a name that is needed, or may change an object that such a name leads to. Needed are
the entry point and, in turn, every name that a needed statement reads. Everything else provably is usage. Where it is
open whether what is left can be loaded at all, because it reads input, arguments, files or the network, programs
without those statements are the next candidates, and running them decides (`codepref.extract.choice`).
"""

import ast
import functools
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from codepref.extract.names import BUILTINS, Facts, dotted, facts, imports
from codepref.extract.syntax import Rejected, bound, lines, program, statements

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
_OUTSIDE = frozenset((
    "sys.stdin", "sys.argv", "sys.exit", "os._exit", "os.environ", "os.getenv", "os.getcwd", "os.listdir",
    "os.system", "os.path", "os.open", "pathlib", "argparse", "socket", "requests", "urllib", "http", "subprocess",
    "tkinter", "getpass", "fileinput", "unittest.main", "doctest.testmod", "pytest.main", "time.sleep", "json.load",
    "pickle.load", "csv.reader", "io.open", "sys.stdout", "sys.stderr", "timeit", "cProfile", "profile", "logging",
    "multiprocessing", "threading", "asyncio.run", "concurrent", "signal",
))  # fmt: skip
_OUTSIDE_BUILTINS = frozenset(("input", "open", "exit", "quit", "breakpoint"))


@dataclass(frozen=True)
class Cleaned:
    """A program without its usage, and what to take where that can not be loaded."""

    source: str
    is_proven: bool
    """Whether it is known to load if the whole program does, so that nothing has to be run."""
    others: tuple[str, ...] = ()
    """Programs without statements that may fail at load, and the whole one, in order of preference."""


@dataclass(frozen=True)
class _Program:
    source: str
    tree: ast.Module
    facts: tuple[Facts, ...]
    imported: dict[str, str]


def cleaned(source: str, entry_point: str, also: frozenset[str] = frozenset()) -> Cleaned | Rejected:
    """The statements of a program that its entry point needs, with their layout, and all imports that may matter.

    Args:
        source: A program that defines the entry point.
        entry_point: The name that must be there after loading it.
        also: Other names to keep where the program defines them.
    """
    try:
        parts = _read(source)
        if parts is None:
            return Rejected("unparseable")
        kept = _imports_too(parts, _needed(parts, {entry_point, *also}))
        smaller = list(_without_risks(parts, kept, entry_point))
        texts = [_cut(parts, numbers) for numbers in (kept, *smaller)]
        others = tuple(dict.fromkeys(text for text in (*texts[1:], _ended(source)) if text != texts[0]))
        return Cleaned(texts[0], all(numbers == kept for numbers in smaller), others)
    except RecursionError:
        return Rejected("unparseable", "nested too deeply")


def picked(source: str, names: set[str], without: str) -> str:
    """The statements that bind some names and what those need, in order; definitions of `without` are left out."""
    try:
        parts = _read(source)
        if parts is None:
            return ""
        kept = {n for n in _needed(parts, names, without) if without not in parts.facts[n].binds}
        return _cut(parts, kept) if kept else ""
    except RecursionError:
        return ""


def needs(nodes: list[ast.stmt], statement: ast.stmt, without: str) -> list[ast.stmt]:
    """The statements before a statement that it needs, in order; those that bind the name `without` are left out."""
    try:
        imported = imports(ast.Module([*nodes, statement], []))
        known = frozenset(imported)
        before = _Program("", ast.Module(nodes, []), tuple(facts(node, known) for node in nodes), imported)
        names = set(facts(statement, known).reads) - {without}
        changing = _may_change(nodes, _looked_at(statement, without))
        for number in changing:
            names |= set(before.facts[number].reads) - {without}
        return [nodes[number] for number in sorted(_needed(before, names, without) | changing)]
    except RecursionError:
        return nodes


def _looked_at(statement: ast.stmt, function: str) -> set[str]:
    """Names that a statement reads elsewhere than as arguments of the function under test."""
    given: set[int] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function:
            given |= {id(inner) for item in (*node.args, *node.keywords) for inner in ast.walk(item)}
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and id(node) not in given}


def _may_change(nodes: list[ast.stmt], names: set[str]) -> set[int]:
    """Numbers of the statements that give the object of one of these names to a call which may change it."""
    found: set[int] = set()
    for number, node in enumerate(nodes):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for call in ast.walk(node):
            if not isinstance(call, ast.Call) or (isinstance(call.func, ast.Name) and call.func.id in BUILTINS):
                continue
            given = {
                item.id for item in (*call.args, *(word.value for word in call.keywords)) if isinstance(item, ast.Name)
            }
            if not names.isdisjoint(given):
                found.add(number)
    return found


def defined(source: str) -> set[str]:
    """Names that a program binds."""
    tree = program(source)
    return set() if tree is None else set[str]().union(*(bound(node) for node in statements(tree.body)))


def missing(source: str, entry_point: str) -> set[str]:
    """Names that the entry point needs and the program does not define."""
    try:
        parts = _read(source)
        if parts is None:
            return set()
        known: set[str] = set().union(BUILTINS, *(fact.binds | fact.writes for fact in parts.facts))
        needed = (parts.facts[number].reads for number in _needed(parts, {entry_point}))
        return set().union(*needed) - known
    except RecursionError:
        return set()


@functools.lru_cache(maxsize=64)
def _read(source: str) -> _Program | None:
    tree = program(source)
    if tree is None:
        return None
    imported = imports(tree)
    return _Program(source, tree, tuple(facts(node, frozenset(imported)) for node in tree.body), imported)


def _needed(parts: _Program, names: set[str], without: str = "") -> set[int]:
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


def _altered(parts: _Program, number: int) -> set[str]:
    """Names whose objects a statement may change at load, itself or through what it calls."""
    node, fact = parts.tree.body[number], parts.facts[number]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return set()
    reached = [parts.facts[n] for n in _reached(parts, fact.reads_at_load)]
    called = [inner for inner in reached if inner.is_definition]
    if any(inner.calls_given for inner in (fact, *called)):  # maybe what a decorator has put aside
        called += [inner for inner in parts.facts if inner.is_definition and inner.reads_at_load - set(parts.imported)]
    values = _functions(parts)
    changed = set(fact.changes_at_load) | (fact.calls_at_load - values)
    aliases = set[str]().union(*(parts.facts[n].reads for n in _reached(parts, changed))) - values
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


def _reached(parts: _Program, names: Iterable[str]) -> list[int]:
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


def _functions(parts: _Program) -> set[str]:
    """Names that stand for functions, classes and modules alone."""
    values = set[str]().union(*(fact.binds for fact in parts.facts if not fact.is_definition))
    return set(parts.imported).union(*(fact.binds for fact in parts.facts if fact.is_definition)) - values


def _constants(parts: _Program) -> set[str]:
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


def _is_memo(parts: _Program, name: str) -> bool:
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


def _state(parts: _Program, node: ast.stmt) -> set[str]:
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


def _reaches(parts: _Program, name: str, needed: set[str]) -> bool:
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


def _imports_too(parts: _Program, kept: set[int]) -> set[int]:
    """With the imports that kept statements read, and those that nothing reads: they may be there for their effect."""
    read = set().union(*(parts.facts[n].reads for n in kept))
    dropped = set().union(*(fact.reads for n, fact in enumerate(parts.facts) if n not in kept))
    defined_here = set().union(*(fact.binds for fact in parts.facts if fact.is_definition))
    found = set(kept)
    for number, (node, fact) in enumerate(zip(parts.tree.body, parts.facts, strict=True)):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        if fact.binds <= defined_here and not _is_of_python(node):
            found.discard(number)  # `from solution import add` beside the definition of `add`
        elif fact.binds & read or not fact.binds & dropped:
            found.add(number)
    if parts.tree.body and ast.get_docstring(parts.tree, clean=False) is not None and _starts_the_text(parts, found):
        found.add(0)
    return found


def _starts_the_text(parts: _Program, kept: set[int]) -> bool:
    return 1 in kept or len(kept | {0}) == len(parts.facts)


def _without_risks(parts: _Program, kept: set[int], entry_point: str) -> Iterable[set[int]]:
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


def _used_as_result(parts: _Program, number: int, entry_point: str) -> set[str]:
    return {entry_point} if _hides(parts, number, entry_point) else set()


def _is_of_python(node: ast.Import | ast.ImportFrom) -> bool:
    """Whether an import is of the standard library alone."""
    modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module or ""]
    known = all(name.partition(".")[0] in sys.stdlib_module_names for name in modules)
    return known and getattr(node, "level", 0) == 0


def _is_strange_import(parts: _Program, number: int, entry_point: str) -> bool:
    """An import that may not be possible: of a module outside the standard library, for a name that is defined here."""
    node, fact = parts.tree.body[number], parts.facts[number]
    if not isinstance(node, ast.Import | ast.ImportFrom):
        return False
    if _is_of_python(node):
        return False
    others = (other for n, other in enumerate(parts.facts) if n != number)
    own = set().union(*(other.binds for other in others if other.is_definition))
    read = set().union(*(parts.facts[n].reads for n in _needed(parts, {entry_point})))
    return fact.binds <= own or not fact.binds & read


def _is_risky(parts: _Program, number: int) -> bool:
    """Whether a statement that is no definition may fail at load, or wait, though the entry point would do well."""
    node, fact = parts.tree.body[number], parts.facts[number]
    if fact.is_definition or isinstance(node, ast.Import | ast.ImportFrom | ast.Pass):
        return False
    known: set[str] = set().union(BUILTINS, *(other.binds | other.writes for other in parts.facts))
    if isinstance(node, ast.While | ast.Raise | ast.Assert) or fact.reads_at_load - known:
        return True
    if any(parts.facts[n].is_definition for n in _reached(parts, fact.reads_at_load)):
        return True
    return any(_goes_outside(parts, inner) for inner in ast.walk(node))


def _goes_outside(parts: _Program, node: ast.AST) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _OUTSIDE_BUILTINS:
        return True
    name = dotted(node, parts.imported) if isinstance(node, ast.Attribute | ast.Name) else ""
    return any(name == place or name.startswith(f"{place}.") for place in _OUTSIDE)


def _hides(parts: _Program, number: int, entry_point: str) -> bool:
    """Whether an assignment puts something else, such as a result, in the place of the entry point defined above."""
    if entry_point not in parts.facts[number].binds or parts.facts[number].is_definition:
        return False
    return any(fact.is_definition and entry_point in fact.binds for fact in parts.facts[:number])


def _cut(parts: _Program, kept: set[int]) -> str:
    """The text of some statements, with the comments and blank lines above each, as they stand in the source."""
    if len(kept) == len(parts.facts):
        return _ended(parts.source)
    rows = lines(parts.source)
    pieces: list[str] = []
    previous_end = 0
    for number, node in enumerate(parts.tree.body):
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) - 1
        end = node.end_lineno or first + 1
        shared = first < previous_end
        if number in kept:
            if shared or _shares_its_end(parts, number):
                pieces.append(("" if shared else "".join(rows[previous_end:first])) + _own_text(rows, node) + "\n")
            else:
                is_first = number == 0 or number - 1 in kept
                pieces.append("".join(rows[previous_end:first]) if is_first else "\n\n")
                pieces.append("".join(rows[first:end]))
        previous_end = end
    return "".join(pieces).strip("\r\n").rstrip() + "\n"


def _shares_its_end(parts: _Program, number: int) -> bool:
    following = parts.tree.body[number + 1 : number + 2]
    return bool(following) and following[0].lineno == parts.tree.body[number].end_lineno


def _own_text(rows: list[str], node: ast.stmt) -> str:
    """The text of a statement that shares a line with another; columns count bytes of UTF-8."""
    own = [row.encode("utf-8", "surrogatepass") for row in rows[node.lineno - 1 : node.end_lineno]]
    own[-1] = own[-1][: node.end_col_offset]
    own[0] = own[0][node.col_offset :]
    return b"".join(own).decode("utf-8", "surrogatepass")


def _ended(source: str) -> str:
    return source.rstrip() + "\n"
