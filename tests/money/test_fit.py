"""An order fits a provider, or the error says what would."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from seedance import fit as fitting
from seedance import providers
from seedance.errors import BadOrder
from seedance.fit import Change, fit
from seedance.order import Medium, Order
from seedance.prompt_names import spelled
from seedance.wire import Limits, MediaLimits, ModelLimits, Provider

PICTURE = Medium.from_pixels(np.zeros((64, 64, 3), np.uint8))
CLIP = Medium.from_data("video", b"clip")
SOUND = Medium.from_data("audio", b"sound")
CAT = Order(prompt="a cat", ratio="16:9")

MODEL = ModelLimits(
    id="strict-1",
    modes=frozenset({"text", "image", "reference"}),
    resolutions=("480p", "1080p"),
    ratios=("16:9", "9:16", "1:1"),
    durations=(4, 12),
    adaptive=frozenset({"image"}),
    prompt_max=20,
    images=2,
    videos=1,
    audios=1,
    total=3,
)


class Strict(Provider):
    """One who can do little, to meet every rule."""

    id = "strict"
    name = "Strict"
    key_variable = None
    default_base_url = "https://strict.example"
    limits = Limits(
        models={"seedance-2.0": MODEL},
        delivery={"image": ("upload",), "video": ("upload",), "audio": ("upload",)},
        image=MediaLimits(("image/png",)),
        spelling={"image": "[Image{n}]", "video": "<video-{n}>", "audio": "@Audio{n}"},
    )

    def submit(self, order: Any, delivered: Any) -> Any:
        raise NotImplementedError

    def check(self, ticket: Any) -> Any:
        raise NotImplementedError


def strict(**limits: Any) -> type[Provider]:
    """The same with other limits of its model."""
    models = {"seedance-2.0": replace(MODEL, **limits)}
    return type("Other", (Strict,), {"limits": replace(Strict.limits, models=models)})


def nearest(provider: type[Provider] = Strict, **asked: Any) -> fitting.Fit:
    return fit(replace(CAT, resolution="480p", on_unsupported="nearest", **asked), provider)


def refusal(provider: type[Provider] = Strict, **asked: Any) -> BadOrder:
    with pytest.raises(BadOrder) as caught:
        fit(replace(CAT, **{"resolution": "480p", **asked}), provider)
    assert caught.value.spent == "no"
    return caught.value


# ------------------------------------------------------------------------------- single values


def test_an_order_that_fits_is_left_alone_but_for_its_provider() -> None:
    asked = replace(CAT, resolution="480p")
    fitted = fit(asked, Strict)
    assert fitted.order.describe() == {**asked.describe(), "provider": "strict"}
    assert (fitted.changes, fitted.notes) == ((), ())


NEAREST = [
    ("resolution", "720p", "480p"),  # as far from both: the cheaper
    ("resolution", "4k", "1080p"),
    ("ratio", "4:3", "16:9"),  # as far from 1:1, but wide as well
    ("ratio", "21:9", "16:9"),
    ("ratio", "9:21", "9:16"),
    ("ratio", "3:4", "9:16"),
    ("ratio", "adaptive", "16:9"),
    ("duration", 3, 4),
    ("duration", 30, 12),
    ("duration", -1, 5),
    ("model", "seedance-2.5", "seedance-2.0"),
    ("model", "seedance-2.0-mini", "seedance-2.0"),
    ("watermark", True, False),
    ("camera_fixed", True, False),
    ("keep_audio", True, False),
]


@pytest.mark.parametrize(("field", "asked", "given"), NEAREST)
def test_the_nearest_value_is_taken_and_told(field: str, asked: Any, given: Any) -> None:
    fitted = fit(
        replace(CAT, **{"resolution": "480p", "on_unsupported": "nearest", field: asked}), Strict
    )
    assert getattr(fitted.order, field) == given
    assert [(change.field, change.asked, change.given) for change in fitted.changes] == [
        (field, asked, given)
    ]
    assert "Strict" in fitted.changes[0].why


@pytest.mark.parametrize(("field", "asked", "given"), NEAREST)
def test_by_default_it_is_refused_with_the_value_that_would_work(
    field: str, asked: Any, given: Any
) -> None:
    error = refusal(**{field: asked})
    assert f"does not support {field} {asked}" in error.message
    assert f"Use {field} {given}, or set on_unsupported to nearest." in error.hint


def test_all_that_does_not_fit_is_told_at_once() -> None:
    error = refusal(ratio="21:9", duration=30, watermark=True)
    assert "Use ratio 16:9, duration 12, watermark False" in error.hint


def test_sound_that_cannot_be_made_is_a_change() -> None:
    fitted = nearest(strict(generates_audio=False))
    assert [str(change) for change in fitted.changes] == [
        "generate_audio: True became False (Strict makes no sound with seedance-2.0)"
    ]


def test_silence_is_no_change_where_no_sound_can_be_made() -> None:
    assert not nearest(strict(generates_audio=False), generate_audio=False).changes


def test_adaptive_is_no_change_where_the_source_s_ratio_can_be_followed() -> None:
    assert not nearest(first_frame=PICTURE, ratio="adaptive").changes


def test_a_duration_left_to_the_model_is_no_change_where_it_decides() -> None:
    assert not nearest(strict(auto_duration=True), duration=-1).changes


def test_a_duration_without_auto_stays_within_a_narrow_range() -> None:
    assert nearest(strict(durations=(8, 10)), duration=-1).order.duration == 8
    assert nearest(strict(durations=(2, 4)), duration=-1).order.duration == 4


def test_what_is_documented_about_a_kind_of_reference_is_a_note() -> None:
    model = strict(notes={"audio": "Sounds are heard by some."})
    assert not nearest(model).notes
    fitted = nearest(model, references=(PICTURE, SOUND))
    assert (fitted.changes, fitted.notes) == ((), ("Sounds are heard by some.",))


def test_a_seed_that_is_not_taken_is_a_note() -> None:
    fitted = nearest(strict(seed=False), seed=7)
    assert not fitted.changes
    assert fitted.notes == ("Strict takes no seed; it still makes this order a different one.",)
    assert fitted.order.seed == 7


def test_a_ratio_needs_a_size_at_the_resolution() -> None:
    some = strict(sizes={"480p": {"16:9": (864, 496)}, "1080p": {"1:1": (1440, 1440)}})
    assert nearest(some, ratio="1:1").order.ratio == "16:9"


def test_a_ratio_is_fitted_to_the_resolution_that_is_given() -> None:
    some = strict(resolutions=("1080p",), sizes={"1080p": {"1:1": (1440, 1440)}})
    fitted = nearest(some)
    assert (fitted.order.resolution, fitted.order.ratio) == ("1080p", "1:1")


def test_where_only_the_source_s_ratio_is_possible_any_other_is_a_change() -> None:
    source = strict(source_ratio=frozenset({"image"}))
    assert nearest(source, first_frame=PICTURE).order.ratio == "adaptive"
    assert not nearest(source, first_frame=PICTURE, ratio="adaptive").changes
    assert not nearest(source).changes


def test_where_only_the_source_s_length_is_possible_any_other_is_a_change() -> None:
    source = strict(source_duration=frozenset({"image"}))
    assert nearest(source, first_frame=PICTURE).order.duration == -1
    assert not nearest(source, first_frame=PICTURE, duration=-1).changes


def test_the_smaller_models_stand_in_for_each_other_before_the_large_one() -> None:
    family = dict.fromkeys(("seedance-2.0", "seedance-2.0-fast"), MODEL)
    both = type("Both", (Strict,), {"limits": replace(Strict.limits, models=family)})
    assert nearest(both, model="seedance-2.0-mini").order.model == "seedance-2.0-fast"
    assert nearest(both, model="seedance-2.5").order.model == "seedance-2.0"


# ----------------------------------------------------------------------- what has no nearest value

HOPELESS: list[tuple[dict[str, Any], str, str]] = [
    (
        {"first_frame": PICTURE, "last_frame": PICTURE},
        "Strict cannot do first and last frame with seedance-2.0.",
        "It can do: text to video, first frame, references.",
    ),
    (
        {"references": (PICTURE,) * 4},
        "Strict takes at most 2 reference pictures, not 4.",
        "Remove 2.",
    ),
    ({"references": (CLIP,) * 2}, "Strict takes at most 1 reference clip, not 2.", "Remove 1."),
    ({"references": (PICTURE, SOUND, SOUND)}, "at most 1 reference sound, not 2.", "Remove 1."),
    (
        {"references": (PICTURE, PICTURE, CLIP, SOUND)},
        "Strict takes at most 3 references in all, not 4.",
        "Remove 1.",
    ),
    ({"references": (SOUND,)}, "only together with a picture or a clip", "Connect a reference"),
    ({"prompt": "x" * 21}, "The prompt has 21 characters; Strict takes 20.", "Shorten it."),
    ({"prompt": " \n"}, "The prompt is empty.", "Strict needs one for text to video."),
    ({"video": CLIP}, "Strict cannot do video editing", "It can do: text to video"),
]


@pytest.mark.parametrize(("asked", "message", "hint"), HOPELESS)
@pytest.mark.parametrize("mode", ["error", "nearest"])
def test_what_has_no_nearest_value_is_refused_in_any_case(
    asked: dict[str, Any], message: str, hint: str, mode: str
) -> None:
    error = refusal(on_unsupported=mode, **asked)
    assert message in error.message
    assert hint in error.hint


def test_references_beside_a_clip_are_counted_by_their_own_limit() -> None:
    edits = strict(modes=frozenset({"edit"}), edit_images=1)
    assert nearest(edits, video=CLIP, references=(PICTURE,)).order.mode == "edit"
    error = refusal(edits, video=CLIP, references=(PICTURE, PICTURE))
    assert "at most 1 reference picture, not 2" in error.message
    assert "takes no reference clips" in refusal(edits, video=CLIP, references=(CLIP,)).message


def test_a_sound_alone_is_taken_where_that_is_documented() -> None:
    assert nearest(strict(audio_alone=True), references=(SOUND,)).order.mode == "reference"


def test_no_prompt_is_needed_where_that_is_documented() -> None:
    assert nearest(strict(prompt_optional=frozenset({"text"})), prompt="").order.prompt == ""


# -------------------------------------------------------------------- what is wrong everywhere


@pytest.mark.parametrize(
    ("asked", "message", "hint"),
    [
        ({"model": "sora"}, "There is no model 'sora'", "seedance-2.0-fast"),
        ({"resolution": "720"}, "There is no resolution '720'", "480p, 720p"),
        ({"ratio": "5:4"}, "There is no ratio '5:4'", "adaptive, 16:9"),
        ({"operation": "cut"}, "There is no operation 'cut'", "edit, extend"),
        ({"on_unsupported": "ignore"}, "no on_unsupported 'ignore'", "error, nearest"),
        ({"duration": 0}, "A duration of 0 s is not possible.", "4 to 30"),
        ({"duration": -2}, "A duration of -2 s", "-1 to let the model decide"),
        ({"duration": 61}, "A duration of 61 s", "4 to 30"),
        ({"seed": -1}, "The seed -1 is out of range.", "0 to 4294967295"),
        ({"seed": 2**32}, "The seed 4294967296 is out of range.", "0 to 4294967295"),
        ({"last_frame": PICTURE}, "a last frame without a first", "first frame too"),
        (
            {"first_frame": PICTURE, "references": (PICTURE,)},
            "frames exclude references",
            "either frames or references",
        ),
        ({"video": CLIP, "first_frame": PICTURE}, "excludes first and last frames", "Remove one"),
    ],
)
def test_what_no_provider_can_do_is_refused_by_all(
    asked: dict[str, Any], message: str, hint: str
) -> None:
    for provider in (Strict, providers.get("preview")):
        error = refusal(provider, **asked)
        assert message in error.message
        assert hint in error.hint


# ------------------------------------------------------------------------------------ handles


@pytest.mark.parametrize(
    ("prompt", "media", "named"),
    [
        ("@Image1", {}, "@Image1, but the order has no pictures"),
        ("@Image3", {"references": (PICTURE,) * 2}, "@Image3, but the order has 2 pictures"),
        ("@video1", {"references": (PICTURE,)}, "@video1, but the order has no clips"),
        ("(@Audio2)", {"references": (PICTURE, SOUND)}, "@Audio2, but the order has 1 sound"),
        ("@Image2", {"first_frame": PICTURE}, "@Image2, but the order has 1 picture"),
    ],
)
def test_a_handle_without_its_medium_is_refused(
    prompt: str, media: dict[str, Any], named: str
) -> None:
    assert named in refusal(providers.get("preview"), prompt=prompt, **media).message


@pytest.mark.parametrize(
    "prompt", ["a@image1.example", "@Image", "@Image0", "@@Image1", "@Images1"]
)
def test_what_only_looks_like_a_handle_is_text(prompt: str) -> None:
    assert spelled(replace(CAT, prompt=prompt), Strict).prompt == prompt
    nearest(prompt=prompt)


def test_handles_get_the_provider_s_spelling() -> None:
    order = replace(CAT, prompt="@Image1 and @image12, @VIDEO1; @Audio1.")
    assert spelled(order, Strict).prompt == "[Image1] and [Image12], <video-1>; @Audio1."


def test_the_fitted_order_keeps_the_prompt_as_it_was_written() -> None:
    assert nearest(prompt="@Image1", references=(PICTURE,)).order.prompt == "@Image1"


def test_the_length_of_a_prompt_is_that_of_the_spelling_that_is_sent() -> None:
    prompt = "@Image1 at the lakes"  # 20 characters, 21 in the spelling of Strict
    assert "has 21 characters" in refusal(prompt=prompt, references=(PICTURE,)).message


# ------------------------------------------------------------------------------- other providers


def test_a_change_is_a_sentence_and_a_record() -> None:
    change = Change("duration", 3, 4, "Strict offers 4 to 12 s")
    assert str(change) == "duration: 3 became 4 (Strict offers 4 to 12 s)"
    assert Change(**change.as_dict()) == change
