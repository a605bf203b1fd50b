import json

import pytest


@pytest.fixture(scope="module")
def evaluate():
    return pytest.importorskip("evaluate")


def test_pass_at_k_takes_what_code_eval_takes(evaluate, root, monkeypatch):
    monkeypatch.syspath_prepend(str(root))
    metric = evaluate.load(str(root / "evaluation" / "metrics" / "pass_at_k"))
    cheat = "class E:\n    def __eq__(s, o): return True\ndef add(a, b): return E()"
    programs = [["def add(a, b): return a * b", "def add(a, b): return a + b", cheat]]
    scores, verdicts = metric.compute(predictions=programs, references=["assert add(2, 3) == 5"], k=[1, 2])
    assert scores == {"pass@1": pytest.approx(1 / 3), "pass@2": pytest.approx(2 / 3)}
    assert verdicts == [["failed", "passed", "failed"]]


def test_efficiency(evaluate, root, monkeypatch):
    monkeypatch.syspath_prepend(str(root))
    metric = evaluate.load(str(root / "evaluation" / "metrics" / "efficiency"))
    slow = "def f(n):\n    return sum(1 for i in range(n) for j in range(20))\n"
    fast = "def f(n):\n    return 20 * n\n"
    found = metric.compute(
        predictions=[fast], references=[slow], entry_points=["f"], inputs=[json.dumps([[20_000], [30_000]])]
    )
    assert found["speed_up"] > 2
    assert found["optimised"] == 1.0
