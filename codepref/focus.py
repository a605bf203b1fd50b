"""Which tokens of a text carry the loss, from character spans: the bridge from a dataset's spans to any fast tokenizer.

One rule: a token counts if it shares at least one character with a span. What follows from it:

- A token that straddles the border of a span counts. Spans of changed lines stop before the line break, so a token that
  holds a line break and the next line's indentation counts where it leads into a changed line, not where it leads out
  of one. A line break alone never counts; glued to the last character of a changed line it does.
- Tokens without characters never count: special tokens that a post-processor adds have the offsets (0, 0), the
  end-of-sequence token among them. So the end of a rejected text is never what is unlearnt.
- Special tokens that stand in the text, as those of a chat template, have characters, but no span holds them.
- Byte-fallback tokens repeat the offsets of one character; they count together or not at all.

Offsets must be those of the text as it was tokenised: a byte-level post-processor with `trim_offsets` leaves the
indentation of a line out of them, and those tokens would not count.
"""

from collections.abc import Sequence

import numpy as np


def token_mask(offsets: Sequence[tuple[int, int]], spans: Sequence[Sequence[int]], start: int = 0) -> list[int]:
    """1 for every token that counts, 0 for the others.

    Args:
        offsets: (first, last + 1) of every token: a fast tokenizer's offset mapping of the whole tokenised text, in
            code points.
        spans: [first, last + 1) in code points of the completion, in any order. An empty one marks nothing.
        start: Where the completion begins in the tokenised text (after a prompt, a chat template, a fence).

    Returns:
        One 0 or 1 a token.

    Raises:
        ValueError: a span begins before the completion, or ends before it begins.
    """
    edges = np.asarray(offsets, np.int64).reshape(-1, 2)
    size = max([edges.max(initial=0), *(start + span[1] for span in spans)])
    covered = np.zeros(size + 1, np.int64)
    for first, last in spans:
        if not 0 <= first <= last:
            raise ValueError(f"span [{first}, {last}): expected 0 <= first <= last")
        covered[start + first + 1 : start + last + 1] = 1
    before = covered.cumsum()  # characters of spans before each place
    mask: list[int] = (before[edges[:, 1]] > before[edges[:, 0]]).astype(int).tolist()
    return mask
