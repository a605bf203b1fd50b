"""A code model small enough to train on a desk: a family of tasks, a tokenizer, a LLaMA of a million weights.

It stands in for a real model wherever the chain has to be shown whole on a CPU. It knows its own family of tasks
(`codepref.generate.tiny.tasks`) and nothing else.
"""
