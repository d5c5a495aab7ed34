"""Ark, the official Seedance API, which BytePlus ModelArk and Volcano Engine serve alike.

`_ark_models` has the order and the answers, `_ark_limits` what the models can do, `_ark_errors` the
words for refusals; `byteplus` and
`volcengine` add host, key, model ids and price list. Sources: docs.byteplus.com/en/docs/modelark
(task API, error codes), the BytePlus Seedance 2.5 tutorial, and their Volcano Engine twins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import unquote

from ..errors import BadOrder, OddReply
from ..order import Order
from ..said import say
from ..wire import (
    Balance,
    Call,
    CannotCancel,
    Delivered,
    Flow,
    Pause,
    Running,
    Status,
    TaskCancelled,
    Ticket,
    number_at,
    plain_word,
)
from ._ark_assets import ArkAssets
from ._ark_models import OTHER_NAMES, ArkModels
from ._found import MARK_SLACK, recognised

TASKS = "/contents/generations/tasks"

# The id of the model that finishes drafts in 4k (dreamina-seedance-2-5-premium-260915 at BytePlus).
PREMIUM = "premium_model"

MARKED = "execution_expires_after"  # in seconds; each order has its own, and the list shows it

PAGE = 100
LIST_SECONDS = 1.0  # the list route takes one call a second


class Ark(ArkModels):
    """The part of BytePlus and Volcano Engine that is the same."""

    options = (PREMIUM,)
    # "Only success is charged", and a queued task is the only one that DELETE cancels.
    cancel_is_free = True
    # For `MARKED`: 3600 to 259200, by default 172800
    # (providers.md, BytePlus, "Fields"). Never less than the default, so that no task ends sooner.
    marks = range(172_800, 259_201)
    found_for = 7 * 24 * 3600.0

    def submit(self, order: Order, delivered: Delivered) -> Flow[Ticket]:
        body, extra = self._body(order, delivered), self.extra(order)
        if self.mark and MARKED not in extra:
            body[MARKED] = int(self.mark)
        return (yield from self.create(self.url(TASKS), body, extra, others=OTHER_NAMES))

    def finish(self, order: Order, draft: Ticket) -> Flow[Ticket]:
        """The draft is the only content: to send its prompt, media, seed, ratio, length or sound
        again is an error."""
        final = {
            "model": self.model_id(order),
            "content": [{"type": "draft_task", "draft_task": {"id": unquote(draft.opaque)}}],
            "resolution": order.resolution,
            "watermark": order.watermark,
        }
        if order.resolution == "4k":
            final["model"] = self.config.options.get(PREMIUM, final["model"])
        if self.mark:
            final[MARKED] = int(self.mark)
        return (yield from self.create(self.url(TASKS), final, {}))

    def finals(self, model: str) -> tuple[str, ...]:
        finals = super().finals(model)
        return (*finals, "4k") if finals and self.config.options.get(PREMIUM) else finals

    def check(self, ticket: Ticket) -> Flow[Status]:
        task = yield from self.ask(Call("GET", self._address(ticket)))
        return self.standing(task)

    def cancel(self, ticket: Ticket) -> Flow[TaskCancelled | CannotCancel]:
        # DELETE cancels a queued task, but it deletes the record of a finished one: look first.
        task = yield from self.ask(Call("GET", self._address(ticket)))
        status = self.standing(task)
        if isinstance(status, TaskCancelled):
            return status
        if status != Running(phase="queued"):
            return CannotCancel(
                say(
                    "{provider} cancels a task only while it is queued; it is {status}.",
                    provider=self.name,
                    status=plain_word(task.get("status")),
                )
            )
        return self.cancelled((yield Call("DELETE", self._address(ticket))))

    def probe_key(self) -> Flow[Balance]:
        yield from self.ask(Call("GET", self.url(TASKS), query={"page_num": "1", "page_size": "1"}))
        return Balance("")  # no route tells whose key it is, or what is left

    def find(
        self, order: Mapping[str, Any], since: float, create: Call | None = None
    ) -> Flow[Ticket | None]:
        """Look through the task list for the one that was created with our mark: the time after
        which it expires, of which each order has a number of its own. Raises Unclear where two
        tasks have it."""
        if MARKED in order.get("extra", {}).get(self.id, {}):
            raise BadOrder(
                "The order sets {marked} itself, so that nothing marks its task.", marked=MARKED
            )
        tasks = yield from self._list()
        marked = [
            (Ticket.issue(self.id, task.get("id")), number_at(task, "created_at"))
            for task in tasks
            if number_at(task, MARKED) == float(self.mark) and self._may_be(task, order)
        ]
        return recognised(self.name, marked, since, MARK_SLACK)

    def recent(self, since: float) -> Flow[list[Ticket]]:
        """The tasks of the list, which goes back seven days."""
        tasks = yield from self._list()
        return [
            Ticket.issue(self.id, task.get("id"))
            for task in tasks
            if (number_at(task, "created_at") or since) >= since
        ]

    # ------------------------------------------------------------------------------ the requests

    def _address(self, ticket: Ticket) -> str:
        return self.url(f"{TASKS}/{ticket.opaque}")

    def _list(self) -> Flow[list[dict[str, Any]]]:
        """Every task of the last seven days, the most that the list goes back."""
        tasks: list[dict[str, Any]] = []
        for page in range(1, 1000):
            if page > 1:
                yield Pause(LIST_SECONDS)
            query = {"page_num": str(page), "page_size": str(PAGE)}
            listing = yield from self.ask(Call("GET", self.url(TASKS), query=query))
            items, total = listing.get("items"), number_at(listing, "total")
            if items is None and total == 0:
                break
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise OddReply("{provider}'s list of tasks cannot be read.", provider=self.name)
            tasks += items
            if not items or (len(items) < PAGE if total is None else len(tasks) >= total):
                break
        return tasks

    # ------------------------------------------------------------------------------- the answers

    def _may_be(self, task: dict[str, Any], order: Mapping[str, Any]) -> bool:
        """Whether nothing that the list shows of a task speaks against an order. There are only so
        many marks, and others use the account too."""
        shown = ("seed", "resolution", "generate_audio")
        return all(task.get(name) in (None, order.get(name)) for name in shown)


class ArkWithAssets(Ark):
    """Ark at those who run it, with their asset libraries."""

    refuses_people = "documented"  # docs.byteplus.com/en/docs/ModelArk/2608626
    asset_region: ClassVar[str]
    asset_callback: ClassVar[str]  # the page that ends a person's liveness check

    def assets(self) -> ArkAssets:
        return ArkAssets(self, self.asset_region, self.asset_callback)
