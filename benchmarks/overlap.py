"""How well contamination and near-duplicates are found, and what is found by mistake.

    python benchmarks/overlap.py --data ../shared/data

Found: every task of four benchmarks as it is; HumanEval's prompts renamed and reflowed, and as HumanEvalPack's
instructions. By mistake: the project's own prompts and codes, docstrings and code of functions of 25 packages, and
model codes for the tasks of the other benchmark.
"""

import argparse
import ast
import gzip
import json
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from builders.chain import decontaminate  # noqa: E402
from codepref import files, overlap  # noqa: E402
from codepref.benchmarks import DECONTAMINABLE  # noqa: E402
from codepref.stages import Runner  # noqa: E402
from codepref.store import Store  # noqa: E402


def read(path: Path):
    return [row for _, row in files.read_rows(path)]


def perturbed(row: dict[str, str], rng: random.Random):
    """The function renamed, long lines of the docstring broken in two."""
    prompt = re.sub(rf"\b{row['entry_point']}\b", "solve_it", row["prompt"])
    lines = []
    for line in prompt.split("\n"):
        words = line.split(" ")
        if line.startswith(("def", "from", "import")) or len(words) < 6:
            lines.append(line)
        else:
            cut = rng.randrange(2, len(words) - 1)
            lines += [" ".join(words[:cut]), "        " + " ".join(words[cut:])]
    return "\n".join(lines)


def docstring(source: str):
    try:
        return ast.get_docstring(ast.parse(source).body[0]) or ""
    except (SyntaxError, TypeError, IndexError):
        return ""


def found(index: decontaminate.Index, items: list[tuple[str, str]]):
    """Share of (prompt, entry point) items that fall under a rule."""
    hits = sum(index.prompt(*item) is not None for item in items)
    return f"{hits:>6,} of {len(items):>6,}"


def found_codes(index: decontaminate.Index, items: list[tuple[str, str]]):
    hits = sum(index.code(*item) is not None for item in items)
    return f"{hits:>6,} of {len(items):>6,}"


def contamination_lines(data: Path, index: decontaminate.Index):
    bench = data / "benchmarks"
    humaneval = read(bench / "HumanEval.jsonl.gz")
    rng = random.Random(0)
    yield "HumanEval prompts", found(index, [(r["prompt"], r["entry_point"]) for r in humaneval])
    yield "  renamed, reflowed", found(index, [(perturbed(r, rng), "solve_it") for r in humaneval])
    pack = read(data / "humanevalpack_python" / "humanevalpack.jsonl.gz")
    yield "  as instructions", found(index, [(r["instruction"], r["entry_point"]) for r in pack])
    yield "MBPP texts", found(index, [(r["text"], "") for r in read(bench / "mbpp.jsonl.gz")])
    yield (
        "MBPP+ prompts",
        found(index, [(r["prompt"], r["entry_point"]) for r in read(bench / "MbppPlus-v0.2.0.jsonl.gz")]),
    )
    yield "DS-1000 prompts", found(index, [(r["prompt"], "") for r in read(bench / "ds1000.jsonl.gz")])
    big = read(bench / "BigCodeBench-v0.1.4.jsonl.gz")
    for key in ("complete_prompt", "instruct_prompt"):
        yield f"BigCodeBench {key}", found(index, [(r[key], r["entry_point"]) for r in big])
    own = read(ROOT / "builders" / "quickstart" / "generations.jsonl")
    yield "by mistake: quickstart prompts", found(index, [(r["prompt"], r["entry_point"]) for r in own])
    yield "by mistake: quickstart codes", found_codes(index, [(c, r["entry_point"]) for r in own for c in r["codes"]])
    seeds = read(data / "seeds" / "functions.jsonl.gz")
    docs = [(docstring(r["source"]), r["name"]) for r in seeds]
    yield "by mistake: package docstrings", found(index, [(d, name) for d, name in docs if len(d.split()) > 10])
    yield "by mistake: package code", found_codes(index, [(r["source"], r["name"]) for r in seeds])


def cross_lines(data: Path, rules: dict[str, decontaminate.Index]):
    """Codes written for one benchmark, looked for in the other's solutions."""
    with gzip.open(data / "verdicts_evalplus" / "model_outputs.jsonl.gz", "rt") as file:
        outputs = [json.loads(line) for line in file]
    for written, other in (("humaneval", "mbpp"), ("mbpp", "humaneval")):
        codes = [(r["code"], r["entry_point"]) for r in outputs if r["benchmark"].lower() == written]
        yield f"by mistake: codes for {written} in {other}", found_codes(rules[other], codes)


def similarity(a: set, b: set) -> float:
    """Jaccard's: what two sets share, over all they have."""
    return len(a & b) / len(a | b)


def near_duplicate_lines(data: Path):
    tasks = read(data / "benchmarks" / "BigCodeBench-v0.1.4.jsonl.gz") + read(data / "benchmarks" / "ds1000.jsonl.gz")
    texts = [overlap.words(r.get("complete_prompt") or r["prompt"]) for r in tasks]
    start = time.perf_counter()
    signatures = np.stack([overlap.signature(text) for text in texts])
    spent = time.perf_counter() - start
    earlier = overlap.near_duplicates([signatures], len(signatures), 0.7)
    sets = [{tuple(text[i : i + 3]) for i in range(len(text) - 2)} for text in texts]
    pairs = [similarity(sets[i], sets[j]) for i, j in enumerate(earlier) if j >= 0]
    sure = [n for n, words in enumerate(sets) if any(similarity(words, before) >= 0.8 for before in sets[:n])]
    caught = sum(earlier[n] >= 0 for n in sure)
    yield "near-duplicates at 0.8 or more that are found", f"{caught:>6,} of {len(sure):>6,}"
    yield "true similarity of what is found, 5 % / 50 %", "{:.2f} / {:.2f}".format(*np.percentile(pairs, [5, 50]))
    yield "signature of one prompt", f"{1e3 * spent / len(texts):.2f} ms"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    data = parser.parse_args().data
    figures = {}

    def show(lines: Iterator[tuple[str, str]]) -> None:
        for name, value in lines:
            figures[name.strip()] = " ".join(value.split())
            print(f"{name:<50}{value}")

    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(Store(Path(folder)), quiet=True)

        def index(*names: str) -> decontaminate.Index:
            return decontaminate.task_index(decontaminate.gate(runner, names, str(data / "benchmarks")).tasks.path)

        whole = index(*DECONTAMINABLE)
        show(contamination_lines(data, whole))
        show(cross_lines(data, {name: index(name) for name in ("humaneval", "mbpp")}))
        prompts = [(r["prompt"], r["entry_point"]) for r in read(data / "benchmarks" / "HumanEval.jsonl.gz")]
        start = time.perf_counter()
        found(whole, prompts)
        print(f"{'looking up one prompt':<50}{1e3 * (time.perf_counter() - start) / len(prompts):.2f} ms")
    show(near_duplicate_lines(data))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
