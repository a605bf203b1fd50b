"""The quickstart's prompts for a model to answer, and the hidden asserts that tell right answers from wrong ones.

A line of `quickstart_hidden.jsonl` belongs to one prompt: `tests` (what `codepref run` reads as `truth`), `level` (how
hard it should be for a model of half a billion weights), `reference`, and `mutants`: [old, new] texts, each of which makes
a plausible mistake of the reference.
"""

import ast
import doctest
import re
from collections import Counter

import numpy as np
import pytest

from builders.chain import decontaminate
from codepref import files, overlap
from codepref.commands.experiment.measured import read_truth
from codepref.sandbox import Job, Limits, execute
from codepref.stages import Runner
from codepref.store import Store

CONSTANT = "'a constant that no test expects'"


@pytest.fixture(scope="module")
def prompts(root):
    return [row for _, row in files.read_rows(root / "builders/quickstart/prompts.jsonl")]


@pytest.fixture(scope="module")
def hidden(root):
    rows = [row for _, row in files.read_rows(root / "tests/builders/quickstart_hidden.jsonl")]
    return {row["prompt_id"]: row for row in rows}


def expected(test, entry_point):
    """The value that a test wants of the function, as source; None for a test that wants an exception."""
    for node in ast.parse(test).body:
        if isinstance(node, ast.Assert) and entry_point in ast.unparse(node):
            return ast.unparse(node.test.comparators[0])
    return None


def stub(entry_point, value):
    return f"def {entry_point}(*args, **options):\n    return {value}\n"


def mutated(row):
    return tuple(row["reference"].replace(old, new) for old, new in row["mutants"])


def examples(prompt):
    """Asserts from the examples of a prompt's docstring; a prompt in prose has none."""
    if not prompt["prompt"].startswith("def "):
        return ()
    (function,) = ast.parse(prompt["prompt"]).body
    found = doctest.DocTestParser().get_examples(ast.get_docstring(function))
    return tuple(f"assert {example.source.strip()} == {example.want.strip()}" for example in found)


def run(jobs):
    """Whether each program passes each test, by the job's name: a list of truths a program."""
    found = {}
    for matrix in execute(jobs, Limits(cpu_s=2.0)):
        assert matrix.blind == (), matrix.job_id
        assert all(cell.verdict != "unjudged" for cells in matrix.cells for cell in cells), matrix.job_id
        found[matrix.job_id] = [[cell.verdict == "passed" for cell in cells] for cells in matrix.cells]
    return found


@pytest.fixture(scope="module")
def wanted(prompts, hidden):
    """What the hidden asserts want, by entry point."""
    return {
        prompt["entry_point"]: [expected(test, prompt["entry_point"]) for test in hidden[prompt["prompt_id"]]["tests"]]
        for prompt in prompts
    }


@pytest.fixture(scope="module")
def passed(prompts, hidden, wanted):
    """What passed which hidden assert, by entry point: the reference, three stubs, then the mutants."""
    jobs = []
    for prompt in prompts:
        name, row = prompt["entry_point"], hidden[prompt["prompt_id"]]
        commonest = Counter(value for value in wanted[name] if value is not None).most_common(1)[0][0]
        stubs = [stub(name, value) for value in (CONSTANT, None, commonest)]
        jobs.append(Job(name, (row["reference"], *stubs, *mutated(row)), tuple(row["tests"]), name))
    return run(jobs)


def test_prompts_are_well_formed(prompts, hidden):
    assert len(prompts) == len(hidden) == 63
    for prompt in prompts:
        name = prompt["entry_point"]
        assert set(prompt) == {"prompt_id", "prompt", "entry_point"}
        assert prompt["prompt_id"] == f"quickstart/{name}"
        assert f"{name}(" in prompt["prompt"]
    assert [prompt["prompt_id"] for prompt in prompts] == list(hidden)
    assert len({prompt["entry_point"] for prompt in prompts}) == len(prompts)
    assert Counter(row["level"] for row in hidden.values()) == {"easy": 21, "middle": 21, "hard": 21}


def test_a_prompt_names_the_arguments_of_its_reference(prompts, hidden):
    for prompt in prompts:
        name = prompt["entry_point"]
        (shown,) = ast.parse(f"def {re.search(rf'{name}[(][^)]*[)]', prompt['prompt'])[0]}: ...").body
        tree = ast.parse(hidden[prompt["prompt_id"]]["reference"])
        (written,) = (node for node in tree.body if isinstance(node, ast.FunctionDef))
        assert written.name == name
        assert [argument.arg for argument in written.args.args] == [argument.arg for argument in shown.args.args], name


def test_codepref_run_reads_the_hidden_asserts_as_truth(hidden, root):
    truth = read_truth(root / "tests/builders/quickstart_hidden.jsonl")
    assert truth == {name: tuple(row["tests"]) for name, row in hidden.items()}
    for name, tests in truth.items():
        assert 8 <= len(tests) <= 15, name
        assert len(set(tests)) == len(tests), name


def test_examples_of_the_prompts_hold_and_leave_enough_to_hide(prompts, hidden):
    jobs = []
    for prompt in prompts:
        row, shown = hidden[prompt["prompt_id"]], examples(prompt)
        asserted = {ast.unparse(ast.parse(test)) for test in row["tests"]}
        assert len(asserted - {ast.unparse(ast.parse(test)) for test in shown}) >= 8, prompt["entry_point"]
        if shown:
            jobs.append(Job(prompt["entry_point"], (row["reference"],), shown, prompt["entry_point"]))
    assert [name for name, (verdicts,) in run(jobs).items() if not all(verdicts)] == []


def test_references_pass_every_hidden_assert(passed):
    assert [name for name, (reference, *_) in passed.items() if not all(reference)] == []


def test_no_hidden_assert_is_passed_by_a_constant(passed, wanted):
    """Nor by None, but where None is the right answer; and no single answer is right more than half of the time."""
    for name, (_, constant, none, commonest, *_) in passed.items():
        assert not any(constant), name
        assert none == [value == "None" for value in wanted[name]], name
        assert 1 <= sum(commonest) <= len(commonest) / 2, name


def test_mutants_are_made_of_text_that_stands_once_in_the_reference(hidden):
    for name, row in hidden.items():
        assert len(row["mutants"]) >= 2, name
        assert all(row["reference"].count(old) == 1 for old, _ in row["mutants"]), name
        assert len({row["reference"], *mutated(row)}) == 1 + len(row["mutants"]), name
        assert all(ast.parse(code) for code in mutated(row))


def test_hidden_asserts_catch_every_mutant(passed, hidden):
    """And a mutant that fails them all would show nothing about the asserts: two a prompt pass some."""
    for name, (_, _, _, _, *mutants) in passed.items():
        pairs = zip(mutants, hidden[f"quickstart/{name}"]["mutants"], strict=True)
        assert [mutant for verdicts, mutant in pairs if all(verdicts)] == []
        assert sum(any(verdicts) for verdicts in mutants) >= 2, name


def test_no_two_prompts_are_alike(prompts):
    signatures = [overlap.signature(overlap.words(row["prompt"], row["entry_point"])) for row in prompts]
    assert (overlap.near_duplicates([np.stack(signatures)], len(prompts), 0.5) == -1).all()


@pytest.mark.realdata
def test_no_prompt_and_no_reference_is_of_a_benchmark(prompts, hidden, shared, tmp_path):
    runner = Runner(Store(tmp_path), quiet=True)
    gate = decontaminate.gate(runner, list(decontaminate.DECONTAMINABLE), str(shared / "benchmarks"))
    index = decontaminate.task_index(gate.tasks.path)
    assert [row for row in prompts if index.prompt(row["prompt"], row["entry_point"])] == []
    solved = {row["entry_point"]: hidden[row["prompt_id"]]["reference"] for row in prompts}
    assert [name for name, code in solved.items() if index.code(code, name)] == []


def test_readme_states_the_counts(prompts, hidden, root):
    text = (root / "builders/quickstart/README.md").read_text(encoding="utf-8")
    counts = [
        len(prompts),
        sum(prompt["prompt"].startswith("def ") for prompt in prompts),
        sum(bool(examples(prompt)) for prompt in prompts),
        sum(len(row["tests"]) for row in hidden.values()),
        sum(len(row["mutants"]) for row in hidden.values()),
    ]
    (about,) = re.findall(r"^`prompts.jsonl` .*?(?=\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    assert [int(number) for number in re.findall(r"\b\d+\b", about)] == counts
