"""The text in a pickle, read without running it: a pickle is a program, and may do anything to whoever runs it."""

import pickletools

TEXTS = frozenset(("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"))
HARMLESS = frozenset(("PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"))
"""What may stand beside a text: a version, a length, a number under which the text is remembered."""


MOST_BESIDE = 100
"""Of these; a pickle that packs to nothing may hold millions."""


def pickled_text(data: bytes) -> str:
    """The text that a pickle of one text holds.

    Raises:
        ValueError: it holds anything else, or is none.
    """
    text: str | None = None
    for number, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if opcode.name in TEXTS and text is None:
            text = str(argument)
        elif opcode.name == "STOP" and text is not None:
            return text
        elif opcode.name not in HARMLESS or number > MOST_BESIDE:
            raise ValueError(f"a pickle that is more than a text: {opcode.name}")
    raise ValueError("a pickle without an end")
