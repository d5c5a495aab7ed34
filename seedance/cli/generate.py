"""`generate`, `collect`, `finish` and `check`: start orders, wait for their takes together, answer
Ctrl-C, and print what came of them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Union

from ..errors import BadOrder, Cancelled, SeedanceError, Spent
from ..money import RATES_AS_OF, Money, in_usd
from ..order import Order
from . import orders, prices, show, stops
from .setup import runner_for

if TYPE_CHECKING:
    from ..runner import Job, Quote, Result, Runner

    Outcome = Union[Result, SeedanceError]

# Where takes failed in several ways, the one that needs a person soonest gives the exit code.
EXIT_CODE_ORDER = (5, 7, 9, 8, 6, 4)
# How long a provider may take to say that it cancelled.
CANCEL_SECONDS = 5.0


def generate(args: argparse.Namespace) -> int:
    """`seedance generate`: one order, one or several takes."""
    order = orders.order_of(args)
    runner = runner_for(args)
    try:
        spending, target = prices.spending_of(args, runner.settings), _target(args)
        args.began = True
        jobs = runner.start(
            order,
            takes=args.takes,
            target=target,
            overwrite=args.overwrite,
            confirm=prices.confirm(args, spending),
            spending=spending,
        )
        return _wait_and_report(runner, jobs, as_json=args.json)
    finally:
        settle(runner)


def collect(args: argparse.Namespace) -> int:
    """`seedance collect`: the videos of tasks that were paid for."""
    from ..runner import Job

    if args.all == (args.ticket is not None) or (args.all and args.output):
        raise BadOrder("Give one ticket or row, or --all and no -o.", hint="See: seedance tasks.")
    runner = runner_for(args)
    tickets = _uncollected(runner) if args.all else [runner.ticket_of(args.ticket)]
    if args.all:
        _name_unclear(runner)
    if not tickets:
        show.note("There is nothing to collect.")
        if args.json:
            show.as_json({"files": [], "takes": []})
        return 0
    try:
        target, jobs = _target(args), []
        args.began = True
        for ticket in tickets:
            try:
                jobs.append(runner.collect(ticket, target=target, overwrite=args.overwrite))
            except SeedanceError as error:
                if not args.all:
                    raise
                jobs.append(Job(runner.settings, None, Order(), error=error))
        return _wait_and_report(runner, jobs, as_json=args.json)
    finally:
        settle(runner)


def finish(args: argparse.Namespace) -> int:
    """`seedance finish`: a draft becomes its final video."""
    runner = runner_for(args)
    try:
        spending, target = prices.spending_of(args, runner.settings), _target(args)
        args.began = True
        job = runner.finish(
            runner.ticket_of(args.ticket),
            resolution=args.resolution,
            target=target,
            overwrite=args.overwrite,
            confirm=prices.confirm(args, spending),
            spending=spending,
        )
        return _wait_and_report(runner, [job], as_json=args.json)
    finally:
        settle(runner)


def _uncollected(runner: Runner) -> list[str]:
    """The tickets of what is paid and not saved yet, the oldest first."""
    from ..journal import LIVE

    rows = reversed(runner.journal.found(sys.maxsize, states=LIVE))
    return [row.task for row in rows if row.task is not None]


def _name_unclear(runner: Runner) -> None:
    """Say which orders may be paid and have no ticket, and what to do about them."""
    from ..journal import State
    from ..runner.outcomes import error_of

    for row in reversed(runner.journal.found(sys.maxsize, states=[State.UNCLEAR])):
        show.note(f"Row {row.id} may be billed, and has no ticket. {error_of(row)}")


def _target(args: argparse.Namespace) -> Path | None:
    return Path(args.output).expanduser().absolute() if args.output else None


# What is said when a person stops a command. (The limit is that of `LONGEST_SPEND_SECONDS`.)
PAID_WAIT = (
    "a request that may cost money is waited for, 5 minutes at most: only its answer tells what "
    "became of it."
)


def settle(runner: Runner) -> None:
    """Wait until no request that may cost money is on its way. Ctrl-C does not cut this short: the
    answer to such a request holds the only ticket to what was paid."""
    before = stops.ignored()
    try:
        runner.settle()
    finally:
        stops.restore(before)


# ------------------------------------------------------------------------------ waiting together


def _wait_and_report(runner: Runner, jobs: Sequence[Job], *, as_json: bool) -> int:
    """Wait for all jobs, then say what came of them; returns the exit code."""
    from ..runner import wait_all

    said: set[str] = set()
    _remark(jobs, said)
    try:
        with show.Display(len(jobs)) as display:
            outcomes = wait_all(jobs, display.show, on_look=display.refresh)
    except KeyboardInterrupt:
        return _cancel(runner, jobs, as_json=as_json)
    _remark(jobs, said)  # what had to be done to media is known by now
    if len(jobs) == 1 and isinstance(outcomes[0], SeedanceError):
        raise outcomes[0]
    if as_json:
        show.as_json(result_record(runner, jobs, outcomes))
    _report(runner, jobs, outcomes, results=not as_json)
    show.saved_unwritten(one.file for one in outcomes if not isinstance(one, SeedanceError))
    return exit_code(outcomes)


def _remark(jobs: Sequence[Job], said: set[str]) -> None:
    """Say what is sent other than asked. Takes differ in nothing but their seed, so that most of it
    would be said several times."""
    changes = [f"Changed {change}" for job in jobs for change in job.changes]
    for text in (*changes, *(note for job in jobs for note in job.notes)):
        if text not in said:
            said.add(text)
            show.note(text)


def _cancel(runner: Runner, jobs: Sequence[Job], *, as_json: bool) -> int:
    """A person's Ctrl-C: cancel, and say what becomes of each take and its money; returns the exit
    code."""
    from ..providers import is_free

    for job in jobs:
        job.cancel()
    show.note(f"Cancelling; {PAID_WAIT}")
    settle(runner)
    for job in jobs:
        job.cancel()  # a create that was under way has its ticket now, and so other words
    endings = _endings(jobs)
    spent: Spent = "no"
    words: list[str] = []
    for job, ending in zip(jobs, endings):
        if ending is None:
            words.append(job.cancel_note or "")
            spent = "yes" if job.task and not is_free(job.provider) else spent
        elif isinstance(ending, SeedanceError):
            words.append(str(ending) if ending.spent == "unknown" else ending.message)
            spent = ending.spent if spent == "no" else spent
        else:
            words.append(f"{ending.file} was finished already.")
            spent = "no" if is_free(job.provider) else "yes"
    if len(jobs) > 1:
        words = [_of_take(n, job, text) for n, (job, text) in enumerate(zip(jobs, words), start=1)]
    task = next((job.task for job in jobs if job.task), None)
    unclear = (each for each in endings if isinstance(each, SeedanceError))
    row = next((each.row for each in unclear if each.spent == "unknown"), None)
    hint = "\n".join(filter(None, words))
    error = Cancelled("Cancelled.", hint=hint, task=task, row=row, spent=spent)
    show.failure(error, json_too=False, sent=runner.may_have_spent)
    if as_json:
        takes = [_take_record(runner, job, ending) for job, ending in zip(jobs, endings)]
        show.as_json({"error": error.as_dict(), "takes": takes})
    return error.exit_code


def _of_take(number: int, job: Job, text: str) -> str:
    """What became of one take of several, by its ticket."""
    ticket = f" ({job.task})" if job.task and job.task not in text else ""
    return f"Take {number}{ticket}: {text or 'it goes on.'}"


def _endings(jobs: Sequence[Job]) -> list[Outcome | None]:
    """How cancelled jobs ended; None for those that go on, because cancelling is not free."""
    from ..providers import get
    from ..runner import wait_some

    waited = [job for job in jobs if job.task is None or get(job.provider).cancel_is_free]
    ended = dict(zip(map(id, waited), wait_some(waited, CANCEL_SECONDS)))
    return [ended.get(id(job)) for job in jobs]


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """0 if every take was saved, otherwise the code of the error that matters most."""
    codes = [outcome.exit_code for outcome in outcomes if isinstance(outcome, SeedanceError)]
    if not codes:
        return 0
    return next((code for code in EXIT_CODE_ORDER if code in codes), codes[0])


# ------------------------------------------------------------------------------- what came of it


MEASURED = ("width", "height", "fps", "frames", "duration", "has_audio")


def result_record(
    runner: Runner, jobs: Sequence[Job], outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    """The JSON of `generate` and `collect`. All but `files` and `takes` speak of the first take;
    what is measured on a video is null where that failed."""
    takes = [_take_record(runner, job, outcome) for job, outcome in zip(jobs, outcomes)]
    failed = [outcome for outcome in outcomes if isinstance(outcome, SeedanceError)]
    if len(failed) == len(outcomes):
        deciding = next(error for error in failed if error.exit_code == exit_code(outcomes))
        return {"error": deciding.as_dict(), "takes": takes}
    job, outcome, first = jobs[0], outcomes[0], takes[0]
    saved = None if isinstance(outcome, SeedanceError) else outcome
    return {
        "task": first["task"],
        "provider": job.provider,
        "model": job.order.model,
        "state": first["state"],
        "file": first["file"],
        "files": [take["file"] for take in takes if take["file"]],
        "seed": first["seed"],
        **{name: getattr(saved, name, None) for name in MEASURED},
        "cost": first["cost"],
        "changes": [change.as_dict() for change in (saved.changes if saved else job.changes)],
        "takes": takes,
    }


def _take_record(runner: Runner, job: Job, outcome: Outcome | None) -> dict[str, Any]:
    """What came of one take; `outcome` is None where it goes on."""
    if outcome is None or isinstance(outcome, SeedanceError):
        row = job.row or (outcome.row if outcome else None)
        goes_on = outcome is None and job.task is not None  # its row may be yet to be written
        return {
            "task": (outcome.task if outcome else None) or job.task,
            "state": "running" if goes_on else runner.journal.get(row).state if row else None,
            "file": None,
            "seed": job.order.seed,
            "cost": None,
            "error": outcome.as_dict() if outcome else None,
        }
    return {
        "task": outcome.task,
        "state": outcome.state,
        "file": str(outcome.file),
        "seed": outcome.seed,
        "cost": outcome.cost.as_dict() if outcome.cost else None,
        "error": None,
    }


def _report(
    runner: Runner, jobs: Sequence[Job], outcomes: Sequence[Outcome], *, results: bool
) -> None:
    for number, (job, outcome) in enumerate(zip(jobs, outcomes), start=1):
        if isinstance(outcome, SeedanceError):
            show.note(f"Take {number} (seed {job.order.seed}):")
            show.failure(outcome, json_too=False, sent=runner.may_have_spent)
        elif results:
            show.line(outcome.file)
            show.note(_description(outcome, job))


def _description(result: Result, job: Job) -> str:
    sound = "with sound" if result.has_audio else "silent"
    if result.reused:
        price = f"{'finished' if job.was_there else 'ordered'} before and not paid again"
    else:
        price = f"price: {show.money(result.cost)}"
    return (
        f"{result.width}x{result.height}, {result.duration:.2f} s at {result.fps:g} fps, {sound}, "
        f"seed {result.seed}, {price}, task {result.task}"
    )


# ----------------------------------------------------------------------------------------- check


def check(args: argparse.Namespace) -> int:
    """`seedance check`: what would be sent where, and for how much. Orders nothing."""
    from ..providers import AUTO, get
    from ..runner import check_target

    order = orders.order_of(args)
    check_target(_target(args))
    if args.provider != AUTO:
        get(args.provider)  # one that does not exist has no quote
    quotes = runner_for(args).check(order)
    shown = [quote for quote in quotes if args.provider in (AUTO, quote.provider)]
    if args.json:
        show.as_json([quote.as_dict() for quote in shown])
    elif args.provider == AUTO:
        _print_quotes(quotes)
    else:
        for quote in shown:
            _print_quote(quote)
    if any(quote.problem is None for quote in shown):
        return 0
    return next((quote.problem.exit_code for quote in shown if quote.problem), 0)


def _print_quotes(quotes: Sequence[Quote]) -> None:
    """A line for each provider, the cheapest first; those that cannot come last."""
    rows: list[tuple[str, ...]] = [("provider", "price", "key", "what would change, or why not")]
    for quote in sorted(quotes, key=lambda quote: quote.rank):
        if quote.problem:
            price, words = "-", show.as_typed(quote.problem.message)
        else:
            price = _in_table(quote.price)
            changes = (f"{each.field} {each.asked} -> {each.given}" for each in quote.changes)
            words = "; ".join((*changes, *quote.notes))
        rows.append((quote.provider, price, quote.key or "none", words))
    show.table(rows, cut=sys.stdout.isatty())  # a pipe is for programs, which want it all
    if any(quote.price and quote.price.is_converted for quote in quotes):
        show.note(f"Other currencies are converted to USD at the rate of {RATES_AS_OF}.")
    show.note("In full, with the payload: seedance check --provider ID ...")


def _in_table(price: Money | None) -> str:
    """A price that can be compared with the others of its column."""
    usd = in_usd(price)
    reported = ", reported" if price and price.reported else ""
    if price is None or usd is None or not price.is_converted:
        return show.money(price).replace("(estimated)", f"(estimated{reported})")
    return f"{Money(usd, 'USD')} (about{reported}; {Money(price.amount, price.currency)})"


def _print_quote(quote: Quote) -> None:
    if quote.problem:
        show.line(f"{quote.provider}: no. {show.as_typed(str(quote.problem))}")
        return
    key = "" if quote.key else ", but there is no key"
    price = quote.price.in_words() if quote.price else "unknown"
    if quote.price and quote.price.as_of:
        price += f", price list of {quote.price.as_of}"
    show.line(f"{quote.provider}: yes{key}. Price: {price}.")
    for change in quote.changes:
        show.line(f"  changed {change}")
    for text in (*quote.notes, *quote.media):
        show.line(f"  {text}")
    if quote.payload is not None:
        show.line(f"  {quote.url}")
        for text in json.dumps(quote.payload, indent=2, ensure_ascii=False).splitlines():
            show.line(f"  {text}")
