"""What a build of N prompts takes: the plan of the configuration's own input, multiplied, at rates that were measured.

CPU is measured on this machine when it is asked for: the programs and tests of the quickstart are taken out of their
samples and run on each other, about five seconds of work. What a GPU or a price list says is assumed, and said so.
"""

import json
import math
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builders.chain import ask, dry_run, matrix
from builders.chain.ask import Generation
from builders.chain.dry_run import BuildPlan
from codepref.errors import CodeprefError
from codepref.generate.recorded import read_recordings
from codepref.records import Candidates, Samples, from_table, to_table
from codepref.sandbox import Job, Limits, Sandbox

QUICKSTART = Path(__file__).parent.parent / "quickstart" / "generations.jsonl"
STAGES_CPU_S = 0.0006
"""CPU seconds a prompt in intake, dedup, ranking, pairs and dataset together, with 3 codes and 3 tests; measured by:
python -m benchmarks.scale --prompts 10000. More of them take more, little beside running them."""
BYTES_A_SAMPLE, BYTES_A_CELL = 460, 16
"""Bytes on disk, in stages and dataset together, for each code or answer with tests and for each execution; sizes of:
codepref build codedpo --config builders/configs/codedpo/quickstart.yaml --set gates.duplicates=true \\
    --set shard_size=22 --out runs/sizes; du -b runs/sizes"""
SCRATCH, SCRATCH_A_SAMPLE = 900, 250
"""Bytes in TMPDIR: of a prompt while near-duplicates are looked for (signature, bands and id); of a recorded sample
while recordings are put in order, as in the quickstart's file."""
MANY_SHARDS = 10_000


@dataclass(frozen=True)
class Rates:
    """What this machine does."""

    cell_s: float
    """CPU seconds of one execution in the sandbox, its start included."""
    sample_s: float
    """CPU seconds to take code or tests out of one sample."""
    words: str
    """How they were measured."""


def estimate_build(
    plan: BuildPlan, prompts: int, config: Any, out: Path | None = None, rates: Rates | None = None
) -> str:
    """Requests, tokens, executions, hours, disk and money for a number of prompts, in words for people.

    Args:
        plan: What a build of the configuration's own input would ask and run.
        prompts: How many prompts are to pass the gates.
        config: The configuration; says what a GPU gives and how large shards are.
        out: Folder of a finished run of this configuration, for bytes a prompt; None or not there: constants.
        rates: By default measured here, now.

    Raises:
        CodeprefError: the input holds no prompt that a build would get to, or `out` is no folder of a build.
    """
    if not plan.prompts:
        raise CodeprefError("estimate: no prompt of the input gets past the gates, so there is nothing to judge by")
    disk, disk_words = _disk(plan, out)  # looked at first: it may be wrong
    rates = rates or measured_rates(config.limits)
    times = prompts * plan.rounds / plan.prompts
    cells = times * plan.cells
    cpu_s = cells * rates.cell_s + prompts * plan.rounds * (plan.samples * rates.sample_s + STAGES_CPU_S)
    asked, assumed = _asked(plan, times, getattr(config, "generation", None))
    shards, shard_words = _shards(prompts, config.shard_size)
    figures = {
        **asked,
        "executions": f"{cells:,.0f}",
        "CPU-hours": f"{cpu_s / 3600:,.1f}  on one core; divide by the cores you have",
        **_gpu(plan, times, config),
        "disk": f"{prompts * plan.rounds * disk / 1e9:,.1f} GB, and {prompts * _scratch(plan) / 1e9:,.1f} GB in TMPDIR",
        "shards": f"{shards:,}{shard_words}",
        **_money(plan, times),
    }
    said = {
        "plan": f"{plan.prompts:,} prompts of this configuration's input, {plan.samples:.1f} samples each; what gates "
        "leave out comes on top",
        "executions": f"{1000 * rates.cell_s:.3f} CPU ms each, {rates.words}",
        "samples": f"{1000 * rates.sample_s:.3f} CPU ms each to take code or tests out, measured with them",
        "stages": f"{1000 * STAGES_CPU_S:.1f} CPU ms a prompt for all others (benchmarks/results/scale.md)",
        "disk": disk_words,
        **assumed,
    }
    return "\n".join(
        [
            f"estimate for {prompts:,} prompts; nothing was asked or written",
            *(f"{name:<18}{value}" for name, value in figures.items()),
            "judged by",
            *(f"  {name:<16}{value}" for name, value in said.items()),
            *(f"  {remark}" for remark in plan.remarks),
        ]
    )


def _job(row: Candidates) -> Job:
    return Job(row.prompt_id, tuple(code.code for code in row.codes), tuple(test.test for test in row.tests))


def measured_rates(limits: Limits) -> Rates:
    """Runs the quickstart's programs on its tests; CPU seconds of this process and of those it started."""
    recordings, _ = read_recordings(QUICKSTART)
    rows = to_table(map(ask.sampled, recordings), Samples)
    start = _cpu_s()
    ready = list(from_table(matrix.select_candidates(matrix.Selection(), rows).table, Candidates))
    taken = _cpu_s()
    with Sandbox(limits) as sandbox:
        jobs = [_job(row) for row in ready]
        cells = [cell for made in sandbox.run_many(jobs) for line in made.cells for cell in line]
    ran = _cpu_s()  # the sandbox is closed: its processes have been waited for
    count = sum(len(row.codes) + len(row.tests) for row in ready)
    endless = sum(cell.verdict == "timeout" for cell in cells)
    words = f"measured here and now: {len(cells):,} of the quickstart, {endless} of them endless"
    return Rates((ran - taken) / len(cells), (taken - start) / count, words)


def _cpu_s() -> float:
    both = (resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in both)


def _asked(plan: BuildPlan, times: float, generation: Generation | None) -> tuple[dict[str, str], dict[str, str]]:
    """Figures of what is asked, and what they rest on."""
    if not plan.works or generation is None:
        return {"requests": "0  the samples are recorded"}, {}
    work = dry_run.total(plan.works)
    figures = {
        "requests": f"{times * work.requests:,.0f}",
        "prompt tokens": f"{times * work.prompt_tokens:,.0f}",
        "completion tokens": f"{times * work.completion_tokens:,.0f}, at most {times * work.most:,.0f}",
    }
    return figures, {"tokens": f"assumed: {dry_run.assumed()}"}


def _gpu(plan: BuildPlan, times: float, config: Any) -> dict[str, str]:
    if not plan.works:
        return {}
    rate = config.generation.gpu_tokens_per_second
    hours = times * dry_run.total(plan.works).completion_tokens / rate / 3600
    words = f"if you serve the model: {rate:,.0f} completion tokens a second and GPU"
    return {"GPU-hours": f"{hours:,.1f}  {words}, assumed; --set generation.gpu_tokens_per_second=N"}


def _money(plan: BuildPlan, times: float) -> dict[str, str]:
    if not plan.works:
        return {"money": "0  nothing is asked"}
    if plan.price is None:
        return {"money": "not known; --set 'generation.price_per_million={prompt: P, completion: C}'"}
    work = dry_run.total(plan.works)
    usual, most = (times * dry_run.cost(work, plan.price, n) for n in (work.completion_tokens, work.most))
    rate = f"at {plan.price.prompt:g} / {plan.price.completion:g} a million tokens"
    return {"money": f"{usual:,.2f}, at most {most:,.2f}  {rate}"}


def _disk(plan: BuildPlan, out: Path | None) -> tuple[float, str]:
    """Bytes a prompt on disk, and where that comes from."""
    if out is None or not out.exists():
        answers = dry_run.CHARACTERS_A_TOKEN * dry_run.total(plan.works).completion_tokens if plan.works else 0
        each = plan.samples * BYTES_A_SAMPLE + (plan.cells * BYTES_A_CELL + answers) / plan.prompts
        words = f"{BYTES_A_SAMPLE} bytes a sample, {BYTES_A_CELL} an execution, as in the quickstart"
        return each, words + (", and all answers in requests.sqlite" if plan.works else "")
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    prompts = _prompts(out)
    return size / prompts, f"{size / prompts:,.0f} bytes a prompt, measured from {out} ({prompts:,} prompts)"


def _prompts(out: Path) -> int:
    """Prompts of a finished run: those its last stage before execution holds."""
    try:
        stages: list[Mapping[str, Any]] = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["stages"]
        rows = [stage["rows_in"] for stage in stages if stage["stage"] in ("candidates", "run", "run0")]
    except (OSError, ValueError, KeyError, TypeError):
        rows = []
    if not rows or not rows[0]:
        raise CodeprefError(f"{out}: not the folder of a finished build, so bytes a prompt are not known; omit --out")
    return int(rows[0])


def _scratch(plan: BuildPlan) -> float:
    """Bytes a prompt of files that have no name and vanish."""
    return SCRATCH if plan.works else max(SCRATCH, plan.samples * SCRATCH_A_SAMPLE)


def _shards(prompts: int, size: int) -> tuple[int, str]:
    count = math.ceil(prompts / size)
    better = 256
    if count <= MANY_SHARDS or size >= better:
        return count, f" of {size}"
    return count, f" of {size}; fewer are quicker: --set shard_size={better} makes {math.ceil(prompts / better):,}"
