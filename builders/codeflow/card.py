"""What a CodeFlow card tells besides its rows: yields of the rounds, what the filters left out, labels for KTO."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from builders.chain.ask import rows_of
from builders.codeflow.trajectories import History, cumulative
from codepref.publish import plot
from codepref.store import Stage

PAPER = (36.7, 54.7, 61.5, 64.6, 66.3, 67.5)
"""Share of tasks solved after 0 to 5 repairs, in per cent (arXiv 2503.02783, Figure 6)."""


def sections(root: Path, histories: Stage, chain: Sequence[Stage], labels: Stage) -> tuple[tuple[str, str], ...]:
    """Title and Markdown of the card's sections; the plots go to `figures/` of the build folder."""
    return (
        ("Yields of the rounds", solved_by_round(root / "figures", histories)),
        ("What the filters left out", left_out(root / "figures", [stage.summary() for stage in chain])),
        ("Labels of `kto`", class_balance(labels)),
    )


def solved_by_round(folder: Path, histories: Stage) -> str:
    """A table of what is solved after each round, beside the paper's, and a plot."""
    count, solved = cumulative(rows_of(histories, History))
    shares = [100 * number / count for number in solved] if count else []
    series = {"this run": list(enumerate(shares)), "CodeFlow paper": list(enumerate(PAPER))}
    labels = ("repairs", "solved, per cent")
    plot.line_plot(folder / "rounds.png", "Trajectories whose tests all pass", labels, series)
    lines = ["| repairs | solved | of all | paper |", "| --- | --- | --- | --- |"]
    for number in range(max(len(solved), len(PAPER))):
        here = f"{solved[number]:,} | {shares[number]:.1f} %" if number < len(solved) else "- | -"
        lines.append(f"| {number} | {here} | {f'{PAPER[number]:.1f} %' if number < len(PAPER) else '-'} |")
    said = f"Of {count:,} trajectories. The paper's tasks, tests and model are others; its figures are for scale."
    return "\n".join([said, "", *lines, "", "![Solved after each round](figures/rounds.png)"])


def left_out(folder: Path, summaries: Sequence[Mapping[str, Any]]) -> str:
    """A table of rules from trajectories to pairs, in the order in which they are applied, and a plot."""
    (pairs,) = (item for item in summaries if item["stage"] == "pairs")
    counts = {(item["kind"], item["rule"]): item["count"] for item in pairs["excluded"]}
    later = [
        (item["rule"], item["count"])
        for summary in summaries
        if summary["stage"] in ("distinct", "opinions")
        for item in summary["excluded"]
    ]
    rules = [(rule, counts.get(("prompt", rule), 0)) for rule in NO_PAIR]
    rules.append(("no program", sum(count for (kind, _), count in counts.items() if kind == "code")))
    rules += [(rule, counts.get(("pair", rule), 0)) for rule in FILTERED] + later
    kept = next(s["rows_out"] for s in reversed(summaries) if s["stage"] in ("pairs", "distinct", "judged"))
    plot.bar_plot(folder / "filters.png", "Left out, and pairs kept", "number", {**dict(rules), "pairs kept": kept})
    lines = ["| rule | left out |", "| --- | --- |", *(f"| {rule} | {count:,} |" for rule, count in rules)]
    said = "The first four rules leave out trajectories, `no program` versions of solved ones, those that follow pairs."
    return "\n".join([said, "", *lines, f"| pairs kept | {kept:,} |", "", "![Left out](figures/filters.png)"])


NO_PAIR = ("passes at once", "unsolved", "unjudged", "no failing program")
FILTERED = ("empty D-", "comments only", "too many lines", "too long", "same syntax tree")


def class_balance(labels: Stage) -> str:
    """How many completions are desirable and undesirable, and what that asks of a KTO trainer."""
    shards = range(labels.summary()["shards"])
    good = sum(pc.sum(labels.read(index, ["label"])["label"]).as_py() or 0 for index in shards)
    bad = labels.summary()["rows_out"] - good
    if not good or not bad:
        return f"{good:,} desirable, {bad:,} undesirable."
    return (
        f"{good:,} desirable, {bad:,} undesirable: {good / bad:.2f} to 1. KTO wants (desirable weight x {good:,}) : "
        f"(undesirable weight x {bad:,}) between 1:1 and 4:3 (arXiv 2402.01306), so with an undesirable weight of 1 a "
        f"desirable weight of {bad / good:.2f} to {4 * bad / good / 3:.2f}."
    )
