"""The generating nodes: their inputs, and the order that these make.

Each node is a literal class with a literal node id, since ComfyUI-Manager finds nodes by parsing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..seedance.errors import BadOrder
from ..seedance.order import (
    OPERATIONS,
    Medium,
    Order,
    names_assets,
    read_extra,
    reference_at,
)
from . import execution, inputs, outputs, takes, tensors
from .graph import graph_of
from .partial_failures import partial_failures
from .values import check_names, check_prompt, converted, text

if TYPE_CHECKING:
    import torch
    from comfy_api.latest import Input

    from ..seedance.runner import Job, Runner


class _Generating:
    """What ComfyUI asks of every generating node before it runs."""

    @classmethod
    def validate_inputs(
        cls,
        provider: str | None = "auto",
        images: object = None,
        videos: object = None,
        audios: object = None,
    ) -> bool | str:
        """True, or why the inputs cannot be used. ComfyUI does not check an input that is named
        here by itself, so that an old workflow whose provider is gone gets our own sentence. The
        growing sockets are named because ComfyUI passes them in any case."""
        return inputs.usable(provider)

    @classmethod
    def fingerprint_inputs(cls, **values: Any) -> int:
        return partial_failures.count_for(values)


# ---------------------------------------------------------------------------------- inputs to order


async def _generate(
    node: type, media: Callable[[], dict[str, Any]], values: Mapping[str, Any]
) -> io.NodeOutput:
    """Make the order, wait for its takes and give the outputs.

    `node` is the class of the running node. `values`: inputs by name; all but `takes`,
    those of `inputs.DECODING` and `extra` are fields of an order.
    `media` gives the order's media by field. It may encode, and is called in a thread.
    """
    fields: dict[str, Any] = {}

    prompt_id = execution.prompt_id()

    def begin(runner: Runner) -> list[Job]:
        from . import queue_sum  # which reads the nodes of a graph by what is in this module

        fields.update(converted(values))
        number, extra = fields.pop("takes", 1), fields.pop("extra", "")
        for name in inputs.DECODING:
            fields.pop(name, None)
        order = Order(**fields, **media(), extra=read_extra(extra))
        spending = queue_sum.spending_of(prompt_id, runner)
        return runner.start(order, takes=number, spending=spending, **graph_of(node))

    return await takes.deliver(begin, takes.decoded_of(values))


def parse_urls(lines: str) -> list[Medium]:
    """The `urls` input: an address or handle a line, with `image:`, `video:` or `audio:` before it
    where its ending does not tell. Raises BadOrder, naming the line."""
    return [
        _url_medium(line, number)
        for number, line in enumerate(lines.splitlines(), start=1)
        if line.strip()
    ]


def _url_medium(line: str, number: int) -> Medium:
    medium = reference_at(line)
    if medium is None:
        raise BadOrder(
            "Line {number} of urls does not tell whether it is a picture, a clip or a sound.",
            hint="Write image:, video: or audio: before the address.",
            number=number,
        )
    return medium


def _picture(name: str, image: torch.Tensor | None, address: str) -> Medium | None:
    """The picture on a socket or at the address beside it, None for neither."""
    if address := _given(name, image, address):
        return Medium.from_address("image", address)
    return None if image is None else tensors.picture(image, name)


def _clip(name: str, video: Input.Video | None, address: str) -> Medium | None:
    if address := _given(name, video, address):
        return Medium.from_address("video", address)
    return None if video is None else tensors.clip(video, name)


def _given(name: str, value: object, address: object) -> str:
    """The address, empty if there is none. Raises BadOrder if there is a value on the socket
    too."""
    given = text(f"{name}_url", address).strip()
    if given and value is not None:
        raise BadOrder(
            "Both {name} and {name}_url are given.",
            hint="Disconnect one or empty the other.",
            name=name,
        )
    return given


Sockets = Mapping[str, Any] | None


def _references(
    images: Sockets = None, videos: Sockets = None, audios: Sockets = None
) -> list[Medium]:
    """Pictures, clips and sounds of growing sockets, in the order of their numbers."""
    for name, sockets in (("images", images), ("videos", videos), ("audios", audios)):
        check_names(sockets, name)
    return [
        *(medium for name, value in _connected(images) for medium in tensors.pictures(value, name)),
        *(tensors.clip(value, name) for name, value in _connected(videos)),
        *(tensors.sound(value, name) for name, value in _connected(audios)),
    ]


def _connected(sockets: Sockets) -> list[tuple[str, Any]]:
    """`image_2` before `image_10`, whatever the order in which a prompt names them."""
    there = [(name, value) for name, value in (sockets or {}).items() if value is not None]
    return sorted(there, key=lambda item: int(item[0].rpartition("_")[2]))


# -------------------------------------------------------------------------------------------- nodes


class SeedanceT2V(_Generating, io.ComfyNode):
    """Text to video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SeedanceT2V",
            display_name="Seedance Text to Video",
            category="Seedance",
            description="Makes a video with sound from a text with Seedance 2.0, at the provider "
            "of your choice. The provider preview is free and needs no key.",
            inputs=[inputs.prompt(), *inputs.shared(ratio="16:9", adaptive="the model decides")],
            outputs=outputs.schema(),
            **inputs.found_by("text to video", "t2v", "txt2vid"),
        )

    @classmethod
    async def execute(cls, ratio: str | None = None, **values: Any) -> io.NodeOutput:
        return await _generate(cls, dict, {**values, "ratio": "16:9" if ratio is None else ratio})


class SeedanceI2V(_Generating, io.ComfyNode):
    """A first frame to video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SeedanceI2V",
            display_name="Seedance Image to Video",
            category="Seedance",
            description="Makes a video that starts on a picture, with Seedance 2.0.",
            inputs=[
                io.Image.Input("image", optional=True, tooltip="The first frame of the video."),
                inputs.prompt(),
                inputs.url("image_url", "the picture"),
                *inputs.shared(),
            ],
            outputs=outputs.schema(),
            **inputs.found_by("image to video", "i2v", "img2vid", "animate picture", "first frame"),
        )

    @classmethod
    async def execute(
        cls, image: torch.Tensor | None = None, image_url: str = "", **values: Any
    ) -> io.NodeOutput:
        def media() -> dict[str, Any]:
            first = _picture("image", image, image_url)
            if first is None:
                raise BadOrder(
                    "There is no picture to start from.",
                    hint="Connect image or fill in image_url, or use Seedance Text to Video.",
                )
            return {"first_frame": first}

        return await _generate(cls, media, values)


class SeedanceFrames(_Generating, io.ComfyNode):
    """From a first frame to a last one."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SeedanceFrames",
            display_name="Seedance First & Last Frame to Video",
            category="Seedance",
            description="Makes a video that goes from one picture to another, with Seedance 2.0.",
            inputs=[
                io.Image.Input(
                    "first_frame", optional=True, tooltip="The first frame of the video."
                ),
                io.Image.Input("last_frame", optional=True, tooltip="The last frame of the video."),
                inputs.prompt(),
                inputs.url("first_frame_url", "the first frame"),
                inputs.url("last_frame_url", "the last frame"),
                *inputs.shared(),
            ],
            outputs=outputs.schema(),
            **inputs.found_by("keyframe", "first and last frame", "start end frame", "flf2v"),
        )

    @classmethod
    async def execute(
        cls,
        first_frame: torch.Tensor | None = None,
        last_frame: torch.Tensor | None = None,
        first_frame_url: str = "",
        last_frame_url: str = "",
        **values: Any,
    ) -> io.NodeOutput:
        def media() -> dict[str, Any]:
            first = _picture("first_frame", first_frame, first_frame_url)
            last = _picture("last_frame", last_frame, last_frame_url)
            if first is None or last is None:
                missing = "first_frame" if first is None else "last_frame"
                raise BadOrder(
                    "{name} is missing.",
                    hint="Connect it or fill in {name}_url. For a first frame alone there is "
                    "Seedance Image to Video.",
                    name=missing,
                )
            return {"first_frame": first, "last_frame": last}

        return await _generate(cls, media, values)


class SeedanceReference(_Generating, io.ComfyNode):
    """Pictures, clips and sounds to be seen and heard in the video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SeedanceReference",
            display_name="Seedance Reference to Video",
            category="Seedance",
            description="Makes a video with the persons, things, movements and sounds of "
            "references, with Seedance 2.0. The prompt names them @Image1, @Video1, @Audio1.",
            inputs=[
                inputs.images("Reference pictures. A batch of n pictures counts as n references."),
                inputs.grow("videos", io.Video.Input("video"), 10, "Reference clips."),
                inputs.grow("audios", io.Audio.Input("audio"), 10, "Reference sounds."),
                inputs.prompt("References are named @Image1, @Video1, @Audio1."),
                io.String.Input(
                    "urls",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip=f"More references, one a line: {inputs.ADDRESS}; with image:, video: "
                    "or audio: before it where its ending does not tell. They are numbered after "
                    "those that are connected.",
                ),
                *inputs.shared(),
            ],
            outputs=outputs.schema(),
            **inputs.found_by(
                "reference to video", "r2v", "character", "subject", sees_itself=True
            ),
        )

    @classmethod
    async def execute(
        cls,
        images: Sockets = None,
        videos: Sockets = None,
        audios: Sockets = None,
        urls: str = "",
        **values: Any,
    ) -> io.NodeOutput:
        def media() -> dict[str, Any]:
            check_prompt(getattr(cls, "hidden", None), ("images", "videos", "audios"))
            references = (*_references(images, videos, audios), *parse_urls(text("urls", urls)))
            if not references and not names_assets(values.get("prompt")):
                raise BadOrder(
                    "There is no reference.",
                    hint="Connect a picture, clip or sound, fill in urls, or name an asset in the "
                    "prompt (@Asset:NAME); or use Seedance Text to Video.",
                )
            return {"references": references}

        return await _generate(cls, media, values)


class SeedanceV2V(_Generating, io.ComfyNode):
    """Edits or extends a clip."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SeedanceV2V",
            display_name="Seedance Video to Video",
            category="Seedance",
            description="Edits or extends a clip as the prompt says, with Seedance 2.0.",
            inputs=[
                io.Video.Input("video", optional=True, tooltip="The clip to work on."),
                inputs.images("Pictures that the prompt names @Image1, @Image2, ..."),
                inputs.prompt("Pictures are named @Image1, @Image2, ..."),
                inputs.url("video_url", "the clip"),
                io.Combo.Input(
                    "operation",
                    options=list(OPERATIONS),
                    default="edit",
                    optional=True,
                    tooltip="edit: change what is in the clip. extend: go on after its end (or "
                    "before its start, if the prompt says so); the video is the new part alone.",
                ),
                io.Boolean.Input(
                    "keep_audio",
                    default=False,
                    optional=True,
                    tooltip="Keep the clip's own sound, where the provider can.",
                ),
                *inputs.shared(),
            ],
            outputs=outputs.schema(),
            **inputs.found_by(
                *("video to video", "v2v", "edit video", "extend video", "vid2vid"),
                sees_itself=True,
            ),
        )

    @classmethod
    async def execute(
        cls,
        video: Input.Video | None = None,
        images: Sockets = None,
        video_url: str = "",
        **values: Any,
    ) -> io.NodeOutput:
        def media() -> dict[str, Any]:
            check_prompt(getattr(cls, "hidden", None), ("images",))
            source = _clip("video", video, video_url)
            if source is None:
                raise BadOrder(
                    "There is no clip to work on.", hint="Connect video or fill in video_url."
                )
            return {"video": source, "references": tuple(_references(images))}

        return await _generate(cls, media, values)
