"""How many codes of a finished build define the function that their prompt names, and what to say where they do not."""

import json
from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from codepref.store import Stage, Store, opened

RULE = "no entry point"
NO_PROGRAM = (RULE, "empty", "unfinished thought", "unparseable")
SAMPLED, PROBLEMS = "codes.list.element.finish_reason", "versions.list.element.problem"
"""A column of the stage that holds raw samples; what is wrong with each version of a trajectory, or an empty text."""


@dataclass(frozen=True)
class Defined:
    """Codes of a build, by whether they define their entry point."""

    codes: int
    missing: int
    """Programs that do not define it."""
    useless: int
    """These, and answers that hold no program."""
    name: str
    """The entry point that the first of them lacks."""

    @property
    def none(self) -> bool:
        """Whether no code at all can be run, and a missing entry point is among the reasons."""
        return self.missing > 0 and self.useless >= self.codes

    def __str__(self) -> str:
        """One line on what is wrong, and what to look at."""
        return (
            f"{self.missing:,} of {self.codes:,} codes do not define the entry point of their prompt, e.g. "
            f"{self.name!r}; set entry_point to the name that the codes define, or ask for that name in the prompt"
        )


def count_defined(store: Store) -> Defined:
    """Counts the codes of a finished build, by its manifest. Of large stages one column is read, if any."""
    summaries = json.loads((store.root / "manifest.json").read_text(encoding="utf-8"))["stages"]
    made = [Stage(store.stages / f"{item['stage']}-{item['key']}", item["stage"], item["key"]) for item in summaries]
    histories = [stage for stage in made if _values(stage, PROBLEMS, at_most=1)]
    if histories:
        return _count_versions(histories[-1])
    counts = dict.fromkeys(NO_PROGRAM, 0)
    for item in (item for summary in summaries for item in summary["excluded"] if item["kind"] == "code"):
        counts[item["rule"]] = counts.get(item["rule"], 0) + item["count"]
    if not counts[RULE]:
        return Defined(0, 0, 0, "")
    codes = next((len(values) for stage in made if (values := _values(stage, SAMPLED))), 0)
    lacking = (item.detail for stage in made for item in stage.excluded() if item.rule == RULE)
    return Defined(codes, counts[RULE], sum(counts[rule] for rule in NO_PROGRAM), next(lacking, "").split(" ")[-1])


def _count_versions(stage: Stage) -> Defined:
    problems = _values(stage, PROBLEMS)
    if RULE not in problems:
        return Defined(len(problems), 0, 0, "")
    rows = (row for index in stage.finished() for row in stage.read(index, ["entry_point", "versions"]).to_pylist())
    name = next(row["entry_point"] for row in rows if RULE in [version["problem"] for version in row["versions"]])
    return Defined(len(problems), problems.count(RULE), sum(map(bool, problems)), name)


def _values(stage: Stage, column: str, at_most: int | None = None) -> list[Any]:
    """The values of a column of lists, of the first shards; none where the stage has no such column."""
    found: list[Any] = []
    for path in stage.shards()[:at_most]:
        with pq.ParquetFile(opened(path)) as file:
            if column not in (file.schema.column(place).path for place in range(len(file.schema))):
                return []
            head, _, field = column.partition(".list.element.")
            rows = file.read(columns=[column]).column(head).to_pylist()
        found += [item[field] for row in rows for item in row]
    return found
