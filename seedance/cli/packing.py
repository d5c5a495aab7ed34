"""What `batch --farm` puts into the queue: orders packed, each with those that follow it.

Imported only where a batch goes into the queue: it brings in the runner.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..farm import Bucket, QueuedOrder, pack
from ..order import Order
from ..runner import Runner
from ..runner.batches import Plan, ShotTake
from ..runner.batches.plan import last_frame_of
from ..runner.places import Glance


@dataclass
class Tree:
    """Orders that are to be put in, each with those that follow it. `queued` were in the queue
    already, `waiting` follow one that is not put in now."""

    roots: list[QueuedOrder] = field(default_factory=list)
    queued: int = 0
    waiting: int = 0


class Ready:
    """What is to be made: `orders` as they go into the queue, and the fingerprints of those that
    can begin now (`prepared`), by the number of their take in the plan."""

    def __init__(self, plan: Plan, runner: Runner) -> None:
        self.plan = plan
        self.orders: dict[int, Order] = {}
        self.prepared: dict[int, str] = {}
        glance = Glance(runner.settings.output)
        first: dict[str, ShotTake] = {}
        for number, take in enumerate(plan.takes):
            first.setdefault(take.shot.name, take)
            if take.stage != "to make":
                continue
            before = first[take.shot.after].row if take.shot.after else None
            picture = None if before is None else last_frame_of(before, glance, runner.settings)
            order = replace(take.order(picture), provider=take.provider)
            if take.follows:
                self.orders[number] = order
            elif (found := prepared_order(order, runner)) is not None:
                self.orders[number], self.prepared[number] = found

    def tree(self, there: set[str], bucket: Bucket) -> Tree:
        """The orders whose fingerprints are not `there`, packed."""
        tree = Tree()
        places: dict[str, tuple[int, str]] = {}  # of the first take of a shot: its root, its id
        for number, order in self.orders.items():
            take, fingerprint = self.plan.takes[number], self.prepared.get(number, "")
            if fingerprint in there:
                tree.queued += 1
                continue
            root, after = places.get(take.shot.after or "", (len(tree.roots), ""))
            if take.follows and not after:
                tree.waiting += 1
                continue
            queued = QueuedOrder(
                take.name,
                take.provider,
                pack(order, bucket),
                fingerprint,
                after if take.follows else "",
            )
            if not take.follows:
                root = len(tree.roots)
                tree.roots.append(queued)
            else:
                before = tree.roots[root]
                tree.roots[root] = replace(before, then=[*before.then, queued])
            if take.number == 0:
                places[take.shot.name] = (root, queued.id)
        return tree


def prepared_order(order: Order, runner: Runner) -> tuple[Order, str] | None:
    """An order as it goes into the queue, and its fingerprint; None for one that is in the journal
    meanwhile."""
    take = runner.plan(order)[0]
    if take.error is not None:
        raise take.error
    if take.row is not None or take.prepared is None:
        return None
    named = runner.assets.named(order).assets
    # Assets are of this machine: the order goes with what their names stand for here.
    return (take.prepared.order if named else order), take.prepared.fingerprint
