"""Evaluation of code models: HumanEval(+), MBPP(+), DS-1000 and BigCodeBench in one format, graded in the sandbox."""
