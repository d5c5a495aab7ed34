"""Plays recorded exchanges (tests/providers/wire/<id>.json) against a provider's flows.

Every call is compared completely: a key left out of a recorded call stands for its default, so that
a field which stops being sent, or is sent too much, fails. `providers/new_provider.md` tells the
keys of an exchange.
"""

from __future__ import annotations

import base64
import copy
import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from paths import ROOT

from seedance import money, wire
from seedance.errors import SeedanceError
from seedance.order import Medium, Order

FOLDER = ROOT / "tests" / "providers" / "wire"
GATEWAY = "https://gateway.example"  # for a provider that publishes no base URL

Exchange: TypeAlias = dict[str, Any]

# `variants` are not among them: they are exchanges of their own once a file is loaded.
EXCHANGE_KEYS = {
    *("name", "source", "flow", "config", "talk", "result", "error"),
    *(
        "order",
        "mode_media",
        "delivered",
        "ticket",
        "since",
        "mark",
        "create",
        "blob",
        "clip_seconds",
    ),
    *("action", "arguments"),
}


def _recorded(name: str, value: Any) -> Any:
    """A field of a call as exchanges record it."""
    match name:
        case "form":
            return [list(pair) for pair in value]
        case "file":
            return value and {"field": value.field, "name": value.blob.name}
        case "body":
            return value is not None
        case "headers":
            return {header.lower(): text for header, text in value.items()}
        case "query":
            return dict(value)
    return value


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return _recorded(field.name, field.default_factory())
    return None if field.default is dataclasses.MISSING else _recorded(field.name, field.default)


# From the class itself, so that a field that it gains is compared too.
CALL_DEFAULTS = {field.name: _default(field) for field in dataclasses.fields(wire.Call)}
STATUSES = {
    kind.__name__: kind
    for kind in (wire.Running, wire.Done, wire.Failed, wire.TaskCancelled, wire.Expired)
}


def load(path: Path) -> tuple[str, list[Exchange]]:
    """The provider id and the exchanges of one file, each with the `config` that all of them have
    in common."""
    record = json.loads(path.read_text(encoding="utf-8"))
    exchanges = [one for given in record["exchanges"] for one in _varied(given)]
    if common := record.get("config"):
        exchanges = [{**one, "config": {**common, **one.get("config", {})}} for one in exchanges]
    return record["provider"], exchanges


def _varied(exchange: Exchange) -> Iterator[Exchange]:
    """The exchange, and what its `variants` make of it: another order, and so another body of the
    paid call."""
    variants = exchange.pop("variants", [])
    yield exchange
    for variant in variants:
        other = copy.deepcopy(exchange)
        other["name"] += f", {' '.join(map(str, variant['order'].values()))}"
        other["order"] = {**other["order"], **variant["order"]}
        _merge(other["talk"][-1]["call"]["json"], variant["json"])
        yield other


def _merge(body: dict[str, Any], other: dict[str, Any]) -> None:
    for name, value in other.items():
        if isinstance(value, dict) and isinstance(body.get(name), dict):
            _merge(body[name], value)
        else:
            body[name] = value


def exchanges_of(provider_id: str) -> list[Exchange]:
    """The exchanges of a provider; none where there is no file."""
    path = FOLDER / f"{provider_id}.json"
    return load(path)[1] if path.exists() else []


def play(kind: type[wire.Provider], exchange: Exchange) -> None:
    """Hold the whole conversation; raises AssertionError at the first difference."""
    if unknown := set(exchange) - EXCHANGE_KEYS:
        raise AssertionError(f"unknown keys in the exchange: {sorted(unknown)}")
    assert ("result" in exchange) != ("error" in exchange), "exactly one of result and error"
    try:
        outcome = _talk(start(kind, exchange), exchange["talk"])
    except SeedanceError as error:
        if "error" not in exchange:
            raise
        _compare_error(error, exchange["error"])
        return
    assert "error" not in exchange, f"no error, but {outcome!r}"
    if exchange["flow"] == "cancel":
        _compare_cancel(outcome, exchange["result"])
    elif exchange["flow"] == "assets":
        assert _told(outcome) == exchange["result"]
    else:
        assert outcome == _expected(exchange["flow"], exchange["result"])
    if isinstance(outcome, wire.Ticket):
        assert wire.Ticket.parse(str(outcome)).opaque == outcome.opaque


# ------------------------------------------------------------------------------------- the flow


def start(kind: type[wire.Provider], exchange: Exchange) -> wire.Flow[Any]:
    """The flow that an exchange is about, before its first step."""
    provider = configured(kind, exchange.get("config", {}), exchange.get("mark", ""))
    return _flow(provider, exchange)


def configured(kind: type[wire.Provider], config: dict[str, Any], mark: str = "") -> wire.Provider:
    """The provider with the configuration of an exchange."""
    return kind(
        wire.Config(
            base_url=config.get("base_url") or kind.default_base_url or GATEWAY,
            upload_url=config.get("upload_url") or kind.default_upload_url,
            asset_url=kind.default_asset_url,
            models=config.get("models", {}),
            options=config.get("options", {}),
            history_url=config.get("history_url"),
            catalog=config.get("catalog", {}),
        ),
        mark,
    )


def _flow(provider: wire.Provider, exchange: Exchange) -> wire.Flow[Any]:
    match exchange["flow"]:
        case "submit":
            return provider.submit(
                order_of(provider, exchange), _placed(exchange.get("delivered", {}))
            )
        case "finish":
            return provider.finish(
                order_of(provider, exchange), wire.Ticket.parse(exchange["ticket"])
            )
        case "check":
            return provider.check(wire.Ticket.parse(exchange["ticket"]))
        case "cancel":
            return provider.cancel(wire.Ticket.parse(exchange["ticket"]))
        case "upload":
            return provider.upload(_blob(exchange["blob"]))
        case "probe_key":
            return provider.probe_key()
        case "find":
            order = order_of(provider, exchange).describe()
            return provider.find(order, exchange["since"], _kept(exchange))
        case "recent":
            return provider.recent(exchange["since"])
        case "catalog":
            return provider.catalog()
        case "estimate":
            return _estimate(provider, order_of(provider, exchange), exchange.get("clip_seconds"))
        case "live_price":
            return provider.live_price(order_of(provider, exchange), exchange.get("clip_seconds"))
        case "assets":
            flow: wire.Flow[Any] = getattr(provider.assets(), exchange["action"])(
                **exchange.get("arguments", {})
            )
            return flow
    raise AssertionError(f"unknown flow {exchange['flow']!r}")


def _estimate(
    provider: wire.Provider, order: Order, clip_seconds: float | None
) -> wire.Flow[money.Money | None]:
    return provider.estimate(order, clip_seconds)
    yield


def _kept(exchange: Exchange) -> wire.Call | None:
    """The paid call that the journal keeps."""
    record = exchange.get("create")
    return wire.Call("POST", record["url"], json=record["json"]) if record else None


def order_of(provider: wire.Provider | type[wire.Provider], exchange: Exchange) -> Order:
    """The order of an exchange, with as many media as it says."""
    media = exchange.get("mode_media", {})

    def dummies(kind: Any, count: int) -> list[Medium]:
        return [
            Medium.from_address(kind, f"https://media.example/{kind}-{n}") for n in range(count)
        ]

    def single(name: str, kind: Any) -> Medium | None:
        return dummies(kind, 1)[0] if media.get(name) else None

    return Order(
        **{"provider": provider.id, **exchange.get("order", {})},
        first_frame=single("first_frame", "image"),
        last_frame=single("last_frame", "image"),
        video=single("video", "video"),
        references=(
            *dummies("image", media.get("images", 0)),
            *dummies("video", media.get("videos", 0)),
            *dummies("audio", media.get("audios", 0)),
        ),
    )


def _placed(record: dict[str, Any]) -> wire.Delivered:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in record.items()
    }
    return wire.Delivered(**values)


def _blob(record: dict[str, Any]) -> wire.Blob:
    data = base64.b64decode(record["data"])
    measured = {name: value for name, value in record.items() if name != "data"}
    digest = hashlib.sha256(data).hexdigest()
    return wire.Blob(**measured, size=len(data), digest=digest, data=data)


# ------------------------------------------------------------------------------------- the talk


def _talk(flow: wire.Flow[Any], talk: list[dict[str, Any]]) -> Any:
    reply: wire.Reply | None = None
    for step in talk:
        try:
            asked = flow.send(reply)  # type: ignore[arg-type]
        except StopIteration as stop:
            raise AssertionError(f"ended with {stop.value!r} before {step}") from None
        if "pause" in step:
            assert isinstance(asked, wire.Pause), f"a pause was expected, not {asked}"
            assert asked.seconds == step["pause"]
            reply = None
        else:
            assert isinstance(asked, wire.Call), f"a call was expected, not {asked}"
            _compare_call(asked, step["call"])
            reply = reply_of(step["reply"])
    try:
        more = flow.send(reply)  # type: ignore[arg-type]
    except StopIteration as stop:
        return stop.value
    raise AssertionError(f"one step too much: {more}")


def _compare_call(call: wire.Call, recorded: dict[str, Any]) -> None:
    if unknown := set(recorded) - set(CALL_DEFAULTS):
        raise AssertionError(f"unknown keys in the recorded call: {sorted(unknown)}")
    bodies = [call.json is not None, bool(call.form or call.file), call.body is not None]
    assert sum(bodies) <= 1, "a call has at most one body"
    sent = {name: _recorded(name, getattr(call, name)) for name in CALL_DEFAULTS}
    expected = {**CALL_DEFAULTS, **recorded}
    expected["headers"] = _recorded("headers", expected["headers"])
    # As text, because in Python 1 == True == 1.0, and on the wire they differ.
    assert _text(sent) == _text(expected)


def _text(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)


def reply_of(record: dict[str, Any]) -> wire.Reply:
    """A recorded answer as a flow receives it."""
    headers = {name.lower(): value for name, value in record.get("headers", {}).items()}
    if "json" in record:
        body = json.dumps(record["json"]).encode()
        headers.setdefault("content-type", "application/json")
    else:
        body = record.get("text", "").encode()
    return wire.Reply(record["status"], headers, body)


# ---------------------------------------------------------------------------------- the outcome


def _expected(flow: str, record: dict[str, Any] | None) -> Any:
    if record is None:
        return None
    values = dict(record)
    for name in ("cost", "left"):
        if values.get(name):
            values[name] = money.Money(**values[name])
    if end := dict(values.get("without_address") or {}):
        values["without_address"] = STATUSES[end.pop("type", "Failed")](**end)
    match flow:
        case "recent":
            return [wire.Ticket.parse(each) for each in values["tickets"]]
        case "submit" | "find" | "finish":
            ticket = wire.Ticket.parse(values["ticket"])
            return wire.Ticket(ticket.provider, ticket.opaque, values.get("cost"))
        case "check":
            return STATUSES[values.pop("type")](**values)
        case "upload":
            return wire.Uploaded(**values)
        case "catalog":
            return values
        case "estimate" | "live_price":
            return money.Money(**values)
        case _:
            return wire.Balance(**values)


def _told(outcome: Any) -> Any:
    """What a flow about assets gives, as exchanges record it: without what is empty."""
    if isinstance(outcome, list):
        return [_told(one) for one in outcome]
    if dataclasses.is_dataclass(outcome) and not isinstance(outcome, type):
        return {name: value for name, value in dataclasses.asdict(outcome).items() if value}
    return outcome


def _compare_cancel(outcome: wire.Cancelling, expected: dict[str, Any]) -> None:
    assert type(outcome).__name__ == expected["type"]
    for part in expected.get("says", ()):
        assert isinstance(outcome, wire.CannotCancel) and part in outcome.reason


def _compare_error(error: SeedanceError, expected: dict[str, Any]) -> None:
    assert error.kind == expected["kind"], f"{error.kind}: {error}"
    for part in expected.get("says", ()):
        assert part in str(error)
    if "spent" in expected:
        assert error.spent == expected["spent"]
