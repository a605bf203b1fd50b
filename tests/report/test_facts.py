import json
from collections import Counter

import pyarrow.parquet as pq

from codepref.inspection import run as inspection
from codepref.report import facts


def test_yields_add_up_to_what_the_run_holds(finished):
    made = facts.shown_dataset(finished.parent, finished.name, "CodeDPO", "correctness")
    left = Counter()
    for line in (finished / "exclusions.jsonl").read_text().splitlines():
        left[json.loads(line)["kind"], json.loads(line)["rule"]] += 1
    by_name = {item.what: item for item in made.yields}
    for what, kind in (("programs", "code"), ("tests", "test"), ("prompts with a pair", "prompt")):
        found = {rule: count for (of, rule), count in left.items() if of == kind}
        assert dict(by_name[what].left_out) == found and found
    for item in made.yields:
        assert item.came == item.kept + sum(count for _, count in item.left_out), item
    candidates = inspection.read_run(finished).stage("candidates")
    rows = [row for path in candidates.shards() for row in pq.read_table(path).to_pylist()]
    assert by_name["programs"].kept == sum(len(row["codes"]) for row in rows)
    assert by_name["runs that pass"].came == sum(len(row["codes"]) * len(row["tests"]) for row in rows)
    assert made.rows == by_name["prompts with a pair"].kept > 1 and not made.missing


def test_the_example_is_the_surest_pair_unless_one_is_named(finished):
    rows = list(facts.dataset_rows(inspection.read_run(finished), "correctness"))
    surest = max(rows, key=lambda row: row["confidence"])
    assert facts.shown_example(finished, None, None, None).prompt_id == surest["prompt_id"]
    for row in rows:
        found = facts.shown_example(finished, row["prompt_id"], [True], None)
        assert found.codes[found.chosen] == row["chosen"] and found.codes[found.rejected] == row["rejected"]
        assert all(found.codes) and found.codes_right is None  # one truth does not fit its programs


def test_without_its_stages_a_dataset_still_has_its_pair(finished, tmp_path):
    for path in [finished / "manifest.json", *finished.glob("correctness/*")]:
        copy = tmp_path / path.relative_to(finished)
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    found = facts.shown_example(tmp_path, None, None, None)
    assert found.codes[found.chosen] and found.passed
    assert facts.speed(tmp_path) == ((), None) and facts.shown_repair(tmp_path) is None
