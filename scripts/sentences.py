"""The sentences that the code says to people, for `locales/`: read from the source.

    say("A duration of {seconds} s is not possible.", seconds=90)
    BadOrder("{name} holds no picture.", hint="Connect one that is not empty.", name=name)
    template("picture {number}")

A first argument, and a `hint`, is a text, one of two texts by a condition, or a value that was said
elsewhere. It is no f-string: what that says cannot be told apart from what it quotes.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from seedance.said import code_of, places

ROOT = Path(__file__).parent.parent
# What the page never shows: it is said to those who write commands, programs and shot lists.
ENGLISH_ONLY = [
    ROOT / "seedance" / name
    for name in ("cli", "shots", "farm", "runner/batches", "media/join.py", "api.py", "options.py")
]
FILES = sorted(
    path
    for folder in ("seedance", "nodes")
    for path in (ROOT / folder).rglob("*.py")
    if not any(map(path.is_relative_to, ENGLISH_ONLY))
)
SAYING = frozenset({"say", "template"})
TOLD = frozenset({"Failed", "Expired", "CannotCancel"})  # what providers say, or a `say` of ours


@dataclass(frozen=True)
class Sentence:
    """A template in the source, or why it is none (`wrong`)."""

    file: Path
    line: int
    text: str
    wrong: str = ""

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}: {self.wrong or self.text}"


def sentences() -> list[Sentence]:
    """Every sentence in the source, the same text as often as it stands there."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
    errors = _errors(trees.values())
    return [
        sentence
        for path, tree in trees.items()
        for node in ast.walk(tree)
        for sentence in _of_node(path, node, errors)
    ]


def english() -> dict[str, str]:
    """The templates by their codes. Raises ValueError for two of one code."""
    found: dict[str, str] = {}
    for sentence in sentences():
        code = code_of(sentence.text)
        if sentence.wrong or not code:
            continue
        known = found.setdefault(code, sentence.text)
        if _plain(known) != _plain(sentence.text):
            raise ValueError(f"{sentence}: as {known!r} begins; word one of them otherwise")
    return dict(sorted(found.items()))


def _plain(text: str) -> str:
    """A text as it may stand alone or within another one."""
    return text.lower().rstrip(".")


def files() -> Iterator[tuple[Path, str]]:
    """`locales/en/main.json` with the templates, which other languages have at the same place."""
    file = ROOT / "locales" / "en" / "main.json"
    words = json.loads(file.read_text(encoding="utf-8"))
    words["seedance"]["said"] = english()
    yield file, json.dumps(words, ensure_ascii=False, indent=2) + "\n"


def _errors(trees: Iterable[ast.AST]) -> frozenset[str]:
    """The names of the classes below SeedanceError."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }
    found = {"SeedanceError"}
    while more := {name for name, of in bases.items() if of & found} - found:
        found |= more
    return frozenset(found)


def _of_node(file: Path, node: ast.AST, errors: frozenset[str]) -> Iterator[Sentence]:
    if isinstance(node, ast.Call) and _says(node, errors):
        yield from _of_call(file, node)
    elif (
        isinstance(node, ast.Assign)
        and any(map(_is_hint, node.targets))
        and any(_texts(node.value))
    ):
        yield Sentence(file, node.lineno, "", f"say this: {ast.unparse(node.value)}")


def _is_hint(target: ast.expr) -> bool:
    return isinstance(target, ast.Attribute) and target.attr in {"hint", "message"}


def _of_call(file: Path, call: ast.Call) -> Iterator[Sentence]:
    given = {keyword.arg for keyword in call.keywords}
    values = [*call.args[:1], *(each.value for each in call.keywords if each.arg == "hint")]
    for value in values:
        for text in _texts(value):
            if isinstance(text, str) and text and ast.unparse(call.func) in TOLD:
                yield Sentence(file, value.lineno, "", f"say this: {text!r}")
            elif isinstance(text, str):
                known = None in given or ast.unparse(call.func) == "template"
                missing = set() if known else places(text) - given
                wrong = f"no value for {', '.join(sorted(missing))}" if missing else ""
                yield Sentence(file, value.lineno, text, wrong)
            else:
                yield Sentence(file, value.lineno, "", f"say this with values: {ast.unparse(text)}")


def _texts(value: ast.expr) -> Iterator[str | ast.expr]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from _texts(value.body)
        yield from _texts(value.orelse)
    elif isinstance(value, ast.BoolOp):
        for each in value.values:
            yield from _texts(each)
    elif isinstance(value, (ast.JoinedStr, ast.BinOp)):
        yield value  # of what is none of these, `say` was asked elsewhere


def _says(call: ast.Call, errors: frozenset[str]) -> bool:
    """Whether a sentence is said; `active.say` tells progress."""
    return isinstance(call.func, ast.Name) and call.func.id in errors | SAYING | TOLD
