import json
import subprocess
import sys

import pytest

from codepref.errors import CodeprefError
from codepref.inspection import run as inspection

from builders_recordings import RECORDINGS, write  # isort: skip
from inprocess import run  # isort: skip
from test_cli import build  # isort: skip


def test_a_finished_run(finished):
    result = run("inspect", finished)
    assert result.returncode == 0, result.stderr
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert lines[0] == f"{finished}: codedpo, finished"
    assert lines[1].startswith("codepref 0.")
    manifest = json.loads((finished / "manifest.json").read_text())
    for stage, counts in {"samples": "8 8 4", "candidates": "8 6 4", "pairs": "6 5 4"}.items():
        key = next(item["key"] for item in manifest["stages"] if item["stage"] == stage)
        assert f"{stage} {counts} {key}" in lines
    assert "candidates prompt fewer than 2 codes 1" in lines
    assert "pairs prompt all scores equal 1" in lines
    (part,) = manifest["dataset"]["correctness"]["files"]
    assert f"correctness 5 1 {part['bytes']:,}" in lines
    assert "shard_size: 2" in lines


def test_a_run_that_was_interrupted(finished, tmp_path):
    """What a killed build leaves: stages, the last one without its done marker, and no manifest."""
    stages = tmp_path / "run" / "stages"
    stages.mkdir(parents=True)
    for name in ("samples", "candidates"):
        (path,) = (finished / "stages").glob(f"{name}-*")
        subprocess.run(["cp", "-r", path, stages], check=True)
    (path,) = stages.glob("candidates-*")
    (path / "done.json").unlink()
    (path / "00003.parquet").unlink()
    lines = [" ".join(line.split()) for line in run("inspect", tmp_path / "run").stdout.splitlines()]
    assert lines[0] == f"{tmp_path / 'run'}: not finished: the same build command goes on from here"
    assert any(line.startswith("samples 8 8 4 ") for line in lines)
    (begun,) = [line for line in lines if line.startswith("candidates not done ")]
    assert begun.split()[4] == "3"
    result = run("inspect", tmp_path / "run", "--rank-with", "pass_count")
    assert result.returncode == 2
    assert "only a finished run can be ranked again" in result.stderr


def test_stages_of_other_settings_are_told_apart(tmp_path):
    path = write(tmp_path / "g.jsonl", RECORDINGS[:1])
    run(*build(path, tmp_path / "run", "--quiet", "--set", "ranking=pass_count"))
    run(*build(path, tmp_path / "run", "--quiet"))
    found = inspection.read_run(tmp_path / "run")
    assert [stage.name for stage in found.stages] == [
        "samples",
        "candidates",
        "outcomes",
        "informative_tests",
        "informative_runs",
        "scores",
        "pairs",
    ]
    assert sorted(stage.name for stage in found.others) == ["pairs", "scores"]
    assert "of other settings, in the same folder" in inspection.overview(found)


def test_a_run_without_one_row(tmp_path):
    path = write(tmp_path / "g.jsonl", [row for row in RECORDINGS if row["prompt_id"] == "equal"])
    assert run(*build(path, tmp_path / "run", "--quiet")).returncode == 2
    result = run("inspect", tmp_path / "run")
    assert result.returncode == 0
    assert "no dataset: not one row came out" in result.stdout
    result = run("inspect", tmp_path / "run", "--rank-with", "pass_count")
    assert "0 pairs, stored 0" in result.stdout


def test_a_dataset_published_without_its_stages(finished, tmp_path):
    subprocess.run(["cp", "-r", finished, tmp_path / "run"], check=True)
    subprocess.run(["rm", "-r", tmp_path / "run" / "stages"], check=True)
    assert "correctness     5" in run("inspect", tmp_path / "run").stdout
    assert "+++ chosen" in run("inspect", tmp_path / "run", "--prompt", "clear").stdout
    result = run("inspect", tmp_path / "run", "--rank-with", "pass_count")
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    assert "no finished stage 'pairs' here" in result.stderr


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda folder: None, "no such folder; give the --out folder of a build"),
        (lambda folder: folder.mkdir(), "neither manifest.json nor stages in this folder"),
        (lambda folder: (folder.mkdir(), (folder / "manifest.json").write_text("{")), "manifest.json: not "),
        (lambda folder: (folder.mkdir(), (folder / "manifest.json").write_text('{"a": 1}')), "keys are missing"),
        (lambda folder: folder.write_text("a file"), "no such folder"),
    ],
)
def test_a_bad_folder_is_one_line(tmp_path, prepare, message):
    prepare(tmp_path / "run")
    result = run("inspect", tmp_path / "run")
    assert (result.returncode, len(result.stderr.splitlines()), result.stdout) == (2, 1, "")
    assert message in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rank-with", "best"], "--rank-with best: no such ranking; give one of self_validation, pass_count, "),
        (["--rank-with", "pass_count", "--set", "limits.cpu_s=3"], "unknown key 'limits'"),
        (["--rank-with", "pass_count", "--set", "min_confidence=2"], "min_confidence"),
        (["--set", "min_confidence=0.5"], "--set and --out go with --rank-with NAME"),
        (["--prompt", "cleer"], "no prompt 'cleer' here; did you mean 'clear'?"),
    ],
)
def test_mistakes_are_one_line(finished, words, message):
    result = run("inspect", finished, *words)
    assert (result.returncode, len(result.stderr.splitlines()), result.stdout) == (2, 1, "")
    assert message in result.stderr


def test_another_method_can_not_be_ranked_again(finished, tmp_path):
    subprocess.run(["cp", "-r", finished, tmp_path / "run"], check=True)
    manifest = json.loads((finished / "manifest.json").read_text())
    (tmp_path / "run" / "manifest.json").write_text(json.dumps({**manifest, "method": "elsewhere"}))
    result = run("inspect", tmp_path / "run", "--rank-with", "pass_count")
    assert result.returncode == 2
    assert "a run of 'elsewhere' can not be ranked again" in result.stderr
    assert run("inspect", tmp_path / "run").returncode == 0


def test_a_reader_that_has_seen_enough(finished):
    words = [sys.executable, "-m", "codepref.cli", "inspect", str(finished)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0


def test_a_finished_stage_without_its_inputs(finished, tmp_path):
    subprocess.run(["cp", "-r", finished, tmp_path / "run"], check=True)
    (path,) = (tmp_path / "run" / "stages").glob("informative_runs-*")
    subprocess.run(["rm", "-r", path], check=True)
    found = inspection.read_run(tmp_path / "run")
    with pytest.raises(CodeprefError, match="inputs of stage 'pairs' are missing"):
        found.inputs(found.stage("pairs"))
