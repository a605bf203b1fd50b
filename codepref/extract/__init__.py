"""Code and tests from model text.

Builders, evaluation and training use these same rules, so that what was ranked, what is graded and what is learnt
agree.

1. Marked thoughts go first (`thoughts`); an answer that is only an unfinished thought is no answer.
2. A text that is a program and defines the entry point is the answer (`programs`).
3. Else Markdown is read as CommonMark reads it (`markdown`): of several code blocks the last that defines the entry
   point and is no stub, with what it misses of the others.
4. Else the last stretch of the text that parses and defines the entry point (`stretches`).
5. Else the text, or a block, as a completion of the prompt. A program that relies on imports or helpers of the prompt
   gets them.
6. Of the program everything is kept that the entry point may need (`usage`, `needed`, `names`): prints, checks and
   loops over input provably are not. Where reading can not tell whether the rest can be loaded (`risks`), the sandbox
   does (`choice`).

Tests are single `assert` statements with what they need, or whole test functions (`testing`, `unrolling`).

Where the entry point is empty, a whole program that reads standard input is asked for, and tests by input and output
(`mains`).

Examples in a prompt (`prompt_examples`) are tests, too, whose truth is known.
"""

from codepref.extract.choice import LOADING, Answer, Extracted, extracted
from codepref.extract.markdown import fenced_blocks
from codepref.extract.prompt_examples import examples, given_examples
from codepref.extract.syntax import Rejected, defines, node_count, parse, shape
from codepref.extract.testing import tests
from codepref.extract.thoughts import spoken

__all__ = [
    "LOADING",
    "Answer",
    "Extracted",
    "Rejected",
    "code",
    "defines",
    "examples",
    "extracted",
    "fenced_blocks",
    "given_examples",
    "node_count",
    "parse",
    "shape",
    "spoken",
    "tests",
]


def code(text: str, prompt: str, entry_point: str) -> str | Rejected:
    """The program in a model's answer, by reading alone; `extracted` asks the sandbox where reading can not tell.

    Args:
        text: The answer, raw: a whole program, a Markdown text with one, or a completion of `prompt`.
        prompt: The prompt that was answered.
        entry_point: The function the program must define; empty for a whole program that prints.

    Returns:
        The program, or the rule it fell under: `empty`, `unfinished thought`, `unparseable`, `no entry point`,
        `no output`.
    """
    (found,) = extracted([Answer(text, prompt, entry_point)], None)
    return found if isinstance(found, Rejected) else found.program
