"""Which provider serves an order, how its media travel, and a preview that sends nothing."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import clips
import fakes
import numpy as np
import pytest

from seedance import cli, providers
from seedance.errors import BadOrder, NeedsKey
from seedance.journal import NewRow
from seedance.order import Medium, Order, asked_fingerprint
from seedance.runner import Runner, delivery, quotes
from seedance.settings import Settings
from seedance.wire import Provider

KEY = "sk-the-key-that-nobody-may-see"
PICTURE = Medium.from_pixels(np.zeros((720, 960, 3), np.uint8))
CLIP = Medium.stand_in("video")
SOUND = Medium.stand_in("audio")
CAT = Order(prompt="a cat", ratio="16:9")

MADE_UP = """
from ..money import Money
from ..wire import Call, Limits, MediaLimits, ModelLimits, Provider, Running, Ticket


class MadeUp(Provider):
    id = "{id}"
    name = "{name}"
    key_variable = "{variable}"
    default_base_url = "https://{id}.example"
    limits = Limits(
        models={{
            "seedance-2.0": ModelLimits(
                id="made-up",
                modes=frozenset({{"text"}}),
                resolutions=("720p",),
                ratios=("16:9",),
                durations=({shortest}, 12),
            )
        }},
        delivery={{}},
        image=MediaLimits(("image/png",)),
    )

    def submit(self, order, delivered):
        body = {{"text": order.prompt, "seconds": order.duration}}
        reply = yield Call("POST", self.url("/make"), json=body, spends=True)
        return Ticket.issue(self.id, reply.object()["id"])

    def check(self, ticket):
        yield Call("GET", self.url("/look"))
        return Running()

    def estimate(self, order, clip_seconds=None):
        return {price}
"""


class Folder:
    """A folder of providers beside our own, one file each."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self._monkeypatch = path, monkeypatch

    def add(self, provider_id: str, price: str = "None", *, shortest: int = 4) -> None:
        """Add a provider that has a key."""
        text = MADE_UP.format(
            id=provider_id,
            name=provider_id.capitalize(),
            variable=f"{provider_id.upper()}_KEY",
            price=price,
            shortest=shortest,
        )
        (self.path / f"{provider_id}.py").write_text(text)
        self._monkeypatch.setenv(f"{provider_id.upper()}_KEY", KEY)
        providers.registry.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    path = tmp_path / "providers"
    path.mkdir()
    monkeypatch.setattr(providers, "__path__", [*providers.__path__, str(path)])
    yield Folder(path, monkeypatch)
    for file in path.glob("*.py"):
        sys.modules.pop(f"{providers.__name__}.{file.stem}", None)
        vars(providers).pop(file.stem, None)
    providers.registry.cache_clear()


def chosen(order: Order = CAT) -> str:
    return quotes.prepare(order, Settings.load()).provider.id


# ---------------------------------------------------------------------------------------- auto


def test_auto_takes_the_cheapest_in_dollars(folder: Folder) -> None:
    folder.add("dear", 'Money(2.0, "USD")')
    folder.add("fair", 'Money(1.0, "USD")')
    folder.add("steep", 'Money(3.0, "USD")')
    assert chosen() == "fair"


def test_auto_takes_a_known_price_before_an_unknown_one(folder: Folder) -> None:
    folder.add("anyprice")
    folder.add("steep", 'Money(300.0, "USD")')
    assert chosen() == "steep"


def test_auto_compares_currencies_that_have_a_rate(folder: Folder) -> None:
    folder.add("fair", 'Money(1.0, "USD")')
    folder.add("yuan", 'Money(7.0, "CNY")')  # 0.98 USD
    assert chosen() == "yuan"
    folder.add("cheaper", 'Money(0.97, "USD")')
    assert chosen() == "cheaper"


def test_auto_takes_credits_last(folder: Folder) -> None:
    folder.add("cheap", 'Money(0.1, "credits")')
    folder.add("steep", 'Money(300.0, "USD")')
    assert chosen() == "steep"


def test_auto_goes_by_the_name_where_prices_do_not_tell(folder: Folder) -> None:
    folder.add("banana", 'Money(0.1, "credits")')
    folder.add("apple")
    assert chosen() == "apple"
    folder.add("cherry", 'Money(1.0, "USD")')
    folder.add("damson", 'Money(1.0, "USD")')
    assert chosen() == "cherry"


def test_auto_takes_nobody_who_would_change_the_order(folder: Folder) -> None:
    folder.add("cheap", 'Money(0.1, "USD")', shortest=6)
    folder.add("dear", 'Money(2.0, "USD")')
    assert chosen(replace(CAT, on_unsupported="nearest")) == "dear"


def test_auto_takes_nobody_without_a_key(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.add("cheap", 'Money(0.1, "USD")')
    folder.add("dear", 'Money(2.0, "USD")')
    monkeypatch.delenv("CHEAP_KEY")
    assert chosen() == "dear"


def test_auto_takes_nobody_who_would_refuse_what_extra_adds(folder: Folder) -> None:
    """The payload is made before the choice, so that its errors count as well."""
    folder.add("cheap", 'Money(0.1, "USD")')
    file = folder.path / "cheap.py"
    refusal = "if order.extra:\n            raise BadOrder('no')\n        body ="
    text = file.read_text().replace("body =", refusal)
    file.write_text("from ..errors import BadOrder\n" + text)
    folder.add("dear", 'Money(2.0, "USD")')
    assert chosen(replace(CAT, extra={"cheap": {"text": "a dog"}})) == "dear"


def test_the_chosen_order_keeps_what_was_asked(folder: Folder) -> None:
    folder.add("fair", 'Money(1.0, "USD")')
    choice = quotes.prepare(replace(CAT, on_unsupported="nearest"), Settings.load())
    assert choice.order.provider == "fair"
    assert choice.order.on_unsupported == "nearest"
    assert choice.price is not None
    assert choice.price.amount == 1.0


def test_without_any_key_a_key_is_asked_for_and_preview_is_not_taken() -> None:
    with pytest.raises(NeedsKey) as caught:
        chosen()
    assert "preview" in caught.value.hint


def test_where_none_fits_those_with_a_key_have_a_line_and_the_others_share_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("fal", "lumenfall", "uniall"):
        monkeypatch.setenv(str(providers.get(name).key_variable), KEY)
    with pytest.raises(BadOrder) as caught:
        chosen(replace(CAT, resolution="480p", ratio="9:21"))
    lines = caught.value.message.strip().split("\n")[1:]
    named, said = zip(*(line.split(": ", 1) for line in lines))
    assert named == ("fal", "lumenfall", "uniall", "no key")
    assert "9:21" in said[0]
    assert "base URL must be set" in said[2]
    assert sorted(said[3].split(", ")) == sorted({*providers.ids()} - {"preview", *named})


def test_a_key_file_that_others_can_read_stops_auto_with_the_command_that_mends_it() -> None:
    Settings.load().set_key("lumenfall", KEY)
    Settings.load().key_file.chmod(0o644)
    with pytest.raises(BadOrder, match="Others can read") as caught:
        chosen()
    assert "chmod 600" in caught.value.hint


def test_what_no_provider_can_do_is_told_once(folder: Folder) -> None:
    folder.add("fair")
    with pytest.raises(BadOrder, match=r"There is no ratio '5:4'") as caught:
        chosen(replace(CAT, ratio="5:4"))
    assert "\n" not in caught.value.message


# ------------------------------------------------------------------------- the journal comes first


def test_auto_gives_what_it_gave_before_even_if_another_is_cheaper_now(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEEDANCE_POLL_INTERVAL", "0.05")
    known = fakes.all()
    with known["aihubmax"](polls_until_done=0) as first, known["lumenfall"]() as cheaper:
        for name, value in first.environment().items():
            monkeypatch.setenv(name, value)
        before = Runner(Settings.load()).start(CAT)[0].wait()
        for name, value in cheaper.environment().items():
            monkeypatch.setenv(name, value)
        assert chosen() == "lumenfall"
        again = Runner(Settings.load()).start(CAT)[0].wait()
        other = replace(CAT, prompt="another cat")
        assert Runner(Settings.load()).start(other)[0].wait().provider == "lumenfall"
    assert (again.provider, again.row, again.reused) == ("aihubmax", before.row, True)
    assert (first.creates, cheaper.creates) == (1, 1)


def test_auto_does_not_take_a_preview_for_the_video() -> None:
    runner, asked = Runner(Settings.load()), asked_fingerprint(CAT)
    row = NewRow(
        fingerprint="0" * 64,
        asked=asked,
        provider="preview",
        account="",
        order=CAT.describe(),
        target="clip.mp4",
    )
    runner.journal.reserve(row)
    assert runner.journal.held_as_asked(asked) is not None
    with pytest.raises(NeedsKey):
        runner.start(CAT)


# ------------------------------------------------------------------------------- a chosen provider


def test_a_provider_that_was_chosen_is_kept(folder: Folder) -> None:
    folder.add("cheap", 'Money(0.1, "USD")')
    folder.add("dear", 'Money(2.0, "USD")')
    assert chosen(replace(CAT, provider="dear")) == "dear"


def test_a_provider_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(BadOrder, match="no provider 'nobody'") as caught:
        chosen(replace(CAT, provider="nobody"))
    assert "lumenfall" in caught.value.hint


def test_nearest_changes_the_order_at_a_chosen_provider(folder: Folder) -> None:
    folder.add("fair", shortest=6)
    asked = replace(CAT, provider="fair", on_unsupported="nearest")
    choice = quotes.prepare(asked, Settings.load())
    assert choice.order.duration == 6
    assert [change.field for change in choice.changes] == ["duration"]


def test_extra_that_replaces_a_field_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(BadOrder, match="may not replace 'seed'"):
        chosen(replace(CAT, provider="lumenfall", extra={"lumenfall": {"seed": 1}}))


# ----------------------------------------------------------------------------------------- quotes


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        pytest.fail("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def all_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in providers.registry().values():
        if provider.key_variable:
            monkeypatch.setenv(provider.key_variable, KEY)
    monkeypatch.setenv("SEEDANCE_UNIALL_BASE_URL", "https://gateway.example")
    monkeypatch.setenv("SEEDANCE_S3_BUCKET", "mine")


@pytest.mark.parametrize(
    "media",
    [
        {},
        {"first_frame": PICTURE},
        {"references": (PICTURE, Medium.from_address("image", "https://files.example/a.png"))},
        {"references": (PICTURE, CLIP, SOUND)},
        {"video": CLIP},
    ],
    ids=["text", "image", "references", "all kinds", "edit"],
)
@pytest.mark.usefixtures("no_sockets")
def test_a_quote_of_every_provider_opens_no_socket(
    media: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    all_keys(monkeypatch)
    found = quotes.quotes(replace(CAT, **media), Settings.load())
    assert [quote.provider for quote in found] == providers.ids()
    assert any(quote.payload for quote in found)
    text = json.dumps([quote.as_dict() for quote in found])
    assert KEY not in text


def quote(provider_id: str, order: Order) -> quotes.Quote:
    found = quotes.quotes(order, Settings.load())
    return next(item for item in found if item.provider == provider_id)


def test_a_quote_shows_what_would_be_sent_where_and_at_what_price() -> None:
    shown = quote("lumenfall", CAT).as_dict()
    assert shown["url"] == "https://api.lumenfall.ai/v1/videos"
    assert shown["payload"]["prompt"] == "a cat"
    assert shown["price"]["currency"] == "USD"
    assert shown["price"]["amount"] > 0
    assert shown["price"]["as_of"]
    assert (shown["key"], shown["problem"]) == (None, None)


def test_a_quote_shows_the_changes_beside_the_problem_that_they_are() -> None:
    shown = quote("lumenfall", replace(CAT, duration=30))
    assert shown.payload["duration"] == 15
    assert [change.field for change in shown.changes] == ["duration"]
    assert isinstance(shown.problem, BadOrder)
    assert quote("lumenfall", replace(CAT, duration=30, on_unsupported="nearest")).problem is None


def test_a_quote_of_who_cannot_do_it_says_why() -> None:
    shown = quote("leonardo", replace(CAT, references=(SOUND,)))
    assert shown.payload is None
    assert shown.problem is not None
    assert shown.as_dict()["problem"]["kind"] == "BadOrder"


def test_a_quote_says_how_each_medium_travels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDANCE_S3_BUCKET", "mine")
    address = Medium.from_address("image", "https://files.example/a.png")
    shown = quote("lumenfall", replace(CAT, references=(PICTURE, address, SOUND)))
    assert shown.media == (
        "picture 1: inline, inside the request",
        "picture 2: as the address given",
        "sound 1: by your bucket",
    )


def test_a_quote_has_the_user_s_model_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEDANCE_BYTEPLUS_MODELS", '{"seedance-2.0": "ep-2026"}')
    assert quote("byteplus", CAT).payload["model"] == "ep-2026"


def test_a_long_data_uri_is_shown_by_its_length() -> None:
    uri = "data:image/png;base64," + "A" * 100
    assert quotes.shortened({"a": [uri, "x" * 200]}) == {
        "a": ["data:image/png;base64,AAAAAAAAAAAAAAAAAA... (122 characters)", "x" * 200]
    }


def test_an_account_s_name_does_not_give_the_key_away() -> None:
    name = quotes.account_of("fal", KEY)
    assert len(name) == 12
    assert name != quotes.account_of("lumenfall", KEY) != quotes.account_of("lumenfall", KEY + "x")


# ------------------------------------------------------------------ a sixth provider is one file


def test_a_provider_in_a_new_file_is_there(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.add("newcomer", 'Money(1.0, "USD")')
    assert "newcomer" in providers.ids()
    assert providers.get("newcomer").name == "Newcomer"
    assert quote("newcomer", CAT).payload == {"text": "a cat", "seconds": 5}
    assert chosen() == "newcomer"

    assert cli.main(["providers", "--json"]) == 0
    listed = {record["id"]: record for record in json.loads(capsys.readouterr().out)}
    assert listed["newcomer"]["key"] == "environment"

    arguments = ["check", "--prompt", "a cat", "--ratio", "16:9", "--provider", "newcomer"]
    assert cli.main([*arguments, "--json"]) == 0
    assert "https://newcomer.example/make" in capsys.readouterr().out

    assert cli.main(["generate", "--prompt", "a cat", "--provider", "nobody"]) == 2
    assert "newcomer" in capsys.readouterr().err


def test_a_file_that_begins_with_an_underscore_is_no_provider(folder: Folder) -> None:
    folder.add("newcomer")
    (folder.path / "newcomer.py").rename(folder.path / "_newcomer.py")
    assert "newcomer" not in providers.ids()


# -------------------------------------------------------------------------------- ways of media


def ways(provider_id: str, order: Order) -> list[str]:
    cls: type[Provider] = providers.get(provider_id)
    loaded = Settings.load()
    return [
        item.delivery
        for item in delivery.choose_deliveries(order, cls(loaded.config(provider_id)), loaded).items
    ]


def address(text: str) -> Medium:
    return Medium.from_address("image", text)


def test_an_address_is_passed_on_where_addresses_are_read() -> None:
    frame = address("https://files.example/a.png")
    assert ways("lumenfall", replace(CAT, first_frame=frame)) == ["address"]


def test_an_address_goes_up_as_a_file_where_none_are_read() -> None:
    frame = address("https://files.example/a.png")
    assert ways("leonardo", replace(CAT, first_frame=frame)) == ["upload"]


@pytest.mark.parametrize(
    "text",
    [
        "http://files.example/a.png",
        "https://10.0.0.1/a.png",
        "https://localhost/a.png",
        "https://[files.example/a.png",
        "https://files.example:99999/a.png",
    ],
)
@pytest.mark.parametrize("provider_id", ["lumenfall", "leonardo"])
def test_an_address_that_is_not_public_is_a_bad_order(text: str, provider_id: str) -> None:
    with pytest.raises(BadOrder, match="The first frame") as caught:
        ways(provider_id, replace(CAT, first_frame=address(text)))
    assert caught.value.spent == "no"
    assert "https" in caught.value.hint


def test_a_bad_address_does_not_stop_auto_without_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMENFALL_API_KEY", KEY)
    with pytest.raises(BadOrder, match=r"lumenfall: The first frame: .*not a public address"):
        chosen(replace(CAT, first_frame=address("https://10.0.0.1/a.png")))


def test_a_file_goes_inline_or_up_as_documented() -> None:
    assert ways("lumenfall", replace(CAT, first_frame=PICTURE)) == ["inline"]
    assert ways("fal", replace(CAT, first_frame=PICTURE)) == ["upload"]


def test_a_bucket_serves_where_only_addresses_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    order = replace(CAT, references=(PICTURE, SOUND))
    with pytest.raises(BadOrder, match="sound 1 is a file") as caught:
        ways("lumenfall", order)
    assert "SEEDANCE_S3_BUCKET" in caught.value.hint
    monkeypatch.setenv("SEEDANCE_S3_BUCKET", "mine")
    assert ways("lumenfall", order)[1] == "bucket"


def test_a_handle_goes_to_its_owner_only() -> None:
    order = replace(CAT, first_frame=address("leonardo:GENERATED:0f3a"))
    assert ways("leonardo", order) == ["handle"]
    with pytest.raises(BadOrder, match="only leonardo knows") as caught:
        ways("lumenfall", order)
    assert "leonardo" in caught.value.hint


@pytest.mark.parametrize(("ratio", "size"), [("16:9", (1280, 720)), ("adaptive", None)])
def test_frames_are_made_to_the_size_of_the_clip(ratio: str, size: tuple[int, int] | None) -> None:
    loaded = Settings.load()
    provider = providers.get("leonardo")(loaded.config("leonardo"))
    order = replace(CAT, ratio=ratio, first_frame=PICTURE, last_frame=PICTURE)
    assert [item.size for item in delivery.choose_deliveries(order, provider, loaded).items] == [
        size,
        size,
    ]
    order = replace(CAT, ratio=ratio, references=(PICTURE,))
    assert [item.size for item in delivery.choose_deliveries(order, provider, loaded).items] == [
        None
    ]


def test_labels_count_each_kind_as_prompts_do() -> None:
    loaded = Settings.load()
    provider = providers.get("fal")(loaded.config("fal"))
    order = replace(CAT, references=(PICTURE, CLIP, PICTURE, SOUND))
    labels = [item.label for item in delivery.choose_deliveries(order, provider, loaded).items]
    assert labels == ["picture 1", "clip 1", "picture 2", "sound 1"]


# ------------------------------------------------------------------------- who could take an order


def able(error: BadOrder) -> list[str]:
    """The providers that an error says would take the order as it is."""
    named = re.search(r"As asked it would work with: (.*)\.$", error.hint)
    return named[1].split(", ") if named else []


def refusal(provider_id: str, **fields: Any) -> BadOrder:
    with pytest.raises(BadOrder) as caught:
        quotes.prepare_at(replace(CAT, **fields), provider_id, Settings.load())
    return caught.value


def test_an_error_names_exactly_the_providers_that_could() -> None:
    fields = {"first_frame": PICTURE, "last_frame": PICTURE, "resolution": "1080p"}
    named = able(refusal("lumenfall", **fields))
    assert named
    for provider_id in providers.ids():
        if provider_id in named:
            assert not quotes.prepare_at(
                replace(CAT, **fields), provider_id, Settings.load()
            ).changes
        else:
            assert able(refusal(provider_id, **fields)) in (named, [])


def test_an_error_speaks_of_the_model_that_was_asked_for() -> None:
    """Not of the nearest that the provider has: others have that one, but it was not asked for."""
    named = able(
        refusal("lumenfall", model="seedance-2.5", first_frame=PICTURE, last_frame=PICTURE)
    )
    assert named
    for name in named:
        assert "seedance-2.5" in providers.get(name).limits.models


def test_nobody_is_named_where_nobody_could() -> None:
    assert able(refusal("lumenfall", references=(PICTURE,) * 31)) == []


def test_nobody_is_named_whose_own_line_says_no(tmp_path: Path) -> None:
    """A clip from a file reaches some providers only by a bucket, and there is none here."""
    clip = tmp_path / "clip.mp4"
    clips.write(clip, width=1280, height=720)
    order = replace(CAT, references=(Medium.from_path("video", clip),), prompt="@Video1 runs")
    found = {quote.provider: quote.problem for quote in quotes.quotes(order, Settings.load())}
    assert any(found.values()) and not all(found.values())
    for problem in found.values():
        assert problem is None or not [name for name in able(problem) if found[name]]
