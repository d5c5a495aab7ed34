"""No pattern takes more than a fixed number of steps for each letter of a stranger's text.

Python's matcher tries one way after the other, so that `a+b` takes a step for each two letters of
`aaaa...`: half a minute for a quarter of a megabyte, in which nothing else runs. What follows is
proven from the parsed pattern, for every pattern of the package.

* A part that repeats without a limit is one letter wide and stands last: it takes each letter once,
  and nothing after it can fail and make the matcher come back.
* What stands before it repeats at most so often, and can match a text in only so many ways.

Then each position of a text costs at most `MOST_STEPS`, and a search goes on behind what matched.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from paths import ROOT

import seedance
from seedance.transport.redaction import Redaction

parser: Any = importlib.import_module("re._parser" if hasattr(re, "_parser") else "sre_parse")

pytestmark = pytest.mark.safety

MOST_STEPS = 5_000
Firsts: TypeAlias = "frozenset[str] | None"
UNLIMITED = parser.MAXREPEAT
FILES = sorted([*(ROOT / "seedance").rglob("*.py"), *(ROOT / "nodes").rglob("*.py")])
# Letters that stand for all others: ASCII, and some of each kind that patterns tell apart.
LETTERS = frozenset(map(chr, [*range(0x250), 0x3000, 0x4EBA, 0x202E, 0xD800, 0xFF0F, 0x1F98A]))

# Patterns that are made at run time, by file: those of keys, and those that a module builds, which
# are found among its values.
MADE = {"seedance/transport/redaction.py", "seedance/preview/text.py", "seedance/download.py"}


# ------------------------------------------------------------------------------------ finding them


def in_modules() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Every compiled pattern among the values of the core's modules and classes."""
    for found in pkgutil.walk_packages(seedance.__path__, "seedance."):
        if found.name.endswith("__main__") or ".migrations" in found.name:
            continue
        module = importlib.import_module(found.name)
        for name, value in vars(module).items():
            yield from patterns_in(value, f"{found.name}.{name}", set())


def patterns_in(value: Any, name: str, seen: set[int]) -> Iterator[tuple[str, re.Pattern[Any]]]:
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, re.Pattern):
        yield name, value
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from patterns_in(item, name, seen)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from patterns_in(item, f"{name}[{key!r}]", seen)
    elif isinstance(value, type) and value.__module__.startswith("seedance"):
        for key, item in vars(value).items():
            yield from patterns_in(item, f"{name}.{key}", seen)


def in_calls(file: Path) -> Iterator[tuple[str, ast.expr, int]]:
    """The pattern of each call of `re` in a file, and its flags."""
    text = file.read_text(encoding="utf-8")
    if not re.search(r"\bre\s*\.", text):
        return
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id == "re"
            and node.func.attr not in ("escape", "purge")
        ):
            words = " ".join(ast.unparse(each) for each in [*node.args[1:], *node.keywords])
            ignored = re.IGNORECASE if re.search(r"re\.I(GNORECASE)?\b", words) else 0
            yield f"{file.relative_to(ROOT)}:{node.lineno}", node.args[0], ignored


def all_patterns() -> list[tuple[str, str | bytes, int]]:
    found: list[tuple[str, str | bytes, int]] = [
        (name, each.pattern, each.flags & re.IGNORECASE) for name, each in in_modules()
    ]
    for file in FILES:
        for place, pattern, flags in in_calls(file):
            if isinstance(pattern, ast.Constant):
                found.append((place, pattern.value, flags))
            else:
                assert str(file.relative_to(ROOT)) in MADE, f"{place} makes a pattern"
    first = {(pattern, flags): name for name, pattern, flags in reversed(found)}
    return [(name, *both) for both, name in reversed(first.items())]


PATTERNS = all_patterns()


# ----------------------------------------------------------------------------------------- proving


class Superlinear(AssertionError):
    """A pattern of which the proof fails."""


def prove(pattern: str | bytes, flags: int = 0) -> None:
    """Raise Superlinear unless each position of a text costs a fixed number of steps."""
    steps(list(parser.parse(pattern, flags)), flags, frozenset(), last=True)


def steps(items: list[Any], flags: int, then: Firsts, *, last: bool) -> int:
    """In how many ways, at the most, a sequence matches a text at one position; each is a step.

    `then`: the letters with which what follows begins, None where that may be empty, no letter at
    the end of the pattern. `last`: nothing follows it.
    """
    ways = 1
    for number, item in enumerate(items):
        rest = items[number + 1 :]
        after = firsts(rest, flags, then)
        ways *= ways_of(item, after, flags, last=last and not rest)
        if ways > MOST_STEPS:
            raise Superlinear(f"more than {MOST_STEPS} steps")
    return ways


def ways_of(item: Any, after: Firsts, flags: int, *, last: bool) -> int:
    kind, value = item
    name = str(kind)
    if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        least, most, body = value
        body = list(body)
        if most == UNLIMITED:
            if not last or name == "MIN_REPEAT":
                raise Superlinear("an unlimited repetition that something follows")
            if len(body) != 1 or letters_of(body[0], flags) is None:
                raise Superlinear("an unlimited repetition of more than a letter")
            return 1
        inner = steps(body, flags, after if most == 1 else None, last=last and most == 1)
        if len(body) == 1 and (mine := letters_of(body[0], flags)) is not None:
            # It cannot stop earlier, because what follows does not begin with any of its letters.
            return 1 if after is not None and not mine & after else most - least + 1
        if inner == 1 and most == 1:
            return 2 - least
        return (most - least + 1) * inner**most
    if name == "BRANCH":
        return sum(steps(list(each), flags, after, last=last) for each in value[1])
    if name == "SUBPATTERN":
        return steps(list(value[3]), flags, after, last=last)
    if name in ("ASSERT", "ASSERT_NOT"):
        return steps(list(value[1]), flags, None, last=False)
    assert name in ("LITERAL", "NOT_LITERAL", "IN", "ANY", "AT"), name
    return 1


def letters_of(item: Any, flags: int) -> frozenset[str] | None:
    """Which letters an item one letter wide matches; None for any other item."""
    kind, value = item
    name = str(kind)
    if name == "SUBPATTERN" and len(value[3]) == 1:
        return letters_of(value[3][0], flags)
    if name == "LITERAL":
        found = {chr(value)}
    elif name == "NOT_LITERAL":
        found = set(LETTERS - {chr(value)})
    elif name == "ANY":
        found = set(LETTERS)
    elif name == "IN":
        parts = list(value)
        negated = str(parts[0][0]) == "NEGATE"
        found = set().union(*(letters_in(each) for each in parts[negated:]))
        found = set(LETTERS - found) if negated else found
    else:
        return None
    if flags & re.IGNORECASE:
        found |= {each.lower() for each in found} | {each.upper() for each in found}
    return frozenset(found)


def letters_in(part: Any) -> set[str]:
    kind, value = part
    if str(kind) == "LITERAL":
        return {chr(value)}
    if str(kind) == "RANGE":
        return {chr(code) for code in range(value[0], min(value[1], 0x3000) + 1)}
    category = str(value).removeprefix("CATEGORY_")
    escape = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}[category.removeprefix("NOT_")]
    matching = {each for each in LETTERS if re.match(escape, each)}
    return set(LETTERS - matching) if category.startswith("NOT_") else matching


def firsts(items: list[Any], flags: int, then: Firsts) -> Firsts:
    """The letters with which a sequence, and `then` what follows it, may begin; None where that is
    not known."""
    found: frozenset[str] = frozenset()
    for kind, value in items:
        name = str(kind)
        if name == "AT":
            return None
        if (mine := letters_of((kind, value), flags)) is not None:
            return found | mine
        if name == "SUBPATTERN":
            inner = firsts(list(value[3]), flags, None)
        elif name == "BRANCH":
            each = [firsts(list(branch), flags, None) for branch in value[1]]
            inner = None if None in each else frozenset().union(*filter(None, each))
        elif name in ("MAX_REPEAT", "MIN_REPEAT"):
            inner = firsts(list(value[2]), flags, None)
            if inner is not None and value[0] == 0:
                found |= inner
                continue
        else:
            return None
        return None if inner is None else found | inner
    return None if then is None else found | then


# ------------------------------------------------------------------------------------------- tests


def test_patterns_are_found_at_all() -> None:
    assert len(PATTERNS) > 30
    names = {name.partition(":")[0] for name, _, _ in PATTERNS}
    wanted = {"nodes/routes.py", "seedance.prompt_names._HANDLE", "seedance.texts._ADDRESS"}
    assert wanted | {"seedance.providers.leonardo.KEY_WORDS"} <= names


@pytest.mark.parametrize(("name", "pattern", "flags"), PATTERNS, ids=[each[0] for each in PATTERNS])
def test_each_pattern_takes_a_fixed_number_of_steps_for_each_letter(
    name: str, pattern: str | bytes, flags: int
) -> None:
    prove(pattern, flags)


@pytest.mark.parametrize(
    "pattern",
    [
        r"(https?://[^\s?\"'<>]+)\?[^\s\"'<>]+",  # these froze ComfyUI
        r"(not enough|insufficient).*(token|credit|balance|fund)",
        r".*(hook|callback|notif).*",
        r"insufficient[ _]?(\w+[ _])?(quota|balance)",
        r"a+b",
        r"(a+)+",
        r"(a|a)*b",
        r"(ab)*",
        r".*?x",
        r"(a{1,99}){1,99}",
    ],
)
def test_the_proof_fails_for_what_is_not_linear(pattern: str) -> None:
    with pytest.raises(Superlinear):
        prove(pattern)


@pytest.mark.parametrize(
    "key", ["sk-test-0123456789", "aaaaaaaaaaaaaaaa", "\\\\\\\\\\\\", "uuuu%%%%&&&&"]
)
def test_a_key_is_looked_for_with_limited_repetitions_alone(key: str) -> None:
    spellings = Redaction(key)._spellings
    assert spellings is not None
    limited(list(parser.parse(spellings.pattern)))


def limited(items: list[Any]) -> None:
    for kind, value in items:
        if str(kind).endswith("REPEAT"):
            assert value[1] <= 8
            limited(list(value[2]))
        elif str(kind) == "BRANCH":
            for each in value[1]:
                limited(list(each))
        elif str(kind) == "SUBPATTERN":
            limited(list(value[3]))
