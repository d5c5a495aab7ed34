"""`batch`: what a list of shots costs, the question, all shots side by side, film and report."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import BadOrder, Cancelled, SeedanceError, StillRunning, Unclear
from ..texts import counted
from . import farm, live, prices, show
from .generate import PAID_WAIT, exit_code, settle
from .setup import runner_for

if TYPE_CHECKING:
    from ..runner import Runner, Spending
    from ..runner.batches import Estimate, Film, Plan, Shooting
    from ..runner.batches.here import UnderWay
    from ..runner.batches.progress import Standing

MOST_REPEATED = 20  # takes that were sent before; more are counted
MOST_COUNTED = 200  # shots; of a longer list it is shown how many were looked at
DEFAULTS = (
    "provider",
    "model",
    "resolution",
    "ratio",
    "duration",
    "on_unsupported",
    "no_audio",
    "project",
)


def batch(args: argparse.Namespace) -> int:
    """`seedance batch SHOTS`."""
    from .. import shots
    from ..runner import Spending, batches

    film, report = _path(args.join), _path(args.report)
    if film is not None:
        batches.check_film(film)
    if report is not None:
        batches.check_report(report, _path(args.shots), film)
    defaults = {name: getattr(args, name) for name in DEFAULTS if getattr(args, name)}
    try:
        found = shots.read_file(Path(args.shots).expanduser(), defaults=defaults)
    except shots.BadShots as error:
        with suppress(SeedanceError):  # what is wrong with the settings is told once the list is
            error = batches.all_mistakes(error, runner_for(args))
        _print_all(error)
        raise error from None
    runner = runner_for(args)
    if args.farm:
        farm.check(args, runner)
    elif args.priority is not None:
        raise BadOrder("--priority goes with --farm.")
    plan = _planned(found, runner, Path(args.shots).name)
    if film is not None:
        batches.check_apart(film, _path(args.out), plan.takes, runner)
    estimate = plan.estimate
    if args.estimate:
        _print_estimate(plan, as_json=args.json)
        return 0
    show.note(_in_words(plan))
    if args.farm:
        farm.check_media(plan, runner)
    else:
        plan.check_key()
    most = prices.amount("--max-usd", args.max_usd)
    plan.check_most(most)
    spending = Spending(runner.settings.max_usd if most is None else most)
    _confirm(args, estimate, spending)
    if args.farm:
        return farm.put(args, plan, runner)
    shooting = batches.Shooting(plan)
    made: Film | None = None
    late: list[SeedanceError] = []
    args.began = True
    try:
        _carry(args, shooting, runner, spending, most)
        with _told(late, runner):
            made = _film(shooting, film)
    finally:
        settle(runner)
        if report is not None:
            with _told(late, runner):
                batches.write_report(report, shooting)
    return _end(shooting, made, late, wanted=film is not None, as_json=args.json)


@contextmanager
def _told(late: list[SeedanceError], runner: Runner) -> Iterator[None]:
    """Say what goes wrong once all takes have ended, and go on: the videos are yet to be named."""
    try:
        yield
    except SeedanceError as error:
        late.append(error)
        show.failure(error, json_too=False, sent=runner.may_have_spent)


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser().absolute() if text else None


def _print_all(error: Any) -> None:
    """The mistakes that do not fit into one message."""
    from ..shots.reading import MOST_SHOWN

    for problem in error.problems[MOST_SHOWN:]:
        show.note(str(problem))


# ------------------------------------------------------------------------------- before it is paid


def _planned(found: Sequence[Any], runner: Runner, name: str) -> Plan:
    from .. import shots
    from ..runner import batches

    def count(number: int) -> None:
        if len(found) > MOST_COUNTED and number % MOST_COUNTED == 0:
            show.note(f"{number} of {len(found)} shots looked at")

    try:
        return batches.make_plan(found, runner, count, name)
    except shots.BadShots as error:
        _print_all(error)
        raise


def _in_words(plan: Plan) -> str:
    """What there is to do, a line for each provider, and what may be paid a second time."""
    estimate, shots = plan.estimate, len(plan.shots)
    parts = [f"{estimate.there} there"] if estimate.there else []
    parts += [f"{estimate.going_on} going on"] if estimate.going_on else []
    parts += [f"{estimate.unclear} unclear"] if estimate.unclear else []
    following = ""
    if estimate.following:
        start = "starts" if estimate.following == 1 else "start"
        following = f" ({estimate.following} of them {start} on the last frame of one to make)"
    parts.append(f"{estimate.to_make} to make{following}")
    takes = f", {counted(estimate.takes, 'takes')}" if estimate.takes != shots else ""
    lines = [f"{counted(shots, 'shots')}{takes}: {', '.join(parts)}."]
    for name, one in sorted(estimate.providers.items()):
        lines.append(
            f"  {name}: {counted(one.takes, 'takes')}, {_amounts(one.amounts, one.unknown)}"
        )
    if estimate.to_make and not estimate.is_free:
        lines.append(f"In all about {estimate.total}.")
    again = [take for take in plan.takes if take.stage == "to make" and take.repeats]
    lines += [f"{take.name}: {text}" for take in again[:MOST_REPEATED] for text in take.repeats]
    if len(again) > MOST_REPEATED:
        lines.append(f"... and {len(again) - MOST_REPEATED} more of this kind.")
    return "\n".join(lines)


def _amounts(amounts: Any, unknown: int) -> str:
    from ..money import Money

    parts = [str(Money(amount, currency)) for currency, amount in sorted(amounts.items())]
    if unknown:
        parts.append(f"{unknown} without a known price")
    return ", ".join(parts) or "free"


def _print_estimate(plan: Plan, *, as_json: bool) -> None:
    if not as_json:
        for line in _in_words(plan).splitlines():
            show.line(line)
        return
    estimate = plan.estimate
    show.as_json(
        {
            "shots": len(plan.shots),
            "takes": estimate.takes,
            "there": estimate.there,
            "going_on": estimate.going_on,
            "unclear": estimate.unclear,
            "to_make": estimate.to_make,
            "following": estimate.following,
            "repeated": estimate.repeated,
            "providers": {
                name: {
                    "takes": one.takes,
                    "amounts": {key: round(value, 6) for key, value in one.amounts.items()},
                    "unknown": one.unknown,
                }
                for name, one in sorted(estimate.providers.items())
            },
            "total": estimate.total.as_dict(),
        }
    )


def _confirm(args: argparse.Namespace, estimate: Estimate, spending: Spending) -> None:
    """Ask before money is spent. A yes on a terminal lifts SEEDANCE_MAX_USD for this run, not
    --max-usd; a script that always says --yes is held to both."""
    if estimate.is_free or not estimate.to_make:
        return
    above = bool(spending.limit) and estimate.total.usd > spending.limit + 1e-9
    if not args.yes and not prices._is_terminal():
        if above:
            spending.check(estimate.total)
        raise BadOrder(
            f"To make {counted(estimate.to_make, 'takes')} costs about {estimate.total}, and "
            "there is no terminal to ask at; nothing was sent.",
            hint="Say so with --yes, and see what it costs with --estimate.",
        )
    limit = f" (SEEDANCE_MAX_USD is {spending.limit:g})" if above else ""
    question = f"Make {counted(estimate.to_make, 'takes')} for about {estimate.total}{limit}?"
    if prices.ask_on_terminal(question, args.yes):
        if above:
            spending.limit = 0.0
    else:
        spending.check(estimate.total)


# ------------------------------------------------------------------------------ while it goes on


def _carry(
    args: argparse.Namespace,
    shooting: Shooting,
    runner: Runner,
    spending: Spending,
    most: float | None,
) -> None:
    from ..runner import batches, check_most

    said = {str(text) for take in shooting.plan.takes for text in take.repeats}
    left: list[UnderWay] = []
    with live.display(len(shooting.standings)) as display:

        def remark(one: Any) -> None:
            notes = (f"Changed {change}" for change in one.job.changes)
            for text in (*notes, *one.job.notes):
                if text not in said:
                    said.add(text)
                    display.say(f"{one.take.name}: {text}")

        def end(standing: Standing) -> None:
            failed = isinstance(standing.outcome, SeedanceError)
            display.end(_ended(standing), failed=failed)

        try:
            batches.carry(
                shooting,
                runner,
                spending=spending,
                out=_path(args.out),
                jobs=args.jobs,
                confirm=lambda prepared, takes: check_most(prepared.price, takes, most),
                on_began=remark,
                on_ended=end,
                on_look=display.look,
                on_left=left.extend,
            )
        except KeyboardInterrupt:
            display.say(f"Stopping; {PAID_WAIT}")
            settle(runner)
            raise _stopped(shooting, left) from None


def _ended(standing: Standing) -> str:
    outcome = standing.outcome
    if isinstance(outcome, SeedanceError):
        return f"{standing.take.name}: {show.as_typed(str(outcome))}"
    assert outcome is not None
    cost = "there already" if outcome.reused else show.money(outcome.cost)
    return f"{standing.take.name}: {outcome.file} ({cost})"


def _stopped(shooting: Shooting, left: Sequence[UnderWay]) -> Cancelled:
    """A person's Ctrl-C, or a kill. What is paid goes on at its provider."""
    takes = len(shooting.standings)
    words = [f"{shooting.ended_count} of {counted(takes, 'takes')} had ended."]
    paid = sum(one.standing.is_paid for one in left)
    free = sum(one.job.task is not None for one in left) - paid
    if paid:
        words.append(f"{paid} more {'is' if paid == 1 else 'are'} paid and {_go_on(paid)}.")
    if free:
        words.append(f"{free} more {_go_on(free)}, free of charge.")
    words.append("The same command goes on.")
    return Cancelled("Stopped.", hint=" ".join(words), spent=shooting.spent)


def _go_on(takes: int) -> str:
    return "goes on at its provider" if takes == 1 else "go on at their providers"


# -------------------------------------------------------------------------------------- at its end


def _film(shooting: Shooting, target: Path | None) -> Film | None:
    from ..runner import batches

    results = shooting.film()
    if target is None or results is None:
        return None
    names = [shot.name for shot in shooting.plan.shots]
    show.note(f"Joining {counted(len(results), 'shots')}")
    film = batches.make_film(list(zip(names, results)), target, show.part_of("Joining"))
    if film.encoded:
        show.note(f"The pictures were encoded anew, because {film.encoded}.")
    return film


def _end(
    shooting: Shooting,
    film: Film | None,
    late: Sequence[SeedanceError],
    *,
    wanted: bool,
    as_json: bool,
) -> int:
    from ..runner import batches

    outcomes: list[Any] = [each.outcome for each in shooting.standings]
    failed = sum(isinstance(each, SeedanceError) for each in outcomes)
    if as_json:
        show.as_json(
            {
                "shots": batches.records(shooting),
                "film": str(film.file) if film else None,
                "failed": failed,
                **({"error": late[0].as_dict()} if late else {}),
            }
        )
    else:
        for each in outcomes:
            if not isinstance(each, SeedanceError):
                show.line(each.file)
        if film is not None:
            show.line(film.file)
    videos = [one.file for one in outcomes if not isinstance(one, SeedanceError)]
    show.saved_unwritten([*videos, film.file] if film else videos)
    if failed:
        show.note(_without_video(shooting))
        if wanted and film is None:
            show.note("The film was not made, because shots are missing.")
    return exit_code(outcomes) or (late[0].exit_code if late else 0)


def _without_video(shooting: Shooting) -> str:
    """How many takes there are no videos of, and what can be done. An unclear one may be paid, so
    that it is not sent again; one that is still running has not failed."""
    missing = [each for each in shooting.standings if isinstance(each.outcome, SeedanceError)]
    running = sum(isinstance(each.outcome, StillRunning) and each.begun for each in missing)
    waiting = sum(isinstance(each.outcome, StillRunning) for each in missing) - running
    unclear = sum(isinstance(each.outcome, Unclear) and each.begun for each in missing)
    failed = len(missing) - running - waiting
    takes = counted(len(shooting.standings), "takes")
    words = []
    if running:
        more = f", and {waiting} more {'waits' if waiting == 1 else 'wait'}" if waiting else ""
        words.append(
            f"{running} of {takes} {'is' if running == 1 else 'are'} still running{more}. The same "
            f"command goes on with {'it' if running + waiting == 1 else 'them'}."
        )
    if failed:
        words.append(f"{failed} of {takes} failed.")
    if unclear:
        them = "It is" if unclear == 1 else "They are"
        words.append(f"{unclear} may be paid. {them} not sent again; see: seedance tasks.")
    if again := failed - unclear:
        them = "the others" if unclear else "it" if again == 1 else "them"
        words.append(f"The same command tries {them} again.")
    return " ".join(words)
