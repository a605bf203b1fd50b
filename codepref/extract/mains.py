"""Whole programs and tests by input and output in a model's answer: what there is where no function is asked for.

A program is taken as it stands, nothing is cut off it: every statement may print. That it prints at all tells it from
the examples of input and output that answers are full of.
"""

import ast
import re
from collections.abc import Iterator

from codepref.extract.markdown import Block, blocks, without_blocks, without_prompts
from codepref.extract.programs import Found
from codepref.extract.stretches import stretches
from codepref.extract.syntax import Rejected, dedented, lines, program, shorten, syntax_error
from codepref.extract.thoughts import spoken
from codepref.stdin import StdinTest, read_test

_PRINTING = frozenset(("print", "stdout", "write", "writelines"))
_ROLE = re.compile(r"\b(in|out)puts?\b", re.IGNORECASE)


def find_main(text: str) -> Found | Rejected:
    """The program in an answer that prints something: all of it, else the last block, else the last stretch of text.

    Rules of what is rejected: `empty`, `unfinished thought`, `unparseable`, `no output`.
    """
    answer = spoken(text)
    if answer is None:
        return Rejected("unfinished thought")
    if not answer.strip():
        return Rejected("empty")
    silent = False
    for found in _in_order(answer):
        tree = program(found.source)
        if tree is not None and prints(tree):
            return found
        silent = silent or (tree is not None and bool(tree.body))
    if silent:
        return Rejected("no output", "nothing in the program prints")
    return Rejected("unparseable", syntax_error(answer) or shorten(answer))


def _in_order(answer: str) -> Iterator[Found]:
    """What may be the program, the likeliest first; an unclosed block may be cut off anywhere, so it comes late."""
    for text in dict.fromkeys((answer, dedented(answer))):
        yield Found(text, "program")
    found = [block for block in blocks(answer) if block.language != "other"]
    found.sort(key=lambda block: (block.closed, block.language == "python", block.first), reverse=True)
    for block in found:
        for text in dict.fromkeys((block.text, dedented(block.text), without_prompts(block.text) or "")):
            yield Found(text, "block")
    rest = without_blocks(answer, [block for block in blocks(answer) if block.language == "other" and block.closed])
    for text in reversed(stretches(rest)):
        yield Found(text, "text")


def prints(tree: ast.Module) -> bool:
    """True if something in a program may write to standard output, as far as names tell."""
    for node in ast.walk(tree):
        name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
        if name in _PRINTING:
            return True
    return False


def stdin_tests(text: str) -> tuple[list[str], list[Rejected]]:
    """The tests by input and output in an answer: blocks that follow the words input and output, or JSON objects.

    Rules of what is rejected: `empty`, `unfinished thought`, `no input and output`.
    """
    answer = spoken(text)
    if answer is None:
        return [], [Rejected("unfinished thought")]
    if not answer.strip():
        return [], [Rejected("empty")]
    found = [StdinTest(given, (printed,)) for given, printed in _pairs(answer)]
    found = found or [test for line in lines(answer) if (test := read_test(line)) is not None]
    rejected = [] if found else [Rejected("no input and output", shorten(answer))]
    return [test.text for test in found], rejected


def _pairs(answer: str) -> Iterator[tuple[str, str]]:
    """Each input with the output that follows it. A block that nothing ends may be cut: it is no output."""
    given: str | None = None
    for role, block in _with_roles(answer):
        if role == "in":
            given = block.text
        elif given is not None and block.closed:
            yield given, block.text
            given = None


def _with_roles(answer: str) -> Iterator[tuple[str, Block]]:
    """Blocks that stand after the word input or output, or have it behind their fence."""
    rows, end = lines(answer), 0
    for block in blocks(answer):
        words = _ROLE.findall("".join(rows[end : block.first + 1]))
        end = block.end
        if words and block.language != "python":
            yield words[-1].lower(), block
