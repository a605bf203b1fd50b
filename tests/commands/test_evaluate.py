import json

import pytest
from evaluation_tiny import PROBLEMS, RIGHT, data, samples, write_lines

from codepref.cli import main
from codepref.errors import CodeprefError
from codepref.publish.scores import read_results


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name a benchmark"),
        (["humaneval_plus"], "give --out DIR"),
        (["humaneval_plus", "--out", "x"], "give either --samples FILE or --model"),
        (
            ["nothing", "--out", "x", "--samples", "y"],
            "'nothing' is no benchmark; choose from humaneval, humaneval_plus",
        ),
        (["mbpp,mbpp_plus", "--out", "x", "--samples", "y"], "--samples is for one benchmark, not for 2"),
        (["mbpp", "--out", "x", "--model", "m", "--n", "5"], "--n above 1 needs --temperature above 0"),
        (["mbpp", "--out", "x", "--samples", "y", "--workers", "0"], "--workers must be 1 or more"),
        (["--prepare", "mbpp"], "'mbpp' has no environment of its own; those are bigcodebench, ds1000"),
        (
            ["mbpp_plus", "--out", "x", "--samples", "y", "--data", "none.jsonl"],
            "none.jsonl: No such file or directory",
        ),
        (["mbpp_plus", "--out", "x", "--samples", "none.jsonl"], "error: --samples none.jsonl: No such file"),
        (["mbpp", "--out", "x", "--samples", "y", "--k", "1,none"], "--k takes whole numbers from 1 on, like 1,5,10"),
        (["mbpp", "--out", "x", "--samples", "y", "--k", "0"], "--k takes whole numbers from 1 on, like 1,5,10"),
        (["mbpp", "--out", "x", "--model", "m", "--k", "1,5"], "--k 1,5 needs as many samples of a problem, --n is 1"),
        (["mbpp", "--out", "x", "--model", "m", "--max-tokens", "0"], "--max-tokens must be 1 or more, not 0"),
        (["mbpp", "--out", "x", "--samples", "y", "--max-tokens", "9"], "--max-tokens is for a --model that is asked"),
        (["tiny", "--out", "x", "--model", "m", "--trained-on", "none"], "--trained-on none: can not be read"),
        (["mbpp", "--out", "x", "--model", "m", "--python", "none/python"], "--python none/python: no interpreter is"),
        (["mbpp", "--out", "x", "--model", "m", "--ids", "none"], "--ids none: not a JSON list of task ids (No such"),
        (["--compare", "none", "nothing"], "none/results.json: no results to compare"),
    ],
)
def test_bad_input_is_one_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_saved_samples_from_the_command_line(tmp_path, capsys):
    command = ["evaluate", "humaneval_plus", "--data", str(data(tmp_path)), "--samples", str(samples(tmp_path, RIGHT))]
    assert main([*command, "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache"), "--workers", "1"]) == 0
    printed = capsys.readouterr()
    assert "| all tests | 100.0" in printed.out
    assert "problem/s" in printed.err
    assert json.loads((tmp_path / "out" / "humaneval_plus" / "results.json").read_text())["samples"] == 3


def grade(tmp_path, rows, *options):
    """Exit code of grading some samples with the command line; results go to `out`."""
    given = write_lines(tmp_path / "given.jsonl", rows)
    command = ["evaluate", "humaneval_plus", "--data", str(data(tmp_path)), "--samples", str(given), "--workers", "1"]
    return main([*command, "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache"), *options])


def results_of(tmp_path):
    return json.loads((tmp_path / "out" / "humaneval_plus" / "results.json").read_text())


def solutions(*programs):
    return [{"task_id": row["task_id"], "solution": text} for row, text in zip(PROBLEMS, programs, strict=True)]


def test_a_part_is_marked_and_can_not_be_published(tmp_path, capsys):
    assert grade(tmp_path, solutions(*RIGHT), "--limit", "2") == 0
    assert "**2 of 3 problems** (--limit 2): no score of humaneval_plus" in capsys.readouterr().out
    found = results_of(tmp_path)
    assert (found["problems"], found["problems_of_benchmark"]) == (2, 3)
    assert found["partial"] == {
        "problems": 2, "of": 3, "why": "--limit 2", "task_ids": ["HumanEval/900", "HumanEval/901"]
    }  # fmt: skip
    with pytest.raises(CodeprefError, match=r"2 of 164 problems \(--limit 2\) are no score of humaneval_plus"):
        read_results(tmp_path / "out" / "humaneval_plus" / "results.json")
    assert grade(tmp_path, solutions(*RIGHT)) == 0
    assert results_of(tmp_path)["partial"] is None


def test_the_ks_that_are_asked_for(tmp_path, capsys):
    rows = solutions(*RIGHT) + solutions(RIGHT[0], *RIGHT[:2])
    assert grade(tmp_path, rows) == 0
    assert list(results_of(tmp_path)["score"]) == ["pass@1", "pass@2"]
    assert results_of(tmp_path)["score"]["pass@2"]["value"] == 1.0
    capsys.readouterr()
    assert grade(tmp_path, rows, "--k", "1,5", "--quiet") == 2
    error = capsys.readouterr().err
    assert "--k 5 needs 5 samples of every problem, HumanEval/900 has 2" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("own", [True, False])
def test_files_of_the_user_are_never_written_over(tmp_path, capsys, own):
    folder = tmp_path / "out" / "humaneval_plus"
    folder.mkdir(parents=True)
    mine = samples(folder, RIGHT)
    before = mine.read_bytes()
    read = mine if own else samples(tmp_path, RIGHT, "other.jsonl")
    command = ["evaluate", "humaneval_plus", "--data", str(data(tmp_path)), "--samples", str(read)]
    assert main([*command, "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]) == 2
    error = capsys.readouterr().err
    assert str(mine) in error
    assert "give another --out" in error
    assert error.count("\n") == 1
    assert mine.read_bytes() == before
    assert [path.name for path in folder.iterdir()] == ["samples.jsonl"]


def test_samples_as_they_come(tmp_path, capsys):
    rows = [
        {"task_id": 900, "solution": "\ufeff" + RIGHT[0]},
        {"task_id": "humaneval/901", "solution": f"# \ud83d\n{RIGHT[1]}", "finish_reason": "length"},
        {"task_id": "HumanEval_902", "solution": None},
    ]
    assert grade(tmp_path, rows) == 0
    found = results_of(tmp_path)
    assert (found["verdicts"], found["errors"]) == ({"failed": 1, "passed": 2}, {"no program": 1})
    assert found["cut_answers"] == 1
    printed = capsys.readouterr().out
    assert "Cut off at the token limit: 1 of 3 answers." in printed
    assert "'900' was read as 'HumanEval/900'" in printed
    assert "replaced by U+FFFD in 1 samples" in printed
    assert not list(tmp_path.rglob("*.part*"))


def test_raw_answers_are_told_of_clean(tmp_path, capsys):
    answers = solutions(*(f"Sure!\n```python\n{text}```\n" for text in RIGHT))
    assert grade(tmp_path, answers) == 0
    printed = capsys.readouterr().out
    assert "3 of 3 samples fail and look like raw answers of a model (Markdown, thoughts): --clean takes" in printed
    assert grade(tmp_path, answers, "--clean") == 0
    assert "--clean takes" not in capsys.readouterr().out
    assert results_of(tmp_path)["score"]["pass@1"]["value"] == 1.0


def test_the_shipped_thinking_and_fenced_answers(tmp_path, root):
    folder = root.parent / "shared" / "cases"
    if not (folder / "fence_samples.jsonl").exists():
        pytest.skip("needs the cases beside the checkout (shared/cases)")
    right, wrong = [], []
    for line in (folder / "fence_samples.jsonl").read_text().splitlines():
        codes = json.loads(line)["codes"]
        right.append({"task_id": "HumanEval/0", "solution": codes[0]})
        wrong.append({"task_id": "HumanEval/0", "solution": codes[1]})
    problems = folder / "evalthink_problems.jsonl"
    for name, rows, verdicts in (("r", right, {"passed": len(right)}), ("w", wrong, {"failed": len(wrong)})):
        given = write_lines(tmp_path / f"{name}.jsonl", rows)
        command = ["evaluate", "humaneval", "--clean", "--quiet", "--data", str(problems), "--samples", str(given)]
        assert main([*command, "--out", str(tmp_path / name), "--cache", str(tmp_path / "cache")]) == 0
        assert json.loads((tmp_path / name / "humaneval" / "results.json").read_text())["verdicts"] == verdicts


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "not a JSON list of task ids; write one like"), ("[1.5]", "not a JSON list"), ("[]", "not a JSON list"),
        ("[", "not a JSON list of task ids (Expecting value"),
        ('["HumanEval/90"]', "'HumanEval/90' is no task of humaneval_plus; did you mean 'HumanEval/90"),
    ],
)  # fmt: skip
def test_bad_ids_name_their_option(tmp_path, capsys, text, message):
    path = tmp_path / "ids.json"
    path.write_text(text)
    assert grade(tmp_path, solutions(*RIGHT), "--ids", str(path), "--quiet") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"codepref: error: --ids {path}: ")
    assert message in error
    assert error.count("\n") == 1
