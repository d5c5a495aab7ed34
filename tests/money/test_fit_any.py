"""Any order at all, at every provider there is: refused in words, or sent within every bound."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import wire_player
from fakes._replay import TEXT, forms, is_allowed, leaves
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from provider_contract import successful

from seedance import order as words
from seedance import providers
from seedance.errors import BadOrder
from seedance.fit import fit
from seedance.order import Medium, Order
from seedance.prompt_names import spelled
from seedance.runner import quotes
from seedance.settings import Settings
from seedance.wire import Provider

PICTURE = Medium.from_pixels(np.zeros((720, 960, 3), np.uint8))
CLIP = Medium.stand_in("video")
SOUND = Medium.stand_in("audio")
ADDRESSES = {
    "image": Medium.from_address("image", "https://files.example/a.png"),
    "video": Medium.from_address("video", "https://files.example/a.mp4"),
    "audio": Medium.from_address("audio", "https://files.example/a.mp3"),
}
pictures = st.sampled_from([PICTURE, ADDRESSES["image"]])
clips = st.sampled_from([CLIP, ADDRESSES["video"]])
sounds = st.sampled_from([SOUND, ADDRESSES["audio"]])
references = st.one_of(
    st.lists(pictures, min_size=1, max_size=12),
    st.lists(st.one_of(pictures, clips, sounds), min_size=1, max_size=6),
    st.lists(st.one_of(pictures, clips, sounds), min_size=8, max_size=52),
).map(tuple)
media = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"first_frame": pictures}, optional={"last_frame": pictures}),
    st.fixed_dictionaries({"references": references}),
    st.fixed_dictionaries(
        {"video": clips, "operation": st.sampled_from(words.OPERATIONS)},
        optional={"references": references},
    ),
)
prompts = st.one_of(
    st.just("a cat"),
    st.sampled_from(["", "@Image1 runs", "@Video1, but @Audio1", "x" * 1500, "x" * 1501]),
    st.integers(1990, 2010).map("猫".__mul__),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=40),
)
orders = st.builds(
    lambda values, media: Order(**values, **media),
    st.fixed_dictionaries(
        {
            "prompt": prompts,
            "model": st.sampled_from(words.MODELS),
            "resolution": st.sampled_from(words.RESOLUTIONS),
            "ratio": st.sampled_from(words.RATIOS),
            "duration": st.one_of(st.just(5), st.integers(-1, 32).filter(bool)),
            "generate_audio": st.booleans(),
            "seed": st.integers(0, words.SEEDS - 1),
            "watermark": st.booleans(),
            "camera_fixed": st.booleans(),
            "keep_audio": st.booleans(),
            "on_unsupported": st.sampled_from(["error", "nearest"]),
        }
    ),
    media,
)

# A bucket is set, so that media can travel everywhere.
MODELS_OF_A_GATEWAY = wire_player.exchanges_of("gateway")[0]["config"]["models"]
ENVIRONMENT = {
    "SEEDANCE_UNIALL_BASE_URL": "https://gateway.example",
    "SEEDANCE_GATEWAY_BASE_URL": "https://gateway.example",
    "SEEDANCE_GATEWAY_MODELS": json.dumps(MODELS_OF_A_GATEWAY),
    "SEEDANCE_S3_BUCKET": "mine",
}
# What has no nearest value, in words.
NO_NEAREST = re.compile(
    "cannot do|takes at most|takes no reference|only together with|prompt is empty|prompt has"
    "|prompt names"
)
STAND_IN = re.compile(r"(picture|clip|sound)-\d+|the-(first-frame|last-frame|clip)|files\.example")


def check_payload(order: Order, cls: type[Provider], payload: Any) -> None:
    """The fitted order is within what the provider documents, and the payload consists of what was
    recorded from its document. (That each field of an order is sent is in the contract.)"""
    limits = cls.limits.models[order.model]
    assert json.loads(json.dumps(payload, allow_nan=False)) == payload

    assert order.resolution in limits.resolutions
    if order.ratio == "adaptive":
        assert order.mode in limits.adaptive
    else:
        assert order.ratio in limits.sizes.get(order.resolution, limits.ratios)
        assert order.mode not in limits.source_ratio
    if order.duration == -1:
        assert limits.auto_duration or order.mode in limits.source_duration
    else:
        assert limits.durations[0] <= order.duration <= limits.durations[1]
        assert order.mode not in limits.source_duration
    for medium in order.references:
        assert len(order.of_kind(medium.kind)) <= limits.counts(order.mode)[medium.kind]
    assert limits.total is None or len(order.references) <= limits.total
    prompt = spelled(order, cls).prompt
    assert limits.prompt_max is None or len(prompt) <= limits.prompt_max

    known = recorded_forms(cls.id)
    sent = list(leaves(payload))
    going = [(place, value) for place, value in sent if STAND_IN.search(str(value))]
    going = [(place, value) for place, value in going if value != prompt]
    assert len(going) == len(order.media)
    for place, value in sent:
        assert place in known, f"{place} was never recorded"
        if (place, value) not in going and value != prompt:
            assert is_allowed(value, known[place]), f"{place} was never recorded as {value!r}"
    if prompt.strip():
        assert prompt in [value for place, value in sent if TEXT in known[place]]


@cache
def recorded_forms(provider_id: str) -> dict[str, set[str]]:
    """The forms that values have in the creates that are recorded for a provider."""
    return forms(successful(wire_player.exchanges_of(provider_id), "submit"))


@hypothesis_settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(order=orders)
def test_any_order_is_refused_in_words_or_within_every_bound(order: Order, tmp_path: Path) -> None:
    settings = Settings(tmp_path, tmp_path, ENVIRONMENT)
    for quote in quotes.quotes(order, settings):
        cls = providers.get(quote.provider)
        if quote.problem is not None:
            assert isinstance(quote.problem, BadOrder)
            assert quote.problem.spent == "no"
            assert quote.problem.hint
        if quote.payload is None:
            assert quote.problem is not None
            assert NO_NEAREST.search(quote.problem.message), quote.problem
            continue
        asked = replace(order, on_unsupported="nearest")
        fitted = fit(asked, cls)
        assert fitted.changes == quote.changes
        assert (quote.problem is not None) == bool(
            fitted.changes and order.on_unsupported == "error"
        )
        check_payload(fitted.order, cls, quote.payload)


@hypothesis_settings(max_examples=200, deadline=None)
@given(order=orders, provider=st.sampled_from(list(providers.registry().values())))
def test_the_values_that_an_error_names_do_work(order: Order, provider: type[Provider]) -> None:
    order = replace(order, on_unsupported="error")
    try:
        assert not fit(order, provider).changes
    except BadOrder as error:
        if "does not support" not in error.message:
            return
        fitted = fit(replace(order, on_unsupported="nearest"), provider)
        for change in fitted.changes:
            assert f"{change.field} {change.given}" in error.hint
        assert not fit(replace(fitted.order, on_unsupported="error"), provider).changes
