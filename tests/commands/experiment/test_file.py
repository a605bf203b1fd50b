"""What an experiment's file may say, and what it becomes."""

from pathlib import Path

import pytest

from codepref.commands.experiment.file import Dataset, Evaluation, Experiment, Server, Training, check
from codepref.commands.experiment.settings import check_parts
from codepref.commands.experiment.steps import planned_steps
from codepref.errors import CodeprefError

CODEDPO = {"codedpo": Dataset()}
GREEDY = {"greedy": Evaluation(("humaneval_plus", "mbpp_plus"))}


def words(experiment: Experiment) -> dict[str, str]:
    return {step.name: " ".join(step.words) for step in planned_steps(experiment, Path("out"), 2)}


def test_steps_of_the_default() -> None:
    model = "Qwen/Qwen2.5-Coder-0.5B-Instruct"
    found = words(Experiment(model, "p.jsonl", datasets=CODEDPO, evaluations=GREEDY, chat=True))
    assert list(found) == [
        "codedpo dataset", "humaneval_plus, greedy, base", "mbpp_plus, greedy, base", "dpo training",
        "humaneval_plus, greedy, dpo", "mbpp_plus, greedy, dpo", "scores",
    ]  # fmt: skip
    build = found["codedpo dataset"]
    assert f"generation.local.model={model}" in build
    assert 'decontaminate=["humaneval", "mbpp"]' in build
    assert "--adapter out/dpo" in found["mbpp_plus, greedy, dpo"] and "--chat" in found["mbpp_plus, greedy, dpo"]
    assert "--adapter" not in found["mbpp_plus, greedy, base"]
    assert "chat=true" in found["dpo training"] and "fenced=true" in found["dpo training"]


def test_a_server_answers_and_the_model_is_trained() -> None:
    server = Server("coder", "http://localhost:8000/v1", evaluate=True)
    datasets = {"dstc": Dataset(settings={"seed": 3, "generation": {"sampling": {"temperature": 0.5}}})}
    found = words(Experiment("m/m-7B", "p.jsonl", server=server, datasets=datasets, evaluations=GREEDY, chat=False))
    build = found["dstc dataset"]
    assert "generation.server.base_url=http://localhost:8000/v1" in build
    assert "generation.sampling.temperature=0.5" in build
    assert "generation.local" not in build and build.count("seed=") == 1
    assert "model_name_or_path=m/m-7B" in found["kto training"] and "chat=" not in found["kto training"]
    assert "--backend server --model coder" in found["mbpp_plus, greedy, base"]
    assert "--backend server --model kto" in found["mbpp_plus, greedy, kto"]


def test_two_datasets_of_one_method() -> None:
    datasets = {"codedpo": Dataset(), "random": Dataset("codedpo", settings={"ranking": "random"})}
    trainings = {"sft": Training("codedpo", "sft"), "control": Training("random")}
    found = words(Experiment("m-7B", "p.jsonl", datasets=datasets, trainings=trainings, chat=False))
    assert "ranking=random" in found["random dataset"] and found["random dataset"].startswith("build codedpo")
    assert found["sft training"].startswith("train sft") and found["control training"].startswith("train dpo")
    names = Experiment("m-7B", "p.jsonl", datasets=datasets).trained()
    assert list(names) == ["dpo", "dpo-random"]


def test_local_copies_are_graded_on_and_kept_out_of_the_prompts(tmp_path: Path) -> None:
    data = {"humaneval_plus": "he.jsonl.gz"}
    found = words(Experiment("m-7B", "p", datasets=CODEDPO, evaluations=GREEDY, data=data, chat=False))
    assert 'decontaminate=["he.jsonl.gz", "mbpp"]' in found["codedpo dataset"]
    assert "--data he.jsonl.gz" in found["humaneval_plus, greedy, base"]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"datasets": {"codedop": Dataset()}}, r"datasets\.codedop: 'codedop' is no method; choose from codedpo"),
        ({"trainings": {"x": Training("dstc")}}, r"trainings\.x: no dataset 'dstc' in this experiment; it has codedpo"),
        ({"trainings": {"base": Training("codedpo")}}, "trainings.base: this name is taken"),
        ({"evaluations": {"all": Evaluation(("humanevil",))}}, "evaluations.all: 'humanevil' is no benchmark"),
        ({"seeds": "src"}, "give prompts .* or seeds .*, one of them"),
        ({"truth": "nowhere"}, "truth: nowhere: no such file"),
        (
            {"model": "tiny/chekpoint", "backend": "tiny"},
            "model: tiny/chekpoint: no such folder; name one, or ORG/NAME",
        ),
        ({"datasets": {"logs": Dataset("codedpo")}}, "logs: this name is taken by a folder of the run"),
        ({"evaluations": {"a": Evaluation(("mbpp",), n=5)}}, r"evaluations\.a: n above 1 needs a temperature above 0"),
        ({"evaluations": {"a": Evaluation(("mbpp", "mbpp"))}}, r"evaluations\.a: a benchmark is named twice"),
        (
            {"evaluations": {"a": Evaluation(("mbpp",))}, "data": {"mbpp": "no.jsonl"}},
            r"data\.mbpp: no\.jsonl: no such file",
        ),
        ({"model": "../models/mine"}, r"model: \.\./models/mine: no such folder"),
    ],
)
def test_parts_that_do_not_fit_are_named(tmp_path: Path, keys: dict[str, object], said: str) -> None:
    prompts = tmp_path / "p.jsonl"
    prompts.write_text("")
    with pytest.raises(CodeprefError, match=said):
        check(Experiment(**{"model": "m", "prompts": str(prompts), "datasets": CODEDPO, **keys}))  # type: ignore[arg-type]


def test_what_later_steps_read_is_looked_at_before_the_first(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    truth.write_text("{}\n")
    wrong: dict[str, dict[str, object]] = {
        r"truth\.jsonl:1: not .* write it so": {"truth": str(truth)},
        r"trainings\.a\.config: no\.yaml: no such file": {"trainings": {"a": Training("codedpo", config="no.yaml")}},
    }
    for said, keys in wrong.items():
        experiment = Experiment(**{"model": "m", "prompts": "p", "datasets": CODEDPO, "chat": False, **keys})  # type: ignore[arg-type]
        with pytest.raises(CodeprefError, match=said):
            check_parts(experiment)
