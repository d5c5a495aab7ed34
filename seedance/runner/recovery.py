"""Taking up what an earlier process, or a lost journal, left."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ..errors import SeedanceError
from ..journal import Journal, Row, State
from ..settings import Settings
from ..texts import logger_of
from . import clearing, graphs, last_frames, places, rebuild, tickets
from .active import ActiveOrder
from .client import Client
from .clients import Clients
from .reconcile import Reconciled, reconcile
from .worker import Worker

logger = logger_of(__name__)

RECOVER_AT_ONCE = 64
MOST_PICTURES = 50  # of the newest rows, whose last frames an earlier process may have left


class Recovery:
    """The rows that no process works on, and the tickets that the journal does not have.

    `carry` brings a row to its end in a thread of its own. Safe to use from any thread.
    """

    def __init__(
        self,
        settings: Settings,
        journal: Journal,
        worker: Worker,
        clients: Clients,
        carry: Callable[[Row, Client], ActiveOrder],
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._worker = worker
        self._clients = clients
        self._carry = carry
        self._keeps_on = False
        self._restored = False
        self._looked_for_pictures = False
        self._logged: set[int] = set()  # rows that could not be taken up

    def keep_on(self) -> None:
        """From now on, `recover` with each heartbeat."""
        self._keeps_on = True
        self._worker.start_heartbeat()

    def beat(self) -> None:
        """What a heartbeat does."""
        if self._keeps_on:
            self.recover()
        else:
            tickets.restore(self._settings.home, self._journal)

    def recover(self) -> int:
        """As `Runner.recover`."""
        self.keep_on()
        self.restore_tickets()
        tickets.restore(self._settings.home, self._journal)
        self._make_pictures()
        count = 0
        if self._is_full():
            return count  # nor are they looked for, which may be thousands of rows
        for row in self._journal.abandoned(active=self._worker.rows):
            if self._is_full():
                break
            claimed = self._journal.claim(row.id, row.uid)
            if claimed is not None and (claimed.live or clearing.can_clear(claimed)):
                count += self._take_up(claimed)
        for row in clearing.due(self._journal):
            if not self._is_full() and row.id not in self._worker.rows:
                self._take_up(row)
        return count

    def _make_pictures(self) -> None:
        """Once in this process, where last frames are made later: have those made that an earlier
        process left."""
        if self._looked_for_pictures or not self._worker.pictures_later:
            return
        self._looked_for_pictures = True
        for row in self._journal.newest(MOST_PICTURES):
            if row.state == State.SAVED:
                saved = places.without_picture(row, self._settings.output)
                if saved is not None:
                    last_frames.later(saved, partial(graphs.of, self._settings, row))

    def _is_full(self) -> bool:
        return self._worker.count >= RECOVER_AT_ONCE

    def _take_up(self, row: Row) -> bool:
        """Bring a row to its end that was left; says whether that has begun."""
        try:
            self._carry(row, self._clients.for_row(row))
            return True
        except SeedanceError as error:
            self._journal.release(row.id, uid=row.uid)
            if row.id not in self._logged:
                self._logged.add(row.id)
                logger.warning("Row %s (%s) waits: %s", row.id, row.task, error)
            return False

    def restore_tickets(self) -> None:
        """Once in this process, write into the journal the tickets that an earlier process could
        not write. If the journal was lost, take in the saved videos first, then the tickets of
        orders that are under way."""
        home = self._settings.home
        if not self._restored:
            lost = tickets.lost(home, self._journal)
            tickets.restore(home, self._journal)
            if lost:
                rebuild.rebuild(self._journal, self._settings.output)
            tickets.restore_running(home, self._journal)
            self._restored = True

    def rebuild(self) -> tuple[int, Path | None]:
        """As `Runner.rebuild`."""
        aside = self._journal.set_aside()
        count = rebuild.rebuild(self._journal, self._settings.output)
        self._restored = False
        self.restore_tickets()
        return count, aside

    def reconcile(self) -> Reconciled:
        """As `Runner.reconcile`."""
        self._restored = True
        return reconcile(self._settings, self._journal, self._clients.at)
