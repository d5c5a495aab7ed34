"""What a graph costs before it runs: the sum over its generating nodes and their takes.

The page asks for it before Run. A running node asks for that of its own prompt, so that a graph
beyond `SEEDANCE_MAX_USD` sends nothing, not even its first orders. A value that only the run brings
(a linked length, for instance) is taken as its default here; what is ordered then is counted again,
order by order, in the same `Spending`.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..seedance.errors import SeedanceError
from ..seedance.order import FINALS, MOST_TAKES
from . import execution, from_page, host, shot_list
from .prompts import inputs_of, is_link

if TYPE_CHECKING:
    from ..seedance.money import Money
    from ..seedance.order import Order
    from ..seedance.runner import Runner
    from ..seedance.runner.spending import Spending, Sum

Prompt = Mapping[str, Any]

FINAL = "SeedanceFinal"
ORDERING = from_page.GENERATING | {shot_list.STORYBOARD, FINAL}

MOST_PROMPTS = 64  # whose sums are kept; more do not run at once
# Nodes, and takes of them, that are priced of a graph: some seconds' work. Nobody queues so many,
# and where a limit is set, each order is counted again when it is sent.
MOST_STEPS = 1000

_lock = threading.Lock()
_spendings: OrderedDict[str, Spending] = OrderedDict()
_planned: dict[str, SeedanceError | None] = {}


def spending_of(prompt_id: str, runner: Runner) -> Spending:
    """What the prompt has ordered so far. Raises OverBudget if its whole graph is beyond the limit,
    for each of its nodes. Blocks while the graph is priced, once for a prompt."""
    from ..seedance.runner.spending import Spending

    with _lock:
        spending = _spendings.get(prompt_id) if prompt_id else None
        if spending is None:
            spending = Spending(host.settings().max_usd)
            _planned[prompt_id] = _plan(prompt_id, runner, spending)
            _spendings[prompt_id] = spending
            while len(_spendings) > MOST_PROMPTS:
                _planned.pop(_spendings.popitem(last=False)[0], None)
        problem = _planned.get(prompt_id)
    if problem is not None:
        raise problem
    return spending


def _plan(prompt_id: str, runner: Runner, spending: Spending) -> SeedanceError | None:
    prompt, outputs = execution.running_prompt(prompt_id)
    try:
        spending.check(sum_of_graph(_to_run(prompt, outputs), runner))
    except SeedanceError as error:
        return error
    return None


def _to_run(prompt: Prompt, outputs: list[str]) -> Prompt:
    """The part of a prompt that its output nodes need."""
    found: dict[str, Any] = {}
    todo = [str(each) for each in outputs]
    while todo:
        node_id = todo.pop()
        node = prompt.get(node_id)
        if node_id in found or not isinstance(node, dict):
            continue
        found[node_id] = node
        todo += [str(value[0]) for value in inputs_of(node).values() if is_link(value)]
    return found


def sum_of_graph(prompt: Prompt, runner: Runner) -> Sum:
    """What the nodes of an API-format prompt would order now, drafts and their finals alike. A node
    whose order cannot be made, and one whose video is there or under way already, costs nothing.
    Nodes beyond `MOST_STEPS` are orders of which no price is known."""
    from ..seedance.runner.spending import Sum, sum_of

    total, unknown_price = Sum(), host.settings().budget.get("unknown_price")
    ordering = [node for node in prompt.values() if _kind(node) in ORDERING]
    steps = 0
    for number, node in enumerate(ordering):
        if steps >= MOST_STEPS:
            beyond = len(ordering) - number
            return total + Sum(0.0, beyond, beyond)
        steps += _steps(node)
        try:
            total += sum_of(_prices(node, prompt, runner), unknown_price)
        except SeedanceError:
            continue  # it says so when it runs, and sends nothing
    return total


def _steps(node: Any) -> int:
    """How many takes have to be looked for to price a node, and one for itself."""
    given = inputs_of(node)
    shots, takes = given.get("shots"), given.get("takes", 1)
    lines = shots.count("\n") + 1 if isinstance(shots, str) else 1
    number = min(max(takes, 1), MOST_TAKES) if type(takes) is int else 1
    return 1 + number * min(lines, shot_list.MOST_SHOTS)


def _prices(node: Any, prompt: Prompt, runner: Runner) -> list[Money | None]:
    """The prices of the takes of a node that orders. Raises what its run would raise."""
    if _kind(node) == shot_list.STORYBOARD:
        return _of_storyboard(inputs_of(node), runner)
    if _kind(node) != FINAL:
        planned = _order(node)
        return [] if planned is None else runner.prices_of_new(*planned)
    given = inputs_of(node)
    draft, resolution = given.get("draft"), given.get("resolution")
    final = resolution if isinstance(resolution, str) and resolution else FINALS[0]
    if isinstance(draft, str):
        return runner.prices_of_final(draft, final)
    # The draft is made in this graph: what it is made from tells what its final costs.
    source = prompt.get(str(draft[0])) if isinstance(draft, list) and is_link(draft) else None
    if (planned := _order(source)) is None:
        return []
    order, takes, words = planned
    return runner.prices_of_new(replace(order, draft=False, resolution=final), takes, words)


def _of_storyboard(inputs: Mapping[str, Any], runner: Runner) -> list[Money | None]:
    """The prices of the takes that a storyboard would make."""
    from ..seedance import providers

    linked = [name for name, value in inputs.items() if is_link(value)]
    made = (one for one in shot_list.plan_of(inputs, linked, runner).takes)
    return [
        one.price for one in made if one.stage == "to make" and not providers.is_free(one.provider)
    ]


def _order(node: Any) -> tuple[Order, int, str] | None:
    """The order of a generating node, how many takes it makes, and its prompt; None for another
    node, and for one whose order cannot be made."""
    kind = _kind(node)
    if kind not in from_page.GENERATING:
        return None
    given = inputs_of(node)
    linked = [name for name, value in given.items() if is_link(value)]
    values = {name: value for name, value in given.items() if name not in linked}
    takes = values.pop("takes", 1)
    try:
        order = from_page.order_of({"node": kind, "inputs": values, "sockets": linked})
    except SeedanceError:
        return None
    number = min(max(takes, 1), MOST_TAKES) if type(takes) is int else 1
    return order, number, str(values.get("prompt", ""))


def _kind(node: Any) -> str:
    kind = node.get("class_type") if isinstance(node, dict) else None
    return kind if isinstance(kind, str) else ""


def answer(prompt: object) -> dict[str, Any]:
    """The sum for the page, with the limit: `{usd, orders, unknown, max_usd}`."""
    runner = host.runner()
    total = sum_of_graph(prompt if isinstance(prompt, dict) else {}, runner)
    return {**total.as_dict(), "max_usd": host.settings().max_usd}
