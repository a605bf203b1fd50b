import os
import shutil
import tempfile
from pathlib import Path

import pytest

# Before any import of the Hub's client, which reads these once: no test reaches the Hub, caches are private to the run.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="codepref-hf-")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def _no_leftovers():
    yield
    shutil.rmtree(os.environ["HF_HOME"], ignore_errors=True)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Path:
    """The folder of a finished CodeDPO run, only to be read."""
    from codepref import cli

    from builders_recordings import NOISY, RECORDINGS, write  # isort: skip

    folder = tmp_path_factory.mktemp("finished")
    settings = ["limits.cpu_s=0.3", "shard_size=2", f"generations={write(folder / 'g.jsonl', [*RECORDINGS, NOISY])}"]
    words = [word for item in settings for word in ("--set", item)]
    assert cli.main(["build", "codedpo", "--quiet", "--workers", "1", "--out", str(folder / "run"), *words]) == 0
    return folder / "run"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real generations and benchmark files, which are not part of the project."""
    if not SHARED.is_dir():
        pytest.skip("real generations are not part of the project; this test needs them in ../shared/data")
    return SHARED
