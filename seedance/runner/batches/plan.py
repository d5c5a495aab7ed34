"""What a list of shots would do now: which takes are there, which go on, which would be paid, and
for how much. Sends nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ... import media, providers
from ...errors import BadOrder, NeedsKey, OverBudget, SeedanceError
from ...journal import JournalReplaced, JournalUnavailable, Row, State
from ...money import Money
from ...order import Medium, Order
from ...said import Said
from ...settings import Settings
from ...shots import BadShots, Problem, Shot
from ...texts import counted
from .. import Runner, Sum, Take, last_frames, repeats, results, sum_of
from ..files import Files
from ..places import Glance
from ..spending import NO_PRICE
from ..worker import computing

Stage = Literal["there", "going on", "to make", "same", "unclear"]
"""Of a take before it is begun: its video is saved here; it is paid, or being sent, and will be
fetched; it would be sent now; another take of the list is the same order; it may be paid, and only
 a person can tell."""


@dataclass
class ShotTake:
    """One take of a shot. `number` counts from 0. `provider` and `price` are those that are known
    before it is begun; `row` is the one that it has in the journal. `repeats` says that the same
    order was sent before and may be billed. With `follows`, it starts on the last frame of a shot
    that is not there yet, so that its picture is not known."""

    shot: Shot
    number: int
    stage: Stage
    provider: str
    price: Money | None = None
    row: Row | None = None
    repeats: tuple[Said, ...] = ()
    follows: bool = False
    same_as: ShotTake | None = None

    @property
    def name(self) -> str:
        """What a person calls it: the shot's name, and the number of the take where there are
        several."""
        return (
            f"{self.shot.name}, take {self.number + 1}" if self.shot.takes > 1 else self.shot.name
        )

    @property
    def seed(self) -> int:
        """Its seed."""
        return self.shot.order().with_known_seed().take(self.number).seed

    def order(self, first_frame: Medium | None = None) -> Order:
        """Its order; `first_frame` is that of a shot which follows another."""
        return self.shot.order(first_frame).take(self.number)


@dataclass(frozen=True)
class ProviderSum:
    """What one provider would get: so many takes, in its currency; `unknown` of them have no
    price."""

    takes: int = 0
    amounts: Mapping[str, float] = field(default_factory=dict)
    unknown: int = 0

    def plus(self, price: Money | None) -> ProviderSum:
        """With one take more."""
        if price is None:
            return ProviderSum(self.takes + 1, self.amounts, self.unknown + 1)
        whole = self.amounts.get(price.currency, 0.0) + price.amount
        return ProviderSum(self.takes + 1, {**self.amounts, price.currency: whole}, self.unknown)


@dataclass(frozen=True)
class Estimate:
    """What making all takes would cost now, by provider and in all. Of those to make, `following`
    start on the last frame of a shot that is to be made too, and `repeated` were sent before and
    may be billed."""

    takes: int
    there: int
    going_on: int
    to_make: int
    following: int
    unclear: int
    repeated: int
    providers: Mapping[str, ProviderSum]
    total: Sum

    @property
    def is_free(self) -> bool:
        """Whether nothing would be paid."""
        return all(providers.is_free(each) for each in self.providers)


@dataclass(frozen=True)
class Plan:
    """All takes of a list, in its order. `problem` says that a key is missing for some of them, or
    may not go where its provider is now."""

    shots: Sequence[Shot]
    takes: Sequence[ShotTake]
    unknown_price: float | None = None
    problem: SeedanceError | None = None

    @property
    def estimate(self) -> Estimate:
        """What is to be made, and what it costs."""
        count = dict.fromkeys(("there", "going on", "to make", "same", "unclear"), 0)
        by_provider: dict[str, ProviderSum] = {}
        prices: list[Money | None] = []
        following = repeated = 0
        for take in self.takes:
            count[take.stage] += 1
            if take.stage != "to make":
                continue
            following += take.follows
            repeated += bool(take.repeats)
            before = by_provider.get(take.provider, ProviderSum())
            by_provider[take.provider] = before.plus(take.price)
            if not providers.is_free(take.provider):
                prices.append(take.price)
        return Estimate(
            takes=len(self.takes),
            there=count["there"] + count["same"],
            going_on=count["going on"],
            to_make=count["to make"],
            following=following,
            unclear=count["unclear"],
            repeated=repeated,
            providers=by_provider,
            total=sum_of(prices, self.unknown_price),
        )

    def check_key(self) -> None:
        """Raise NeedsKey, or BadOrder, where a key is missing for what is to be made."""
        if self.problem is not None:
            raise self.problem

    def check_most(self, most: float | None) -> None:
        """Raise OverBudget if all that is to be made costs more than `most` USD (None: no limit),
        of which 0 allows only what is free. Prices that are not known are too much."""
        estimate = self.estimate
        if most is None or estimate.is_free:
            return
        total = estimate.total
        if total.unknown or total.usd > most + 1e-9:
            fits = total.usd <= most + 1e-9
            raise OverBudget(
                f"To make {counted(estimate.to_make, 'takes')} costs about {total}; "
                f"max_usd is {most:g}; nothing was sent.",
                hint=NO_PRICE
                if fits
                else "Raise max_usd, shorten the list, or choose another provider.",
            )


def make_plan(
    shots: Sequence[Shot],
    runner: Runner,
    on_shot: Callable[[int], None] = lambda number: None,
    name: str = "The list of shots",
) -> Plan:
    """Look at every shot, in order: its media, its provider, its price, its rows in the journal.
    `on_shot` is told how many were looked at. A shot with a picture that is not at hand, because a
    graph has not run, is taken for what was made with the same words and values. `name` is what a
    person calls the list.

    Raises BadShots, with all shots that no provider takes as they are; NeedsKey where `auto` finds
    no provider with a key.
    """
    planner = _Planner(runner)
    for number, shot in enumerate(shots, start=1):
        planner.add(shot)
        on_shot(number)
    if planner.problems:
        raise BadShots.of(name, planner.problems)
    if planner.needs is not None:
        raise planner.needs
    unknown_price = runner.settings.budget.get("unknown_price")
    return Plan(shots, planner.takes, unknown_price, planner.keyless)


def all_mistakes(error: BadShots, runner: Runner) -> BadShots:
    """The same with those shots too that can be read and that no provider takes as they are."""
    planner = _Planner(runner)
    with suppress(JournalReplaced, JournalUnavailable):  # that comes once the list is right
        for shot in error.good:
            planner.add(shot)
    problems = sorted((*error.problems, *planner.problems), key=lambda each: each.line)
    return BadShots.of(error.name, problems)


class _Planner:
    def __init__(self, runner: Runner) -> None:
        self.takes: list[ShotTake] = []
        self.problems: list[Problem] = []
        self.needs: NeedsKey | None = None
        self.keyless: SeedanceError | None = None
        self._runner = runner
        self._glance = Glance(runner.settings.output)
        self._first: dict[str, ShotTake] = {}  # the first take of each shot, by its name
        self._known: dict[str, ShotTake] = {}  # by fingerprint

    def add(self, shot: Shot) -> None:
        first_frame, follows = self._first_frame(shot)
        try:
            order = shot.order(first_frame)
            found = self._runner.plan(order, shot.takes)
            planned = [self._planned(shot, n, take, follows) for n, take in enumerate(found)]
        except NeedsKey as error:
            self.needs = self.needs or error
            return
        except (JournalReplaced, JournalUnavailable):  # that is nothing about the shot
            raise
        except BadOrder as error:
            place = f"shot {shot.name}" + (f", line {shot.line}" if shot.line else "")
            self.problems.append(Problem(place, shot.line, "", error.message, error.hint))
            return
        self.takes += planned
        self._first[shot.name] = planned[0]

    def _first_frame(self, shot: Shot) -> tuple[Medium | None, bool]:
        """The last frame of the shot that this one follows, if that is there; and whether it is
        not."""
        if shot.after is None:
            return None, False
        before = self._first.get(shot.after)
        if before is None or before.row is None or before.row.state != State.SAVED:
            return None, True
        picture = last_frame_of(before.row, self._glance, self._runner.settings)
        return picture, picture is None

    def _planned(self, shot: Shot, number: int, take: Take, follows: bool) -> ShotTake:
        if take.error is not None:
            raise take.error
        prepared, row = take.prepared, take.row
        unknown = prepared is not None and any(each.unknown for each in prepared.order.media)
        if row is None and prepared is not None and unknown and shot.after is None:
            row = self._runner.alike(prepared, prepared.order.prompt)
        if row is not None:
            price = row.cost if row.state == State.PREPARING else None
            return ShotTake(shot, number, self._stage(row), row.provider, price, row)
        assert prepared is not None
        self.keyless = self.keyless or prepared.access.problem
        made = ShotTake(
            shot, number, "to make", prepared.provider.id, prepared.price, follows=follows
        )
        if not unknown:
            same = self._known.setdefault(prepared.fingerprint, made)
            if same is not made:
                return replace(made, stage="same", same_as=same)
            (again,) = repeats.noted([prepared], self._runner.journal)
            made.repeats = again.repeats
        return made

    def _stage(self, row: Row) -> Stage:
        if row.state == State.UNCLEAR:
            return "unclear"
        if row.state == State.PREPARING:
            return "to make"
        if row.state == State.SAVED and self._glance.at(row) is not None:
            return "there"
        return "going on"


def last_frame_of(row: Row, glance: Glance, settings: Settings) -> Medium | None:
    """The last frame of a row's video as a first frame, to the bit; None if it is neither here nor
    in the bucket. Of a video that will be fetched again, the PNG will do."""
    video = glance.at(row)
    try:
        if video is not None:
            return first_frame(Files(video), row.result)
        picture = glance.picture(row)
        pixels = media.read_picture(picture) if picture else results.last_frame(settings, row)
        return None if pixels is None else Medium.from_pixels(pixels)
    except SeedanceError:
        return None


def first_frame(saved: Files, *records: Mapping[str, Any]) -> Medium:
    """The last frame of a saved video, as the first one of another. By its pixels, as the nodes
    take it: the same picture in another PNG is the same order."""
    with computing():  # it may have to be decoded
        return Medium.from_pixels(last_frames.pixels(saved, *records))
