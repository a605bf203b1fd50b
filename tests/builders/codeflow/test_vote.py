import json

import datasets
import pytest
from building import build_in

from builders.chain.ask import Generation
from builders.codeflow import method as codeflow
from builders.codeflow.method import Config
from builders.codeflow.vote import Repair
from codepref.errors import CodeprefError
from codepref.sandbox import Limits


def program(body):
    return f"```python\ndef f(x):\n    return {body}\n```"


def test_text(test):
    return f"```python\n{test}\n```"


test_text.__test__ = False
TESTS = ["assert f(1) == 2", "assert f(2) == 9", "assert f(3) == 7", "assert f(-1) == 0"]


def build(tmp_path, votes, amendment, **changes):
    prompts = [{"prompt_id": "p", "prompt": "Write f, which adds one.", "entry_point": "f", "tests": TESTS}]
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in prompts))
    from codepref.records import content_id

    script = [
        {"prompt_id": "p", "purpose": "code", "answers": [program("x")]},
        {"prompt_id": "p", "purpose": "refine1", "answers": [program("x + 1")]},
        {"prompt_id": "p", "purpose": "vote", "answers": votes},
        *(
            {"prompt_id": content_id("p", test), "purpose": "repair", "answers": [answer]}
            for test, answer in amendment.items()
        ),
    ]
    (tmp_path / "script.jsonl").write_text("".join(json.dumps(row) + "\n" for row in script))
    config = Config(
        prompts=str(tmp_path / "prompts.jsonl"),
        generation=Generation(script=str(tmp_path / "script.jsonl")),
        tests_per_prompt=0,
        rounds=1,
        limits=Limits(cpu_s=0.3),
        repair=Repair(enabled=True),
        **changes,
    )
    build_in(codeflow, config, tmp_path / "run", quiet=True)
    (row,) = datasets.load_dataset(str(tmp_path / "run"), "trajectories", split="train")
    lines = [json.loads(line) for line in (tmp_path / "run" / "exclusions.jsonl").read_text().splitlines()]
    return row, [(line["rule"], line["item"]) for line in lines if line["stage"] == "mended"]


def test_a_wrong_test_is_corrected_or_left_out(tmp_path):
    amendment = {
        TESTS[1]: "It should be 3.\n" + test_text("assert f(2) == 3"),
        TESTS[2]: test_text(TESTS[2]),  # the model insists, the programs do not agree
    }
    row, left_out = build(tmp_path, [program("x + 1"), program("1 + x")], amendment)
    assert row["tests"] == ["assert f(1) == 2", "assert f(2) == 3", "assert f(-1) == 0"]
    assert left_out == [("amended", 1), ("disputed", 2)]
    assert row["solved"]
    assert len(row["versions"]) == 2


def test_programs_that_disagree_with_everything(tmp_path):
    with pytest.raises(CodeprefError, match="not one row"):
        build(tmp_path, [program("x * 0 + 99")], dict.fromkeys(TESTS, "no test in here"))
    assert '"no tests"' in (tmp_path / "run" / "exclusions.jsonl").read_text()


def test_recorded_trajectories_have_nobody_to_ask(tmp_path):
    with pytest.raises(CodeprefError, match="needs a model to ask"):
        build_in(codeflow, Config(trajectories="x", repair=Repair(enabled=True)), tmp_path, quiet=True)
