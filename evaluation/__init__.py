"""Evaluation of code models on public benchmarks, in one format, graded in the sandbox."""
