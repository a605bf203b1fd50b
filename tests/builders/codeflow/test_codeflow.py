"""The whole chain, live against a scripted model that repairs its programs, and from recorded trajectories."""

import functools
import hashlib
import json
import re
import shutil
from dataclasses import replace

import datasets
import pytest
from building import build_in
from tokenizers_trained import FAMILIES

from builders.codeflow import method as codeflow
from builders.codeflow.linediff import diff, lines_of
from codepref import config
from codepref.errors import CodeprefError
from codepref.focus import token_mask

QUICKSTART = "builders/configs/codeflow/quickstart.yaml"
ROUNDS = {
    "clamp": 1,
    "count_vowels": 0,
    "running_mean": 2,
    "chunk": 1,
    "parse_pairs": 2,
    "is_leap": 3,
    "flatten": 2,
    "rotate": 1,
    "is_palindrome": 0,
    "second_largest": 1,
    "merge_counts": 1,
}
"""In which round the scripted model fixes its code; `to_roman` it never does."""


def settings(root, *changes):
    return config.load(codeflow.Config, root / QUICKSTART, changes)


def build(root, out, *changes, workers=1):
    return build_in(codeflow, settings(root, *changes), out, workers=workers, quiet=True)


def hashes(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".parquet", ".png") or path.name in ("README.md", "manifest.json", "exclusions.jsonl")
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory, root):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        folder = tmp_path_factory.mktemp("built") / "run"
        manifest = build(root, folder)
    return folder, manifest


@pytest.fixture(autouse=True)
def _in_root(monkeypatch, root):
    monkeypatch.chdir(root)


def load(folder, name="pairs"):
    return {row["prompt_id"].partition("/")[2]: row for row in datasets.load_dataset(str(folder), name, split="train")}


def test_load_dataset_opens_the_folder(built):
    rows = datasets.load_dataset(str(built[0]), split="train")
    assert rows.column_names[:3] == ["prompt", "chosen", "rejected"]
    assert len(rows) == 7
    assert rows.features["rejected_spans"] == datasets.List(datasets.List(datasets.Value("int64")))


def test_histories_end_in_the_round_that_fixes_them(built):
    rows = load(built[0], "trajectories")
    assert {name: len(row["versions"]) - 1 for name, row in rows.items() if row["solved"]} == ROUNDS
    assert [name for name, row in rows.items() if not row["solved"]] == ["to_roman"]
    for row in rows.values():
        *earlier, last = row["versions"]
        assert all(set(version["verdicts"]) != {"passed"} for version in earlier)
        assert all(version["error"] for version in earlier)
        assert (set(last["verdicts"]) == {"passed"}) == row["solved"]
        assert [version["round"] for version in row["versions"]] == list(range(len(row["versions"])))
        assert all(
            len(version["verdicts"]) == len(row["tests"]) for version in row["versions"] if not version["problem"]
        )


def test_a_pair_of_the_live_loop(built):
    row = load(built[0])["parse_pairs"]
    assert row["rejected_error"].splitlines()[0].startswith("It passes ")
    assert row["chosen"] == row["versions"][-1]["code"]
    assert row["rejected"] == row["versions"][row["rejected_round"]]["code"]
    assert isinstance(row["versions"][0]["seed"], int)
    assert (row["generator"], row["licence"]) == ("scripted", "Apache-2.0")


def test_an_answer_without_a_program_costs_a_round(built):
    first, second, _ = load(built[0], "trajectories")["flatten"]["versions"]
    assert (first["problem"], first["verdicts"]) == ("unparseable", [])
    assert "no program that defines flatten" in first["error"]
    assert load(built[0])["flatten"]["rejected"] == second["code"]


def test_everything_left_out_is_on_file(built):
    folder, manifest = built
    found = [json.loads(line) for line in (folder / "exclusions.jsonl").read_text().splitlines()]
    assert sorted((row["prompt_id"].partition("/")[2], row["kind"], row["rule"]) for row in found) == [
        ("chunk", "pair", "empty D-"),
        ("count_vowels", "prompt", "passes at once"),
        ("flatten", "code", "unparseable"),
        ("is_palindrome", "prompt", "passes at once"),
        ("rotate", "pair", "comments only"),
        ("second_largest", "test", "vacuous"),
        ("to_roman", "prompt", "unsolved"),
    ]
    assert manifest["exclusions"]["count"] == len(found)


def test_labels_for_kto(built):
    rows = datasets.load_dataset(str(built[0]), "kto", split="train")
    assert rows.column_names[:3] == ["prompt", "completion", "label"]
    assert sum(rows["label"]) == len(ROUNDS)
    pairs = load(built[0])
    labels = {(row["prompt"], row["completion"]): row["label"] for row in rows}
    for row in pairs.values():
        assert labels[row["prompt"], row["chosen"]] is True
        assert labels[row["prompt"], row["rejected"]] is False
    assert not any("to_roman" in row["prompt_id"] for row in rows)


def test_the_card_states_yields_filters_and_balance(built):
    text = (built[0] / "README.md").read_text()
    for line in (
        "| 0 | 2 | 16.7 % | 36.7 % |",
        "| 1 | 7 | 58.3 % | 54.7 % |",
        "| 2 | 10 | 83.3 % | 61.5 % |",
        "| 3 | 11 | 91.7 % | 64.6 % |",
        "| 5 | - | - | 67.5 % |",
        "| passes at once | 2 |",
        "| no program | 1 |",
        "| empty D- | 1 |",
        "| comments only | 1 |",
        "| pairs kept | 7 |",
    ):
        assert line in text, line
    assert re.search(r"11 desirable, 13 undesirable: 0.85 to 1.*weight of 1.18 to 1.58", text)
    for name in re.findall(r"\]\((figures/\S+)\)", text):
        assert (built[0] / name).read_bytes().startswith(b"\x89PNG")


@functools.cache
def tokenizer_of(family):
    return FAMILIES[family]()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_row_gives_every_tokenizer_a_mask(built, family):
    for row in load(built[0]).values():
        rejected = row["rejected"]
        minus = diff(lines_of(row["chosen"]), lines_of(rejected)).minus
        shown = [rejected[first:last] for first, last in row["rejected_spans"]]
        assert shown == [lines_of(rejected)[number] for number in minus]
        for head, tail in (
            (row["prompt"], ""),
            (f"<|im_start|>{row['prompt']}<|im_end|>\n```python\n", "```<|im_end|>\n"),
        ):
            text = head + rejected + tail
            encoding = tokenizer_of(family).encode(text)
            mask = token_mask(encoding.offsets, row["rejected_spans"], len(head))
            counted = {
                at for (a, b), counts in zip(encoding.offsets, mask, strict=True) if counts for at in range(a, b)
            }
            wanted = {len(head) + at for first, last in row["rejected_spans"] for at in range(first, last)}
            with_token = {at for a, b in encoding.offsets for at in range(a, b)}
            assert counted >= wanted & with_token
            assert {text[at] for at in counted - wanted} <= {"\n"}
            assert 0 < sum(mask) < len(mask)


def test_workers_change_no_byte(built, root, tmp_path):
    folder, manifest = built
    shutil.copytree(folder / "stages", tmp_path / "stages")
    for stage in (*tmp_path.glob("stages/run1-*"), *tmp_path.glob("stages/pairs-*")):
        shutil.rmtree(stage)
    assert build(root, tmp_path, workers=2) == manifest
    assert hashes(tmp_path) == hashes(folder)


def test_a_second_build_changes_no_byte(built, root, tmp_path):
    assert build(root, tmp_path / "run") == built[1]
    assert hashes(tmp_path / "run") == hashes(built[0])


def test_other_rules_run_nothing_again(built, root, tmp_path):
    shutil.copytree(built[0] / "stages", tmp_path / "run" / "stages")
    manifest = build(root, tmp_path / "run", "rejected=all", "filters.insertions=next_line", "focus=token")
    ran = [path.name for path in (tmp_path / "run" / "stages").glob("run*")]
    assert len(ran) == 4
    rows = datasets.load_dataset(str(tmp_path / "run"), split="train")
    assert manifest["dataset"]["pairs"]["rows"] == len(rows) == 12
    assert {row["focus"] for row in rows} == {"token"}
    assert [row["prompt_id"] for row in rows if row["insertion_only"]] == ["quickstart/chunk"]


def test_recorded_trajectories_are_run_again(built, root, tmp_path):
    path = tmp_path / "trajectories.jsonl"
    rows = datasets.load_dataset(str(built[0]), "trajectories", split="train").to_list()
    with path.open("w") as file:
        for row in rows:
            line = {name: row[name] for name in ("prompt_id", "prompt", "entry_point", "tests", "generator", "licence")}
            codes = [version["code"] for version in row["versions"]]
            # what follows the passing version is not looked at
            file.write(json.dumps({**line, "versions": [*codes, "def x(): pass"]}) + "\n")
        file.write(json.dumps({**line, "versions": ["", *codes]}) + "\n")  # another trajectory of the same prompt
    recorded = replace(settings(root, "rejected=last"), prompts=None, generation=None, trajectories=str(path))
    manifest = build_in(codeflow, recorded, tmp_path / "run", quiet=True)
    assert [stage["stage"] for stage in manifest["stages"]][:4] == ["samples", "versions", "informative_tests", "run"]
    assert manifest["dataset"]["trajectories"]["rows"] == len(rows) + 1
    again = datasets.load_dataset(str(tmp_path / "run"), "trajectories", split="train").to_list()
    keys = ("code", "round", "problem", "verdicts", "error")
    found = {row["prompt_id"]: row["versions"] for row in again if row["versions"][0]["code"]}
    for row in rows:
        versions = found[row["prompt_id"]][: len(row["versions"])]
        assert len(found[row["prompt_id"]]) == len(versions) + (not row["solved"])
        assert [[version[key] for key in keys] for version in versions] == [
            [version[key] for key in keys] for version in row["versions"]
        ]
    pairs = load(tmp_path / "run")
    assert set(pairs) == set(load(built[0]))
    assert all(row["rejected"] == row["versions"][-2]["code"] for row in pairs.values())


def test_benchmark_code_and_prompts_are_left_out(root, tmp_path):
    solution = (
        "def running_mean(values):\n    means = []\n    total = 0\n    for count, value in enumerate(values, 1):\n"
    )
    solution += "        total += value\n        means.append(total / count)\n    return means\n"
    task = {"task_id": "B/1", "prompt": "Unlike all of ours in its wording.", "canonical_solution": solution}
    other = {
        "task_id": "B/2",
        "prompt": "The number x, but never below low and never above high.",
        "entry_point": "clamp",
    }
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in (task, other)))
    manifest = build(root, tmp_path / "run", f"decontaminate=[{tmp_path / 'b.jsonl'}]", "rounds=2")
    assert set(load(tmp_path / "run")) == {"parse_pairs", "flatten", "second_largest", "merge_counts"}
    left = {(item["stage"], item["kind"], item["rule"]) for stage in manifest["stages"] for item in [
        {**rule, "stage": stage["stage"]} for rule in stage["excluded"]]}  # fmt: skip
    assert ("clean", "prompt", "benchmark text") in left
    assert ("clean_versions", "code", "benchmark code") in left
    assert "Left out: 1 prompts" in (tmp_path / "run" / "README.md").read_text()


def test_the_plan_asks_and_writes_nothing(root, tmp_path, monkeypatch):
    text = str(codeflow.plan(settings(root)))
    assert "refine3" in text
    assert "executions: 48 (at most: 12 prompts x 4 programs" in text
    path = tmp_path / "t.jsonl"
    line = {
        "prompt_id": "p",
        "prompt": "",
        "entry_point": "f",
        "tests": ["assert f(1)", "assert f(2)"],
        "versions": ["def f(x): pass", "x"],
    }
    path.write_text(json.dumps({**line, "prompt": "Write f."}) + "\n")
    recorded = codeflow.Config(trajectories=str(path))
    assert "executions: 2 (1 trajectories" in str(codeflow.plan(recorded))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "either trajectories=FILE"),
        ({"prompts": "x"}, "needs a 'generation' section"),
        ({"prompts": "x", "trajectories": "y"}, "either trajectories=FILE"),
        ({"trajectories": "nowhere.jsonl"}, "nowhere.jsonl: No such file"),
    ],
)
def test_one_clear_line(tmp_path, changes, message):
    with pytest.raises(CodeprefError, match=message):
        build_in(codeflow, codeflow.Config(**changes), tmp_path / "run", quiet=True)


def test_bad_lines_of_trajectories_are_named(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"prompt_id": "p", "prompt": "x", "entry_point": "f", "tests": ["a"], "codes": ["b"]}\n')
    with pytest.raises(
        CodeprefError, match=r"t\.jsonl:1: unknown key 'codes'; known: prompt_id, prompt, entry_point, versions"
    ):
        build_in(codeflow, codeflow.Config(trajectories=str(path)), tmp_path / "run", quiet=True)
