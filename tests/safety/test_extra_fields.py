"""Fields of `extra`: what is sent is what the node says and what was priced, at every depth."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fakes
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from running import Desk

from seedance.errors import BadOrder
from seedance.order import Medium, Order, check_extra
from seedance.providers import get, registry
from seedance.runner import quotes
from seedance.settings import Settings
from seedance.wire import Config, Delivered, add_extra
from seedance.wire.extra import OF_AN_ORDER

pytestmark = pytest.mark.safety

PROVIDERS = sorted(set(registry()) - {"preview"})
URL = "https://files.example/a"
# What each document calls something that an order decides, where a payload need not have it.
ATTACKS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("lumenfall", {"size": "3840x2160"}),
    ("lumenfall", {"Size": "3840x2160"}),
    ("lumenfall", {"extra_body": {"size": "3840x2160"}}),
    ("lumenfall", {"video_url": URL}),
    ("lumenfall", {"input_video": URL}),
    ("lumenfall", {"input_reference": [{"image_url": URL}]}),
    ("lumenfall", {"seconds": 15}),
    ("lumenfall", {"options": [{"deep": {"duration": 15}}]}),
    ("uniall", {"extra_body": {"duration": 15}}),
    ("uniall", {"extra_body": {"resolution": "4k"}}),
    ("uniall", {"extra_body": {"size": "3840x2160"}}),
    ("uniall", {"extra_body": {"operation": "extend_video"}}),
    ("uniall", {"extra_body": {"deep": {"seconds": 15}}}),
    ("uniall", {"extra_body": {"extra_body": {"duration": 15}}}),
    ("uniall", {"extra_body": [{"seed": 1}]}),
    ("uniall", {"extra_body": "x"}),
    ("uniall", {"seed": 1}),
    ("uniall", {"watermark": True}),
    ("uniall", {"extra_body.duration": 15}),
    ("uniall", {"extra_body[duration]": 15}),
    ("uniall", {"metadata": {"duration": 15}}),
    ("uniall", {"videos": [URL]}),
    ("byteplus", {"frames": 720}),
    ("byteplus", {"camera_fixed": True}),
    ("byteplus", {"draft": True}),
    ("byteplus", {"tools": [{"duration": 15}]}),
    ("byteplus", {"omni_reference_task_type": "edit"}),
    ("volcengine", {"parameters": {"resolution": "4k"}}),
    ("fal", {"image_url": URL}),
    ("fal", {"end_image_url": URL}),
    ("fal", {"video_urls": [URL]}),
    ("fal", {"ｄuration": "15"}),
    ("fal", {"du\u200bration": "15"}),
    ("fal", {" duration ": "15"}),
    ("replicate", {"input": {"duration": 15}}),
    ("replicate", {"reference_videos": [URL]}),
    ("leonardo", {"parameters": {"duration": 15}}),
    ("leonardo", {"parameters": {"style": {"width": 1920}}}),
    ("leonardo", {"guidances": {"start_frame": []}}),
    ("aihubmax", {"quality": "1080p"}),
    ("evolink", {"resolution": "1080p"}),
    ("evolink", {"model_params": {"duration": 15}}),
    ("sinancode", {"seed": 1}),
    ("sinancode", {"first_frame": URL}),
)
# Names that stand for such a part in other words, whether or not a document has them.
OTHER_WORDS = (
    *("video_resolution", "videoResolution", "target_resolution", "outputSize", "image_size"),
    *("dimensions", "duration_seconds", "durationSeconds", "max_duration", "video_seconds"),
    *("video_aspect_ratio", "outputAspectRatio", "random_seed", "seeds", "hasAudio", "no_audio"),
    *("enable_sound", "add_watermark", "watermarkEnabled", "lock_camera", "user_prompt"),
    *("init_image", "image_tail", "start_image_url", "first_frame_image_url", "source_video_url"),
    *("reference_image_urls", "reference_video_urls", "reference_audio_urls", "input_images"),
    *("task", "taskType", "mode", "source_task_id", "draft_id", "is_draft", "output_format"),
    *("model_id", "modelName", "models", "fallback_models", "model_version"),
    *("num", "videoCount", "number_results", "n_variants", "samples", "takes"),
    *("postback_url", "returnUrl", "on_complete", "upload_url", "callBackUrl", "access_token"),
)


@pytest.mark.parametrize(("provider", "extra"), ATTACKS, ids=lambda value: str(value)[:60])
def test_no_field_of_extra_stands_for_a_part_of_the_order(
    provider: str, extra: dict[str, Any], tmp_path: Path
) -> None:
    with fakes.all()[provider]() as fake:
        desk = Desk(fake, tmp_path)
        with pytest.raises(BadOrder, match=r"may not (replace|set)"):
            desk.runner().start(desk.order(extra={provider: extra}))
        assert fake.requests == []


WRAPS: dict[str, Callable[[str], Any]] = {
    "at the top": lambda name: {name: 1},
    "null": lambda name: {name: None},
    "in an object": lambda name: {"tools": {"a": {name: 1}}},
    "in a list": lambda name: {"tools": [[{name: [1]}]]},
    "in a path": lambda name: {f"extra_body[{name}]": 1},
    "in a text": lambda name: {"style": json.dumps({"a": [{name: 1}]})},
    "in a text in a text": lambda name: {"style": json.dumps({"a": json.dumps({name: 1})})},
    "twice": lambda name: {"style": f'{{"a": {{"{name}": 1}}, "a": 2}}'},
}


@pytest.mark.parametrize("wrap", WRAPS)
@pytest.mark.parametrize("name", [*OTHER_WORDS, "duration", "Resolution", "webhook", "n"])
def test_other_words_for_a_part_are_refused_at_every_depth(name: str, wrap: str) -> None:
    with pytest.raises(BadOrder, match=r"may not (replace|set)"):
        add_extra({"prompt": "a fox"}, WRAPS[wrap](name))


def test_a_text_too_deep_to_be_read_is_refused() -> None:
    with pytest.raises(BadOrder, match="deep"):
        check_extra({"lumenfall": {"style": "[" * 60_000}})


@pytest.mark.parametrize(
    ("provider", "extra"),
    [
        (
            "lumenfall",
            {"negative_prompt": "x", "video_codec": "h264", "user_id": "u", "note": "{a"},
        ),
        ("openrouter", {"provider": {"options": {"byteplus": {"req_key": "k"}}}}),
        ("lumenfall", {"end_user_id": "u", "style": {"mood": "calm"}, "strength": 0.5}),
        ("uniall", {"user": "me", "extra_body": {"tier": "gold"}}),
        ("byteplus", {"tools": [{"type": "web_search"}], "execution_expires_after": 200_000}),
        ("replicate", {"fps": 24}),
        ("leonardo", {"public": True, "prompt_enhance": "ON", "parameters": {"contrast": 3.5}}),
        ("evolink", {"model_params": {"web_search": True}}),
        ("fal", {"end_user_id": "u", "bitrate_mode": "high"}),
    ],
)
def test_what_documents_have_besides_is_sent(
    provider: str, extra: dict[str, Any], tmp_path: Path
) -> None:
    with fakes.all()[provider]() as fake:
        desk = Desk(fake, tmp_path)
        quote = quotes.prepare(desk.order(extra={provider: extra}), desk.settings())
        assert quote.call is not None


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_any_payload_of_a_provider_has_is_known_as_a_part_of_an_order(provider: str) -> None:
    """A field that this order does not send may be one that the provider reads."""
    kind = get(provider)
    media = Delivered("a:b", "a:b", ("a:b",), ("a:b",), ("a:b",), None)
    if provider == "leonardo":
        handle = "leonardo:GENERATED:1"
        media = Delivered(handle, handle, (handle,), (handle,))
    base = kind.default_base_url or "https://gateway.example"
    picture = Medium.from_address("image", f"{URL}.png")
    switches = {"ratio": "16:9", "watermark": True, "camera_fixed": True}
    order = Order("a fox", provider, first_frame=picture, last_frame=picture, **switches)  # type: ignore[arg-type]
    clip = Medium.from_address("video", f"{URL}.mp4")

    def body_of(order: Order, media: Delivered) -> Any:
        config = Config(base, models={order.model: "its-model"} if kind.names_no_models else {})
        return next(kind(config).submit(order, media)).json  # type: ignore[union-attr]

    bodies = [body_of(order, media)]
    if provider in ("lumenfall", "uniall", "byteplus", "volcengine"):
        edit = Order(prompt="a", provider=provider, video=clip)
        bodies.append(body_of(edit, Delivered(video=f"{URL}.mp4")))
    plain = body_of(Order(prompt="a", ratio="16:9"), Delivered())
    for body in bodies:
        for name in set(names_in(body)) - set(names_in(plain)) - {"url", "type", "role", "id"}:
            with pytest.raises(BadOrder):
                add_extra(copy.deepcopy(plain), {"tools": {name: 1}})


def names_in(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(name for item in value.values() for name in names_in(item))]
    return []


NAMES = st.sampled_from(
    [*OF_AN_ORDER, "duration", "extra_body", "parameters", "input", "Seed", "n", "tools", "style"]
) | st.text(max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PROVIDERS), st.dictionaries(NAMES, VALUES, max_size=4))
def test_whatever_extra_holds_the_payload_says_what_the_order_says(
    provider: str, extra: dict[str, Any]
) -> None:
    """It is refused, or the payload has all that it had, and no new name of a part of the order."""
    environment = {f"SEEDANCE_{provider.upper()}_BASE_URL": "https://gateway.example/api/v3"}
    environment["SEEDANCE_GATEWAY_MODELS"] = '{"seedance-2.0": "its-model"}'
    state = Settings(Path("home"), Path("output"), environment)
    order = Order(prompt="a fox", provider=provider, ratio="16:9")
    plain = quotes.prepare(order, state).call
    try:
        full = quotes.prepare(Order(**{**vars(order), "extra": {provider: extra}}), state).call
    except BadOrder:
        return
    assert plain is not None and full is not None and plain.url == full.url
    added = beyond(plain.json, full.json, chosen=("public", "prompt_enhance"))
    for name in added:
        spelled = "".join(letter for letter in name.casefold() if letter.isalnum())
        assert spelled not in OF_AN_ORDER, name


def beyond(before: Any, after: Any, chosen: tuple[str, ...]) -> list[str]:
    """The names that `after` has and `before` has not, at any depth; what both have is the same."""
    if not isinstance(before, dict):
        assert before == after
        return []
    found = []
    for name, value in after.items():
        if name in before:
            found += [] if name in chosen else beyond(before[name], value, chosen)
        else:
            found += [name, *all_names(value)]
    assert before.keys() <= after.keys()
    return found


def all_names(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(name for item in value.values() for name in all_names(item))]
    if isinstance(value, list):
        return [name for item in value for name in all_names(item)]
    return []
