"""What a run leaves behind: `verdicts.jsonl` as it goes, then `results.json`, `summary.md`, a plot, and a submission.

`results.json` has one schema for every benchmark; scores are shares in [0, 1] with 95 % intervals over problems.
"""

import collections
import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from codepref.errors import CodeprefError
from codepref.files import BadLine, json_lines
from evaluation import figure
from evaluation.benchmark import Graded, Problem
from evaluation.samples import GradedSample, writable, write_text
from evaluation.score import INTERVAL, pass_at_ks
from evaluation.window import window_in_words

SCHEMA = 1
Row = dict[str, Any]
"""One line of `verdicts.jsonl`."""


def verdict_row(sample: GradedSample, graded: Graded, digest: str) -> Row:
    """The line of one sample; `digest` says which program was judged."""
    line: Row = {"task_id": sample.task_id, "sample": sample.index, "verdict": graded.verdict}
    if (graded.base_verdict, graded.plus_verdict) != (None, None):
        line |= {"base_verdict": graded.base_verdict, "plus_verdict": graded.plus_verdict}
    line |= {"mode": graded.mode, "cpu_s": round(graded.cpu_s, 6), "error": writable(graded.error), "program": digest}
    if sample.rule:
        line["extraction"] = sample.rule
    if sample.cut:
        line["cut"] = True
    return line


def read_verdicts(path: Path) -> list[Row]:
    """Lines of a `verdicts.jsonl`; a last line that was cut off by a kill is left out."""
    if not path.exists():
        return []
    found: list[Row] = []
    bad: BadLine | None = None
    for _, line in json_lines(path):
        if bad is not None:
            raise CodeprefError(f"{bad.path}:{bad.line}: {bad.problem}; remove the file to grade again")
        if isinstance(line, BadLine):
            bad = line
        else:
            found.append(line)
    return found


def counts(rows: Iterable[Row], key: str) -> dict[str, tuple[int, int]]:
    """Samples and right ones of every task."""
    found: dict[str, tuple[int, int]] = {}
    for line in rows:
        n, c = found.get(line["task_id"], (0, 0))
        found[line["task_id"]] = n + 1, c + (line.get(key) == "passed")
    return found


OUTPUTS = ("results.json", "summary.md", "verdicts.jsonl", "samples.jsonl", "samples.raw.jsonl", "eval_results.json")
OURS = ("verdicts.jsonl", "samples.raw.jsonl", "requests.sqlite")
"""What lies in a folder that a run wrote to, from its first minutes on."""


def refuse_overwriting(folder: Path, inputs: Iterable[Path | None]) -> None:
    """Raises `CodeprefError` where a run in this folder would write over a file that is no run's, or that it reads."""
    there = [folder / name for name in OUTPUTS if (folder / name).exists()]
    for path in inputs:
        if path is not None and path.exists() and any(path.samefile(output) for output in there):
            raise CodeprefError(f"{path}: the run would write over this file, which it reads; give another --out")
    if there and not any((folder / name).exists() for name in OURS):
        raise CodeprefError(f"{there[0]}: this file is of no run, and a run would write over it; give another --out")


def result(
    name: str, problems: Sequence[Problem], rows: Sequence[Row], ks: Sequence[int], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """The content of `results.json`, with pass@k for `ks`.

    Raises `CodeprefError` when a program is unjudged: that is no score.
    """
    unjudged = [line["task_id"] for line in rows if line["verdict"] == "unjudged"]
    if unjudged:
        raise CodeprefError(f"{name}: {len(unjudged)} programs could not be judged ({unjudged[0]} ...); run it again")
    keys = {"score": "verdict"} | ({"base": "base_verdict"} if any(line.get("base_verdict") for line in rows) else {})
    parts = {part: _scores(counts(rows, key), ks) for part, key in keys.items()}
    by_group = _by_group({problem.task_id: problem.groups for problem in problems}, rows, ks)
    found = counts(rows, "verdict")
    return {
        "schema": SCHEMA,
        "benchmark": name,
        "problems": len(found),
        "samples": len(rows),
        **parts,
        "interval": INTERVAL,
        "by_group": by_group,
        "verdicts": dict(sorted(collections.Counter(line["verdict"] for line in rows).items())),
        "errors": dict(
            collections.Counter(_error_class(line["error"]) for line in rows if line["error"]).most_common(12)
        ),
        "extraction": dict(
            collections.Counter(line["extraction"] for line in rows if line.get("extraction")).most_common()
        ),
        "modes": dict(sorted(collections.Counter(line["mode"] for line in rows).items())),
        "cpu_s": round(sum(line["cpu_s"] for line in rows), 3),
        **facts,
    }


def _by_group(groups: Mapping[str, Sequence[str]], rows: Sequence[Row], ks: Sequence[int]) -> dict[str, Any]:
    """Scores of every group that has rows, in the order of their names."""
    members: dict[str, list[Row]] = {}
    for line in rows:
        for group in groups.get(line["task_id"], ()):
            members.setdefault(group, []).append(line)
    return {group: _scores(counts(members[group], "verdict"), ks) for group in sorted(members)}


def _scores(found: Mapping[str, tuple[int, int]], ks: Sequence[int]) -> dict[str, Any]:
    rounded = {}
    for name, score in pass_at_ks(list(found.values()), ks).items():
        rounded[name] = {key: round(value, 6) for key, value in dataclasses.asdict(score).items()}
    return rounded


def _error_class(error: str) -> str:
    return error.partition(":")[0].strip()[:60]


def write_results(folder: Path, found: Mapping[str, Any]) -> None:
    """Writes `results.json`, `summary.md` and `figures/score.svg`."""
    write_text(folder / "results.json", json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    write_text(folder / "summary.md", results_text(found))
    shown = {
        "all": found["score"],
        **({"original tests": found["base"]} if "base" in found else {}),
        **found["by_group"],
    }
    title = f"{found['benchmark']}{_part_in_words(found, ', ')}: pass@1 with 95 % intervals"
    first = {name: scores["pass@1"] for name, scores in shown.items()}
    write_text(folder / "figures" / "score.svg", figure.score_bars(title, first))


def results_text(found: Mapping[str, Any]) -> str:
    """The run as Markdown."""
    lines = [f"# {found['benchmark']}", ""]
    lines += [f"Model: {found['model']}", ""] if found.get("model") else []
    lines += ["| tests | " + " | ".join(found["score"]) + " |", "| --- |" + " --- |" * len(found["score"])]
    titles = {"score": "all tests" if "base" in found else "tests", "base": "original tests"}
    rows = [(title, found[key]) for key, title in titles.items() if key in found]
    for title, scores in [*rows, *found["by_group"].items()]:
        lines.append(f"| {title} | " + " | ".join(percent(score) for score in scores.values()) + " |")
    lines += ["", f"Intervals: {found['interval']}.", *_limits_in_words(found)]
    lines += [f"Only tasks published {window_in_words(found['window'])}."] if found.get("window") else []
    part = _part_in_words(found, "")
    if part:
        lines.append(f"**{part}** ({found['partial']['why']}): no score of {found['benchmark']}.")
    lines.append(f"{found['samples']} samples of {found['problems']} problems.")
    lines += [f"Verdicts: {_listed(found['verdicts'])}."]
    lines += [f"Errors: {_listed(found['errors'])}."] if found["errors"] else []
    lines += [f"Programs taken from answers: {_listed(found['extraction'])}."] if found.get("extraction") else []
    lines.append(_references_in_words(found["references"]))
    if found["modes"].get("official"):
        lines.append("Mode `official`: the tests ran beside the programs, as upstream's do.")
    lines += [f"- {note}" for note in found.get("notes", [])]
    lines += ["", f"Fingerprint `{found['fingerprint']['id']}`; its parts are in results.json.", ""]
    return "\n".join(lines)


def _references_in_words(gate: Mapping[str, Any]) -> str:
    if not gate["run"]:
        return "References: the data set has none."
    return f"References: {gate['passed']} of {gate['run']} pass{_failing(gate)}."


def _part_in_words(found: Mapping[str, Any], before: str) -> str:
    """`16 of 164 problems`, or nothing for the whole benchmark."""
    part = found["partial"]
    return f"{before}{part['problems']} of {part['of']} problems" if part else ""


def _limits_in_words(found: Mapping[str, Any]) -> list[str]:
    count = found["cut_answers"]
    if count is None:
        return []
    if not found.get("model"):
        return [f"Cut off at the token limit: {count} of {found['samples']} answers."]
    limit = f"Cut off at the limit of {found['fingerprint']['max_tokens']} tokens"
    more = "; --max-tokens raises it" if count else ""
    return [f"{limit}: {count} of {found['samples']} answers{more}."]


def _failing(gate: Mapping[str, Any]) -> str:
    return f"; not: {', '.join(gate['failed'])}" if gate["failed"] else ""


def _listed(values: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in values.items())


def percent(score: Mapping[str, float]) -> str:
    """A score with its interval, in per cent."""
    return f"{100 * score['value']:.1f} [{100 * score['low']:.1f}, {100 * score['high']:.1f}]"


_WORDS = {"passed": "pass", "timeout": "timeout"}


def submission(folder: Path, samples: Sequence[GradedSample], rows: Sequence[Row], found: Mapping[str, Any]) -> None:
    """Writes `eval_results.json` in the form of EvalPlus' and BigCodeBench's own evaluators."""
    verdicts = {(line["task_id"], line["sample"]): line for line in rows}
    listed: dict[str, list[dict[str, Any]]] = {}
    for sample in samples:
        line = verdicts[sample.task_id, sample.index]
        entry: dict[str, Any] = {"task_id": sample.task_id, "solution": sample.program}
        if "plus_verdict" in line:
            for part in ("base", "plus"):
                entry[f"{part}_status"] = _WORDS.get(line[f"{part}_verdict"], "fail")
                entry[f"{part}_fail_tests"] = []
        else:
            entry |= {
                "status": _WORDS.get(line["verdict"], "fail"),
                "details": {"ALL": line["error"]} if line["error"] else {},
            }
        listed.setdefault(sample.task_id, []).append(entry)
    scores = {}
    for key, part in (("base", "base"), ("plus", "score")):
        if part in found:
            scores[key] = {name: score["value"] for name, score in found[part].items()}
    content = {"date": found["date"], "hash": found["fingerprint"]["dataset"], "eval": listed, "pass_at_k": scores}
    write_text(folder / "eval_results.json", json.dumps(content, ensure_ascii=False) + "\n")
