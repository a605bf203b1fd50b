"""Says in words how a cell is judged: the plan of its test, the operations, the answers. For people to read."""

from typing import Any

from codepref.sandbox.plan import DIRECT, KINDS, STDIN, Plan
from codepref.sandbox.trial import Trace
from codepref.sandbox.value import Item
from codepref.sandbox.worker import wire
from codepref.sandbox.worker.wire import Malformed, World

SHOWN = 2000
"""Characters of an answer."""


class _Numbers(dict[int, Any]):
    """Every object is known, by its number."""

    def __contains__(self, number: object) -> bool:
        return True

    def __missing__(self, number: int) -> Any:
        return Item("object", number)


class _Reading(World):
    """Makes words of what is no plain data."""

    def __init__(self) -> None:
        self.known = _Numbers()

    def keep(self, value: Any, number: int) -> Any:
        """Numbers are of no interest here."""
        return value

    def made(self, name: str, parts: Any) -> Any:
        """The name and the parts."""
        return Item(name, parts)

    def object(self, number: int, type_name: str, flags: int) -> Any:
        """Its number and type."""
        return Item(type_name, number)

    def named(self, name: str) -> Any:
        """The name."""
        return Item("name", name)


def _words(value: Any) -> str:
    if isinstance(value, Item):
        return str(value.parts) if value.name == "name" else f"<{value.name} {_words(value.parts)}>"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(map(_words, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    return repr(value)


def _read(data: bytes) -> Any:
    return wire.decode(data, _Reading())


def operation_words(operation: bytes) -> str:
    """An operation as a line, such as `call: f, 1`."""
    try:
        kind, operands, keywords, _ = _read(operation)
    except (Malformed, ValueError, TypeError):
        return "?"
    arguments = [*map(_words, operands), *(f"{name}={_words(value)}" for name, value in keywords.items())]
    return f"{kind}: {', '.join(arguments)}"[:SHOWN]


def answer_words(data: bytes | None, whole: bool) -> str:
    """A value, or an answer `(outcome, value, changes)`, as a line. `whole`: the value itself was sent."""
    if data is None:
        return "an object that is no plain data"
    try:
        value = _read(data)
        if whole:
            return _words(value)[:SHOWN]
        outcome, content, changes = value
    except (Malformed, ValueError, TypeError):
        return "?"
    said = f"raised {content[1]}: {content[2]}" if outcome else _words(content)
    return (f"{said}, and changed {_words(changes)}" if changes else said)[:SHOWN]


def plan_words(plan: Plan) -> list[tuple[str, str]]:
    """Title and text of the sections on a plan."""
    steps = [operation_words(step) if mode == "op" else f"{mode}: {step}" for mode, step in plan.steps]
    sections = [(f"plan: {plan.kind}", KINDS.get(plan.kind, ""))]
    sections.append(("steps, in the candidate's process", "\n".join(steps)))
    if plan.condition:
        sections.append(("condition, outside of it", plan.condition))
    if plan.kind == STDIN:
        sections.append(("expected, outside of it", plan.expected.blocks(SHOWN)))
    elif plan.expected is not None:
        sections.append(("expected", repr(plan.expected)))
    return sections


def trace_words(plan: Plan, trace: Trace) -> str:
    """What the candidate's process sent back."""
    lines = [f"state {trace.state}, {trace.cpu_s:.6f} CPU seconds"]
    for number, value in enumerate(trace.values):
        if plan.kind == STDIN:
            lines.append(f"printed: {(value or b'').decode(errors='replace')[:SHOWN]!r}")
        else:
            lines.append(f"value {number}: {answer_words(value, plan.kind in DIRECT)}")
    if trace.note:
        lines.append(f"note: {trace.note.decode(errors='replace')}")
    return "\n".join(lines)
