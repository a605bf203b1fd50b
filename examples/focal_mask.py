"""Where focal training looks: the place where two programs differ, as a mask over a tokenizer's tokens.

    python examples/focal_mask.py       # needs tokenizers, which comes with codepref[train]

line: 6 of 20 tokens count: ['\\n    ', 'total ', '= ', 'a ', '-', ' b']
token: 1 of 20 tokens count: ['-']
"""

from pathlib import Path

from tokenizers import Tokenizer

import codepref.generate.tiny
from builders.codeflow.spans import located
from codepref.focus import token_mask

rejected = "def add(a, b):\n    total = a - b\n    return total\n"
chosen = "def add(a, b):\n    total = a + b\n    return total\n"

checkpoint = Path(codepref.generate.tiny.__file__).parent / "checkpoint"
encoding = Tokenizer.from_file(str(checkpoint / "tokenizer.json")).encode(rejected)  # any fast tokenizer will do
for focus in ("line", "token"):
    spans = located(focus, chosen, rejected).rejected
    mask = token_mask(encoding.offsets, spans)
    counted = [rejected[first:last] for (first, last), on in zip(encoding.offsets, mask, strict=True) if on]
    print(f"{focus}: {sum(mask)} of {len(mask)} tokens count: {counted}")
