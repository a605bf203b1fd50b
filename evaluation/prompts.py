"""What a model is shown and where its answer ends: the official formats, byte for byte.

EvalPlus and BigCodeBench ask a base model to go on after the prompt. A chat model gets an instruction with the prompt
in a code block; where the template can be filled in by hand, its answer is begun for it up to the opening fence.
"""

from evaluation import ds1000
from evaluation.benchmark import Asked, Problem

TASK = "Please provide a self-contained Python script that solves the following problem in a markdown code block:"
BEGIN = "Below is a Python script with a self-contained function that {what}:"
EVALPLUS_BEGIN = BEGIN.format(what="solves the problem and passes corresponding tests")
EVERYWHERE = ("<|endoftext|>", "<|endofmask|>", "</s>", "\nif __name__", "\ndef main(", "\nprint(")
AFTER_FUNCTION = ("\ndef ", "\nclass ", "\nimport ", "\nfrom ", "\nassert ")
AFTER_DOCSTRING = ('\n"""', "\nassert")
FENCE_END = "\n```\n"


def evalplus(problem: Problem, chat: bool, prefill: bool, after: tuple[str, ...]) -> Asked:
    """HumanEval(+) and MBPP(+) as EvalPlus asks them."""
    prompt = problem.prompt.strip() + "\n"
    if not chat:
        return Asked(prompt, stop=(*EVERYWHERE, *after))
    if not prefill:
        return Asked(f"{TASK}\n```python\n{prompt.strip()}\n```")
    text = f"{TASK}\n```\n{prompt.strip()}\n```\n"
    return Asked(text, f"{EVALPLUS_BEGIN}\n```python\n", stop=(*EVERYWHERE, FENCE_END))


def humaneval(problem: Problem, chat: bool, prefill: bool) -> Asked:
    """HumanEval and HumanEval+."""
    return evalplus(problem, chat, prefill, AFTER_FUNCTION)


def mbpp(problem: Problem, chat: bool, prefill: bool) -> Asked:
    """MBPP and MBPP+."""
    return evalplus(problem, chat, prefill, AFTER_DOCSTRING)


def bigcodebench(problem: Problem, chat: bool, prefill: bool, split: str) -> Asked:
    """BigCodeBench: `complete` shows a function head, `instruct` a task in words (chat models only)."""
    if not chat:
        return Asked(problem.prompt, stop=(*EVERYWHERE, *AFTER_FUNCTION))
    prompt = (problem.prompt if split == "complete" else problem.row["instruct_prompt"]).strip()
    text = f"{TASK}\n```\n{prompt}\n```\n" if split == "complete" else f"{TASK}\n{prompt}\n"
    if not prefill:
        return Asked(text)
    return Asked(text, f"{EVALPLUS_BEGIN}\n```python\n", stop=(*EVERYWHERE, FENCE_END))


def data_science(problem: Problem, chat: bool, prefill: bool) -> Asked:
    """DS-1000 as upstream asks: the prompt as it is, with a system text for chat models."""
    return Asked(problem.prompt, system=ds1000.SYSTEM if chat else None, stop=("</code>", "# SOLUTION END"))
