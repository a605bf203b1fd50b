import json

import pytest

from codepref.generate import GenerationError, Request, sample_seed
from codepref.generate.scripted import ScriptedGenerator, read_script

SCRIPT = {("p", "code"): ["a", "b", "c"], ("p", "test"): ["t"]}


def test_answers_by_index_in_request_order():
    done = []
    generator = ScriptedGenerator(SCRIPT, run_seed=3)
    results = generator.generate(
        [Request("p", "test", "?"), Request("p", "code", "?", n=3)],
        lambda request, answers: done.append((request.purpose, len(answers))),
    )
    assert [[c.text for c in answers] for answers in results] == [["t"], ["a", "b", "c"]]
    assert [c.seed for c in results[1]] == [sample_seed(3, "p", "code", i) for i in range(3)]
    assert done == [("test", 1), ("code", 3)]
    assert generator.name == "scripted"
    assert generator.stats.answers == 4


def test_answers_by_seed_give_any_number_and_change_with_the_run():
    def texts(run_seed: int) -> list[str]:
        generator = ScriptedGenerator(SCRIPT, run_seed=run_seed, choose="seed")
        return [c.text for c in generator.generate([Request("p", "code", "?", n=50)])[0]]

    assert texts(0) == texts(0) != texts(1)
    assert set(texts(0)) == {"a", "b", "c"}


def test_a_function_answers():
    generator = ScriptedGenerator(lambda request, index, seed: f"{request.prompt}{index}")
    assert [c.text for c in generator.generate([Request("p", "code", "x", n=2)])[0]] == ["x0", "x1"]


def test_missing_answers_are_named():
    generator = ScriptedGenerator(SCRIPT)
    with pytest.raises(GenerationError, match="no entry for prompt_id 'q', purpose 'code'"):
        generator.generate([Request("q", "code", "?")])
    with pytest.raises(GenerationError, match=r"3 answers for prompt_id 'p'.*5 samples"):
        generator.generate([Request("p", "code", "?", n=5)])


def test_script_file(tmp_path):
    path = tmp_path / "script.jsonl"
    lines = [{"prompt_id": p, "purpose": k, "answers": a} for (p, k), a in SCRIPT.items()]
    path.write_text("\n\n".join(map(json.dumps, lines)) + "\n")
    assert read_script(path) == SCRIPT


GOOD = '{"prompt_id": "p", "purpose": "code", "answers": ["a"]}'


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not usable JSON"),
        ("[]", "the line is a list"),
        ('{"prompt_id": "q", "purpose": "code"}', "exactly the keys"),
        ('{"prompt_id": 1, "purpose": "code", "answers": ["a"]}', "must be strings"),
        ('{"prompt_id": "q", "purpose": "code", "answers": []}', "at least one string"),
        ('{"prompt_id": "q", "purpose": "code", "answers": [1]}', "at least one string"),
        (GOOD, "second entry"),
    ],
)
def test_bad_script_lines_are_named(tmp_path, line, problem):
    path = tmp_path / "script.jsonl"
    path.write_text(f"{GOOD}\n{line}\n")
    with pytest.raises(GenerationError, match=rf"script.jsonl:2: .*{problem}"):
        read_script(path)


def test_unreadable_script_files(tmp_path):
    (tmp_path / "latin").write_bytes(b"\xff\xfe")
    for name in ("latin", "absent", "."):
        with pytest.raises(GenerationError, match=r"No such file|not UTF-8 text|Is a directory"):
            read_script(tmp_path / name)
