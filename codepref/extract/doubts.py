"""Words that raise a doubt whether an example of a prompt says what the function returns.

They are many, and the list can not be complete: where one of them stands by an example, it is rather not read.
"""

import ast
import builtins
import re
from collections.abc import Sequence
from dataclasses import dataclass

_WRONG = re.compile(
    r"\b(?:wrong\w*|incorrect\w*|broken|bugs?|buggy|faulty|naive|naïve|mistake\w*|mistaken\w*|currently|actual(?:ly)?|"
    r"instead of|fail(?:s|ed|ing)?|bad|do(?:es)?(?: not|n't) work|falsch\w*|nicht|faux|"
    r"crash\w*|unexpected\w*|avoid|(?:counter|anti|non)-?examples?|at the moment|right now|used to|"
    r"неправильно)\b|错误|❌|~~",
    re.IGNORECASE,
)
"""Words about what a wrong code does."""
_RIGHT = re.compile(r"\b(?:correct(?:ly)?|expected|should|must|examples?|instead|now|want(?:ed)?|e\.g)\b", re.I)
"""Words that end what was said about wrong codes."""
_BEFORE = re.compile(
    r"\b(?:not|never|no|instead|unlike|if|unless|while|lambda|when|whenever|once|after|before|with|without|suppose|"
    r"assum\w+|imagine|current|got|old|previous\w*|might|may|could|can|someone|somebody|possibl[ey]|approx\w*|about|"
    r"random\w*|maybe|perhaps|second|third|python 2|nobody|false that|raises?|\w+Error)\b|n't\b|" + _WRONG.pattern,
    re.IGNORECASE,
)
"""Words before a call after which it may say something else."""
_AFTER = re.compile(
    r"\b(?:order|possibl[ey]|approx\w*|roughly|about|random\w*|var(?:y|ies)|may|might|could|depend\w*|also|mod|modulo|"
    r"e\.g|wrong\w*|incorrect\w*|bugs?|buggy|fail(?:s|ed)?|instead)\b|^[\s.,;`#(/]*(?:or|not|if|unless|when|whenever|"
    r"only|except|but|never|false|no)\b",
    re.IGNORECASE,
)
"""Words after a value that say it may be another one, or is wrong."""
_BELOW = re.compile(
    r"\s*(?:(?:or|unless|if|when|except|but|not|instead)\b|[+%|&'\"\[{]|/ |\\|(?!\d+[.)]\s)(?=.*\d)[-+\d.,\s]+$)",
    re.IGNORECASE,
)
"""How a line begins that goes on with the value above it, or is nothing but further numbers."""
_ANY_ORDER = re.compile(
    r"\bany order|order (?:does not|doesn't|is not|isn't|of \w+ (?:does not|doesn't)|may|can)|arbitrary order|"
    r"\bunordered\b|order is (?:unspecified|arbitrary|irrelevant)|regardless of (?:the )?order",
    re.IGNORECASE,
)
_ANY_VALUE = re.compile(
    r"\brandom(?:ly)?\b|\b(?:return|print|output|find|accept)s? any (?:of|one|valid|such|possible)|"
    r"\bany (?:of them|valid|correct) (?:answer|solution|is|will)|multiple (?:valid |correct |possible )?(?:answers|"
    r"solutions)|(?:is|are) also accepted|will be accepted|if there are (?:several|multiple|many)[^.]{0,200}\bany\b",
    re.IGNORECASE,
)
_REPORT = re.compile(
    r"\b(?:this|that|which|it|result|output) (?:is|was) (?:wrong|incorrect|a bug|not (?:right|correct|what))|"
    r"\bI (?:get|got|expect(?:ed)?)\b|\bbut I want",
    re.IGNORECASE,
)
"""What reports of a fault say, before or after they show it."""
_PRINTS = re.compile(r"\bprint(?:s|ed|ing)?\b(?!\s*\()", re.IGNORECASE)
_RETURNS = re.compile(r"\breturn|->", re.IGNORECASE)
_NO_PLAIN_VALUE = re.compile(
    r"\bin[- ]place\b|\bgenerators?\b|\biterators?\b|\byield(?!s\b)|\blinked list|\bbinary (?:search )?tree|ListNode|"
    r"TreeNode",
    re.IGNORECASE,
)
"""What says that arguments are no plain values, or that the result is none or is not what is returned."""
_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,), "int": (int,), "float": (int, float), "bool": (bool,), "list": (list,), "dict": (dict,),
    "tuple": (tuple,),
}  # fmt: skip
_TYPING = frozenset(
    ["List", "Dict", "Tuple", "Set", "Optional", "Union", "Any", "Sequence", "Iterable", "Mapping", "typing"]
)


@dataclass(frozen=True)
class Doubt:
    """What a prompt as a whole leaves open."""

    all_values: bool
    """Whether the function prints its result or has several right ones, or a fault is reported: only `assert`
    statements are sure."""
    any_order: bool
    """Whether the items of its result may come in another order."""
    sentences: bool
    """Whether what sentences show may be no plain values: a changed argument, a generator, a tree."""
    inputs: bool
    """Whether inputs and outputs may be those of another function, or of other types than they look like."""
    result: ast.expr | None
    """The annotation of the result."""

    def allows(self, value: object) -> bool:
        """Whether the value of an example leaves no doubt."""
        is_ordered = isinstance(value, list | tuple) and len(value) > 1
        return not (self.any_order and is_ordered) and fits(self.result, True, value)


def of_prompt(prompt: str, head: ast.FunctionDef | None) -> Doubt:
    """The doubts that a prompt as a whole raises."""
    result = head.returns if head else None
    prints = bool(_PRINTS.search(prompt)) and not _RETURNS.search(prompt)
    parameters = [*head.args.posonlyargs, *head.args.args] if head else []
    is_node = any(parameter.arg in ("head", "root") for parameter in parameters)  # of a list or a tree, untyped
    other_types = is_node or any(
        parameter.annotation and not _is_plain(parameter.annotation) for parameter in parameters
    )
    return Doubt(
        all_values=prints or bool(_ANY_VALUE.search(prompt) or _REPORT.search(prompt)),
        any_order=bool(_ANY_ORDER.search(prompt)),
        sentences=bool(_NO_PLAIN_VALUE.search(prompt)),
        inputs=other_types or len(set(re.findall(r"^[ \t]*def[ \t]+(\w+)", prompt, re.MULTILINE))) > 1,
        result=result,
    )


def without_wrong_examples(rows: Sequence[str], entry_point: str) -> str:
    """The lines of a prompt, but for calls of the entry point that stand under words on what a wrong code does."""
    kept, is_wrong, is_value = list[str](), False, False
    for row in rows:
        is_example = f"{entry_point}(" in row or row.lstrip().startswith((">>>", "..."))
        if not is_example and not is_value and row.strip():
            last = re.split(r"[.!?]\s+", row.strip())[-1]
            ends = bool(_RIGHT.search(last)) or row.rstrip().endswith(":")
            is_wrong = bool(_WRONG.search(last)) or ((is_wrong or bool(_WRONG.search(row))) and not ends)
        is_value = row.lstrip().startswith(">>>") or (is_value and bool(row.strip()))
        kept.append("" if is_wrong and is_example else row)
    return "\n".join(kept)


def before(text: str) -> bool:
    """Whether what stands on a line before an example may turn it round or bind it to a condition."""
    sentences = re.split(r"[.!?]\s", text)
    return bool(_BEFORE.search(sentences[-1]) or _WRONG.search(text))


def after(text: str) -> bool:
    """Whether what stands on a line after a value says that it may be another one."""
    return bool(_AFTER.search(text))


def below(text: str, line: str) -> bool:
    """Whether the next line may go on with what a text says."""
    return bool(_BELOW.match(line)) or text.rstrip().endswith("\\")


def in_comment(source: str) -> bool:
    """Whether a comment in a source raises a doubt."""
    return "#" in source and after(source.partition("#")[2])


def is_unclear(text: str) -> bool:
    """Whether a text leaves something out, or has backslashes that a docstring may have doubled."""
    return "..." in text or "…" in text or "\\\\" in text


def ends_condition(text: str) -> bool:
    """Whether the words between named arguments and the output say no more of the arguments."""
    if text.strip() in ("", "the", "then", "then the"):
        return True
    return (
        text.lstrip().startswith((",", ";"))
        and not re.search(r"=|\b(?:and|or|to|if|when|unless)\b", text)
        and not _WRONG.search(text)
    )


def fits(annotation: ast.expr | None, known: bool, value: object) -> bool:
    """Whether a value can be of the type that an annotation names; also where either is not known."""
    base = annotation.value if isinstance(annotation, ast.Subscript) else annotation
    if isinstance(base, ast.Constant) and base.value is None:
        return value is None
    wanted = _TYPES.get(base.id.lower()) if isinstance(base, ast.Name) else None
    return not known or wanted is None or isinstance(value, wanted)


def _is_plain(annotation: ast.expr) -> bool:
    """Whether an annotation names only Python's own types."""
    names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    return all(name in _TYPING or hasattr(builtins, name) for name in names)
