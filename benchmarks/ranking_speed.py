"""How long ranking takes: stored matrices through the real `scores` and `pairs` stage functions, on one core.

    python -m benchmarks.ranking_speed [--prompts 100000] [--rankings combined,self_validation]

Synthetic prompts of 15 codes x 15 tests lie in Parquet shards of 1,000, as a run stores them (a few different shards,
read again and again). Reading, ranking and pairing are timed apart, in CPU seconds of this process; peak memory is
taken after a tenth of the work and at the end: flat means that the two are alike.
"""

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from builders.chain import ranking, scoring
from builders.codedpo.pairs import CodePairRule, pair_extremes
from codepref.records import Candidate, Candidates, Outcomes, Test, to_table

CODES = TESTS = 15
SHARD = 1000
SHARDS = 4


def synthetic(seed: int) -> tuple[pa.Table, pa.Table]:
    """One shard of candidates and outcomes: codes with one of four bugs or none, a quarter of the tests wrong."""
    rng = np.random.default_rng(seed)
    ready, ran = [], []
    for number in range(SHARD):
        name = f"{seed}-{number}"
        bugs = rng.integers(0, 5, CODES)  # 0 is right
        values = np.where(rng.random((5, TESTS))[bugs] < 0.5, bugs[:, None], 0)
        expected = np.where(rng.random(TESTS) < 0.25, rng.integers(1, 7, TESTS), 0)
        codes = (
            Candidate(f"{name}-{i}", f"def f(x):\n    return x + {bug}\n" * 8, i, None, 40 + int(bug))
            for i, bug in enumerate(bugs)
        )
        tests = (Test(f"{name}-{j}", f"assert f({j}) == {value}", j, None) for j, value in enumerate(expected))
        ready.append(Candidates(name, "Write f. " * 40, "f", tuple(codes), tuple(tests)))
        verdicts = np.where(values == expected, "passed", "failed").tolist()
        prints = [[f"{value * 1000 + j:016x}" for j, value in enumerate(line)] for line in values]
        modes = (("plain",) * TESTS,) * CODES
        ran.append(Outcomes(name, tuple(map(tuple, verdicts)), modes, tuple(map(tuple, prints))))
    return to_table(ready, Candidates), to_table(ran, Outcomes)


def timed(seconds: dict[str, float], name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function and adds its CPU time."""
    start = time.process_time()
    result = function(*arguments)
    seconds[name] = seconds.get(name, 0.0) + time.process_time() - start
    return result


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(folder: Path, name: ranking.Name, prompts: int) -> dict[str, Any]:
    """Ranks `prompts` prompts shard by shard."""
    seconds: dict[str, float] = {}
    kept, early, shards = 0, 0.0, prompts // SHARD
    for index in range(shards):
        which = index % SHARDS
        ready, ran = (timed(seconds, "read", pq.read_table, folder / f"{which}.{part}") for part in ("ready", "ran"))
        ranked = timed(seconds, "scores", scoring.score_matrices, scoring.Ranking(name=name), ready, ran).table
        rows = timed(seconds, "pairs", pair_extremes, CodePairRule(), ready, ran, ranked).table
        kept += rows.num_rows
        early = peak_mb() if index == max(0, shards // 10 - 1) else early
    return {
        "ranking": name,
        "prompts": shards * SHARD,
        "pairs_made": kept,
        **seconds,
        "mb_tenth": early,
        "mb_end": peak_mb(),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--prompts", type=int, default=100_000)
    parser.add_argument("--rankings", default="combined,self_validation")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for which in range(SHARDS):
            for part, table in zip(("ready", "ran"), synthetic(which), strict=True):
                pq.write_table(table, Path(folder) / f"{which}.{part}", compression="zstd")
        results = [measure(Path(folder), name, arguments.prompts) for name in arguments.rankings.split(",")]
    print("| ranking | prompts | read s | scores s | pairs s | peak MB at a tenth | at the end |\n" + "|---" * 7 + "|")
    for row in results:
        times = " | ".join(f"{row[key]:.1f}" for key in ("read", "scores", "pairs", "mb_tenth", "mb_end"))
        print(f"| {row['ranking']} | {row['prompts']} | {times} |")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
