"""Attacks of our own (attacks.jsonl) in a throw-away root: with every layer, and in a container's default limits."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import container

pytestmark = pytest.mark.long

ATTACKS = Path(__file__).with_name("attacks.jsonl")
OF_PROGRAMS = ATTACKS.with_name("attacks_stdin.jsonl")
"""Whole programs that read standard input."""
ROWS = [json.loads(line) for line in ATTACKS.read_text(encoding="utf-8").splitlines()]
COMBINATIONS = [("open", "root", "library"), ("open", "nobody", "function"), ("docker", "root", "function"), ("docker", "nobody", "library")]  # fmt: skip
NOWHERE_ELSE = "this machine does not allow a root of one's own, and attacks run nowhere else"


@pytest.mark.parametrize(("root", "user", "profile"), COMBINATIONS, ids=map("-".join, COMBINATIONS))
@pytest.mark.parametrize(("attacks", "cells"), [(ATTACKS, 350), (OF_PROGRAMS, 110)], ids=("functions", "programs"))
def test_every_attack_comes_out_as_it_should(attacks: Path, cells: int, root: str, user: str, profile: str) -> None:
    possible = [sys.executable, str(ATTACKS.with_name("container.py")), "--profile", "open", "--", "/bin/true"]
    if subprocess.run(possible, capture_output=True, check=False).returncode:
        pytest.skip(NOWHERE_ELSE)
    if user == "nobody" and os.geteuid() and "/root/" in sys.base_prefix:
        pytest.skip("the interpreter lies where only root may go")
    command = [sys.executable, "benchmarks/sandbox_cases.py", "hostile", str(attacks)]
    command += ["--root", root, "--user", user, "--profile", profile]
    done = subprocess.run(command, cwd=container.ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1])["cells"] > cells


def test_attacks_run_nowhere_else() -> None:
    """The rows that change what belongs to the user are refused where that would be this machine."""
    dangerous = {"id": "harm_x", "group": "harm", "codes": [""], "tests": ["f(1)"], "entry_point": "f", "right": ["F"], "why": ""}  # fmt: skip
    command = [sys.executable, "benchmarks/sandbox_cases.py", "hostile", "/dev/stdin"]
    done = subprocess.run(
        command, cwd=container.ROOT, input=json.dumps(dangerous), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "add --root open" in done.stderr


def test_kinds_of_attacks() -> None:
    """Named with the words of what is no longer possible."""
    kinds = Counter(row["group"] for row in ROWS)
    assert len(ROWS) >= 70
    assert kinds["wire"] >= 15
    assert kinds["cross"] >= 20
    named = {row["id"]: row["why"] for row in ROWS}
    assert "numpy by name" in named["wire_numpy_function"]
    assert "builtins by name" in named["wire_getattr_builtin"]
    for row in ROWS:
        assert [len(letters) for letters in row["right"]] == [len(row["tests"])] * len(row["codes"])
        assert set("".join(row["right"])) <= set("PF?O")
