"""Reading Python text: trees, lines, lengths, and whether a text defines an entry point."""

import ast
import functools
import re
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Literal

Definition = Literal["whole", "stub", "import", "none"]
"""How a text defines a name: by a function, class or value of its own; by a body that does nothing; by an import."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z")
_BROKEN = (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError)


@dataclass(frozen=True)
class Rejected:
    """Why nothing usable was found."""

    rule: str
    detail: str = ""


def parse(source: str) -> ast.Module | None:
    """The syntax tree, or None when the source does not parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # e.g. invalid escape sequences: the model's business
            return ast.parse(source)
    except _BROKEN:
        return None


def compiled(tree: ast.Module) -> CodeType | None:
    """The code of a tree, or None for one that Python refuses, such as a `return` outside a function."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return compile(tree, "<answer>", "exec", dont_inherit=True)
    except (*_BROKEN, TypeError):
        return None


@functools.lru_cache(maxsize=128)
def program(source: str) -> ast.Module | None:
    """The syntax tree of a text that Python would run, or None. It is shared: not to be changed."""
    tree = parse(source)
    return tree if tree is not None and compiled(tree) is not None else None


def syntax_error(source: str) -> str:
    """What is wrong with a source that does not parse, in a few words."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(source, "<answer>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except _BROKEN as error:
        return type(error).__name__
    return ""


def lines(text: str) -> list[str]:
    r"""The lines of a text as Python counts them, with their ends: `\n`, `\r\n` and `\r` alone end a line."""
    return _LINE.findall(text)


def dedented(text: str) -> str:
    """The text without the indentation that all its lines share."""
    return textwrap.dedent("".join(line.replace("\r\n", "\n") for line in lines(text)))


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run in the module's own scope, those inside `if`, `try`, `with` and loops included."""
    for node in body:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for child in ast.iter_child_nodes(node):
                if isinstance(child, ast.stmt):
                    yield from statements([child])
                elif isinstance(child, ast.ExceptHandler | ast.match_case):
                    yield from statements(child.body)


def bound(node: ast.AST) -> set[str]:
    """Names a statement binds in its own scope."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Store) else set()
    if isinstance(node, ast.Lambda):
        return set()
    found: set[str] = set()
    for child in ast.iter_child_nodes(node):
        found |= bound(child)
    return found


def named(node: ast.AST) -> set[str]:
    """Every name that stands in a tree, whatever its scope."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def defines(source: str, entry_point: str) -> bool:
    """Whether the source has a top-level function (or class, or assignment) of that name."""
    tree = parse(source)
    return tree is not None and definition(tree, entry_point) != "none"


def definition(tree: ast.Module, name: str) -> Definition:
    """How a program defines a name; the last definition counts.

    An assignment made of a call to it is none, and a text that begins with what another text made of it (`old = f`)
    defines nothing by itself.
    """
    found: Definition = "none"
    try:
        for node in statements(tree.body):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                if node.name == name:
                    found = "stub" if _is_stub(node) else "whole"
            elif isinstance(node, ast.Import | ast.ImportFrom):
                if name in bound(node) and found == "none":
                    found = "import"
            elif isinstance(node, ast.Assign | ast.AnnAssign) and found == "none" and name in bound(node):
                is_value = node.value is not None and not isinstance(node.value, ast.Constant)
                found = "whole" if is_value and name not in named(node.value or node) else "none"
            elif found == "none" and _is_alias(node, name):
                return "none"
    except RecursionError:
        return "none"
    return found


def _is_alias(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == name


def _is_stub(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """Whether a body does nothing: docstring, `pass`, `...`, `raise NotImplementedError`."""
    if isinstance(node, ast.ClassDef) and (node.bases or node.decorator_list):
        return False
    return all(_does_nothing(statement) for statement in node.body)


def _does_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Raise):
        return node.exc is not None and "NotImplementedError" in named(node.exc)
    return isinstance(node, ast.Pass)


def node_count(source: str) -> int:
    """Number of nodes of the syntax tree: the length of a program whatever its layout, comments and Python version."""
    tree = parse(source)
    return 0 if tree is None else sum(1 for _ in ast.walk(tree))


def shape(source: str) -> str:
    """The syntax tree as text: equal for programs that differ in layout and comments alone."""
    tree = parse(source)
    try:
        return source if tree is None else ast.dump(tree)
    except RecursionError:
        return source


def shorten(text: str, width: int = 80) -> str:
    """The text on one line of limited width."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 3] + "..."
