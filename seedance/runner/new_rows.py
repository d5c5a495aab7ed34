"""The rows of orders that are going to be sent, and of tasks that another journal ordered."""

from __future__ import annotations

import hashlib
import uuid
from pathlib import Path

from ..addresses import origin
from ..journal import ENDED, Journal, NewRow, Row
from ..order import Order
from ..settings import Settings
from ..wire import Ticket
from . import files, graphs, quotes, rebuild
from .graphs import Graph
from .outcomes import error_of, told
from .quotes import Prepared


def reserve(
    prepared: Prepared,
    target: Path | None,
    graph: Graph | None,
    journal: Journal,
    settings: Settings,
) -> tuple[Row, bool]:
    """The row for an order that is going to be sent: a new one, or that of an equal order; and
    whether it is new.

    Raises NeedsKey without a key, OverBudget beyond the budget, BadOrder where the video could not
    be saved or where the journal cannot be trusted; and for an order of a farm's queue that was
    delivered before and has ended, the error that it ended with.
    """
    provider, identity = prepared.provider, prepared.fingerprint
    if prepared.access.problem is not None:
        raise prepared.access.problem
    goal = _goal(settings, target, provider.id, identity, prepared.order.output_format)
    if not journal.newest(1):
        rebuild.check_new(settings.output, identity)
    budget = settings.budget_of(prepared.order.project)
    row, is_new = journal.reserve(
        NewRow(
            fingerprint=identity,
            asked=prepared.asked,
            provider=provider.id,
            account=quotes.account_of(provider.id, prepared.access.key),
            origin=origin(provider.config.base_url),
            mark=str(uuid.uuid4()) if provider.random_mark else None,
            marks=provider.marks,
            order=prepared.order.describe(),
            changes=[change.as_dict() for change in prepared.changes],
            target=goal,
            estimate=prepared.price,
            budget_usd=quotes.counted(prepared.price, budget, provider),
            queued=prepared.queued,
        ),
        budget,
    )
    if row.state in ENDED:
        raise told(row, error_of(row))
    if is_new:
        graphs.keep(settings, row, graph)
    return row, is_new


def adopt(
    ticket: Ticket, target: Path | None, graph: Graph | None, journal: Journal, settings: Settings
) -> Row:
    """A row for a task that this journal does not know. Raises NeedsKey without a key, BadOrder
    where the video could not be saved."""
    access = settings.access(ticket.provider)
    if access.problem is not None:
        access.problem.task, access.problem.spent = str(ticket), "yes"
        raise access.problem
    identity = hashlib.sha256(f"ticket {ticket}".encode()).hexdigest()
    new = NewRow(
        fingerprint=identity,
        asked=identity,
        provider=ticket.provider,
        account=quotes.account_of(ticket.provider, access.key),
        origin=origin(access.config.base_url),
        order=Order(provider=ticket.provider).describe(),
        target=_goal(settings, target, ticket.provider, identity),
    )
    row, is_new = journal.adopt(str(ticket), new)
    if is_new:
        graphs.keep(settings, row, graph)
    return row


def _goal(
    settings: Settings, target: Path | None, provider_id: str, identity: str, ending: str = "mp4"
) -> str:
    """Where the row says that its video goes: a name in the output folder of whoever saves it, or
    the file that a person named. Raises BadOrder where that cannot be written."""
    output = settings.output
    files.check_writable(target.parent if target else output)
    return str(target or files.new_target(output, provider_id, identity, ending).name)
