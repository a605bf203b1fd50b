import json

import pytest
from evaluation_tiny import RIGHT, data, samples

from codepref.cli import main


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
