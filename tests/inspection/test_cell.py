"""One cell run again: what is shown, and that it is the stored cell."""

import shutil

import pytest

from codepref import cli
from codepref.inspection import cell
from codepref.inspection import run as inspection
from codepref.records import Candidates, Costs, Outcomes, from_table


def cells(finished):
    """Every cell of the first shard: prompt, code, test, verdict and stored error."""
    run = inspection.read_run(finished)
    ran = run.stage("outcomes")
    outcomes = from_table(ran.read(0), Outcomes)
    costs = from_table(ran.measured(0), Costs)
    for outcome, cost in zip(outcomes, costs, strict=True):
        for code, verdicts in enumerate(outcome.verdicts):
            for test, verdict in enumerate(verdicts):
                yield outcome.prompt_id, code, test, verdict, cost.errors[code][test]


def test_errors_are_kept_beside_the_matrix(finished):
    found = list(cells(finished))
    assert {verdict for *_, verdict, _ in found} >= {"passed", "failed"}
    for *_, verdict, error in found:
        assert bool(error) == (verdict != "passed")


def test_a_failing_cell_says_why_then_and_now(finished, capsys):
    prompt_id, code, test, verdict, error = next(found for found in cells(finished) if found[3] == "failed")
    words = ["inspect", str(finished), "--prompt", prompt_id, "--cell", f"{code},{test}"]
    assert cli.main(words) == 0
    said = capsys.readouterr().out
    stored, now = said.split("\nstored\n")[1].split("\nnow\n")
    assert f"    {verdict}\n    error: {error}\n" in stored
    assert f"    {verdict} (" in now and f"error: {error}" in now
    for title in ("plan: ", "steps, in the candidate's process", "trace: "):
        assert f"\n{title}" in said
    row = next(r for r in from_table(inspection.read_run(finished).stage("candidates").read(0), Candidates))
    assert row.prompt_id == prompt_id
    assert all(f"    {line}".rstrip() in said for line in row.codes[code].code.splitlines())


def test_an_old_run_without_errors_still_shows_its_verdict(finished, tmp_path):
    folder = tmp_path / "old"
    shutil.copytree(finished, folder)
    for path in folder.glob("stages/outcomes-*/*.measured.arrow"):
        path.unlink()
    prompt_id, code, test, verdict, _ = next(found for found in cells(finished) if found[3] == "failed")
    said = cell.run_again(inspection.read_run(folder), prompt_id, code, test)
    assert said.split("\nstored\n")[1].startswith(f"    {verdict}\n\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--prompt", "ID", "--cell", "99,0"], "codes, numbered from 0"),
        (["--prompt", "ID", "--cell", "0,99"], "tests, numbered from 0"),
        (["--prompt", "nothing", "--cell", "0,0"], "no prompt 'nothing' here"),
        (["--cell", "0,0"], "goes with --prompt ID"),
    ],
)
def test_what_is_not_there_is_one_line(finished, capsys, words, message):
    prompt_id = next(cells(finished))[0]
    assert cli.main(["inspect", str(finished), *(prompt_id if word == "ID" else word for word in words)]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_a_cell_is_two_numbers(finished, capsys):
    with pytest.raises(SystemExit):
        cli.main(["inspect", str(finished), "--prompt", "x", "--cell", "one"])
    assert "give CODE,TEST" in capsys.readouterr().err
