"""DS-1000 (Lai et al. 2022, arXiv:2211.11501): data science problems in seven libraries, simplified format of 2024.

A program is a completion that the problem's own test code executes; the test runs beside it (`official`). The versions
that upstream pins are in environments/ds1000.txt.
"""

from collections.abc import Iterator
from pathlib import Path

from codepref.extract import spoken
from evaluation.benchmark import Asked, Benchmark, Graded, Problem, Settings, Work, located_rows, require
from evaluation.grade import official

_NETWORK = (519, 539, 565, 566, 567, 577, 598, 624, 629, 650, 654, 655, 656, 661, 819)
EXCUSED = {str(number): "loads a data set from the network" for number in _NETWORK}
"""References that pass only with a network, which the sandbox does not have."""
PRELOAD = ("numpy", "pandas", "scipy", "scipy.stats", "sklearn", "matplotlib.pyplot", "seaborn", "statsmodels.api")
SYSTEM = (
    "Write a short code following the given format and indentation. Place the executable code between <code> and "
    "</code> tags, without any other non-executable things."
)


def load(path: Path | None) -> list[Problem]:
    """The problems, in the order of the file."""
    problems = []
    for where, row in located_rows("ds1000", path):
        require(row, ("prompt", "reference_code", "metadata", "code_context"), where)
        facts = row["metadata"]
        data = {"code_context": row["code_context"], "kind": facts.get("perturbation_type", "")}
        task_id, library = str(facts["problem_id"]), facts["library"]
        problems.append(Problem(task_id, row["prompt"], row["reference_code"], groups=(library,), row=data))
    return problems


def program(problem: Problem, text: str) -> str:
    """The code in an answer, by the official rules; marked thoughts go first."""
    text = spoken(text) or ""
    text = text.split("</code>", maxsplit=1)[0].replace("```python", "").split("```")[0]
    return text.split("\nEND SOLUTION")[0].replace("<code>", "")


def parts(problem: Problem, code: str) -> tuple[str, str]:
    """The problem's test code with the answer as a text, and the calls that judge it."""
    context = problem.row["code_context"]
    calls = "test_execution(code)" + ("\ntest_string(code)" if "test_string(" in context else "")
    return f"{context}\n{_GUARDED}\ncode = {code!r}\n", calls


_GUARDED = (
    official.GUARD
    + """
if "exec_test" in globals():
    def exec_test(*values, _test=exec_test):
        for value in values[:1]:
            _refuse(value)
        return _test(*values)
"""
)
SUITE = official.Suite(PRELOAD, 120.0, 240.0, 8192, parts)


def grade(work: Work, settings: Settings) -> Iterator[list[Graded]]:
    """Verdicts on programs, problem by problem, in order."""
    return official.grade_official(SUITE, work, settings)


def reference(problem: Problem) -> str:
    """The data set's own solution."""
    return problem.reference


def question(problem: Problem, chat: bool, prefill: bool) -> Asked:
    """What a model is shown, as upstream asks: the prompt as it is, with a system text for chat models."""
    return Asked(problem.prompt, system=SYSTEM if chat else None, stop=("</code>", "# SOLUTION END"))


DS1000 = Benchmark(
    name="ds1000",
    paper="arXiv:2211.11501",
    load=load,
    program=program,
    reference=reference,
    grade=grade,
    ask=question,
    max_tokens=1024,
    environment="ds1000",
    excused=EXCUSED,
    bare=True,
    framed=True,
)
BENCHMARKS = (DS1000,)
