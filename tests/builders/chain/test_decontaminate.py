import json
import random
import re
import textwrap
from dataclasses import replace

import pytest
from building import build_in

from benchmarks.overlap import perturbed
from builders.chain import decontaminate
from builders.codedpo import method as codedpo
from builders.codedpo.method import Config
from codepref import files
from codepref.errors import CodeprefError
from codepref.sandbox import Limits
from codepref.stages import Runner
from codepref.store import Store

from builders_recordings import RECORDINGS, recording, write  # isort: skip

TASKS = [
    {
        "task_id": "Own/0",
        "entry_point": "longest_plateau",
        "prompt": 'from typing import List\n\n\ndef longest_plateau(heights: List[int]) -> int:\n    """ Hikers like flat '
        "ground. Give the length of the longest run of\n    neighbouring heights that are all the same.\n    >>> "
        'longest_plateau([1, 2, 2, 3])\n    2\n    """\n',
        "canonical_solution": "    best = run = 0\n    for before, here in zip([None] + heights, heights):\n"
        "        run = run + 1 if before == here else 1\n        best = max(best, run)\n    return best\n",
    },
    {"task_id": "Own/1", "text": "Count the odd digits of a number.", "code": "def odd_digits(n):\n    return 1",
     "test_list": ["assert odd_digits(1) == 1"]},
]  # fmt: skip
PLATEAU = TASKS[0]["prompt"]


def gate(tmp_path, names, folder=None):
    return decontaminate.gate(Runner(Store(tmp_path / "run"), quiet=True), names, folder)


@pytest.fixture
def tasks(tmp_path):
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in TASKS))
    return path


@pytest.fixture
def index(tmp_path, tasks):
    return decontaminate.task_index(gate(tmp_path, [str(tasks)]).tasks.path)


def test_a_task_is_found_whatever_its_layout_and_name(index):
    assert index.prompt(PLATEAU, "longest_plateau") == ("benchmark text", "own Own/0")
    words = re.search(r'"""(.*?)>>>', PLATEAU, re.DOTALL)[1].split()
    flat = "# " + "\n# ".join(textwrap.wrap(" ".join(words), 30)) + "\ndef flat_part(heights): ..."
    assert index.prompt(flat, "flat_part") == ("benchmark text", "own Own/0")
    assert index.prompt(f"Please: {TASKS[1]['text'].upper()} Thanks.", "g") == ("benchmark text", "own Own/1")


def test_the_same_name_and_nearly_the_same_wording(index):
    reworded = "The length of the longest run of heights that neighbour each other and are the same; hikers like that."
    assert index.prompt(reworded, "longestPlateau") == ("benchmark name and wording", "own Own/0")
    assert index.prompt(reworded, "another_name") is None
    assert index.prompt("Find the widest table of rock in a list of cliffs, by area.", "longest_plateau") is None
    assert index.prompt("How many figures of n can not be halved?", "odd_digits") is None


def test_a_solution_is_found_in_a_program(index):
    program = "def longest_plateau(heights):\n" + TASKS[0]["canonical_solution"].replace("    ", "\t")
    assert index.code("import os\n" + program.replace("longest_plateau", "g"), "g") == "own Own/0"
    assert index.code("def odd_digits(n):\n    return 1", "odd_digits") is None  # too short to tell
    assert index.code("def g(heights):\n    return max(heights)\n", "g") is None


def test_boilerplate_does_not_count(tmp_path):
    frame = "Answer with one function and write nothing else but the code of it in a block."
    path = tmp_path / "framed.jsonl"
    subjects = [
        "kites",
        "rivers",
        "letters",
        "clocks",
        "trains",
        "colours",
        "cards",
        "stairs",
        "moons",
        "boxes",
        "ropes",
        "nests",
    ]
    path.write_text("".join(json.dumps({"prompt": f"{frame} It is about {word}."}) + "\n" for word in subjects))
    index = decontaminate.task_index(gate(tmp_path, [str(path)]).tasks.path)
    assert index.prompt(f"{frame} Sort the names.", "f") is None
    assert index.prompt(f"{frame} It is about kites.", "f") == ("benchmark text", "framed 0")


def test_only_hashes_are_kept(tmp_path, tasks):
    stage = gate(tmp_path, [str(tasks)]).tasks
    data = b"".join(path.read_bytes() for path in stage.path.iterdir())
    for word in (b"Hikers", b"hikers", b"digits of", b"neighbouring"):
        assert word not in data
    assert str(tmp_path).encode() not in data


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["humanevl"], "unknown benchmark 'humanevl'; known: humaneval"),
        (["none.jsonl"], r"none\.jsonl: No such file"),
        (["mbpp"], r"no file of MBPP; put mbpp\.jsonl there"),
    ],
)
def test_mistakes_are_named(tmp_path, names, message):
    with pytest.raises(CodeprefError, match=message):
        gate(tmp_path, names, str(tmp_path))


def test_without_the_hub_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        CodeprefError, match="HumanEval: can not be read from the Hub .*; write benchmarks_dir: FOLDER, with humaneval"
    ):
        gate(tmp_path, ["humaneval"])


def test_a_benchmark_is_read_as_a_dataset_of_the_hub(tmp_path, tasks, monkeypatch):
    folder = tmp_path / "hub"
    folder.mkdir()
    (folder / "test.jsonl").write_text(tasks.read_text().splitlines()[0])
    known = decontaminate.DECONTAMINABLE["humaneval"]
    here = replace(known, data=replace(known.data, hub=str(folder)))  # `load_dataset` opens folders too
    monkeypatch.setitem(decontaminate.DECONTAMINABLE, "humaneval", here)
    index = decontaminate.task_index(gate(tmp_path, ["humaneval"]).tasks.path)
    assert index.prompt(PLATEAU, "longest_plateau") == ("benchmark text", "HumanEval Own/0")


def test_a_file_of_livecodebench_is_one_of_tasks(tmp_path):
    path = tmp_path / "test6.jsonl"
    path.write_text(json.dumps({"question_id": "1_A", "question_content": PLATEAU, "starter_code": ""}) + "\n")
    index = decontaminate.task_index(gate(tmp_path, [str(path)]).tasks.path)
    assert index.prompt(PLATEAU, "")[0] == "benchmark text"


def test_rows_without_a_task_are_named(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"body": "x"}\n')
    with pytest.raises(CodeprefError, match=r"x\.jsonl:1: no text of a task"):
        gate(tmp_path, [str(path)])


def test_a_build_leaves_benchmark_tasks_out_and_says_so(tmp_path, tasks):
    copied = "def f(heights):\n" + TASKS[0]["canonical_solution"]
    known = {**recording("known", RECORDINGS[0]["codes"], RECORDINGS[0]["tests"]), "prompt": PLATEAU}
    mixed = recording("mixed", [copied, *RECORDINGS[0]["codes"]], RECORDINGS[0]["tests"])
    path = write(tmp_path / "g.jsonl", [known, mixed])
    config = Config(generations=str(path), decontaminate=(str(tasks),), limits=Limits(cpu_s=0.3))
    manifest = build_in(codedpo, config, tmp_path / "run", quiet=True)
    assert manifest["dataset"]["correctness"]["rows"] == 1
    lines = [json.loads(line) for line in (tmp_path / "run" / "exclusions.jsonl").read_text().splitlines()]
    assert [(x["stage"], x["prompt_id"], x["kind"], x["rule"], x["item"], x["detail"]) for x in lines] == [
        ("clean", "known", "prompt", "benchmark text", None, "own Own/0"),
        ("clean_codes", "mixed", "code", "benchmark code", 0, "own Own/0"),
    ]
    assert manifest["config"]["decontaminate"] == ["own.jsonl"]
    card = (tmp_path / "run" / "README.md").read_text()
    assert "Decontamination: compared with own (sha256 " in card
    assert "10 words in a row" in card
    assert "1 prompts, 1 codes" in " ".join(card.split())
    assert str(tmp_path) not in json.dumps(manifest) + card
    two = build_in(codedpo, config, tmp_path / "two", workers=2, quiet=True)
    assert two == manifest


def test_a_build_that_compared_nothing_says_so(tmp_path):
    path = write(tmp_path / "g.jsonl", RECORDINGS[:1])
    build_in(codedpo, Config(generations=str(path), limits=Limits(cpu_s=0.3)), tmp_path / "run", quiet=True)
    assert "Decontamination: none" in (tmp_path / "run" / "README.md").read_text()


@pytest.mark.realdata
def test_every_humaneval_prompt_is_found_and_none_of_ours(tmp_path, shared, root):
    folder = shared / "benchmarks"
    index = decontaminate.task_index(gate(tmp_path, list(decontaminate.DECONTAMINABLE), str(folder)).tasks.path)
    humaneval = [row for _, row in files.read_rows(folder / "HumanEval.jsonl.gz")]
    assert all(index.prompt(row["prompt"], row["entry_point"]) for row in humaneval)
    rng = random.Random(0)
    assert all(index.prompt(perturbed(row, rng), "solve_it") for row in humaneval)
    instructions = [row for _, row in files.read_rows(shared / "humanevalpack_python" / "humanevalpack.jsonl.gz")]
    assert all(index.prompt(row["instruction"], row["entry_point"]) for row in instructions)
    ours = [row for _, row in files.read_rows(root / "builders" / "quickstart" / "generations.jsonl")]
    assert len(ours) == 22
    assert not [row["prompt_id"] for row in ours if index.prompt(row["prompt"], row["entry_point"])]
    assert not [row["prompt_id"] for row in ours for code in row["codes"] if index.code(code, row["entry_point"])]
