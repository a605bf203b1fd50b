"""One module per method. Each has a `Config` and a `build`; `codepref build METHOD` and `python -m builders.METHOD` run it."""
