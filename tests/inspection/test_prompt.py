import os
import pty
import re
import subprocess
import sys

import pyarrow as pa

from codepref.inspection import run as inspection
from codepref.inspection.prompt import GREEN, RED, trace
from codepref.stages import counted
from codepref.store import Shard, Store

from builders_recordings import GOOD, TESTS, WRONG  # isort: skip
from inprocess import run  # isort: skip


def test_the_whole_chain_of_a_prompt(finished):
    text = run("inspect", finished, "--prompt", "clear").stdout
    assert text.startswith("prompt clear (f, made for this test, MIT, a model)\n    Write f.\n")
    for index, mark in enumerate((" (rejected)", "", "", " (chosen)")):
        assert f"code {index}{mark}\n    def f(x):\n" in text
    for index, test in enumerate(TESTS):
        assert f"test {index}\n    {test}\n" in text
    matrix = text[text.index("matrix") :].splitlines()
    assert matrix[0] == "matrix: codes down, tests across (+ passed, - failed)"
    assert [re.sub(r"[^+-]", "", line[:20]) for line in matrix[2:6]] == ["----", "-++-", "+++-", "+++-"]
    assert matrix[2].endswith("rejected")
    assert matrix[5].endswith("chosen")
    assert "pairs: confidence 0." in text
    diff = text[text.index("--- rejected") :].splitlines()
    assert "-" + WRONG.splitlines()[1] in diff
    assert "+" + GOOD.splitlines()[1] in diff
    assert " def f(x):" in diff


def test_what_was_left_out_of_a_prompt(finished):
    lines = [" ".join(line.split()) for line in run("inspect", finished, "--prompt", "broken").stdout.splitlines()]
    assert any(line.startswith("candidates code unparseable 1") for line in lines)
    assert "candidates code empty 2" in lines
    # one that never became a candidate
    text = run("inspect", finished, "--prompt", "lonely").stdout
    assert "Write f." in text
    assert "fewer than 2 codes" in text
    assert "matrix" not in text


def test_verdicts_have_signs(finished):
    text = run("inspect", finished, "--prompt", "loop").stdout
    assert "+ passed, - failed, t timeout" in text


def test_colour_in_a_terminal_only(finished):
    plain = run("inspect", finished, "--prompt", "clear").stdout
    assert "\x1b" not in plain
    assert trace(inspection.read_run(finished), "clear") + "\n" == plain
    main, child = pty.openpty()
    words = [sys.executable, "-m", "codepref.cli", "inspect", str(finished), "--prompt", "clear"]
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    process = subprocess.Popen(words, stdout=child, env=environment)
    os.close(child)
    shown = b""
    while block := _block(main):
        shown += block
    assert process.wait() == 0
    text = shown.decode().replace("\r\n", "\n")
    assert f"{RED}-    return x * 7" in text
    assert f"{GREEN}+    return x + 1" in text
    assert re.sub(r"\x1b\[\d+m", "", text) == plain


def _block(main):
    try:
        return os.read(main, 65536)
    except OSError:  # the end of a terminal
        return b""


def test_a_model_can_not_act_on_the_terminal(finished):
    text = run("inspect", finished, "--prompt", "noisy").stdout
    assert "\x1b" not in text
    assert '    return "\\x1b[2J"' in text


def test_a_published_dataset_shows_its_rows(finished, tmp_path):
    for name in ("manifest.json", "correctness"):
        subprocess.run(["cp", "-r", finished / name, tmp_path], check=True)
    text = trace(inspection.read_run(tmp_path), "clear")
    assert "matrix: codes down, tests across (+ passed, - not passed)" in text
    assert "+++ chosen" in text
    for test in TESTS:
        assert test in text


def stored(store, name, row):
    """A finished stage with one row."""
    stage = store.stage(name, {})
    stage.write(0, Shard(pa.Table.from_pylist([row])))
    stage.finish({"stage": name, "key": stage.key, "depends": stage.depends, "rows_in": 1, **counted(stage)})


def test_programs_made_one_out_of_the_other(tmp_path):
    """A method whose rows hold versions of a program instead of a matrix, and check a pair in a further stage."""
    store = Store(tmp_path)
    versions = [
        {"code": "def f(x:", "problem": "syntax", "verdicts": []},
        {"code": WRONG, "problem": "", "verdicts": ["failed", "passed"]},
        {"code": GOOD, "problem": "", "verdicts": ["passed", "passed"]},
    ]
    stored(store, "histories", {"prompt_id": "p", "prompt": "Write f.", "tests": TESTS[:2], "versions": versions})
    pair = {"prompt_id": "p", "prompt": "Mend f.", "chosen": GOOD, "rejected": WRONG, "spans": [[1, 2]]}
    stored(store, "pairs", {**pair, "round": 1})
    stored(store, "distinct", {**pair, "round": 1})
    text = trace(inspection.read_run(tmp_path), "p")
    assert text.startswith("prompt p\n    Write f.\n\ncode 0\n    def f(x:\ncode 1\n    def f(x):\n")
    matrix = text[text.index("matrix") :].splitlines()
    assert [re.sub(r"[^+-]", "", line[:16]) for line in matrix[2:5]] == ["", "-+", "++"]
    assert text.count("+++ chosen") == 1
    assert "distinct: round 1\n--- rejected" in text
