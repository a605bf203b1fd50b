"""What is right by the hidden tests, on programs whose truth is known."""

import json
import random

import numpy as np
import pytest
from building import build_in

from builders.codedpo import method as codedpo
from codepref import config
from codepref.commands.quickstart import truth
from codepref.commands.tiny import prompt_row
from codepref.generate.tiny.tasks import tasks
from evaluation import tiny

WRONG = "def solve(nums):\n    return 'wrong'\n"


def test_right_programs_pass_and_wrong_ones_fail():
    found = tasks("build", 6, 0)
    rng = random.Random(0)
    work = [(task.prompt, [task.program(rng), WRONG, task.reference, WRONG]) for task in found]
    assert [mine.tolist() for mine in tiny.right(work)] == [[True, False, True, False]] * 6


def test_labels_count_right_and_inverted_pairs():
    found = tasks("build", 4, 0)
    both = [{"prompt": task.prompt, "chosen": task.reference, "rejected": WRONG} for task in found[:3]]
    turned = {"prompt": found[3].prompt, "chosen": WRONG, "rejected": found[3].reference}
    made = truth.label_truth([*both, turned])
    assert (made.pairs, made.right[0], made.inverted) == (4, 0.75, 0.25)
    assert truth.label_truth([]).pairs == 0


def test_area_is_the_probability_of_outranking():
    right = np.array([True, True, False, False])
    assert truth.area(np.array([3.0, 2.0, 1.0, 0.0]), right) == 1
    assert truth.area(np.array([1.0, 1.0, 1.0, 1.0]), right) == 0.5
    assert truth.area(np.array([0.0, np.nan, 1.0, 2.0]), right) == 0


@pytest.fixture(scope="module")
def run(root, tmp_path_factory):
    folder = tmp_path_factory.mktemp("truth")
    path = folder / "prompts.jsonl"
    path.write_text("".join(json.dumps(prompt_row(task, truth=False)) + "\n" for task in tasks("build", 10, 1)))
    given = [f"prompts={path}", "codes_per_prompt=8", "tests_per_prompt=12", "pairs_per_prompt=3"]
    settings = config.load(codedpo.Config, root / "builders" / "configs" / "codedpo" / "tiny.yaml", given)
    build_in(codedpo, settings, folder / "run", quiet=True)
    return folder / "run"


def test_evidence_of_a_real_run(run):
    found = truth.evidence_of(run)
    assert found.prompts == 10
    assert 0.2 < found.codes_right[0] < 0.8
    assert 0.2 < found.tests_right[0] < 0.9
    assert 0 < found.auc <= 1
    assert 0 <= found.tests_dead < 0.5


def test_a_weak_base_is_said_to_be_weak():
    weak = truth.Evidence(10, (0.3, 0.2, 0.4), (0.21, 0.1, 0.3), 0.5, 0.59)
    assert weak.weak
    assert "too weak a base" in weak.words
    strong = truth.Evidence(10, (0.5, 0.4, 0.6), (0.5, 0.4, 0.6), 0.3, 0.8)
    assert not strong.weak
    assert "too weak" not in strong.words


def test_the_example_is_a_prompt_whose_pair_is_right(run):
    found = truth.mixed_example(run)
    assert found is not None
    assert found.passed.shape == (len(found.codes_right), len(found.tests_right))
    assert any(found.codes_right)
    assert not all(found.codes_right)
