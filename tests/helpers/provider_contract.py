"""What every provider must show by its recorded exchanges.

Each check takes a provider class and its exchanges, and raises AssertionError with what is missing
in words for whoever adds a provider. Some hold the recorded conversations again with other answers,
so that a flow is also right where nobody recorded it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeAlias, get_args

import wire_player
from wire_player import Exchange

from seedance import wire
from seedance.errors import BadOrder, OddReply, Refused, SeedanceError
from seedance.money import Money
from seedance.order import RATIOS, RESOLUTIONS, Kind, Medium, Mode, Order

ProviderClass: TypeAlias = type[wire.Provider]
Check: TypeAlias = Callable[[ProviderClass, list[Exchange]], None]
CHECKS: dict[str, Check] = {}


def check(function: Check) -> Check:
    """Make a function one of the checks that every provider must pass."""
    CHECKS[function.__name__] = function
    return function


# ------------------------------------------------------------------------------- the whole record


@check
def every_exchange_has_a_name_of_its_own_and_a_source(
    provider: ProviderClass, exchanges: list[Exchange]
) -> None:
    names = [exchange["name"] for exchange in exchanges]
    assert names, f"there are no recorded exchanges: write tests/providers/wire/{provider.id}.json"
    assert len(names) == len(set(names)), f"two exchanges have the same name: {sorted(names)}"
    bare = [exchange["name"] for exchange in exchanges if not exchange.get("source")]
    assert not bare, f"without a source: {bare}"


@check
def every_conversation_is_as_recorded(provider: ProviderClass, exchanges: list[Exchange]) -> None:
    for exchange in exchanges:
        try:
            wire_player.play(provider, exchange)
        except AssertionError as error:
            raise AssertionError(f"{exchange['name']!r}: {error}") from error


@check
def what_it_can_is_recorded(provider: ProviderClass, exchanges: list[Exchange]) -> None:
    for capability in get_args(wire.Capability):
        if capability == "idempotency":
            continue  # it is part of a create
        recorded = any(
            exchange["flow"] == capability and "error" not in exchange for exchange in exchanges
        )
        if provider.can(capability):
            assert recorded, f"it has {capability}: record an exchange where that succeeds"


# ------------------------------------------------------------------------------------ the paid call


@check
def an_idempotency_key_goes_with_every_create(
    provider: ProviderClass, exchanges: list[Exchange]
) -> None:
    if provider.idempotency is None:
        return
    assert provider.random_mark and provider.keeps_create, "the key is the mark of a kept create"
    header = provider.idempotency.header.lower()
    creates = [*successful(exchanges, "submit"), *successful(exchanges, "finish")]
    assert any(exchange.get("mark") for exchange in creates), "record a create with its key"
    for exchange in creates:
        call = first_paid_call(provider, {**exchange, "mark": "a-key"})
        sent = {name.lower(): value for name, value in call.headers.items()}
        assert sent.get(header) == "a-key", f"{exchange['name']!r}: no {header}"


@check
def a_mark_is_sent_and_is_not_a_persons(provider: ProviderClass, exchanges: list[Exchange]) -> None:
    if not provider.can("find") or not (provider.random_mark or provider.marks):
        return
    mark = "4711-a-mark" if provider.random_mark else str(provider.marks[7])
    for exchange in successful(exchanges, "submit"):
        if provider.id in exchange.get("order", {}).get("extra", {}):  # which may set the field
            continue
        call = first_paid_call(provider, {**exchange, "mark": mark})
        assert mark in json.dumps(call.json), f"{exchange['name']!r}: the mark is not sent"


@check
def a_create_makes_one_paid_call_and_nothing_else_makes_any(
    provider: ProviderClass, exchanges: list[Exchange]
) -> None:
    for exchange in exchanges:
        sent = calls(exchange)
        paid = [call for call in sent if call.get("spends")]
        if exchange["flow"] not in ("submit", "finish"):
            assert not paid, f"{exchange['name']!r}: a call of {exchange['flow']} spends"
        elif "error" not in exchange:
            assert paid and paid[-1] is sent[-1], f"{exchange['name']!r}: the last call must spend"
    for exchange in [one for one in exchanges if one["flow"] in ("submit", "finish")]:
        for answer in (200, 202, 400, 401, 402, 422, 429, 500, 503):
            flow = wire_player.start(provider, exchange)
            assert paid_calls(flow, exchange, wire.Reply(answer, body=b"{}")) <= 1, (
                f"{exchange['name']!r}: a second paid call after HTTP {answer}"
            )


@check
def a_create_without_an_id_is_odd(provider: ProviderClass, exchanges: list[Exchange]) -> None:
    assert any(
        exchange["flow"] == "submit"
        and exchange.get("error", {}).get("kind") == "OddReply"
        and last_status(exchange) in range(200, 300)
        for exchange in exchanges
    ), "record a create that is answered with 2xx and without an id: an OddReply"
    for exchange in successful(exchanges, "submit"):
        outcome = with_last_answer(provider, exchange, wire.Reply(200, body=b"{}"))
        assert isinstance(outcome, OddReply), f"{exchange['name']!r}, answered {{}}: {outcome!r}"


@check
def extra_fields_are_sent_and_counts_are_not(
    provider: ProviderClass, exchanges: list[Exchange]
) -> None:
    assert any(
        exchange.get("order", {}).get("extra", {}).get(provider.id)
        for exchange in successful(exchanges, "submit")
    ), f'record a create with a field of the user\'s own: "extra": {{"{provider.id}": {{...}}}}'
    for exchange in successful(exchanges, "submit"):
        own = exchange.get("order", {}).get("extra", {}).get(provider.id, {})
        with_mark = {**own, "a_field_of_mine": "its value"}
        call = first_paid_call(provider, with_extra(provider, exchange, with_mark))
        assert '"a_field_of_mine": "its value"' in json.dumps(call.json), (
            f"{exchange['name']!r}: an extra field was not sent"
        )
        try:
            first_paid_call(provider, with_extra(provider, exchange, {**own, "n": 2}))
        except BadOrder:
            continue
        raise AssertionError(f"{exchange['name']!r}: extra could set the count n")


@check
def every_mode_is_recorded_with_its_counts(
    provider: ProviderClass, exchanges: list[Exchange]
) -> None:
    orders = [
        wire_player.order_of(provider, exchange) for exchange in successful(exchanges, "submit")
    ]
    for mode in get_args(Mode):
        able = [model for model in provider.limits.models.values() if mode in model.modes]
        these = [order for order in orders if order.mode == mode]
        assert these or not able, f"record a create in the mode {mode}"
        for kind in get_args(Kind):
            most = max((model.counts(mode)[kind] for model in able), default=0)
            recorded = max((len(order.of_kind(kind)) for order in these), default=0)
            wanted = min(most, 2 if kind == "image" and mode == "reference" else 1)
            assert recorded >= wanted, f"record a create in the mode {mode} with {wanted} {kind}"


@check
def every_word_of_the_limits_is_recorded(
    provider: ProviderClass, exchanges: list[Exchange]
) -> None:
    orders = [
        wire_player.order_of(provider, exchange) for exchange in successful(exchanges, "submit")
    ]
    models = provider.limits.models
    adaptive = ["adaptive"] if any(model.adaptive for model in models.values()) else []
    for field, offered in (
        ("model", list(models)),
        ("resolution", [word for model in models.values() for word in model.resolutions]),
        ("ratio", [*adaptive, *(word for model in models.values() for word in model.ratios)]),
    ):
        missing = sorted(set(offered) - {getattr(order, field) for order in orders})
        assert not missing, f"record creates (or variants of one) with the {field} {missing}"


@check
def every_field_of_an_order_is_sent(provider: ProviderClass, exchanges: list[Exchange]) -> None:
    for exchange in successful(exchanges, "submit"):
        asked = exchange.get("order", {})
        if provider.id in asked.get("extra", {}):  # which may stand instead of other fields
            continue
        before = first_paid_call(provider, exchange)
        here = wire_player.configured(provider, exchange.get("config", {}))
        for field, value in _others(here, wire_player.order_of(here, exchange)).items():
            changed = {**exchange, "order": {**asked, field: value}}
            after = first_paid_call(provider, changed)
            assert (after.url, after.json) != (before.url, before.json), (
                f"{exchange['name']!r}: {field} {value!r} makes no difference to what is sent"
            )


def _others(provider: wire.Provider, order: Order) -> dict[str, Any]:
    """Another value for each field of an order that the model has a choice of."""
    model = provider.limits.models[order.model]
    sized = [one for one in model.ratios if one in model.sizes.get(order.resolution, model.ratios)]
    choices: dict[str, Iterable[Any]] = {
        "prompt": (f"{order.prompt} again",),
        "seed": (order.seed ^ 1,) if model.seed else (),
        "generate_audio": (not order.generate_audio,) if model.generates_audio else (),
        "resolution": model.resolutions,
        "ratio": () if order.mode in model.source_ratio else sized,
        "duration": () if order.mode in model.source_duration else model.durations,
        "draft": (True,) if order.mode in model.drafts and order.resolution == "480p" else (),
        "web_search": (not order.web_search,) if order.mode in model.web_search else (),
        "output_format": model.formats,
        "watermark": (not order.watermark,) if model.watermark else (),
        "camera_fixed": (not order.camera_fixed,) if model.camera_fixed else (),
        "keep_audio": (not order.keep_audio,) if model.keeps_audio and order.video else (),
    }
    others = {
        field: next((value for value in values if value != getattr(order, field)), None)
        for field, values in choices.items()
    }
    return {field: value for field, value in others.items() if value is not None}


# ------------------------------------------------------------------------------------------ polling


@check
def a_word_that_no_document_has_is_running(
    provider: ProviderClass, exchanges: list[Exchange]
) -> None:
    unknown = [
        exchange
        for exchange in successful(exchanges, "check")
        if exchange["result"]["type"] == "Running" and exchange["result"].get("unknown")
    ]
    assert unknown, "record a status word that no document has: Running, with the word as unknown"
    for exchange in unknown:
        word = exchange["result"]["unknown"]
        assert word in texts(replies(exchange)), f"{exchange['name']!r}: no answer has {word!r}"
        other = ended(provider, quoting(exchange, word, "zzyzx"))
        assert isinstance(other, wire.Running) and other.unknown, (
            f"{exchange['name']!r}: another word that no document has is {other!r}"
        )


@check
def every_status_word_is_recorded(provider: ProviderClass, exchanges: list[Exchange]) -> None:
    recorded = {
        wire.plain_word(text)
        for exchange in successful(exchanges, "check")
        for text in texts(replies(exchange))
    }
    missing = set(wire_player.configured(provider, {}).words) - recorded
    assert not missing, f"record an answer with each of these status words: {sorted(missing)}"


@check
def errors_while_polling_are_explained(provider: ProviderClass, exchanges: list[Exchange]) -> None:
    polls = [exchange for exchange in exchanges if exchange["flow"] == "check"]
    for status in (401, 404):
        assert any(last_status(exchange) == status for exchange in polls), (
            f"record a poll that is answered with HTTP {status}"
        )
    for exchange in successful(exchanges, "check"):
        for status in (400, 401, 403, 404, 422):
            outcome = with_first_answer(provider, exchange, wire.Reply(status, body=b"{}"))
            gone = status == 404 and isinstance(outcome, wire.Expired)
            assert gone or isinstance(outcome, Refused), (
                f"{exchange['name']!r}, answered HTTP {status}: {outcome!r} is not what "
                "`explain` gives"
            )
            if status == 401:
                assert "key" in str(outcome), f"HTTP 401 must speak of the key: {outcome}"
        for status in (408, 409, 410, 425, 429, 500, 503):
            outcome = with_first_answer(provider, exchange, wire.Reply(status, body=b"{}"))
            gone = status == 410 and isinstance(outcome, wire.Expired)
            assert gone or isinstance(outcome, SeedanceError), (
                f"{exchange['name']!r}, answered HTTP {status}: {outcome!r} ends a task, of which "
                "the answer tells nothing"
            )


@check
def a_poll_that_makes_no_sense_is_odd(provider: ProviderClass, exchanges: list[Exchange]) -> None:
    for exchange in successful(exchanges, "check"):
        for body in (b"{}", b"[]", b'"ok"', b"null", b"", b"<html>"):
            outcome = with_first_answer(provider, exchange, wire.Reply(200, body=body))
            assert isinstance(outcome, OddReply), (
                f"{exchange['name']!r}, answered {body!r}: {outcome!r}"
            )


@check
def an_upload_without_an_address_is_odd(provider: ProviderClass, exchanges: list[Exchange]) -> None:
    for exchange in successful(exchanges, "upload"):
        outcome = with_first_answer(provider, exchange, wire.Reply(200, body=b"{}"))
        assert isinstance(outcome, OddReply), f"{exchange['name']!r}, answered {{}}: {outcome!r}"


# -------------------------------------------------------------------------------------------- words

SIGNED = "https://files.example/a.mp4?X-Amz-Signature=SECRET&X-Amz-Expires=60"


@check
def a_signed_address_is_never_shown(provider: ProviderClass, exchanges: list[Exchange]) -> None:
    said = f"cannot read {SIGNED} now"
    error = {
        **dict.fromkeys(("message", "detail", "error_msg", "msg", "title", "data"), said),
        "error": {"message": said, "code": said},
    }
    bodies = [error, {**error, "error": said}, {"detail": [{"msg": said, "type": said}]}]
    for exchange in exchanges:
        for status in (200, 400, 401, 402, 403, 404, 422):
            for body in bodies:
                reply = wire.Reply(status, body=json.dumps(body).encode())
                for outcome in (
                    with_first_answer(provider, exchange, reply),
                    with_last_answer(provider, exchange, reply),
                ):
                    assert "SECRET" not in shown(outcome), (
                        f"{exchange['name']!r}, answered HTTP {status}: shows a signed address: "
                        f"{shown(outcome)}"
                    )
    for exchange in successful(exchanges, "check"):
        if exchange["result"]["type"] == "Failed":
            outcome = ended(provider, quoting(exchange, exchange["result"]["message"], said))
            assert "SECRET" not in shown(outcome), f"{exchange['name']!r}: {shown(outcome)}"


# ----------------------------------------------------------------------------------- limits, prices


@check
def limits_say_what_the_modes_need(provider: ProviderClass, exchanges: list[Exchange]) -> None:
    for name, model in provider.limits.models.items():
        assert model.modes, f"{name} has no mode"
        assert model.sources or provider.key_variable is None, f"{name}: name the sources"
        assert model.by_prompt <= model.modes, f"{name}: {sorted(model.by_prompt - model.modes)}"
        assert set(model.resolutions) <= set(RESOLUTIONS), f"{name}: {model.resolutions}"
        assert set(model.ratios) <= set(RATIOS) - {"adaptive"}, f"{name}: {model.ratios}"
        assert model.durations[0] <= model.durations[1], f"{name}: {model.durations}"
        for modes in (model.adaptive, model.source_ratio, model.source_duration):
            assert modes <= model.modes, f"{name}: {sorted(modes - model.modes)} are not its modes"
        for mode in model.modes:
            for kind in _kinds(model, mode):
                assert provider.limits.delivery.get(kind), f"{name}: no delivery for {kind}"
                assert provider.limits.of(kind, name, mode), f"{name}: no limits for {kind}"
        assert "reference" not in model.modes or any(model.counts("reference").values()), (
            f"{name} has the mode reference, but takes 0 references of each kind"
        )
        assert "reference" in model.modes or not (model.images or model.videos or model.audios), (
            f"{name} counts references, but has no mode for them"
        )


def _kinds(model: wire.ModelLimits, mode: Mode) -> Iterator[Kind]:
    """The kinds of media that an order in a mode may have."""
    if mode in ("image", "frames"):
        yield "image"
    if mode in ("edit", "extend"):
        yield "video"
    for kind, count in model.counts(mode).items():
        if count:
            yield kind


@check
def prices_are_recorded_and_of_one_currency(
    provider: ProviderClass, exchanges: list[Exchange]
) -> None:
    recorded = [
        exchange["result"]["currency"]
        for exchange in successful(exchanges, "estimate")
        if exchange["result"]
    ]
    if not provider.can("estimate"):
        return
    assert recorded, "it has prices: record an exchange of the flow estimate, with their source"
    results = [each["result"] for each in exchanges if isinstance(each.get("result"), dict)]
    currencies = {result["cost"]["currency"] for result in results if result.get("cost")}
    currencies -= {"credits"}
    assert currencies <= set(recorded), f"costs in {currencies}, but prices in {set(recorded)}"
    elsewhere = wire_player.configured(provider, {"base_url": "https://elsewhere.example"})
    for order in orders_of(provider):
        price = wire_player.configured(provider, {}).estimate(order)
        assert price == elsewhere.estimate(order), "a price follows from the order alone"
        if price is not None:
            _check_price(price, recorded)


def _check_price(price: Money, recorded: list[str]) -> None:
    assert {price.currency} == set(recorded), f"{price}, but recorded are {recorded}"
    assert price.currency in ("USD", "CNY"), f"no currency of a price list: {price.currency}"
    assert 0 <= price.amount < 1000, f"no sensible price: {price}"
    if price.amount:
        assert price.estimated and price.as_of, f"not said to be an estimate, or of when: {price}"


def orders_of(provider: ProviderClass) -> Iterator[Order]:
    """An order of about five seconds in every model, mode and resolution."""
    for name, model in provider.limits.models.items():
        for mode in sorted(model.modes):
            for resolution in model.resolutions:
                yield Order(
                    prompt="a cat",
                    provider=provider.id,
                    model=name,
                    resolution=resolution,
                    ratio=model.ratios[0],
                    duration=max(5, model.durations[0]),
                    **_media(model, mode),
                )


def _media(model: wire.ModelLimits, mode: Mode) -> dict[str, Any]:
    """The media that make an order one of a mode."""
    of: dict[Kind, Medium] = {
        kind: Medium.from_address(kind, f"https://media.example/{kind}") for kind in get_args(Kind)
    }
    match mode:
        case "image":
            return {"first_frame": of["image"]}
        case "frames":
            return {"first_frame": of["image"], "last_frame": of["image"]}
        case "reference":
            counts = model.counts(mode)
            return {"references": tuple(of[kind] for kind in of if counts[kind])}
        case "edit" | "extend":
            return {"video": of["video"], "operation": mode}
    return {}


# ------------------------------------------------------------------------------ what is recorded


def successful(exchanges: list[Exchange], flow: str) -> list[Exchange]:
    """The exchanges of a flow that end with a result."""
    return [one for one in exchanges if one["flow"] == flow and "error" not in one]


def calls(exchange: Exchange) -> list[dict[str, Any]]:
    """The recorded calls of an exchange."""
    return [step["call"] for step in exchange["talk"] if "call" in step]


def replies(exchange: Exchange) -> list[dict[str, Any]]:
    """The recorded answers of an exchange."""
    return [step["reply"] for step in exchange["talk"] if "reply" in step]


def last_status(exchange: Exchange) -> int | None:
    """The HTTP status of the last answer, None where nothing was sent."""
    answers = replies(exchange)
    return answers[-1]["status"] if answers else None


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from texts(item)


def with_extra(provider: ProviderClass, exchange: Exchange, extra: dict[str, Any]) -> Exchange:
    """The exchange with other fields of the user's own."""
    return {**exchange, "order": {**exchange.get("order", {}), "extra": {provider.id: extra}}}


def quoting(exchange: Exchange, text: str, other: str) -> Exchange:
    """The exchange whose answers say `other` where they said `text`."""
    old, new = (json.dumps(word, ensure_ascii=False)[1:-1] for word in (text, other))
    talk = json.dumps(exchange["talk"], ensure_ascii=False).replace(old, new)
    return {**exchange, "talk": json.loads(talk)}


# ---------------------------------------------------------------- other answers than the recorded


def first_paid_call(provider: ProviderClass, exchange: Exchange) -> wire.Call:
    """The paid call of a create, after the recorded answers to those before it."""
    flow = wire_player.start(provider, exchange)
    step = next(flow)
    for reply in replies(exchange):
        if isinstance(step, wire.Call) and step.spends:
            return step
        step = flow.send(wire_player.reply_of(reply))
    raise AssertionError(f"{exchange['name']!r}: there is no paid call")


def paid_calls(flow: wire.Flow[Any], exchange: Exchange, answer: wire.Reply) -> int:
    """How many paid calls a create makes when each is answered with `answer`."""
    recorded = iter(replies(exchange))
    paid = 0
    reply: Any = None
    for _ in range(20):
        try:
            step = flow.send(reply)
        except (StopIteration, SeedanceError):
            return paid
        if isinstance(step, wire.Call) and step.spends:
            paid, reply = paid + 1, answer
        else:
            before = next(recorded, None)
            reply = wire_player.reply_of(before) if before else wire.Reply(0)
    raise AssertionError(f"{exchange['name']!r}: the create does not end")


def ended(provider: ProviderClass, exchange: Exchange) -> Any:
    """What a flow gives after the recorded answers: its result, or the error it raises."""
    return _hold(provider, exchange, [wire_player.reply_of(one) for one in replies(exchange)])


def with_first_answer(provider: ProviderClass, exchange: Exchange, answer: wire.Reply) -> Any:
    """What a flow gives when its first call is answered otherwise than recorded."""
    return _hold(provider, exchange, [answer])


def with_last_answer(provider: ProviderClass, exchange: Exchange, answer: wire.Reply) -> Any:
    """What a flow gives when its last call is answered otherwise than recorded."""
    recorded = [wire_player.reply_of(one) for one in replies(exchange)]
    return _hold(provider, exchange, [*recorded[:-1], answer])


def _hold(provider: ProviderClass, exchange: Exchange, answers: list[wire.Reply]) -> Any:
    flow = wire_player.start(provider, exchange)
    left = iter(answers)
    reply: Any = None
    for _ in range(100):
        try:
            step = flow.send(reply)
            # Whatever is asked after that gets the same answer.
            reply = wire.Reply(0) if isinstance(step, wire.Pause) else next(left, answers[-1])
        except StopIteration as end:
            return end.value
        except SeedanceError as error:
            return error
    return None


def shown(outcome: Any) -> str:
    """Everything of an outcome that a person may see. Addresses of results are not shown."""
    match outcome:
        case SeedanceError():
            return str(outcome)
        case wire.Failed():
            return f"{outcome.message} {outcome.code}"
        case wire.Done(without_address=wire.Failed() as failed):
            return f"{failed.message} {failed.code}"
        case wire.Expired():
            return outcome.message
        case wire.CannotCancel():
            return outcome.reason
        case wire.Balance():
            return outcome.account
    return ""
