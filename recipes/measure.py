"""Rows as the trainer will see them, before there is a model: tokens, boundaries, ends, and what can be learnt.

The texts are tokenised here as TRL's trainers do it (prompt alone, prompt with answer, cut where the two part), in
batches, and forgotten again; a few numbers a row are kept.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import jinja2
import numpy as np
from datasets import Dataset
from transformers import PreTrainedTokenizerBase
from trl.data_utils import common_prefix_length

from codepref.errors import CodeprefError

BATCH = 128


@dataclass(frozen=True)
class Sizes:
    """How many tokens the rows have that are trained on, `max_length` kept."""

    prompts: np.ndarray
    """Of the prompt, (rows,)."""
    whole: np.ndarray
    """Of the prompt with each answer, (rows, sides)."""
    shared: np.ndarray
    """That all sides begin with, (rows,)."""


@dataclass
class Measured:
    """Numbers of each row, and how many rows were found to have what, with an example of each finding."""

    prompts: np.ndarray
    """Tokens of the prompt, (rows,)."""
    answers: np.ndarray
    """Tokens of the answers, (rows, sides)."""
    shared: np.ndarray
    """Tokens that all sides begin with, the prompt's among them, (rows,)."""
    alike: np.ndarray
    """Both answers are the same tokens as far as they are trained on, (rows,)."""
    counts: Counter[str] = field(default_factory=Counter)
    """`tail`: the prompt loses tokens to the answer. `glued`: it runs into the answer. `endless`: an answer without end
    token. `twice`: two tokens of beginning. `bare`: messages without the one that plain text gets."""
    first: dict[str, str] = field(default_factory=dict)

    def note(self, finding: str, example: str) -> None:
        """Counts a row with a finding."""
        self.counts[finding] += 1
        self.first.setdefault(finding, example)

    def sizes(self, rows: np.ndarray, max_length: int | None) -> Sizes:
        """Of the rows that are kept."""
        whole = (self.prompts[:, None] + self.answers)[rows]
        most = max_length or max(1, int(whole.max()))
        return Sizes(*(np.minimum(found, most) for found in (self.prompts[rows], whole, self.shared[rows])))


def check_tokenizer(tokenizer: PreTrainedTokenizerBase, messages: bool, vocabulary: int) -> list[str]:
    """Warnings about a tokenizer.

    Args:
        tokenizer: The model's.
        messages: The rows are messages.
        vocabulary: Rows of the model's embedding.

    Raises:
        CodeprefError: it has no end token or, for messages, no chat template; or its end token has no embedding.
    """
    name = tokenizer.name_or_path
    if tokenizer.eos_token_id is None:
        raise CodeprefError(
            f"{name}: the tokenizer has no end token (eos_token), so a model trained with it would not stop; set one "
            "in tokenizer_config.json, such as the token that ends a turn"
        )
    if messages and not tokenizer.chat_template:
        raise CodeprefError(
            f"{name}: the tokenizer has no chat template, and the rows are messages; train its instruct variant, or "
            'give plain rows with prompt_template: "{prompt}\\n" and without chat'
        )
    special = {tokenizer.eos_token: tokenizer.eos_token_id, tokenizer.pad_token: tokenizer.pad_token_id}
    beyond = {token: number for token, number in special.items() if number is not None and number >= vocabulary}
    if beyond:
        token, number = next(iter(beyond.items()))
        raise CodeprefError(
            f"{name}: its token {token!r} is number {number}, the model has {vocabulary} embeddings; take the "
            "tokenizer that belongs to the model, or resize the model's embeddings and save it"
        )
    if len(tokenizer) > vocabulary:
        return [f"the tokenizer knows {len(tokenizer)} tokens, the model {vocabulary}; the rows use none of the others"]
    return []


def measure(
    dataset: Dataset,
    sides: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    max_length: int | None,
    vocabulary: int,
) -> Measured:
    """Goes through the rows once.

    Args:
        dataset: Rows `prompt`, the sides, and `place`.
        sides: Columns of answers, the good one first.
        tokenizer: The model's.
        max_length: Tokens of a row that are trained on.
        vocabulary: Rows of the model's embedding.

    Raises:
        CodeprefError: a token without embedding, or messages that the chat template refuses.
    """
    count, start = len(dataset), 0
    answers = np.zeros((count, len(sides)), int)
    found = Measured(np.zeros(count, int), answers, np.zeros(count, int), np.zeros(count, bool))
    plain_bos = _begins(tokenizer)
    for batch in dataset.iter(BATCH):
        for i, (opening, wholes) in enumerate(_tokens(batch, sides, tokenizer)):
            _check_embedding(max(map(max, wholes)), vocabulary, batch["place"][i], tokenizer)
            shared = min(common_prefix_length(opening, whole) for whole in wholes)
            answers = [whole[shared:] for whole in wholes]
            reach = None if max_length is None else max(0, max_length - shared)
            found.prompts[start + i] = shared
            found.answers[start + i] = [len(ids) for ids in answers]
            found.shared[start + i] = shared + common_prefix_length(answers[0], answers[-1])
            found.alike[start + i] = len(answers) > 1 and answers[0][:reach] == answers[1][:reach]
            if len(opening) > shared:
                found.note("tail", tokenizer.decode(opening[shared:]))
            # a template may put a line break behind the end token
            if any(tokenizer.eos_token_id not in ids[-3:] for ids in answers):
                found.note("endless", batch["place"][i])
            if plain_bos:
                _note_beginning(found, wholes[0], plain_bos, isinstance(batch["prompt"][i], list))
            _note_glued(found, batch["prompt"][i], batch[sides[0]][i])
        start += len(batch["prompt"])
    return found


def _note_beginning(found: Measured, ids: list[int], beginning: list[int], messages: bool) -> None:
    if ids[:2] == 2 * beginning:
        found.note("twice", "")
    if messages and ids[:1] != beginning:
        found.note("bare", "")


def _note_glued(found: Measured, prompt: Any, answer: Any) -> None:
    if isinstance(prompt, str) and prompt[-1:].isalnum() and answer[:1].isalnum():
        found.note("glued", prompt[-12:] + answer[:12])


def _begins(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The token of beginning, if the tokenizer puts one before plain text; else nothing."""
    first = tokenizer("a")["input_ids"][:1]
    return first if tokenizer.bos_token_id is not None and first == [tokenizer.bos_token_id] else []


def _tokens(
    batch: dict[str, list[Any]], sides: Sequence[str], tokenizer: PreTrainedTokenizerBase
) -> Iterator[tuple[list[int], list[list[int]]]]:
    """Of each row: tokens of the prompt alone, and of the prompt with each answer, whole."""
    if isinstance(batch["prompt"][0], str):
        texts = [batch["prompt"]]
        for side in sides:
            ended = [code if code.endswith(tokenizer.eos_token) else code + tokenizer.eos_token for code in batch[side]]
            texts.append([prompt + code for prompt, code in zip(batch["prompt"], ended, strict=True)])
        special = True
    else:
        places = batch["place"]
        texts = [_rendered(batch["prompt"], places, tokenizer, opening=True)]
        for side in sides:
            talks = [prompt + code for prompt, code in zip(batch["prompt"], batch[side], strict=True)]
            texts.append(_rendered(talks, places, tokenizer, opening=False))
        special = False  # a template writes its own
    ids = [tokenizer(part, add_special_tokens=special)["input_ids"] for part in texts]
    for opening, *wholes in zip(*ids, strict=True):
        yield opening, wholes


def _rendered(talks: list[Any], places: list[str], tokenizer: PreTrainedTokenizerBase, opening: bool) -> list[str]:
    found = []
    for talk, place in zip(talks, places, strict=True):
        try:
            found.append(tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=opening))
        except (jinja2.TemplateError, TypeError, ValueError) as error:
            roles = ", ".join(turn["role"] for turn in talk)
            said = " ".join(str(error).split())
            raise CodeprefError(
                f"{place}: the model's chat template refuses these messages ({roles}): {said}; give turns that it knows"
            ) from None
    return found


def _check_embedding(highest: int, vocabulary: int, place: str, tokenizer: PreTrainedTokenizerBase) -> None:
    if highest >= vocabulary:
        raise CodeprefError(
            f"{place}: token {tokenizer.convert_ids_to_tokens(highest)!r} is number {highest}, the model has "
            f"{vocabulary} embeddings; take the tokenizer that belongs to the model, or resize the model's embeddings "
            "and save it"
        )
