import json

import pytest

from codepref.errors import CodeprefError
from evaluation.compare import compare_runs, comparison_text, mcnemar, paired_interval
from evaluation.efficiency import efficiency_summary, ratio


@pytest.mark.parametrize(
    ("wins", "losses", "p"), [(0, 0, 1.0), (1, 0, 1.0), (5, 5, 1.0), (10, 0, 2 / 1024), (8, 2, 2 * 56 / 1024)]
)
def test_mcnemar_is_the_binomial_test(wins, losses, p):
    assert mcnemar(wins, losses) == pytest.approx(p) == mcnemar(losses, wins)


def test_efficiency_metrics():
    found = efficiency_summary({"a": (2.0, 1.0), "b": (1.0, 1.0), "c": (1.0, 0.95), "d": (1e-6, 1e-5)})
    assert found["speed_up"] == pytest.approx((2 + 1 + 1 / 0.95 + 1) / 4)
    assert found["optimised"] == 0.25
    assert ratio(1e-6, 1e-5) == 1.0
    assert ratio(1.0, 1e-6) == pytest.approx(1.0 / 2e-4)


def test_the_comparison_in_words():
    found = {
        "benchmark": "mbpp_plus", "problems": 3, "pass@1": [33.3, 66.7], "difference": 33.3, "low": 0.0, "high": 66.7,
        "mcnemar_p": 1.0, "wins": ["Mbpp/2"], "losses": [], "same_fingerprint": False,
    }  # fmt: skip
    text = comparison_text(found)
    assert "B - A = +33.3 [+0.0, +66.7] points, McNemar p = 1" in text
    assert "B wins 1: Mbpp/2" in text
    assert "fingerprints differ" in text


def test_a_few_equal_differences_are_not_certain():
    for value in (0.0, 0.5, 1.0):
        mean, low, high = paired_interval([value, value])
        assert mean == value
        assert low < 0 < high
    # Bonett and Price by hand: 10 problems, 3 won and 1 lost
    mean, low, high = paired_interval([1.0] * 3 + [-1.0] + [0.0] * 6)
    half = 1.959963984540054 * ((6 / 12 - (2 / 12) ** 2) / 12) ** 0.5
    assert (mean, low, high) == pytest.approx((0.2, 2 / 12 - half, 2 / 12 + half))


def test_runs_on_other_tasks_are_not_taken_for_other_data(tmp_path):
    partial = {"why": "--limit 2", "problems": 2, "of": 3, "task_ids": ["a", "b"]}
    days = {"since": "2025-02-01", "until": None}
    runs = {
        "whole": {"dataset": "1"}, "part": {"dataset": "2", "partial": partial},
        "late": {"dataset": "3", "window": days}, "other": {"dataset": "4"},
        "few": {"dataset": "1", "partial": {**partial, "why": "the samples are of no others"}},
    }  # fmt: skip
    verdict = json.dumps({"task_id": "a", "sample": 0, "verdict": "passed"})
    for name, facts in runs.items():
        (tmp_path / name).mkdir()
        mark = {"dataset": facts.pop("dataset"), "id": "1"}
        content = {"benchmark": "b", "fingerprint": mark, "partial": None, "window": None, **facts}
        (tmp_path / name / "results.json").write_text(json.dumps(content))
        (tmp_path / name / "verdicts.jsonl").write_text(verdict + "\n")

    def refused(name):
        with pytest.raises(CodeprefError) as error:
            compare_runs(tmp_path / "whole", tmp_path / name)
        return str(error.value)

    assert f"{tmp_path / 'part'}: --limit 2); grade both with the same --limit" in refused("part")
    assert f"{tmp_path / 'late'}: since 2025-02-01); grade both" in refused("late")
    assert "different versions of the data" in refused("other")
    assert compare_runs(tmp_path / "whole", tmp_path / "few")["problems"] == 1
