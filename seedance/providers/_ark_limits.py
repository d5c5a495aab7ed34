"""What the official Seedance models can do: the tables of docs.byteplus.com, as data, with those of
ComfyUI's core nodes (`comfy_api_nodes`) for what the tables leave open.

The models are the same at BytePlus and Volcano Engine; their ids
differ in the prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .. import order
from ..order import CLIP_TASKS, MODES
from ..wire import Limits, MediaLimits, ModelLimits, Size, Source

FRAMES_A_SECOND = 24
SHORTEST_CLIP = 2.0

RATIOS = ("16:9", "4:3", "1:1", "3:4", "9:16", "21:9")

PAGES = Source("docs.byteplus.com/en/docs/modelark, task API", "2026-07")
TUTORIAL_25 = Source("BytePlus Seedance 2.5 tutorial (a copy)", "2026-07")
CORE = Source("ComfyUI's core, comfy_api_nodes/nodes_bytedance.py", "2026-08-22")

SIZES: Mapping[str, Mapping[str, Size]] = {
    **order.SIZES,
    "1080p": {
        "16:9": (1920, 1080),
        "4:3": (1664, 1248),
        "1:1": (1440, 1440),
        "3:4": (1248, 1664),
        "9:16": (1080, 1920),
        "21:9": (2206, 946),
    },
}
SIZES_25 = {**SIZES, "480p": {**SIZES["480p"], "16:9": (854, 480), "9:16": (480, 854)}}
# No page of BytePlus lists the sizes of 4k, EvoLink's does; its price example (16:9, 5 s, 3.89 USD)
# is that of 3840 x 2160.
AREA_4K = 3840 * 2160

IMAGE = MediaLimits(
    ("image/png", "image/jpeg", "image/webp", "image/bmp", "image/tiff", "image/gif"),
    max_bytes=30 * 2**20,
    sides=(300, 6000),
    aspect=(0.4, 2.5),
)
# The documents say 2 to 15 s (2.5: 30 s); a little less and more is taken, as ComfyUI's core knows.
TOLERANCE = (0.2, 0.1)
# How large a clip may be for 2.0 depends on the resolution of the output. ComfyUI's core has 1080p
# as the most for 1080p, EvoLink 2206x946, the size in 21:9: between the two the server decides, as
# it does for 4k, of which no table tells.
CLIP_PIXELS_20 = {
    "480p": (409_600, 927_408),
    "720p": (409_600, 927_408),
    "1080p": (409_600, 2_086_876),
}
VIDEO = MediaLimits(
    ("video/mp4", "video/quicktime"),
    max_bytes=50 * 2**20,
    seconds=(SHORTEST_CLIP, 15),
    total_seconds=(SHORTEST_CLIP, 15),
    fps=(24, 60),
    tolerance=TOLERANCE,
)
AUDIO = MediaLimits(
    ("audio/wav", "audio/mpeg"),
    max_bytes=15 * 2**20,
    seconds=(2, 15),
    total_seconds=(2, 15),
    tolerance=TOLERANCE,
)
VIDEO_25 = replace(
    VIDEO,
    max_bytes=200 * 2**20,
    seconds=(SHORTEST_CLIP, 30),
    total_seconds=(SHORTEST_CLIP, 30),
    fps=None,
    pixels=(407_696, 8_295_044),
    doubtful_pixels=409_600,  # the least by ComfyUI's core and by EvoLink
)
EDITED_25 = replace(VIDEO_25, seconds=(4, 30), tolerance=(0.0, TOLERANCE[1]))
AUDIO_25 = replace(AUDIO, seconds=(2, 30), total_seconds=(2, 30))


def limits(prefix: str) -> Limits:
    """The limits with the model ids of a prefix: `dreamina` at BytePlus, `doubao` in China."""
    standard = ModelLimits(
        id=f"{prefix}-seedance-2-0-260128",
        modes=MODES,
        resolutions=("480p", "720p", "1080p", "4k"),
        ratios=RATIOS,
        durations=(4, 15),
        adaptive=MODES,
        auto_duration=True,
        sizes=SIZES,
        images=9,
        videos=3,
        audios=3,
        edit_images=9,
        watermark=True,
        clip_pixels=CLIP_PIXELS_20,
        # 2.0 has no task types: its reference mode edits and extends by the prompt.
        by_prompt=CLIP_TASKS,
        extends_apart=True,
        web_search=frozenset({"text"}),
        exact_frames=True,  # ComfyUI's core: in another size, the ends show a stretch or a jump
        sources=(PAGES, CORE),
    )
    small = replace(standard, resolutions=("480p", "720p"))
    newest = replace(
        standard,
        id=f"{prefix}-seedance-2-5-260628",
        resolutions=("480p", "720p", "1080p"),
        durations=(4, 30),
        source_ratio=frozenset({"image", "frames", "edit", "extend"}),
        source_duration=frozenset({"edit"}),
        sizes=SIZES_25,
        images=30,
        videos=10,
        audios=10,
        total=50,
        audio_alone=True,
        edit_images=30,
        media={"video": VIDEO_25, "audio": AUDIO_25},
        mode_media={"edit": {"video": EDITED_25}},
        clip_pixels={},
        by_prompt=frozenset(),
        drafts=MODES,
        finals=("1080p",),
        web_search=frozenset(),
        formats=("mp4", "mov"),
        exact_frames=False,  # the video keeps the picture's own ratio
        sources=(PAGES, TUTORIAL_25, CORE),
    )
    return Limits(
        models={
            "seedance-2.0": standard,
            "seedance-2.0-fast": replace(small, id=f"{prefix}-seedance-2-0-fast-260128"),
            "seedance-2.0-mini": replace(small, id=f"{prefix}-seedance-2-0-mini-260615"),
            "seedance-2.5": newest,
        },
        delivery={
            "image": ("inline", "address", "handle"),
            "video": ("address", "handle"),
            "audio": ("inline", "address", "handle"),
        },
        image=IMAGE,
        video=VIDEO,
        audio=AUDIO,
        poll_interval=10.0,
        result_life=24 * 3600.0,
        task_life=7 * 24 * 3600.0,
        draft_life=7 * 24 * 3600.0,
        forgets_after=7 * 24 * 3600.0,  # "last 7 days" (providers.md, BytePlus, list and get)
    )


def area(model: ModelLimits, resolution: str, ratio: str) -> int:
    """The pixels of one frame. A ratio without a size of its own counts as 16:9, from which the
    others differ by less than five percent."""
    if resolution == "4k":
        return AREA_4K
    sizes = model.sizes.get(resolution, SIZES["720p"])
    width, height = sizes.get(ratio, sizes["16:9"])
    return width * height
