"""An experiment's page: what it says, and how it stands in a real browser."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codepref.commands.experiment.page import read_page, write_page

import browser  # isort: skip
import report_run  # isort: skip


def score(model: str, benchmark: str, value: float, **failures: int) -> dict[str, Any]:
    where = {"model": model, "way": "greedy", "benchmark": benchmark}
    span = {"value": value, "low": value - 7.5, "high": value + 7.5}
    return {**where, **span, "problems": 164, "n": 1, "failures": failures}


def gain(model: str, benchmark: str, difference: float) -> dict[str, Any]:
    where = {"model": model, "way": "greedy", "benchmark": benchmark}
    span = {"difference": difference, "low": difference - 4, "high": difference + 4}
    return {**where, **span, "problems": 164, "mcnemar_p": 0.2, "won": 9, "lost": 3}


TOLD: dict[str, Any] = {
    "experiment": {
        "model": "org/a-model-with-a-rather-long-name-0.5b-instruct",
        "prompts": "prompts.jsonl",
        "seeds": None,
        "seed": 0,
        "datasets": {"codedpo": {}, "codeflow": {}, "dstc": {}},
        "evaluations": {"greedy": {"benchmarks": ["humaneval_plus", "mbpp_plus"], "limit": None, "temperature": 0.0}},
    },
    "labels": {"codedpo": {"pairs": 58, "right": 0.24, "low": 0.14, "high": 0.34, "inverted": 0.02}},
    "scores": [
        score("base", "humaneval_plus", 51.8, **{"wrong value": 66, "IndexError": 4}),
        score("dpo", "humaneval_plus", 54.9, **{"wrong value": 60, "timeout": 2}),
        score("base", "mbpp_plus", 48.0),
        score("dpo", "mbpp_plus", 47.1),
    ],
    "gains": [gain("dpo", "humaneval_plus", 3.1), gain("dpo", "mbpp_plus", -0.9)],
    "steps": [
        {"name": "codedpo dataset", "folder": "codedpo", "seconds": 61.0},
        {"name": "dpo training", "folder": "dpo", "seconds": 840.0},
    ],
    "commands": ["codepref build codedpo --config best --set prompts=prompts.jsonl --out runs/x/codedpo"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("experiment") / "run"
    report_run.make(root)
    (root / "experiment.json").write_text(json.dumps(TOLD))
    write_page(root)
    return root


def test_it_says_what_was_measured(folder: Path) -> None:
    page = (folder / "report.html").read_text()
    assert "No clear difference after training" in page
    assert [item.kinds for item in read_page(folder).graded] == [("wrong value", "IndexError", "timeout"), ()]
    assert "Against hidden tests 24" in page
    assert "<script" not in page


def test_a_run_that_was_stopped_early_has_a_page(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "stopped"
    shutil.copytree(folder / "codedpo", root / "codedpo")
    told = {**TOLD, "scores": [], "gains": [], "labels": {}, "steps": TOLD["steps"][:1]}
    (root / "experiment.json").write_text(json.dumps(told))
    page = write_page(root).read_text()
    assert "This experiment has not been evaluated" in page
    assert "the run stopped before its first evaluation" in page


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    if None in browser.found():
        pytest.skip("needs Chromium and ChromeDriver; on Debian: apt-get install chromium chromium-driver")
    with browser.started(tmp_path_factory.mktemp("chromium")) as made:
        yield made


def test_it_can_be_read_on_every_screen(window: Any, folder: Path) -> None:
    window.log("browser")
    window.open(folder / "report.html")
    assert browser.unreadable(window) == []
    assert window.log("browser") == []
    if place := os.environ.get("PICTURES"):
        (Path(place) / "experiment.png").write_bytes(window.picture(whole=True))


def test_the_keyboard_reaches_everything(window: Any, folder: Path) -> None:
    window.look(1280, "light")
    window.open(folder / "report.html")
    count = window.run(browser.REACHABLE)
    for place in range(count):
        window.press(browser.TAB)
        assert window.run(browser.FOCUSED) == [place, True]
    assert count > 10
