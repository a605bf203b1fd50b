"""Jinja templates: one environment, in which a name that is not there is an error and never an empty text."""

import functools
from pathlib import Path

import jinja2

from codepref.stdin import shown

_HERE = Path(__file__).parent
CARDS = next(path for path in (_HERE / "model_cards", _HERE.parent / "model_cards") if path.is_dir())
"""Folder of the templates of cards and of the quickstart's page."""


def environment(autoescape: bool = False, folder: Path = CARDS) -> jinja2.Environment:
    """The environment of the templates in a folder; lines that hold only a block leave no line behind."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        undefined=jinja2.StrictUndefined,
        autoescape=autoescape,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@functools.lru_cache(maxsize=16)
def compile_template(text: str) -> jinja2.Template:
    """A template given as text, such as that of a prompt; it knows the filter `shown`, for tests.

    Raises:
        jinja2.TemplateSyntaxError: it is none.
    """
    made = jinja2.Environment(undefined=jinja2.StrictUndefined)
    made.filters["shown"] = shown
    return made.from_string(text)
