"""Code and tests from model text.

Builders, evaluation and training use these same rules, so that what was ranked, what is graded and what is learnt
agree.

Code: the first fenced block that defines the entry point, else the first fenced block, else the whole text. Text that
does not define the entry point itself is taken as a completion of the prompt. Of the resulting program the entry point
and the imports, helpers and constants it needs are kept, in their order and layout; the rest (usage examples, prints,
asserts) goes.

Tests: `assert` statements, one test each, that use the entry point. A text with other statements (set-up, test
functions) is one test as a whole.
"""

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

FENCE = re.compile(
    r"^[ \t]*(?P<mark>```+|~~~+)[ \t]*(?P<tag>[\w+-]*)[^\n]*\n(?P<body>.*?)(?:^[ \t]*(?P=mark)[ \t]*$|\Z)",
    re.MULTILINE | re.DOTALL,
)
PYTHON_TAGS = {"", "python", "python3", "py"}
NOT_SET_UP = {"print", "input", "unittest", "doctest", "pytest"}


@dataclass(frozen=True)
class Rejected:
    """Why nothing usable was found."""

    rule: str
    detail: str = ""


def fenced_blocks(text: str) -> list[str]:
    """Contents of the Markdown code blocks of a text that say Python or say nothing; an unclosed one counts."""
    return [block["body"] for block in FENCE.finditer(text) if block["tag"].lower() in PYTHON_TAGS]


def parse(source: str) -> ast.Module | None:
    """The syntax tree, or None when the source does not compile."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # e.g. invalid escape sequences: the model's business
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def defines(source: str, entry_point: str) -> bool:
    """Whether the source has a top-level function (or class, or assignment) of that name."""
    tree = parse(source)
    try:
        return tree is not None and any(entry_point in _bound(node) for node in tree.body)
    except RecursionError:
        return False


def code(text: str, prompt: str, entry_point: str) -> str | Rejected:
    """The program in a model's answer.

    Args:
        text: The answer, raw: a whole program, a Markdown text with one, or a completion of `prompt`.
        prompt: The prompt that was answered.
        entry_point: The function the program must define.

    Returns:
        The program, or the rule it fell under: `empty`, `unparseable`, `no entry point`.
    """
    blocks = fenced_blocks(text)
    texts = [block for block in blocks if defines(block, entry_point)] or blocks or [text]
    if not any(body.strip() for body in texts):
        return Rejected("empty")
    body = next(body for body in texts if body.strip())
    if re.search(rf"^(?:async\s+)?(?:def|class)\s+{re.escape(entry_point)}\b", body, re.M):
        return _program(body, entry_point)
    completed = _program(prompt + body, entry_point)
    if isinstance(completed, Rejected) and defines(body, entry_point):
        return _program(body, entry_point)
    return completed


def _program(source: str, entry_point: str) -> str | Rejected:
    tree = parse(source)
    if tree is None:
        source = _without_tail(source, entry_point)
        tree = parse(source)
    if tree is None:
        return Rejected("unparseable", _syntax_error(source))
    try:
        if not any(entry_point in _bound(node) for node in tree.body):
            return Rejected("no entry point", f"no top-level definition of {entry_point}")
        return _keep(source, tree, entry_point)
    except RecursionError:
        return Rejected("unparseable", "nested too deeply")


def _without_tail(source: str, entry_point: str) -> str:
    """The source up to the first line after the entry point's body that is no longer indented."""
    lines = source.splitlines(keepends=True)
    start = next(
        (n for n, line in enumerate(lines) if re.match(rf"(?:async\s+)?def\s+{re.escape(entry_point)}\b", line)), None
    )
    if start is None:
        return source
    for end in range(start + 1, len(lines)):
        line = lines[end]
        if (
            line.strip()
            and not line[0].isspace()
            and line[0] not in ")]}#'\""
            and parse("".join(lines[:end])) is not None
        ):
            return "".join(lines[:end])
    return source


def _syntax_error(source: str) -> str:
    try:
        ast.parse(source)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}"
    except (ValueError, RecursionError, MemoryError) as error:
        return type(error).__name__
    return ""


def _bound(node: ast.AST) -> set[str]:
    """Names a statement binds in its own scope."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Store) else set()
    return {name for child in ast.iter_child_nodes(node) for name in _bound(child)}


def _read(node: ast.AST) -> set[str]:
    """Names a statement reads, in any scope."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _needed(node: ast.stmt, needed: set[str], variables: set[str]) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.If) and "__name__" in _read(node.test):
        return False
    if _bound(node) & needed:
        return True
    # `sys.setrecursionlimit(...)` and `TABLE[0] = 1` bind nothing and yet the entry point may depend on them
    is_set_up = isinstance(node, ast.Expr | ast.Assign | ast.AugAssign | ast.For)
    return is_set_up and bool(_read(node) & variables) and not _read(node) & NOT_SET_UP


def _keep(source: str, tree: ast.Module, entry_point: str) -> str:
    """The statements the entry point needs, in order and with their own layout, and all imports."""
    needed, variables, kept = {entry_point}, set[str](), set[int]()
    growing = True
    while growing:
        growing = False
        for index, node in enumerate(tree.body):
            if index in kept or not _needed(node, needed, variables - {entry_point}):
                continue
            kept.add(index)
            needed |= _read(node)
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                variables |= _bound(node)
            growing = True
    users = {index for index in kept if _is_usage(tree.body[index], entry_point)}
    return source.rstrip() + "\n" if len(kept - users) == len(tree.body) else _cut(source, tree, kept - users)


def _is_usage(node: ast.stmt, entry_point: str) -> bool:
    return isinstance(node, ast.Expr | ast.Assign | ast.For) and entry_point in _read(node) - _bound(node)


def _cut(source: str, tree: ast.Module, kept: set[int]) -> str:
    lines = source.splitlines(keepends=True)
    pieces, previous_end = [], 0
    for index, node in enumerate(tree.body):
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) - 1
        if index in kept:
            # comments and blank lines above a kept statement belong to it, unless what stood above was dropped
            pieces.append("".join(lines[previous_end:first]) if index == 0 or index - 1 in kept else "\n\n")
            pieces.append("".join(lines[first : node.end_lineno]))
        previous_end = node.end_lineno or first
    return "".join(pieces).strip("\n").rstrip() + "\n"


def tests(text: str, entry_point: str) -> tuple[list[str], list[Rejected]]:
    """The tests in a model's answer.

    Args:
        text: The answer, raw: assert statements, a fenced block with them, or a test function.
        entry_point: The function under test; a test that does not use it is rejected.

    Returns:
        The tests in order, and what was rejected: `unparseable`, `no call`, `empty`.
    """
    found: list[str] = []
    rejected: list[Rejected] = []
    for block in fenced_blocks(text) or [text]:
        for item in _test_items(block.strip("\n")):
            if isinstance(item, Rejected):
                rejected.append(item)
            elif not _uses(item, entry_point):
                rejected.append(Rejected("no call", f"does not use {entry_point}: {_shorten(item)}"))
            else:
                found.append(item)
    if not found and not rejected:
        rejected.append(Rejected("empty"))
    return found, rejected


def _test_items(block: str) -> Iterator[str | Rejected]:
    tree = parse(block)
    if tree is None:
        yield from _assert_chunks(block)
        return
    asserts = [node for node in tree.body if isinstance(node, ast.Assert)]
    others = [node for node in tree.body if not isinstance(node, ast.Assert) and not _is_docstring(node)]
    if not others:
        yield from (ast.get_source_segment(block, node) or ast.unparse(node) for node in asserts)
    else:
        yield _with_calls(block, tree)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _with_calls(block: str, tree: ast.Module) -> str:
    """A text of test functions that nobody calls, with the calls added."""
    names = [
        n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test") and not n.args.args
    ]
    called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    calls = [f"{name}()" for name in names if name not in called]
    return "\n".join([block.rstrip(), *calls])


def _assert_chunks(block: str) -> Iterator[str | Rejected]:
    """Assert statements of a text that does not compile as a whole (cut off, or with prose around)."""
    starts = [match.start() for match in re.finditer(r"^[ \t]*assert\b", block, re.M)]
    if not starts:
        yield Rejected("unparseable", _shorten(block))
        return
    for start, end in zip(starts, [*starts[1:], len(block)], strict=True):
        chunk = block[start:end].strip()
        lines = chunk.splitlines()
        # prose after the statement is dropped: the longest run of lines that is one assert
        for stop in range(len(lines), 0, -1):
            head = "\n".join(lines[:stop])
            tree = parse(head)
            if tree is not None and len(tree.body) == 1 and isinstance(tree.body[0], ast.Assert):
                yield head.rstrip()
                break
        else:
            yield Rejected("unparseable", _shorten(chunk))


def _uses(source: str, name: str) -> bool:
    tree = parse(source)
    return tree is not None and any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree))


def _shorten(text: str, width: int = 80) -> str:
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 3] + "..."


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
