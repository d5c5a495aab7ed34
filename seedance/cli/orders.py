"""From flags to an order: how a file or an address becomes a medium.

No file is opened here.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import BadOrder
from ..order import Kind, Medium, Order, is_address, kind_of_reference, read_extra


def order_of(args: argparse.Namespace) -> Order:
    """The order that the flags of `generate` describe. Raises BadOrder for what cannot be read."""
    if args.video is None and (args.operation or args.keep_audio):
        flag = "--operation" if args.operation else "--keep-audio"
        raise BadOrder(f"{flag} needs a clip to work on.", hint="Give it with --video.")
    media = args.image or args.last_image or args.reference or args.video
    return Order(
        prompt=args.prompt,
        provider=args.provider,
        model=args.model,
        resolution=args.resolution,
        ratio=args.ratio or ("adaptive" if media else "16:9"),
        duration=args.duration,
        generate_audio=not args.no_audio,
        seed=args.seed,
        watermark=args.watermark,
        camera_fixed=args.camera_fixed,
        first_frame=medium("image", args.image) if args.image else None,
        last_frame=medium("image", args.last_image) if args.last_image else None,
        references=tuple(reference(text) for text in args.reference),
        video=medium("video", args.video) if args.video else None,
        operation=args.operation or "edit",
        keep_audio=args.keep_audio,
        on_unsupported=args.on_unsupported,
        extra=read_extra(args.extra or "", "--extra"),
        draft=args.draft,
        web_search=args.web_search,
        output_format=args.output_format,
    )


def reference(text: str) -> Medium:
    """A reference whose kind follows from `image:`, `video:`, `audio:` before it or its ending."""
    kind, where = kind_of_reference(text)
    if kind is None:
        raise BadOrder(
            f"Whether {text[:80]!r} is a picture, a clip or a sound cannot be told from its "
            "ending.",
            hint="Write image:, video: or audio: before it.",
        )
    return medium(kind, where)


def medium(kind: Kind, text: str) -> Medium:
    """A medium from an address, a provider's handle or a local file."""
    if is_address(text.strip()):
        return Medium.from_address(kind, text)
    return Medium.from_path(kind, Path(text).expanduser())
