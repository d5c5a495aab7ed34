"""The way to a video: give an order, wait for the result or not; nothing is paid twice.

    runner.start(order, takes=2)  ->  [Job, Job];  job.wait() or await job.wait_async()  ->  Result

Owns the Runner. The parts know one thing each: `job` is a take as its caller sees it, `plan`
chooses the provider, `place` brings media to it, `talk` holds its conversations. `carry` knows the
order of the steps, `create`, `follow` and `fetch` take them on a row that is held (`hold`), to the
ways it can end (`ends`) and the files it becomes (`save`). Must not know ComfyUI, nor any provider
by name.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import logging
import threading
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from .. import preview, providers
from ..addresses import origin
from ..errors import BadOrder, Cancelled, NeedsKey, OverBudget, SeedanceError, Unclear
from ..fit import check_handles, check_words
from ..journal import Journal, NewRow, Row, State
from ..money import Money
from ..order import Order, asked_fingerprint, fingerprint
from ..settings import Settings
from ..transport import Credentials, Transport
from ..wire import Balance, Provider, Ticket
from . import files, quotes
from .active import Hold
from .client import Talk, held_free
from .delivery import choose_ways
from .job import Job, Result
from .lifecycle import Carrier
from .outcomes import error_of
from .quotes import Quote, account_of
from .worker import Carry, Follower, Progress

__all__ = ["Job", "Progress", "Quote", "Result", "Runner", "shared"]

_log = logging.getLogger(__name__)

CANCEL_SECONDS = 30.0  # so long a person waits for what the provider says to a cancel


@dataclass
class Runner:
    """The one way to a video for nodes, routes and the command line. Safe to use from any thread.

    Its methods block (they read media and the journal): keep them off event loops.
    """

    settings: Settings
    journal: Journal = field(init=False)

    def __post_init__(self) -> None:
        self.journal = Journal(self.settings.journal_url)
        self._follower = Follower(self._beat)
        self._transports: dict[tuple[str, str, str], Transport] = {}
        self._lock = threading.Lock()
        self._takes_up = False
        self._left: set[int] = set()  # rows that cannot be taken up, of which the log was told

    # --------------------------------------------------------------------------- orders

    def start(self, order: Order, *, takes: int = 1, target: Path | None = None) -> list[Job]:
        """Start an order, or join it where it is under way, or find it where it is saved.

        `takes` gives as many jobs with seeds from `order.seed` on. `target` is a file to save as
        (further takes are numbered). A take that cannot start is a job whose `wait` raises; if
        none can, the reason is raised here: Unclear if that is one, or else that of the first.
        """
        if not 1 <= takes <= 8:
            raise BadOrder(f"{takes} takes are not possible.", hint="Use 1 to 8.")
        check_words(order)
        quotes.check_no_key(order, self.settings)
        jobs, failures = [], []
        for number in range(takes):
            take = order.take(number)
            goal = files.numbered(target, number).absolute() if target else None
            try:
                files.check_target(goal)
                jobs.append(self._start(take, goal))
            except SeedanceError as error:
                failures.append(error)
                jobs.append(Job(self.settings, None, take, error=error))
        if len(failures) == takes:
            raise next((each for each in failures if isinstance(each, Unclear)), failures[0])
        return jobs

    def _start(self, order: Order, target: Path | None) -> Job:
        asked = asked_fingerprint(order)
        if order.provider == quotes.AUTO:
            held = self.journal.held_as_asked(
                asked, but=[each for each in providers.ids() if providers.is_free(each)]
            )
            if held is not None:
                there = replace(order, provider=held.provider, on_unsupported="nearest")
                return self._on_row(held, quotes.choose(there, self.settings), target)
        choice = quotes.choose(order, self.settings)
        identity = fingerprint(
            choice.order, model_id=choice.provider.config.models.get(choice.order.model)
        )
        row = self.journal.held(identity)
        if row is None:
            row = self._reserve(choice, identity, asked, target)
        return self._on_row(row, choice, target)

    def _reserve(
        self, choice: quotes.Choice, identity: str, asked: str, target: Path | None
    ) -> Row:
        provider = choice.provider
        key = self.settings.key(provider.id)
        target = target or files.new_target(self.settings.output, provider.id, identity)
        files.check_writable(target.parent)
        budget = self.settings.budget
        row, _ = self.journal.reserve(
            NewRow(
                fingerprint=identity,
                asked=asked,
                provider=provider.id,
                account=account_of(provider.id, key),
                order=choice.order.describe(),
                changes=[change.as_dict() for change in choice.changes],
                target=str(target),
                estimate=choice.price,
                budget_usd=_counted(choice.price, budget, provider),
            ),
            budget,
        )
        return row

    def _on_row(self, row: Row, choice: quotes.Choice, target: Path | None) -> Job:
        order, changes, notes = choice.order, choice.changes, choice.notes
        copy_to = target if target is not None and str(target) != row.target else None
        if row.state == State.SAVED and row.file is not None and row.file.exists():
            return Job(self.settings, row, order, changes=changes, notes=notes, copy_to=copy_to)
        if row.state == State.UNCLEAR and not choice.provider.can("find"):
            raise error_of(row)
        talk = self._talk_about(row)
        if row.state == State.SAVED:
            row = self.journal.reopen(row.id, State.SUCCEEDED)
        hold = self._carry(row, talk, choice)
        return Job(
            self.settings, row, order, hold=hold, changes=changes, notes=notes, copy_to=copy_to
        )

    def _carry(self, row: Row, talk: Talk, choice: quotes.Choice | None = None) -> Hold:
        """Carry a row through in the follower, or join that."""
        ways = choose_ways(choice.order, choice.provider, self.settings) if choice else None

        def start(carry: Carry) -> Coroutine[Any, Any, Row]:
            order = choice.order if choice else None
            carrier = Carrier(
                row, talk, self._follower, self.journal, self.settings, carry, order, ways
            )
            carry.subject = carrier.hold
            return carrier.run()

        hold: Hold = self._follower.carry(row.id, start).subject
        return hold

    def _talk_about(self, row: Row) -> Talk:
        """A talk with the row's provider. To be had before the row is changed: without a key it
        stays as it is."""
        try:
            return self._talk(row.provider)
        except NeedsKey as error:
            if row.task is not None:
                error.task, error.row, error.spent = row.task, row.id, "yes"
            raise

    def _talk(self, provider_id: str) -> Talk:
        config, key = self.settings.config(provider_id), self.settings.key(provider_id)
        cls = providers.get(provider_id)
        identity = (
            provider_id,
            f"{config.base_url} {config.upload_url}",
            account_of(provider_id, key),
        )
        with self._lock:
            transport = self._transports.get(identity)
            if transport is None:
                urls = filter(None, (config.base_url, config.upload_url))
                credentials = Credentials(cls.auth_scheme, key, frozenset(map(origin, urls)))
                adapters = preview.adapters(config.base_url, self.settings.home)
                transport = Transport(credentials, adapters)
                self._transports[identity] = transport
        return Talk(cls(config), transport, self._follower.blocking)

    # ----------------------------------------------------------------- tasks that exist

    def collect(self, ticket: str, *, target: Path | None = None) -> Job:
        """Fetch the video of a task by its ticket, from here or from another machine.

        Raises BadOrder for a text that is no ticket, NeedsKey without the provider's key.
        """
        known = Ticket.parse(ticket)
        providers.get(known.provider)
        target = target.absolute() if target else None
        files.check_target(target)
        row = self.journal.by_ticket(str(known)) or self._adopt(known, target)
        copy_to = target if target is not None and str(target) != row.target else None
        order = Order(provider=row.provider, prompt=row.prompt, model=row.model, seed=row.seed)
        if row.state == State.SAVED and row.file is not None and row.file.exists():
            return Job(self.settings, row, order, copy_to=copy_to)
        talk = self._talk_about(row)
        if row.state == State.SAVED:
            row = self.journal.reopen(row.id, State.SUCCEEDED)
        elif row.state in (State.FAILED, State.CANCELLED, State.EXPIRED):
            row = self.journal.reopen(row.id, State.RUNNING)
        elif not row.live:
            raise error_of(row)
        return Job(self.settings, row, order, hold=self._carry(row, talk), copy_to=copy_to)

    def _adopt(self, ticket: Ticket, target: Path | None) -> Row:
        """A row for a task that this journal does not know."""
        try:
            key = self.settings.key(ticket.provider)
        except NeedsKey as error:
            error.task, error.spent = str(ticket), "yes"
            raise
        identity = hashlib.sha256(f"ticket {ticket}".encode()).hexdigest()
        target = target or files.new_target(self.settings.output, ticket.provider, identity)
        files.check_writable(target.parent)
        new = NewRow(
            fingerprint=identity,
            asked=identity,
            provider=ticket.provider,
            account=account_of(ticket.provider, key),
            order=Order(provider=ticket.provider).describe(),
            target=str(target),
        )
        return self.journal.adopt(str(ticket), new)[0]

    def find_row(self, row_or_ticket: int | str) -> Row:
        """The row of a number or a ticket. Raises BadOrder if there is none."""
        text = str(row_or_ticket).strip()
        if text.isdecimal() and len(text) < 12:
            return self.journal.get(int(text))
        row = self.journal.by_ticket(str(Ticket.parse(text)))
        if row is None:
            raise BadOrder(
                f"The journal does not know the ticket {text}.",
                hint="See: seedance tasks.",
            )
        return row

    def forget(self, row_or_ticket: int | str) -> Row:
        """Clear an unclear or unwanted row, so that its order may be sent (and paid) again."""
        return self.journal.forget(self.find_row(row_or_ticket).id)

    def cancel(self, row_or_ticket: int | str) -> str:
        """Cancel a task where its provider documents that this costs nothing; returns the sentence
        to show. Raises BadOrder, with the reason, where it goes on; at the latest after half a
        minute."""
        row = self.find_row(row_or_ticket)
        if not row.live:
            raise BadOrder(f"Row {row.id} has ended as {row.state}; there is nothing to cancel.")
        talk = self._talk_about(row)
        if row.state in (State.RUNNING, State.SUCCEEDED) and not type(talk.provider).cancel_is_free:
            raise BadOrder(
                f"{talk.provider.name} does not document that a cancelled task is not billed, so "
                f"{row.task} goes on and its video is kept.",
                hint=f"Collect it with: seedance collect {row.task}",
            )
        claimed = self.journal.claim(row.id)
        if claimed is None:
            raise BadOrder(
                f"Another process works on row {row.id}.",
                hint="Cancel it there: on the node, in the Seedance tab, or with Ctrl-C.",
            )
        if not claimed.live:
            raise error_of(claimed)
        hold = self._carry(claimed, talk)
        if hold.carry.waiters:
            raise BadOrder(f"Somebody waits for row {row.id}, so it goes on.", hint="Cancel there.")
        refusal, done = hold.carry.request_cancel(), hold.carry.done
        first = concurrent.futures.FIRST_COMPLETED
        concurrent.futures.wait((refusal, done), CANCEL_SECONDS, return_when=first)
        if done.done():
            try:
                done.result()
            except Cancelled as cancelled:
                return cancelled.message
            return f"It was too late to cancel: row {row.id} is finished and its video is kept."
        task = hold.row.task or f"row {row.id}"
        reason = (
            refusal.result() if refusal.done() else f"{talk.provider.name} has not answered yet"
        )
        raise BadOrder(
            f"{task} goes on, and its video is kept: {reason.rstrip('.')}.",
            hint=f"Collect it with: seedance collect {task}" if hold.row.task else "",
        )

    def stay(self) -> None:
        """From now on, take up the rows that nobody works on from time to time."""
        self._takes_up = True
        self._follower.wake()

    def resume(self) -> int:
        """Take up the rows that nobody works on, now and from time to time from now on.

        Returns how many were taken up now. A row whose provider has no key any more is left alone.
        """
        self.stay()
        count = 0
        for row in self.journal.live():
            claimed = self.journal.claim(row.id)
            # What is ours already is being carried, or is about to be.
            if claimed is None or not claimed.live or claimed.holder == row.holder:
                continue
            try:
                self._carry(claimed, self._talk(row.provider))
                count += 1
            except SeedanceError as error:
                self.journal.release(row.id)
                if row.id not in self._left:
                    self._left.add(row.id)
                    _log.warning("Row %s (%s) waits: %s", row.id, row.task, error)
        return count

    def tasks(self, limit: int = 50) -> list[Row]:
        """The newest rows of the journal."""
        return self.journal.newest(limit)

    def progress(self, row_id: int) -> Progress | None:
        """How far a row is; None if this process does not work on it."""
        return self._follower.progress(row_id)

    # --------------------------------------------------------------------- free of charge

    def check(self, order: Order) -> list[Quote]:
        """What each provider would make of an order: payload, changes, price. Sends nothing."""
        check_words(order)
        quotes.check_no_key(order, self.settings)
        check_handles(order)
        return quotes.quotes(order, self.settings)

    def probe_key(self, provider_id: str) -> Balance:
        """Test a key free of charge. Raises NeedsKey, Refused, or BadOrder where that cannot be."""
        talk = self._talk(provider_id)
        carry = self._follower.carry(
            ("probe", provider_id, object()), lambda _: held_free(talk, talk.provider.probe_key())
        )
        balance: Balance = carry.done.result()
        return balance

    def settle(self, timeout: float | None = None) -> bool:
        """Wait until no create is in flight; call it before the process ends. Says whether so."""
        return self._follower.settle(timeout)

    def _beat(self) -> None:
        if self._follower.busy:
            self.journal.renew()
        if self._takes_up:
            self.resume()


def _counted(price: Money | None, budget: dict[str, float], provider: Provider) -> float | None:
    """What an order counts against the budget, in USD. Raises OverBudget for an unknown price."""
    if type(provider).key_variable is None:
        return 0.0
    if price is not None and price.currency == "USD":
        return price.amount
    if "unknown_price" in budget:
        return budget["unknown_price"]
    if "day" in budget or "month" in budget:
        raise OverBudget(
            f"{provider.name} publishes no price in USD for this order, and a budget is set; it "
            "was not sent.",
            hint="Set SEEDANCE_UNKNOWN_PRICE to what such an order should count as, or remove the "
            "budget.",
        )
    return None


_shared: dict[str, Runner] = {}
_shared_lock = threading.Lock()


def shared(settings: Settings | None = None) -> Runner:
    """The runner of this process, made at the first call; later calls may leave `settings` out."""
    with _shared_lock:
        if "runner" not in _shared:
            _shared["runner"] = Runner(settings or Settings.load())
        return _shared["runner"]
