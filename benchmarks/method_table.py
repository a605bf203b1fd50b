"""Methods and rankings compared on the tiny model: what was trained on what, and what it gained on held-out tasks.

    python benchmarks/method_table.py FOLDER --bases seed0=CHECKPOINT seed1=DIR ... [--prompts 300] [--only "NAME;..."]
    python benchmarks/method_table.py FOLDER --report

For each base: codes, tests and repairs are drawn from it once (CodeDPO, CodeFlow, DSTC); every ranking reads the same
matrix; every row trains a LoRA adapter on the base with `recipes/`, merges it and evaluates greedily and with 8 samples
at T=0.8 on the 240 held-out tasks of `codepref evaluate tiny`. Finished rows are kept, so the command goes on where it
was. `--report` prints the tables. Intervals are 95 %, from a bootstrap over held-out tasks, the same for all bases.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.method_data import RANKINGS, WITH_TESTS, datasets, efficiency, labels

ROOT = Path(__file__).resolve().parent.parent
RECIPES = ROOT / "recipes"
WAYS = {"greedy": (1, 0.0), "sampled": (8, 0.8)}
"""Name -> samples a task and temperature."""
WAYS_SHOWN = ("sampled", "greedy")
SHOWN = (*WAYS_SHOWN, "tests")
HELD_OUT, TESTS = 240, 4
"""Held-out tasks, and answers with a test that are drawn for each."""


@dataclass(frozen=True)
class Row:
    """One training."""

    name: str
    method: str
    """Recipe; empty for the base itself."""
    data: str
    """Folder or file under the base's folder."""
    options: tuple[tuple[str, str], ...] = ()
    against: str = ""
    """Row that differs in one thing: what that is worth is said by their difference."""


PLAIN, PLAIN_KTO = "DPO+NLL, self_validation", "KTO"
MAX_ENTROPY = "1.5"
"""Bits. Con-DPO's 0.3 is for more codes: the least entropy above 0 of 15 codes is 0.35."""
CON_DPO = (("max_entropy", MAX_ENTROPY), ("label_confidence", "weights"), ("confidence_column", "chosen_consensus"))
LISTENING = (
    Row("soft labels", "dpo", "rank/self_validation", (("label_confidence", "soft"),), PLAIN),
    Row("weights", "dpo", "rank/self_validation", (("label_confidence", "weights"),), PLAIN),
    Row("entropy filter", "dpo", "rank/self_validation", (("max_entropy", MAX_ENTROPY),), PLAIN),
    Row("Con-DPO: filter, weights by consensus", "dpo", "rank/self_validation", CON_DPO, PLAIN),
    Row("errors, rare first", "dpo", "rank/self_validation", (("error_order", "rare_first"),), PLAIN),
    Row("with pairs of tests", "dpo", WITH_TESTS, (), PLAIN),
    Row("KTO, weights", "kto", "rank/self_validation", (("label_confidence", "weights"),), PLAIN_KTO),
)
"""Trainings that listen to what the rows say of their labels: DPO+NLL on the pairs of `self_validation`, and KTO."""
ROWS = (
    Row("untrained", "", ""),
    Row("SFT on the best code", "sft", "rank/self_validation"),
    Row("KTO", "kto", "rank/self_validation"),
    Row("KTO, twice the learning rate", "kto", "rank/self_validation", (("learning_rate", "1.0e-3"),)),
    Row("DPO", "dpo", "rank/self_validation", (("alpha", "0"),)),
    *(Row(f"DPO+NLL, {name}", "dpo", f"rank/{name}") for name in RANKINGS),
    Row("DPO+NLL, hidden truth", "dpo", "rank/truth.jsonl"),
    Row("DPO+NLL, CodeFlow's pairs", "dpo", "codeflow", (("dataset_config", "pairs"), ("num_train_epochs", "3"))),
    Row("focal DPO+NLL, CodeFlow's pairs", "focal_dpo", "codeflow", (("dataset_config", "pairs"),)),
    Row("KTO, DSTC's answers", "kto", "dstc", (("dataset_config", "kto"),)),
    Row("DPO+NLL, combined and efficiency pairs", "dpo", "rank/with_efficiency.jsonl"),
    *LISTENING,
)
SLOW = "DPO+NLL, combined and efficiency pairs"
"""The row that needs times to be measured; made last, and only if it is asked for."""
LONG = 2000
"""Numbers in the lists that programs are timed on."""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bases", nargs="+", default=[], metavar="NAME=CHECKPOINT")
    parser.add_argument("--prompts", type=int, default=300)
    parser.add_argument(
        "--only", help="names of rows, by semicolons; all but the one with efficiency pairs if not given"
    )
    parser.add_argument("--listening", action="store_true", help="only rows that listen, and what they compare with")
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    if arguments.report:
        print(report(arguments.folder))
        return
    wanted = arguments.only.split(";") if arguments.only else [row.name for row in ROWS if row.name != SLOW]
    if arguments.listening:
        wanted = ["untrained", *(name for row in LISTENING for name in (row.against, row.name))]
    for number, base in enumerate(arguments.bases):
        name, _, checkpoint = base.partition("=")
        run_base(arguments.folder / name, checkpoint, number, arguments.prompts, wanted)


def run_base(folder: Path, checkpoint: str, seed: int, prompts: int, wanted: Sequence[str]) -> None:
    """All rows of one base that are not there yet; `results.jsonl` gets a line each."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row for row in ROWS if row.name in wanted]
    datasets(folder, checkpoint, seed, prompts, {row.data for row in rows})
    if SLOW in wanted:
        efficiency(folder, checkpoint)
    done = {line["name"] for line in lines(folder)}
    for row in rows:
        if row.name not in done:
            found = {"base": folder.name, "name": row.name, **one(folder, checkpoint, row)}
            with (folder / "results.jsonl").open("a") as file:
                file.write(json.dumps(found) + "\n")
            print(json.dumps({key: found[key] for key in ("base", "name", "greedy", "sampled")}), flush=True)


def lines(folder: Path) -> list[dict[str, Any]]:
    """Finished rows of a base."""
    path = folder / "results.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def one(folder: Path, checkpoint: str, row: Row) -> dict[str, Any]:
    """Trains one row and evaluates it."""
    place = folder / "rows" / row.name.replace(" ", "_").replace("/", "_")
    found: dict[str, Any] = {}
    if row.method:
        judged = "rank/self_validation" if row.data == WITH_TESTS else row.data  # the codes among them
        found |= labels(folder / judged, dict(row.options).get("dataset_config"))
        began = time.process_time()
        checkpoint = trained(folder, checkpoint, row, place)
        found["train_cpu_s"] = time.process_time() - began
        manifest = json.loads((place / "adapter" / "manifest.json").read_text())
        found["trained_on"] = manifest["checks"]["lengths"]["kept"]
    return found | evaluated(checkpoint, place)


def trained(folder: Path, checkpoint: str, row: Row, place: Path) -> str:
    """A merged checkpoint of base and adapter."""
    import importlib

    import torch

    sys.path.insert(0, str(RECIPES))
    torch.set_num_threads(1)
    import merge

    options = {
        "model_name_or_path": checkpoint, "dataset_name": str(folder / row.data), "output_dir": str(place / "adapter"),
        "disable_tqdm": "true", "logging_steps": "50", "dataset_config": "", **dict(row.options),
    }  # fmt: skip
    words = [word for key, value in options.items() if value for word in (f"--{key}", value)]
    config = str(RECIPES / "tiny" / f"{row.method}_lora.yaml")
    if not options["dataset_config"] and row.method == "kto":
        words += ["--dataset_config", "correctness"]
    importlib.import_module(row.method).main(["--config", config, *words])
    merge.merge(place / "adapter", place / "merged", "float32", "trained")
    return str(place / "merged")


def evaluated(checkpoint: str, place: Path) -> dict[str, Any]:
    """Share of right samples of every held-out task, and pass@1, both ways."""
    from evaluation import results
    from evaluation.ask import AskedModel
    from evaluation.catalogue import benchmark
    from evaluation.run import Options, run_benchmark

    found: dict[str, Any] = {"checkpoint": checkpoint, "tasks": {}}
    for way, (n, temperature) in WAYS.items():
        model = AskedModel(checkpoint, "tiny", n=n, temperature=temperature)
        scored = run_benchmark(benchmark("tiny"), Options(place / way, model=model, workers=1, quiet=True))
        counted = results.counts(results.read_verdicts(place / way / "tiny" / "verdicts.jsonl"), "verdict")
        found[way] = scored["score"]["pass@1"]["value"]
        found[f"{way}_groups"] = {name: part["pass@1"]["value"] for name, part in scored["by_group"].items()}
        found["tasks"][way] = [right / n for n, right in counted.values()]
    found["tasks"]["tests"] = right_tests(checkpoint, place)
    return found


def right_tests(checkpoint: str, place: Path) -> list[float]:
    """Of every held-out task, the share of right ones among the different tests the model writes for it at T=0.4."""
    from codepref.extract import tests as tests_of
    from codepref.generate import Request, Sampling
    from codepref.generate.cache import Cache
    from codepref.generate.tiny.backend import TinyConfig, TinyGenerator
    from codepref.generate.tiny.tasks import ENTRY_POINT, tasks
    from evaluation import tiny

    chosen = tasks("heldout", HELD_OUT, 0)
    with Cache(place / "tests.sqlite") as cache:
        model = TinyGenerator(TinyConfig(checkpoint), Sampling(max_tokens=96), cache)
        answers = model.generate([Request(task.task_id, "test", task.prompt, n=TESTS) for task in chosen])
    texts = [[test for answer in row for test in tests_of(answer.text, ENTRY_POINT)[0]] for row in answers]
    distinct = [list(dict.fromkeys(some)) for some in texts]
    passed = tiny.ragged([([task.reference], some) for task, some in zip(chosen, distinct, strict=True)])
    return [float(matrix.mean()) if matrix.size else 0.0 for matrix in passed]


def report(folder: Path) -> str:
    """Tables over bases, and how label precision and gain go together."""
    bases = {}
    for path in sorted(folder.glob("*/results.jsonl")):
        bases[path.parent.name] = {row["name"]: row for row in lines(path.parent)}
    parts = [_evidence(folder, bases), _table(bases), _listening(bases), _correlation(bases), _speeds(folder, bases)]
    return "\n\n".join(part for part in parts if part)


Bases = Mapping[str, Mapping[str, Mapping[str, Any]]]


def _evidence(folder: Path, bases: Bases) -> str:
    head = "| base | programs right | tests right | AUC of self-validation |\n|---|---|---|---|"
    rows = [head]
    for name in bases:
        found = json.loads((folder / name / "evidence.json").read_text())
        rows.append(
            f"| {name} | {_shown(found['codes_right'])} | {_shown(found['tests_right'])} | {found['auc']:.3f} |"
        )
    return "\n".join(rows)


def _table(bases: Bases) -> str:
    names = list(bases)
    columns = ["row", "pairs", "right", *(f"{name}: T=0.8, greedy" for name in names), "mean gain T=0.8", "greedy"]
    rows = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for row in ROWS:
        have = [name for name in names if row.name in bases[name]]
        if have:
            found = [bases[name][row.name] for name in have]
            count = f"{np.mean([each['pairs'] for each in found]):.0f}" if row.method else ""
            share = f"{np.mean([each['right'][0] for each in found]):.2f}" if row.method else ""
            cells = [_pair_of(bases[name].get(row.name)) for name in names]
            gains = [_shown(_gain(bases, have, row.name, way), signed=True) if row.method else "" for way in WAYS_SHOWN]
            rows.append(f"| {' | '.join([row.name, count, share, *cells, *gains])} |")
    return "\n".join(rows)


def _listening(bases: Bases) -> str:
    """What trainings that listen gain over those that do not, on the same pairs; and in tests that are right."""
    heads = ("row", "against", "bases", "pairs", "T=0.8", "greedy", "tests right")
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for row in LISTENING:
        have = [name for name in bases if row.name in bases[name] and row.against in bases[name]]
        if have:
            pairs = np.mean([bases[name][row.name]["trained_on"] for name in have])
            gains = [_said(_differences(bases, have, row.name, way, row.against).mean(0)) for way in SHOWN]
            rows.append(f"| {' | '.join([row.name, row.against, str(len(have)), f'{pairs:.0f}', *gains])} |")
    return "\n".join(rows) if len(rows) > 2 else ""


def _said(differences: np.ndarray) -> str:
    """The mean with its interval; where that holds 0, no difference was seen."""
    mean, low, high = _interval(differences)
    verdict = "no difference: " if low <= 0 <= high else ""
    return verdict + _shown([mean, low, high], signed=True)


def _pair_of(found: Mapping[str, Any] | None) -> str:
    return "-" if found is None else f"{found['sampled']:.3f}, {found['greedy']:.3f}"


def _gain(bases: Bases, names: Sequence[str], row: str, way: str) -> list[float]:
    """Mean over bases of the gain over the untrained base, with its interval over held-out tasks."""
    return _interval(_differences(bases, names, row, way).mean(0))


def _differences(bases: Bases, names: Sequence[str], row: str, way: str, against: str = "untrained") -> np.ndarray:
    """(bases, tasks)"""
    return np.array([np.subtract(bases[n][row]["tasks"][way], bases[n][against]["tasks"][way]) for n in names])


def _interval(values: np.ndarray) -> list[float]:
    means = values[_draws(len(values))].mean(1)
    return [float(values.mean()), *map(float, np.percentile(means, [2.5, 97.5]))]


def _draws(n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, n, (2000, n))


def _shown(values: Sequence[float], signed: bool = False) -> str:
    mean, low, high = values
    return f"{mean:+.3f} [{low:+.3f}, {high:+.3f}]" if signed else f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def _correlation(bases: Bases) -> str:
    """Spearman's correlation over rankings of what labels are worth with gain: each base by itself and their mean.

    Nothing where a base has less than three rankings.
    """
    if any(len(_ranked(bases[base])) < 3 for base in bases):
        return ""
    worth = {
        "share of right pairs": lambda row: row["right"][0],
        "number of right pairs": lambda row: row["right"][0] * row["pairs"],
    }
    return "\n".join(_correlated(bases, way, word, value) for word, value in worth.items() for way in WAYS_SHOWN)


def _ranked(rows: Mapping[str, Any]) -> list[str]:
    """The rows of a base that differ in their ranking alone."""
    names = [f"DPO+NLL, {ranking}" for ranking in (*RANKINGS, "hidden truth")]
    return [name for name in names if name in rows]


def _correlated(bases: Bases, way: str, word: str, value: Callable[[Mapping[str, Any]], float]) -> str:
    each, resampled = [], []
    for base in bases:
        there = _ranked(bases[base])
        labels_ = np.array([value(bases[base][name]) for name in there])
        gains = np.array([_differences(bases, [base], name, way)[0] for name in there])
        each.append(spearman(labels_, gains.mean(1)))
        resampled.append([spearman(labels_, gains[:, draw].mean(1)) for draw in _draws(gains.shape[1])[:500]])
    low, high = np.percentile(np.mean(resampled, 0), [2.5, 97.5])
    listed = ", ".join(f"{base} {found:.2f}" for base, found in zip(bases, each, strict=True))
    return f"- {word} and {way} gain: {np.mean(each):.2f} [{low:.2f}, {high:.2f}] ({listed})"


def _speeds(folder: Path, bases: Bases) -> str:
    """How much faster right programs are than the base's, with and without efficiency pairs, on tasks both solve."""
    heads = ("row", "base", "tasks both solve", "speed-up, geometric mean", ">= 10 % faster", ">= 10 % slower")
    rows = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for name in ("DPO+NLL, combined", SLOW):
        for base in bases:
            if name in bases[base]:
                ratios = speed(folder / base, name)
                mean = _shown([float(np.exp(edge)) for edge in _interval(np.log(ratios))])
                shares = [f"{(ratios >= 1 / 0.9).mean():.2f}", f"{(ratios <= 0.9).mean():.2f}"]
                rows.append(f"| {' | '.join([name, base, str(len(ratios)), mean, *shares])} |")
    return "\n".join(rows) if len(rows) > 2 else ""


def speed(folder: Path, name: str) -> np.ndarray:
    """CPU time of the base's greedy programs over a row's, on long inputs, where both are right: (tasks,)."""
    import random
    from dataclasses import replace

    from codepref.files import read_rows
    from codepref.sandbox.calls import callers
    from evaluation import efficiency, tiny
    from evaluation.benchmark import Settings
    from evaluation.grade import inputs

    places = [folder / "rows" / each.replace(" ", "_") / "greedy" / "tiny" for each in ("untrained", name)]
    programs, right = [], []
    for place in places:
        programs.append({row["task_id"]: row["solution"] for _, row in read_rows(place / "samples.jsonl")})
        verdicts = {row["task_id"]: row["verdict"] for _, row in read_rows(place / "verdicts.jsonl")}
        right.append({task_id for task_id, verdict in verdicts.items() if verdict == "passed"})
    rng = random.Random(0)
    long = [[[rng.randint(-20, 20) for _ in range(LONG)]] for _ in range(3)]
    work = []
    for problem in tiny.load(None):
        if problem.task_id in set.intersection(*right):
            asked = replace(problem, row={"base_input": [], "plus_input": long})
            work.append((asked, *(found[problem.task_id] for found in programs)))
    costs = callers(work, efficiency.measure, inputs.calling_limits(Settings()), workers=2)
    return np.array([efficiency.ratio(*cost) for cost in costs])


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation; ties share their mean rank."""
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    return np.array([(values < value).sum() + (values == value).sum() / 2 for value in values])


if __name__ == "__main__":
    main()
