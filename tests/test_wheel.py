"""The wheel, installed into an empty environment and used outside of any checkout."""

import json
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from codepref.commands.options import CONFIGS


@pytest.fixture(scope="module")
def codepref(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """The installed command. Libraries come from the environment of the tests, codepref itself from the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(words, cwd=root, check=True, capture_output=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "env", with_pip=False)
    python = folder / "env" / "bin" / "python"
    site = next((folder / "env" / "lib").glob("python3*")) / "site-packages"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--target",
        str(site),
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True, timeout=120)
    # a checkout that is installed there to be worked on comes by a .pth file of its own, which is not read from here
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    command = folder / "codepref"
    command.write_text(f'#!/bin/sh\nexec {python} -m codepref.cli "$@"\n')
    command.chmod(0o755)
    return command


@pytest.fixture
def run(codepref: Path, tmp_path: Path):
    def made(*words: str) -> str:
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        done = subprocess.run(
            [codepref, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout + done.stderr

    return made


def test_it_is_the_wheel_that_runs(codepref: Path, root: Path) -> None:
    python = codepref.parent / "env" / "bin" / "python"
    words = [python, "-c", "import codepref, builders, evaluation; print(codepref.__file__)"]
    found = subprocess.run(words, cwd=codepref.parent, capture_output=True, text=True, check=True, timeout=60).stdout
    assert Path(found.strip()).is_relative_to(codepref.parent)
    assert not Path(found.strip()).is_relative_to(root)


def test_shipped_configurations_build_by_name(run, tmp_path: Path) -> None:
    run("build", "codedpo", "--config", "quickstart", "--out", "pairs", "--quiet")
    assert json.loads((tmp_path / "pairs" / "manifest.json").read_text())["dataset"]["correctness"]["rows"] == 21
    run("build", "codeflow", "--config", "quickstart", "--out", "repairs", "--quiet")
    assert "quickstart" in run("build", "dstc", "--configs")


def test_recipes_and_experiments_are_found(run, tmp_path: Path) -> None:
    assert "qwen2.5-coder-0.5b/dpo_qlora" in run("train", "dpo", "--configs")
    run("init", "mine", "--model", "org/model")
    assert (tmp_path / "mine" / "experiment.yaml").exists()


def test_every_shipped_configuration_is_in_the_wheel(codepref: Path) -> None:
    (installed,) = codepref.parent.glob("env/lib/python3*/site-packages/builders/configs")
    shipped = {path.relative_to(CONFIGS) for path in CONFIGS.rglob("*.yaml")}
    assert {path.relative_to(installed) for path in installed.rglob("*.yaml")} == shipped
