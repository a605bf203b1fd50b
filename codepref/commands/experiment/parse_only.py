"""Reads the words of recipes as the recipes do, and stops there: a program of its own, as recipes are.

Standard input is a JSON list of [recipe, words]; standard output a JSON list of what is wrong with each, or null.
"""

import contextlib
import importlib
import json
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from codepref.commands.options import RECIPES
from codepref.errors import CodeprefError


class _Parsed(Exception):
    """The words were read: nothing else is to be done."""


def main() -> None:
    """The program."""
    sys.path.insert(0, str(RECIPES))
    asked = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):  # libraries may speak
        arguments: Any = importlib.import_module("arguments")
        parse = arguments.parse

        def stop(*given: Any) -> NoReturn:
            parse(*given)
            raise _Parsed

        arguments.parse = stop
        found = [_problem(recipe, words) for recipe, words in asked]
    print(json.dumps(found))


def _problem(recipe: str, words: Sequence[str]) -> str | None:
    """What a recipe says of its words before it does anything."""
    try:
        importlib.import_module(recipe).main(words)
    except _Parsed:
        return None
    except CodeprefError as error:
        return str(error)
    return None


if __name__ == "__main__":
    main()
