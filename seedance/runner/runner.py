"""The Runner: what nodes, routes and the command line call."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from .. import hosting, providers
from ..errors import BadOrder, Cancelled, SeedanceError, Unclear
from ..fit import Change
from ..journal import Journal, Row, State
from ..money import Money
from ..order import MOST_TAKES, Order
from ..said import Said, template
from ..settings import Settings
from ..texts import logger_of, number_in_words
from ..wire import Balance, Expired, Ticket
from . import clearing, files, places, prices, quotes, repeats, results, tickets
from .active import ActiveOrder
from .assets import Assets
from .cancel import cancel, check_live, claim_to_cancel
from .catalogs import Catalogs
from .client import Client
from .clients import Clients
from .finish import prepare_final
from .graphs import Graph
from .job import Job
from .lifecycle import carry
from .new_rows import adopt, reserve
from .outcomes import costs_nothing, error_of, told
from .progress import Progress
from .quotes import Prepared, Quote
from .reconcile import Reconciled
from .recovery import Recovery
from .spending import Spending, sum_of
from .takes import Take, plan
from .target import ANYWHERE, Target
from .worker import PAID_CALL_SECONDS, Worker

logger = logger_of(__name__)

Confirm: TypeAlias = Callable[[Prepared, int], "bool | None"]
"""Is told what would be sent, and how many takes of it; raises to have nothing sent. True says that
a person has read its `repeats`, which are among the notes of the jobs otherwise."""

LATE_SECONDS = 5.0  # by which the database may be waited for longer than for a video
SEE_TASKS = template("See: seedance tasks.")


@dataclass
class Runner:
    """Orders, collects, cancels and recovers, for nodes, routes and the command line.

    Safe to use from any thread. Its methods block (they read media and the journal): keep them off
    event loops.
    """

    settings: Settings
    journal: Journal = field(init=False)
    assets: Assets = field(init=False)

    def __post_init__(self) -> None:
        self._worker = Worker(self._beat)
        limit, patience = self._worker.watchdog.limit, self.settings.timeout + LATE_SECONDS
        self.journal = Journal(self.settings.journal_url, limit=limit, patience=patience)
        self._clients = Clients(self.settings, self._worker.watchdog)
        self._catalogs = Catalogs(self.settings, self._clients.at)
        self.assets = Assets(self.settings, self.journal, self._clients.for_assets)
        self._recovery = Recovery(
            self.settings, self.journal, self._worker, self._clients, self._carry
        )

    # --------------------------------------------------------------------------- orders

    def start(
        self,
        order: Order,
        *,
        takes: int = 1,
        target: Path | None = None,
        overwrite: bool = False,
        confirm: Confirm | None = None,
        spending: Spending | None = None,
        graph: Graph | None = None,
        queued: str = "",
    ) -> list[Job]:
        """Start an order, or join it where it is under way, or find it where it is saved.

        `takes` gives as many jobs with seeds from `order.seed` on. `target` is a file to save as
        (further takes are numbered); without `overwrite` it replaces nothing that is not this
        order's: BadOrder, before anything is sent. A take that cannot start is a job whose
        `wait` raises; if none can, the reason is raised here: Unclear if that is one, or else that
        of the first. `confirm` is called before anything is sent, unless all takes are there
        already; what it raises ends the call. `graph` is put into the files of those takes that are
        new: a video has the graph of the order that made it. `queued` is the id that the order has
        in the queue of a farm: one that may be paid already, whatever became of it, came out of the
        queue twice, and nothing is sent.

        Raises OverBudget, before anything is sent, if the takes that are new cost more than is left
        of `spending`; without it they may cost `SEEDANCE_MAX_USD` together.
        """
        try:
            planned = [take.of_queue(queued) for take in self.plan(order, takes)]
            goal = Target.absolute(target, overwrite, graph)
            return self._start_takes(order, planned, goal, confirm, spending)
        except SeedanceError:
            raise
        except Exception as error:
            if self.may_have_spent:
                raise
            logger.exception("Before anything was sent")
            raise SeedanceError(
                "Something unforeseen happened before anything was sent: {error}.",
                spent="no",
                error=repr(error),
            ) from error

    @property
    def may_have_spent(self) -> bool:
        """Whether a paid call was begun since this runner was made."""
        return self._worker.may_have_spent

    @property
    def busy(self) -> bool:
        """Whether an order is active."""
        return self._worker.busy

    def _start_takes(
        self,
        order: Order,
        planned: Sequence[Take],
        target: Target,
        confirm: Confirm | None,
        spending: Spending | None,
    ) -> list[Job]:
        order, said = quotes.tidy(self.assets.named(order))
        targets = [target.of_take(number) for number in range(len(planned))]
        for goal, take in zip(targets, planned):
            try:
                files.check_target(goal.file, order.output_format)
                if goal.file and not goal.overwrite and not places.is_free(goal.file, None):
                    if take.error is not None:
                        raise take.error
                    places.check_free(goal.file, take.row, goal.overwrite)
                self._check_nobodys(goal, take.row)
            except BadOrder as error:
                if take.row is None:
                    raise
                raise told(take.row, error) from error.__cause__  # it may be paid already
        new = [take.prepared for take in planned if take.row is None and take.prepared is not None]
        said = (*said, *self._confirmed(new, confirm, spending))
        jobs, failures = [], []
        for goal, take in zip(targets, planned):
            try:
                jobs.append(self._start(take, goal))
            except SeedanceError as error:
                failures.append(error)
                jobs.append(Job(self.settings, None, take.order, error=error))
        for job in jobs:
            job.notes = (*said, *job.notes)
        if len(failures) == len(planned):
            raise next((each for each in failures if isinstance(each, Unclear)), failures[0])
        return jobs

    def plan(self, order: Order, takes: int = 1) -> list[Take]:
        """The takes of an order as `start` would begin them: each with the row that it has already,
        or with what would be sent for it. An order with a medium that is not at hand has no row.
        Sends nothing. Raises BadOrder for what is wrong at any provider."""
        if not 1 <= takes <= MOST_TAKES:
            raise BadOrder(
                "{takes} takes are not possible.",
                hint="Use 1 to {most}.",
                takes=number_in_words(takes),
                most=MOST_TAKES,
            )
        typed = order.prompt
        order, _ = quotes.tidy(self.assets.named(order))
        quotes.check(order, self.settings)
        self._recovery.restore_tickets()
        self._catalogs.refresh(order.provider)
        return plan(order, typed, takes, self.journal, self._prepare)

    def _check_nobodys(self, target: Target, row: Row | None) -> None:
        """Raise BadOrder if another order is under way that is to be saved as the target."""
        if target.file is None or target.overwrite:
            return
        other = self.journal.going_to(target.file)
        if other is not None and (row is None or other.uid != row.uid):
            raise BadOrder(
                "Row {id} is {state}, and is to be saved as {goal}.",
                hint="Choose another name, or give --overwrite.",
                id=other.id,
                state=other.state,
                goal=target.file,
            )

    def _confirmed(
        self, new: Sequence[Prepared], confirm: Confirm | None, spending: Spending | None
    ) -> tuple[Said, ...]:
        """Have what is going to be ordered confirmed, and count it; returns what is to be said of
        it that nobody has read. Raises what `confirm` raises, and OverBudget where it costs more
        than is left."""
        again = tuple(text for each in repeats.noted(new, self.journal) for text in each.repeats)
        read = bool(new and confirm and confirm(replace(new[0], repeats=again), len(new)))
        cost = sum_of([each.price for each in new], self.settings.budget.get("unknown_price"))
        (spending or Spending(self.settings.max_usd)).add(cost)
        return () if read else again

    def prices_of_new(self, order: Order, takes: int, prompt: str) -> list[Money | None]:
        """The prices of those takes of an order that would be sent now, as far as that shows before
        its media are known. `prompt` is that of the order, which may have another in its place.
        Raises what `start` raises for an order that cannot be sent."""
        prepared = self._prepare(self.assets.named(order))
        if providers.is_free(prepared.provider.id):
            return []
        new = (prepared.take(number) for number in range(takes))
        return [each.price for each in new if self.alike(each, prompt) is None]

    def alike(self, prepared: Prepared, prompt: str) -> Row | None:
        """The row of an order as far as that shows before its media are known: with the same words
        and values, at its provider, or for `auto` at any that is paid."""
        there = [prepared.provider.id]
        if prepared.asked_order.provider == providers.AUTO:
            there = [each for each in providers.ids() if not providers.is_free(each)]
        return self.journal.held_alike({**vars(prepared.order), "prompt": prompt}, there)

    def prices_of_final(self, ticket: str, resolution: str) -> list[Money | None]:
        """The price of a draft's final, none where it is free or made already. Raises what `finish`
        raises for a draft that cannot be finished."""
        prepared = prepare_final(ticket, self._row_with(ticket), resolution, self.settings)
        free = providers.is_free(prepared.provider.id)
        made = free or self.journal.held(prepared.fingerprint) is not None
        return [] if made else [prepared.price]

    def _prepare(self, order: Order) -> Prepared:
        """Prepare an order, anew where a live price came in. A bad one asks nobody."""
        prepared = quotes.prepare(order, self.settings)
        there = providers.ids() if order.provider == providers.AUTO else [order.provider]
        if prices.refresh(order, there, self.settings, self._clients.at):
            return quotes.prepare(order, self.settings)
        return prepared

    def _start(self, take: Take, target: Target) -> Job:
        """Start the order of a take, or join it, or find its video."""
        if take.error is not None:
            raise take.error
        row, prepared, new = take.row, take.prepared, False
        if prepared is None:
            assert row is not None
            # As it goes to the provider that has it already.
            there = replace(take.order, provider=row.provider, on_unsupported="nearest")
            prepared = quotes.prepare_at(there, row.provider, self.settings)
        elif row is None:
            row, new = self._reserve(prepared, target)
        try:
            job = self._job(row, prepared, target, new)
        except SeedanceError as error:
            raise told(row, error) from error.__cause__
        if take.row is not None and take.row.task is not None:
            with contextlib.suppress(BadOrder):  # it is a number for people, and no money is spent
                self.journal.count_reuse(take.row.id, take.row.uid)
        return job

    def _reserve(self, prepared: Prepared, target: Target) -> tuple[Row, bool]:
        return reserve(prepared, target.file, target.graph, self.journal, self.settings)

    def _job(self, row: Row, prepared: Prepared, target: Target, new: bool) -> Job:
        """A job for a held row, which is `new` if it was reserved just now. Starts or joins its
        order, unless the video is there already."""
        active = None
        if not self._is_here(row):
            if self._is_gone(row):
                self.journal.forget(row.id, row.uid)  # it was free, and so is another
                return self._anew(prepared, target)
            if row.state == State.UNCLEAR and not clearing.has_means(type(prepared.provider)):
                raise error_of(row)
            client = self._clients.for_row(row, prepared.access)
            active = self._carry(row, client, prepared, target)
            if (cancelling := active.join()) is not None:
                cancelling.result()
            if active.done.done() and isinstance(active.done.exception(), Cancelled):
                # Somebody else cancelled it, and not who asks now.
                return self._anew(prepared, target)
        return self._job_of(
            row, prepared.order, active, target, prepared.changes, prepared.notes, new
        )

    def _anew(self, prepared: Prepared, target: Target) -> Job:
        """A job for another row of the same order."""
        row, new = self._reserve(prepared, target)
        return self._job(row, prepared, target, new)

    def _is_gone(self, row: Row) -> bool:
        """Whether the saved video of a row of a free provider is no longer there either."""
        if row.state != State.SAVED or row.task is None or not costs_nothing(row):
            return False
        client = self._clients.for_row(row)
        with contextlib.suppress(SeedanceError):
            status = client.ask(client.provider.check(Ticket.parse(row.task)))
            return isinstance(status, Expired)
        return False

    def _job_of(
        self,
        row: Row,
        order: Order,
        active: ActiveOrder | None,
        target: Target,
        changes: tuple[Change, ...] = (),
        notes: tuple[Said, ...] = (),
        new: bool = False,
    ) -> Job:
        if active is not None and row.state == State.SAVED:
            notes = (*notes, places.why_again(row, None if target.overwrite else target.file))
        if active is not None and new:
            active.reserved = True
        # With a ticket it was paid before; and of those who wait, one has had it sent.
        may_send = active is not None and active.row.task is None and active.waiters == 1
        return Job(
            self.settings,
            row,
            order,
            active=active,
            changes=changes,
            notes=notes,
            copy_to=target.file,
            overwrite=target.overwrite,
            pictures_later=self._worker.pictures_later,
            new=new,
            may_send=may_send,
        )

    def _is_here(self, row: Row) -> bool:
        """Whether the video of a row is saved, and is on this machine now as it was saved."""
        return row.state == State.SAVED and results.locate(self.settings, row) is not None

    def _carry(
        self,
        row: Row,
        client: Client,
        prepared: Prepared | None = None,
        target: Target = ANYWHERE,
    ) -> ActiveOrder:
        """Bring a row to its end in a thread of its own, or join the active order that does."""
        worker, journal, settings = self._worker, self.journal, self.settings
        return worker.carry(
            row.uid,
            lambda: ActiveOrder(
                row,
                client,
                worker,
                journal,
                settings,
                prepared,
                account=client.account,
                goal=target.file,
                overwrite=target.overwrite,
            ),
            carry,
        )

    # ----------------------------------------------------------------- tasks that exist

    def collect(
        self,
        ticket: str,
        *,
        target: Path | None = None,
        overwrite: bool = False,
        graph: Graph | None = None,
    ) -> Job:
        """Fetch the video of a task by its ticket, from here or from another machine. `graph` is
        put into the files of a task that this journal does not know yet.

        Raises BadOrder for a text that is no ticket, NeedsKey without the provider's key.
        """
        self._recovery.restore_tickets()
        row = self._row_with(ticket.strip())
        known = Ticket.parse(ticket) if row is None else None
        try:
            goal = Target.absolute(target, overwrite)
            files.check_target(goal.file)
            places.check_free(goal.file, row, overwrite)
            if known is not None:
                providers.get(known.provider)
                row = adopt(known, goal.file, graph, self.journal, self.settings)
            assert row is not None
            return self._collect(row, goal)
        except SeedanceError as error:
            if row is not None:
                raise told(row, error) from error.__cause__
            error.task = error.task or str(known)
            # A ticket is all that is known of the order: somebody has paid for it, or nobody.
            error.spent = "unknown" if error.spent == "no" else error.spent
            raise

    def finish(
        self,
        ticket: str,
        *,
        resolution: str = "1080p",
        target: Path | None = None,
        overwrite: bool = False,
        confirm: Confirm | None = None,
        spending: Spending | None = None,
        graph: Graph | None = None,
    ) -> Job:
        """Make a draft into its final video, by the draft's ticket; the same final is paid once.
        The other arguments are those of `start`.

        Raises BadOrder for a text that is no ticket, a task that is no finished draft, and a
        resolution that its provider does not finish drafts in; OverBudget as `start` does.
        """
        self._recovery.restore_tickets()
        goal = Target.absolute(target, overwrite, graph)
        row = self._row_with(ticket.strip())
        prepared = prepare_final(ticket.strip(), row, resolution, self.settings)
        files.check_target(goal.file, prepared.order.output_format)
        if row is not None:
            self._clients.for_row(row, prepared.access)  # raises where the base URL is another now
        held = self.journal.held(prepared.fingerprint)
        places.check_free(goal.file, held, overwrite)
        self._check_nobodys(goal, held)
        said = self._confirmed([prepared], confirm, spending) if held is None else ()
        job = self._start(Take(prepared.order, held, prepared), goal)
        job.notes = (*said, *job.notes)
        return job

    def _collect(self, row: Row, target: Target) -> Job:
        order = Order(provider=row.provider, prompt=row.prompt, model=row.model, seed=row.seed)
        active = None
        if not self._is_here(row):
            client = self._clients.for_row(row)
            if row.state in (State.FAILED, State.CANCELLED, State.EXPIRED):
                # Asking once more costs nothing.
                row = self.journal.reopen(row.id, State.RUNNING, row.uid)
            elif not row.live and row.state != State.SAVED and not clearing.can_clear(row):
                raise error_of(row)
            active = self._carry(row, client, None, target)
            active.join()
        return self._job_of(row, order, active, target)

    def find_row(self, row_or_ticket: int | str) -> Row:
        """The row of a number or a ticket. Raises BadOrder if there is none."""
        text = str(row_or_ticket).strip()
        if text.isdecimal() and len(text) < 12:
            return self.journal.get(int(text))
        row = self._row_with(text)
        if row is None:
            Ticket.parse(text)  # raises for what is no ticket at all
            raise BadOrder(
                "The journal does not know the ticket {text}.", hint=SEE_TASKS, text=text
            )
        return row

    def ticket_of(self, row_or_ticket: int | str) -> str:
        """A ticket, or that of a row. Raises BadOrder for a row without one."""
        text = str(row_or_ticket)
        if not text.strip().isdecimal():
            return text
        row = self.find_row(text)
        if row.task is None and row.state == State.UNCLEAR:
            raise error_of(row)
        if row.task is None:
            raise BadOrder(
                "Row {number} ({state}) has no ticket.",
                hint=SEE_TASKS,
                number=row.id,
                state=row.state,
            )
        return row.task

    def _row_with(self, ticket: str) -> Row | None:
        active = self._worker.find_task(ticket)  # the journal may not have it yet
        return active.row if active else self.journal.by_ticket(ticket)

    def forget(self, row_or_ticket: int | str) -> Row:
        """Clear an unclear or unwanted row, so that its order may be sent (and paid) again."""
        row = self.find_row(row_or_ticket)
        try:
            forgotten = self.journal.forget(row.id, row.uid)
        except BadOrder as error:
            raise told(self._read_again(row), error) from None
        if forgotten.task is not None:
            tickets.remove(self.settings.home, forgotten)
        return forgotten

    def try_bucket(self) -> str:
        """Put a small object into the user's bucket, read it and delete it; returns the bucket's
        name. Raises what `hosting.try_out` raises."""
        return hosting.try_out(self.settings)

    def cancel(self, row_or_ticket: int | str) -> Said:
        """Cancel a task where its provider documents that this costs nothing; returns the sentence
        to show. Raises BadOrder, with the reason, where it goes on; at the latest after half a
        minute."""
        row = self.find_row(row_or_ticket)
        try:
            return self._cancel(row)
        except SeedanceError as error:
            raise told(self._read_again(row), error) from None

    def _read_again(self, row: Row) -> Row:
        """The row as it is now; as it was where the journal cannot be read."""
        with contextlib.suppress(BadOrder):
            return self.journal.by_uid(row.uid) or row
        return row

    def _cancel(self, row: Row) -> Said:
        check_live(row)
        client = self._clients.for_row(row)
        return cancel(self._carry(claim_to_cancel(row, client, self.journal), client))

    def keep_recovering(self) -> None:
        """From now on, recover with each heartbeat the rows that no process works on."""
        self._recovery.keep_on()

    def make_pictures_later(self) -> None:
        """From now on, make the last frames of videos when they are used, or when there is nothing
        else to compute."""
        self._worker.make_pictures_later()

    def recover(self) -> int:
        """Recover the live rows that no process works on, the newest first, now and with each
        heartbeat from now on. None are recovered while `recovery.RECOVER_AT_ONCE` orders are
        active. What became of unclear rows is found out too, where that can be.

        Returns how many were recovered now. A row whose provider has no key is released again.
        """
        return self._recovery.recover()

    def tasks(
        self, limit: int = 50, since: float = 0.0, *, state: State | None = None, text: str = ""
    ) -> list[Row]:
        """The newest rows of the journal, with their files where they are on this machine; `since`
        as in `Journal.newest`. With a `state` or a `text` of the prompt, only those."""
        glance = places.Glance(self.settings.output)
        if state or text:
            rows = self.journal.found(limit, states=[state] if state else (), text=text)
        else:
            rows = self.journal.newest(limit, since)
        return [replace(row, file=glance.at(row) or places.saved_as(row)) for row in rows]

    def rebuild(self) -> tuple[int, Path | None]:
        """Take into the journal what the sidecars below the output folder say and it does not know,
        and the orders under way whose tickets are below the home; returns how many rows the first
        are, and what a damaged journal is called now."""
        return self._recovery.rebuild()

    def reconcile(self) -> Reconciled:
        """Find again what was paid after the backup from which the journal was restored; see
        `reconcile`."""
        return self._recovery.reconcile()

    def video(self, row_id: int) -> Path | None:
        """The saved video of a row on this machine, as it was saved; None if it is not here."""
        found = places.find(self.journal.get(row_id), self.settings.output)
        return found.video if found else None

    def glance(self, row_id: int) -> Path | None:
        """As `video`, told by its size and the ticket beside it."""
        return places.Glance(self.settings.output).at(self.journal.get(row_id))

    def progress(self, row_id: int) -> Progress | None:
        """How far a row is; None if this process does not work on it."""
        active = self._worker.find(row_id)
        return active.progress if active else None

    # --------------------------------------------------------------------- free of charge

    def check(self, order: Order) -> list[Quote]:
        """What each provider would make of an order: payload, changes, price. Orders
        nothing; it asks for live prices at most. Raises BadOrder for what is wrong at any
        provider."""
        order, said = quotes.tidy(self.assets.named(order))
        quotes.check(order, self.settings)
        self._catalogs.refresh()
        found = quotes.quotes(order, self.settings)
        able = [quote.provider for quote in found if quote.problem is None]
        if prices.refresh(order, able, self.settings, self._clients.at):
            found = quotes.quotes(order, self.settings)
        return [replace(quote, notes=(*said, *quote.notes)) for quote in found]

    def probe_key(self, provider_id: str) -> Balance:
        """Test a key free of charge. Raises NeedsKey, Refused, or BadOrder where that cannot be."""
        client = self._clients.at(provider_id)
        balance = client.ask(client.provider.probe_key())
        self._catalogs.refresh(provider_id, anew=True)
        return balance

    # ------------------------------------------------------------------------- the process

    def settle(self, timeout: float = PAID_CALL_SECONDS) -> bool:
        """Wait until no paid call is in flight; says whether that is so. Call it before the
        process ends."""
        return self._worker.settle(timeout)

    def close(self, timeout: float = 30.0) -> None:
        """End every thread and connection of this runner. Orders that are under way stay in the
        journal, where any runner can recover them."""
        self._worker.close(timeout)
        self._clients.close()
        self.journal.close()

    def _beat(self) -> None:
        if self._worker.busy:
            self.journal.renew(self._worker.rows)
            self._worker.write_late()
        self._recovery.beat()
