"""The list of shots on a storyboard, as a node or the page has it, and what it would cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..seedance.errors import BadOrder, SeedanceError
from ..seedance.order import Medium
from .inputs import DECODING
from .values import converted

if TYPE_CHECKING:
    from ..seedance.runner import Runner
    from ..seedance.runner.batches import Plan
    from ..seedance.shots import Shot

STORYBOARD = "SeedanceStoryboard"
MOST_LETTERS = 200_000
MOST_SHOTS = 200


def read(values: Mapping[str, Any], image: Medium | None) -> list[Shot]:
    """The shots of a storyboard's widgets. `image` is the first frame of the first shot. What the
    list says goes before the widgets. Raises BadShots, with all mistakes; BadOrder for a list that
    is too long."""
    from ..seedance.shots import read_text

    given = converted(values)
    text, chain = given.pop("shots", ""), given.pop("chain", True)
    if not text.strip():
        raise BadOrder(
            "There are no shots.", hint="Write one a paragraph, with a blank line between."
        )
    if len(text) > MOST_LETTERS:
        raise BadOrder(
            "The list of shots has {count} letters; at most {most} are taken here.",
            hint="Part it, or use: seedance batch",
            count=len(text),
            most=MOST_LETTERS,
        )
    given["no_audio"] = not given.pop("generate_audio", True)
    if given.get("ratio") == "adaptive":
        del given["ratio"]  # each shot's own picture decides, and 16:9 where there is none
    shots = read_text(text, defaults=given, chain=chain, image=image)
    if len(shots) > MOST_SHOTS:
        raise BadOrder(
            "The list has {count} shots, and at most {most} are made here.",
            hint="Part it, or use: seedance batch",
            count=len(shots),
            most=MOST_SHOTS,
        )
    return shots


def plan_of(inputs: Mapping[str, Any], linked: list[str], runner: Runner) -> Plan:
    """What a storyboard that stands in a graph would do. A picture that is connected is not known
    before the graph runs. Raises what running it would raise."""
    from ..seedance.runner.batches import make_plan

    values = {
        name: value
        for name, value in inputs.items()
        if name not in ("image", *DECODING) and name not in linked
    }
    image = Medium.stand_in("image") if "image" in linked else None
    return make_plan(read(values, image), runner)


def answer(body: Mapping[str, Any], runner: Runner) -> dict[str, Any]:
    """For the page: `{shots, to_make, free, usd, unknown, problem}`, the last null or an error.
    Where only a key is missing, the others hold too."""
    inputs, sockets = body.get("inputs"), body.get("sockets")
    if not isinstance(inputs, dict) or not isinstance(sockets, list):
        raise BadOrder("inputs must be an object, and sockets a list.")
    said: dict[str, Any] = {"shots": 0, "to_make": 0, "free": True, "usd": 0.0, "unknown": 0}
    try:
        plan = plan_of(inputs, [str(each) for each in sockets], runner)
    except SeedanceError as error:
        return {**said, "problem": error.as_dict()}
    estimate = plan.estimate
    to_make = {take.shot.name for take in plan.takes if take.stage == "to make"}
    return {
        "shots": len(plan.shots),
        "to_make": len(to_make),
        "free": estimate.is_free,
        "usd": round(estimate.total.usd, 4),
        "unknown": estimate.total.unknown,
        "problem": plan.problem.as_dict() if plan.problem else None,
    }
