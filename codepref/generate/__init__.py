"""Produces model text: from a server, a model on this machine, a script, or generations recorded before."""

from codepref.generate.base import (
    Completion,
    GenerationError,
    Generator,
    OnDone,
    Price,
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
    "Price",
    "Request",
    "Sampling",
    "Stats",
    "check_requests",
    "sample_seed",
]
