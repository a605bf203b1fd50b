import ast
import gzip
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders.chain import seeds
from builders.chain.ask import rows_of
from codepref import extract
from codepref.errors import CodeprefError
from codepref.records import Exclusion, Samples
from codepref.stages import Runner
from codepref.store import Store, fingerprint

from builders_seeds import FUNCTIONS, task_text, write_seeds  # isort: skip

MODULE = '''
import functools

TABLE = {}


def short(): return 1


def documented(x):
    """Only a docstring.

    No body."""


@functools.cache
def cached(n):
    if n < 2:
        return n
    return cached(n - 1) + cached(n - 2)


class Box:
    size = 3

    def half(self):
        """Half of it."""
        rest = self.size % 2
        return self.size // 2 + rest
'''


def found(where, licence=None):
    items = list(seeds.read_seeds(str(where), licence))
    left_out = [item for item in items if isinstance(item, Exclusion)]
    return [item for item in items if isinstance(item, seeds.Seed)], [(item.rule, item.detail) for item in left_out]


@pytest.fixture
def runner(tmp_path):
    return Runner(Store(tmp_path / "run"), quiet=True)


def test_functions_and_methods_of_a_folder(tmp_path):
    folder = tmp_path / "code"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.py").write_text(MODULE)
    (folder / "b.py").write_text("def broken(:\n")
    (folder / "c.py").write_text("X = 1\n")
    good, left_out = found(folder, "MIT")
    assert [seed.name for seed in good] == ["cached", "Box.half"]
    assert good[0].code.startswith("@functools.cache\ndef cached(n):\n    if")
    assert good[1].code.startswith("def half(self):\n    ")
    assert [seed.source for seed in good] == ["deep/a.py, cached", "deep/a.py, Box.half"]
    assert {seed.licence for seed in good} == {"MIT"}
    assert sorted(left_out) == [
        ("no body", "deep/a.py, documented"),
        ("no function", "c.py"),
        ("too short", "deep/a.py, short"),
        ("unparseable", "b.py"),
    ]


def test_rows_of_a_file_name_their_own_licence(tmp_path):
    path = tmp_path / "f.jsonl.gz"
    rows = [
        {"source": FUNCTIONS[0], "package": "p", "version": "2.1", "path": "p/q.py", "licence": "BSD-3-Clause"},
        {"source": FUNCTIONS[1]},
    ]
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))
    good, left_out = found(path, "MIT")
    assert [(seed.source, seed.licence) for seed in good] == [
        ("p 2.1: p/q.py, shift_by_3", "BSD-3-Clause"),
        ("f.jsonl.gz, row 2, shift_by_5", "MIT"),
    ]
    assert left_out == []
    path.write_bytes(gzip.compress(b'{"source": "x"}\n{"code": "x"}\n'))
    with pytest.raises(CodeprefError, match=r"f\.jsonl\.gz:2: no text under 'source'"):
        found(path)


def test_a_column_of_a_dataset_is_streamed(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    folder = tmp_path / "data"
    folder.mkdir()
    rows = [{"content": code, "license": "apache-2.0"} for code in FUNCTIONS]
    (folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    good, _ = found(f"hub:{folder}:train:content")
    assert [seed.name for seed in good] == ["shift_by_3", "shift_by_5", "shift_by_7", "shift_by_9"]
    assert good[0].licence == "apache-2.0"
    assert good[0].source == "data train, row 0, shift_by_3"  # no path of this machine
    with pytest.raises(CodeprefError, match="no text in column 'code'; it has content, license"):
        found(f"hub:{folder}:train:code")
    with pytest.raises(CodeprefError, match="expected hub:ORG/NAME"):
        found("hub:x")
    with pytest.raises(CodeprefError, match=r"^hub:nobody/nothing:train:code: "):
        found("hub:nobody/nothing:train:code")


def test_the_key_is_that_of_both_lists():
    taken = [seeds.Seed(f"{n}", "é\ud800\n", "f", "a, f", None) for n in range(3)]
    left_out = [Exclusion("seeds", "x", "seed", "too short", detail="é")] * 2
    for one, other in ((taken, left_out), (taken[:1], []), ([], left_out)):
        assert seeds._fingerprint(one, other) == fingerprint({"taken": one, "left out": other})


def test_a_seed_is_taken_once_and_the_limit_holds(tmp_path, runner):
    path = tmp_path / "f.jsonl"
    path.write_text("".join(json.dumps({"source": code}) + "\n" for code in [FUNCTIONS[0], *FUNCTIONS]))
    stage = seeds.seed_stage(runner, str(path), None, 3, 2)
    assert [seed.name for seed in rows_of(stage, seeds.Seed)] == ["shift_by_3", "shift_by_5", "shift_by_7"]
    assert [(item.kind, item.rule) for item in stage.excluded()] == [("seed", "duplicate")]
    assert (stage.summary()["rows_in"], stage.summary()["rows_out"], stage.summary()["shards"]) == (4, 3, 2)
    assert seeds.seed_stage(runner, str(path), "MIT", 3, 2).key != stage.key
    path.write_text(json.dumps({"source": "x = 1"}))
    with pytest.raises(CodeprefError, match="no usable function among 1 pieces"):
        seeds.seed_stage(runner, str(path), None, None, 2)


@pytest.mark.parametrize(
    ("text", "concepts"),
    [
        (
            "Sure:\n- merging sorted runs\n* **two pointers**\n1. `recursion`\n",
            ("merging sorted runs", "two pointers", "recursion"),
        ),
        ("- a\n- a\n- b", ("a", "b")),
        ("- \n-x", ()),
        ("loops and lists", ()),
        ("\n".join(f"- concept {n}" for n in range(20)), tuple(f"concept {n}" for n in range(10))),
    ],
)
def test_concepts_are_list_items(text, concepts):
    assert seeds.concepts(text) == concepts


def test_a_task_is_a_stub_with_its_text_as_docstring():
    row = seeds.task(task_text(3))
    assert isinstance(row, Samples)
    assert row.entry_point == "move_3"
    assert row.prompt.startswith('def move_3(x: int) -> int:\n    """Every reading')
    assert "The amount is 3." in ast.get_docstring(ast.parse(row.prompt).body[0])
    assert isinstance(extract.code("    return x + 3\n", row.prompt, "move_3"), str)  # a completion of it is a program
    assert row.prompt_id == seeds.task("chat before\n" + task_text(3).replace("### ", "## ")).prompt_id
    assert row.prompt_id != seeds.task(task_text(5)).prompt_id


def test_a_task_for_a_program_has_three_parts_and_no_entry_point():
    row = seeds.task("## Task\nAdd.\n\n## Input format\nTwo numbers.\n\n### Output\nTheir sum.\n")
    assert (row.prompt, row.entry_point) == ("Add.\n\nInput\n\nTwo numbers.\n\nOutput\n\nTheir sum.\n", "")
    assert seeds.task("### Task\nAdd.\n### Input\n\n### Output\nIt.\n") == extract.Rejected(
        "no task", "a part is empty"
    )


HEAD = "### Task\nDo it.\n### Signature\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            HEAD + "```python\ndef f(a,\n      b=(1, 2)) -> dict[str, int]:\n    ...\n```",
            "def f(a, b=(1, 2)) -> dict[str, int]:",
        ),
        (HEAD + "def f(x)", "def f(x):"),
        (HEAD + "def f(x) -> list[int]: ...", "def f(x) -> list[int]:"),
        ("### Task\n\n### Signature\ndef f(x):", "no task"),
        ("Write f.\ndef f(x):", "no task"),
        ("### Task\nDo it.", "no task"),
        (HEAD + "f(x)", "no signature"),
        (HEAD + "def 3f(x):", "unparseable signature"),
        (HEAD + "async def f(x):", "unparseable signature"),
    ],
)
def test_signatures(text, expected):
    row = seeds.task(text)
    if isinstance(row, extract.Rejected):
        assert row.rule == expected
    else:
        assert row.prompt.splitlines()[0] == expected
        assert row.entry_point == "f"


@given(st.text(min_size=1).filter(lambda text: text.strip() and "#" not in text))
@settings(max_examples=200)
def test_any_text_stands_in_the_docstring(text):
    row = seeds.task(f"### Task\n{text}\n### Signature\ndef f(x):\n")
    if isinstance(row, extract.Rejected):
        assert row.rule == "no task"
    else:
        (function,) = ast.parse(row.prompt).body
        assert function.name == "f"
        assert ast.get_docstring(function) is not None
        assert len(function.body) == 1


def test_hard_texts_keep_their_words():
    for text in (
        'Say """hi""" to C:\\new\\table',
        'ends with a quote "',
        "ends with a backslash \\",
        'Give "\\n" back',
    ):
        row = seeds.task(f"### Task\n{text}\n### Signature\ndef f(x):\n")
        assert ast.get_docstring(ast.parse(row.prompt).body[0]).strip() == text.replace('"""', "'''")


def test_templates_show_what_they_promise(tmp_path, runner):
    from builders.chain.ask import Generation, requests_of

    ask_concepts, ask_task = seeds.task_questions(Generation(), 2)
    seed = next(rows_of(seeds.seed_stage(runner, str(write_seeds(tmp_path / "s.jsonl")), None, 1, 1), seeds.Seed))
    (request,) = requests_of(seed, [ask_concepts])
    assert FUNCTIONS[0].rstrip() in request.prompt
    assert (request.prompt_id, request.purpose, request.n) == (seed.seed_id, "concepts", 1)
    (request,) = requests_of(seeds.Concepts(**vars(seed), concepts=("one", "two")), [ask_task])
    assert "- one\n- two\n" in request.prompt
    assert "shift_by" not in request.prompt  # concepts, not the code
    assert request.n == 2
    assert "### Task" in request.prompt and "### Signature" in request.prompt
