"""The whole chain from source code: with a script, with a server that is killed in the middle, with real functions."""

import hashlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace

import datasets
import pytest
import yaml
from building import build_in

from builders.chain import gates, seeds
from builders.chain.ask import Generation, rows_of
from builders.chain.gates import Gates
from builders.codedpo import method as codedpo
from builders.codedpo.method import Config
from codepref import config
from codepref.errors import CodeprefError
from codepref.files import read_rows
from codepref.records import Outcomes
from codepref.sandbox import Limits
from codepref.store import Stage

from builders_recordings import write as write_recordings  # isort: skip
from builders_seeds import answer, task_text, write_seeds  # isort: skip
from generate.fake_server import FakeServer, Fault  # isort: skip

CODES, TESTS, TASKS = 6, 4, 2
LIMITS = Limits(cpu_s=0.5)


def counts(manifest):
    return {s["stage"]: (s["rows_in"], s["rows_out"]) for s in manifest["stages"]}


def dropped(manifest):
    return {
        (s["stage"], item["kind"], item["rule"]): item["count"] for s in manifest["stages"] for item in s["excluded"]
    }


def script(path, taken, tasks):
    """Answers for these seeds: `tasks(seed)` gives the texts of its tasks."""
    entries = []
    for seed in taken:
        entries.append({"prompt_id": seed.seed_id, "purpose": "concepts", "answers": [f"- what {seed.name} does"]})
        entries.append({"prompt_id": seed.seed_id, "purpose": "task", "answers": tasks(seed)})
        for text in tasks(seed):
            row = seeds.task(text)
            name = row.entry_point
            codes = [f"def {name}(x):\n    return x + {n}" for n in (3, 3, 4)]
            tests = [f"assert {name}({n}) == {n + 3}\nassert {name}({-n}) == {3 - n}" for n in range(1, 9)]
            entries.append({"prompt_id": row.prompt_id, "purpose": "code", "answers": codes})
            entries.append({"prompt_id": row.prompt_id, "purpose": "test", "answers": tests})
    unique = {(entry["prompt_id"], entry["purpose"]): entry for entry in entries}
    path.write_text("".join(json.dumps(entry) + "\n" for entry in unique.values()))
    return str(path)


def scripted(tmp_path, **changes):
    where = write_seeds(tmp_path / "seeds.jsonl")
    taken = [item for item in seeds.read_seeds(str(where)) if isinstance(item, seeds.Seed)]
    number = dict(zip([seed.seed_id for seed in taken], (3, 5, 7, 9), strict=True))
    answers = script(tmp_path / "script.jsonl", taken, lambda seed: [task_text(number[seed.seed_id])])
    values = {"tasks_per_seed": TASKS, "codes_per_prompt": CODES, "tests_per_prompt": TESTS, "shard_size": 3}
    return Config(seeds=str(where), generation=Generation(script=answers), limits=LIMITS, **{**values, **changes})


def test_seeds_to_pairs_with_a_script(tmp_path):
    manifest = build_in(codedpo, scripted(tmp_path), tmp_path / "run", quiet=True)
    found = counts(manifest)
    assert list(found) == [
        "seeds", "concepts", "tasks", "unique", "samples", "candidates", "outcomes", "informative_tests", "informative_runs", "scores", "pairs"
    ]  # fmt: skip
    assert found["seeds"] == (4, 4)
    assert found["tasks"] == (4, 4)
    assert dropped(manifest)["tasks", "prompt", "duplicate"] == 4  # the script has one task a seed, two were asked for
    pairs = datasets.load_dataset(str(tmp_path / "run"), split="train")
    assert len(pairs) == found["pairs"][1] >= 3
    for row in pairs:
        assert row["source"].startswith("shifts 1.0: shifts.py, shift_by_")
        assert row["licence"] == "MIT"
        assert row["prompt"].startswith(f"def {row['entry_point']}(x: int) -> int:")
        assert "x + 3" in row["chosen"] and "x + 4" in row["rejected"]
    assert "MIT" in (tmp_path / "run" / "README.md").read_text()
    assert str(tmp_path) not in json.dumps(manifest)


def test_what_answers_get_wrong_is_counted(tmp_path):
    plain = scripted(tmp_path, tasks_per_seed=1)
    entries = [row for _, row in read_rows(tmp_path / "script.jsonl")]
    (first, second, third, _) = [e for e in entries if e["purpose"] == "concepts"]
    first["answers"] = ["It adds numbers."]
    by_id = {(e["prompt_id"], e["purpose"]): e for e in entries}
    by_id[second["prompt_id"], "task"]["answers"] = ["def move(x): ..."]
    by_id[third["prompt_id"], "task"]["answers"] = ["### Task\nMove it.\n### Signature\nmove(x)"]
    (tmp_path / "script.jsonl").write_text("".join(json.dumps(e) + "\n" for e in entries))
    manifest = build_in(codedpo, plain, tmp_path / "run", quiet=True)
    assert dropped(manifest)["concepts", "seed", "no concepts"] == 1
    assert dropped(manifest)["tasks", "seed", "no task"] == 1
    assert dropped(manifest)["tasks", "seed", "no signature"] == 1
    assert counts(manifest)["pairs"][1] == 1
    lines = [json.loads(line) for line in (tmp_path / "run" / "exclusions.jsonl").read_text().splitlines()]
    assert {"stage": "concepts", "prompt_id": first["prompt_id"], "kind": "seed", "rule": "no concepts", "item": 0,
            "detail": "It adds numbers."} in lines  # fmt: skip


def test_two_seeds_with_the_same_task_make_one_prompt(tmp_path):
    settings = scripted(tmp_path, gates=gates.OPEN, tasks_per_seed=1)
    entries = [row for _, row in read_rows(tmp_path / "script.jsonl")]
    asked = [entry for entry in entries if entry["purpose"] == "task"]
    asked[1]["answers"] = asked[0]["answers"]
    (tmp_path / "script.jsonl").write_text("".join(json.dumps(e) + "\n" for e in entries))
    manifest = build_in(codedpo, settings, tmp_path / "run", quiet=True)
    assert dropped(manifest)["unique", "prompt", "duplicate"] == 1
    assert counts(manifest)["samples"] == (3, 3)


def test_a_task_of_a_benchmark_is_not_even_asked_about(tmp_path):
    known = tmp_path / "known.jsonl"
    known.write_text(json.dumps({"prompt": seeds.task(task_text(5)).prompt}))
    manifest = build_in(codedpo, scripted(tmp_path, decontaminate=(str(known),)), tmp_path / "run", quiet=True)
    assert dropped(manifest)["clean", "prompt", "benchmark text"] == 1
    assert counts(manifest)["samples"] == (3, 3)


@pytest.fixture
def files(tmp_path):
    write_seeds(tmp_path / "seeds.jsonl")

    def write(base_url):
        values = {
            "seeds": str(tmp_path / "seeds.jsonl"),
            "tasks_per_seed": 1,
            "codes_per_prompt": CODES,
            "tests_per_prompt": TESTS,
            "shard_size": 2,
            "limits": {"cpu_s": 0.5},
            "generation": {
                "server": {"model": "tiny", "base_url": base_url, "concurrency": 4},
                "sampling": {"temperature": 1.5, "max_tokens": 200},
                "price_per_million": {"prompt": 1000, "completion": 2000},
            },
        }
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(values))
        return path

    return write


REQUESTS = 4 + 4 + 4 * (CODES + TESTS)


@pytest.mark.parametrize("answered", [6, 30])
def test_killed_and_resumed_pays_nothing_twice(files, tmp_path, root, answered):
    hold = threading.Event()
    plan = lambda k, body: Fault(hold=hold) if k >= answered and not hold.is_set() else None  # noqa: E731
    with FakeServer(plan, text=answer) as server:
        path = files(server.base_url)
        words = [sys.executable, "-m", "codepref.cli", "build", "codedpo", "--quiet", "--workers", "1"]
        words += ["--config", str(path), "--out", str(tmp_path / "run")]
        process = subprocess.Popen(words, cwd=root)
        server.wait_until(lambda: server.arrived > answered)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert len(server.seen) <= answered
        hold.set()
        manifest = build_in(codedpo, config.load(Config, path), tmp_path / "run", quiet=True)
        asked = len(server.seen)
        build_in(codedpo, config.load(Config, path), tmp_path / "run", quiet=True)
        assert len(server.seen) == asked
    times = Counter(server.paid)
    assert len(times) == REQUESTS
    assert sum(count - 1 for count in times.values()) <= 4  # in flight when the client died: never received
    assert {seen.body["temperature"] for seen in server.seen} == {0.7, 1.5}
    assert counts(manifest)["tasks"] == counts(manifest)["unique"] == (4, 4)
    pairs = datasets.load_dataset(str(tmp_path / "run"), split="train")
    assert {row["entry_point"] for row in pairs} <= {"move_3", "move_5", "move_7", "move_9"}
    for row in pairs:
        assert f"return x + {row['entry_point'][-1]}\n" in row["chosen"]
        assert row["generator"] == "tiny"


def numbers(text):
    """Requests and executions a plan names."""
    last = [line for line in text.splitlines() if line.startswith(("total", "samples"))][-1]
    return int(last.split()[1].replace(",", "")), int(re.search(r"executions: ([\d,]+)", text)[1].replace(",", ""))


def executed(folder):
    (path,) = folder.glob("stages/outcomes-*")
    return sum((len(row.verdicts) + 1) * len(row.stub) for row in rows_of(Stage(path, "outcomes", ""), Outcomes))


def test_a_dry_run_says_what_a_run_then_asks(files, tmp_path, root):
    with FakeServer(text=answer) as server:
        path = files(server.base_url)
        words = [sys.executable, "-m", "codepref.cli", "build", "codedpo", "--config", str(path), "--dry-run"]
        before = sorted(tmp_path.rglob("*"))
        result = subprocess.run(words, cwd=root, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        assert sorted(tmp_path.rglob("*")) == before
        assert server.seen == []
        settings = config.load(Config, path)
        build_in(codedpo, settings, tmp_path / "run", quiet=True)
    assert (
        numbers(result.stdout) == (len(server.seen), executed(tmp_path / "run")) == (REQUESTS, 4 * TESTS * (CODES + 1))
    )
    assert "4 characters a token" in result.stdout
    prompt, usual, most = [
        int(word.replace(",", ""))
        for word in re.search(r"^total +\S+ +(\S+) +(\S+) +(\S+)", result.stdout, re.M).groups()
    ]
    assert most == 8 * 1024 + 4 * (CODES + TESTS) * 200  # max_tokens of each answer
    assert (
        f"cost: {(prompt * 1000 + usual * 2000) / 1e6:,.2f}, at most {(prompt * 1000 + most * 2000) / 1e6:,.2f}"
        in result.stdout
    )
    sent = [seen.body["messages"][0]["content"] for seen in server.seen]
    characters = sum(len(text) for text in sent if "Which programming concepts" in text)
    assert re.search(rf"^concepts +4 +{-(-characters // 4)} ", result.stdout, re.M)  # exactly what is sent


def test_a_dry_run_over_prompts_and_recordings(tmp_path):
    lines = [{"prompt_id": f"p{n}", "prompt": f"Write add{n}(x).", "entry_point": f"add{n}"} for n in (1, 1, 2)]
    lines[1] = {**lines[1], "prompt_id": "again"}
    path = tmp_path / "prompts.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    given = Config(
        prompts=str(path), generation=Generation(script="none.jsonl"), codes_per_prompt=3, tests_per_prompt=2
    )
    assert numbers(str(codedpo.plan(given))) == (1 * 5, 1 * 2 * 4)  # masked by name, all three are the same
    given = Config(prompts=str(path), gates=Gates(near_duplicates=None), generation=given.generation, codes_per_prompt=3, tests_per_prompt=2)  # fmt: skip
    assert numbers(str(codedpo.plan(given))) == (2 * 5, 2 * 2 * 4)
    few = replace(given, test_answers=1, tests_per_prompt=6)
    assert numbers(str(codedpo.plan(few))) == (2 * 4, 2 * 6 * 4)  # fewer answers are asked for, as many tests may run
    batched = {"server": {"model": "m", "base_url": "http://127.0.0.1:9/v1", "batch_choices": True}}
    loaded = config.load(Config, None, [f"prompts={path}", f"generation={json.dumps(batched)}"])
    assert numbers(str(codedpo.plan(loaded)))[0] == 1 * 2
    lines[2]["prompt"] += " add2(1) == 3, add2(2) == 4"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert numbers(str(codedpo.plan(given))) == (2 * 5, 2 * 2 * 4)
    with_examples = codedpo.plan(replace(given, prompt_examples=True))
    assert numbers(str(with_examples)) == (2 * 5, 2 * 2 * 4 + 2 * 3)
    assert "the codes on the prompts' examples (2)" in str(with_examples)
    recorded = Config(generations=str(write_recordings(tmp_path / "g.jsonl")), limits=LIMITS)
    text = str(codedpo.plan(recorded))
    assert "requests: 0" in text
    build_in(codedpo, recorded, tmp_path / "run", quiet=True)
    assert f"executions: {executed(tmp_path / 'run')} " in text


def test_one_answer_may_bring_several_tests(tmp_path):
    tests = "\n".join(f"assert add({n}) == {n + 3}" for n in range(5))
    codes = [f"def add(x):\n    return x + {n}" for n in (3, 4)]
    write = {"prompts": [{"prompt_id": "p", "prompt": "Write add(x).", "entry_point": "add"}]}
    write["script"] = [
        {"prompt_id": "p", "purpose": "code", "answers": codes},
        {"prompt_id": "p", "purpose": "test", "answers": [tests, "assert add(9) == 12"]},
    ]
    for name, lines in write.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    prompts, generation = str(tmp_path / "prompts.jsonl"), Generation(script=str(tmp_path / "script.jsonl"))
    given = Config(prompts=prompts, generation=generation, codes_per_prompt=8, tests_per_prompt=4, test_answers=1, limits=LIMITS)  # fmt: skip
    build_in(codedpo, given, tmp_path / "run", quiet=True)
    (path,) = (tmp_path / "run").glob("stages/outcomes-*")
    (row,) = rows_of(Stage(path, "outcomes", ""), Outcomes)
    assert {len(line) for line in row.verdicts} == {4}


def test_recordings_pass_gates_only_when_asked_to(tmp_path):
    path = str(write_recordings(tmp_path / "g.jsonl"))
    manifest = build_in(codedpo, Config(generations=path, limits=LIMITS), tmp_path / "run", quiet=True)
    assert "unique" not in counts(manifest)
    assert counts(manifest)["informative_tests"] == counts(manifest)["outcomes"]  # what is blind goes in any case
    gated = Config(generations=path, limits=LIMITS, gates=Gates(near_duplicates=None))
    manifest = build_in(codedpo, gated, tmp_path / "gated", quiet=True)
    assert counts(manifest)["unique"] == (7, 1)  # all of them say "Write f."
    assert counts(manifest)["informative_tests"] == (1, 1)
    assert counts(manifest)["pairs"] == (1, 1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "give either generations=FILE"),
        ({"seeds": "a", "prompts": "b"}, "give either generations=FILE"),
        ({"seeds": "."}, "seeds=SOURCE needs a 'generation' section"),
    ],
)
def test_one_input_and_a_model(tmp_path, values, message):
    if values.get("seeds") == ".":
        values = {"seeds": str(write_seeds(tmp_path / "s.jsonl"))}
    for action in (codedpo.plan, lambda given: build_in(codedpo, given, tmp_path / "run", quiet=True)):
        with pytest.raises(CodeprefError, match=message):
            action(Config(**values))


def test_a_run_needs_a_folder(root):
    words = [sys.executable, "-m", "codepref.cli", "build", "codedpo"]
    result = subprocess.run(words, cwd=root, capture_output=True, text=True)
    assert result.returncode == 2
    assert "give --out DIR" in result.stderr


@pytest.mark.realdata
def test_functions_of_real_packages(tmp_path, shared):
    lines = [row for _, row in itertools.islice(read_rows(shared / "seeds" / "functions.jsonl.gz"), 0, 900, 150)]
    path = tmp_path / "seeds.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in lines))
    taken = [item for item in seeds.read_seeds(str(path)) if isinstance(item, seeds.Seed)]
    assert len(taken) == len(lines) == 6

    def tasks(seed):
        topic = hashlib.sha256(seed.seed_id.encode()).hexdigest()
        words = " ".join(f"w{topic[i : i + 4]}" for i in range(0, 60, 2))
        return [
            f"### Task\nAdd three, whatever {words} may mean.\n### Signature\ndef f_{seed.seed_id[:6]}(x: int) -> int:"
        ]

    answers = script(tmp_path / "script.jsonl", taken, tasks)
    settings = Config(
        seeds=str(path),
        generation=Generation(script=answers),
        codes_per_prompt=CODES,
        tests_per_prompt=TESTS,
        limits=LIMITS,
        decontaminate=("humaneval", "mbpp"),
        benchmarks_dir=str(shared / "benchmarks"),
    )
    manifest = build_in(codedpo, settings, tmp_path / "run", quiet=True)
    pairs = datasets.load_dataset(str(tmp_path / "run"), split="train")
    assert counts(manifest)["clean"] == (6, 6)
    assert len(pairs) == counts(manifest)["pairs"][1] >= 5
    licences = {line["package"]: line["licence"] for line in lines}
    for row in pairs:
        assert row["licence"] == licences[row["source"].split()[0]]
