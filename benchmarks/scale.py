"""Do time and memory of a build grow with the number of prompts as they should?

    python -m benchmarks.scale [--folder runs/scale] [--prompts 10000,100000,1000000] [--codes 3 --tests 3 --shard 256]

A store of synthetic prompts is made from the quickstart's recordings: their codes and tests are run on each other once,
for real; then every prompt is one of the 22 with half of its words changed, some of its codes and tests, and their
recorded verdicts. One prompt in 50 repeats the one before, one is nearly that. Each stage then runs in a process of its
own, on one core: CPU seconds and wall seconds of the stage, imports excepted, and peak memory of the process. The slope
is that of a line through logarithms: 1 for time that grows as the prompts do, 0 for memory that does not grow.
"""

import argparse
import json
import math
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from codepref.records import Candidates
    from codepref.stages import Runner
    from codepref.store import Stage

VARIANTS, VOCABULARY, TASKS = 40, 4000, 164
Ends = tuple["Runner", Path, Callable[[str], "Stage"]]


def made(runner: "Runner", folder: Path, prompts: int, codes: int, tests: int, shard: int) -> None:
    """Writes recordings.jsonl, tasks.jsonl and the stages `candidates` and `outcomes` of that many prompts."""
    import numpy as np
    import pyarrow as pa

    from codepref.store import Shard

    ready, ran, ends = _variants(folder, codes, tests)
    texts = [text.split(" ") for text in ready["prompt"].to_pylist()]
    names = ready["entry_point"].to_pylist()

    def shards(kept: "pa.Table") -> Iterator[Shard]:
        for start in range(0, prompts, shard):
            ids = pa.array([f"{number:08d}" for number in range(start, min(start + shard, prompts))])
            rows = np.random.default_rng([start, 1]).integers(0, kept.num_rows, len(ids))
            yield Shard(kept.take(rows).set_column(0, "prompt_id", ids))

    runner.source("candidates", shards(ready), {}, prompts)
    runner.source("outcomes", shards(ran), {}, prompts)
    rng = np.random.default_rng(prompts)
    with (folder / "recordings.jsonl").open("w") as file:
        for number in range(prompts):
            row = number % len(texts)
            if number % 50 < 48:
                words, name, end = _changed(rng, texts[row], names[row]), names[row], ends[row]
            elif number % 50 == 49:
                words = ["Please", *words]
            head = {"prompt_id": f"{number * 7919 % prompts:08d}", "prompt": " ".join(words), "entry_point": name}
            file.write(f"{json.dumps(head)[:-1]}, {end}\n")
    tasks = ({"text": " ".join(_changed(rng, texts[row], names[row]))} for row in range(TASKS))
    (folder / "tasks.jsonl").write_text("".join(json.dumps(task) + "\n" for task in tasks))


def _changed(rng: Any, words: list[str], name: str) -> list[str]:
    """The words, half of them replaced, but never the entry point."""
    drawn = rng.integers(0, 2 * VOCABULARY, len(words)).tolist()
    return [word if lot >= VOCABULARY or name in word else f"w{lot}" for word, lot in zip(words, drawn, strict=True)]


def _variants(folder: Path, codes: int, tests: int) -> tuple["pa.Table", "pa.Table", list[str]]:
    """Candidates and outcomes of the quickstart, some codes and tests of each at a time, and the ends of the lines of
    a file of recordings that has them."""
    from dataclasses import replace

    import numpy as np

    from builders.chain import ask, matrix
    from builders.chain import source as chain_source
    from builders.chain.source import SampledSource
    from codepref.records import Candidates, Outcomes, to_table
    from codepref.stages import Runner
    from codepref.store import Store

    runner = Runner(Store(folder / "base"), quiet=True)
    source = str(Path(chain_source.__file__).parent.parent / "quickstart" / "generations.jsonl")
    base = chain_source.candidate_stages(SampledSource(generations=source), runner)[-1]
    ran = runner.map("outcomes", matrix.run_matrices, matrix.Execution(), [base])
    pairs = list(zip(ask.rows_of(base, Candidates), ask.rows_of(ran, Outcomes), strict=True))
    rng, ready, outcomes = np.random.default_rng(0), list[Candidates](), list[Outcomes]()
    for row, cells in pairs * VARIANTS:
        mine = sorted(rng.permutation(len(row.codes))[:codes].tolist())
        those = sorted(rng.permutation(len(row.tests))[:tests].tolist())
        ready.append(replace(row, codes=tuple(row.codes[i] for i in mine), tests=tuple(row.tests[j] for j in those)))
        drawn = [_drawn(part, mine, those) for part in (cells.verdicts, cells.modes, cells.fingerprints)]
        outcomes.append(Outcomes(row.prompt_id, *drawn, stub=tuple(cells.stub[j] for j in those)))
    ends = [_end(row) for row in ready]
    return to_table(ready, Candidates), to_table(outcomes, Outcomes), ends


def _drawn(cells: Sequence[Sequence[str]], codes: list[int], tests: list[int]) -> tuple[tuple[str, ...], ...]:
    """Some rows and columns of a matrix."""
    return tuple(tuple(cells[i][j] for j in tests) for i in codes)


def _end(row: "Candidates") -> str:
    """What a line of recordings has behind its ids."""
    texts = {"codes": [code.code for code in row.codes], "tests": [test.test for test in row.tests]}
    return json.dumps(texts)[1:]


def intake(runner: "Runner", folder: Path, found: Callable[[str], "Stage"], shard: int) -> None:
    """Recorded samples, checked and put in order."""
    from builders.chain import ask

    ask.recorded_stage(runner, str(folder / "recordings.jsonl"), shard, skip_bad=False)


def dedup(runner: "Runner", folder: Path, found: Callable[[str], "Stage"], shard: int) -> None:
    """Stage `unique`."""
    from builders.chain import gates

    gates.keep_unique(runner, gates.Gates(), found("samples"))


def clean(runner: "Runner", folder: Path, found: Callable[[str], "Stage"], shard: int) -> None:
    """Stage `clean`: decontamination against a benchmark of 164 tasks."""
    from builders.chain import decontaminate

    gate = decontaminate.gate(runner, [str(folder / "tasks.jsonl")], None)
    assert gate is not None
    gate.prompts(found("unique"))


def ranking(runner: "Runner", folder: Path, found: Callable[[str], "Stage"], shard: int) -> None:
    """Stage `scores`."""
    from builders.chain import scoring

    runner.map("scores", scoring.score_matrices, scoring.Ranking(), [found("candidates"), found("outcomes")])


def pairs(runner: "Runner", folder: Path, found: Callable[[str], "Stage"], shard: int) -> None:
    """Stage `pairs`."""
    from builders.codedpo import method as codedpo

    inputs = [found(name) for name in ("candidates", "outcomes", "scores")]
    runner.map("pairs", codedpo.pairs, codedpo.PairRule(), inputs)


def distinct(runner: "Runner", folder: Path, found: Callable[[str], "Stage"], shard: int) -> None:
    """The pairs that differ from all earlier ones, as in a build of CodeFlow."""
    from builders.chain import gates

    gates.keep_distinct(runner, "distinct", found("pairs"), ("prompt_id", "chosen", "rejected"), "pair")


def write(runner: "Runner", folder: Path, found: Callable[[str], "Stage"], shard: int) -> None:
    """Dataset, exclusions, manifest and card."""
    from builders.codedpo import method as codedpo
    from codepref.publish import cards, dataset

    chain = [found(name) for name in ("samples", "unique", "candidates", "outcomes", "scores", "pairs")]
    card = cards.Card("scale", "summary", "method", "citation", ("code",), "mit")
    dataset.publish_locally(runner.store, "codedpo", {}, chain, card, {"pairs": (chain[-1], codedpo.Pair)})


STAGES = (intake, dedup, clean, ranking, pairs, distinct, write)
GOALS = {"dedup", "ranking", "pairs", "write"}


def measured(name: str, folder: Path, prompts: int, codes: int, tests: int, shard: int) -> dict[str, Any]:
    """Runs one stage in this process."""
    import datasets  # noqa: F401 - what writing imports, so that memory and time of stages compare

    from builders.chain import decontaminate  # noqa: F401 - as above
    from builders.codedpo import method as codedpo  # noqa: F401 - as above
    from codepref.stages import Runner
    from codepref.store import Stage, Store

    store = Store(folder / "store")
    runner = Runner(store, quiet=True)

    def found(stage: str) -> Stage:
        (path,) = (folder / "store" / "stages").glob(f"{stage}-*")
        return Stage(path, stage, path.name.rpartition("-")[2])

    wall, cpu = time.perf_counter(), time.process_time()
    if name == "made":
        made(runner, folder, prompts, codes, tests, shard)
    elif name != "imports":
        next(stage for stage in STAGES if stage.__name__ == name)(runner, folder, found, shard)
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak is not None
    return {
        "stage": name,
        "prompts": prompts,
        "cpu_s": time.process_time() - cpu,
        "wall_s": time.perf_counter() - wall,
        "peak_mb": int(peak[1]) / 1024,
        "disk_mb": sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6,
    }


def slope(small: dict[str, Any], large: dict[str, Any], key: str) -> float:
    """Of the logarithm of a figure over that of the number of prompts."""
    return math.log(large[key] / small[key]) / math.log(large["prompts"] / small["prompts"])


def table(results: list[dict[str, Any]]) -> str:
    """Every stage at every size, and its slopes from the smallest to the largest."""
    sizes = sorted({row["prompts"] for row in results})
    heads = [f"{size:,}" for size in sizes]
    lines = [
        f"| stage | {' | '.join(f'CPU s, {head}' for head in heads)} | slope | CPU ms a prompt | "
        f"{' | '.join(f'MB, {head}' for head in heads)} | slope |",
        "| --- |" + " ---: |" * (2 * len(sizes) + 3),
    ]
    for name in [stage.__name__ for stage in STAGES]:
        rows = [row for row in results if row["stage"] == name]
        slopes = [f"{slope(rows[0], rows[-1], key):.2f}" if len(rows) > 1 else "-" for key in ("cpu_s", "peak_mb")]
        seconds = " | ".join(f"{row['cpu_s']:.1f}" for row in rows)
        memory = " | ".join(f"{row['peak_mb']:.0f}" for row in rows)
        each = 1000 * rows[-1]["cpu_s"] / rows[-1]["prompts"]
        lines.append(f"| {name} | {seconds} | {slopes[0]} | {each:.3f} | {memory} | {slopes[1]} |")
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("runs/scale"), help="scratch: 6 GB for a million prompts")
    parser.add_argument("--prompts", default="10000,100000,1000000")
    parser.add_argument("--codes", type=int, default=3)
    parser.add_argument("--tests", type=int, default=3)
    parser.add_argument("--shard", type=int, default=256)
    parser.add_argument("--stage", help="run this stage in this process and print its figures")
    arguments = parser.parse_args()
    shape = (arguments.codes, arguments.tests, arguments.shard)
    if arguments.stage:
        print(json.dumps(measured(arguments.stage, arguments.folder, int(arguments.prompts), *shape)))
        return
    results = []
    for prompts in arguments.prompts.split(","):
        folder = arguments.folder / prompts
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("made", "imports", *(stage.__name__ for stage in STAGES)):
            words = ["--folder", folder, "--prompts", prompts, "--stage", name]
            words += [f"--{key}={value}" for key, value in zip(("codes", "tests", "shard"), shape, strict=True)]
            command = [sys.executable, "-m", "benchmarks.scale", *map(str, words)]
            done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
            results.append(json.loads(done.stdout.splitlines()[-1]))
            print(json.dumps(results[-1]), file=sys.stderr, flush=True)
        shutil.rmtree(folder)
    print(table(results))
    print(json.dumps(results))


if __name__ == "__main__":
    main()
