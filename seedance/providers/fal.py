"""fal: a queue before every model. Sources: docs.fal.ai, the model pages of bytedance/seedance-2.0,
and, of the history of requests, fal's platform API (retold). The mode is part of the model's path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import BadOrder, OddReply, Refused, Unclear
from ..money import Money
from ..order import SIZES, Order
from ..said import say
from ..wire import Blob, Call, Flow, Ticket, Uploaded, text_at, unix_seconds
from ._ark_limits import FRAMES_A_SECOND, SIZES_25
from ._fal import COMPLETE, QUEUE, Queue
from ._fal_limits import LIMITS, PATHS
from ._fal_prices import PRICES
from ._found import CLOCK_WRONG, MOST_PAGES, is_of_that_time, iso_time, recognised, the_one

# The routes that run in the USA, which only SEEDANCE_FAL_MODELS names, are reported to cost up to a
# fifth more; the page of their draft/complete prints the same price.
US, US_SURCHARGE = "/us/", 1.2

HISTORY = "/v1/models/requests/by-endpoint"
MARKED = "end_user_id"  # a random one for each order, and no person's


class Fal(Queue):
    """fal.ai."""

    id = "fal"
    name = "fal"
    key_variable = "FAL_KEY"
    key_page = "https://fal.ai/dashboard/keys"
    refuses_people = "reported"
    default_base_url = QUEUE
    default_upload_url = "https://rest.fal.ai"
    default_history_url = "https://api.fal.ai"
    limits = LIMITS
    random_mark = True
    mark_field = MARKED
    keeps_create = True
    cancel_is_request = True  # one that runs gets a signal, and its app decides
    found_for = 30 * 24 * 3600.0  # what was sent is kept for so long
    where_to_look = say("Look at the requests on fal.ai/dashboard/requests.")

    def upload(self, blob: Blob) -> Flow[Uploaded]:
        place = yield from self.ask(
            Call(
                "POST",
                self.upload_url("/storage/upload/initiate"),
                json={"content_type": blob.mime, "file_name": blob.name},
                query={"storage_type": "fal-cdn-v3"},
            )
        )
        upload_url, file_url = text_at(place, "upload_url"), text_at(place, "file_url")
        if not upload_url or not file_url:
            raise OddReply("fal's storage did not say where to upload the file.")
        stored = yield Call("PUT", upload_url, body=blob, auth=False)
        if not stored.ok:
            raise Refused(
                "fal's storage did not take the file (HTTP {status}).", status=stored.status
            )
        return Uploaded(file_url)

    def find(
        self, order: Mapping[str, Any], since: float, create: Call | None = None
    ) -> Flow[Ticket | None]:
        """Look through the history of the model's requests, with what was sent: for our
        `end_user_id`, or, for the final video of a draft, which takes none, for its draft."""
        if order.get("draft_of"):
            response_url, *_ = self._urls(Ticket.parse(order["draft_of"], known=True))
            drafted = yield from self.ask(Call("GET", response_url))
            wanted = {"draft_id": text_at(drafted, "draft_id"), "resolution": order["resolution"]}
            template = self.config.models.get(order["model"])
            template = template or self.limits.models[order["model"]].id
            endpoint = template.replace("{mode}", COMPLETE).strip("/")
        elif MARKED in order.get("extra", {}).get(self.id, {}):
            raise BadOrder(
                "The order sets {marked} itself, so that nothing marks its request.", marked=MARKED
            )
        elif create is None:
            raise BadOrder("What was sent was not kept, so that its request is not looked for.")
        else:
            wanted = {MARKED: self.mark}
            endpoint = create.url.removeprefix(self.url("/"))
        history = yield from self._history(endpoint, since - CLOCK_WRONG, expand="payloads")
        found, bare = [], []
        for item in history:
            ticket, sent = self._ticket(endpoint, item), unix_seconds(item.get("sent_at"))
            was_sent = item.get("json_input")
            if not isinstance(was_sent, dict):
                bare += [ticket] if is_of_that_time(sent, since) else []
            elif all(was_sent.get(name) == value for name, value in wanted.items()):
                found.append((ticket, sent))
        if bare and not found:
            raise Unclear(
                "fal's history has {count} requests of that time without what was "
                "sent, one of which may be this order's: {tickets}.",
                hint="Collect the right one with seedance collect.",
                count=len(bare),
                tickets=bare[:5],
            )
        if MARKED in wanted:  # which nobody else's request has, at whatever time
            return the_one(self.name, (ticket for ticket, _ in found))
        return recognised(self.name, found, since)

    def recent(self, since: float) -> Flow[list[Ticket]]:
        """The requests of Seedance's models in the history, which goes back thirty days."""
        found: list[Ticket] = []
        for name, model in self.limits.models.items():
            template = self.config.models.get(name) or model.id
            paths = sorted({PATHS[mode] for mode in model.modes})
            for path in (*paths, COMPLETE) if model.finals else paths:
                endpoint = template.replace("{mode}", path).strip("/")
                history = yield from self._history(endpoint, since)
                found += [self._ticket(endpoint, item) for item in history]
        return list(dict.fromkeys(found))

    def _ticket(self, endpoint: str, item: dict[str, Any]) -> Ticket:
        """The ticket of a request in the history."""
        app = "/".join(endpoint.split("/")[:2])
        path = f"{app}/requests/{text_at(item, 'request_id')}"
        return Ticket.issue(self.id, path.replace("/", "~"))

    def _history(self, endpoint: str, start: float, **query: str) -> Flow[list[dict[str, Any]]]:
        """The requests of one model from a time on.

        It is not documented which of a request's times `start` and `end` are about, so that only
        the first is given.
        """
        query |= {"endpoint_id": endpoint, "start": iso_time(start), "limit": "100"}
        found: list[dict[str, Any]] = []
        for _ in range(MOST_PAGES):
            call = Call("GET", self.history_url(HISTORY), query=dict(query))
            page = yield from self.ask(call)
            items = page.get("items")
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise OddReply("fal's history of requests cannot be read.")
            found += [item for item in items if item.get("endpoint_id", endpoint) == endpoint]
            if not page.get("has_more"):
                return found
            query["cursor"] = text_at(page, "next_cursor")
        raise OddReply("fal's history of requests does not end.")

    def estimate(self, order: Order, clip_seconds: float | None = None) -> Money | None:
        """The price by tokens. A length that the model decides is counted at its longest; an edited
        clip comes back about as long as it is."""
        model = self.model(order)
        price = PRICES.get(order.model, {}).get(order.resolution)
        if price is None:
            return None
        seconds = float(model.durations[1] if order.duration == -1 else order.duration)
        per_token = price.per_1000 / 1000
        if order.video is not None or order.of_kind("video"):
            limits = self.limits.of("video", order.model)
            longest = limits.total_seconds[1] if limits and limits.total_seconds else 0.0
            if clip_seconds and order.mode == "edit" and order.duration == -1:
                seconds = clip_seconds
            seconds += longest if clip_seconds is None else clip_seconds
            per_token *= price.with_clip
        sizes = (SIZES_25 if "2.5" in order.model else SIZES)[order.resolution]
        width, height = sizes.get(order.ratio, sizes["16:9"])
        if US in self.model_id(order, PATHS[order.mode]):
            per_token *= US_SURCHARGE
        tokens = seconds * width * height * FRAMES_A_SECOND / 1024
        return Money(round(tokens * per_token, 4), "USD", estimated=True, as_of=price.as_of)
