"""The asset library of Ark, which BytePlus and Volcano Engine serve alike: at a host of its own,
signed by an access key. The key of the video API is not taken there.

Sources: www.volcengine.com/docs/82379/2318270 to 2318278, 2333587, 2333588 and 2341606;
byteplus-sa/ComfyUI-BytePlus-ModelArk, nodes_assets.py (states, paging, error codes; that what makes
something takes no idempotency key); docs.byteplus.com/en/docs/ModelArk/2333565 and 2333589.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from ..errors import Moderated, OddReply, OutOfCredit, Refused, SeedanceError, Unreachable
from ..order import Kind
from ..texts import LONGEST_CODE, sentence
from ..wire import (
    Asset,
    AssetGroup,
    AssetLibrary,
    AssetState,
    Call,
    Flow,
    Liveness,
    LivenessResult,
    MediaLimits,
    Pause,
    Provider,
    Reply,
    Scope,
    address,
    dig,
    error_text,
    given,
    number_at,
    object_at,
    plain_word,
    text_at,
)
from ._ark_limits import AUDIO_25, IMAGE, VIDEO_25

T = TypeVar("T")

VERSION = "2024-01-01"
PROJECT = "default"
PAGE = 100
MOST_PAGES = 1000
LIVENESS_SECONDS = 30 * 60.0  # the token of a person's page lives so long, and can be used once
# Seconds to wait while the library is asked too often. An account of the free tier may add three
# assets a minute.
READ_PAUSES = (1.0, 2.0, 4.0, 8.0)
CREATE_PAUSES = (*READ_PAUSES, 16.0, 30.0)

KINDS: Mapping[Kind, str] = {"image": "Image", "video": "Video", "audio": "Audio"}
STATES: Mapping[str, AssetState] = {
    "processing": "processing",
    "active": "active",
    "failed": "failed",
}
LIMITS: Mapping[Kind, MediaLimits] = {
    "image": replace(
        IMAGE, formats=(*IMAGE.formats, "image/heic", "image/heif"), max_bytes=30 * 2**20 - 1
    ),
    "video": replace(VIDEO_25, fps=(24, 60), aspect=(0.4, 2.5), total_seconds=None),
    "audio": replace(AUDIO_25, total_seconds=None),
}

_THROTTLED = re.compile(
    r"Throttl|(Request|Flow|Qps|Qpm)LimitExceed|RateLimit|TooManyRequests|RequestBurst",
    re.IGNORECASE,
)
_NOT_THERE = re.compile(r"NotFound|NotExist|NoSuch", re.IGNORECASE)
_OVER = re.compile(r"Expired|Fail|Reject|Mismatch", re.IGNORECASE)
_WRONG_KEY = re.compile(
    r"(Invalid|Missing)?(AccessKey|SecretKey|SecurityToken|Authorization|Credential)"
    r"|SignatureDoesNotMatch|InvalidSignature|AuthFailure|RequestExpired|InvalidTimestamp",
    re.IGNORECASE,
)
_DENIED = re.compile(r"AccessDenied|PermissionDenied|Unauthorized|Forbidden|NoPermission", re.I)
_CONTENT = re.compile(r"SensitiveContent|ContentRestricted|RiskDetection|FaceMismatch", re.I)

# Why an asset fails, by the code of its error, and what to do.
_FAILURES = (
    ("FaceMismatch", "it does not show the person who confirmed, or shows several people"),
    ("DownloadFailed", "the library could not fetch it; the address must be public"),
    ("ContentRestricted", "the content policy refused it"),
    (
        "InputImageSensitiveContent",
        "the content policy refused the picture; a real person needs the kind person",
    ),
    (
        "InputVideoSensitiveContent",
        "the content policy refused the clip; a real person needs the kind person",
    ),
    ("InputAudioSensitiveContent", "the content policy refused the sound"),
)


class ArkAssets(AssetLibrary):
    """The library of one provider. `callback` is the page that a person's phone shows at the end;
    the address must be public."""

    seconds = LIVENESS_SECONDS
    limits = LIMITS

    def __init__(self, provider: Provider, region: str, callback: str) -> None:
        self._provider, self._callback = provider, callback
        self.scope = Scope(region, "ark")

    # ---------------------------------------------------------------------------------- groups

    def groups(self, *, person: bool, name: str = "") -> Flow[list[AssetGroup]]:
        filters = {"GroupType": _group_type(person), **given(Name=name)}
        found = yield from self._list("ListAssetGroups", filters, _group)
        return [group for group in found if name in ("", group.name)]  # `Name` finds parts too

    def group(self, group_id: str) -> Flow[AssetGroup | None]:
        found = yield from self._find("GetAssetGroup", group_id)
        return _group(found) if found is not None else None

    def new_group(self, name: str, description: str = "") -> Flow[str]:
        fields = {"Name": name, **given(Description=description), "GroupType": _group_type(False)}
        return _id(self._provider, (yield from self._make("CreateAssetGroup", fields)))

    def rename_group(self, group_id: str, name: str) -> Flow[None]:
        yield from self._ask("UpdateAssetGroup", {"Id": group_id, "Name": name})

    def remove_group(self, group_id: str) -> Flow[None]:
        yield from self._find("DeleteAssetGroup", group_id)

    # ---------------------------------------------------------------------------------- assets

    def assets(
        self, *, person: bool, groups: Sequence[str] = (), name: str = ""
    ) -> Flow[list[Asset]]:
        filters = given(GroupIds=list(groups), GroupType=_group_type(person), Name=name)
        found = yield from self._list("ListAssets", filters, self._asset)
        return [asset for asset in found if name in ("", asset.name)]

    def asset(self, asset_id: str) -> Flow[Asset | None]:
        found = yield from self._find("GetAsset", asset_id)
        return self._asset({"Id": asset_id, **found}) if found is not None else None

    def add(self, group_id: str, address: str, kind: Kind, name: str) -> Flow[str]:
        fields = {"GroupId": group_id, "URL": address, "AssetType": KINDS[kind], "Name": name}
        return _id(self._provider, (yield from self._make("CreateAsset", fields)))

    def rename(self, asset_id: str, name: str) -> Flow[None]:
        yield from self._ask("UpdateAsset", {"Id": asset_id, "Name": name})

    def remove(self, asset_id: str) -> Flow[None]:
        yield from self._find("DeleteAsset", asset_id)

    # --------------------------------------------------------------------------- real persons

    def ask_liveness(self) -> Flow[Liveness]:
        fields = {"CallbackURL": self._callback}
        found = yield from self._make("CreateVisualValidateSession", fields)
        token, link = text_at(found, "BytedToken"), address(found.get("H5Link"))
        if not token or link is None:
            raise OddReply(
                "{provider}'s answer has no page for the person.",
                spent="no",
                provider=self._provider.name,
            )
        return Liveness(token, link)

    def liveness(self, token: str) -> Flow[LivenessResult]:
        """No document says what is answered until the person has done it: whatever is neither the
        group nor about the key counts as not yet."""
        reply = yield from self._answer("GetVisualValidateResult", {"BytedToken": token})
        group = text_at(self._result(reply), "GroupId") if reply.ok and not _code(reply) else ""
        if group:
            return LivenessResult(group)
        code = _code(reply)
        if _WRONG_KEY.search(code) or _DENIED.search(code) or code == "SubscriptionRequired":
            raise self._explain(reply)
        return LivenessResult(None, bool(_OVER.search(code)), _said(reply) or code)

    # --------------------------------------------------------------------------- the requests

    def _list(
        self, action: str, filters: dict[str, Any], read: Callable[[dict[str, Any]], T]
    ) -> Flow[list[T]]:
        """Everything that the filters let through. A page is asked for by its number, or by the
        token of the page before, where that gave one."""
        found: list[T] = []
        page: dict[str, Any] = {"PageNumber": 1, "PageSize": PAGE}
        for number in range(2, MOST_PAGES):
            order = {"SortBy": "CreateTime", "SortOrder": "Asc"}
            result = yield from self._ask(action, {"Filter": filters, **page, **order})
            items, total = result.get("Items"), number_at(result, "TotalCount")
            if items is not None and not isinstance(items, list):
                raise OddReply(
                    "{provider}'s list of assets cannot be read.",
                    spent="no",
                    provider=self._provider.name,
                )
            items = [item for item in items or () if isinstance(item, dict)]
            found += map(read, items)
            all_there = len(items) < PAGE if total is None else len(found) >= total
            if token := text_at(result, "NextToken"):
                page = {"MaxResults": PAGE, "NextToken": token}
            elif "NextToken" in page or not items or all_there:
                break
            else:
                page = {"PageNumber": number, "PageSize": PAGE}
        return found

    def _find(self, action: str, its_id: str) -> Flow[dict[str, Any] | None]:
        """What is answered about one of its things, None where it does not know it."""
        reply = yield from self._answer(action, {"Id": its_id})
        if reply.status == 404 or _NOT_THERE.search(_code(reply)):
            return None
        return self._read(reply)

    def _ask(self, action: str, fields: dict[str, Any]) -> Flow[dict[str, Any]]:
        return self._read((yield from self._answer(action, fields)))

    def _make(self, action: str, fields: dict[str, Any]) -> Flow[dict[str, Any]]:
        return self._read((yield from self._answer(action, fields, once=True)))

    def _answer(self, action: str, fields: dict[str, Any], *, once: bool = False) -> Flow[Reply]:
        """The answer to an action, asked again where it was throttled, which does nothing, and,
        unless it is to be made `once`, where the service failed."""
        url = (self._provider.config.asset_url or "").rstrip("/") + "/"
        call = Call(
            "POST",
            url,
            json={**fields, "ProjectName": PROJECT},
            query={"Action": action, "Version": VERSION},
            once=once,
            any_status=True,
        )
        for pause in CREATE_PAUSES if once else READ_PAUSES:
            reply = yield call
            throttled = reply.status == 429 or _THROTTLED.search(_code(reply))
            if not throttled and (once or reply.status < 500):
                return reply
            told = number_at(dict(reply.headers), "retry-after")
            yield Pause(min(max(told or 0.0, pause), 60.0))
        return (yield call)

    # ---------------------------------------------------------------------------- the answers

    def _read(self, reply: Reply) -> dict[str, Any]:
        """The result in an answer. Raises what `_explain` gives for a refusal."""
        if not reply.ok or _code(reply):
            raise self._explain(reply)
        return self._result(reply)

    def _result(self, reply: Reply) -> dict[str, Any]:
        """The result, which one action is reported to give without the envelope."""
        whole = reply.object()
        result = whole.get("Result") if "Result" in whole else whole
        return result if isinstance(result, dict) else {}

    def _asset(self, item: dict[str, Any]) -> Asset:
        word = plain_word(item.get("Status"))
        kind = next((kind for kind, name in KINDS.items() if name == item.get("AssetType")), None)
        return Asset(
            id=text_at(item, "Id"),
            state=STATES.get(word, "processing"),
            name=text_at(item, "Name"),
            group=text_at(item, "GroupId"),
            kind=kind,
            problem=_problem(object_at(item, "Error")) if word == "failed" else "",
            address=address(item.get("URL")),
            unknown="" if word in STATES else text_at(item, "Status"),
        )

    def _explain(self, reply: Reply) -> SeedanceError:
        """The error for a refusal, in words for a person. Nothing here is ever billed."""
        code = _code(reply)
        told: dict[str, Any] = {
            "provider": self._provider.name,
            "code": code or reply.status,
            "said": (_said(reply) or code or f"HTTP {reply.status}").rstrip("."),
        }
        if code == "SubscriptionRequired":
            return Refused(
                "{provider} has not switched on its asset library for this account: {said}.",
                hint="It needs the plan for advanced creation, which is switched on in the console "
                "for a company's account. The signing key is right.",
                **told,
            )
        if _WRONG_KEY.search(code) or (not code and reply.status == 401):
            by_clock = re.search("Signature|Time|Expired", code)
            return Refused(
                "{provider} refused the signing key of its asset library ({code}): {said}.",
                hint="Check {variable} and its secret; the key of the video API is not taken there."
                if not by_clock
                else "Check {variable} and its secret; the key of the video API is not taken there."
                " Check this machine's clock too.",
                variable=self._provider.asset_key_variables[0],
                **told,
            )
        if _DENIED.search(code) or (not code and reply.status == 403):
            return Refused(
                "{provider} does not allow this signing key to do that: {said}.",
                hint="Give its user access to the assets of ModelArk, and sign the letter of "
                "authorization in the console, without which no group is made.",
                **told,
            )
        if reply.status == 429 or _THROTTLED.search(code):
            return Unreachable(
                "{provider}'s asset library was asked too often, also after a minute: {said}.",
                hint="Try again later. An account of the free tier may add three assets a minute.",
                **told,
            )
        if "Quota" in code or "LimitExceed" in code:
            return OutOfCredit(
                "{provider}'s asset library is full: {said}.", hint="Remove some.", **told
            )
        if _CONTENT.search(code):
            return Moderated("{provider}'s content policy refused it: {said}.", **told)
        if reply.status >= 500:
            return Unreachable(
                "{provider}'s asset library answered HTTP {status}: {said}.",
                hint="Try again. What it may have made all the same is looked for first.",
                status=reply.status,
                **told,
            )
        return Refused("{provider}'s asset library refused it ({code}): {said}.", **told)


def _group_type(person: bool) -> str:
    return "LivenessFace" if person else "AIGC"


def _group(item: dict[str, Any]) -> AssetGroup:
    person = item.get("GroupType") == _group_type(True)
    return AssetGroup(text_at(item, "Id"), text_at(item, "Name"), person)


def _id(provider: Provider, result: dict[str, Any]) -> str:
    if not (found := text_at(result, "Id")):
        raise OddReply("{provider}'s answer carries no id.", spent="no", provider=provider.name)
    return found


def _error(reply: Reply) -> dict[str, Any]:
    """The error in an answer, which may come with HTTP 200; empty where there is none."""
    try:
        return object_at(reply.json(), "ResponseMetadata", "Error")
    except OddReply:
        return {}


def _code(reply: Reply) -> str:
    """The code of an error, empty where there is none."""
    error = _error(reply)
    code = error.get("Code")
    if error and not isinstance(code, (str, int)):
        return "Error"
    return str(code or "")[:LONGEST_CODE]


def _said(reply: Reply) -> str:
    return sentence(text_at(_error(reply), "Message")) or error_text(reply)


def _problem(error: dict[str, Any]) -> str:
    """Why an asset has failed, in words."""
    code, said = str(dig(error, "Code") or "")[:LONGEST_CODE], text_at(error, "Message")
    why = next((words for start, words in _FAILURES if code.startswith(start)), "")
    told = said.rstrip(".") if said and said != code else ""
    parts = [part for part in (why, told, code and f"({code})") if part]
    return " ".join(parts) if len(parts) < 3 else f"{why}: {told} ({code})"
