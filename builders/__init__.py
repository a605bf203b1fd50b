"""One module per method, each with a `Config` and a `build`; `codepref build METHOD` runs it."""
