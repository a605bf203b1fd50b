import json
import re
from dataclasses import replace

import pytest
from building import build_in

from builders.chain import dry_run
from builders.chain.ask import Generation
from builders.chain.estimate import STAGES_CPU_S, Rates, estimate_build, measured_rates
from builders.codedpo import method as codedpo
from builders.codeflow import method as codeflow
from builders.codeflow.dry_run import TESTS_AN_ANSWER
from builders.dstc import method as dstc
from codepref import cli
from codepref.errors import CodeprefError
from codepref.generate import Price
from codepref.generate.server import ServerConfig
from codepref.sandbox import Limits

from builders_recordings import write  # isort: skip

RATES = Rates(0.001, 0.0005, "given by this test")


def figures(text):
    """Name -> what stands behind it, of the upper part."""
    lines = text.split("judged by")[0].splitlines()[1:]
    return {line[:18].strip(): line[18:] for line in lines}


def number(text):
    return float(re.match(r"[\d,.]+", text)[0].replace(",", ""))


@pytest.fixture
def asked(tmp_path):
    """CodeDPO for three prompts, one with a text of its own length."""
    path = tmp_path / "prompts.jsonl"
    words = (
        "the sum of all odd numbers",
        "how often a word occurs in a text",
        "the day after a date, leap years minded",
    )
    rows = [{"prompt_id": text[:9], "prompt": f"Write f: {text}.", "entry_point": "f"} for text in words]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    generation = Generation(server=ServerConfig(model="m", base_url="http://127.0.0.1:9"))
    return codedpo.Config(prompts=str(path), generation=generation, codes_per_prompt=4, tests_per_prompt=3)


def test_a_thousand_times_the_prompts_is_a_thousand_times_the_plan(asked):
    planned = codedpo.plan(asked)
    assert planned.prompts == 3
    found = figures(estimate_build(planned, 3_000, asked, rates=RATES))
    whole = dry_run.total(planned.works)
    assert number(found["requests"]) == 1_000 * whole.requests
    assert number(found["prompt tokens"]) == 1_000 * whole.prompt_tokens
    assert number(found["completion tokens"]) == 1_000 * whole.completion_tokens == 3_000 * (4 * 250 + 3 * 200)
    assert f"at most {1_000 * whole.most:,}" in found["completion tokens"]
    assert number(found["executions"]) == 3_000 * 3 * 5
    assert number(found["shards"]) == 94
    seconds = 45_000 * 0.001 + 3_000 * (7 * 0.0005 + STAGES_CPU_S)
    assert number(found["CPU-hours"]) == round(seconds / 3600, 1)
    assert number(found["GPU-hours"]) == round(3_000 * 1_600 / 2500 / 3600, 1)
    assert found["money"].startswith("not known; --set 'generation.price_per_million=")


def test_price_gpu_and_efficiency_are_those_of_the_configuration(asked):
    generation = replace(asked.generation, price_per_million=Price(0.5, 2.0), gpu_tokens_per_second=100.0)
    config = replace(asked, generation=generation, efficiency=replace(asked.efficiency, enabled=True))
    planned = codedpo.plan(config)
    text = estimate_build(planned, 30_000, config, rates=RATES)
    found = figures(text)
    whole = dry_run.total(planned.works)
    usual = 10_000 * (whole.prompt_tokens * 0.5 + whole.completion_tokens * 2.0) / 1e6
    assert number(found["money"]) == round(usual, 2)
    assert found["money"].endswith("at 0.5 / 2 a million tokens")
    assert number(found["GPU-hours"]) == round(30_000 * 1_600 / 100 / 3600, 1)
    assert number(found["executions"]) == 10_000 * (planned.executions + planned.more)
    assert planned.more > 0
    assert "besides: at most" in text


def test_recorded_samples_ask_nothing(tmp_path):
    path = write(tmp_path / "generations.jsonl")
    for method in (codedpo, dstc):
        config = method.Config(generations=str(path), limits=Limits(cpu_s=0.3))
        planned = method.plan(config)
        found = figures(estimate_build(planned, 10 * planned.prompts, config, rates=RATES))
        assert found["requests"].startswith("0 ")
        assert found["money"].startswith("0 ")
        assert number(found["executions"]) == 10 * planned.cells
        assert "GPU-hours" not in found


def test_codeflow_counts_runs_on_each_test(asked):
    config = codeflow.Config(prompts=asked.prompts, generation=asked.generation, tests_per_prompt=2, rounds=3)
    planned = codeflow.plan(config)
    assert planned.cells == 3 * 4 * 2 * TESTS_AN_ANSWER
    found = figures(estimate_build(planned, 3_000_000, config, rates=RATES))
    assert number(found["executions"]) == 1e6 * planned.cells
    assert "fewer are quicker: --set shard_size=256" in found["shards"]


def test_bytes_a_prompt_of_a_finished_run(tmp_path):
    path = write(tmp_path / "generations.jsonl")
    config = codedpo.Config(generations=str(path), limits=Limits(cpu_s=0.3))
    planned = codedpo.plan(config)
    run = tmp_path / "run"
    assert "as in the quickstart" in estimate_build(planned, 100, config, run, RATES)
    build_in(codedpo, config, run, quiet=True)
    prompts = next(
        s["rows_in"] for s in json.loads((run / "manifest.json").read_text())["stages"] if s["stage"] == "candidates"
    )
    size = sum(item.stat().st_size for item in run.rglob("*") if item.is_file())
    assert f"{size / prompts:,.0f} bytes a prompt, measured from {run}" in estimate_build(
        planned, 100, config, run, RATES
    )


def test_rates_are_measured_here():
    rates = measured_rates(Limits(cpu_s=0.05))
    assert 1e-5 < rates.cell_s < 0.1
    assert 1e-5 < rates.sample_s < 0.1
    assert re.fullmatch(r"measured here and now: 3,472 of the quickstart, \d+ of them endless", rates.words)


def test_what_can_not_be_judged_by(tmp_path, asked, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CodeprefError, match=f"{empty}: not the folder of a finished build.*omit --out"):
        estimate_build(codedpo.plan(asked), 10, asked, empty, RATES)
    gated = replace(asked, prompts=str(tmp_path / "none.jsonl"))
    (tmp_path / "none.jsonl").write_text('{"prompt_id": "a", "prompt": "Write it.", "entry_point": "f"}\n')
    with pytest.raises(CodeprefError, match="no prompt of the input gets past the gates"):
        estimate_build(codedpo.plan(gated), 10, gated, rates=RATES)
    with pytest.raises(SystemExit):
        cli.main(["build", "codedpo", "--estimate", "0"])
    assert "--estimate" in capsys.readouterr().err
    assert cli.main(["build", "codedpo", "--estimate", "10"]) == 2
    assert "give either generations=FILE" in capsys.readouterr().err


def test_the_command_prints_it_and_leaves_nothing(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "generations.jsonl")
    words = ["build", "codedpo", "--set", f"generations={path}", "--set", "limits.cpu_s=0.05"]
    assert cli.main([*words, "--estimate", "1000000"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("estimate for 1,000,000 prompts; nothing was asked or written\nrequests ")
    assert number(figures(text)["CPU-hours"]) > 0
    assert [item.name for item in tmp_path.iterdir()] == ["generations.jsonl"]
