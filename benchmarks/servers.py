"""One driver process against 1 to 8 servers on loopback: rate, CPU time of the driver, shares, and a server killed.

    python benchmarks/servers.py

Each server is a process of its own that answers `PLACES` requests at once, each after `LATENCY_S`; more have to wait.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from codepref.generate import OnDone, Request, Sampling  # noqa: E402
from codepref.generate.cache import Cache  # noqa: E402
from codepref.generate.server import ServerConfig, ServerGenerator  # noqa: E402

PLACES = 16
LATENCY_S = 2.0
SAMPLES = 10
PROMPT = "Write a function that returns the sum of the even numbers of a list.\n" * 8
CODE = "```python\n" + "def total(numbers):\n    return sum(n for n in numbers if n % 2 == 0)\n" * 8 + "```\n"


async def serve(log: Path, latency_s: float, spread: float, places: int, pipe: Connection):
    """Answers until it is killed; notes every answer's (prompt, seed) in `log` before it is sent."""
    busy = asyncio.Semaphore(places)
    rng = random.Random(0)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), log.open("a", buffering=1) as notes:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                if head.startswith(b"get"):
                    writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
                    continue
                size = int(head.partition(b"content-length:")[2].partition(b"\r")[0])
                body = json.loads(await reader.readexactly(size))
                async with busy:
                    await asyncio.sleep(latency_s * rng.uniform(1 - spread, 1 + spread))
                choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": CODE}}
                usage = {"prompt_tokens": 150, "completion_tokens": 200}
                data = json.dumps({"choices": [choice], "usage": usage}).encode()
                print(body["messages"][-1]["content"][-9:], body["seed"], file=notes)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ")
                writer.write(str(len(data)).encode() + b"\r\n\r\n" + data)

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=1 << 20, backlog=1024)
    pipe.send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
    await server.serve_forever()


def child(log: Path, latency_s: float, spread: float, places: int, pipe: Connection):
    asyncio.run(serve(log, latency_s, spread, places, pipe))


class Servers:
    """Servers of the given latencies, each a process."""

    def __init__(self, folder: Path, latencies: Sequence[float], spread: float = 0.0, places: int = PLACES) -> None:
        context = multiprocessing.get_context("spawn")
        self.logs = [folder / f"log{i}" for i in range(len(latencies))]
        self.urls, self.processes = [], []
        for log, latency in zip(self.logs, latencies, strict=True):
            log.write_text("")
            here, there = context.Pipe()
            process = context.Process(target=child, args=(log, latency, spread, places, there), daemon=True)
            process.start()
            self.processes.append(process)
            self.urls.append(here.recv())

    def answered(self):
        """(prompt, seed) of every answer, one counter a server."""
        return [Counter(log.read_text().splitlines()) for log in self.logs]

    def close(self):
        """Kills all."""
        for process in self.processes:
            process.kill()
            process.join()


@contextlib.contextmanager
def servers(latencies: Sequence[float], spread: float = 0.0, places: int = PLACES) -> Iterator[tuple[Servers, Cache]]:
    with tempfile.TemporaryDirectory() as name, Cache(Path(name) / "requests.sqlite") as cache:
        made = Servers(Path(name), latencies, spread, places)
        try:
            yield made, cache
        finally:
            made.close()


def requests(count: int):
    return [Request(f"p{i}", "code", f"{PROMPT}{i:09}", n=SAMPLES) for i in range(count // SAMPLES)]


def generator(made: Servers, cache: Cache, places: int = PLACES):
    return ServerGenerator(ServerConfig("m", tuple(made.urls), concurrency=places), Sampling(), cache)


def asked(running: ServerGenerator, wanted: Sequence[Sequence[Request]], on_done: OnDone | None = None):
    """Answers a second and CPU milliseconds of this process an answer."""
    wall, cpu = time.perf_counter(), time.process_time()
    for part in wanted:
        running.generate(part, on_done)
    count = sum(request.n for part in wanted for request in part)
    return count / (time.perf_counter() - wall), 1e3 * (time.process_time() - cpu) / count


def shares(made: Servers):
    counts = [sum(one.values()) for one in made.answered()]
    return min(counts) / sum(counts), max(counts) / sum(counts)


def line(name: str, rate: float, ideal: float, cpu: float, share: tuple[float, float] | None = None):
    part = f"{rate / ideal:.0%}" if ideal else ""
    ends = f"{share[0]:.1%}, {share[1]:.1%}" if share else ""
    print(f"{name:<32}{rate:>10,.0f}{part:>10}{cpu:>11.2f} ms{ends:>24}", flush=True)
    return name, {"rate": rate, "ideal": ideal, "cpu_ms": cpu, "shares": share}


def scaling(rounds: int):
    print(f"{'servers':<32}{'answers/s':>10}{'of ideal':>10}{'driver CPU':>14}{'lowest, highest share':>24}")
    for count in (1, 2, 4, 8):
        with servers([LATENCY_S] * count) as (made, cache):
            rate, cpu = asked(generator(made, cache), [requests(count * PLACES * rounds)])
            yield line(str(count), rate, count * PLACES / LATENCY_S, cpu, shares(made))
    with servers([LATENCY_S] * 3 + [5 * LATENCY_S]) as (made, cache):
        rate, cpu = asked(generator(made, cache), [requests(4 * PLACES * rounds)])
        yield line("4, one of them 5 x slower", rate, 3.2 * PLACES / LATENCY_S, cpu, shares(made))


def ceiling():
    """No latency at all: as fast as this process can ask."""
    for count, places in ((1, 16), (8, 64)):
        with servers([0.0] * count, places=places) as (made, cache):
            running, wanted = generator(made, cache, places), [requests(6_000)]
            yield line(f"{count} without latency, {places} places", *rate_only(asked(running, wanted)))
            if count > 1:
                yield line("the same from the cache", *rate_only(asked(running, wanted)))


def rate_only(measured: tuple[float, float]):
    return measured[0], 0.0, measured[1]


def groups():
    """A shard is 32 prompts x 30 samples; latencies differ by +-60 %."""
    for shards in (1, 4):
        with servers([LATENCY_S] * 8, spread=0.6) as (made, cache):
            wanted = requests(4 * 960)
            size = len(wanted) // 4 * shards
            parts = [wanted[i : i + size] for i in range(0, len(wanted), size)]
            rate, cpu = asked(generator(made, cache), parts)
            yield line(f"8, shards asked {shards} at a time", rate, 8 * PLACES / LATENCY_S, cpu)


def killed(rounds: int):
    with servers([LATENCY_S] * 4) as (made, cache):
        wanted = requests(4 * PLACES * rounds)
        running = generator(made, cache)
        at = [0, 0.0]

        def kill(request: Request, done: list) -> None:
            at[0] += len(done)
            if not at[1] and at[0] >= len(wanted) * SAMPLES // 3:
                made.processes[0].kill()
                at[1] = time.perf_counter()

        asked(running, [wanted], kill)
        seconds = time.perf_counter() - at[1]
        total = sum(made.answered(), Counter())
        missing = len(wanted) * SAMPLES - len(total)
        twice = sum(total.values()) - len(total)
        rate = len(wanted) * SAMPLES * 2 / 3 / seconds
        print(
            f"one of 4 killed after a third: {len(wanted) * SAMPLES:,} samples, {missing} missing, {twice} answered "
            f"twice, {running.stats.servers[0].failures} sent on; after that {rate:.0f} answers/s, ideal "
            f"{3 * PLACES / LATENCY_S:.0f}"
        )
        yield "killed", {"missing": missing, "twice": twice, "rate_after": rate}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10, help="requests for every place (%(default)s)")
    rounds = parser.parse_args().rounds
    import openai  # noqa: F401 - its import is no part of the first measurement

    figures = {}
    for part in (scaling(rounds), ceiling(), groups(), killed(rounds)):
        figures.update(part)
    print(f"load average {os.getloadavg()[1]:.0f} on {os.cpu_count()} cores")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
