"""Scores on a card: the table, model-index and entries say the same number."""

import json

import pytest
import yaml
from huggingface_hub import HfApi, ModelCard, parse_eval_result_entries

from codepref import cli, scores
from codepref.errors import CodeprefError

import releases  # isort: skip

pytest_plugins = ["hub_double.fixtures"]

REPO = "org/adapter"


@pytest.fixture
def adapter(tmp_path):
    return releases.adapter(tmp_path / "adapter")


@pytest.fixture
def results(tmp_path):
    return releases.results(tmp_path / "results.json")


def test_three_places_one_number(adapter, results):
    files = {file.name: file for file in scores.files(adapter, REPO, [results])}
    assert set(files) == {"README.md", ".eval_results/humaneval_plus.yaml", "evaluation/0-results.json"}
    text = files["README.md"].content.decode()
    assert "| humaneval_plus | pass@1 | 50.0 [40.0-60.0] | 164 | greedy, one sample | `0123456789abcdef` |" in text
    assert text.index("## Scores") < text.index("## Limits") < text.index("It is small.")
    first, second = ModelCard(text).data.eval_results
    assert (first.metric_type, first.metric_value, first.dataset_type) == ("pass@1", 50.0, "evalplus/humanevalplus")
    assert second.metric_value == 90.0
    (entry,) = parse_eval_result_entries(yaml.safe_load(files[".eval_results/humaneval_plus.yaml"].content))
    assert (entry.value, entry.dataset_id, entry.task_id) == (50.0, "evalplus/humanevalplus", "default")
    assert entry.source_url.endswith("/org/adapter/blob/main/evaluation/0-results.json")


def test_each_variant_has_its_own_file_with_notes(adapter, results, tmp_path):
    hot = releases.results(tmp_path / "hot.json", 0.4, "temperature 0.8, 20 samples")
    files = {file.name: file for file in scores.files(adapter, REPO, [results, hot])}
    other = yaml.safe_load(files[".eval_results/humaneval_plus_temperature_0_8_20_samples.yaml"].content)
    assert other[0]["notes"] == "temperature 0.8, 20 samples"
    assert "notes" not in yaml.safe_load(files[".eval_results/humaneval_plus.yaml"].content)[0]


def test_what_is_refused(adapter, results, tmp_path):
    with pytest.raises(CodeprefError, match="humaneval_plus pass@1 is in another file of results too"):
        scores.files(adapter, REPO, [results, releases.results(tmp_path / "again.json", 0.6)])
    (tmp_path / "other.json").write_text('{"results": [{"benchmark": "x"}]}')
    for name, message in (("other.json", "not the results of `codepref evaluate`"), ("none.json", "No such file")):
        with pytest.raises(CodeprefError, match=message):
            scores.files(adapter, REPO, [tmp_path / name])


def test_the_hub_reads_the_scores(remote, adapter, results):
    words = ["publish", "model", str(adapter), "--repo", REPO, "--tag", "v1", "--results", str(results)]
    assert cli.main(words) == 0
    info = HfApi(endpoint=remote.url).model_info(REPO, expand=["evalResults"])
    assert [(entry.dataset_id, entry.value) for entry in info.eval_results] == [("evalplus/humanevalplus", 50.0)]
    assert ModelCard.load(REPO).data.eval_results[0].metric_value == 50.0
    repo = remote.repos["models", REPO]
    assert repo.tags == {"v1": repo.head}
    assert not [path for path in repo.files if "checkpoint" in path or "training_args" in path]
    assert json.loads(repo.files["evaluation/0-results.json"]) == json.loads(results.read_text())
    assert cli.main(words) == 0
    assert len(repo.log) == 2
