"""Leonardo.AI: pictures and clips go up first and are named by id, never by address.

Sources: the seed document 000 (the body of a create) and docs.leonardo.ai (uploads, answers,
polling, errors); where they differ, the seed wins.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from ..errors import BadOrder, Moderated, OddReply, OutOfCredit, Refused, SeedanceError
from ..money import Money
from ..order import SIZES, Order
from ..said import say
from ..wire import (
    Balance,
    Blob,
    Call,
    Delivered,
    Done,
    Expired,
    Failed,
    FilePart,
    Flow,
    Limits,
    MediaLimits,
    ModelLimits,
    Pause,
    Provider,
    Reply,
    Running,
    Source,
    Status,
    Ticket,
    Uploaded,
    dig,
    error_text,
    given,
    number_at,
    plain_word,
    text_at,
)

TIERS = {"480p": "RESOLUTION_480", "720p": "RESOLUTION_720"}
EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
}
UNITS = {"DOLLARS": "USD", "CREDITS": "credits"}

# A clip is looked at after it went up. No document lists the words for it, so a known word ends the
# wait early and an unknown one does not prolong it beyond these rounds.
CLIP_ROUNDS = 10
CLIP_SECONDS = 2.0
CLIP_READY = ("complete", "completed", "ready", "success", "succeeded")
CLIP_FAILED = ("failed", "failure", "error", "rejected", "invalid")

HANDLE = re.compile(r"leonardo:(GENERATED|UPLOADED):([A-Za-z0-9._~-]+)")
STILL = re.compile(r"\.(png|jpe?g|webp|gif)(\?|$)", re.IGNORECASE)
MODERATION_WORDS = re.compile(r"moderat|inappropriate|content filter|nsfw", re.IGNORECASE)
KEY_WORDS = re.compile(r"authori[sz]ation hook|authentication hook", re.IGNORECASE)
TOO_LITTLE = ("not enough", "insufficient")
CREDIT = ("token", "credit", "balance", "fund")


def _model(model_id: str) -> ModelLimits:
    return ModelLimits(
        id=model_id,
        modes=frozenset({"text", "image", "frames", "reference"}),
        resolutions=tuple(TIERS),
        ratios=tuple(SIZES["720p"]),
        durations=(4, 15),
        adaptive=frozenset({"image", "frames"}),
        prompt_max=1500,
        sizes={resolution: SIZES[resolution] for resolution in TIERS},
        images=4,
        videos=3,
        sources=(Source("docs.leonardo.ai/docs/seedance-20, -fast and -mini", "2026-11"),),
    )


def _complete(generation: dict[str, Any]) -> Done:
    video = dig(generation, "generated_images", 0)
    url = text_at(video, "motionMP4URL")
    if not url and not STILL.search(text_at(video, "url")):  # `url` may be the still
        url = text_at(video, "url")
    seed = dig(generation, "seed")
    withheld = None
    if not url and dig(video, "nsfw") is True:
        # Flagged videos have addresses too, and any address may come later than COMPLETE.
        message = say("Leonardo.AI withheld the video as not safe for work.")
        withheld = Failed(message, "nsfw", "output")
    return Done(
        url or None,
        seed=seed if isinstance(seed, int) and seed >= 0 else None,
        without_address=withheld,
    )


def _failed(generation: dict[str, Any]) -> Failed:
    found = dig(generation, "prompt_moderations", 0, "moderationClassification")
    if found:
        labels = ", ".join(map(str, found)) if isinstance(found, list) else str(found)
        said = say("Leonardo.AI's moderation refused the prompt: {labels}.", labels=labels)
        return Failed(said, labels, "prompt")
    return Failed(say("Leonardo.AI reports a failure and gives no reason."))


class Leonardo(Provider):
    """Leonardo.AI's Seedance 2.0.

    A create goes to v2 of the API, everything else to v1. A medium is `leonardo:UPLOADED:<id>` or
    `leonardo:GENERATED:<id>`. Sounds are not offered: their upload is documented nowhere. There is
    no cancel (deleting a generation is no cancelling).
    """

    id = "leonardo"
    name = "Leonardo.AI"
    key_variable = "LEONARDO_API_KEY"
    key_page = "https://app.leonardo.ai/api-access"
    default_base_url = "https://cloud.leonardo.ai/api/rest"
    limits = Limits(
        models={
            "seedance-2.0": _model("seedance-2.0"),
            "seedance-2.0-fast": _model("seedance-2.0-fast"),
            # Not in the seed: docs.leonardo.ai/docs/seedance-20-mini.
            "seedance-2.0-mini": _model("seedance-2.0-mini"),
        },
        delivery={"image": ("handle", "upload"), "video": ("handle", "upload"), "audio": ()},
        image=MediaLimits(("image/png", "image/jpeg", "image/webp")),
        video=MediaLimits(("video/mp4", "video/quicktime")),
        concurrent=10,  # docs.leonardo.ai/v1.0/reference/limits
    )
    # PENDING stands for queued and for rendering.
    words = {"pending": Running(), "complete": _complete, "failed": _failed}

    # ------------------------------------------------------------------------------------ uploads

    def upload(self, blob: Blob) -> Flow[Uploaded]:
        extension = EXTENSIONS.get(blob.mime)
        if blob.kind == "audio" or extension is None:
            raise BadOrder(
                "Leonardo.AI takes no {mime}.",
                hint="It takes {known}.",
                mime=blob.mime,
                known=", ".join(EXTENSIONS),
            )
        path, answer, id_name = (
            ("/v1/init-image", "uploadInitImage", "id")
            if blob.kind == "image"
            else ("/v1/media", "uploadMedia", "uploadId")
        )
        call = Call("POST", self.url(path), json={"extension": extension})
        granted = dig((yield from self.ask(call)), answer)
        medium_id, url = text_at(granted, id_name), text_at(granted, "url")
        if not medium_id or not url:
            raise OddReply("Leonardo.AI's answer to an upload names no id or no address.")
        # The form is valid for two minutes, and the key must not go to the storage host.
        stored = yield Call(
            "POST", url, form=_form_fields(granted), file=FilePart("file", blob), auth=False
        )
        if not stored.ok:
            raise _storage_error(stored, blob)
        if blob.kind == "video":
            yield from self._await_clip(medium_id)
        return Uploaded(f"leonardo:UPLOADED:{medium_id}")

    def _await_clip(self, medium_id: str) -> Flow[None]:
        """Wait until an uploaded clip can be used, for a bounded time."""
        for _ in range(CLIP_ROUNDS):
            yield Pause(CLIP_SECONDS)
            reply = yield Call("GET", self.url(f"/v1/media/{medium_id}"))
            clip = dig(reply.object(), "uploaded_media_by_pk") if reply.ok else None
            word = plain_word(dig(clip, "status"))
            if word in CLIP_FAILED:
                reason = text_at(clip, "statusReason") or "no reason given"
                raise BadOrder(
                    "Leonardo.AI does not take the clip: {reason}.",
                    hint="Use another clip, or convert it to H.264 MP4.",
                    reason=reason,
                )
            if word in CLIP_READY:
                return

    # -------------------------------------------------------------------------------------- tasks

    def submit(self, order: Order, delivered: Delivered) -> Flow[Ticket]:
        extra = self._extra(order)
        # The two documented switches that no input of a node covers; always sent.
        public, enhance = extra.pop("public", False), extra.pop("prompt_enhance", "OFF")
        if not isinstance(public, bool) or not isinstance(enhance, str):
            raise BadOrder(
                "extra.{id}.public must be true or false, and prompt_enhance a text.",
                hint='For example {"leonardo": {"public": true, "prompt_enhance": "ON"}}.',
                id=self.id,
            )
        parameters = _parameters(order, delivered, enhance)
        body = {"model": self.model_id(order), "public": public, "parameters": parameters}
        url = self.url("/v2/generations")
        return (yield from self.create(url, body, extra, into=parameters))

    def ticket(self, reply: Reply) -> Ticket:
        answer = self.read(reply)
        # v2 wraps its answer in `generate`, v1 in a job; the v2 reference shows it unwrapped.
        for wrapper in ("generate", "sdGenerationJob", "motionVideoGenerationJob"):
            if isinstance(answer.get(wrapper), dict):
                answer = answer[wrapper]
                break
        return Ticket.issue(self.id, answer.get("generationId"), _cost(answer))

    def check(self, ticket: Ticket) -> Flow[Status]:
        answer = yield from self.ask(Call("GET", self.url(f"/v1/generations/{ticket.opaque}")))
        generation = answer.get("generations_by_pk")
        if generation is None and "generations_by_pk" in answer:
            return Expired(say("it does not know the task"), may_appear=True)
        if not isinstance(generation, dict):
            raise OddReply("Leonardo.AI's answer shows no generation.")
        return self.standing(generation)

    def probe_key(self) -> Flow[Balance]:
        answer = yield from self.ask(Call("GET", self.url("/v1/me")))
        details = dig(answer, "user_details", 0)
        if details is None:
            raise OddReply("Leonardo.AI's answer about the account is empty.")
        amounts = [number_at(details, name) for name in ("apiPaidTokens", "apiSubscriptionTokens")]
        known = [amount for amount in amounts if amount is not None]
        account = text_at(details, "user", "username") or text_at(details, "user", "id")
        return Balance(
            account or say("{provider} account", provider=self.name),
            Money(sum(known), "credits") if known else None,
        )

    def explain(self, reply: Reply) -> SeedanceError:
        said = error_text(reply)
        if reply.status == 403 and reply.body.lstrip().startswith(b"<"):
            return Refused(
                "Leonardo.AI answered with a web page: it does not know the address (HTTP 403).",
                hint="The base URL must end in /api/rest; it is {base_url}.",
                base_url=self.config.base_url,
            )
        if KEY_WORDS.search(said):
            return Refused(
                "Leonardo.AI refused the key (HTTP {status}): {said}",
                hint="Check it with: seedance key test {id}.",
                status=reply.status,
                said=said,
                id=self.id,
            )
        if MODERATION_WORDS.search(said):
            return Moderated(
                "Leonardo.AI's moderation refused the order: {said}",
                hint="Change the prompt or the pictures; nothing was billed.",
                said=said,
            )
        if _lacks_credit(said):
            return OutOfCredit(
                "Leonardo.AI says there is no credit left: {said}", hint=self.credit, said=said
            )
        if "not supported within the Production API" in said:
            return Refused(
                "Leonardo.AI does not offer this model to the account: {said}",
                hint="Choose another model, or ask Leonardo.AI to enable it for the API.",
                said=said,
            )
        return super().explain(reply)

    def _extra(self, order: Order) -> dict[str, Any]:
        """The user's own fields: all of them are parameters, whether `parameters` is around them
        or not."""
        extra = dict(self.extra(order))
        inner = extra.pop("parameters", {})
        if not isinstance(inner, Mapping):
            raise BadOrder("extra.{id}.parameters must be an object.", id=self.id)
        return {**extra, **inner}


def _parameters(order: Order, delivered: Delivered, enhance: str) -> dict[str, Any]:
    # 0 x 0 follows the start frame's shape.
    adaptive = order.ratio == "adaptive"
    width, height = (0, 0) if adaptive else SIZES[order.resolution][order.ratio]
    return {
        "prompt": order.prompt,
        "duration": order.duration,
        "mode": TIERS[order.resolution],
        "width": width,
        "height": height,
        "seed": order.seed,
        "motion_has_audio": order.generate_audio,
        "prompt_enhance": enhance,
        "quantity": 1,
        **given(guidances=_guidances(delivered) or None),
    }


def _guidances(delivered: Delivered) -> dict[str, list[dict[str, Any]]]:
    """The media by the part they play; parts without media are left out."""
    parts = {
        "start_frame": [_item("image", ref) for ref in (delivered.first_frame,) if ref],
        "end_frame": [_item("image", ref) for ref in (delivered.last_frame,) if ref],
        "image_reference": [_item("image", ref) for ref in delivered.images],
        # The seed gives a clip no shape; this one is of docs.leonardo.ai/docs/seedance-20-fast.
        "video_reference_base": [_item("video", ref) for ref in delivered.videos],
    }
    return {part: items for part, items in parts.items() if items}


def _item(kind: str, reference: str) -> dict[str, Any]:
    match = HANDLE.fullmatch(reference)
    if not match:
        raise BadOrder(
            "{reference} is not a medium at Leonardo.AI.",
            hint="Connect the picture or clip itself, or use leonardo:GENERATED:<id>.",
            reference=repr(reference[:80]),
        )
    return {kind: {"id": match[2], "type": match[1]}}


def _form_fields(granted: Any) -> tuple[tuple[str, str], ...]:
    """The fields of the storage form, in their order; Leonardo sends them as JSON in a string."""
    fields = dig(granted, "fields")
    if isinstance(fields, str):
        try:
            fields = json.loads(fields)
        except ValueError:
            fields = None
    if not isinstance(fields, dict):
        raise OddReply("Leonardo.AI's answer to an upload has no form fields.")
    return tuple((name, str(value)) for name, value in fields.items())


def _lacks_credit(said: str) -> bool:
    """Whether the words for too little stand before those for credit."""
    words = said.lower()
    starts = [at for word in TOO_LITTLE if (at := words.find(word)) >= 0]
    return any(word in words[min(starts) :] for word in CREDIT) if starts else False


def _storage_error(reply: Reply, blob: Blob) -> Refused:
    said = re.search(rb"<Message>([^<]{1,200})", reply.body)
    why = f": {said[1].decode(errors='replace')}" if said else "."
    return Refused(
        "Leonardo.AI's storage did not take {file} (HTTP {status}){why}",
        hint="Nothing was spent. An upload form is valid for two minutes; try again.",
        file=blob.name,
        status=reply.status,
        why=why,
    )


def _cost(answer: dict[str, Any]) -> Money | None:
    """The price in a create answer; an `apiCreditCost` of 0 only says that `cost` counts."""
    amount = number_at(answer, "cost", "amount")
    if amount is not None:
        unit = text_at(answer, "cost", "unit")
        return Money(amount, UNITS.get(unit.upper(), unit or "credits"))
    credits = number_at(answer, "apiCreditCost")
    return Money(credits, "credits") if credits else None
