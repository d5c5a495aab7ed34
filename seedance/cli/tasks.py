"""`tasks`, `show`, `cancel` and `forget`: show the journal (as a table, JSON or CSV) or one order,
cancel a task, clear a row."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadOrder
from ..texts import cell, moment
from . import prices, show
from .setup import runner_for

if TYPE_CHECKING:
    from ..journal import Row, Total
    from ..runner import Runner

FIELDS = ("row", "task", "provider", "model", "state", "created", "updated", "prompt", "seed")
STATES = {
    "preparing": "nothing is sent yet",
    "submitting": "it is being sent",
    "running": "paid; the provider makes the video",
    "succeeded": "finished at the provider, not saved here yet: seedance collect ROW",
    "saved": "the video was saved; where: seedance show ROW",
    "unclear": "perhaps paid: look at the provider's own list, then: seedance forget ROW",
    "refused": "not accepted; nothing is billed",
    "failed": "accepted, then failed",
    "cancelled": "a person cancelled or forgot it",
    "expired": "the provider no longer has it",
}
UNPAID = ("refused", "preparing")
COST_DAYS = 3660  # all of them
COST_FIELDS = ("day", "provider", "currency", "tasks", "amount", "estimated")
BY = ("project", "day", "provider", "model")
BY_FIELDS = ("currency", "tasks", "amount", "estimated", "reused", "saved")


def tasks(args: argparse.Namespace) -> int:
    """`seedance tasks`: the rows, or what they cost by day and provider."""
    if args.by and not args.costs:
        raise BadOrder("--by says how totals are made.", hint="Use: seedance tasks --costs --by X")
    from ..journal import State

    runner = runner_for(args)
    if args.by:
        return _costs_by(args, runner)
    if args.costs:
        unknown = _unknown_costs(runner.journal.unpriced([State(each) for each in UNPAID]))
        records = costs(runner.journal.spent(COST_DAYS)) + unknown
    else:
        most = sys.maxsize if args.csv else args.limit
        state = State(args.state) if args.state else None
        rows = runner.tasks(most, state=state, text=args.search or "")
        records = [row.as_dict() for row in rows]
    if args.json:
        show.as_json(records)
    elif args.csv:
        _write_csv(records, COST_FIELDS if args.costs else (*FIELDS, "file", "amount", "currency"))
    elif args.costs and not records:
        show.note("Nothing was spent yet.")
    elif args.costs:
        lines = ([_shown(record[name]) for name in COST_FIELDS] for record in records)
        show.table([COST_FIELDS, *lines])
    elif not rows:
        show.note(
            "There are no such tasks." if args.search or args.state else "There are no tasks yet."
        )
    else:
        _print_rows(rows)
    return 0


def costs(totals: Iterable[Total]) -> list[dict[str, Any]]:
    """What was spent by local day, provider and currency, newest day first."""
    newest_first = sorted(totals, key=lambda total: total.day, reverse=True)
    return [
        {
            "day": total.day.isoformat(),
            "provider": total.provider,
            "currency": total.amount.currency,
            "tasks": total.orders,
            "amount": total.amount.amount,
            "estimated": total.amount.estimated,
        }
        for total in newest_first
    ]


def _costs_by(args: argparse.Namespace, runner: Runner) -> int:
    """What was spent by project, day, provider or model, and what was not paid twice."""
    from ..providers import ids, is_free

    parts = runner.journal.spent_by(args.by, [each for each in ids() if is_free(each)])
    fields = (args.by, *BY_FIELDS)
    records: list[dict[str, Any]] = [
        {
            args.by: part.key,
            "currency": part.amount.currency if part.amount else None,
            "tasks": part.orders,
            "amount": part.amount.amount if part.amount else None,
            "estimated": part.amount.estimated if part.amount else None,
            "reused": part.reused,
            "saved": part.saved,
        }
        for part in parts
    ]
    if args.json:
        show.as_json(records)
    elif args.csv:
        _write_csv(records, fields)
    elif not records:
        show.note("Nothing was spent yet.")
    else:
        none = {"project": "(no project)"}.get(args.by, "")
        lines = [
            [record[args.by] or none, *(_shown(record[name]) for name in BY_FIELDS)]
            for record in records
        ]
        show.table([fields, *lines])
        show.note("reused: asked for again; saved: what that would have cost.")
    return 0


def _unknown_costs(unpriced: Iterable[tuple[float, str]]) -> list[dict[str, Any]]:
    """Orders that were paid at a price that nobody told, by day and provider; of each, when it was
    made."""
    from ..providers import is_free, registry

    counts: dict[tuple[str, str], int] = {}
    for created, provider in unpriced:
        if provider not in registry() or not is_free(provider):
            day = datetime.fromtimestamp(created).date().isoformat()
            counts[day, provider] = counts.get((day, provider), 0) + 1
    nothing = {"currency": None, "amount": None, "estimated": None}
    return [
        {"day": day, "provider": provider, "tasks": count, **nothing}
        for (day, provider), count in sorted(counts.items(), reverse=True)
    ]


def _shown(value: object) -> object:
    return "unknown" if value is None else value


def show_row(args: argparse.Namespace) -> int:
    """`seedance show TICKET_OR_ROW`."""
    from ..runner.finish import draft_until
    from ..runner.places import saved_as

    runner = runner_for(args)
    row = runner.find_row(args.ticket)
    until = draft_until(row)
    found = runner.glance(row.id)
    file = found or saved_as(row)
    record = {**row.as_dict(), "file": str(file) if file else None}
    if args.json:
        told: dict[str, Any] = {"order": row.order, "changes": row.changes, "result": row.result}
        told["finish_until"] = moment(until) if until else None
        show.as_json({**record, **told})
        return 0
    record["state"] = f"{row.state} ({_explained(row, found)})"
    record["cost"] = show.money(row.cost)
    error = record.pop("error")
    if until:
        record["finish_until"] = moment(until)
    order = {name: value for name, value in row.order.items() if name not in record and value}
    if "video" not in order:
        order.pop("operation", None)  # there is nothing that it could be done with
    for name, value in {**record, **order}.items():
        if value is not None:
            show.line(f"{name + ':':15} {value}")
    for change in row.changes:
        show.line(f"changed:        {change['field']}: {change['asked']} became {change['given']}")
    if error:
        show.line(f"error:          {error['message']} {error['hint']}")
    return 0


def _explained(row: Row, found: Path | None) -> str:
    from ..runner import was_forgotten

    if row.task is not None and was_forgotten(row):
        return "a person forgot it; nobody cancelled its task"
    if row.state.value == "saved":
        gone = "the video was saved, and is not there any more"
        return gone if found is None else "the video is there"
    return STATES[row.state.value]


def cancel(args: argparse.Namespace) -> int:
    """`seedance cancel TICKET`."""
    said = runner_for(args).cancel(args.ticket)
    if args.json:
        show.as_json({"message": said})
    else:
        show.line(said)
    return 0


def forget(args: argparse.Namespace) -> int:
    """`seedance forget TICKET_OR_ROW`."""
    runner = runner_for(args)
    was = runner.find_row(args.ticket)
    if (said := _worth(was)) is not None:
        show.note(f"{said} To make it anew is paid again.")
        prices.ask_on_terminal("Forget it?", args.yes)
    forgotten = runner.forget(was.id).state != was.state
    what = f"was {was.state}) is forgotten" if forgotten else f"{was.state}) stands in nobody's way"
    if args.json:
        show.as_json({"row": was.id, "was": was.state.value, "forgotten": forgotten})
    else:
        show.line(f"Row {was.id} ({was.provider}, {what}; its order can be sent anew.")
    if was.task is not None and forgotten:
        show.note(f"The video can still be fetched: seedance collect {was.task}")
    elif was.state.value == "unclear":
        show.note("It is not known whether it was billed.")
    return 0


def _worth(row: Row) -> str | None:
    """What of a row is paid, and is about to be forgotten; None if nothing is."""
    free = row.cost is not None and not row.cost.amount
    if free or row.task is None or row.state.value not in ("running", "succeeded", "saved"):
        return None
    price = "at a price that is not known" if row.cost is None else f"for {row.cost}"
    return f"Row {row.id} is {row.state}: {row.task} was paid {price}."


def _print_rows(rows: Sequence[Row]) -> None:
    """A line for each row, of 80 columns."""
    head = ("row", "created", "state", "provider", "cost", "prompt")
    body = (
        (
            row.id,
            row.created.astimezone().strftime("%m-%d %H:%M"),
            row.state,
            row.provider,
            show.money(row.cost).replace(" (estimated)", "~") if row.cost else "",
            " ".join(row.prompt.split()),
        )
        for row in rows
    )
    show.table([head, *body], cut=True)
    for state in dict.fromkeys(row.state.value for row in rows):
        show.note(f"{state}: {STATES[state]}")
    show.note("Ticket, file and all else: seedance show ROW")


def _write_csv(records: Iterable[dict[str, Any]], fields: Sequence[str]) -> None:
    flat = []
    for record in records:
        cost = record.get("cost") or {}
        money = {"amount": cost.get("amount"), "currency": cost.get("currency")} if cost else {}
        flat.append({name: cell(value) for name, value in {**record, **money}.items()})
    show.as_csv(fields, flat)
