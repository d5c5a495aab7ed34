"""What people meet most, in the words of the code that says it; and whether a text is Chinese."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

from journals import move, new

from seedance.errors import SeedanceError
from seedance.fit import check_words, fit
from seedance.journal import Journal
from seedance.order import Medium, Order
from seedance.prompt_names import check_handles
from seedance.providers import get
from seedance.runner import outcomes
from seedance.runner.active import ActiveOrder
from seedance.runner.spending import Spending, Sum
from seedance.settings import Settings
from seedance.wire import Config, Failed, Reply, Ticket

PICTURE = Medium.from_address("image", "https://media.example/a.png")
QUOTED = ("No such words.", "0 left.", "Who are you?", "the model is away")  # by providers

_ENGLISH = re.compile(r"[A-Za-z]{2,} [A-Za-z]{2,} [A-Za-z]{2,}")
# Names and commands are the same in every language.
_SAME = re.compile(r"seedance [a-z]+( test| set)? \S+|Get Image from Batch|Settings > Seedance")


def english_in(text: str, *quoted: object) -> str:
    """A piece of English in a text beside names, commands and what it quotes; empty if none."""
    for value in sorted(map(str, quoted), key=len, reverse=True):
        text = text.replace(value, "") if value else text
    found = _ENGLISH.search(_SAME.sub("", text))
    return found[0] if found else ""


def situations(folder: Path) -> Iterator[tuple[str, SeedanceError]]:
    """An error for each situation, by name."""
    cat = Order(prompt="a cat")
    settings = Settings(folder, folder, {})
    lumenfall = get("lumenfall")(Config("https://api.lumenfall.ai/v1"))

    def answered(status: int, code: str, said: str) -> SeedanceError:
        body = json.dumps({"error": {"code": code, "message": said}}).encode()
        return lumenfall.explain(Reply(status, {"content-type": "application/json"}, body))

    yield "no key", _raised(lambda: settings.key("lumenfall"))
    yield "above the limit", _raised(lambda: Spending(10.0).check(Sum(12.5, 1)))
    yield "bad duration", _raised(lambda: check_words(replace(cat, duration=90)))
    yield "no such ratio", _raised(lambda: check_words(replace(cat, ratio="16:8")))
    yield "not named", _raised(lambda: check_handles(replace(cat, prompt="@Image2 runs")))
    yield "does not fit", _raised(lambda: fit(replace(cat, duration=30), lumenfall))
    yield "too many", _raised(lambda: fit(replace(cat, references=(PICTURE,) * 20), lumenfall))
    yield "moderated", answered(400, "CONTENT_POLICY_VIOLATION", "No such words.")
    yield "out of credit", answered(402, "INSUFFICIENT_BALANCE", "0 left.")
    yield "wrong key", answered(401, "UNAUTHORIZED", "Who are you?")
    yield "failed", outcomes.failure(Failed("the model is away", "E1", "service", "no"))
    yield "no ticket", _raised(lambda: Ticket.parse("hello"))
    with closing(Journal(f"sqlite:///{folder / 'journal.db'}")) as journal:
        for state in ("unclear", "cancelled"):
            row, _ = journal.reserve(new(state))
            yield state, outcomes.error_of(move(journal, row.id, state))
        row, _ = journal.reserve(new("running"))
        waited = SimpleNamespace(row=move(journal, row.id, "running", task="lumenfall:v-1"))
        away = lumenfall.explain(Reply(503, {}, b""))
        yield "still running", ActiveOrder.later(cast(ActiveOrder, waited), away.message)
        costly = new("costly", budget_usd=2.0)
        yield "over budget", _raised(lambda: journal.reserve(costly, {"day": 1.0}))


def _raised(work: Callable[[], object]) -> SeedanceError:
    try:
        work()
    except SeedanceError as error:
        return error
    raise AssertionError("it raised nothing")
