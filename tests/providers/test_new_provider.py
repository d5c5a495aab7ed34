"""The recipe for a new provider is true: its skeleton keeps the contract, and typical slips in it
are caught."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import provider_contract
import pytest
import wire_player
from fakes import Fake
from fakes._replay import replay
from paths import ROOT
from wire_player import Exchange

from seedance import wire
from seedance.addresses import origin
from seedance.order import Order
from seedance.transport import Credentials, Transport
from seedance.wire import Provider

RECIPE = (ROOT / "seedance" / "providers" / "new_provider.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", RECIPE, re.DOTALL | re.MULTILINE)
    return str(found)


def provider_of(source: str) -> type[Provider]:
    """The class in the text of a provider's file."""
    module: dict[str, Any] = {
        "__name__": "seedance.providers.acme",
        "__package__": "seedance.providers",
    }
    exec(compile(source, "acme.py", "exec"), module)
    return module["Acme"]  # type: ignore[no-any-return]


def loaded(record: Any, folder: Path) -> list[Exchange]:
    """The exchanges in the JSON of a provider's file, with their variants."""
    (folder / "acme.json").write_text(json.dumps(record), encoding="utf-8")
    return wire_player.load(folder / "acme.json")[1]


@pytest.fixture
def exchanges(tmp_path: Path) -> list[Exchange]:
    return loaded(json.loads(block("json")), tmp_path)


def drive(fake: Fake, flow: wire.Flow[Any]) -> Any:
    """Hold a flow's conversation with the fake over real HTTP."""
    transport = Transport(Credentials("Bearer", fake.key, frozenset({origin(fake.url)})))
    reply = None
    try:
        while True:
            reply = transport.perform(flow.send(reply))  # type: ignore[arg-type]
    except StopIteration as stop:
        return stop.value
    finally:
        transport.close()


def broken(provider: type[Provider], exchanges: list[Exchange]) -> dict[str, str]:
    """The checks that a provider does not pass, with what each says."""
    found = {}
    for name, check in provider_contract.CHECKS.items():
        try:
            check(provider, exchanges)
        except AssertionError as error:
            found[name] = str(error)
    return found


def test_the_skeleton_keeps_the_contract(exchanges: list[Exchange]) -> None:
    assert broken(provider_of(block("python")), exchanges) == {}


@pytest.mark.parametrize("name", [one["name"] for one in json.loads(block("json"))["exchanges"]])
def test_every_exchange_of_the_skeleton_is_demanded(name: str, tmp_path: Path) -> None:
    record = json.loads(block("json"))
    record["exchanges"] = [one for one in record["exchanges"] if one["name"] != name]
    assert broken(provider_of(block("python")), loaded(record, tmp_path))


# What is written instead of a part of the skeleton; the check that finds it; what that says.
SLIPS = {
    "an unknown word read as failure": (
        "        return self.standing(task)\n",
        "        status = self.standing(task)\n"
        '        return _failed(task) if getattr(status, "unknown", None) else status\n',
        "every_conversation_is_as_recorded",
        "a status word that no document has",
    ),
    "only the recorded unknown word read as running": (
        "        return self.standing(task)\n",
        "        status = self.standing(task)\n"
        '        word = getattr(status, "unknown", None)\n'
        '        return _failed(task) if word and word != "polishing" else status\n',
        "a_word_that_no_document_has_is_running",
        "another word that no document has",
    ),
    "an HTTP error of a poll read as a failure": (
        'task = yield from self.ask(Call("GET", self.url(f"/v1/videos/{ticket.opaque}")))',
        'reply = yield Call("GET", self.url(f"/v1/videos/{ticket.opaque}"))\n'
        "        if reply.status == 409:\n"
        '            return Failed("a conflict", "")\n'
        "        task = self.read(reply)",
        "errors_while_polling_are_explained",
        "answered HTTP 409",
    ),
    "extra forgotten": (
        "body, self.extra(order)",
        "body, {}",
        "extra_fields_are_sent_and_counts_are_not",
        "an extra field was not sent",
    ),
    "HTTP errors of a poll not explained": (
        'task = yield from self.ask(Call("GET", self.url(f"/v1/videos/{ticket.opaque}")))',
        'task = (yield Call("GET", self.url(f"/v1/videos/{ticket.opaque}"))).object()',
        "errors_while_polling_are_explained",
        "answered HTTP 400",
    ),
    "a mode without counts": (
        "                images=9,\n",
        "",
        "limits_say_what_the_modes_need",
        "takes 0 references of each kind",
    ),
    "a second spending call": (
        'return (yield from self.create(self.url("/v1/videos"), body, self.extra(order)))',
        'call = self.paid_call(self.url("/v1/videos"), body, self.extra(order))\n'
        "        reply = yield call\n"
        "        return self.ticket(reply if reply.ok else (yield call))",
        "a_create_makes_one_paid_call_and_nothing_else_makes_any",
        "a second paid call after HTTP 400",
    ),
    "a signed address in an error": (
        "    def cancel(",
        "    def explain(self, reply):\n"
        "        error = super().explain(reply)\n"
        "        error.hint = reply.body.decode()\n"
        "        return error\n\n"
        "    def cancel(",
        "a_signed_address_is_never_shown",
        "shows a signed address",
    ),
    "a price in the wrong currency": (
        'Money(amount, "USD", estimated=True',
        'Money(amount, "CNY", estimated=True',
        "prices_are_recorded_and_of_one_currency",
        "recorded are ['USD']",
    ),
    "a status word forgotten": (
        '        "failed": _failed,\n',
        "",
        "every_conversation_is_as_recorded",
        "'failed'",
    ),
    "another price for another address": (
        "amount = round(PRICES",
        'amount = ("elsewhere" in self.config.base_url) + round(PRICES',
        "prices_are_recorded_and_of_one_currency",
        "from the order alone",
    ),
    "a cancel that costs money": (
        'yield Call("DELETE", self.url(f"/v1/videos/{ticket.opaque}"))',
        'yield Call("DELETE", self.url(f"/v1/videos/{ticket.opaque}"), spends=True)',
        "every_conversation_is_as_recorded",
        "a task is cancelled",
    ),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_caught(slip: str, exchanges: list[Exchange]) -> None:
    right, written, check, said = SLIPS[slip]
    skeleton = block("python")
    assert skeleton.count(right) == 1
    found = broken(provider_of(skeleton.replace(right, written)), exchanges)
    assert said in found.get(check, ""), found


def test_the_exchanges_are_replayed_over_http(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = provider_of(block("python"))
    loaded(json.loads(block("json")), tmp_path)
    monkeypatch.setattr(wire_player, "FOLDER", tmp_path)
    for module in ("fakes", "fakes._replay"):
        monkeypatch.setattr(f"{module}._provider_class", lambda name: kind)
    with replay("acme")(b"clip", polls_until_done=0) as fake:
        provider = kind(wire.Config(fake.base_url))
        order = Order(prompt="a cat", ratio="9:16", seed=3)
        first, second = (drive(fake, provider.submit(order, wire.Delivered())) for _ in range(2))
        assert (str(first), str(second)) == ("acme:vid_1-0001", "acme:vid_1-0002")
        assert drive(fake, provider.check(first)) == wire.Done(fake.result_url)
        fake.fail_with = fake.failure("No luck.", "tired")
        assert drive(fake, provider.check(second)) == wire.Failed("No luck.", "tired")
        assert isinstance(drive(fake, provider.cancel(second)), wire.CannotCancel)
        third = drive(fake, provider.submit(order, wire.Delivered()))
        assert isinstance(drive(fake, provider.cancel(third)), wire.TaskCancelled)
        assert isinstance(drive(fake, provider.check(third)), wire.TaskCancelled)
        assert drive(fake, provider.probe_key()).account == "ada@example.com"


def test_what_the_recipe_names_is_there() -> None:
    names = re.findall(r"`((?:seedance|scripts|tests)/[\w./]+|\w+\.(?:md|py))`", RECIPE)
    assert len(names) > 8
    for name in names:
        if "acme" not in name:
            beside = ROOT / "seedance" / "providers" / name
            assert (ROOT / name).exists() or beside.exists(), name
