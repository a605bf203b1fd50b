"""What every method walks through, in order: source, seeds, ask, matrix, gates, decontaminate, ranking, scoring.

`dry_run` and `estimate` say beforehand what it costs. Nothing here knows a method.
"""
