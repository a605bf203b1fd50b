"""What the pages of the documentation hold: blocks, commands, links."""

import functools
import re
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted(
    str(path.relative_to(ROOT))
    for pattern in ("*.md", "docs/*.md", "examples/*.md", "skills/*/SKILL.md", "recipes/README.md")
    for path in ROOT.glob(pattern)
    if path.name not in ("CHANGELOG.md", "LICENSE.md")
)
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")


@functools.cache
def text(page):
    return (ROOT / page).read_text(encoding="utf-8")


def prose(page):
    """A page without its blocks."""
    return BLOCK.sub("", text(page))


def blocks(page, language):
    return [body for kind, body in BLOCK.findall(text(page)) if kind == language]


def commands(page):
    """What a page tells to type, a list of words for each command."""
    for block in blocks(page, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                yield words


def inline_commands(page):
    """Commands with options that stand in the text of a page."""
    for words in re.findall(r"`(codepref \w+ [^`]*--[^`]*)`", prose(page)):
        yield shlex.split(words)


def all_commands(first):
    """(page, words) of every command on any page that begins with a word."""
    return [(page, words) for page in PAGES for words in commands(page) if words[0] == first]


def headings(page):
    """The anchors GitHub gives to a page's headings."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.M)
    plain = [re.sub(r"[^\w\- ]", "", title.lower()) for title in titles]
    return {title.replace(" ", "-") for title in plain}


def links(page):
    """Relative links of a page: where they lead, and the anchor there."""
    for pair in LINK.findall(prose(page)):
        target = "".join(pair)
        if not re.match(r"[a-z]+:", target):
            place, _, anchor = target.partition("#")
            path = (ROOT / page).parent / place if place else ROOT / page
            yield target, path.resolve(), anchor
