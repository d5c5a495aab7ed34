"""What was paid after a journal was backed up, found again once that backup is put back.

Three things tell it: the tickets below the home of each machine, the sidecars beside the videos (in
the output folder and in the user's bucket), and the providers' own lists of tasks. Sends nothing
that costs money.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .. import hosting, providers
from ..errors import SeedanceError
from ..journal import Journal
from ..settings import Settings
from . import rebuild, results, tickets
from .client import Client

LIST_SECONDS = 7 * 24 * 3600.0  # so far back lists are read


@dataclass(frozen=True)
class Reconciled:
    """What was found. `tickets` and `videos` are how many orders the journal has again by the files
    of tickets and by sidecars. `unknown` are tasks of the providers' lists that it does not know:
    they may be those of others who use the account. `unread` says by provider why its list could
    not be read; `listed` are those whose lists were read."""

    tickets: int
    videos: int
    listed: tuple[str, ...]
    unknown: tuple[str, ...]
    unread: Mapping[str, str]


def reconcile(
    settings: Settings, journal: Journal, client_at: Callable[[str], Client]
) -> Reconciled:
    """Find what was paid and the journal does not know. Raises BadOrder where the journal cannot be
    written, and what `hosting.put` raises where the bucket cannot be read."""
    home = settings.home
    again = tickets.restore(home, journal) + tickets.restore_running(home, journal)
    videos = rebuild.rebuild(journal, settings.output)
    if hosting.configured(settings):
        videos += results.take_in(settings, journal)
    listed, unknown, unread = [], [], {}
    for provider in providers.registry().values():
        if not provider.can("recent") or settings.key_source(provider.id) is None:
            continue
        try:
            client = client_at(provider.id)
            found = client.ask(client.provider.recent(time.time() - LIST_SECONDS))
        except SeedanceError as error:
            unread[provider.id] = str(error)
            continue
        listed.append(provider.id)
        unknown += [str(each) for each in found if journal.by_ticket(str(each)) is None]
    return Reconciled(again, videos, tuple(listed), tuple(unknown), unread)
