import json

import pytest

from builders.chain import ask
from codepref import config
from codepref.errors import CodeprefError
from codepref.generate import Sampling
from codepref.generate.cache import Cache
from codepref.generate.local import LocalConfig, LocalGenerator
from codepref.generate.recorded import RecordingError
from codepref.records import Samples, from_table
from codepref.stages import Runner
from codepref.store import Store

from generate.tiny_model import make_model  # isort: skip

LINE = {"prompt_id": "b", "prompt": "p", "entry_point": "f", "codes": ["def f(): pass"], "tests": ["assert f()"]}


def write(path, *lines):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def rows(stage):
    return [row for index in range(len(stage.shards())) for row in from_table(stage.read(index), Samples)]


@pytest.fixture
def runner(tmp_path):
    return Runner(Store(tmp_path / "run"), quiet=True)


def test_recordings_come_in_order_of_their_ids(tmp_path, runner):
    path = write(tmp_path / "g.jsonl", LINE, {**LINE, "prompt_id": "a", "generator": "m"}, {**LINE, "prompt_id": "c"})
    stage = ask.recorded_stage(runner, path, 2, skip_bad=False)
    assert [row.prompt_id for row in rows(stage)] == ["a", "b", "c"]
    assert [stage.rows(0), stage.rows(1)] == [2, 1]
    assert [row.generator for row in rows(stage)] == ["m", None, None]
    assert rows(stage)[0].codes[0].text == "def f(): pass"


def test_bad_lines_stop_everything_or_are_counted(tmp_path, runner):
    path = write(tmp_path / "g.jsonl", LINE, {"prompt_id": "x"})
    with pytest.raises(RecordingError, match=r"g\.jsonl:2: "):
        ask.recorded_stage(runner, path, 2, skip_bad=False)
    assert not (runner.store.root / "stages").exists()
    stage = ask.recorded_stage(runner, path, 2, skip_bad=True)
    assert [(item.kind, item.rule, item.item) for item in stage.excluded()] == [("line", "bad line", 2)]
    assert len(rows(stage)) == 1


PROMPTS = [{"prompt_id": name, "prompt": f"Write {name}.", "entry_point": name} for name in ("g", "f")]


def generation(tmp_path, **changes):
    script = [
        {
            "prompt_id": row["prompt_id"],
            "purpose": purpose,
            "answers": [f"{purpose} {row['prompt_id']} {n}" for n in range(9)],
        }
        for row in PROMPTS
        for purpose in ("code", "test")
    ]
    return ask.Generation(script=write(tmp_path / "script.jsonl", *script), sampling=Sampling(), **changes)


def generated(runner, path, asked, codes=1, tests=1, seed=0, shard_size=9):
    source = ask.prompt_stage(runner, path, shard_size)
    return ask.generated_stage(runner, source, asked, codes=codes, tests=tests, seed=seed)


def test_generated_samples_have_their_seeds(tmp_path, runner):
    path = write(tmp_path / "prompts.jsonl", *PROMPTS)
    stage = generated(runner, path, generation(tmp_path), 3, 2, 7, 1)
    found = rows(stage)
    assert [row.prompt_id for row in found] == ["f", "g"]
    assert [(len(row.codes), len(row.tests)) for row in found] == [(3, 2), (3, 2)]
    seeds = [sample.seed for row in found for sample in (*row.codes, *row.tests)]
    assert len(set(seeds)) == len(seeds) == 10
    assert all(row.generator == "scripted" for row in found)
    again = generated(Runner(Store(tmp_path / "other"), quiet=True), path, generation(tmp_path), 3, 2, 7, 1)
    assert again.read(0).equals(stage.read(0))


def test_a_changed_template_is_another_stage(tmp_path, runner):
    path = write(tmp_path / "prompts.jsonl", *PROMPTS)
    template = tmp_path / "mine.jinja"
    keys = set()
    for text in ("One {{ prompt }}", "Two {{ prompt }}"):
        template.write_text(text)
        asked = generation(tmp_path, code_template=str(template))
        keys.add(generated(runner, path, asked).key)
    assert len(keys) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Write {{ promt }}", r"mine\.jinja: 'promt' is undefined; known names: prompt_id, prompt, entry_point"),
        ("One\n{% if %}", r"mine\.jinja:2: .*; known names: prompt_id"),
        (None, r"mine\.jinja: No such file or directory; name a template file"),
    ],
)
def test_bad_templates_are_named(tmp_path, runner, text, message):
    template = tmp_path / "mine.jinja"
    if text is not None:
        template.write_text(text)
    path = write(tmp_path / "prompts.jsonl", *PROMPTS)
    with pytest.raises(CodeprefError, match=message):
        generated(runner, path, generation(tmp_path, code_template=str(template)))
    with pytest.raises(CodeprefError, match=message):
        ask.render_prompt(template, dict.fromkeys(("prompt_id", "prompt", "entry_point"), ""))


def test_templates_know_the_prompt():
    values = {"prompt": "Write f.\n", "entry_point": "f", "prompt_id": "x"}
    for name in ("code.jinja", "test.jinja"):
        text = ask.render_prompt(ask.TEMPLATES / name, values)
        assert "Write f." in text
        assert "`f`" in text
        assert "{" not in text
        assert text == text.strip()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"prompts\.jsonl:2: not JSON"),
        ('{"prompt_id": "z", "prompt": "p"}', r"prompts\.jsonl:2: missing key 'entry_point'; for programs that read"),
        ('{"prompt_id": "z", "prompt": "p", "tests": ["assert f()"]}', r"prompts\.jsonl:2: missing key 'entry_point'"),
        (
            '{"prompt_id": "z", "prompt": "p", "tests": [{"output": ""}]}',
            r"prompts\.jsonl:2: tests\[0\]: a test has no",
        ),
        (
            '{"prompt_id": "z", "prompt": "p", "entry_point": "f", "examples": ["f(1) is 2"]}',
            r"prompts\.jsonl:2: examples\[0\] is no test: no assert .*; write an assert on f, or leave it out",
        ),
        ('{"prompt_id": "z"}', r"prompts\.jsonl:2: missing key 'prompt'; every line needs"),
        ("[1]", r"prompts\.jsonl:2: the line is a list"),
        (json.dumps(PROMPTS[0]), "already on line 1"),
    ],
)
def test_bad_prompts_are_named(tmp_path, runner, line, message):
    path = tmp_path / "prompts.jsonl"
    path.write_text(json.dumps(PROMPTS[0]) + "\n" + line + "\n")
    with pytest.raises(CodeprefError, match=message):
        ask.prompt_stage(runner, str(path), 9)


def test_prompts_for_programs_have_no_entry_point(tmp_path, runner):
    test = {"output": "3", "input": "1 2"}
    lines = [
        {"prompt_id": "a", "prompt": "p", "entry_point": None},
        {"prompt_id": "b", "prompt": "p", "tests": [test, json.dumps(test)]},
        {"prompt_id": "c", "prompt": "p", "entry_point": None, "tests": ["Input: ..."]},
    ]
    found = rows(ask.prompt_stage(runner, write(tmp_path / "prompts.jsonl", *lines), 9))
    assert [row.entry_point for row in found] == ["", "", ""]
    assert [sample.text for sample in found[1].tests] == ['{"input": "1 2", "output": "3"}'] * 2


@pytest.mark.parametrize("name", ["code.jinja", "test.jinja", "code_and_test.jinja"])
def test_templates_ask_for_programs_where_there_is_no_entry_point(name):
    values = {"prompt": "Add two numbers.\n", "entry_point": "", "prompt_id": "x"}
    text = ask.render_prompt(ask.TEMPLATES / name, values)
    assert "Add two numbers." in text
    assert "standard input" in text
    assert "assert" not in text
    assert "``" not in text.replace("```", "")


def test_a_run_goes_on_with_another_shard_size(tmp_path, runner):
    """Shards of a run that was killed are not mixed with shards of another size."""
    path = write(tmp_path / "prompts.jsonl", *PROMPTS)
    stage = ask.prompt_stage(runner, path, 2)
    (stage.path / "done.json").unlink()
    again = ask.prompt_stage(runner, path, 1)
    assert [row.prompt_id for row in rows(again)] == ["f", "g"]


def test_a_generation_needs_a_model(tmp_path, runner):
    path = write(tmp_path / "prompts.jsonl", *PROMPTS)
    with pytest.raises(CodeprefError, match="needs either 'server'"):
        generated(runner, path, ask.Generation())


def test_samples_of_a_model_on_this_machine(tmp_path, runner):
    model = make_model(tmp_path / "model")
    sampling = Sampling(temperature=1.0, max_tokens=8)
    asked = config.load(
        ask.Generation, overrides=[f"local.model={model}", "sampling.temperature=1.0", "sampling.max_tokens=8"]
    )
    path = write(tmp_path / "prompts.jsonl", *PROMPTS)
    stage = generated(runner, path, asked, 2, 1)
    assert [(len(row.codes), len(row.tests), row.generator) for row in rows(stage)] == [(2, 1, "model")] * 2
    with Cache(runner.store.root / "requests.sqlite") as cache:
        again = LocalGenerator(LocalConfig(model), sampling, cache)
        prompt = ask.requests_of(rows(stage)[0], ask.sample_questions(asked, 2, 1))[0]
        assert [c.text for c in again.generate([prompt])[0]] == [sample.text for sample in rows(stage)[0].codes]
        assert again.stats.answers == 0
    make_model(tmp_path / "model", seed=1)
    assert generated(runner, path, asked, 2, 1).key != stage.key


def test_keys_of_a_local_model_are_strict():
    with pytest.raises(CodeprefError, match=r"unknown key 'local\.batchsize'; did you mean 'local\.batch_size'"):
        config.load(ask.Generation, overrides=["local.batchsize=3"])
    with pytest.raises(CodeprefError, match="batch_size must be 1 or more"):
        config.load(ask.Generation, overrides=["local.batch_size=0", "local.model=m"])


def test_prompts_may_bring_tests(tmp_path, runner):
    line = {"prompt_id": "p", "prompt": "Write f.", "entry_point": "f", "tests": ["assert f(1)", "assert f(2)"]}
    (row,) = rows(ask.prompt_stage(runner, write(tmp_path / "p.jsonl", line), 2))
    assert [test.text for test in row.tests] == line["tests"]
    assert row.examples == ()
    (row,) = rows(ask.prompt_stage(runner, write(tmp_path / "e.jsonl", {**line, "examples": ["assert f(3)"]}), 2))
    assert row.examples == ("assert f(3)",)
    path = write(tmp_path / "q.jsonl", {**line, "tests": "assert f(1)"})
    with pytest.raises(CodeprefError, match=r"q\.jsonl:1: tests is a string; write a list of texts"):
        ask.prompt_stage(runner, path, 2)
