"""What the shell offers: asked in a real bash, in the way that docs/faq.md tells."""

import subprocess
import sys

import pytest

REGISTER = "from argcomplete.scripts.register_python_argcomplete import main; main()"
ASK = """
eval "$({python} -c '{register}' codepref)"
COMP_LINE={line!r}
COMP_POINT=${{#COMP_LINE}}
COMP_TYPE=9
_python_argcomplete codepref
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.fixture
def offered(tmp_path, root):
    """What bash offers behind a line."""
    command = tmp_path / "codepref"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m codepref.cli "$@"\n')
    command.chmod(0o755)
    (tmp_path / "mine.yaml").write_text("")

    def ask(line):
        script = ASK.format(python=sys.executable, register=REGISTER, line=line)
        words = ["bash", "--norc", "-c", script]
        environment = {
            "PATH": f"{tmp_path}:/usr/bin:/bin",
            "PYTHONPATH": ":".join([str(root), *filter(None, sys.path)]),
        }
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert not done.stderr
        return [word.strip() for word in done.stdout.splitlines()]

    return ask


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("codepref ", ["build", "train", "evaluate", "run", "doctor"]),
        ("codepref b", ["build"]),
        ("codepref build ", ["codedpo", "codeflow", "dstc"]),
        ("codepref build codedpo --con", ["--config", "--configs"]),
        ("codepref build codedpo --config q", ["quickstart"]),
        ("codepref build codedpo --config m", ["mine.yaml"]),
        ("codepref build codeflow --config on", ["onpolicy"]),
        ("codepref train foc", ["focal_dpo"]),
        ("codepref train dpo --config small/dpo", ["small/dpo_lora"]),
        ("codepref evaluate humaneval_p", ["humaneval_plus"]),
    ],
)
def test_bash_offers(offered, line, words):
    found = offered(line)
    assert set(words) <= set(found)
    if len(words) == 1:
        assert found == words


def test_nothing_is_imported_for_it_otherwise(root):
    words = [sys.executable, "-X", "importtime", "-m", "codepref.cli", "--version"]
    done = subprocess.run(words, cwd=root, capture_output=True, text=True, timeout=60, check=True)
    assert "argcomplete" not in done.stderr
