"""`tasks`, `cancel` and `forget`: show the journal (as a table, JSON or CSV), cancel a task, clear
a row."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..texts import clean_lines
from . import show
from .setup import runner_for

if TYPE_CHECKING:
    from ..journal import Row, Total

FIELDS = ("row", "task", "provider", "model", "state", "created", "updated", "prompt", "seed")
COST_DAYS = 3660  # all of them
COST_FIELDS = ("day", "provider", "currency", "tasks", "amount", "estimated")


def tasks(args: argparse.Namespace) -> int:
    """`seedance tasks`: the rows, or what they cost by day and provider."""
    runner = runner_for(args)
    if args.costs:
        records = costs(runner.journal.spent(COST_DAYS))
    else:
        rows = runner.tasks(sys.maxsize if args.csv else args.limit)
        records = [row.as_dict() for row in rows]
    if args.json:
        show.as_json(records)
    elif args.csv:
        _write_csv(records, COST_FIELDS if args.costs else (*FIELDS, "file", "amount", "currency"))
    elif args.costs:
        show.table([COST_FIELDS, *([record[name] for name in COST_FIELDS] for record in records)])
    elif not rows:
        show.note("There are no tasks yet.")
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


def cancel(args: argparse.Namespace) -> int:
    """`seedance cancel TICKET`."""
    show.line(runner_for(args).cancel(args.ticket))
    return 0


def forget(args: argparse.Namespace) -> int:
    """`seedance forget TICKET_OR_ROW`."""
    runner = runner_for(args)
    was = runner.find_row(args.ticket)
    forgotten = runner.forget(was.id).state != was.state
    what = f"was {was.state}) is forgotten" if forgotten else f"{was.state}) stands in nobody's way"
    show.line(f"Row {was.id} ({was.provider}, {what}; its order can be sent anew.")
    return 0


def _print_rows(rows: Sequence[Row]) -> None:
    head = ("row", "created", "state", "provider", "model", "cost", "task", "file or prompt")
    body = [
        (
            row.id,
            row.created.astimezone().strftime("%Y-%m-%d %H:%M"),
            row.state,
            row.provider,
            row.model,
            show.money(row.cost) if row.cost else "",
            row.task or "",
            row.file or show.shortened(row.prompt, 50),
        )
        for row in rows
    ]
    show.table([head, *body])


def _write_csv(records: Iterable[dict[str, Any]], fields: Sequence[str]) -> None:
    flat = []
    for record in records:
        cost = record.get("cost") or {}
        money = {"amount": cost.get("amount"), "currency": cost.get("currency")} if cost else {}
        flat.append({name: _cell(value) for name, value in {**record, **money}.items()})
    show.as_csv(fields, flat)


_FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20\u2212"  # also in wide letters
_SEPARATORS = ",;|:\t\n"


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula, whichever letter it splits at: an apostrophe
    stands before what looks like one, at the start and after each separator. Letters that steer a
    terminal are blanks."""
    if not isinstance(value, str):
        return value
    letters: list[str] = []
    begins = True  # nothing but blanks and quotation marks since the last separator
    for letter in clean_lines(value):
        letters += ["'", letter] if begins and letter in _FORMULA else [letter]
        begins = letter in _SEPARATORS or (begins and (letter.isspace() or letter in "\"'"))
    return "".join(letters)
