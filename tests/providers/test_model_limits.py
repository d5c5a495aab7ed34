"""What each model can do at each provider, and what is said where no document tells."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import clips
import pytest

from seedance.errors import BadOrder
from seedance.fit import fit
from seedance.order import Medium, Order
from seedance.providers import get
from seedance.runner import quotes
from seedance.settings import Settings
from seedance.wire import Config

PICTURE = Medium.from_address("image", "https://media.example/a.png")
CLIP = Medium.from_address("video", "https://media.example/a.mp4")
SOUND = Medium.from_address("audio", "https://media.example/a.mp3")
CAT = Order(prompt="a cat", ratio="16:9")
TEXT: dict[str, Any] = {}
FIRST: dict[str, Any] = {"first_frame": PICTURE}
BOTH: dict[str, Any] = {**FIRST, "last_frame": PICTURE}
EDIT: dict[str, Any] = {"video": CLIP, "duration": -1, "ratio": "adaptive"}
EXTEND: dict[str, Any] = {**EDIT, "operation": "extend"}
NEWEST = "seedance-2.5"


def references(images: int = 0, videos: int = 0, audios: int = 0) -> dict[str, Any]:
    return {"references": (PICTURE,) * images + (CLIP,) * videos + (SOUND,) * audios}


def changes(provider: str, **fields: Any) -> dict[str, Any]:
    """What would be given instead of what was asked."""
    order = replace(CAT, on_unsupported="nearest", **fields)
    return {change.field: change.given for change in fit(order, get(provider)).changes}


@pytest.mark.parametrize(
    ("provider", "model", "fields"),
    [
        ("fal", "seedance-2.0", {"resolution": "4k"}),
        ("fal", "seedance-2.0-mini", {"resolution": "480p"}),
        ("fal", NEWEST, {"resolution": "1080p", "duration": 30, "ratio": "21:9"}),
        ("fal", NEWEST, references(30, 10, 10)),
        ("fal", NEWEST, EDIT),
        ("fal", "seedance-2.5-flash", {"duration": 30, **references(1, 1, 1)}),
        ("replicate", NEWEST, {"resolution": "1080p", "duration": 30, "watermark": True}),
        ("replicate", NEWEST, {**BOTH, "ratio": "adaptive"}),
        ("replicate", NEWEST, EXTEND),
        ("replicate", "seedance-2.0", EDIT),
        ("evolink", "seedance-2.0", {"resolution": "4k"}),
        ("evolink", NEWEST, {"resolution": "1080p", "duration": 30}),
        ("evolink", NEWEST, {**references(audios=10), "duration": -1}),
        ("evolink", NEWEST, {**EXTEND, "duration": 30}),
        ("byteplus", "seedance-2.0", {**EDIT, "duration": 8}),
        ("byteplus", "seedance-2.0-fast", {"web_search": True}),
        ("byteplus", NEWEST, {"output_format": "mov"}),
        ("evolink", NEWEST, {"output_format": "mov", "web_search": True}),
        ("volcengine", "seedance-2.0-mini", EXTEND),
        # Reported of fal is -1 and adaptive, with a field that no schema has.
        ("fal", NEWEST, {**EDIT, "duration": 5, "ratio": "16:9"}),
        ("evolink", "seedance-2.0", {**EDIT, "duration": 5}),
        ("evolink", "seedance-2.0-mini", {**EXTEND, "duration": 5, **references(9)}),
        ("evolink", "seedance-2.0-fast", {"web_search": True}),
        ("replicate", "seedance-2.0", {"prompt": "x" * 2001}),
    ],
)
def test_what_documents_say_is_taken_as_it_is(
    provider: str, model: str, fields: dict[str, Any]
) -> None:
    assert changes(provider, model=model, **fields) == {}


@pytest.mark.parametrize(
    ("provider", "model", "fields", "given"),
    [
        ("fal", "seedance-2.0-fast", {"resolution": "1080p"}, {"resolution": "720p"}),
        ("fal", "seedance-2.0", {"duration": 16}, {"duration": 15}),
        ("fal", NEWEST, {"resolution": "4k"}, {"resolution": "1080p"}),
        ("fal", NEWEST, FIRST, {"ratio": "adaptive"}),
        ("replicate", NEWEST, {"ratio": "21:9"}, {"ratio": "16:9"}),
        ("replicate", NEWEST, BOTH, {"ratio": "adaptive"}),
        ("replicate", NEWEST, FIRST, {}),
        ("replicate", NEWEST, {**EXTEND, "duration": 8}, {"duration": -1}),
        ("evolink", "seedance-2.0", {"duration": -1}, {"duration": 5}),
        ("evolink", NEWEST, FIRST, {"ratio": "adaptive"}),
        ("evolink", NEWEST, {**EDIT, "duration": 5}, {"duration": -1}),
        ("evolink", "seedance-2.0-fast", {"resolution": "4k"}, {"resolution": "720p"}),
        ("byteplus", NEWEST, {"web_search": True}, {"web_search": False}),
        ("byteplus", "seedance-2.0", {"output_format": "mov"}, {"output_format": "mp4"}),
        ("fal", NEWEST, {"output_format": "mov"}, {"output_format": "mp4"}),
        ("evolink", NEWEST, {**references(1), "web_search": True}, {"web_search": False}),
        ("evolink", "seedance-2.0-mini", {"web_search": True}, {"web_search": False}),
    ],
)
def test_what_documents_exclude_is_changed(
    provider: str, model: str, fields: dict[str, Any], given: dict[str, Any]
) -> None:
    assert changes(provider, model=model, **fields) == given


@pytest.mark.parametrize(
    ("provider", "model", "fields", "says"),
    [
        ("fal", "seedance-2.0", references(10), "at most 9 reference pictures, not 10"),
        ("fal", NEWEST, references(30, 10, 11), "at most 10 reference sounds, not 11"),
        ("fal", NEWEST, references(audios=1), "only together with a picture or a clip"),
        ("fal", "seedance-2.5-flash", FIRST, "cannot do first frame with seedance-2.5-flash"),
        ("replicate", NEWEST, references(31), "at most 30 reference pictures, not 31"),
        ("replicate", NEWEST, {"prompt": "x" * 2001}, "2001 characters; Replicate takes 2000"),
        ("replicate", "seedance-2.0", EXTEND, "cannot do video extension with seedance-2.0"),
        ("evolink", "seedance-2.0", references(audios=1), "only together with a picture"),
        ("byteplus", "seedance-2.0", {**EDIT, **references(10)}, "at most 9 reference pictures"),
    ],
)
def test_what_cannot_be_changed_is_refused_with_value_and_limit(
    provider: str, model: str, fields: dict[str, Any], says: str
) -> None:
    with pytest.raises(BadOrder, match=says):
        changes(provider, model=model, **fields)


def notes(provider: str, **fields: Any) -> str:
    return " ".join(fit(replace(CAT, **fields), get(provider)).notes)


def test_it_is_said_what_is_not_guaranteed() -> None:
    said = notes("byteplus", **EDIT)
    assert "no field for video editing with seedance-2.0" in said
    assert "not guaranteed" in said
    assert "guaranteed" not in notes("byteplus", model=NEWEST, **EDIT)


@pytest.mark.parametrize("provider", ["byteplus", "volcengine", "evolink", "fal", "replicate"])
def test_it_is_said_that_an_extension_comes_without_its_clip(provider: str) -> None:
    assert "new part only" in notes(provider, model=NEWEST, **EXTEND)
    assert "new part" not in notes(provider, model=NEWEST, **EDIT)


def test_it_is_said_what_is_only_reported() -> None:
    assert "is reported, not documented" in notes("replicate", model="seedance-2.0-mini")
    assert "may take fewer" in notes("fal", model="seedance-2.5-flash", **references(1))
    said = notes("replicate", model="seedance-2.0", prompt="x" * 2001)
    assert "reported to cut off or refuse prompts of more than 2000 characters" in said
    assert "2000" not in notes("replicate", model="seedance-2.0", prompt="x" * 2000)
    assert "not guaranteed" in notes("evolink", model="seedance-2.0", **{**EXTEND, "duration": 5})


# --------------------------------------------------------------- clips by the output's resolution


def problem(provider: str, clip: Path, **fields: Any) -> str:
    """What is said of a clip before anything is sent, empty if it is taken."""
    order = replace(CAT, references=(Medium.from_path("video", clip),), **fields)
    try:
        quotes.prepare_at(order, provider, Settings.load())
    except BadOrder as error:
        return error.message
    return ""


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BUCKET", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"SEEDANCE_S3_{name}", "a-name")
    monkeypatch.setenv("SEEDANCE_S3_ENDPOINT", "https://s3.example.com")


@pytest.mark.usefixtures("bucket")
@pytest.mark.parametrize("provider", ["byteplus", "volcengine", "evolink"])
def test_how_large_a_clip_may_be_depends_on_the_output(provider: str, tmp_path: Path) -> None:
    grey = (120, 128, 128)
    clip = clips.write(tmp_path / "hd.mp4", width=1920, height=1080, frames=48, planes=grey)
    assert "at most" in problem(provider, clip) and "927,408" in problem(provider, clip)
    assert problem(provider, clip, resolution="1080p") == ""
    assert problem(provider, clip, resolution="4k") == ""
    assert problem(provider, clip, model=NEWEST) == ""


@pytest.mark.usefixtures("bucket")
def test_a_little_less_and_more_than_the_documents_say_is_taken(tmp_path: Path) -> None:
    short = clips.write(tmp_path / "short.mp4", width=864, height=496, frames=44)
    shorter = clips.write(tmp_path / "shorter.mp4", width=864, height=496, frames=38)
    assert problem("byteplus", short) == ""
    assert "too short: 2 to 15 s are taken" in problem("byteplus", shorter)
    assert "too short" in problem("evolink", short)


# ----------------------------------------------------------------------- models that a person named


@pytest.mark.parametrize("provider", ["aihubmax", "leonardo", "lumenfall"])
def test_a_model_without_a_document_may_be_named(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = replace(CAT, model=NEWEST, duration=20)
    with pytest.raises(BadOrder, match=r"does not have seedance-2\.5"):
        quotes.prepare_at(order, provider, Settings.load())
    variable = f"SEEDANCE_{provider.upper()}_MODELS"
    monkeypatch.setenv(variable, '{"seedance-2.5": "their-2.5-{mode}"}')
    prepared = quotes.prepare_at(order, provider, Settings.load())
    assert prepared.call is not None
    assert "their-2.5-" in prepared.call.json["model"]
    assert prepared.order.duration == 20
    assert prepared.price is None
    assert any(variable in note and "No document" in note for note in prepared.notes)


def test_a_named_model_does_not_change_the_provider_for_others() -> None:
    kind = get("aihubmax")
    named = kind(Config("https://x.example", models={NEWEST: "their-2.5"}))
    assert NEWEST in named.limits.models
    assert NEWEST not in kind.limits.models
