"""Real generations of a 16B model: not part of the project, so these tests skip where they are absent."""

import gzip
import json

import datasets
import pytest
from building import build_in

from benchmarks import codet_humaneval
from builders.dstc import method as dstc
from builders.dstc.answers import LabelledAnswer
from codepref import config, extract
from codepref.records import Candidates, from_table
from codepref.sandbox import Job, Limits, Sandbox
from codepref.store import Stage

pytestmark = pytest.mark.realdata
LIMITS = Limits(cpu_s=0.3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, shared):
    """All 82 recorded tasks; fewer codes and tests than a build would take."""
    path = tmp_path_factory.mktemp("codet") / "codet.jsonl.gz"
    with gzip.open(path, "wt") as out:
        for row in codet_humaneval.convert(shared / "codet_humaneval", codes=12, tests=100):
            out.write(json.dumps(row) + "\n")
    return path.parent


def build(folder, root, name):
    changes = ["limits.cpu_s=0.3", "shard_size=41", "codes_per_prompt=6", "tests_per_prompt=6"]
    file = root / "builders" / "configs" / "dstc" / f"{name}.yaml"
    settings = config.load(dstc.Config, file, [f"generations={folder / 'codet.jsonl.gz'}", *changes])
    return build_in(dstc, settings, folder / "run", workers=1, quiet=True)


@pytest.fixture(scope="module")
def plain(folder, root):
    manifest = build(folder, root, "paper")
    rows = datasets.load_dataset(str(folder / "run"), "kto", split="train", keep_in_memory=True)
    return manifest, list(from_table(rows.data.table, LabelledAnswer))


def test_all_82_tasks_are_accounted_for(plain):
    manifest, rows = plain
    stages = {stage["stage"]: stage for stage in manifest["stages"]}
    assert stages["samples"]["rows_in"] == 82
    assert stages["verified"]["rows_in"] == len(rows) / 2 > 50


def test_each_side_does_what_it_says_as_one_program(plain):
    _, rows = plain
    jobs = [Job(str(n), ("\n".join(extract.fenced_blocks(row.completion)),), ("pass\n",)) for n, row in enumerate(rows)]
    with Sandbox(LIMITS, mode="official") as sandbox:
        verdicts = [matrix.cells[0][0].verdict for matrix in sandbox.run_many(jobs)]
    assert "unjudged" not in verdicts
    assert [verdict == "passed" for verdict in verdicts] == [row.label for row in rows]


def test_evaluation_reads_the_code_alone(plain):
    for row in plain[1]:
        assert extract.code(row.completion, row.task, row.entry_point) == row.codes[row.code_index]


def test_the_best_configuration_beats_minimax_on_hidden_truth(plain, folder, root, shared):
    _, rows = plain
    manifest = build(folder, root, "best")
    assert manifest["dataset"]["kto"]["rows"] == len(rows)  # the same yield
    data = datasets.load_dataset(str(folder / "run"), "kto", split="train", keep_in_memory=True)
    with gzip.open(shared / "codet_humaneval" / "ground_truth.jsonl.gz", "rt") as lines:
        truth = {(row["task_id"], row["sample"]): row["passed"] for row in map(json.loads, lines)}
    (path,) = (folder / "run" / "stages").glob("candidates-*")
    stage = Stage(path, "candidates", "")
    ready = (row for index in range(len(stage.shards())) for row in from_table(stage.read(index), Candidates))
    right = {(row.prompt_id, code.code): truth[row.prompt_id, code.sample] for row in ready for code in row.codes}

    def chosen_right(answers):
        mine = [right[row.prompt_id, row.codes[row.code_index]] for row in answers if row.label]
        return sum(mine) / len(mine)

    assert chosen_right(list(from_table(data.data.table, LabelledAnswer))) > chosen_right(rows)
