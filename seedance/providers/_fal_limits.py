"""What the Seedance models can do at fal, as data.

fal's own pages could be read in part; the rest is from copies of its OpenAPI schemas, whose text
is fal's (cluely/unmodel on GitHub).
"""

from __future__ import annotations

from dataclasses import replace

from ..order import CLIP_TASKS, MODES, Mode
from ..said import say
from ..wire import Limits, MediaLimits, ModelLimits, Source

PATHS: dict[Mode, str] = {
    "text": "text-to-video",
    "image": "image-to-video",
    "frames": "image-to-video",
    "reference": "reference-to-video",
    # fal has no routes for these: the clip is a reference there.
    "edit": "reference-to-video",
    "extend": "reference-to-video",
}
FRAME_MODES: frozenset[Mode] = frozenset(("image", "frames"))

SCHEMA_20 = Source("fal's OpenAPI schemas of bytedance/seedance-2.0 (a copy)", "2026-08-28")
SCHEMA_25 = Source("fal's OpenAPI schemas of bytedance/seedance-2.5 (a copy)", "2026-08-28")
TABLE = Source("a table made from fal's OpenAPI schemas (a copy)", "2026-09")
PAGE_20 = Source("fal.ai/models/bytedance/seedance-2.0, reference-to-video", "2026-04")
PAGES_FLASH = Source(
    "fal.ai/models/bytedance/seedance-2.5/flash, text- and reference-to-video", "2026-10"
)

IMAGE = MediaLimits(("image/png", "image/jpeg", "image/webp"), max_bytes=30 * 2**20)
VIDEO = MediaLimits(
    ("video/mp4", "video/quicktime"),
    max_bytes=50 * 2**20,
    pixels=(640 * 640, 834 * 1112),
    total_seconds=(2, 15),
)
AUDIO = MediaLimits(("audio/mpeg", "audio/wav"), max_bytes=15 * 2**20, total_seconds=(0, 15))

IMAGE_25 = replace(IMAGE, formats=(*IMAGE.formats, "image/bmp", "image/tiff", "image/gif"))
VIDEO_25 = MediaLimits(
    ("video/mp4", "video/quicktime"),
    max_bytes=200 * 2**20,
    sides=(300, 6000),
    aspect=(0.4, 2.5),
    seconds=(1.8, 30.2),
    total_seconds=(1.8, 30.2),
    fps=(24, 60),
)
AUDIO_25 = replace(AUDIO, seconds=(1.8, 30.2), total_seconds=(1.8, 30.2))

STANDARD = ModelLimits(
    id="bytedance/seedance-2.0/{mode}",
    modes=MODES - CLIP_TASKS,
    resolutions=("480p", "720p", "1080p", "4k"),
    ratios=("16:9", "4:3", "1:1", "3:4", "9:16", "21:9"),
    durations=(4, 15),
    adaptive=MODES - CLIP_TASKS,
    auto_duration=True,
    images=9,
    videos=3,
    audios=3,
    total=12,
    # The schemas of 2026-07 to 2026-09 have no such field; older pages listed one.
    seed=False,
    sources=(SCHEMA_20, TABLE, PAGE_20),
)
SMALL = replace(STANDARD, resolutions=("480p", "720p"), sources=(TABLE, PAGE_20))
NEWEST = replace(
    STANDARD,
    id="bytedance/seedance-2.5/{mode}",
    modes=MODES,
    resolutions=("480p", "720p", "1080p"),
    durations=(4, 30),
    adaptive=MODES,
    # The schema has `auto` only. That a clip to work on wants it too is reported of a field `task`,
    # which is in no schema and is not sent.
    source_ratio=FRAME_MODES,
    images=30,
    videos=10,
    audios=10,
    total=50,
    edit_images=30,
    media={"image": IMAGE_25, "video": VIDEO_25, "audio": AUDIO_25},
    by_prompt=CLIP_TASKS,
    extends_apart=True,
    # The schema of text to video has drafts; of the other routes that is reported.
    drafts=frozenset(("text",)),
    finals=("1080p",),
    sources=(SCHEMA_25, TABLE),
)
FLASH = replace(
    NEWEST,
    id="bytedance/seedance-2.5/flash/{mode}",
    # No page of an image route was found, and none about editing.
    modes=frozenset(("text", "reference")),
    adaptive=frozenset(("text", "reference")),
    source_ratio=frozenset(),
    edit_images=0,
    by_prompt=frozenset(),
    drafts=frozenset(),
    finals=(),
    resolutions=("480p", "720p"),
    # Other services of this model take 10, 5 and 5; fal's own numbers could not be read, so that
    # those of 2.5 are the limit here, and fal decides.
    notes={
        "image": say(
            "fal may take fewer than 30 pictures with seedance-2.5-flash; elsewhere it is 10."
        ),
        "video": say(
            "fal may take fewer than 10 clips with seedance-2.5-flash; elsewhere it is 5."
        ),
        "audio": say(
            "fal may take fewer than 10 sounds with seedance-2.5-flash; elsewhere it is 5."
        ),
    },
    sources=(PAGES_FLASH,),
)

LIMITS = Limits(
    models={
        "seedance-2.0": STANDARD,
        "seedance-2.0-fast": replace(SMALL, id="bytedance/seedance-2.0/fast/{mode}"),
        "seedance-2.0-mini": replace(
            SMALL, id="bytedance/seedance-2.0/mini/{mode}", sources=(TABLE,)
        ),
        "seedance-2.5": NEWEST,
        "seedance-2.5-flash": FLASH,
    },
    # Data URIs are taken by most of fal's models, and refused by some: they are not used.
    delivery={
        "image": ("upload", "address"),
        "video": ("upload", "address"),
        "audio": ("upload", "address"),
    },
    image=IMAGE,
    video=VIDEO,
    audio=AUDIO,
    draft_life=7 * 24 * 3600.0,  # the page of the US tree prints 14 days
)
