"""What of a program is mere usage: prints, checks, loops over input and whatever else its entry point does not need.

A statement is needed if it binds a name that is needed, or may change an object that such a name leads to. Needed are
the entry point and, in turn, every name that a needed statement reads. Everything else provably is usage. Where it is
open whether what is left can be loaded at all, because it reads input, arguments, files or the network, programs
without those statements are the next candidates, and running them decides (`codepref.extract.choice`).
"""

import ast
from dataclasses import dataclass

from codepref.extract.names import BUILTINS, facts, imports
from codepref.extract.needed import ParsedProgram, needed_statements, read_program
from codepref.extract.risks import is_of_python, without_risks
from codepref.extract.syntax import Rejected, bound, lines, program, statements


@dataclass(frozen=True)
class Cleaned:
    """A program without its usage, and what to take where that can not be loaded."""

    source: str
    is_proven: bool
    """Whether it is known to load if the whole program does, so that nothing has to be run."""
    others: tuple[str, ...] = ()
    """Programs without statements that may fail at load, and the whole one, in order of preference."""


def cleaned(source: str, entry_point: str, also: frozenset[str] = frozenset()) -> Cleaned | Rejected:
    """The statements of a program that its entry point needs, with their layout, and all imports that may matter.

    Args:
        source: A program that defines the entry point.
        entry_point: The name that must be there after loading it.
        also: Other names to keep where the program defines them.
    """
    try:
        parts = read_program(source)
        if parts is None:
            return Rejected("unparseable")
        kept = _imports_too(parts, needed_statements(parts, {entry_point, *also}))
        smaller = list(without_risks(parts, kept, entry_point))
        texts = [_cut(parts, numbers) for numbers in (kept, *smaller)]
        others = tuple(dict.fromkeys(text for text in (*texts[1:], _ended(source)) if text != texts[0]))
        return Cleaned(texts[0], all(numbers == kept for numbers in smaller), others)
    except RecursionError:
        return Rejected("unparseable", "nested too deeply")


def picked(source: str, names: set[str], without: str) -> str:
    """The statements that bind some names and what those need, in order; definitions of `without` are left out."""
    try:
        parts = read_program(source)
        if parts is None:
            return ""
        kept = {n for n in needed_statements(parts, names, without) if without not in parts.facts[n].binds}
        return _cut(parts, kept) if kept else ""
    except RecursionError:
        return ""


def needs(nodes: list[ast.stmt], statement: ast.stmt, without: str) -> list[ast.stmt]:
    """The statements before a statement that it needs, in order; those that bind the name `without` are left out."""
    try:
        imported = imports(ast.Module([*nodes, statement], []))
        known = frozenset(imported)
        before = ParsedProgram("", ast.Module(nodes, []), tuple(facts(node, known) for node in nodes), imported)
        names = set(facts(statement, known).reads) - {without}
        changing = _may_change(nodes, _looked_at(statement, without))
        for number in changing:
            names |= set(before.facts[number].reads) - {without}
        return [nodes[number] for number in sorted(needed_statements(before, names, without) | changing)]
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
            arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
            given = {argument.id for argument in arguments if isinstance(argument, ast.Name)}
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
        parts = read_program(source)
        if parts is None:
            return set()
        known: set[str] = set().union(BUILTINS, *(fact.binds | fact.writes for fact in parts.facts))
        needed = (parts.facts[number].reads for number in needed_statements(parts, {entry_point}))
        return set().union(*needed) - known
    except RecursionError:
        return set()


def _imports_too(parts: ParsedProgram, kept: set[int]) -> set[int]:
    """With the imports that kept statements read, and those that nothing reads: they may be there for their effect."""
    read = set().union(*(parts.facts[n].reads for n in kept))
    dropped = set().union(*(fact.reads for n, fact in enumerate(parts.facts) if n not in kept))
    defined_here = set().union(*(fact.binds for fact in parts.facts if fact.is_definition))
    found = set(kept)
    for number, (node, fact) in enumerate(zip(parts.tree.body, parts.facts, strict=True)):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        if fact.binds <= defined_here and not is_of_python(node):
            found.discard(number)  # `from solution import add` beside the definition of `add`
        elif fact.binds & read or not fact.binds & dropped:
            found.add(number)
    if parts.tree.body and ast.get_docstring(parts.tree, clean=False) is not None and _starts_the_text(parts, found):
        found.add(0)
    return found


def _starts_the_text(parts: ParsedProgram, kept: set[int]) -> bool:
    return 1 in kept or len(kept | {0}) == len(parts.facts)


def _cut(parts: ParsedProgram, kept: set[int]) -> str:
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


def _shares_its_end(parts: ParsedProgram, number: int) -> bool:
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
