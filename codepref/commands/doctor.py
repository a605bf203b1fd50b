"""`codepref doctor`: what this machine offers, and what to do about what is missing."""

import argparse


def add_arguments(_: argparse.ArgumentParser) -> None:
    """There are none."""


def run(_: argparse.Namespace) -> int:
    """Exit code of `codepref.doctor.main`."""
    from codepref.doctor import main

    return main()
