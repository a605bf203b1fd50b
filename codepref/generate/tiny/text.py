"""How the tiny model is spoken to.

    code:    PROMPT program <|end|>
    tests:   PROMPT <|test|> assert statements <|end|>
    repair:  PROMPT <|code|> wrong program <|fail|> failing assert <|fix|> program <|end|>

A bare prompt asks for a program, so a dataset's `prompt` and `chosen` are, one after the other, what the model was
trained on, and no template stands between them.
"""

NONE, PAD, END = "<|none|>", "<|pad|>", "<|end|>"
TEST, CODE, FAIL, FIX = "<|test|>", "<|code|>", "<|fail|>", "<|fix|>"
SPECIAL = (NONE, PAD, END, TEST, CODE, FAIL, FIX)
"""In the order of their ids. Id 0 is never used: `pad_token_id or eos_token_id`, as some code has it, would take it for
no id at all."""


def code_prompt(prompt: str) -> str:
    """What asks for a program."""
    return prompt


def test_prompt(prompt: str) -> str:
    """What asks for tests."""
    return prompt + TEST


def repair_prompt(prompt: str, program: str, failing: str) -> str:
    """What asks for a program that passes a test which `program` fails."""
    return f"{prompt}{CODE}{program}{FAIL}{failing}{FIX}"
