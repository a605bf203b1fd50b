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
    assert found["slower"] == 0
    assert found["geometric_mean"][0] == pytest.approx((2 / 0.95) ** (1 / 4))
    swapped = efficiency_summary({"a": (1.0, 2.0), "b": (1.0, 1.0), "c": (0.95, 1.0), "d": (1e-5, 1e-6)})
    assert swapped["geometric_mean"][0] == pytest.approx(1 / found["geometric_mean"][0])
    assert swapped["slower"] == 0.25
    assert ratio(1e-6, 1e-5) == 1.0
    assert ratio(1.0, 1e-6) == pytest.approx(1.0 / 2e-4)


def test_the_comparison_in_words():
    found = {
        "benchmark": "mbpp_plus", "problems": 3, "problems_of_each": [3, 3], "pass@1": [33.3, 66.7], "difference": 33.3, "low": 0.0, "high": 66.7,
        "mcnemar_p": 1.0, "wins": ["Mbpp/2"], "losses": [], "same_fingerprint": False,
    }  # fmt: skip
    text = comparison_text(found)
    assert text.startswith("mbpp_plus, 3 problems: A 33.3")
    assert "mbpp_plus, 3 problems that both have (A 3, B 5): A" in comparison_text(
        {**found, "problems_of_each": [3, 5]}
    )
    assert "B - A = +33.3 [+0.0, +66.7] points, McNemar p = 1" in text
    assert "B wins 1: Mbpp/2" in text
    assert "fingerprints differ" in text
    cost = efficiency_summary({"a": (2.0, 1.0), "b": (0.5, 1.0)})
    text = comparison_text({**found, "efficiency": cost})
    assert "A's time over B's is 1.00 [0.50, 2.00] in the geometric mean, 1.25 [" in text
    assert "50.0 % of B's are >= 10 % faster, 50.0 % slower" in text


def test_a_few_equal_differences_are_not_certain():
    for value in (0.0, 0.5, 1.0):
        mean, low, high = paired_interval([value, value])
        assert mean == value
        assert low < 0 < high
    # Bonett and Price by hand: 10 problems, 3 won and 1 lost
    mean, low, high = paired_interval([1.0] * 3 + [-1.0] + [0.0] * 6)
    half = 1.959963984540054 * ((6 / 12 - (2 / 12) ** 2) / 12) ** 0.5
    assert (mean, low, high) == pytest.approx((0.2, 2 / 12 - half, 2 / 12 + half))


def written(folder, tasks, right, text="prompt"):
    """A run of a benchmark, as far as a comparison reads it."""
    folder.mkdir()
    hashes = {task: f"{text} {task}" for task in tasks}
    found = {
        "benchmark": "b", "fingerprint": {"id": "i", "dataset": repr(hashes)}, "task_hashes": hashes,
    }  # fmt: skip
    (folder / "results.json").write_text(json.dumps(found))
    rows = [{"task_id": t, "sample": 0, "verdict": "passed" if t in right else "failed"} for t in tasks]
    (folder / "verdicts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def test_a_part_is_compared_with_a_whole_run(tmp_path):
    part = written(tmp_path / "part", ["t0", "t1"], {"t0", "t1"})
    whole = written(tmp_path / "whole", ["t0", "t1", "t2", "t3"], {"t0"})
    found = compare_runs(part, whole)
    assert (found["problems"], found["problems_of_each"], found["losses"]) == (2, [2, 4], ["t1"])
    assert "2 problems that both have (A 2, B 4)" in comparison_text(found)
    assert "fingerprints differ" not in comparison_text(found)


def test_other_data_is_refused(tmp_path):
    part = written(tmp_path / "part", ["t0", "t1"], {"t0"})
    other = written(tmp_path / "other", ["t0", "t1", "t2"], {"t0"}, "another prompt")
    with pytest.raises(CodeprefError, match=r"different versions of the data \(e\.g\. t0\); grade one of them again"):
        compare_runs(part, other)
    with pytest.raises(CodeprefError, match="no problem in common"):
        compare_runs(part, written(tmp_path / "apart", ["t8"], {"t8"}))
    results = json.loads((part / "results.json").read_text())
    del results["task_hashes"]  # of an earlier version: nobody knows
    (part / "results.json").write_text(json.dumps(results))
    with pytest.raises(CodeprefError, match="different versions of the data; grade"):
        compare_runs(part, written(tmp_path / "whole", ["t0", "t1", "t2"], {"t0"}))
