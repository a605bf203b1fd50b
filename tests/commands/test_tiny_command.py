import json

import pytest

from codepref.cli import main
from codepref.generate.tiny.tasks import read_task


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_prompts_are_written_without_their_truth(tmp_path):
    out = tmp_path / "new" / "prompts.jsonl"
    assert main(["tiny", "prompts", "--split", "build", "--n", "40", "--seed", "1", "--out", str(out)]) == 0
    rows = lines(out)
    assert len({row["prompt_id"] for row in rows}) == 40
    assert all(set(row) == {"prompt_id", "prompt", "entry_point", "source", "licence"} for row in rows)
    assert {read_task(row["prompt"]).split for row in rows} == {"build"}


def test_held_out_tasks_bring_reference_and_hidden_tests(tmp_path):
    out = tmp_path / "heldout.jsonl"
    main(["tiny", "prompts", "--split", "heldout", "--n", "5", "--truth", "--out", str(out)])
    cases, verdicts = tmp_path / "cases.jsonl", tmp_path / "verdicts.jsonl"
    with cases.open("w") as file:
        for row in lines(out):
            file.write(json.dumps({"id": row["prompt_id"], "code": row["reference"], "tests": row["tests"]}) + "\n")
    assert main(["execute", "--input", str(cases), "--output", str(verdicts), "--jobs", "1"]) == 0
    assert {verdict for row in lines(verdicts) for verdict in row["verdicts"]} == {"passed"}


@pytest.mark.parametrize("n", ["0", "1000000"])
def test_a_senseless_number_is_refused(n, tmp_path, capsys):
    assert main(["tiny", "prompts", "--n", n, "--out", str(tmp_path / "x")]) == 2
    assert "--n" in capsys.readouterr().err


def test_training_needs_steps(tmp_path, capsys):
    assert main(["tiny", "train", "--steps", "0", "--out", str(tmp_path)]) == 2
    assert "must be positive" in capsys.readouterr().err
