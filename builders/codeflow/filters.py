"""Which pairs of a failing and a passing version teach something: the rule filters of CodeFlow, in the paper's order.

1. `empty D-`: nothing of the rejected program is wrong, something is missing. By default such a pair is left out (its
   versions stay in the configs `trajectories` and `kto`); with `insertions: next_line` the line that follows the first
   insertion stands for D-, or the last line where nothing follows: there the rejected program goes wrong.
2. `comments only`: every line of D- is blank, a comment or part of a docstring.
3. `too many lines`: D- is longer than `max_changed_lines`.
4. `too long`: one of the programs is longer than `max_tokens`.
5. `same syntax tree`: the programs differ in layout, comments and docstrings alone.
"""

import ast
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from builders.chain.ask import Count
from builders.codeflow.linediff import Diff, lines_of, spans
from builders.codeflow.spans import Located
from codepref.errors import CodeprefError
from codepref.extract import parse

CHARACTERS_A_TOKEN = 3
"""For programs where no tokenizer is given: on the long side, as code has more characters a token than that."""
_DOCUMENTED = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_IGNORED = frozenset(("kind", "type_comment"))


@dataclass(frozen=True)
class Filters:
    """Bounds of the filters."""

    insertions: Literal["drop", "next_line"] = "drop"
    """What is done with a repair that only inserts lines."""
    max_changed_lines: Count = 20
    max_tokens: Count = 2048
    """Longest program."""
    tokenizer: str | None = None
    """A `tokenizer.json`, best that of the model to be trained; without one a token is taken to be 3 characters."""


@dataclass(frozen=True)
class Sizes:
    """Lengths of a pair's programs, in tokens."""

    chosen: int
    rejected: int


def rule(config: Filters, chosen: str, rejected: str, found: Diff, sizes: Sizes) -> tuple[str, str] | None:
    """The filter a pair falls under, and a detail; None if it stays."""
    left, right = parse(chosen), parse(rejected)
    if left is None or right is None:
        return "unparseable", ""
    numbers = found.minus
    if not numbers and config.insertions == "drop":
        return "empty D-", f"{len(found.plus)} lines inserted"
    if numbers and set(numbers) <= silent_lines(rejected, right):
        return "comments only", ""
    if len(numbers) > config.max_changed_lines:
        return "too many lines", f"{len(numbers)} > {config.max_changed_lines}"
    if max(sizes.chosen, sizes.rejected) > config.max_tokens:
        return "too long", f"{max(sizes.chosen, sizes.rejected)} > {config.max_tokens}"
    return ("same syntax tree", "") if same_tree(left, right) else None


def silent_lines(source: str, tree: ast.Module) -> set[int]:
    """Numbers, from 0, of the lines that are blank, a comment or part of a docstring that has its lines for itself."""
    found = lines_of(source)
    silent = {number for number, line in enumerate(found) if not line.strip() or line.lstrip().startswith("#")}
    for node in _statements(tree):
        text = docstring(node)
        if text is None or text.end_lineno is None or text.end_col_offset is None or text.end_lineno > len(found):
            continue
        before = found[text.lineno - 1].encode()[: text.col_offset].strip()
        after = found[text.end_lineno - 1].encode()[text.end_col_offset :].strip()
        if not before and (not after or after.startswith(b"#")):
            silent.update(range(text.lineno - 1, text.end_lineno))
    return silent


def _statements(tree: ast.Module) -> Iterator[ast.AST]:
    """A module and every statement in it; expressions hold no docstrings, and most nodes are expressions."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        yield node
        if hasattr(node, "body") or hasattr(node, "cases"):
            parts = ast.iter_child_nodes(node)
            todo.extend(part for part in parts if isinstance(part, ast.stmt | ast.excepthandler | ast.match_case))


def docstring(node: ast.AST) -> ast.Expr | None:
    """The docstring of a module, class or function."""
    first = node.body[0] if isinstance(node, _DOCUMENTED) and node.body else None
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return first if is_text and isinstance(first, ast.Expr) else None


def same_tree(left: ast.AST, right: ast.AST) -> bool:
    """Whether two programs are the same but for layout, comments and docstrings."""
    todo: list[tuple[Any, Any]] = [(left, right)]
    while todo:
        a, b = todo.pop()
        if type(a) is not type(b):
            return False
        if isinstance(a, ast.AST):
            todo.extend(zip(_parts(a), _parts(b), strict=True))
        elif isinstance(a, list):
            if len(a) != len(b):
                return False
            todo.extend(zip(a, b, strict=True))
        elif a != b:
            return False
    return True


def _parts(node: ast.AST) -> Iterator[Any]:
    """Fields of a node; a body without its docstring is `pass` when nothing is left."""
    for name in node._fields:
        part = getattr(node, name, None)
        if name == "body" and docstring(node) is not None:
            part = node.body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
        yield None if name in _IGNORED else part


def marked(config: Filters, rejected: str, found: Located) -> Located:
    """The same difference; of a repair that only inserts lines the rejected line after the first insertion is D-."""
    if found.diff.minus or config.insertions == "drop":
        return found
    numbers = following(lines_of(rejected), found.diff.plus)
    return Located(Diff(found.diff.plus, numbers), found.chosen, spans(rejected, numbers))


def following(rejected: Sequence[str], plus: Sequence[int]) -> tuple[int, ...]:
    """The first filled line from where lines are missing, or the last one before that; none if all lines are blank."""
    filled = [number for number, line in enumerate(rejected) if line.strip()]
    if not plus or not filled:
        return ()
    return (next((number for number in filled if number >= plus[0]), filled[-1]),)


def sizes(config: Filters, chosen: str, rejected: str) -> Sizes:
    """Lengths of two programs.

    Raises:
        CodeprefError: the tokenizer can not be read.
    """
    if config.tokenizer is None:
        return Sizes(*(-(-len(text) // CHARACTERS_A_TOKEN) for text in (chosen, rejected)))
    both = _tokenizer(config.tokenizer).encode_batch([chosen, rejected], add_special_tokens=False)
    return Sizes(*(len(item.ids) for item in both))


@functools.lru_cache(maxsize=1)
def _tokenizer(path: str) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError:
        remedy = "pip install tokenizers, or leave the key out"
        raise CodeprefError(f"tokenizer={path}: the package `tokenizers` is not installed; {remedy}") from None
    try:
        return Tokenizer.from_str(Path(path).read_text(encoding="utf-8"))
    except Exception as error:  # the package raises nothing narrower
        raise CodeprefError(f"tokenizer={path}: {error}; name a tokenizer.json") from None
