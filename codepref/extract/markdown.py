"""The code blocks of a Markdown text, read as CommonMark reads them."""

import functools
import re
from dataclasses import dataclass
from typing import Literal

from markdown_it import MarkdownIt

from codepref.extract.syntax import lines, parse

Language = Literal["python", "none", "other"]

_PYTHON = re.compile(r"i?py(?:thon)?[\d.]*(?:[-_](?:repl|code|script|exec))?|pycon|tool_code|sage|jupyter|code-cell")
_NO_LANGUAGE = frozenset(("", "text", "txt", "plain", "plaintext", "code", "none", "output", "solution", "answer"))
_MARKDOWN = frozenset(("markdown", "md", "mdx", "gfm", "rst"))
_OTHER = frozenset((
    "actionscript", "ada", "apex", "applescript", "asm", "assembly", "awk", "bash", "bat", "batch", "c", "c#",
    "c++", "c99", "clojure", "cmake", "cmd", "cobol", "coffee", "coffeescript", "console", "cpp", "crystal", "cs",
    "csharp", "css", "csv", "cuda", "cxx", "d", "dart", "delphi", "diff", "docker", "dockerfile", "dot", "elixir",
    "elm", "erlang", "f#", "fish", "fortran", "fsharp", "go", "golang", "gradle", "graphql", "groovy", "h",
    "haskell", "hpp", "html", "http", "ini", "java", "javascript", "jinja", "js", "json", "json5", "jsonc", "jsonl",
    "jsx", "julia", "kotlin", "kt", "latex", "less", "lisp", "log", "lua", "make", "makefile", "math",
    "mathematica", "matlab", "mermaid", "mysql", "nim", "nix", "node", "objc", "objective-c", "ocaml", "octave",
    "pascal", "patch", "perl", "perl6", "php", "pl", "plsql", "postgresql", "powershell", "proto", "prolog", "ps1",
    "pseudo", "pseudocode", "puppet", "purescript", "r", "racket", "raku", "rb", "regex", "rs", "ruby", "rust",
    "sass", "scala", "scheme", "scss", "sh", "shell", "shellscript", "solidity", "sql", "sqlite", "stata", "svg",
    "swift", "systemverilog", "tcl", "terminal", "tex", "toml", "ts", "tsx", "typescript", "v", "vb", "vba",
    "vbnet", "verilog", "vhdl", "vim", "vue", "wasm", "xml", "yaml", "yml", "zig", "zsh",
))  # fmt: skip
_FENCE_LINE = re.compile(r"^[ \t>]*(`{3,}|~{3,})[ \t]*$")
_GLUED = re.compile(r"(?P<fence>`{3,})[ \t]*[\w.+-]*[ \t]*$")
_BEGUN = re.compile(r"(?P<fence>[ \t>]*`{3,}[ \t]*[\w.+-]+)[ \t]+(?P<code>(?:async[ ]|def|class|import|from|@)[^`\n]*)")
_ON_ONE_LINE = re.compile(
    r"(?P<mark>`{1,4})(?!`)[ \t]*(?P<tag>i?py(?:thon)?[\d.]*[ \t]+)?(?P<code>[^`\n]+)(?P=mark)(?!`)"
)
_SESSION = re.compile(r"^[ \t]*(?:>>> ?|\.\.\.(?: |$)|In ?\[\d*\]: ?| {3}\.\.\.: ?)", re.M)


@dataclass(frozen=True)
class Block:
    """A code block."""

    language: Language
    text: str
    first: int
    """Number of the first line of the block in the text, its fence included, from 0."""
    end: int
    """Number of the line after the block."""
    closed: bool
    """Whether a fence ends it; an unclosed one goes to the end of what it stands in."""


@functools.cache
def _parser() -> MarkdownIt:
    """Blocks alone: what stands inside a line is not looked at, and HTML is text, as answers wrap code in tags."""
    parser = MarkdownIt("commonmark").disable("html_block")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def blocks(text: str, depth: int = 2) -> list[Block]:
    """The code blocks of a text in order, those in lists, quotes and blocks of Markdown included.

    Args:
        text: Markdown.
        depth: How many blocks of Markdown may stand in each other.
    """
    rows = lines(text)
    found: list[Block] = []
    for token in _parser().parse(text):
        if token.type not in ("fence", "code_block") or token.map is None:
            continue
        first, end = token.map
        last = _FENCE_LINE.match(rows[end - 1]) if 0 < end <= len(rows) and end - 1 > first else None
        closed = token.type == "code_block" or (last is not None and last[1].startswith(token.markup))
        inner = _inner(token.info, token.content, depth)
        if inner:
            found += [Block(block.language, block.text, first, end, block.closed) for block in inner]
        else:
            found.append(Block(language(token.info), token.content, first, end, closed))
    return found


def _inner(info: str, content: str, depth: int) -> list[Block]:
    """The blocks in a block that holds Markdown, by its tag, or because it has fences and is no Python."""
    tag = _word(info)
    if depth == 0 or (tag not in _MARKDOWN and not (language(info) == "none" and parse(content) is None)):
        return []
    return [block for block in blocks(content, depth - 1) if block.language != "none" or "```" in content]


def language(info: str) -> Language:
    """What the text after an opening fence says of the language; unknown words say nothing."""
    word = _word(info)
    if _PYTHON.fullmatch(word):
        return "python"
    return "other" if word in _OTHER or word in _MARKDOWN else "none"


def _word(info: str) -> str:
    """The first word of the text after an opening fence: `{.python}`, `python:add.py` and `Python title=x` alike."""
    return re.split(r"[\s:,;={}()\[\]]+", info.strip().strip("{}[]().").lower().lstrip("."), maxsplit=1)[0]


def fenced_blocks(text: str) -> list[str]:
    """Contents of the code blocks of a text that say Python or say nothing; an unclosed one counts."""
    return [block.text for block in blocks(text) if block.language != "other"]


def unglued(text: str) -> str:
    """The text with fences on lines of their own: those at the end of a line of prose or code, or before code."""
    return "".join(_unglued(row) if "```" in row else row for row in lines(text))


def _unglued(row: str) -> str:
    start = row.find("```")
    head, fence = row[:start], row[start:].rstrip()
    if head.strip(" \t>") and _GLUED.fullmatch(fence):
        return f"{head.rstrip()}\n{fence}\n"
    begun = _BEGUN.match(row)
    return f"{begun['fence']}\n{row[begun.start('code') :]}" if begun else row


def one_liners(text: str) -> list[str]:
    """Code that stands between backticks within one line."""
    return [match["code"].strip() for match in _ON_ONE_LINE.finditer(text)]


def without_prompts(text: str) -> str | None:
    """The lines typed in an interactive session, or None where the text is none."""
    rows = [row for row in lines(text) if _SESSION.match(row)]
    return (
        "".join(_SESSION.sub("", row) for row in rows) if any(">>>" in row or "In [" in row for row in rows) else None
    )


def across_fences(text: str, block: Block) -> list[str]:
    """Longer readings of a block: up to each later fence line, for blocks whose code holds a fence in a string."""
    rows = lines(text)
    ends = [number for number in range(block.end, len(rows)) if _FENCE_LINE.match(rows[number])]
    return ["".join(rows[block.first + 1 : end]) for end in ends[:20]]


def without_blocks(text: str, taken: list[Block]) -> str:
    """The text outside the given blocks; an empty line with a fence stands for each."""
    rows = lines(text)
    for block in taken:
        for number in range(block.first, min(block.end, len(rows))):
            rows[number] = "```\n"
    return "".join(rows)
