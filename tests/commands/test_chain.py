"""What was finished is kept for as long as what it was made of stays the same."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from codepref.commands.chain import Chain, Step
from codepref.errors import CodeprefError

FILE = "run.json"


def counted(name: str, done: list[str], fails: bool = False) -> Any:
    """A step's work: it is remembered in `done`."""

    def work(root: Path) -> Mapping[str, Any]:
        if fails:
            raise CodeprefError(f"{name} failed")
        done.append(name)
        return {name: len(done)}

    return work


def run(root: Path, steps: list[Step], **about: str) -> dict[str, Any]:
    Chain(root, FILE, about).run(steps, "again")
    found: dict[str, Any] = json.loads((root / FILE).read_text())
    return found


def steps(done: list[str], truth: Path, broken: str = "") -> list[Step]:
    """Two datasets, labels of both, an adapter of the first, and a summary."""
    work = {name: counted(name, done, fails=name == broken) for name in ("a", "b", "labels", "adapter", "sum")}
    return [
        Step("a", call=work["a"], needs=()),
        Step("b", call=work["b"], needs=()),
        Step("labels", call=work["labels"], needs=("a", "b"), reads=(str(truth), "a", "b")),
        Step("adapter", call=work["adapter"], needs=("a",)),
        Step("sum", call=work["sum"], again=True),
    ]


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    path = tmp_path / "truth.jsonl"
    path.write_text("one\n")
    return path


def test_a_finished_run_does_only_its_summary_again(tmp_path: Path, truth: Path) -> None:
    done: list[str] = []
    first = run(tmp_path, steps(done, truth))
    again = run(tmp_path, steps(done, truth))
    assert done == ["a", "b", "labels", "adapter", "sum", "sum"]
    assert again == {**first, "sum": 6, "steps": again["steps"]}
    assert [step["name"] for step in again["steps"]] == ["a", "b", "labels", "adapter", "sum"]


def test_only_what_depends_on_a_changed_file_is_done_again(tmp_path: Path, truth: Path) -> None:
    done: list[str] = []
    run(tmp_path, steps(done, truth))
    truth.write_text("another\n")
    run(tmp_path, steps(done, truth))
    assert done[5:] == ["labels", "sum"]


def test_a_step_that_is_added_costs_none_of_the_others(tmp_path: Path, truth: Path) -> None:
    done: list[str] = []
    run(tmp_path, steps(done, truth), trainings="one")
    more = steps(done, truth)
    more.insert(1, Step("c", call=counted("c", done), needs=()))
    found = run(tmp_path, more, trainings="two")
    assert done[5:] == ["c", "sum"]
    assert found["trainings"] == "two"
    assert found["adapter"] == 4


def test_a_step_that_is_gone_leaves_nothing(tmp_path: Path, truth: Path) -> None:
    done: list[str] = []
    run(tmp_path, steps(done, truth))
    found = run(tmp_path, [step for step in steps(done, truth) if step.name != "adapter"])
    assert "adapter" not in found
    assert done[5:] == ["sum"]


def test_what_follows_a_step_done_anew_is_done_anew(tmp_path: Path, truth: Path) -> None:
    done: list[str] = []
    run(tmp_path, steps(done, truth))
    changed = steps(done, truth)
    changed[0] = Step("a", call=counted("a", done), needs=(), reads=("other",))
    run(tmp_path, changed)
    assert done[5:] == ["a", "labels", "adapter", "sum"]


def test_a_failure_keeps_what_came_before_and_what_comes_after(tmp_path: Path, truth: Path) -> None:
    done: list[str] = []
    run(tmp_path, steps(done, truth))
    truth.write_text("another\n")
    with pytest.raises(CodeprefError, match="labels failed"):
        run(tmp_path, steps(done, truth, broken="labels"))
    run(tmp_path, steps(done, truth))
    assert done[5:] == ["labels", "sum"]


def test_what_follows_is_done_anew_also_after_a_stop_in_between(tmp_path: Path, truth: Path) -> None:
    done: list[str] = []
    run(tmp_path, steps(done, truth))
    for broken in ("labels", ""):
        changed = steps(done, truth, broken)
        changed[0] = Step("a", call=counted("a", done), needs=(), reads=("other",))
        if broken:
            with pytest.raises(CodeprefError):
                run(tmp_path, changed)
        else:
            run(tmp_path, changed)
    assert done[5:] == ["a", "labels", "adapter", "sum"]


def test_a_step_that_reads_everything_is_done_again_when_anything_was(tmp_path: Path) -> None:
    done: list[str] = []
    plain = [Step("a", call=counted("a", done)), Step("b", call=counted("b", done))]
    run(tmp_path, plain, seed="0")
    run(tmp_path, plain, seed="0")
    assert done == ["a", "b"]
    run(tmp_path, plain, seed="1")
    assert done == ["a", "b", "a", "b"]


def test_a_word_too_long_for_a_name_is_no_file(tmp_path: Path) -> None:
    done: list[str] = []
    long = [Step("a", call=counted("a", done), needs=(), reads=("x" * 300, "a=" + "y/" * 3000, "with\0zero"))]
    run(tmp_path, long)
    run(tmp_path, long)
    assert done == ["a"]


def test_a_step_in_an_older_form_is_done_again(tmp_path: Path, truth: Path) -> None:
    (tmp_path / FILE).write_text('{"steps": [{"name": "a", "folder": null, "seconds": 1.0, "words": []}]}')
    done: list[str] = []
    run(tmp_path, steps(done, truth))
    assert done == ["a", "b", "labels", "adapter", "sum"]


@pytest.mark.parametrize("text", ["[]", "{", "", '{"steps": null}', '{"steps": [1]}', "\ufeff"])
def test_what_is_not_the_file_of_a_run_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(CodeprefError, match=f"{FILE}: not the file of a run; remove it"):
        Chain(tmp_path, FILE, {})
