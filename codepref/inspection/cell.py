"""One cell of a run's matrix, run again: how its test is judged, what came back, and what that means."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from codepref.errors import CodeprefError
from codepref.inspection.prompt import block, find_rows, gathered, nearest, texts_of
from codepref.inspection.run import Run
from codepref.records import Costs, from_table
from codepref.sandbox import Cell, Limits, Sandbox
from codepref.sandbox.explain import plan_words, trace_words
from codepref.stdin import shown


@dataclass(frozen=True)
class Section:
    """A part of the report."""

    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.title}\n{block(self.text)}" if self.text else self.title


def run_again(run: Run, prompt_id: str, code: int, test: int) -> str:
    """Runs one code on one test, alone, and shows plan, steps, trace and finding beside what the run has stored.

    Args:
        run: The run; it is only read.
        prompt_id: Which prompt.
        code: Number of the code (or version), as `codepref inspect RUN --prompt ID` shows it.
        test: Number of the test.

    Raises:
        CodeprefError: the run knows no such prompt, code or test; or no sandbox can be started.
    """
    known, _ = gathered(run, prompt_id)
    if not known:
        raise CodeprefError(f"{run.root}: no prompt {prompt_id!r} here{nearest(run, prompt_id)}")
    codes = texts_of(known.get("codes") or known.get("versions") or ())
    tests = texts_of(known.get("tests") or ())
    for word, number, texts in (("code", code, codes), ("test", test, tests)):
        if number >= len(texts):
            raise CodeprefError(f"{run.root}: prompt {prompt_id!r} has {len(texts)} {word}s, numbered from 0")
    sections = [Section(f"prompt {prompt_id}, code {code}", codes[code]), Section(f"test {test}", shown(tests[test]))]
    with Sandbox(_limits(run), lane="strict") as sandbox:
        cell, plan, trace = sandbox.run_cell(codes[code], tests[test], known.get("entry_point"))
        layers = ", ".join(sandbox.layers)
    sections += [Section(title, text) for title, text in plan_words(plan)]
    sections.append(Section("trace: what the candidate's process sent back", trace_words(plan, trace)))
    sections += [Section("stored", _stored(run, known, code, test)), Section("now", _finding(cell))]
    sections.append(Section(f"isolation: {layers}", ""))
    return "\n\n".join(map(str, sections))


def _limits(run: Run) -> Limits:
    """The limits the run was made with; those by default where it does not say."""
    given: Mapping[str, Any] = (run.manifest or {}).get("config", {}).get("limits") or {}
    known = {field.name for field in fields(Limits)}
    return Limits(**{name: value for name, value in given.items() if name in known})


def _finding(cell: Cell) -> str:
    lines = [f"{cell.verdict} ({cell.mode}), {cell.cpu_s:.6f} CPU seconds"]
    lines += [f"fingerprint {cell.fingerprint}"] if cell.fingerprint else []
    lines += [f"error: {cell.error}"] if cell.error else []
    return "\n".join(lines)


def _stored(run: Run, known: Mapping[str, Any], code: int, test: int) -> str:
    """Verdict and error of the cell as the run has them; the error where it was measured."""
    verdicts = known.get("verdicts")
    row = verdicts[code] if verdicts else known["versions"][code]["verdicts"]
    if test >= len(row):
        return "not run"
    lines = [str(row[test])]
    error = _stored_error(run, known, code, test)
    lines += [f"error: {error}"] if error else []
    return "\n".join(lines)


def _stored_error(run: Run, known: Mapping[str, Any], code: int, test: int) -> str:
    """The error that was kept beside the matrix; empty where none was, or the method keeps none.

    Later stages may have left tests out, so code and test are looked for by their texts in what was run.
    """
    outcomes = next((stage for stage in run.stages if stage.name == "outcomes" and stage.done), None)
    if outcomes is None:
        return ""
    prompt_id = known["prompt_id"]
    rows, shard = find_rows(run.inputs(outcomes)[0].shards(), prompt_id)
    table = outcomes.measured(shard)
    if not rows or table is None:
        return ""
    row = _place(rows[0]["codes"], known["codes"][code])
    column = _place(rows[0]["tests"], known["tests"][test])
    costs = next((costs for costs in from_table(table, Costs) if costs.prompt_id == prompt_id), None)
    if costs is None or not costs.errors or row is None or column is None:
        return ""
    return costs.errors[row][column]


def _place(items: Sequence[Any], wanted: Any) -> int | None:
    (text,) = texts_of([wanted])
    return next((place for place, found in enumerate(texts_of(items)) if found == text), None)
