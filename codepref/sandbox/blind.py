"""Finds tests that check nothing the code returns, by playing them with answers that mean nothing."""

from collections.abc import Callable, Sequence
from typing import Any

from codepref.sandbox.play import FIRST_GUESSES, Inseparable, Play, Script, Stop, known_value
from codepref.sandbox.proxies import Hole


class Blank(Play):
    """A play in which the answers mean nothing, taken in turn: for finding tests that check nothing."""

    def __init__(self, answers: Sequence[Callable[[], Any]], clears: bool = False) -> None:
        """`clears`: the code empties every list, dict and set that it is given."""
        super().__init__((), (), False)
        self.blanks, self.clears = answers, clears

    def ask(self, kind: str, operands: list[Any], keywords: dict[str, Any] | None = None, *, own: bool = False) -> Any:
        """The one answer; raises `Stop` for a test that asks for ever."""
        self.asked.append(kind.encode())
        if len(self.asked) > 10 * FIRST_GUESSES:
            raise Stop
        for operand in operands if self.clears else ():
            if type(operand) in (list, dict, set):
                operand.clear()
        return self.blanks[len(self.asked) % len(self.blanks)]()

    def known_name(self, name: str) -> Any:
        """The judge's own."""
        return known_value(name)


class Failing(Blank):
    """A play in which every operation raises."""

    def __init__(self, error: type[Exception]) -> None:
        super().__init__(BLANKS[0])
        self.error_type = error

    def ask(self, kind: str, operands: list[Any], keywords: dict[str, Any] | None = None, *, own: bool = False) -> Any:
        """Raises."""
        raise self.error_type("codepref")


def _untrue() -> Hole:
    return Hole(truth=False)


BLANKS: tuple[tuple[Callable[[], Any], ...], ...] = (
    (_untrue,), (Hole,), (_untrue, Hole), (Hole, _untrue), (lambda: None,), (lambda: 0,), (lambda: 1,), (str,),
    (lambda: [1, 2],), (list,), (dict,),
)  # fmt: skip
"""Answers that mean nothing. A test that all of them pass checks nothing."""
_ERRORS = (ValueError, TypeError, KeyError, IndexError, ZeroDivisionError, RuntimeError)


def is_blind(script: Script) -> bool:
    """True if the test passes whatever the code returns, and no assert of it was passed over on that account."""
    reached: set[int] = set()
    for stage in (*map(Blank, BLANKS), Blank(BLANKS[-1], clears=True)):
        if not _passes(script, stage):
            return False
        reached |= stage.reached
    return reached >= script.asserts and not any(_catches(script, error) for error in _ERRORS)


def _passes(script: Script, stage: Play) -> bool:
    try:
        script.run(stage)
    except (Exception, Stop, Inseparable, SystemExit):
        return False
    return True


def _catches(script: Script, error: type[Exception]) -> bool:
    """True if the test looks at an exception that the code raises."""
    try:
        script.run(Failing(error))
    except AssertionError:
        return True
    except (Exception, Stop, Inseparable, SystemExit):
        return False
    return False
