import json
import tracemalloc

import pyarrow as pa
import pytest

from builders.chain import ask, gates
from builders.chain.ask import rows_of
from builders.chain.gates import Gates
from builders.chain.matrix import Execution, Selection, run_matrices, select_candidates
from codepref import ondisk
from codepref.records import Candidates, Outcomes, Sample, Samples, from_table, to_table
from codepref.sandbox import Limits
from codepref.stages import Runner
from codepref.store import Shard, Store

LONG = (
    "Write {name}(lines), which groups the lines of a log by their first word, counts each group, and gives the groups "
    "back from the largest to the smallest; groups of equal size come in the order of the alphabet."
)
PROMPTS = [
    ("a", "Write first(x), which gives the first letter of x.", "first"),
    ("b", LONG.format(name="tally"), "tally"),
    ("c", "Write first(x), which gives the first letter of x.", "first"),
    ("d", LONG.format(name="histogram").replace("counts each", "counts every"), "histogram"),
    ("e", "Give the lastly written letter of x.", "last"),
    ("f", "Write span(x, y): the days between two dates, both of them counted.", "span"),
]


@pytest.fixture
def runner(tmp_path):
    return Runner(Store(tmp_path / "run"), quiet=True)


def prompts(runner, tmp_path, shard_size=2):
    path = tmp_path / "prompts.jsonl"
    lines = [json.dumps({"prompt_id": i, "prompt": text, "entry_point": name}) for i, text, name in PROMPTS]
    path.write_text("\n".join(lines))
    return ask.prompt_stage(runner, str(path), shard_size)


def left(stage):
    return {item.prompt_id: (item.rule, item.detail) for item in stage.excluded()}


def test_each_prompt_says_something_new(runner, tmp_path):
    stage = gates.keep_unique(runner, Gates(), prompts(runner, tmp_path))
    assert [row.prompt_id for row in rows_of(stage, Samples)] == ["a", "b", "f"]
    assert left(stage) == {
        "c": ("duplicate", "of a"),
        "d": ("near-duplicate", "of b"),  # another name and another word
        "e": ("entry point not named", ""),
    }
    assert stage.summary()["rows_in"] == 6
    assert len(stage.shards()) == 3  # shards stay aligned with those of the input


@pytest.mark.parametrize(
    ("off", "kept"),
    [
        ({"entry_point": False}, "abef"),
        ({"duplicates": False, "near_duplicates": None}, "abcdf"),
        ({"near_duplicates": None}, "abdf"),
        ({"near_duplicates": 1.0}, "abdf"),
    ],
)
def test_every_gate_can_be_opened(runner, tmp_path, off, kept):
    stage = gates.keep_unique(runner, Gates(**off), prompts(runner, tmp_path))
    assert "".join(row.prompt_id for row in rows_of(stage, Samples)) == kept


def test_of_near_duplicates_one_stays_that_passes_the_other_gates(runner, tmp_path):
    path = tmp_path / "prompts.jsonl"
    rows = [("a", LONG.format(name="tally"), "count"), ("b", LONG.format(name="tally"), "tally")]
    path.write_text("\n".join(json.dumps({"prompt_id": i, "prompt": t, "entry_point": n}) for i, t, n in rows))
    stage = gates.keep_unique(runner, Gates(near_duplicates=0.6), ask.prompt_stage(runner, str(path), 2))
    assert left(stage) == {"a": ("entry point not named", "")}


def test_open_gates_are_no_stage(runner, tmp_path):
    source = prompts(runner, tmp_path)
    assert gates.keep_unique(runner, gates.OPEN, source) is source


def test_shards_do_not_matter(runner, tmp_path):
    whole = gates.keep_unique(runner, Gates(), prompts(runner, tmp_path, 6))
    parts = gates.keep_unique(runner, Gates(), prompts(runner, tmp_path, 1))
    assert list(rows_of(whole, Samples)) == list(rows_of(parts, Samples))
    assert left(whole) == left(parts)


CODES = ["def f(x):\n    return x[:1] or None\n", "def f(x):\n    return x\n", "def f(x):\n    return None\n"]
TESTS = ["assert f('') is None", "assert f('ab') == 'a'", "assert f", "assert f('a') == 'a'"]


@pytest.fixture(scope="module")
def ran():
    row = Samples("p", "Write f.", "f", tuple(map(Sample, CODES)), tuple(map(Sample, TESTS)))
    blank = Samples("q", "Write f.", "f", tuple(map(Sample, CODES)), (Sample(TESTS[0]),))
    ready = select_candidates(Selection(), to_table([row, blank], Samples)).table
    return ready, run_matrices(Execution(Limits(cpu_s=0.5)), ready).table


def test_a_stub_meets_every_test_and_is_not_a_code(ran):
    row = next(from_table(ran[1], Outcomes))
    assert row.stub == ("passed", "failed", "unjudged", "failed")
    assert len(row.verdicts) == 3


def test_tests_that_a_stub_passes_are_not_ranked(ran):
    shard = gates.keep_informative_tests(gates.Telling(), *ran)
    (row,) = from_table(shard.table, Candidates)
    assert [test.test for test in row.tests] == [TESTS[1], TESTS[3]]
    assert [(item.prompt_id, item.kind, item.rule, item.item) for item in shard.excluded] == [
        ("p", "test", "vacuous", 0),
        ("p", "test", "blind", 2),
        ("q", "test", "vacuous", 0),
        ("q", "prompt", "no tests", None),
    ]
    (matrix,) = from_table(gates.keep_informative_runs(gates.Telling(), ran[1]).table, Outcomes)
    whole = next(from_table(ran[1], Outcomes))
    assert matrix.verdicts == tuple((cells[1], cells[3]) for cells in whole.verdicts)
    assert matrix.fingerprints == tuple((cells[1], cells[3]) for cells in whole.fingerprints)
    assert matrix.stub == ("failed", "failed")
    assert matrix.verdicts == (("passed", "passed"), ("failed", "passed"), ("failed", "failed"))


def test_blind_tests_are_left_out_also_where_vacuous_ones_are_ranked(ran):
    shard = gates.keep_informative_tests(gates.Telling(vacuous=False), *ran)
    assert [(item.prompt_id, item.rule, item.item) for item in shard.excluded] == [("p", "blind", 2)]
    assert [len(row.tests) for row in from_table(shard.table, Candidates)] == [3, 1]


def test_distinct_rows_across_shards(tmp_path):
    runner = Runner(Store(tmp_path), quiet=True)
    texts = [["a", "b", "a"], ["b", "c"], []]
    tables = [pa.table({"prompt_id": ["p"] * len(part), "text": pa.array(part, pa.string())}) for part in texts]
    source = runner.source("texts", iter([Shard(table) for table in tables]), {}, 5)
    stage = gates.keep_distinct(runner, "once", source, ("text",), "pair")
    assert [stage.read(index)["text"].to_pylist() for index in range(3)] == [["a", "b"], ["c"], []]
    assert [(item.kind, item.rule) for item in stage.excluded()] == [("pair", "duplicate")] * 2


def peak(work):
    tracemalloc.start()
    work()
    found = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return found


def long_prompts(root, count):
    """So many prompts, each with a long code; every fifth repeats one before."""
    runner, filler = Runner(Store(root), quiet=True), "x" * 10_000

    def text(number):
        return f"Write f{number}. " + " ".join(f"w{number}x{n}" for n in range(20))

    def shard(start):
        rows = [
            (f"p{n:06d}", text(n % (count * 4 // 5)), f"f{n % (count * 4 // 5)}") for n in range(start, start + 100)
        ]
        return Shard(to_table([Samples(*row, (Sample(filler),), ()) for row in rows], Samples))

    return runner, runner.source("prompts", map(shard, range(0, count, 100)), {}, count)


def test_memory_hardly_grows_with_the_prompts(tmp_path, monkeypatch):
    monkeypatch.setattr(ondisk, "BUCKET", 128)  # what is sorted at once, by default far more than there are here
    peaks = []
    for count in (500, 2_500):
        runner, source = long_prompts(tmp_path / str(count), count)
        peaks.append(peak(lambda: gates.keep_unique(runner, Gates(), source)))  # noqa: B023 - called at once
        assert gates.keep_unique(runner, Gates(), source).summary()["rows_out"] == count * 4 // 5
        peaks.append(peak(lambda: gates.keep_distinct(runner, "once", source, ("prompt",), "code")))  # noqa: B023 - as above
    assert peaks[2] - peaks[0] < 2_000 * 100  # bytes a prompt; an id and a signature alone take 600
    assert peaks[3] - peaks[1] < 2_000 * 60
