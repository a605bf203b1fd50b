"""Builds a dataset in a folder, as `codepref build` does."""

from codepref.stages import locked_runner


def build_in(method, config, out, *, skip_bad=False, **options):
    """The manifest of `method.build`; `options` are those of `locked_runner`."""
    with locked_runner(out, **options) as runner:
        return method.build(config, runner, skip_bad=skip_bad)
