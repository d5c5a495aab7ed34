"""`asset add`, `list`, `show` and `remove`: pictures, clips and sounds by name, in a provider's
library or on this machine."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from . import show
from .setup import runner_for

if TYPE_CHECKING:
    from ..runner import AssetView
    from ..runner.progress import Progress

CONSENT = (
    "Whoever is shown must have agreed to it: that is your duty, at any provider. The person "
    "opens this page on their phone and confirms there, once for this name; what the page sees of "
    "them stays at the provider:"
)


def add(args: argparse.Namespace) -> int:
    """`seedance asset add FILE --name NAME --provider P`."""
    from ..options import reference

    media = [reference(text) for text in args.files]
    runner = runner_for(args)
    views = []
    told: list[str] = []

    def tell(progress: Progress) -> None:
        if progress.code not in told[-1:]:  # its seconds are no news
            told.append(progress.code)
            show.note(f"{args.name}: {progress}")

    for medium in media:
        view = runner.assets.add(
            medium,
            args.name,
            args.provider,
            person=args.kind == "person",
            tell=tell,
            show_link=_show_link,
        )
        views.append(view)
        if not args.json:
            show.line(view.handle or view.file or "")
    if args.json:
        records = [view.as_dict() for view in views]
        show.as_json(records[0] if len(records) == 1 else records)
    else:
        show.note(f"In a prompt it is @Asset:{views[0].name}.")
    return 0


def _show_link(link: str, seconds: float) -> None:
    show.note(CONSENT)
    show.note(f"  {link}")
    show.note(f"It can be used for {seconds / 60:g} minutes, once.")


def list_all(args: argparse.Namespace) -> int:
    """`seedance asset list`: those of this machine and of each library with a signing key."""
    runner = runner_for(args)
    for problem in runner.assets.refresh():
        show.note(f"{show.as_typed(str(problem))} What the journal knows is shown.")
    views = [view for view in runner.assets.all() if args.provider in (None, view.provider)]
    if args.json:
        show.as_json([view.as_dict() for view in views])
    elif not views:
        show.note("There are no assets yet. See: seedance asset add --help")
    else:
        _table(views)
    return 0


def show_one(args: argparse.Namespace) -> int:
    """`seedance asset show NAME`: everything about the assets of one name."""
    runner = runner_for(args)
    for problem in runner.assets.refresh():
        show.note(f"{show.as_typed(str(problem))} What the journal knows is shown.")
    views = runner.assets.of(args.name)
    if args.json:
        show.as_json([view.as_dict() for view in views])
        return 0
    for view in views:
        of = "a real person" if view.person else "not marked as a person"
        show.line(f"{view.name}: {view.kind} at {view.provider}, {of}, {_state(view)}")
        show.line(f"  {view.handle or view.file or '-'}")
    return 0


def remove(args: argparse.Namespace) -> int:
    """`seedance asset remove NAME`: delete the assets of a name, or the one of a handle."""
    gone = runner_for(args).assets.remove(args.name, args.provider)
    if args.json:
        show.as_json([view.as_dict() for view in gone])
        return 0
    for view in gone:
        show.note(f"Removed from {view.provider}: {view.handle or view.file}")
    return 0


def _table(views: Iterable[AssetView]) -> None:
    rows = [("name", "provider", "kind", "person", "state", "is")]
    rows += [
        (
            view.name,
            view.provider,
            view.kind,
            "yes" if view.person else "-",
            _state(view),
            view.handle or view.file or "-",
        )
        for view in views
    ]
    show.table(rows)


def _state(view: AssetView) -> str:
    return f"{view.state}: {view.problem}" if view.problem else view.state
