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
    assert guards.balance("rows", labels, *given) == expected


def test_balance_needs_both(guards):
    with pytest.raises(CodeprefError, match=r"rows: .* there are 3 and 0; give rows of both labels"):
        guards.balance("rows", [True] * 3, 1.0, 1.0)
    with pytest.raises(CodeprefError, match=r"there are 0 and 2 \(4 had no room in max_length; raise it\)"):
        guards.balance("rows", [False] * 2, 1.0, 1.0, dropped=4)


SIDES = ("chosen", "rejected")


def stored(rows):
    names = ("prompt", "chosen", "rejected")
    return Dataset.from_list(
        [{**dict(zip(names, row, strict=True)), "place": f"x, line {i}"} for i, row in enumerate(rows, 1)]
    )


def fitting(guards, rows, words, max_length=None, vocabulary=10_000, **options):
    return guards.fitting("x", stored(rows), SIDES, guards.Reading(words, vocabulary, max_length, **options))


def test_what_is_measured_is_what_the_trainer_makes(guards, train, words, rows):
    """Plain and as messages: the same tokens, the same boundary."""
    import measure

    for chat in (False, True):
        trainer = train("dpo", chat=chat, max_steps=1)
        given = [(row["prompt"], row["chosen"], row["rejected"]) for row in rows]
        if chat:
            given = [
                ([{"role": "user", "content": prompt}], *([{"role": "assistant", "content": code}] for code in codes))
                for prompt, *codes in given
            ]
        found = measure.measure(stored(given), SIDES, words, None, 10_000)
        made = trainer.train_dataset
        assert found.prompts.tolist() == [len(ids) for ids in made["prompt_ids"]]
        assert found.answers.tolist() == [
            [len(good), len(bad)] for good, bad in zip(made["chosen_ids"], made["rejected_ids"], strict=True)
        ]


def test_lengths_count_what_is_cut_and_dropped(guards, words):
    rows = [("p\n" * n, "x = 1\n" * m, "y\n") for n, m in ((1, 1), (1, 2), (1, 40), (99, 1), (99, 1))]
    found = fitting(guards, rows, words, max_length=60)
    assert {key: found.lengths[key] for key in ("rows", "kept", "dropped", "cut")} == {
        "rows": 5,
        "kept": 3,
        "dropped": 2,
        "cut": 1,
    }
    assert len(found.rows) == 3
    assert found.lengths["tokens"]["longest"] == len(words("p\n" + rows[2][1] + words.eos_token)["input_ids"])
    with pytest.raises(CodeprefError, match="x: all 2 prompts are longer than max_length 60"):
        fitting(guards, rows[3:], words, max_length=60)
    assert fitting(guards, rows, words, max_length=60, drops=False).lengths["dropped"] == 0


def test_pairs_that_differ_only_behind_max_length(guards, words):
    same = "# the same\n" * 30
    rows = [("p\n", same + "x", same + "y"), ("p\n", "x\n", "y\n"), ("p\n", same + "x", same + "y")]
    found = fitting(guards, rows, words, max_length=60)
    assert found.rows["chosen"] == ["x\n"]
    assert found.warnings == ["2 of 3 pairs are left out: the answers are alike within max_length 60"]
    assert len(fitting(guards, rows, words).rows) == 3
    with pytest.raises(CodeprefError, match="the same within max_length 60 in all 2 pairs that have room"):
        fitting(guards, rows[::2], words, max_length=60)


def test_a_last_batch_of_one_row_goes(guards):
    labels = [True, False, True, True, False]
    rows = Dataset.from_dict({"label": labels, "prompt": list("abcde")})
    assert guards.whole_batches(rows, 2)["prompt"] == list("abce")
    assert guards.whole_batches(rows, 4)["prompt"] == list("abce")
    assert guards.whole_batches(rows, 3)["prompt"] == list("abcde")
    with pytest.raises(CodeprefError, match="there is one row"):
        guards.whole_batches(rows.select([0]), 2)


def changed(words, **changes):
    """A copy of the tokenizer with other properties."""
    import copy

    copied = copy.deepcopy(words)
    for name, value in changes.items():
        setattr(copied, name, value)
    return copied


def test_a_template_whose_turns_do_not_end_is_refused(guards, words):
    rows = [
        (
            [{"role": "user", "content": "p"}],
            [{"role": "assistant", "content": "c"}],
            [{"role": "assistant", "content": "d"}],
        )
    ]
    endless = changed(words, chat_template="{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}")
    with pytest.raises(
        CodeprefError, match=r"1 of 1 rows have answers that do not end with '<\|im_end\|>' \(first: x, line 1\)"
    ):
        fitting(guards, rows, endless)


def test_tokenizers_that_do_not_go_with_rows_or_model(guards, words):
    plain = [("p\n", "c\n", "d\n")]
    talk = [
        (
            [{"role": "user", "content": "p"}],
            [{"role": "assistant", "content": "c"}],
            [{"role": "assistant", "content": "d"}],
        )
    ]
    with pytest.raises(CodeprefError, match="no end token"):
        fitting(guards, plain, changed(words, eos_token=None))
    with pytest.raises(CodeprefError, match="no chat template, and the rows are messages"):
        fitting(guards, talk, changed(words, chat_template=None))
    more = changed(words)
    more.add_tokens(["<more>"])
    assert (
        fitting(guards, plain, more, vocabulary=len(words))
        .warnings[0]
        .startswith(f"the tokenizer knows {len(more)} tokens")
    )
    with pytest.raises(CodeprefError, match=r"x, line 1: token '<more>' is number \d+, the model has \d+ embeddings"):
        fitting(guards, [("p\n", "<more>\n", "d\n")], more, vocabulary=len(words))
    more.add_special_tokens({"eos_token": "<stop>"})
    with pytest.raises(CodeprefError, match="its token '<stop>' is number"):
        fitting(guards, plain, more, vocabulary=len(words))
    refusing = changed(words, chat_template="{{ raise_exception('Roles must alternate') }}")
    with pytest.raises(CodeprefError, match=r"x, line 1: .* refuses these messages \(user\): Roles must alternate"):
        fitting(guards, talk, refusing)


def test_a_thought_that_the_generation_prompt_opens_is_told(guards, words):
    thinking = words.chat_template.replace(
        "<|im_start|>assistant\n{% endif %}", "<|im_start|>assistant\n<think>\n{% endif %}"
    )
    assert thinking != words.chat_template
    rows = [
        (
            [{"role": "user", "content": "p"}],
            [{"role": "assistant", "content": "c"}],
            [{"role": "assistant", "content": "d"}],
        )
    ]
    (warning,) = fitting(guards, rows, changed(words, chat_template=thinking)).warnings
    assert warning.startswith("1 of 1 prompts end otherwise in training: what the chat template puts before an answer")
    assert "think" in warning


def test_two_tokens_of_beginning_and_none_are_told(guards, words):
    from tokenizers.processors import TemplateProcessing

    begins = changed(words, bos_token="<|im_start|>")
    number = begins.bos_token_id
    begins._tokenizer.post_processor = TemplateProcessing(
        single="<|im_start|> $A", special_tokens=[("<|im_start|>", number)]
    )
    assert begins("a")["input_ids"][0] == number
    (warning,) = fitting(guards, [("<|im_start|>p\n", "c\n", "d\n")], begins).warnings
    assert warning.startswith("1 of 1 rows begin with two tokens of beginning")
    talk = [
        (
            [{"role": "user", "content": "p"}],
            [{"role": "assistant", "content": "c"}],
            [{"role": "assistant", "content": "d"}],
        )
    ]
    assert fitting(guards, talk, begins).warnings == []
    begins.chat_template = "Q" + words.chat_template
    (warning,) = fitting(guards, talk, begins).warnings
    assert warning.startswith("1 of 1 rows begin without the token of beginning")


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
    (warning,) = fitting(guards, [("def f(x):\nx\n", "    x", "    xx")], merging).warnings
    assert warning.startswith(r"1 of 1 prompts end inside a token: their tail ('\n') merges")


def test_a_prompt_that_runs_into_the_code_is_told(guards, words):
    (warning,) = fitting(guards, [("sum a list", "def f(): ...", "x")], words).warnings
    assert warning.startswith("1 of 1 prompts run into the completion ('sum a listdef f(): ...')")
