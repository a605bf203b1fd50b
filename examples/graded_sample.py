"""One answer to one problem, graded as `codepref evaluate` does, and pass@1 of several answers with its interval.

    python examples/graded_sample.py

reference: passed
nothing: failed, AssertionError
pass@1 of 20 problems, 9 right: 45.0 [25.8, 65.8]
"""

from evaluation.benchmark import Settings
from evaluation.catalogue import benchmark
from evaluation.score import pass_at_ks

tiny = benchmark("tiny")  # the tiny model's tasks lie in the package; humaneval_plus and the others come from the Hub
problem = tiny.load(None)[0]
answers = {"reference": tiny.reference(problem), "nothing": "def solve(*values):\n    return None"}
programs = [tiny.program(problem, text) for text in answers.values()]

((*verdicts,),) = tiny.grade([(problem, programs)], Settings())
for name, graded in zip(answers, verdicts, strict=True):
    print(f"{name}: {graded.verdict}{f', {graded.error}' if graded.error else ''}")

score = pass_at_ks([(1, 1)] * 9 + [(1, 0)] * 11, (1,))["pass@1"]
print(f"pass@1 of 20 problems, 9 right: {100 * score.value:.1f} [{100 * score.low:.1f}, {100 * score.high:.1f}]")
