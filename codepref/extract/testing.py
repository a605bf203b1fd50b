"""Tests in a model's answer."""

import ast
import re
from collections.abc import Iterator

from codepref.extract.markdown import fenced_blocks
from codepref.extract.syntax import Rejected, parse, shorten


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
                rejected.append(Rejected("no call", f"does not use {entry_point}: {shorten(item)}"))
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
        yield Rejected("unparseable", shorten(block))
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
            yield Rejected("unparseable", shorten(chunk))


def _uses(source: str, name: str) -> bool:
    tree = parse(source)
    return tree is not None and any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(tree))
