"""Samples from a model on this machine, CPU or GPU, with transformers: for runs without a server.

Answers are written side by side with a key-value cache; one that has ended leaves, and another takes its place. Every
sample draws its tokens with random numbers of its own seed, so that its text depends neither on the order of the
requests nor on who shares its batch, as far as the model's own arithmetic goes: padding and batch size change the last
bits of the logits, and another device, `dtype` or library changes more of them, which now and then tips a token. The
same text twice is promised for what lies in the request cache, and for nothing else.

Only what `Sampling` names shapes the draw: top-k, penalties and temperatures of the model's generation_config.json do
not apply; its end-of-sequence tokens do.
"""

from codepref.generate.local.config import LocalConfig, identity
from codepref.generate.local.generator import LocalGenerator
from codepref.generate.local.model import release

__all__ = ["LocalConfig", "LocalGenerator", "identity", "release"]
