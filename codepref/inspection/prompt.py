"""One prompt's way through a run, as text: prompt, codes, tests, matrix, scores, pairs."""

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from codepref.errors import CodeprefError
from codepref.inspection.run import Run, table
from codepref.stdin import shown
from codepref.store import opened

SIGNS = {
    "passed": "+",
    "failed": "-",
    "timeout": "t",
    "memory": "m",
    "output": "o",
    "crashed": "c",
    "unjudged": "?",
}
"""One letter a verdict."""
RED, GREEN, PLAIN = "\x1b[31m", "\x1b[32m", "\x1b[0m"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def trace(run: Run, prompt_id: str, colour: bool = False) -> str:
    """Everything a run holds about one prompt, as far as its method has it.

    Args:
        run: The run.
        prompt_id: Which prompt.
        colour: Whether the difference of chosen and rejected is coloured.

    Raises:
        CodeprefError: the run knows no such prompt.
    """
    known, pairs = gathered(run, prompt_id)
    left_out = [item for stage in run.stages for item in stage.excluded() if item.prompt_id == prompt_id]
    if not known and not left_out:
        raise CodeprefError(f"{run.root}: no prompt {prompt_id!r} here{nearest(run, prompt_id)}")
    parts = [_prompt(prompt_id, known)]
    programs = known.get("codes") or known.get("versions") or ()
    codes, tests = texts_of(programs), texts_of(known.get("tests") or ())
    sides = {row[f"{side}_id"]: side for _, row in pairs[:1] for side in ("rejected", "chosen") if f"{side}_id" in row}
    marks = [sides.get(item.get("code_id"), "") if isinstance(item, dict) else "" for item in programs]
    parts += [_listed("code", codes, marks), _listed("test", [shown(test) for test in tests], [""] * len(tests))]
    examples = [shown(test) for test in known.get("examples") or ()]
    parts.append(_listed("example", examples, [""] * len(examples)))
    parts.append(_matrix(known, marks))
    rows = [
        (e.stage, e.kind, e.rule, "" if e.item is None else str(e.item), printable(e.detail)[:60]) for e in left_out
    ]
    parts.append(table(("left out by", "kind", "rule", "sample", ""), rows, left=3, right=4) if rows else "")
    parts += [_pair(name, row, colour) for name, row in pairs]
    return "\n\n".join(part for part in parts if part)


def gathered(run: Run, prompt_id: str) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """What the stages say of a prompt, later ones over earlier ones; and its rows of the dataset, or what will be."""
    known: dict[str, Any] = {}
    pairs: list[tuple[str, dict[str, Any]]] = []
    place = 0
    for stage in run.stages:
        rows, place = find_rows(stage.shards(), prompt_id, place)
        if rows and "chosen" in rows[0]:
            # a later stage may only have checked a pair
            pairs = [pair for pair in pairs if not any(_same(pair[1], row) for row in rows)]
            pairs += [(stage.name, row) for row in rows]
        elif rows:
            known.update(rows[0], prompt=known.get("prompt", rows[0].get("prompt")))
    if run.manifest and not any(stage.path.is_dir() for stage in run.stages):
        for name, part in run.manifest["dataset"].items():
            rows, _ = find_rows([run.root / item["file"] for item in part["files"]], prompt_id)
            pairs += [(name, row) for row in rows]
            if rows:
                known = {**rows[0], "verdicts": rows[0].get("matrix"), **known}
    return known, pairs


def _same(row: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return (row["chosen"], row["rejected"]) == (other["chosen"], other["rejected"])


def find_rows(files: Sequence[Path], prompt_id: str, near: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The rows of a prompt and the place of their file, if there are any.

    Args:
        files: Where they may be, all in one.
        prompt_id: Which prompt.
        near: Place to begin at: most stages have a prompt in the same shard as the stage before.
    """
    for place in sorted(range(len(files)), key=lambda place: abs(place - near)):
        if files[place].exists() and "prompt_id" in (file := pq.ParquetFile(opened(files[place]))).schema_arrow.names:
            ids = file.read(["prompt_id"])["prompt_id"].to_pylist()
            if prompt_id in ids:
                table = file.read().take([n for n, name in enumerate(ids) if name == prompt_id])
                return table.to_pylist(), place
    return [], near


def nearest(run: Run, prompt_id: str) -> str:
    """The known id that is most like this one, or else any, as the end of a sentence."""
    named = (path for path in run.files() if "prompt_id" in pq.read_schema(opened(path)).names)
    ids = {
        name for path in named for name in pq.read_table(opened(path), columns=["prompt_id"])["prompt_id"].to_pylist()
    }
    match = difflib.get_close_matches(prompt_id, ids, n=1)
    if match:
        return f"; did you mean {match[0]!r}?"
    return f"; one of its {len(ids):,} is {min(ids)!r}" if ids else ""


def _prompt(prompt_id: str, known: Mapping[str, Any]) -> str:
    about = [str(known[key]) for key in ("entry_point", "source", "licence", "generator") if known.get(key)]
    head = f"prompt {prompt_id}" + (f" ({', '.join(about)})" if about else "")
    return f"{head}\n{block(known['prompt'])}" if known.get("prompt") else head


def texts_of(items: Sequence[Any]) -> list[str]:
    """Programs or tests of a row, whatever record they are in."""
    return [_text_of(item) for item in items]


def _text_of(item: Any) -> str:
    if not isinstance(item, dict):
        return str(item)
    return str(item.get("code") or item.get("test") or item.get("text") or "")


def _listed(word: str, texts: Sequence[str], marks: Sequence[str]) -> str:
    return "\n".join(
        f"{word} {index}{f' ({mark})' if mark else ''}\n{block(text)}"
        for index, (text, mark) in enumerate(zip(texts, marks, strict=True))
    )


def block(text: str) -> str:
    """A model's text, set in by four places."""
    return "\n".join(f"    {line}".rstrip() for line in printable(text).rstrip().split("\n"))


def printable(text: str) -> str:
    """A model's text with control characters spelled out: they would act on the terminal."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def _matrix(known: Mapping[str, Any], marks: Sequence[str]) -> str:
    verdicts = known.get("verdicts") or [version["verdicts"] for version in known.get("versions") or ()]
    if not any(verdicts):
        return ""
    told = known.get("example_verdicts") or [()] * len(verdicts)
    rows = [[*row, *cells] for row, cells in zip(verdicts, told, strict=True)]
    signs = [[_sign(cell) for cell in row] for row in rows]
    met = {cell for row in rows for cell in row if isinstance(cell, str)}
    key = ", ".join(f"{SIGNS[word]} {word}" for word in SIGNS if word in met) or "+ passed, - not passed"
    scores = known.get("code_scores") or [math.nan] * len(signs)
    marks = marks if len(marks) == len(signs) else [""] * len(signs)
    numbers = [*map(str, range(max(map(len, verdicts)))), *(f"e{number}" for number in range(len(told[0])))]
    key += "; e: examples" if told[0] else ""
    lines = [f"matrix: codes down, tests across ({key})", _row("", numbers, "score", "")]
    lines += [_row(str(i), row, _number(scores[i]), marks[i]) for i, row in enumerate(signs)]
    if known.get("test_scores"):
        lines.append("scores of the tests: " + ", ".join(map(_number, known["test_scores"])))
    return "\n".join(lines)


def _sign(cell: str | bool) -> str:
    return SIGNS.get(cell, "?") if isinstance(cell, str) else "+" if cell else "-"


def _row(name: str, cells: Sequence[str], score: str, mark: str) -> str:
    return f"{name:>6}  {''.join(f'{cell:>3}' for cell in cells)}  {score:>10}  {mark}".rstrip()


def _number(value: Any) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.4g}"


def _pair(name: str, row: Mapping[str, Any], colour: bool) -> str:
    plain = {
        key: f"{value:.6g}" if isinstance(value, float) else str(value)
        for key, value in row.items()
        if isinstance(value, int | float | bool)
    }
    head = f"{name}: " + ", ".join(f"{key} {value}" for key, value in plain.items())
    before, after = (printable(row.get(side) or "").splitlines() for side in ("rejected", "chosen"))
    lines = difflib.unified_diff(before, after, "rejected", "chosen", lineterm="", n=len(before) + len(after))
    return "\n".join([head, *(_coloured(line) if colour else line for line in lines)])


def _coloured(line: str) -> str:
    paint = {"-": RED, "+": GREEN}.get(line[:1])
    return f"{paint}{line}{PLAIN}" if paint else line
