"""Seeded lots: draws that depend on a seed and a name alone, so that no order of work and no machine changes them."""

import hashlib


def lot(*parts: str | int) -> bytes:
    """32 bytes that look random, the same for the same parts everywhere; of items, the one with the least is drawn."""
    return hashlib.sha256(":".join(map(str, parts)).encode()).digest()


def fraction(*parts: str | int) -> float:
    """A number in [0, 1)."""
    return int.from_bytes(lot(*parts)[:6], "big") / (1 << 48)


def index(count: int, *parts: str | int) -> int:
    """A number from 0 to `count` - 1."""
    return int.from_bytes(lot(*parts)[:8], "big") % count
