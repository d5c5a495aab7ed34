"""The generating nodes: their inputs, and the order that these make.

Owns names, ranges, defaults and tooltips of inputs, all of which saved workflows hold: add, never
rename, remove or reorder. Must not know how an order is carried out.

Each node is a literal class with a literal node id, since ComfyUI-Manager finds nodes by parsing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..seedance import providers
from ..seedance.errors import BadOrder, SeedanceError
from ..seedance.order import (
    MODELS,
    OPERATIONS,
    RATIOS,
    RESOLUTIONS,
    SEEDS,
    Medium,
    Order,
    kind_of_reference,
    read_extra,
)
from . import host, takes, tensors

if TYPE_CHECKING:
    import torch
    from comfy_api.latest import Input

    from ..seedance.runner import Job, Runner

# ------------------------------------------------------------------------------------------- inputs

ADDRESS = "an https address, or the provider's own handle (asset://...)"


def _prompt(names: str = "") -> io.Input:
    """`names` says how the prompt calls what is connected, where it can."""
    return io.String.Input(
        "prompt",
        multiline=True,
        default="",
        tooltip=f"What happens in the video. {names}".rstrip(),
    )


def _url(name: str, of: str) -> io.Input:
    return io.String.Input(
        name,
        default="",
        optional=True,
        tooltip=f"Instead of {of}: {ADDRESS}.",
    )


def _grow(name: str, template: io.Input, most: int, tooltip: str) -> io.Input:
    names = [f"{template.id}_{number}" for number in range(1, most + 1)]
    return io.Autogrow.Input(
        name,
        template=io.Autogrow.TemplateNames(template, names=names, min=0),
        optional=True,
        tooltip=tooltip,
    )


def _images(tooltip: str) -> io.Input:
    return _grow("images", io.Image.Input("image"), 30, tooltip)


def _shared(
    ratio: str = "adaptive", adaptive: str = "that of the picture or clip"
) -> list[io.Input]:
    """The inputs that all generating nodes have, after their own. `adaptive` says which ratio
    that is."""
    return [
        io.Combo.Input(
            "provider",
            options=["auto", *providers.ids()],
            default="auto",
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
            max=30,
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
            max=8,
            optional=True,
            tooltip="Number of videos; each uses the next seed, and each is paid for.",
        ),
        io.Combo.Input(
            "on_unsupported",
            options=["error", "nearest"],
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
        takes.decode_frames(),
        io.String.Input(
            "extra",
            default="",
            optional=True,
            advanced=True,
            tooltip="Fields for a provider that the node does not have, as JSON by provider id: "
            '{"leonardo": {"public": true}}.',
        ),
    ]


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
        """ComfyUI leaves the check of an input that is named here to us, so that an old workflow
        whose provider is gone gets our sentence. Sockets that grow arrive whether named or not."""
        try:
            if provider not in (None, "auto"):  # None: it is linked
                providers.get(str(provider))
        except SeedanceError as error:
            return str(error)
        return True

    @classmethod
    def fingerprint_inputs(cls, **inputs: Any) -> int:
        return host.partial_failures.count_for(inputs)


# ---------------------------------------------------------------------------------- inputs to order


async def _generate(
    media: Callable[[], dict[str, Any]], inputs: Mapping[str, Any]
) -> io.NodeOutput:
    """Order, wait and give the outputs. `media` gives the order's media by field; it may encode,
    and so is called in a thread."""
    fields = dict(inputs)
    number = fields.pop("takes", 1)
    decode_frames = fields.pop("decode_frames", True)
    extra = fields.pop("extra", "")

    def begin(runner: Runner) -> list[Job]:
        order = Order(**fields, **media(), extra=read_extra(extra))
        return runner.start(order, takes=number)

    return await takes.deliver(begin, decode_frames=decode_frames)


def parse_urls(text: str) -> list[Medium]:
    """The `urls` input: an address or handle a line, with `image:`, `video:` or `audio:` before it
    where its ending does not tell. Raises BadOrder, naming the line."""
    return [
        _url_medium(line, number)
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip()
    ]


def _url_medium(line: str, number: int) -> Medium:
    kind, address = kind_of_reference(line)
    if kind is None:
        raise BadOrder(
            f"Line {number} of urls does not tell whether it is a picture, a clip or a sound.",
            hint="Write image:, video: or audio: before the address.",
        )
    return Medium.from_address(kind, address)


def _picture(name: str, image: torch.Tensor | None, address: str) -> Medium | None:
    """The picture on a socket or at the address beside it, None for neither."""
    if _given(name, image, address):
        return Medium.from_address("image", address)
    return None if image is None else tensors.picture(image, name)


def _clip(name: str, video: Input.Video | None, address: str) -> Medium | None:
    if _given(name, video, address):
        return Medium.from_address("video", address)
    return None if video is None else tensors.clip(video)


def _given(name: str, value: object, address: str) -> bool:
    """Whether there is an address. Raises BadOrder if there is a value on the socket too."""
    if address.strip() and value is not None:
        raise BadOrder(
            f"Both {name} and {name}_url are given.", hint="Disconnect one or empty the other."
        )
    return bool(address.strip())


Sockets = Mapping[str, Any] | None


def _references(
    images: Sockets = None, videos: Sockets = None, audios: Sockets = None
) -> list[Medium]:
    """Pictures, clips and sounds of growing sockets, in the order of their numbers."""
    return [
        *(medium for name, value in _connected(images) for medium in tensors.pictures(value, name)),
        *(tensors.clip(value) for _, value in _connected(videos)),
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
            inputs=[_prompt(), *_shared(ratio="16:9", adaptive="the model decides")],
            outputs=takes.outputs(),
        )

    @classmethod
    async def execute(cls, ratio: str = "16:9", **inputs: Any) -> io.NodeOutput:
        return await _generate(dict, {"ratio": ratio, **inputs})


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
                _prompt(),
                _url("image_url", "the picture"),
                *_shared(),
            ],
            outputs=takes.outputs(),
        )

    @classmethod
    async def execute(
        cls, image: torch.Tensor | None = None, image_url: str = "", **inputs: Any
    ) -> io.NodeOutput:
        def media() -> dict[str, Any]:
            first = _picture("image", image, image_url)
            if first is None:
                raise BadOrder(
                    "There is no picture to start from.",
                    hint="Connect image or fill in image_url, or use Seedance Text to Video.",
                )
            return {"first_frame": first}

        return await _generate(media, inputs)


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
                _prompt(),
                _url("first_frame_url", "the first frame"),
                _url("last_frame_url", "the last frame"),
                *_shared(),
            ],
            outputs=takes.outputs(),
        )

    @classmethod
    async def execute(
        cls,
        first_frame: torch.Tensor | None = None,
        last_frame: torch.Tensor | None = None,
        first_frame_url: str = "",
        last_frame_url: str = "",
        **inputs: Any,
    ) -> io.NodeOutput:
        def media() -> dict[str, Any]:
            first = _picture("first_frame", first_frame, first_frame_url)
            last = _picture("last_frame", last_frame, last_frame_url)
            if first is None or last is None:
                missing = "first_frame" if first is None else "last_frame"
                raise BadOrder(
                    f"{missing} is missing.",
                    hint=f"Connect it or fill in {missing}_url. For a first frame alone there is "
                    "Seedance Image to Video.",
                )
            return {"first_frame": first, "last_frame": last}

        return await _generate(media, inputs)


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
                _images("Reference pictures. A batch of n pictures counts as n references."),
                _grow("videos", io.Video.Input("video"), 10, "Reference clips."),
                _grow("audios", io.Audio.Input("audio"), 10, "Reference sounds."),
                _prompt("References are named @Image1, @Video1, @Audio1."),
                io.String.Input(
                    "urls",
                    default="",
                    multiline=True,
                    optional=True,
                    tooltip=f"More references, one a line: {ADDRESS}; with image:, video: or "
                    "audio: before it where its ending does not tell. They are numbered after "
                    "those that are connected.",
                ),
                *_shared(),
            ],
            outputs=takes.outputs(),
        )

    @classmethod
    async def execute(
        cls,
        images: Sockets = None,
        videos: Sockets = None,
        audios: Sockets = None,
        urls: str = "",
        **inputs: Any,
    ) -> io.NodeOutput:
        def media() -> dict[str, Any]:
            references = (*_references(images, videos, audios), *parse_urls(urls))
            if not references:
                raise BadOrder(
                    "There is no reference.",
                    hint="Connect a picture, clip or sound or fill in urls, or use Seedance Text "
                    "to Video.",
                )
            return {"references": references}

        return await _generate(media, inputs)


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
                _images("Pictures that the prompt names @Image1, @Image2, ..."),
                _prompt("Pictures are named @Image1, @Image2, ..."),
                _url("video_url", "the clip"),
                io.Combo.Input(
                    "operation",
                    options=list(OPERATIONS),
                    default="edit",
                    optional=True,
                    tooltip="edit: change what is in the clip. extend: go on after its end.",
                ),
                io.Boolean.Input(
                    "keep_audio",
                    default=False,
                    optional=True,
                    tooltip="Keep the clip's own sound, where the provider can.",
                ),
                *_shared(),
            ],
            outputs=takes.outputs(),
        )

    @classmethod
    async def execute(
        cls,
        video: Input.Video | None = None,
        images: Sockets = None,
        video_url: str = "",
        **inputs: Any,
    ) -> io.NodeOutput:
        def media() -> dict[str, Any]:
            source = _clip("video", video, video_url)
            if source is None:
                raise BadOrder(
                    "There is no clip to work on.", hint="Connect video or fill in video_url."
                )
            return {"video": source, "references": tuple(_references(images))}

        return await _generate(media, inputs)
