import pytest

from codepref import extract
from codepref.generate import GenerationError, Request, Sampling
from codepref.generate.cache import Cache
from codepref.generate.tiny import text
from codepref.generate.tiny.backend import TinyConfig, TinyGenerator, model_prompt
from codepref.generate.tiny.tasks import NotOfTheFamily, tasks

TASKS = tasks("build", 6, 0)
ASKED = "Solve this.\n\n{}\n\nAnswer with one program in a single ```python block."


@pytest.fixture
def cache(tmp_path):
    with Cache(tmp_path / "requests.sqlite") as found:
        yield found


def requests(purpose="code", n=3):
    return [Request(task.task_id, purpose, ASKED.format(task.prompt), n=n) for task in TASKS]


def generator(cache, **settings):
    return TinyGenerator(TinyConfig(**settings), Sampling(temperature=0.8), cache)


def test_programs_and_tests_come_out(cache):
    codes = generator(cache).generate(requests())
    tests = generator(cache).generate(requests("test"))
    programs = [extract.code(c.text, TASKS[0].prompt, "solve") for row in codes for c in row]
    assert sum(isinstance(program, str) for program in programs) >= 15
    found = [extract.tests(c.text, "solve")[0] for row in tests for c in row]
    assert sum(len(some) == 1 for some in found) >= 15
    assert [len(row) for row in codes] == [3] * 6


def test_nothing_is_drawn_twice_and_everything_is_counted(cache):
    first, second, done = generator(cache), generator(cache), []
    texts = first.generate(requests())
    again = second.generate(requests(n=4), lambda request, answers: done.append((request.prompt_id, len(answers))))
    assert [[c.text for c in row] for row in texts] == [[c.text for c in row[:3]] for row in again]
    assert (first.stats.answers, first.stats.cached) == (18, 0)
    assert (second.stats.answers, second.stats.cached) == (6, 18)
    assert sorted(done) == sorted((task.task_id, 4) for task in TASKS)
    assert first.stats.completion_tokens == sum(c.completion_tokens for row in texts for c in row) > 18


def test_a_text_does_not_depend_on_what_else_is_asked(cache, tmp_path):
    whole = generator(cache).generate(requests())
    with Cache(tmp_path / "other.sqlite") as other:
        alone = generator(other, threads=1).generate(requests()[4:5])
    assert [(c.text, c.seed) for c in alone[0]] == [(c.text, c.seed) for c in whole[4]]


def test_tests_are_drawn_cooler(cache):
    model = generator(cache)
    assert model.sampling_of(requests("test")[0]).temperature == 0.4
    assert model.sampling_of(requests("code")[0]).temperature == 0.8
    assert generator(cache, test_temperature=None).sampling_of(requests("test")[0]).temperature == 0.8


def test_an_answer_may_hold_several_tests(cache):
    answers = generator(cache, tests_per_answer=3).generate(requests("test", n=1))
    assert [answer.text.count("assert solve(") for row in answers for answer in row] == [3] * 6


def test_what_the_model_reads():
    task = TASKS[0]
    program = "def solve(nums):\n    return nums\n"
    asked = (
        f"Wrong.\n\n{task.prompt}\n\n```python\n{program}```\n\nThis one fails:\n\nassert solve([1]) == []\n\ngot [1]"
    )
    assert model_prompt(Request("p", "code", ASKED.format(task.prompt))) == task.prompt
    assert model_prompt(Request("p", "test", ASKED.format(task.prompt))) == task.prompt + text.TEST
    assert model_prompt(Request("p", "refine1", asked)) == (
        f"{task.prompt}<|code|>{program}<|fail|>assert solve([1]) == []<|fix|>"
    )
    assert model_prompt(Request("p", "refine2", ASKED.format(task.prompt))) == task.prompt
    assert model_prompt(Request("p", "vote", ASKED.format(task.prompt))) == task.prompt
    assert model_prompt(Request("p", "repair", ASKED.format(task.prompt))) == task.prompt + text.TEST


def test_what_it_was_never_taught_is_said_in_one_line(cache):
    foreign = Request("p7", "code", "Write a function that reverses a string.")
    with pytest.raises(NotOfTheFamily, match="prompt 'p7': the tiny model only knows its own family") as caught:
        generator(cache).generate([*requests(), foreign])
    assert "\n" not in str(caught.value)
    assert generator(cache).generate(requests())[0][0].cached is False, "nothing was drawn before the complaint"
    with pytest.raises(GenerationError, match="was asked for 'judge'"):
        generator(cache).generate([Request("p", "judge", TASKS[0].prompt)])


def test_a_missing_checkpoint_is_said_in_one_line(cache, tmp_path):
    with pytest.raises(GenerationError, match=r"no checkpoint.*codepref tiny train"):
        generator(cache, checkpoint=str(tmp_path))


def test_generation_ends_before_a_stop_text(cache):
    model = TinyGenerator(TinyConfig(), Sampling(temperature=0, stop=("return",)), cache)
    answer = model.generate(requests(n=1)[:1])[0][0]
    assert answer.text.startswith("def solve(nums):") and "return" not in answer.text
    assert answer.finish_reason == "stop"
