"""The inputs that several nodes have. Saved workflows hold their names, order, ranges and defaults:
inputs are added at the end, never renamed, removed or reordered."""

from __future__ import annotations

import inspect
from typing import Any

from comfy_api.latest import io

from ..seedance import providers
from ..seedance.errors import SeedanceError
from ..seedance.order import (
    LONGEST_SECONDS,
    MODELS,
    MOST_IMAGES,
    MOST_TAKES,
    ON_UNSUPPORTED,
    OUTPUT_FORMATS,
    RATIOS,
    RESOLUTIONS,
    SEEDS,
)

# Words by which people look for any of our nodes, besides its name.
_ALIASES = (
    *("bytedance", "seedance", "video generation", "ai video", "generate video"),
    *("modelark", "volcano engine"),
    *providers.ids(),
)

# The inputs that say whether an output is decoded, with the output.
DECODED = {
    "decode_frames": "frames",
    "decode_last_frame": "last_frame",
    "decode_audio": "audio",
}

# All inputs that are about what is decoded of a finished video, and no part of an order.
DECODING = (*DECODED, "frames_first", "frames_count", "frames_step")

MOST_FRAMES = 1_000_000

ADDRESS = "an https address, or the provider's own handle (asset://...)"


def usable(provider: object) -> bool | str:
    """True, or why the provider that a node names cannot be used; None for one that is linked."""
    try:
        if provider not in (None, providers.AUTO):
            providers.get(str(provider))
    except SeedanceError as error:
        return str(error)
    return True


def found_by(*aliases: str, sees_itself: bool = False) -> dict[str, Any]:
    """What the schema of a node says besides, as far as this ComfyUI knows it: the words by which
    its search finds the node, that its output is given to the page also where the node need not run
    again, and that it is told the graph that it stands in. `sees_itself` is for a node that looks
    for its own inputs there, some of which ComfyUI leaves out."""
    hidden: Any = getattr(io, "Hidden", None)
    names = ("prompt", "extra_pnginfo", *(("unique_id",) if sees_itself else ()))
    said = {
        "search_aliases": [*aliases, *_ALIASES],
        "has_intermediate_output": True,
        "hidden": [getattr(hidden, name) for name in names] if hidden else [],
    }
    known = inspect.signature(io.Schema).parameters
    return {name: value for name, value in said.items() if name in known}


def prompt(names: str = "") -> io.Input:
    """`names` says how the prompt calls what is connected, where it can."""
    return io.String.Input(
        "prompt",
        multiline=True,
        default="",
        tooltip=f"What happens in the video. {names}".rstrip(),
    )


def url(name: str, of: str) -> io.Input:
    return io.String.Input(
        name,
        default="",
        optional=True,
        tooltip=f"Instead of {of}: {ADDRESS}.",
    )


def grow(name: str, template: io.Input, most: int, tooltip: str) -> io.Input:
    names = [f"{template.id}_{number}" for number in range(1, most + 1)]
    return io.Autogrow.Input(
        name,
        template=io.Autogrow.TemplateNames(template, names=names, min=0),
        optional=True,
        tooltip=tooltip,
    )


def images(tooltip: str) -> io.Input:
    return grow("images", io.Image.Input("image"), MOST_IMAGES, tooltip)


def shared(
    ratio: str = "adaptive", adaptive: str = "that of the picture or clip"
) -> list[io.Input]:
    """The inputs that all generating nodes have, after their own. `adaptive` says which ratio
    that is."""
    return [
        io.Combo.Input(
            "provider",
            options=[providers.AUTO, *providers.ids()],
            default=providers.AUTO,
            optional=True,
            tooltip="Who makes the video. auto: the cheapest provider that has a key and can do "
            "it as asked. preview: a free placeholder, made on this computer.",
        ),
        io.Combo.Input(
            "model",
            options=list(MODELS),
            default="seedance-2.0",
            optional=True,
            tooltip="The Seedance model.",
        ),
        io.Combo.Input(
            "resolution",
            options=list(RESOLUTIONS),
            default="720p",
            optional=True,
            tooltip="About the height of a 16:9 video; other ratios have about as many pixels.",
        ),
        io.Combo.Input(
            "ratio",
            options=list(RATIOS),
            default=ratio,
            optional=True,
            tooltip=f"Width to height. adaptive: {adaptive}.",
        ),
        io.Int.Input(
            "duration",
            default=5,
            min=-1,
            max=LONGEST_SECONDS,
            optional=True,
            tooltip="Seconds, from 4; -1 lets the model decide.",
        ),
        io.Boolean.Input(
            "generate_audio", default=True, optional=True, tooltip="Make sound with the video."
        ),
        io.Int.Input(
            "seed",
            default=0,
            min=0,
            max=SEEDS - 1,
            control_after_generate=io.ControlAfterGenerate.fixed,
            optional=True,
            tooltip="Another seed is another video, and is paid for. The same inputs with the "
            "same seed give the video that is there already, free.",
        ),
        io.Int.Input(
            "takes",
            default=1,
            min=1,
            max=MOST_TAKES,
            optional=True,
            tooltip="Number of videos; each uses the next seed, and each is paid for.",
        ),
        io.Combo.Input(
            "on_unsupported",
            options=[*ON_UNSUPPORTED],
            default="error",
            optional=True,
            advanced=True,
            tooltip="What to do where the provider cannot do it as asked: stop before anything is "
            "sent, or take the nearest it can do and say so.",
        ),
        io.Boolean.Input(
            "watermark",
            default=False,
            optional=True,
            advanced=True,
            tooltip="Ask for the provider's watermark.",
        ),
        io.Boolean.Input(
            "camera_fixed",
            default=False,
            optional=True,
            advanced=True,
            tooltip="Keep the camera still, where the provider has this switch.",
        ),
        decode("frames"),
        io.String.Input(
            "extra",
            default="",
            optional=True,
            advanced=True,
            tooltip="Fields for a provider that the node does not have, as JSON by provider id: "
            '{"leonardo": {"public": true}}.',
        ),
        io.Boolean.Input(
            "draft",
            default=False,
            optional=True,
            advanced=True,
            tooltip="Make a cheap 480p draft, where the provider has them. Seedance Finish Draft "
            "makes the one that you choose into the final video.",
        ),
        io.Boolean.Input(
            "web_search",
            default=False,
            optional=True,
            advanced=True,
            tooltip="Let the model look things up on the web, where the provider has this switch.",
        ),
        io.Combo.Input(
            "output_format",
            options=list(OUTPUT_FORMATS),
            default="mp4",
            optional=True,
            advanced=True,
            tooltip="mov: a master in 4:4:4 with PCM sound, where the provider has it. Browsers "
            "may not play it.",
        ),
        io.String.Input(
            "project",
            default="",
            optional=True,
            advanced=True,
            tooltip="A label, by which costs are added up. It changes nothing of the video.",
        ),
        *decoding(),
    ]


def decode(output: str) -> io.Input:
    """The input by which the graph says whether the output `frames`, `last_frame` or `audio` is
    used."""
    return io.Boolean.Input(
        f"decode_{output}",
        default=True,
        optional=True,
        advanced=True,
        tooltip=f"Set when the graph is queued: on where something is connected to {output}.",
    )


def decoding() -> list[io.Input]:
    """The inputs about what is decoded that came later: by which the graph says whether
    `last_frame` and `audio` are used, and which frames there shall be in `frames`."""
    return [
        decode("last_frame"),
        io.Int.Input(
            "frames_first",
            default=0,
            min=0,
            tooltip="The first frame that frames gives, counted from 0. It changes nothing of the "
            "video.",
            max=MOST_FRAMES,
            optional=True,
            advanced=True,
        ),
        io.Int.Input(
            "frames_count",
            default=0,
            min=0,
            tooltip="How many frames are given at the most; 0 gives all.",
            max=MOST_FRAMES,
            optional=True,
            advanced=True,
        ),
        io.Int.Input(
            "frames_step",
            default=1,
            min=1,
            tooltip="12 gives every twelfth frame: long videos fit into memory. fps stays that of "
            "the video.",
            max=MOST_FRAMES,
            optional=True,
            advanced=True,
        ),
        decode("audio"),
    ]
