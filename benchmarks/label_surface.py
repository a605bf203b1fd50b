"""What more tests buy against more codes: right pairs of every ranking over the numbers of codes and tests.

    python -m benchmarks.label_surface CACHE.parquet [--sizes 5,15,30,100] [--rankings combined,b4] [--draws 4]

CACHE and all options but --codes and --tests are those of `label_quality`. A draw takes all there are where a task has
fewer codes or tests. A cell reads `right pairs per 100 draws (right pairs of 100 pairs of mixed draws)`: the first
counts a draw without a pair as none right, so rankings that abstain are compared fairly; the second is `pair` of
`label_quality`. Executions of a prompt are codes x tests.
"""

import argparse
import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from benchmarks import label_matrix, label_quality
from builders.chain import ranking

SIZES = "5,15,30,100"
RANKINGS = "self_validation,pass_count,dual_agreement,output_consensus,combined,b4,aces_c,aces_o,srank"


def surface(tasks: Sequence[label_matrix.Task], arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for each number of codes, number of tests and ranking."""
    sizes = [int(size) for size in arguments.sizes.split(",")]
    for codes, tests in itertools.product(sizes, sizes):
        draws = label_quality.draw(tasks, argparse.Namespace(**{**vars(arguments), "codes": codes, "tests": tests}))
        total = sum(len(group.task) for group in draws)
        mixed = sum(int((group.right.any(axis=1) & ~group.right.all(axis=1)).sum()) for group in draws)
        for name in arguments.rankings.split(","):
            yield {
                "codes": codes,
                "tests": tests,
                "ranking": name,
                "draws": total,
                "mixed": mixed,
                **_figures(name, draws, arguments),
            }


def _figures(
    name: ranking.Name, draws: Sequence[label_quality.Draws], arguments: argparse.Namespace
) -> dict[str, float]:
    """Right pairs per draw, per mixed draw and per pair of a mixed draw; NaN where there is nothing to count."""
    found = label_quality.pairs(name, draws, arguments.seed, arguments.ties)
    mixed = sum(int((group.right.any(axis=1) & ~group.right.all(axis=1)).sum()) for group in draws)
    right = int(found.right.sum())
    return {
        "per_draw": right / max(found.draws, 1),
        "per_mixed": right / mixed if mixed else float("nan"),
        "pair": float(np.mean(found.right[found.mixed])) if found.mixed.any() else float("nan"),
    }


def lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """One table: a line for each number of codes and tests, a column a ranking, the best of a line in bold."""
    names = list(dict.fromkeys(row["ranking"] for row in rows))
    yield "| codes x tests | mixed draws | " + " | ".join(names) + " |"
    yield "|---" * (len(names) + 2) + "|"
    for shape, group in itertools.groupby(rows, key=lambda row: (row["codes"], row["tests"])):
        mine = list(group)
        best = max(row["per_draw"] for row in mine)
        cells = (_cell(row, row["per_draw"] == best) for row in mine)
        yield f"| {shape[0]} x {shape[1]} | {mine[0]['mixed']} | " + " | ".join(cells) + " |"


def _cell(row: dict[str, Any], best: bool) -> str:
    first = f"{100 * row['per_draw']:.0f}"
    return (f"**{first}**" if best else first) + f" ({100 * row['pair']:.0f})".replace("nan", "-")


def main() -> None:
    """Command line."""
    parser = label_quality.parser_of((__doc__ or "").splitlines()[0])
    parser.add_argument("--ties", choices=label_quality.TIES, default="lot", help="which of equally scored codes")
    parser.add_argument("--sizes", default=SIZES, help="numbers of codes and of tests (%(default)s)")
    parser.add_argument("--rankings", default=RANKINGS)
    parser.set_defaults(draws=4, tasks="all")
    arguments = parser.parse_args()
    tasks = label_quality.tasks_of(arguments)
    rows = list(surface(tasks, arguments))
    print(f"{arguments.tasks} tasks: {len(tasks)}; {arguments.draws} draws each")
    print("\n".join(lines(rows)))
    print(json.dumps(rows).replace("NaN", "null"))


if __name__ == "__main__":
    main()
