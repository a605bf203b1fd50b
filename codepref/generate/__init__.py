"""Produces model text: from a server, from a script, or from generations recorded before."""

from codepref.generate.base import (
    Completion,
    GenerationError,
    Generator,
    OnDone,
    Request,
    Sampling,
    Stats,
    check_requests,
    sample_seed,
)

__all__ = [
    "Completion",
    "GenerationError",
    "Generator",
    "OnDone",
    "Request",
    "Sampling",
    "Stats",
    "check_requests",
    "sample_seed",
]
