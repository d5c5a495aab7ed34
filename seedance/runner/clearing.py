"""What became of an unclear order, found out where a document of its provider gives the means.

There are two. `idempotency`: the same paid call is sent again with the same key, and the provider
makes one task of both. `find`: the task is recognised in the provider's list. Anything else waits
for a person: that a list does not have a task proves nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ..addresses import origin
from ..errors import BadOrder, OddReply, Refused, SeedanceError, Unclear
from ..journal import Journal, LeaseLost, Row, State, TicketTaken
from ..providers import registry
from ..said import Said, both, say
from ..texts import logger_of
from ..transport import NotSent, Withheld
from ..wire import Call, Flow, Provider, Reply, Ticket
from .active import ActiveOrder
from .client import Busy, NoAnswer, NoClearAnswer
from .outcomes import error_of, look_first
from .submit import keep_paid, may_send, refused, settled

logger = logger_of(__name__)

FIND_ATTEMPTS = 3  # readings of a provider's list of tasks that are one look
FIND_SECONDS = 2.0  # between two of them
LOOK_SECONDS = 180.0  # a look that is made sooner after another is not counted
LOOKS = 2  # that are made by themselves

RECONNECT_SECONDS = 600.0  # for so long a thread waits for the network to come back
LONGEST_WAIT = 30.0  # seconds between two attempts
MOST_ANSWERS = 5  # that leave open what became of the order, in a row
SPARE_SECONDS = 300.0  # clocks differ, and a request takes its time
CLOCK_BACK_SECONDS = 60.0  # by which our clock may have gone back since the order was sent
LONGEST_AGO = 30 * 24 * 3600.0  # older orders are not taken up by themselves


def has_means(provider: type[Provider]) -> bool:
    """Whether a provider documents how to find out what became of a lost create."""
    return provider.can("idempotency") or provider.can("find")


def can_clear(row: Row) -> bool:
    """Whether it can be found out what became of a row."""
    provider = registry().get(row.provider)
    return row.state == State.UNCLEAR and provider is not None and has_means(provider)


def due(journal: Journal) -> Iterator[Row]:
    """The unclear rows that are to be looked for now, by themselves."""
    able = [provider.id for provider in registry().values() if has_means(provider)]
    now = time.time()
    for row in journal.unclear(able, now - LONGEST_AGO):
        provider = registry()[row.provider]
        if now - row.updated.timestamp() < LOOK_SECONDS or now - (row.looked or 0) < LOOK_SECONDS:
            continue
        if provider.idempotency is not None:
            if row.create is not None and _in_time(row, provider.idempotency.seconds):
                yield row
        elif row.looks < LOOKS:
            yield row


def clear(active: ActiveOrder) -> None:
    """Find out what became of the unclear row of an order. Where it is found, it goes to `running`;
    else it stays unclear, and its error says what is known and what to do."""
    provider, row = active.client.provider, active.row
    if not has_means(type(provider)):
        return
    if not active.same_sender:
        _tell(active, _other_sender(active))
        return
    try:
        if provider.idempotency is not None:
            _repeat(active, provider.idempotency.seconds)
        else:
            _find(active)
    except BadOrder as error:  # the journal cannot be written
        logger.warning("Row %s stays unclear: %s", row.id, error)


def _other_sender(active: ActiveOrder) -> Said:
    """Why an order is not looked for, and what is needed for it."""
    provider, sent_to = active.client.provider, active.row.origin
    here = origin(provider.config.base_url)
    if sent_to is not None and sent_to != here:
        return say(
            "It was sent to another address of {provider}, {origin}, than the present one, {here}, "
            "so it is not looked for. Set that base URL again, and queue the same order again.",
            provider=provider.name,
            origin=sent_to,
            here=here,
        )
    return say(
        "It was sent to {provider} with another key than the present one, so it is not looked for. "
        "Set that key again, and queue the same order again.",
        provider=provider.name,
    )


def _sent_at(row: Row) -> float:
    # Not `updated`: that a process died while sending may be noticed days later.
    return row.submitted or row.created.timestamp()


# ------------------------------------------------------------------- sent again, with the same key


@dataclass
class _Again:
    """The flow that sends a create once more, and the status of the answer."""

    provider: Provider
    call: Call
    status: int = 0

    def flow(self) -> Flow[Ticket]:
        inner = self.provider.repeat(self.call)
        step = next(inner)
        while True:
            reply: Reply = yield step
            self.status = reply.status
            try:
                step = inner.send(reply)
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]

    @property
    def refused(self) -> bool:
        """Whether a clear no is about this very create. Others (no credit, no key, no access) may
        come before the provider looks at what became of the first one."""
        return 200 <= self.status < 300 or self.status in (400, 422)


def _repeat(active: ActiveOrder, life: float) -> None:
    provider = active.client.provider
    call = _kept_call(active.row, provider)
    if call is None:
        return
    deadline = time.monotonic() + min(active.settings.timeout, RECONNECT_SECONDS)
    failures = answers = 0
    while True:
        if not _in_time(active.row, life):
            _tell(
                active,
                say(
                    "{provider} makes one task of creates with the same idempotency key for {time} "
                    "only. That is over, so it is not sent again by itself.",
                    provider=provider.name,
                    time=_hours(life),
                ),
            )
            return
        again = _Again(provider, call)
        active.say("clearing")
        try:
            _send_again(active, again)
            return
        except (NotSent, Busy, NoClearAnswer) as error:
            failures += 1
            answers += isinstance(error, NoClearAnswer) and error.answered
            said = error.message.rstrip(".")
            told = getattr(error, "seconds", None)
            over = isinstance(error, NotSent) and error.setting
            if isinstance(error, NoClearAnswer) and error.spent_key:
                _tell(active, say("{said}. It is not sent again by itself.", said=said))
                return
        except BadOrder:
            raise
        except SeedanceError as error:
            _tell(
                active,
                say(
                    "It was sent again with the same idempotency key, and {said} Whether the first "
                    "one arrived is not known.",
                    said=error.message,
                ),
            )
            return
        wait = max(told or 0.0, min(2.0 ** (failures - 1), LONGEST_WAIT))
        if over or answers >= MOST_ANSWERS or time.monotonic() + wait > deadline:
            _tell(
                active,
                say(
                    "{said}. {provider} makes one task of creates with the same idempotency key, "
                    "for {time}: until then it is sent again when the same order is queued again, "
                    "and by ComfyUI by itself.",
                    said=said,
                    provider=provider.name,
                    time=_hours(life),
                ),
            )
            return
        active.say("provider_unreachable", seconds=round(wait))
        active.pause(wait)
        if active.cancelled():
            return


def _send_again(active: ActiveOrder, again: _Again) -> None:
    """Send the create once more, and keep its ticket. Otherwise the row is unclear as before, or
    refused; raises the error for that."""
    row = active.journal.repeat_unclear(active.row.id, active.row.uid)
    if row is None:
        raise LeaseLost(f"row {active.row.id}")
    before, active.row = active.row, row
    active.spending = active.worker.may_have_spent = True
    try:
        ticket = active.client.run(again.flow(), gate=lambda: may_send(active))
        keep_paid(active, ticket)
    except Withheld:
        # The computer slept, and another process has the row now.
        raise LeaseLost(f"row {active.row.id}") from None
    except Refused as error:
        if again.refused:
            raise refused(active, error) from None
        _as_before(active, before)
        raise
    except SeedanceError:
        _as_before(active, before)
        raise
    finally:
        settled(active)


def _as_before(active: ActiveOrder, before: Row) -> None:
    if active.row.state == State.SUBMITTING:
        active.advance(State.UNCLEAR, error=before.error)


def _kept_call(row: Row, provider: Provider) -> Call | None:
    """The paid call that the journal keeps of a row, None where there is none for this address."""
    if not row.create or not row.mark:
        return None
    record = json.loads(row.create)
    call = Call(
        "POST",
        record["url"],
        json=record["json"],
        query=record["query"],
        headers=record["headers"],
        spends=True,
    )
    return call if origin(call.url) == origin(provider.config.base_url) else None


def _in_time(row: Row, life: float) -> bool:
    """Whether a provider still knows the idempotency key of a row."""
    return -CLOCK_BACK_SECONDS <= time.time() - _sent_at(row) < life - min(SPARE_SECONDS, life / 10)


def _hours(seconds: float) -> Said:
    if seconds >= 7200:
        return say("{count} hours", count=seconds / 3600)
    return say("{count} minutes", count=seconds / 60)


# ------------------------------------------------------------------------- looked for in the list


def _find(active: ActiveOrder) -> None:
    provider, row = active.client.provider, active.row
    name = provider.name
    marked = bool(provider.marks) or provider.random_mark
    create = _kept_create(row)
    if marked and not row.mark:
        return  # of a version of the pack that marked no orders
    if provider.found_for is not None and time.time() - _sent_at(row) > provider.found_for:
        _tell(
            active,
            say(
                "{provider}'s list shows what an order was for {time}, so that it cannot be "
                "recognised there any more. It is not sent again by itself.",
                provider=name,
                time=_hours(provider.found_for),
            ),
        )
        return
    deadline = time.monotonic() + min(active.settings.timeout, RECONNECT_SECONDS)
    attempt = failures = 0
    while attempt < FIND_ATTEMPTS:
        active.pause(FIND_SECONDS if attempt else 0.0)
        active.say("clearing")  # after each wait, so that a log shows that it goes on
        try:
            flow = provider.find(row.order, _sent_at(row), create)
            ticket = active.client.run(flow, stop=active.stop)
        except Unclear as error:  # several
            _note(active, Unclear(error.message, hint=both(error.hint, look_first(row))))
            return
        except BadOrder as error:
            _tell(active, both(error.message, say("It is not sent again by itself.")))
            return
        except (NotSent, NoAnswer) as error:
            failures += 1
            wait = min(2.0**failures, LONGEST_WAIT)
            lasting = isinstance(error, NotSent) and error.setting
            if lasting or time.monotonic() + wait > deadline or active.cancelled():
                _unread(active, error)
                return
            active.say("provider_unreachable", seconds=round(wait))
            active.pause(wait)
            continue
        except SeedanceError as error:
            _unread(active, error)
            return
        attempt += 1
        if ticket is not None:
            _found(active, ticket)
            return
    _not_there(active)


def _kept_create(row: Row) -> Call | None:
    record = json.loads(row.create) if row.create else None
    return Call("POST", record["url"], json=record["json"]) if record else None


def _found(active: ActiveOrder, ticket: Ticket) -> None:
    try:
        known = active.journal.by_ticket(str(ticket))  # also of an order that has ended
        if known is not None and known.uid != active.row.uid:
            raise TicketTaken(ticket)
        row = active.journal.resolve_unclear(active.row.id, str(ticket), active.row.uid)
    except TicketTaken:
        _tell(
            active,
            say(
                "{provider}'s list has {ticket}, which another order has already. It is not sent "
                "again by itself.",
                provider=active.client.provider.name,
                ticket=ticket,
            ),
        )
        return
    if row is None:
        raise LeaseLost(f"row {active.row.id}")
    active.row = row


def _unread(active: ActiveOrder, error: SeedanceError) -> None:
    logger.info("Looking for the task of row %s: %s", active.row.id, error)
    _tell(
        active,
        say(
            "{provider}'s list of tasks made no sense ({said}). Queue the same order again later, "
            "and it is looked for once more; it is not sent again by itself."
            if isinstance(error, OddReply)
            else "{provider}'s list of tasks could not be read ({said}). Queue the same order "
            "again later, and it is looked for once more; it is not sent again by itself.",
            provider=active.client.provider.name,
            said=error.message.rstrip("."),
        ),
    )


def _not_there(active: ActiveOrder) -> None:
    name, row = active.client.provider.name, active.row
    counts = row.looked is None or time.time() - row.looked >= LOOK_SECONDS
    looks = row.looks + counts
    if looks < LOOKS:
        sentence = say(
            "Its task is not in {provider}'s list now, which proves nothing: the list may be late. "
            "Queue the same order again in some minutes, and it is looked for once more. It is not "
            "sent again by itself.",
            provider=name,
        )
    else:
        sentence = say(
            "Its task was not in {provider}'s list in {count} looks, minutes apart: it was "
            "probably not created. It is not sent again by itself.",
            provider=name,
            count=looks,
        )
    _tell(active, sentence, counts=counts)


def _tell(active: ActiveOrder, sentence: Said, *, counts: bool = False) -> None:
    """Say in the row's error what is known of it now."""
    known = error_of(active.row)
    error = Unclear(known.message, hint=both(sentence, look_first(active.row)))
    _note(active, error, counts=counts)


def _note(active: ActiveOrder, error: Unclear, *, counts: bool = False) -> None:
    row = active.row
    noted = active.journal.note_look(row.id, error.as_dict(), counts=counts, uid=row.uid)
    if noted is not None:
        active.row = noted
