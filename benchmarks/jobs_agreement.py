"""Do verdicts of HumanEval+ and MBPP+ depend on the number of jobs or on the load of the machine?

    python benchmarks/jobs_agreement.py DATA [--outputs N] [--burners N]

Outputs of eight models (DATA as for evalplus_speed.py) are graded by `codepref evaluate` three times: at one job, at
one job and at two jobs while busy loops compete for the cores. Prints one JSON line a benchmark: the samples whose
verdict, base verdict, plus verdict or error is not the same in all three. The exit code is 1 if there are any.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from evalplus_speed import FILES, command, prepare, timed
from load_agreement import load

WORDS = ("verdict", "base_verdict", "plus_verdict", "error")


def verdicts(name: str, used: Path, samples: Path, folder: Path, jobs: int) -> dict[str, list[str]]:
    """Words of every sample, from a run that grades all of them anew."""
    out = folder / f"out-{len(list(folder.iterdir()))}"
    timed(*command(name, used, samples, out, folder / "cache", jobs))
    rows = map(json.loads, (out / f"{name}_plus" / "verdicts.jsonl").read_text().splitlines())
    return {f"{row['task_id']}#{row['sample']}": [row[word] for word in WORDS] for row in rows}


def compared(name: str, data: Path, folder: Path, outputs: int | None, burners: int) -> bool:
    """Prints the line of one benchmark; true if all verdicts agree."""
    used, samples = prepare(data, name, folder)
    lines = samples.read_text().splitlines(keepends=True)
    samples.write_text("".join(lines[:outputs]))
    runs = [verdicts(name, used, samples, folder, 1)]
    with load(burners):
        runs += [verdicts(name, used, samples, folder, jobs) for jobs in (1, 2)]
    different = {}
    for key, first in runs[0].items():
        found = [run[key] for run in runs]
        if any(words != first for words in found):
            different[key] = found
    row = {"benchmark": f"{name}_plus", "samples": len(runs[0]), "burners": burners, "different": different}
    print(json.dumps(row), flush=True)
    return not different


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--outputs", type=int, help="only the first N outputs of each benchmark")
    parser.add_argument("--burners", type=int, default=(os.cpu_count() or 1) + 1, help="busy loops (%(default)s)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        places = {name: Path(folder) / name for name in FILES}
        for place in places.values():
            place.mkdir()
        same = [compared(name, args.data, place, args.outputs, args.burners) for name, place in places.items()]
    return int(not all(same))


if __name__ == "__main__":
    sys.exit(main())
