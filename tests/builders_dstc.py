"""Rows of DSTC for tests."""

from builders.dstc.answers import AnswerPair, concatenated
from codepref.records import VerdictCounts


def pair(prompt_id, chosen_code, chosen_test, rejected_code, rejected_test, concatenate=True):
    """A row whose matrix says that the chosen side passes and the rejected one does not."""
    tests = (chosen_test, rejected_test) if concatenate else (None, None)
    return AnswerPair(
        "Write f.",
        concatenated(chosen_code, tests[0]),
        concatenated(rejected_code, tests[1]),
        *(0, 0, 1, 1),
        prompt_id,
        1,
        "Write f.",
        "f",
        chosen_code == rejected_code,
        (1, 1, 1, 1),
        (chosen_code, rejected_code),
        (chosen_test, rejected_test),
        ((True, True), (False, False)),
        (2, 0),
        (1, 1),
        (2.0, 0.0),
        (None, None),
        (None, None),
        None,
        0.3,
        VerdictCounts(2, 2),
        None,
        None,
        None,
    )
