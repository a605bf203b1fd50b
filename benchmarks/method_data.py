"""What the rows of the method table are trained on: datasets of a tiny model's own samples, and how right they are."""

import functools
import importlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / "builders" / "configs"
RANKINGS = ("random", "all_pass", "pass_count", "self_validation", "dual_agreement", "output_consensus", "combined")
PAIRS = 5
"""Pairs of one prompt at most, for every ranking and the truth."""
WITH_TESTS = "rank/with_tests.jsonl"
"""Pairs of codes and pairs of tests, those of `self_validation`."""


def datasets(folder: Path, checkpoint: str, seed: int, prompts: int, wanted: set[str]) -> None:
    """What rows are trained on: CodeDPO, CodeFlow and DSTC from the base's own samples, rankings, pairs by truth.

    Args:
        folder: The base's.
        checkpoint: The base.
        seed: Of the tasks.
        prompts: How many.
        wanted: Data of the rows that are to be trained.
    """
    from builders.codedpo import method as codedpo
    from codepref.commands.quickstart import truth
    from codepref.commands.tiny import prompt_row
    from codepref.generate.tiny.tasks import tasks
    from codepref.inspection import run as inspection

    path = folder / "prompts.jsonl"
    if not path.exists():
        path.write_text(
            "".join(json.dumps(prompt_row(task, truth=False)) + "\n" for task in tasks("build", prompts, seed))
        )
    build(folder, "codedpo", checkpoint, ["test_pairs=true", "training_columns=true", f"pairs_per_prompt={PAIRS}"])
    for method in ("codeflow", "dstc"):
        if method in wanted:
            build(folder, method, checkpoint, [])
    run = inspection.read_run(folder / "codedpo")
    for name in RANKINGS:
        needed = f"rank/{name}" in wanted or (name == "self_validation" and WITH_TESTS in wanted)
        if needed and not (folder / "rank" / name / "README.md").exists():
            codedpo.rerank(run, name, (), folder / "rank" / name)
    if WITH_TESTS in wanted:
        source = folder / "rank" / "self_validation"
        together([(source, "correctness"), (source, "tests")], folder / WITH_TESTS)
    if "rank/truth.jsonl" in wanted and not (folder / "rank" / "truth.jsonl").exists():
        ready = run.inputs(run.stage("pairs"))[0]
        (folder / "rank" / "truth.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in true_pairs(ready)))
    if not (folder / "evidence.json").exists():
        (folder / "evidence.json").write_text(json.dumps(asdict(truth.evidence_of(folder / "codedpo"))))


def build(folder: Path, method: str, checkpoint: str, extra: Sequence[str]) -> None:
    """One dataset; what CodeDPO's samples answer is not drawn again."""
    from codepref import config
    from codepref.stages import locked_runner

    out, known = folder / method, folder / "codedpo" / "requests.sqlite"
    out.mkdir(exist_ok=True)
    if known.exists() and not (out / known.name).exists():
        shutil.copy(known, out / known.name)
    builder = importlib.import_module(f"builders.{method}.method")
    given = [f"prompts={folder / 'prompts.jsonl'}", f"generation.tiny.checkpoint={checkpoint}", *extra]
    settings = config.load(builder.Config, CONFIGS / method / "tiny.yaml", given)
    with locked_runner(out, workers=2, quiet=True) as runner:
        builder.build(settings, runner)


def true_pairs(ready: Any) -> Iterator[dict[str, str]]:
    """Right over wrong programs by the hidden tests: what no ranking can beat. As many a prompt as for a ranking."""
    from evaluation import tiny

    rows = [row for index in range(len(ready.shards())) for row in ready.read(index).to_pylist()]
    work = [(row["prompt"], list(dict.fromkeys(code["code"] for code in row["codes"]))) for row in rows]
    for (prompt, codes), right in zip(work, tiny.right(work), strict=True):
        judged = list(zip(codes, right, strict=True))
        good = [code for code, is_right in judged if is_right]
        bad = [code for code, is_right in judged if not is_right]
        for chosen, rejected in list(zip(good, bad, strict=False))[:PAIRS]:
            yield {"prompt": prompt, "chosen": chosen, "rejected": rejected}


def efficiency(folder: Path, checkpoint: str) -> None:
    """Adds the pairs of fast over slow code of `combined` to its correctness pairs."""
    path = folder / "rank" / "with_efficiency.jsonl"
    if path.exists():
        return
    extra = [f"pairs_per_prompt={PAIRS}", "ranking=combined", "efficiency.enabled=true", "efficiency.share=0.4"]
    build(folder, "codedpo", checkpoint, extra)
    together([(folder / "codedpo", "correctness"), (folder / "codedpo", "efficiency")], path)


def together(parts: Sequence[tuple[Path, str]], path: Path) -> None:
    """Puts pairs of several datasets (folder and config) into one file, unless it is there."""
    from datasets import load_dataset

    if path.exists():
        return
    rows = []
    for folder, name in parts:
        part = load_dataset(str(folder), name, split="train")
        rows += [{"prompt": row["prompt"], "chosen": row["chosen"], "rejected": row["rejected"]} for row in part]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@functools.cache
def labels(path: Path, config: str | None) -> dict[str, Any]:
    """How many pairs there are, and how often they are right."""
    from datasets import load_dataset

    from codepref.commands.quickstart import truth

    if path.suffix == ".jsonl":
        pairs = [json.loads(line) for line in path.read_text().splitlines()]
    else:
        loaded = load_dataset(str(path), "dpo" if config == "kto" else config, split="train")
        pairs = list(loaded.select_columns(["prompt", "chosen", "rejected"]))
    return asdict(truth.label_truth(pairs))
