"""Ray runs the shards: on this machine's processors, or on those of a cluster.

A task is one shard. It reserves one processor and has a worker process to itself, on whose main thread it runs; what a
shard function keeps for its process, such as its sandbox, is so one a slot and never shared.

Ray's own retries are off: a task that took its worker with it is given out again here, where it can be counted. A task
that does so `TRIES` times, the last time with nothing else at work, is given up. A lost node takes innocent tasks with
it, so that counts apart. An exception of the function itself is a bug and comes out as it is.
"""

import os
import platform
import socket
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from codepref import __version__
from codepref.errors import CodeprefError

TRIES = 3
LOST_NODES = 10
"""A task under which so many nodes were lost is given up, too."""
DOOMED = 6
"""Where so many tasks lost their workers before one was ever done, it is not the tasks."""
AHEAD = 2
"""Tasks per processor that are running or wait on a node, so that none is ever idle."""
OBJECT_STORE_BYTES = 128 << 20
"""Of a Ray of our own: shards travel through the run's store, not through Ray's."""


@dataclass(frozen=True)
class Cluster:
    """Which Ray, and how much of it."""

    address: str | None = None
    """HOST:PORT of a running one, or `auto` for the one on this machine; None: one is started here, and ended."""
    workers: int | None = None
    """Tasks at once; None: as many as the cluster has processors."""


@dataclass(frozen=True)
class Lost:
    """A task that was given up."""

    times: int
    """How often it took its worker, or its node, with it."""


def run_calls(cluster: Cluster, call: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    """Calls a function on every item; yields position and result, or `Lost`, as they come.

    What is at work when the iterator is closed ends by itself, or with this process.

    Args:
        cluster: Where.
        call: Importable on every node, or picklable; it and the items are small.
        items: Sent one by one, as workers get free.

    Raises:
        CodeprefError: the cluster can not be used, or workers die and none has ever finished anything.
    """
    ray = connect(cluster)
    task = ray.remote(num_cpus=1, max_retries=0)(_task)
    todo, last = deque(range(len(items))), list[int]()
    pending, lost = dict[Any, int](), Counter[int]()
    nodes, survived = Counter[int](), False
    while todo or pending or last:
        if not todo and not pending:
            todo.append(last.pop())
        while todo and len(pending) < _room(ray, cluster):
            place = todo.popleft()
            pending[task.remote(_versions(), call, items[place])] = place
        (done,), _ = ray.wait(list(pending))
        place = pending.pop(done)
        found = _result(ray, done)
        if not isinstance(found, ray.exceptions.RayError):
            survived = True
            yield place, found
            continue
        (nodes if isinstance(found, ray.exceptions.NodeDiedError) else lost)[place] += 1
        if lost[place] >= TRIES or nodes[place] >= LOST_NODES:
            yield place, Lost(lost[place] + nodes[place])
        elif lost[place] == TRIES - 1:
            last.append(place)
        else:
            todo.append(place)
        if not survived and len(lost) >= max(DOOMED, len(pending)):
            raise CodeprefError("workers die whatever they are given to do; look at the nodes and their memory")


def connect(cluster: Cluster) -> Any:
    """The module `ray`, connected. One connection serves a whole process.

    Raises:
        CodeprefError: Ray is not installed, or nothing answers at the address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # of a Ray of our own; 15 would starve beside anything else
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise CodeprefError("--runner ray: Ray is not installed; pip install 'codepref[ray]', on every node") from None
    if ray.is_initialized():
        return ray
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if cluster.address is None:
            ray.init(
                "local",
                num_cpus=cluster.workers,
                include_dashboard=False,
                object_store_memory=OBJECT_STORE_BYTES,
                **options,
            )
        else:
            _reach(cluster.address)
            ray.init(cluster.address, **options)
    except (Exception, SystemExit) as error:  # Ray raises a plain `Exception`, too, or ends the process
        reason = (str(error).splitlines() or [""])[0]
        if cluster.address is None:
            raise CodeprefError(f"Ray does not start here ({reason}); try again, or without --runner ray") from None
        remedy = "give HOST:PORT as `ray start --head` prints it (6379 unless told otherwise), on one of its nodes"
        raise CodeprefError(f"no Ray at {cluster.address} ({reason}); {remedy}") from None
    return ray


def _reach(address: str) -> None:
    """Raises `OSError` or `ValueError` at once where Ray would try for minutes."""
    host, _, port = address.rpartition(":")
    if address != "auto":
        if not host or not port.isdigit() or "/" in host:
            raise ValueError("not HOST:PORT")
        socket.create_connection((host, int(port)), timeout=10).close()


def _room(ray: Any, cluster: Cluster) -> int:
    """Tasks that may be given out; asked anew each time, as nodes come and go."""
    if cluster.address is not None and cluster.workers is not None:
        return cluster.workers
    return max(1, AHEAD * int(ray.cluster_resources().get("CPU", 1)))


def _result(ray: Any, reference: Any) -> Any:
    """What a task returned, or the error that says it was lost; any other is raised."""
    errors = ray.exceptions
    try:
        return ray.get(reference)
    except (errors.NodeDiedError, errors.WorkerCrashedError, errors.OutOfMemoryError) as error:
        return error
    except errors.RayError as error:
        cause = getattr(error, "cause", error)
        if not isinstance(cause, errors.RayError):
            raise cause from error
        line = str(cause).splitlines()[0]
        raise CodeprefError(f"Ray: {line}; finished shards are kept, the same command goes on from there") from None


def _task(versions: dict[str, str], call: Callable[[Any], Any], item: Any) -> Any:
    """Body of a task, on any node."""
    for name, here in _versions().items():
        if here != versions[name]:
            raise CodeprefError(
                f"{platform.node()}: {name} {here}, but {versions[name]} where the build was started; install the same "
                "on every node, or the bytes of a dataset depend on where it was made"
            )
    return call(item)


def _versions() -> dict[str, str]:
    return {"codepref": __version__, "pyarrow": pa.__version__, "python": platform.python_version()}


def seen(place: Path) -> None:
    """Raises `CodeprefError` where a node does not see a folder of the run."""
    if not place.exists():
        raise CodeprefError(
            f"{platform.node()}: {place} is not there; let --out be on a file system that all nodes share, or give "
            "--store URL"
        )
