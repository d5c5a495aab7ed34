"""From flags to an order. No file is opened here."""

from __future__ import annotations

import argparse

from .. import options
from ..errors import BadOrder
from ..order import Order, read_extra


def order_of(args: argparse.Namespace) -> Order:
    """The order that the flags of `generate` describe. Raises BadOrder for what cannot be read."""
    if args.video is None and (args.operation or args.keep_audio):
        flag = "--operation" if args.operation else "--keep-audio"
        raise BadOrder(f"{flag} needs a clip to work on.", hint="Give it with --video.")
    given = {name: getattr(args, name, None) for name in options.NAMES}
    given["references"] = args.reference
    given["extra"] = read_extra(args.extra or "", "--extra")
    return options.order_of(given)
