import hashlib
import json
import math
from dataclasses import fields, replace

import datasets
import pytest
from building import build_in
from pydantic import TypeAdapter, ValidationError

from builders.codedpo import method as codedpo
from builders.codedpo.efficiency import (
    Efficiency,
    EfficiencyPair,
    Measurement,
    clear,
    entrants,
    measure_efficiency,
    most_executions,
    speed_confidence,
)
from builders.codedpo.method import Config
from builders.codedpo.timing import CostComparison, ProgramWorkload
from codepref.records import Candidate, Candidates, Outcomes, Scores, Test, from_table, to_table
from codepref.sandbox import Job, Limits, Sandbox
from codepref.stdin import StdinTest

from builders_recordings import recording, write  # isort: skip

pytestmark = pytest.mark.alone  # measures time

LIMITS = Limits(cpu_s=1.0)
LINEAR = "def f(x):\n    return len(set(x)) != len(x)\n"
QUADRATIC = """def f(x):
    for i in range(len(x)):
        if x[i] in x[:i]:
            return True
    return False
"""
WRONG = "def f(x):\n    return True\n"
SMALL = ["assert f([1, 2]) == False", "assert f([3, 1, 3]) == True", "assert f([]) == False", "assert f([9]) == False"]


def rows(codes, tests, *, matrix=None, scores=None):
    """The three input tables of one prompt; the matrix is run unless given."""
    names = tuple(Candidate(f"c{i}", code, i, None, len(code)) for i, code in enumerate(codes))
    row = Candidates("p", "Write f.", "f", names, tuple(Test(t, t, 0, None) for t in tests), "a model", None, "MIT")
    if matrix is None:
        with Sandbox(LIMITS) as sandbox:
            cells = sandbox.run(Job("p", tuple(codes), tuple(tests), "f")).cells
        matrix = [[cell.verdict for cell in line] for line in cells]
    line = tuple("plain" for _ in tests)
    ran = Outcomes("p", tuple(map(tuple, matrix)), tuple(line for _ in codes), tuple(line for _ in codes))
    scores = scores or [float(sum(verdict == "passed" for verdict in line)) for line in matrix]
    return row, ran, Scores("p", tuple(scores), tuple(1.0 for _ in tests))


def stage(rule, *records):
    tables = [to_table([record], type(record)) for record in records]
    shard = measure_efficiency(Measurement(rule, LIMITS), *tables)
    return list(from_table(shard.table, EfficiencyPair)), [(item.rule, item.kind) for item in shard.excluded]


def test_fast_is_chosen_over_slow():
    large = [f"assert f({list(range(n))}) == False" for n in (200, 210, 220)]
    (pair,), excluded = stage(Efficiency(), *rows([QUADRATIC, WRONG, LINEAR], [*large, *SMALL]))
    assert excluded == []
    assert (pair.chosen, pair.rejected) == (LINEAR, QUADRATIC)
    assert (pair.chosen_id, pair.rejected_id, pair.candidates) == ("c2", "c0", 2)
    assert pair.trusted_tests == (*large, *SMALL)
    assert pair.speedup >= 1.3 and pair.speedup > pair.noise >= 1.0
    assert pair.speedup == pytest.approx(pair.rejected_cpu_s / pair.chosen_cpu_s, rel=1e-4)
    assert not pair.scaled and (pair.scale_factor, pair.scale_rule) == (1, None)
    assert 0.5 < pair.confidence <= 1.0
    assert pair.verdict_counts.passed == 15 and (pair.generator, pair.licence) == ("a model", "MIT")


def assert_no_difference(rule, codes):
    """No pair, as they cost the same. A busy machine says "within noise" now and then, not five times."""
    found = (stage(rule, *rows(codes, SMALL)) for _ in range(5))
    assert ([], [("no difference", "prompt")]) in found


def test_small_inputs_are_scaled_up_and_the_row_says_so():
    early = "def f(x):\n    if len(x) < 9:\n        return len(set(x)) != len(x)\n" + QUADRATIC.partition("\n")[2]
    both = "def f(x):\n    if len(x) < 9:\n        return len(set(x)) != len(x)\n    return len(set(x)) != len(x)\n"
    (pair,), _ = stage(Efficiency(), *rows([early, both], SMALL))
    assert (pair.chosen, pair.rejected) == (both, early)
    assert pair.scaled and pair.scale_factor > 1 and pair.scale_rule == "extended"
    assert pair.timed_calls == 3  # the empty list does not grow
    assert_no_difference(Efficiency(scale=False), [early, both])


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("other", [LINEAR, QUADRATIC.replace("x", "y")])
def test_no_more_is_executed_than_a_dry_run_says(tmp_path, monkeypatch, scale, other):
    codes, tests = [QUADRATIC, WRONG, other, LINEAR.replace("x", "y")], SMALL
    rule = Efficiency(enabled=True, scale=scale)
    records = rows(codes, tests)
    run_many, executed = Sandbox.run_many, []

    def counted(sandbox, jobs):
        executed.append(sum(len(job.codes) * len(job.tests) for job in jobs))
        return run_many(sandbox, jobs)

    monkeypatch.setattr(Sandbox, "run_many", counted)
    stage(rule, *records)
    most = most_executions(rule, len(codes), len(tests))
    assert 2 * 2 * 20 <= sum(executed) <= most
    path = write(tmp_path / "g.jsonl", [recording("p", [*codes, QUADRATIC], tests)])
    planned = str(codedpo.plan(Config(generations=str(path), limits=LIMITS, efficiency=rule)))
    assert f"besides: at most {most:,} executions that measure efficiency pairs" in planned
    assert "besides" not in str(codedpo.plan(Config(generations=str(path), limits=LIMITS)))


@pytest.mark.timeout(120)
def test_no_more_programs_are_run_than_a_dry_run_says(tmp_path, monkeypatch):
    """Of programs that read standard input every batch is a process for each input."""
    run_many, executed = Sandbox.run_many, []

    def counted(sandbox, jobs):
        executed.append(sum(len(job.codes) * len(job.tests) for job in jobs))
        return run_many(sandbox, jobs)

    tests = [StdinTest(f"{n}\n", (f"{n + 1}\n",)).text for n in (1, 2, 3)]
    codes = [f"{'# again' * n}\nprint(int(input()) + 1)\n" for n in range(4)]
    with Sandbox(LIMITS) as sandbox:
        cells = sandbox.run(Job("p", tuple(codes), tuple(tests))).cells
    records = rows(codes, tests, matrix=[[cell.verdict for cell in line] for line in cells])
    records = replace(records[0], entry_point=""), *records[1:]
    monkeypatch.setattr(Sandbox, "run_many", counted)
    rule = Efficiency(enabled=True)
    stage(rule, *records)
    most = most_executions(rule, len(codes), len(tests), True)
    assert 3 * 2 * 20 <= sum(executed) <= most
    lines = [{"prompt_id": "p", "prompt": "Add one.", "entry_point": None, "codes": codes, "tests": tests}]
    path = write(tmp_path / "g.jsonl", lines)
    planned = str(codedpo.plan(Config(generations=str(path), limits=LIMITS, efficiency=rule)))
    assert f"besides: at most {most:,} executions that measure efficiency pairs" in planned


def test_trusted_tests_of_programs_are_all_that_the_best_code_passes():
    tests = [StdinTest("1\n", ("2\n",)).text, "assert f(1) == 2", StdinTest("2\n", ("3\n",)).text]
    verdicts = [["passed", "passed", "passed"], ["passed", "failed", "passed"]]
    row, ran, scores = rows(["print(1)", "print(2)"], tests, matrix=verdicts)
    field = entrants(replace(row, entry_point=""), ran, scores)
    assert (field.tests, field.calls, len(field.codes)) == ((tests[0], tests[2]), (), 2)
    assert field.work == ProgramWorkload((tests[0], tests[2]))


def test_what_can_not_be_measured_takes_no_execution():
    assert most_executions(Efficiency(), 1, 9) == most_executions(Efficiency(), 9, 2) == 0
    assert most_executions(Efficiency(scale=False), 2, 3) < most_executions(Efficiency(), 2, 3)


def test_equal_code_is_never_a_pair():
    codes = [LINEAR, LINEAR + "# the same\n", "\n" + LINEAR, LINEAR.replace("x", "items")]
    assert_no_difference(Efficiency(ratio=1.15), codes)


def test_faster_on_small_and_slower_on_large_inputs_is_no_pair():
    steep = "def f(x):\n    return any(x[i] in x[:i] for i in range(len(x))) if len(x) > 9 else len(set(x)) != len(x)\n"
    flat = "def f(x):\n    sorted(range(300), key=str)\n    return len(set(x)) != len(x)\n"
    assert stage(Efficiency(), *rows([steep, flat], SMALL)) == ([], [("direction depends on input size", "prompt")])


def test_only_the_share_that_is_drawn_is_measured():
    shells = rows([LINEAR, QUADRATIC], SMALL[:1], matrix=[["passed"], ["passed"]])
    many = [[replace(record, prompt_id=f"p{n}") for n in range(400)] for record in shells]
    tables = [to_table(records, type(records[0])) for records in many]

    def rules(share):
        return [
            item.rule for item in measure_efficiency(Measurement(Efficiency(share=share), LIMITS), *tables).excluded
        ]

    assert rules(1.0) == ["too few trusted tests"] * 400
    assert 60 < rules(0.25).count("too few trusted tests") < 140
    assert set(rules(0.25)) == {"too few trusted tests", "not drawn"}


def test_exclusions():
    few = stage(Efficiency(), *rows([LINEAR, QUADRATIC], [*SMALL[:2], "assert f([1]) in (False,)"]))
    assert few == ([], [("too few trusted tests", "prompt")])
    twice = stage(Efficiency(), *rows([LINEAR, LINEAR, WRONG], SMALL))
    assert twice == ([], [("fewer than 2 distinct candidates", "prompt")])
    passed = [["passed"] * 4] * 2
    broken = stage(Efficiency(), *rows([LINEAR, "def f(x):\n    raise ValueError\n"], SMALL, matrix=passed))
    assert broken == ([], [("not measurable", "prompt")])


def test_trusted_is_what_the_best_code_passes_and_only_plain_calls():
    tests = [*SMALL, "assert f([7, 7]) == False", "assert len([f([1])]) == 1", "assert f([1, 2])  == False"]
    row, ran, scores = rows([LINEAR, QUADRATIC, WRONG], tests)
    assert entrants(row, ran, scores).tests == tuple(SMALL)
    official = replace(ran, modes=tuple(("plain", "official", *modes[2:]) for modes in ran.modes))
    assert entrants(row, official, scores).tests == (SMALL[0], *SMALL[2:])


def test_codes_that_fail_an_example_take_no_part():
    row, ran, scores = rows([LINEAR, QUADRATIC], SMALL, matrix=[["passed"] * 4] * 2, scores=[2.0, 1.0])
    ran = replace(ran, example_verdicts=(("passed", "failed"), ("failed", "passed")))
    assert [code.code for code in entrants(row, ran, scores).codes] == [LINEAR]


def test_codes_without_a_score_take_no_part():
    row, ran, scores = rows([LINEAR, QUADRATIC], SMALL, matrix=[["passed"] * 4] * 2, scores=[1.0, math.nan])
    assert [code.code for code in entrants(row, ran, scores).codes] == [LINEAR]


def test_a_difference_counts_outside_the_noise_alone():
    rule = Efficiency(ratio=1.3)
    assert clear(rule, CostComparison(0, 1, 1.0, 1.29, 1.1, 10)).startswith("no difference")
    assert clear(rule, CostComparison(0, 1, 1.0, 1.4, 1.5, 10)).startswith("within noise")
    assert clear(rule, CostComparison(0, 1, 1.0, 1.4, 1.2, 10)) is None


def test_confidence_starts_at_a_coin_toss():
    assert speed_confidence(1.3, 1.3) == 0.5
    assert speed_confidence(1.3, 1.0) == 1.0
    assert 0.5 < speed_confidence(1.3, 1.1) < speed_confidence(3.0, 1.1) < 1.0


def test_the_ratio_has_a_floor():
    with pytest.raises(ValidationError, match=r"greater than or equal to 1\.15"):
        TypeAdapter(Efficiency).validate_python({"ratio": 1.1})


SHARED_TESTS = [f"assert f({list(range(n))}) == False" for n in (100, 200, 300)]
RECORDINGS = [
    recording("apart", [QUADRATIC, LINEAR, WRONG], SHARED_TESTS, licence="MIT"),
    recording("alike", [LINEAR, LINEAR + "# same\n", WRONG], SHARED_TESTS, licence="MIT"),
]


def build(folder, recordings, **changes):
    rule = Efficiency(enabled=True, scale=False)
    config = Config(generations=str(recordings), limits=LIMITS, shard_size=1, efficiency=rule)
    return build_in(codedpo, replace(config, **changes), folder, quiet=True)


def files(folder):
    names = ("*/*.parquet", "README.md", "manifest.json", "exclusions.jsonl")
    paths = sorted(path for name in names for path in folder.glob(name))
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    recordings = write(folder / "generations.jsonl", RECORDINGS)
    build(folder / "run", recordings)
    return folder / "run", recordings


def test_load_dataset_opens_both_configs(built):
    folder, _ = built
    assert datasets.load_dataset(str(folder), split="train")["prompt_id"] == ["alike", "apart"]
    (row,) = datasets.load_dataset(str(folder), "efficiency", split="train")
    assert (row["prompt_id"], row["chosen"], row["rejected"]) == ("apart", LINEAR, QUADRATIC)
    assert list(row) == [field.name for field in fields(EfficiencyPair)]
    excluded = [json.loads(line) for line in (folder / "exclusions.jsonl").read_text().splitlines()]
    assert [(item["prompt_id"], item["rule"]) for item in excluded] == [("alike", "no difference")]


def test_a_rebuild_from_the_finished_stage_repeats_every_byte(built):
    folder, recordings = built
    before = files(folder)
    for path in folder.glob("*/*.parquet"):
        path.unlink()
    build(folder, recordings)
    assert files(folder) == before


def test_only_measurements_differ_between_two_builds(built, tmp_path):
    folder, recordings = built
    build(tmp_path / "again", recordings)
    measured = {"confidence", "speedup", "chosen_cpu_s", "rejected_cpu_s", "noise", "rounds"}
    two = [datasets.load_dataset(str(run), "efficiency", split="train") for run in (folder, tmp_path / "again")]
    assert two[0].remove_columns(list(measured)).to_list() == two[1].remove_columns(list(measured)).to_list()
    name = next(name for name in files(folder) if name.startswith("correctness"))
    assert files(folder)[name] == files(tmp_path / "again")[name]


def test_a_config_without_rows_or_switched_off_leaves_nothing_behind(built, tmp_path):
    _, recordings = built
    build(tmp_path, recordings)
    assert (tmp_path / "efficiency").is_dir()
    manifest = build(tmp_path, recordings, efficiency=Efficiency(enabled=True, min_tests=4))
    assert manifest["dataset"]["efficiency"] == {"rows": 0, "num_bytes": 0, "files": []}
    assert not (tmp_path / "efficiency").exists()
    assert datasets.get_dataset_config_names(str(tmp_path)) == ["correctness"]
    build(tmp_path, recordings)
    assert "efficiency" not in build(tmp_path, recordings, efficiency=Efficiency())["dataset"]
    assert not (tmp_path / "efficiency").exists() and "`efficiency`" not in (tmp_path / "README.md").read_text()
