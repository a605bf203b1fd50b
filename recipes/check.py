"""Settings of trainings, read and checked as the recipes do it; no model is loaded, no row read, nothing written.

Standard input is a JSON list of [recipe, words], standard output a JSON list of what is wrong with each, or null.
`codepref train RECIPE --check` and `codepref run` ask; one process for all, since loading the libraries takes longest.
"""

import contextlib
import json
import sys
from collections.abc import Sequence

import dpo
import focal_dpo
import kto
import sft

from codepref.errors import CodeprefError

SETTINGS = {"sft": sft.settings, "dpo": dpo.settings, "kto": kto.settings, "focal_dpo": focal_dpo.settings}


def main() -> None:
    """The program."""
    asked = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):  # libraries may speak
        found = [problem(recipe, words) for recipe, words in asked]
    print(json.dumps(found))


def problem(recipe: str, words: Sequence[str]) -> str | None:
    """What a recipe says of its words."""
    try:
        SETTINGS[recipe](words)
    except CodeprefError as error:
        return str(error)
    return None


if __name__ == "__main__":
    main()
