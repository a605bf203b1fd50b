import json

import pytest
from evaluation_tiny import RIGHT, data, samples

from codepref import cli
from codepref.errors import CodeprefError
from evaluation import contamination
from evaluation.benchmark import Problem
from evaluation.catalogue import NAMES, benchmark


@pytest.mark.parametrize(
    ("content", "start"),
    [
        (
            {"stages": [{"depends": {"settings": {"benchmarks": ["HumanEval", "MBPP"]}}}]},
            "Contamination: the training data",
        ),
        ({"stages": [{"depends": {"settings": None}}]}, "Contamination unknown"),
        ({"prompts": ["HumanEval/0"]}, "CONTAMINATED: the training data (manifest.json) names 1 tasks"),
        ({"note": "For measuring only"}, "CONTAMINATED: the training data (manifest.json) says"),
    ],
)
def test_contamination_flag(tmp_path, content, start):
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(content))
    (note,) = contamination.contamination_notes(benchmark("humaneval_plus"), [Problem("HumanEval/0", "", "")], path)
    assert note.startswith(start)
    assert contamination.contamination_notes(benchmark("humaneval_plus"), [], None) == []


def test_contamination_needs_a_readable_file(tmp_path):
    with pytest.raises(CodeprefError, match="can not be read"):
        contamination.contamination_notes(benchmark("mbpp"), [], tmp_path / "none")


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_has_a_name_for_people(tmp_path, name):
    path = tmp_path / "manifest.json"
    path.write_text("{}")
    (note,) = contamination.contamination_notes(benchmark(name), [], path)
    assert note.startswith("Contamination unknown")


def test_an_unreadable_manifest_is_named_before_anything_is_graded(tmp_path, capsys):
    words = ["evaluate", "humaneval_plus", "--data", data(tmp_path), "--samples", samples(tmp_path, RIGHT)]
    words += ["--out", tmp_path / "out", "--cache", tmp_path / "cache", "--trained-on", tmp_path / "none.json"]
    assert cli.main([str(word) for word in words]) == 2
    assert "none.json: can not be read" in capsys.readouterr().err
    assert not (tmp_path / "out").exists() and not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    "content", [[], 1, {"stages": 3}, {"stages": [1, {"depends": 2}, {"depends": {"settings": [], "x": 1}}]},
                {"stages": [{"depends": {"settings": {"benchmarks": True}}}]}],
)  # fmt: skip
def test_any_json_is_understood(tmp_path, content):
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(content))
    (note,) = contamination.contamination_notes(benchmark("tiny"), [], path)
    assert note.startswith("Contamination unknown")
