"""Scores on a card: the table, model-index and entries say the same number."""

import json

import pytest
import yaml
from huggingface_hub import HfApi, ModelCard, parse_eval_result_entries

from codepref import cli
from codepref.errors import CodeprefError
from codepref.publish import scores

import releases  # isort: skip

pytest_plugins = ["hub_double.fixtures"]
REPO = "org/adapter"


@pytest.fixture
def adapter(tmp_path):
    return releases.adapter(tmp_path / "adapter")


@pytest.fixture
def results(tmp_path, adapter):
    return releases.results(tmp_path / "results.json", model="org/base", adapter=str(adapter))


def named(adapter, *paths):
    return {file.name: file for file in scores.files(adapter, REPO, paths)}


def test_three_places_one_number(adapter, results):
    files = named(adapter, results)
    assert set(files) == {"README.md", ".eval_results/humaneval_plus.yaml", "evaluation/humaneval_plus.json"}
    text = files["README.md"].content.decode()
    row = "| humaneval_plus | pass@1 | 50.0 [40.0-60.0] | 164 | greedy, one sample | `0123456789abcdef` |"
    assert f"| this one {row}" in text
    assert "| pass@1 (original tests) | 75.0 [70.0-80.0] |" in text
    assert "- humaneval_plus: no task of the benchmark is in the training data" in text
    assert text.index("## Scores") < text.index("## Limits") < text.index("It is small.")
    first, second = ModelCard(text).data.eval_results
    assert (first.metric_type, first.metric_value, first.dataset_type) == ("pass@1", 50.0, "evalplus/humanevalplus")
    assert (second.metric_value, second.metric_name.partition(",")[0]) == (75.0, "pass@1 (original tests)")
    (entry,) = parse_eval_result_entries(yaml.safe_load(files[".eval_results/humaneval_plus.yaml"].content))
    assert (entry.value, entry.dataset_id, entry.task_id) == (50.0, "evalplus/humanevalplus", "default")
    assert (entry.date, entry.notes) == ("2026-11-21", None)
    assert entry.source_url.endswith("/org/adapter/blob/main/evaluation/humaneval_plus.json")


def test_each_variant_has_its_own_file_with_notes(adapter, results, tmp_path):
    hot = releases.results(tmp_path / "hot.json", 0.4, model=REPO, drawn=(20, 0.8))
    files = named(adapter, results, hot)
    (other,) = yaml.safe_load(files[".eval_results/humaneval_plus_temperature_0_8_20_samples.yaml"].content)
    assert (other["notes"], other["value"]) == ("temperature 0.8, 20 samples", 40.0)
    saved = named(adapter, releases.results(tmp_path / "saved.json", drawn=None))
    assert "evaluation/humaneval_plus_samples_from_a_file.json" in saved


def test_scores_of_the_base_stand_beside_but_are_not_claimed(adapter, results, tmp_path):
    files = named(adapter, releases.results(tmp_path / "base.json", 0.4, model="org/base"), results)
    text = files["README.md"].content.decode()
    assert "| its base, before training | humaneval_plus | pass@1 | 40.0 " in text
    assert [result.metric_value for result in ModelCard(text).data.eval_results] == [50.0, 75.0]
    assert {"evaluation/base_humaneval_plus.json", "evaluation/humaneval_plus.json"} < set(files)
    assert len([name for name in files if name.startswith(".eval_results")]) == 1


def test_what_is_refused(adapter, results, tmp_path):
    def refused(path, message, *others):
        with pytest.raises(CodeprefError, match=message):
            scores.files(adapter, REPO, [*others, path])

    other = tmp_path / "other.json"
    refused(releases.results(other, 0.6, model=REPO), "another file holds humaneval_plus too", results)
    refused(releases.results(other, model="org/stranger"), "is of org/stranger, which is neither")
    refused(releases.results(other, problems=20), "20 of 164 problems are no score of humaneval_plus")
    other.write_text('{"benchmark": "x"}')
    refused(other, "not a results.json of `codepref evaluate`")
    refused(tmp_path / "none.json", "none.json: No such file")


def test_the_hub_reads_the_scores(remote, adapter, results):
    words = ["publish", "model", str(adapter), "--repo", REPO, "--tag", "v1", "--results", str(results)]
    assert cli.main(words) == 0
    info = HfApi(endpoint=remote.url).model_info(REPO, expand=["evalResults"])
    assert [(entry.dataset_id, entry.value) for entry in info.eval_results] == [("evalplus/humanevalplus", 50.0)]
    assert ModelCard.load(REPO).data.eval_results[0].metric_value == 50.0
    repo = remote.repos["models", REPO]
    assert repo.tags == {"v1": repo.head}
    assert not [path for path in repo.files if "checkpoint" in path or "training_args" in path]
    assert json.loads(repo.files["evaluation/humaneval_plus.json"]) == json.loads(results.read_text())
    assert cli.main(words) == 0
    assert len(repo.log) == 2


def test_a_score_on_some_days_is_whole_and_names_them(tmp_path):
    """A part of a benchmark is refused; the tasks of some days are a benchmark of their own."""
    path = releases.results(tmp_path / "days.json")
    found = json.loads(path.read_text())
    found |= {"benchmark": "livecodebench_v6", "problems": 131, "problems_of_benchmark": 131, "partial": None}
    found["window"] = {"since": "2025-02-01", "until": None}
    path.write_text(json.dumps(found))
    (score, *_) = scores.read_results(path).scores
    assert score.settings == "greedy, one sample, tasks from 2025-02-01 to the last"
    path.write_text(json.dumps(found | {"window": None}))
    with pytest.raises(CodeprefError, match="131 of 175 problems are no score of livecodebench_v6"):
        scores.read_results(path)
