import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")  # how long an example takes says nothing on a shared machine

# Before any import of the Hub's client, which reads these once: no test reaches the Hub, caches are private to the run.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HOME"] = tempfile.mkdtemp(prefix="codepref-hf-")

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files first that take minutes: workers take files in this order (`--no-loadscope-reorder`)."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


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


@pytest.fixture(scope="session")
def bucket(tmp_path_factory):
    """URL of an empty bucket on a server that speaks S3, in a process of its own on loopback."""
    import socket
    import subprocess
    import sys
    import time

    import boto3

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    os.environ.update(
        AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}", AWS_ACCESS_KEY_ID="a", AWS_SECRET_ACCESS_KEY="b",
        AWS_DEFAULT_REGION="us-east-1", no_proxy="127.0.0.1",
    )  # fmt: skip
    log = (tmp_path_factory.mktemp("s3") / "log").open("w")
    command = [sys.executable, "-c", "from moto.server import main; import sys; main(sys.argv[1:])", "-p", port]
    server = subprocess.Popen(command, stdout=log, stderr=log)
    deadline = time.monotonic() + 60
    while socket.socket().connect_ex(("127.0.0.1", int(port))):
        assert server.poll() is None and time.monotonic() < deadline, "the S3 server does not answer"
        time.sleep(0.05)
    boto3.client("s3").create_bucket(Bucket="runs")
    yield "s3://runs"
    server.kill()
    server.wait()


@pytest.fixture(scope="session")
def nodes(bucket):
    """Two nodes of a Ray cluster on this machine, with a processor each; they know the way to `bucket`."""
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_worker_niceness="0")
    import ray
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 100 << 20}
    cluster = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
    cluster.add_node(**small)
    yield cluster
    ray.shutdown()
    cluster.shutdown()
