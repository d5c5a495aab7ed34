"""`batch --farm`: the takes that are to be made go into the queue of the farm."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..errors import BadOrder
from . import show

if TYPE_CHECKING:
    from ..runner import Runner
    from ..runner.batches import Plan
    from .packing import Tree

MOST_PRIORITY = 100
NOT_HERE = ("out", "join", "report", "jobs")


def check(args: argparse.Namespace, runner: Runner) -> None:
    """Raise BadOrder for options that say what is done with the videos, and where there is no
    farm."""
    from .. import farm

    for name in NOT_HERE:
        if getattr(args, name):
            raise BadOrder(
                f"--{name} does not go with --farm, which makes nothing here.",
                hint="`seedance worker` takes --jobs. Once the videos are there, the same command "
                "without --farm fetches them, free, with --out, --join and --report.",
            )
    farm.check(runner.settings)


def check_media(plan: Plan, runner: Runner) -> None:
    """Raise BadOrder where workers could not get the media of what is to be made."""
    from .. import farm, hosting

    if hosting.configured(runner.settings):
        return
    for take in plan.takes:
        if take.stage != "to make":
            continue
        order = runner.assets.named(take.order())
        files = any(each.files for each in order.assets)
        if take.shot.after is not None or files or farm.has_local_media(order):
            what = (
                f"starts on the last frame of {take.shot.after}"
                if take.shot.after is not None
                else "has media of this machine"
            )
            raise BadOrder(
                f"{take.name} {what}, and there is no bucket from which workers could take that; "
                "nothing was sent.",
                hint="Set SEEDANCE_S3_BUCKET and its keys, here and at each worker.",
            )


def put(args: argparse.Namespace, plan: Plan, runner: Runner) -> int:
    """Put what is to be made into the queue, and say what is there; returns the exit code."""
    from .. import farm

    tree, count = farm.run(_put(plan, runner, args.priority or 0))
    following = sum(len(each.then) for each in tree.roots)
    record = {
        "put": count,
        "estimate": plan.estimate.total.as_dict(),
        "following": following,
        "queued": tree.queued + len(tree.roots) - count,
        "waiting": tree.waiting,
        "there": plan.estimate.there,
        "going_on": plan.estimate.going_on,
        "unclear": plan.estimate.unclear,
    }
    if args.json:
        show.as_json(record)
        return 0
    show.line(f"{count} orders were put into the queue of the farm.")
    if following:
        show.note(f"{following} more follow by themselves: they start on a last frame of these.")
    if record["queued"]:
        show.note(f"{record['queued']} were in it already.")
    if tree.waiting:
        show.note(
            f"{tree.waiting} start on the last frame of shots that were in it, or go on: the same "
            "command puts in those that are still missing once these are there."
        )
    show.note("`seedance worker` carries them. The same command without --farm fetches them.")
    return 0


async def _put(plan: Plan, runner: Runner, level: int) -> tuple[Tree, int]:
    from ..farm import Bucket, Queue
    from .packing import Ready

    async with Queue.opened(runner.settings) as queue:
        ready = Ready(plan, runner)
        there = await queue.there(list(ready.prepared.values()))
        tree = ready.tree(there, Bucket(runner.settings))
        return tree, await queue.put(tree.roots, level)
