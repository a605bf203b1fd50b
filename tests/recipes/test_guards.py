"""Each guard on the data it is there for."""

from types import SimpleNamespace

import pytest
from datasets import Dataset

from codepref.errors import CodeprefError


@pytest.fixture(scope="module")
def guards():
    import guards

    return guards


def told(guard, reward, step=10):
    state = SimpleNamespace(global_step=step, log_history=[{}], is_world_process_zero=True)
    control = SimpleNamespace(should_training_stop=False)
    logs = {"rewards/chosen": reward}
    guard.on_log(None, state, control, logs=logs)
    return logs, state, control


def test_chosen_guard_counts_nats_per_token(guards):
    guard = guards.ChosenGuard(beta=0.1, tokens=50, limit=0.5, action="stop")
    logs, state, control = told(guard, reward=-1.0)  # 10 nats over 50 tokens
    assert logs["logps/chosen_change"] == -0.2 == state.log_history[-1]["logps/chosen_change"]
    assert not control.should_training_stop
    _, _, control = told(guard, reward=-3.0, step=20)
    assert control.should_training_stop
    assert guard.stopped.startswith("step 20: chosen code has lost 0.60 nats a token")


@pytest.mark.parametrize("action", ["warn", "off"])
def test_chosen_guard_that_does_not_stop(guards, action, capsys):
    guard = guards.ChosenGuard(beta=0.1, tokens=50, limit=0.5, action=action)
    for _ in range(3):
        assert not told(guard, reward=-5.0)[2].should_training_stop
    assert capsys.readouterr().out.count("warning") == (action == "warn")


def test_chosen_guard_passes_over_other_logs(guards):
    guard = guards.ChosenGuard(beta=0.1, tokens=50, limit=0.5, action="stop")
    state = SimpleNamespace(global_step=1, log_history=[{}])
    guard.on_log(None, state, SimpleNamespace(), logs={"train_runtime": 1.0})
    assert state.log_history == [{}]


@pytest.mark.parametrize(
    ("labels", "given", "expected"),
    [
        ([True] * 5 + [False] * 5, (1.0, 1.0), (1.0, 1.0)),
        ([True] * 2 + [False] * 8, (1.0, 1.0), (4.0, 1.0)),
        ([True] * 6 + [False] * 2, (1.0, 1.0), (1.0, 3.0)),
        ([True] * 6 + [False] * 2, (1.0, 1.5), (1.0, 1.5)),
    ],
)
def test_balance(guards, labels, given, expected):
    assert guards.balance(labels, *given) == expected


def test_balance_needs_both(guards):
    with pytest.raises(CodeprefError, match="there are 3 and 0"):
        guards.balance([True] * 3, 1.0, 1.0)


def tokenised(words, rows, end=True):
    """What TRL makes of plain pairs."""
    found = []
    for prompt, chosen, rejected in rows:
        tail = words.eos_token if end else ""
        whole = [words(prompt + code + tail)["input_ids"] for code in (chosen, rejected)]
        alone = words(prompt)["input_ids"]
        cut = min(next((i for i, (a, b) in enumerate(zip(alone, ids)) if a != b), len(alone)) for ids in whole)  # noqa: B905
        found.append(
            {"prompt": prompt, "chosen": chosen, "rejected": rejected, "prompt_ids": alone[:cut],
             "chosen_ids": whole[0][cut:], "rejected_ids": whole[1][cut:]}
        )  # fmt: skip
    return Dataset.from_list(found)


SIDES = ("chosen_ids", "rejected_ids")


def test_lengths_count_what_is_cut_and_dropped(guards, words):
    dataset = tokenised(words, [("p\n", "x = 1\n" * n, "y\n") for n in (1, 1, 40)])
    report = guards.preferences(dataset, SIDES, 5, words, max_length=60)["lengths"]
    assert {key: report[key] for key in ("rows", "kept", "dropped", "cut")} == {
        "rows": 5,
        "kept": 3,
        "dropped": 2,
        "cut": 1,
    }
    assert report["tokens"]["longest"] == len(dataset[2]["prompt_ids"] + dataset[2]["chosen_ids"])
    with pytest.raises(CodeprefError, match="all 5 prompts are longer than max_length 60"):
        guards.preferences(dataset.select([]), SIDES, 5, words, max_length=60)


def test_completions_that_do_not_end_are_refused(guards, words):
    dataset = tokenised(words, [("p\n", "c\n", "r\n")], end=False)
    with pytest.raises(
        CodeprefError, match=r"1 of 1 chosen completions do not end with '<\|im_end\|>' .* does not stop"
    ):
        guards.preferences(dataset, SIDES, 1, words, max_length=None)


def test_a_prompt_whose_newline_merges_with_the_indentation_is_told(guards, tmp_path):
    """With a tokenizer that joins line breaks and indentation, as many do."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("x", "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(special_tokens=["<end>"], initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator(["x\n    x"] * 20, trainer)
    bpe.decoder = decoders.ByteLevel()
    merging = PreTrainedTokenizerFast(tokenizer_object=bpe, eos_token="<end>")
    dataset = tokenised(merging, [("def f(x):\nx\n", "    x", "    xx")])
    (warning,) = guards.preferences(dataset, SIDES, 1, merging, None)["warnings"]
    assert warning.startswith(r"1 of 1 prompts end inside a token: their tail ('\n') merges")


def test_a_prompt_that_runs_into_the_code_is_told(guards, words):
    (warning,) = guards.preferences(tokenised(words, [("sum a list", "def f(): ...", "x")]), SIDES, 1, words, None)[
        "warnings"
    ]
    assert warning.startswith("1 of 1 prompts run into the completion ('sum a listdef f(): ...')")
