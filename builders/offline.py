"""Samples by Ray Data, for a Ray cluster on which no servers are to be kept: vLLM engines answer in batches.

    python -m builders.offline --config mine.yaml --engines 8 --out samples.jsonl
    codepref build codedpo --config mine.yaml --set prompts=null --set generations=samples.jsonl --out runs/mine

The configuration is that of `codepref build codedpo` for `prompts`. The model of `generation.local` runs in `--engines`
vLLM engines of `--gpus` GPUs each. With `generation.server` one server is asked by Ray Data's HTTP processor instead;
`codepref build` does that better, without Ray (docs/scale.md).

Prompts and seeds are those of `codepref build`. A line is written when its prompt and all before it are answered; the
same command goes on after the last line. When nothing comes for `--patience` minutes, the program says so and ends.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import asdict
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from builders.chain.ask import Generation, prompt_stage, requests_of, rows_of, sample_questions
from builders.chain.source import answers_of
from builders.codedpo import method as codedpo
from codepref import config
from codepref.errors import CodeprefError
from codepref.generate import sample_seed
from codepref.records import Samples
from codepref.stages import Runner, progress
from codepref.store import Store

Row = dict[str, Any]
KEPT = ("prompt_id", "purpose", "prompt", "entry_point", "source", "licence")
PATIENCE_S = 1800.0
"""Seconds without a sample after which a run is given up; loading a large model takes some minutes."""
ENDING_S = 20.0
STARTING = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    "RAY_worker_register_timeout_seconds": "600",
    "RAY_task_oom_retries": "20",
}
"""Of a Ray that is started here. With its own settings it may never end on a busy machine: workers get a thirtieth of
anybody else's share (niceness 15), are killed when they have not started within 60 s, or when all programs of the
machine together fill its memory, and are started again without end."""


def plain_row(row: Samples) -> Row:
    """A prompt as texts that Arrow can hold; None becomes an empty text."""
    return {name: getattr(row, name) or "" for name in KEPT if name != "purpose"}


def to_ask(row: Row, settings: codedpo.Config, generation: Generation) -> list[Row]:
    """One row for every sample of a `plain` prompt: what `KEPT` names, the messages, the sampling with its own seed."""
    asks = sample_questions(generation, settings.codes_per_prompt, answers_of(settings))
    sample = Samples(row["prompt_id"], row["prompt"], row["entry_point"], (), ())
    sampling = {name: value for name, value in asdict(generation.sampling).items() if value or name != "stop"}
    return [
        {
            **row,
            "purpose": request.purpose,
            "messages": [{"role": "user", "content": request.prompt}],
            "sampling_params": {
                **sampling,
                "seed": sample_seed(settings.seed, sample.prompt_id, request.purpose, index),
            },
        }
        for request in requests_of(sample, asks)
        for index in range(request.n)
    ]


def processor(generation: Generation, engines: int, gpus: int) -> Any:
    """A Ray Data processor that turns rows of `to_ask` into rows of `KEPT` and `text`."""
    from ray.data.llm import HttpRequestProcessorConfig, build_processor, vLLMEngineProcessorConfig

    def kept(row: Row, text: str) -> Row:
        return {**{name: row[name] for name in KEPT}, "text": text}

    if generation.local is not None:
        engine = vLLMEngineProcessorConfig(
            model_source=generation.local.model, engine_kwargs={"tensor_parallel_size": gpus}, concurrency=engines
        )
        return build_processor(engine, postprocess=lambda row: kept(row, row["generated_text"]))
    server = generation.server
    assert server is not None
    model = server.model
    key = os.environ.get(server.key_variables[0], "")
    http = HttpRequestProcessorConfig(
        url=f"{server.base_urls[0]}/chat/completions",
        headers={"Authorization": f"Bearer {key}"} if key else None,
        batch_size=8,
        concurrency=engines,
        max_retries=server.max_retries,
    )
    return build_processor(
        http,
        preprocess=lambda row: {
            "payload": {"model": model, "messages": list(row["messages"]), **_filled(row["sampling_params"])}
        },
        postprocess=lambda row: kept(row, row["http_response"]["choices"][0]["message"]["content"] or ""),
    )


def _filled(values: Row) -> Row:
    return {name: value for name, value in values.items() if value is not None}


def recorded_lines(rows: Iterator[Row], generator: str) -> Iterator[str]:
    """A line of recorded samples (docs/formats.md) for every run of rows of one prompt."""
    for prompt_id, group in itertools.groupby(rows, key=lambda row: row["prompt_id"]):
        found = list(group)
        codes = [row["text"] for row in found if row["purpose"] == "code"]
        tests = [row["text"] for row in found if row["purpose"] == "test"]
        known = {name: found[0][name] for name in KEPT[2:] if found[0][name] or name == "entry_point"}
        head = {"prompt_id": prompt_id, **known, "entry_point": known["entry_point"] or None}
        entry = {**head, "generator": generator, "codes": codes, "tests": tests}
        yield json.dumps(entry, ensure_ascii=False) + "\n"


def finished(path: Path) -> set[str]:
    """Ids of the prompts that an earlier run has written; half a line at the end is cut off."""
    if not path.exists():
        return set()
    with path.open("rb+") as file:
        whole = file.read()
        end = whole.rfind(b"\n") + 1
        file.truncate(end)
    return {json.loads(line)["prompt_id"] for line in whole[:end].splitlines()}


def _answer(asked: list[Row], settings: codedpo.Config, engines: int, gpus: int, answers: Connection) -> None:
    """Body of the process that speaks to Ray: sends rows, then None, or one line on why there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    for name, value in STARTING.items():
        os.environ.setdefault(name, value)
    import ray

    generation = settings.generation
    assert generation is not None
    try:
        ray.data.DataContext.get_current().execution_options.preserve_order = True
        rows = ray.data.from_items(asked).flat_map(lambda row: to_ask(row, settings, generation))
        for row in processor(generation, engines, gpus)(rows).iter_rows():
            answers.send(row)
        answers.send(None)
    except ray.exceptions.RayError as error:
        told = str(error.__cause__ or error).splitlines()
        answers.send(next((line.strip()[:300] for line in reversed(told) if line.strip()), type(error).__name__))


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def received(body: Callable[..., None], arguments: Sequence[Any], patience_s: float) -> Generator[Row]:
    """The rows that `body` sends from a process of its own, as `_answer` does; the process ends with the iterator.

    Ray can not be made to give up: it waits for its workers without end, and while it starts no thread beside it runs.

    Raises:
        CodeprefError: Ray gave up or died, or there was no row for `patience_s` seconds.
    """
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=body, args=(*arguments, sending))
    process.start()
    sending.close()
    try:
        while True:
            if not receiving.poll(patience_s):
                raise CodeprefError(_nothing_came(patience_s))
            row = receiving.recv()
            if row is None:
                process.join(ENDING_S)
                return
            if isinstance(row, str):
                raise CodeprefError(f"offline: Ray gave up: {row}")
            yield row
    except EOFError:
        process.join(ENDING_S)
        raise CodeprefError(f"offline: Ray ended its process, exit code {process.exitcode}") from None
    finally:
        process.terminate()  # Ray's own processes end with it
        process.join(ENDING_S)
        process.kill()
        process.join()


def _nothing_came(patience_s: float) -> str:
    load = f"{os.getloadavg()[0]:.0f} programs want to run on {os.cpu_count()} processors"
    return (
        f"offline: no sample for {patience_s / 60:g} minutes: Ray's workers do not start or the model does not answer "
        f"({load}; `ray status` and Ray's logs, in /tmp/ray/session_latest/logs, tell more)"
    )


def answer_prompts(settings: codedpo.Config, out: Path, engines: int, gpus: int, patience_s: float = PATIENCE_S) -> int:
    """Writes the samples of all prompts that `out` does not hold yet; their number.

    Raises:
        CodeprefError: the configuration names no prompts, or neither `generation.local` nor one `generation.server`;
            Ray gave up, or no sample came for `patience_s` seconds. What was written stays.
    """
    generation = settings.generation
    if settings.prompts is None or generation is None or (generation.local is None) == (generation.server is None):
        raise CodeprefError(
            "offline: the configuration needs 'prompts' and 'generation' with either 'local' or 'server'"
        )
    if generation.server is not None and (len(generation.server.base_urls) > 1 or generation.server.api != "chat"):
        raise CodeprefError("offline: Ray Data asks one chat server; for several use codepref build")
    if generation.local is not None and generation.local.adapter is not None:
        raise CodeprefError(
            "offline: merge the adapter first (codepref train --merge), or serve it and use codepref build"
        )
    with tempfile.TemporaryDirectory() as folder:
        stage = prompt_stage(Runner(Store(Path(folder)), quiet=True), settings.prompts, settings.shard_size)
        done = finished(out)
        todo = [row for row in rows_of(stage, Samples) if row.prompt_id not in done]
    if not todo:
        return 0
    model = generation.local or generation.server
    assert model is not None
    answers = received(_answer, ([plain_row(row) for row in todo], settings, engines, gpus), patience_s)
    try:
        with progress("samples", len(todo), "prompt") as bar, out.open("a", encoding="utf-8") as file:
            for line in recorded_lines(answers, model.model):
                file.write(line)
                file.flush()
                bar.update()
    except CodeprefError as error:
        raise CodeprefError(f"{error}; what is in {out} stays: run again to go on") from None
    finally:
        answers.close()
    return len(todo)


def main(argv: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="builders.offline", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--config", metavar="FILE", required=True, help="as for codepref build codedpo")
    parser.add_argument("--set", metavar="KEY=VALUE", action="append", default=[], help="overrides a key of the file")
    parser.add_argument("--out", metavar="FILE", type=Path, required=True, help="recorded samples, JSON lines")
    parser.add_argument(
        "--engines", metavar="N", type=int, default=1, help="vLLM engines, or HTTP workers (%(default)s)"
    )
    parser.add_argument("--gpus", metavar="N", type=int, default=1, help="GPUs of each engine (%(default)s)")
    parser.add_argument(
        "--patience", metavar="MINUTES", type=float, default=PATIENCE_S / 60,
        help="give up when there was no sample for so long (%(default)g)",
    )  # fmt: skip
    arguments = parser.parse_args(argv)
    try:
        if not 0 < arguments.patience <= 100_000:
            raise CodeprefError(f"offline: --patience must be greater than 0 minutes, not {arguments.patience:g}")
        settings = config.load(codedpo.Config, arguments.config, arguments.set)
        count = answer_prompts(settings, arguments.out, arguments.engines, arguments.gpus, 60 * arguments.patience)
    except CodeprefError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{count} prompts; codepref build codedpo --set prompts=null --set generations={arguments.out}")
    return 0


if __name__ == "__main__":
    from builders import offline  # noqa: PLW0406 - by its name, as `__main__` is another program in Ray's workers

    sys.exit(offline.main())
