"""From source code to prompts: seeds -> concepts -> tasks (CodeDPO, arXiv 2410.05605, stage 1).

The paper says that concepts are extracted from open code and tasks written from the concepts; how is left open. Here:

- A seed is one function or method with a body, of at least `MIN_LINES` lines and at most `MAX_CHARACTERS` characters.
- One request a seed asks for its concepts, one more for tasks, of which any number is drawn; the task request shows the
  concepts and not the code, so that tasks are new ones (the template may show it: it knows `code`).
- A task is a text and a signature; the prompt is that signature with the text as its docstring, so the entry point is
  fixed before any code or test is asked for, and a prompt can also be completed by a base model.
- Answers that do not keep the format are left out and counted by rule.
"""

import ast
import hashlib
import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from builders.chain.ask import Drawing, Generation, Inquiry, Question, ask_stage
from codepref import extract, files
from codepref.errors import CodeprefError
from codepref.generate import Completion
from codepref.ondisk import Rows
from codepref.records import Exclusion, Samples, content_id, to_table
from codepref.stages import Runner
from codepref.store import Shard, Stage

MIN_LINES = 3
MAX_CHARACTERS = 8_000
"""About 2,000 tokens: the longest of 920 functions of 25 packages has 4,499."""
MAX_CONCEPTS = 10
HUB = "hub:"

_ITEM = re.compile(r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+(?P<text>\S.*)$", re.MULTILINE)
_TASK = re.compile(
    r"^#+[ \t]*Task\b[^\n]*\n(?P<task>.*?)^#+[ \t]*Signature\b[^\n]*\n(?P<signature>.*)",
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)
_PROGRAM = re.compile(
    r"^#+[ \t]*Task\b[^\n]*\n(?P<task>.*?)^#+[ \t]*Input\b[^\n]*\n(?P<input>.*?)"
    r"^#+[ \t]*Output\b[^\n]*\n(?P<output>.*)",
    re.MULTILINE | re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True)
class Seed:
    """A piece of source code to draw concepts from."""

    seed_id: str
    code: str
    name: str
    source: str
    """Where it comes from, in words."""
    licence: str | None


@dataclass(frozen=True)
class Concepts:
    """A seed and its concepts."""

    seed_id: str
    code: str
    name: str
    source: str
    licence: str | None
    concepts: tuple[str, ...]


def ask_for_tasks(runner: Runner, source: Stage, generation: Generation, tasks: int, seed: int) -> tuple[Stage, Stage]:
    """Stages `concepts` and `tasks`, asked from a model; the latter has prompts (`Samples`, as yet without).

    Args:
        runner: Where the stages go.
        source: Stage `seeds`.
        generation: Backend and templates.
        tasks: Tasks asked for a seed.
        seed: Run seed.
    """
    ask_concepts, ask_task = task_questions(generation, tasks)
    drawing = Drawing(generation, generation.task_sampling, seed)
    concepts = ask_stage(runner, "concepts", source, Inquiry([ask_concepts], _with_concepts, Seed, Concepts), drawing)
    tasks_stage = ask_stage(runner, "tasks", concepts, Inquiry([ask_task], _tasks, Concepts, Samples), drawing)
    return concepts, tasks_stage


def task_questions(generation: Generation, tasks: int) -> tuple[Question, Question]:
    """What is asked about every seed: its concepts, and then tasks."""
    return Question("concepts", generation.concept_template, 1), Question("task", generation.task_template, tasks)


def seed_stage(runner: Runner, where: str, licence: str | None, limit: int | None, shard_size: int) -> Stage:
    """Stage `seeds`: every usable function once, in the order of the source.

    The source is read at every start, because its content is the key: of a source that changed, another stage is made.
    Functions fall under `unparseable`, `no function`, `too short`, `no body`, `too long` or `duplicate`.

    Raises:
        CodeprefError: the source can not be read, or holds no usable seed.
    """
    rows, taken, left_out = Rows(), 0, list[Exclusion]()
    for item in _distinct(read_seeds(where, licence)):
        if isinstance(item, Exclusion):
            left_out.append(item)
            continue
        rows.add("", taken, item)
        taken += 1
        if taken == limit:
            break
    if not taken:
        raise CodeprefError(f"{where}: no usable function among {len(left_out)} pieces; give Python functions")
    depends = {"seeds": _fingerprint(rows, left_out), "shard_size": shard_size}
    return runner.source("seeds", _shards(rows, shard_size, left_out), depends, taken + len(left_out))


def _fingerprint(taken: Iterable[Any], left_out: Iterable[Any]) -> str:
    """`codepref.store.fingerprint` of the two as lists, without a text of all of them."""
    digest = hashlib.sha256()
    for head, items in (('{"left out": [', left_out), ('], "taken": [', taken)):
        digest.update(head.encode())
        for number, item in enumerate(items):
            text = json.dumps(asdict(item), sort_keys=True, ensure_ascii=False)
            digest.update(f"{', ' if number else ''}{text}".encode("utf-8", "surrogatepass"))
    digest.update(b"]}")
    return digest.hexdigest()[:16]


def _shards(taken: Iterable[Seed], size: int, left_out: Sequence[Exclusion]) -> Iterator[Shard]:
    rows, excluded = iter(taken), tuple(left_out)
    while held := list(islice(rows, size)):
        yield Shard(to_table(held, Seed), excluded)
        excluded = ()


def _distinct(items: Iterable[Seed | Exclusion]) -> Iterator[Seed | Exclusion]:
    seen = Rows()
    for item in items:
        if isinstance(item, Seed) and seen.first(item.seed_id) is not None:
            yield Exclusion("seeds", item.seed_id, "seed", "duplicate", detail=item.source)
            continue
        if isinstance(item, Seed):
            seen.add(item.seed_id, 0, None)
        yield item


def read_seeds(where: str, licence: str | None = None) -> Iterator[Seed | Exclusion]:
    """Functions of a source, and what of it can not be used.

    Args:
        where: A folder of Python files; a file of rows with `source` (code) and optionally `licence`, `package`,
            `version`, `path`; or a Hub dataset's column of code, `hub:ORG/NAME[@revision]:split:column`, as a stream.
        licence: Licence of what does not name its own.
    """
    if where.startswith(HUB):
        pieces = _hub(where)
    elif Path(where).is_dir():
        pieces = _folder(Path(where))
    else:
        pieces = _file(Path(where))
    for text, source, own in pieces:
        yield from _functions(text, source, own or licence)


def _folder(root: Path) -> Iterator[tuple[str, str, str | None]]:
    for path in sorted(root.rglob("*.py")):
        if path.is_file():
            yield path.read_text(encoding="utf-8", errors="replace"), path.relative_to(root).as_posix(), None


def _file(path: Path) -> Iterator[tuple[str, str, str | None]]:
    for number, row in files.read_rows(path):
        if not isinstance(row.get("source"), str):
            raise CodeprefError(f"{path}:{number}: no text under 'source'; give every row its code there")
        yield row["source"], _origin(row) or f"{path.name}, row {number}", _licence(row)


def _hub(where: str) -> Iterator[tuple[str, str, str | None]]:
    import datasets

    try:
        name, split, column = where.removeprefix(HUB).rsplit(":", 2)
    except ValueError:
        raise CodeprefError(f"{where}: expected hub:ORG/NAME[@revision]:split:column") from None
    path, _, revision = name.partition("@")
    try:
        stream = datasets.load_dataset(path, split=split, revision=revision or None, streaming=True)
        for number, row in enumerate(stream):
            if not isinstance(row.get(column), str):
                raise CodeprefError(f"{where}: row {number} has no text in column {column!r}; it has {', '.join(row)}")
            shown = Path(path).name if Path(path).exists() else name
            yield row[column], _origin(row) or f"{shown} {split}, row {number}", _licence(row)
    except (OSError, ValueError) as error:
        raise CodeprefError(f"{where}: {' '.join(str(error).split())}; see whether the name is right") from None


def _licence(row: dict[str, Any]) -> str | None:
    found = row.get("licence") or row.get("license")
    return found if isinstance(found, str) else None


def _origin(row: dict[str, Any]) -> str:
    package = " ".join(str(row[key]) for key in ("package", "version") if row.get(key))
    return ": ".join(part for part in (package, str(row.get("path") or "")) if part)


def _functions(text: str, source: str, licence: str | None) -> Iterator[Seed | Exclusion]:
    """The functions and methods of a file, each a seed or the rule it falls under."""
    tree = extract.parse(text)
    if tree is None:
        yield Exclusion("seeds", "", "seed", "unparseable", detail=source)
        return
    lines = text.splitlines(keepends=True)
    found = list(_defined(tree))
    if not found:
        yield Exclusion("seeds", "", "seed", "no function", detail=source)
    for name, node in found:
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        code = textwrap.dedent("".join(lines[first - 1 : node.end_lineno])).rstrip() + "\n"
        seed = Seed(content_id(code), code, name, f"{source}, {name}", licence)
        rule = _unusable(node, code)
        yield Exclusion("seeds", seed.seed_id, "seed", rule, detail=seed.source) if rule else seed


def _defined(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for item in node.body:
                if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield f"{node.name}.{item.name}", item


def _unusable(node: ast.FunctionDef | ast.AsyncFunctionDef, code: str) -> str | None:
    if code.count("\n") < MIN_LINES:
        return "too short"
    if len(code) > MAX_CHARACTERS:
        return "too long"
    if all(
        isinstance(item, ast.Pass) or (isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant))
        for item in node.body
    ):
        return "no body"
    return None


def _with_concepts(
    seed: Seed, answers: Sequence[Sequence[Completion]], _: str
) -> tuple[list[Concepts], list[Exclusion]]:
    ((answer,),) = answers
    found = concepts(answer.text)
    if not found:
        return [], [Exclusion("concepts", seed.seed_id, "seed", "no concepts", 0, _start(answer.text))]
    return [Concepts(**asdict(seed), concepts=found)], []


def concepts(text: str) -> tuple[str, ...]:
    """The list items of an answer, each once, at most `MAX_CONCEPTS`."""
    found = (match["text"].strip().strip("*_`").strip() for match in _ITEM.finditer(text))
    return tuple(islice(dict.fromkeys(item for item in found if item), MAX_CONCEPTS))


def _tasks(row: Concepts, answers: Sequence[Sequence[Completion]], _: str) -> tuple[list[Samples], list[Exclusion]]:
    made, excluded = dict[str, Samples](), list[Exclusion]()
    for index, answer in enumerate(answers[0]):
        found = task(answer.text)
        if isinstance(found, extract.Rejected):
            excluded.append(Exclusion("tasks", row.seed_id, "seed", found.rule, index, found.detail))
        elif found.prompt_id in made:
            excluded.append(Exclusion("tasks", found.prompt_id, "prompt", "duplicate", index))
        else:
            made[found.prompt_id] = replace(found, source=row.source, licence=row.licence)
    return [made[prompt_id] for prompt_id in sorted(made)], excluded


def task(text: str) -> Samples | extract.Rejected:
    """The task in an answer: of a function with headings Task and Signature, of a program with Task, Input, Output.

    Returns:
        A prompt whose id is the hash of its text and entry point, or the rule the answer falls under: `no task` (a
        heading or the text is missing), `no signature`, `unparseable signature`.
    """
    program = _PROGRAM.search(text)
    if program is not None:
        return _program_task(*(part.strip() for part in program.groups()))
    parts = _TASK.search(text)
    description = parts["task"].strip() if parts else ""
    if parts is None or not description:
        return extract.Rejected("no task", _start(text))
    signature = _signature(parts["signature"])
    if isinstance(signature, extract.Rejected):
        return signature
    head, entry_point = signature
    prompt = _stub(head, description)
    if extract.parse(prompt) is None:
        return extract.Rejected("no task", "the text can not stand in a docstring")
    return Samples(content_id(prompt, entry_point), prompt, entry_point, (), ())


def _program_task(description: str, given: str, printed: str) -> Samples | extract.Rejected:
    """A task for a program that reads standard input: it has no entry point."""
    if not (description and given and printed):
        return extract.Rejected("no task", "a part is empty")
    prompt = f"{description}\n\nInput\n\n{given}\n\nOutput\n\n{printed}\n".replace("\x00", "")
    return Samples(content_id(prompt, ""), prompt, "", (), ())


def _signature(text: str) -> tuple[str, str] | extract.Rejected:
    """The head of the first function in a text, in one line, and its name."""
    start = re.search(r"^[ \t]*(?:async[ \t]+)?def\b", text, re.MULTILINE)
    if start is None:
        return extract.Rejected("no signature", _start(text))
    lines = text[start.start() :].strip().splitlines()
    for end in range(1, min(len(lines), 20) + 1):
        head = " ".join(line.strip() for line in lines[:end]).rstrip("`").rstrip().removesuffix("...").rstrip()
        tree = extract.parse(head.rstrip(":") + ":\n    pass")
        if tree is not None and len(tree.body) == 1 and isinstance(tree.body[0], ast.FunctionDef):
            node = tree.body[0]
            return ast.unparse(node).rsplit("\n", 1)[0], node.name
    return extract.Rejected("unparseable signature", _start(lines[0]))


def _stub(head: str, description: str) -> str:
    """A function without body whose docstring is the description."""
    text = description.replace('"""', "'''").replace("\x00", "")
    mark = 'r"""' if "\\" in text else '"""'
    return f'{head}\n{textwrap.indent(f"{mark}{text}", "    ")}\n    """\n'


def _start(text: str) -> str:
    return " ".join(text.split())[:80]
