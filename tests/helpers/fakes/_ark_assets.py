"""A fake of Ark's asset library: www.volcengine.com/docs/82379/2318270 to 2318278, 2333587, 2333588
and 2341606, and byteplus-sa/ComfyUI-BytePlus-ModelArk, nodes_assets.py.

It checks each signature by the documents' own steps, and takes no field that they do not name.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ._fields import Check, integer, list_of, one_of, text, wrong

if TYPE_CHECKING:
    from . import Answer, Request

VERSION = "2024-01-01"
GROUP_TYPE = one_of("AIGC", "LivenessFace")
ADDRESS = re.compile(r"https://[^\s/]+/\S+|http://127\.0\.0\.1:\d+/\S+")
CLOCK_SECONDS = 15 * 60


def _filters(**checks: Check) -> Check:
    return lambda value: not wrong(value, {"GroupType": GROUP_TYPE, **checks}, ["GroupType"])


PAGING: dict[str, Check] = {
    "PageNumber": integer(1, 10_000),
    "PageSize": integer(1, 100),
    "MaxResults": integer(1, 100),
    "NextToken": text(),
    "SortBy": one_of("CreateTime", "UpdateTime", "GroupId"),
    "SortOrder": one_of("Asc", "Desc"),
}
ID: dict[str, Check] = {"Id": text()}
# The fields of each action besides ProjectName, and those that it needs.
ACTIONS: dict[str, tuple[dict[str, Check], list[str]]] = {
    "CreateAssetGroup": (
        {"Name": text(64), "Description": text(300), "GroupType": one_of("AIGC")},
        ["Name"],
    ),
    "ListAssetGroups": (
        {"Filter": _filters(GroupIds=list_of(text()), Name=text(64)), **PAGING},
        ["Filter"],
    ),
    "GetAssetGroup": (ID, ["Id"]),
    "UpdateAssetGroup": ({**ID, "Name": text(64), "Description": text(300)}, ["Id"]),
    "DeleteAssetGroup": (ID, ["Id"]),
    "CreateAsset": (
        {
            "GroupId": text(),
            "URL": lambda value: isinstance(value, str) and bool(ADDRESS.fullmatch(value)),
            "AssetType": one_of("Image", "Video", "Audio"),
            "Name": text(64),
        },
        ["GroupId", "URL", "AssetType"],
    ),
    "ListAssets": (
        {
            "Filter": _filters(
                GroupIds=list_of(text()),
                Name=text(64),
                Statuses=list_of(one_of("Processing", "Active", "Failed")),
            ),
            **PAGING,
        },
        ["Filter"],
    ),
    "GetAsset": (ID, ["Id"]),
    "UpdateAsset": ({**ID, "Name": text(64)}, ["Id", "Name"]),
    "DeleteAsset": (ID, ["Id"]),
    "CreateVisualValidateSession": ({"CallbackURL": text()}, ["CallbackURL"]),
    "GetVisualValidateResult": ({"BytedToken": text()}, ["BytedToken"]),
}


@dataclass
class Library:
    """The state of one account's library. `checks_until_active`: answers "Processing" before that.
    `fail_with`: the `Error` of assets that fail. `most_a_page`: what a page holds at most, whatever
    is asked for. `by_token`: whether lists are paged by a token alone. `fetch` is called with the
    address of each new asset."""

    region: str
    url: Callable[[], str]
    key_id: str = "AKTPtest0123456789"
    secret: str = "c2VjcmV0LW9mLXRoZS1hc3NldHM="
    subscribed: bool = True
    checks_until_active: int = 1
    fail_with: dict[str, str] | None = None
    most_a_page: int = 100
    by_token: bool = False
    fetch: Callable[[str], object] | None = None
    actions: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    throttles: list[Answer] = field(default_factory=list)  # given first, each once
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    assets: dict[str, dict[str, Any]] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)
    sessions: dict[str, str | None] = field(default_factory=dict)  # token -> group, once passed

    def environment(self, variables: tuple[str, ...]) -> dict[str, str]:
        """The variables that hold the signing key."""
        return dict(zip(variables, (self.key_id, self.secret)))

    def made(self, action: str) -> list[dict[str, Any]]:
        """The bodies that came for an action, in order."""
        return [body for name, body in self.actions if name == action]

    def confirm(self) -> str:
        """The person passes the check of the last session; returns the group."""
        token = list(self.sessions)[-1]
        group = self._new_group({"Name": f"face {len(self.groups)}", "GroupType": "LivenessFace"})
        self.sessions[token] = group
        return group

    def handle(self, request: Request) -> Answer:
        """Answer one request to the asset host."""
        action = request.query.get("Action", "")
        if request.method != "POST" or action not in ACTIONS:
            return self._error(404, action, "InvalidActionOrVersion", "There is no such action.")
        if request.query != {"Action": action, "Version": VERSION}:
            return self._error(400, action, "InvalidActionOrVersion", "The version is wrong.")
        if refusal := self._wrong_signature(request):
            return self._error(403 if "Access" in refusal else 401, action, refusal, "No.")
        if self.throttles:
            return self.throttles.pop(0)
        if not self.subscribed:
            message = "This API requires an active subscription."
            return self._error(403, action, "SubscriptionRequired", message)
        body = request.json
        checks, required = ACTIONS[action]
        if problem := wrong(body, {**checks, "ProjectName": text()}, required):
            kind = "MissingParameter" if "required" in problem else "InvalidParameter"
            return self._error(400, action, f"{kind}.{problem.split()[0]}", problem)
        self.actions.append((action, body))
        result = getattr(self, f"_{action}")(body)
        if isinstance(result, tuple):
            return self._error(*(result[0], action, *result[1:]))
        return self._answer(200, action, {"Result": result})

    # ------------------------------------------------------------------------------- signature

    def _wrong_signature(self, request: Request) -> str:
        form = re.fullmatch(
            r"HMAC-SHA256 Credential=([^/]+)/(\d{8})/([\w-]+)/ark/request, "
            r"SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})",
            request.headers.get("authorization", ""),
        )
        if not form:
            return "InvalidAuthorization"
        key_id, day, region, signed, told = form.groups()
        if key_id != self.key_id:
            return "InvalidAccessKey"
        date = request.headers.get("x-date", "")
        moment = time.mktime(time.strptime(date, "%Y%m%dT%H%M%SZ")) - time.timezone
        if abs(moment - time.time()) > CLOCK_SECONDS or date[:8] != day:
            return "RequestExpired"
        names = signed.split(";")
        needed = {"content-type", "host", "x-content-sha256", "x-date"}
        needed |= {name for name in request.headers if name.startswith("x-")}
        digest = hashlib.sha256(request.body).hexdigest()
        if set(names) != needed or names != sorted(names) or region != self.region:
            return "SignatureDoesNotMatch"
        if request.headers["x-content-sha256"] != digest:
            return "SignatureDoesNotMatch"
        query = "&".join(
            f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}"
            for name, value in sorted(request.query.items())
        )
        lines = [request.method, request.path, query]
        lines += [f"{name}:{request.headers[name]}" for name in names]
        lines += ["", signed, digest]
        scope = f"{day}/{region}/ark/request"
        hashed = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        key = self.secret.encode()
        for part in (day, region, "ark", "request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        text_ = "\n".join(("HMAC-SHA256", date, scope, hashed))
        right = hmac.new(key, text_.encode(), hashlib.sha256).hexdigest()
        return "" if hmac.compare_digest(right, told) else "SignatureDoesNotMatch"

    # --------------------------------------------------------------------------------- actions

    def _new_group(self, fields: dict[str, Any]) -> str:
        its_id = f"group-20261204090000-{len(self.groups) + 1:05d}"
        self.groups[its_id] = {"Id": its_id, "GroupType": "AIGC", **fields, "CreateTime": _now()}
        return its_id

    def _CreateAssetGroup(self, body: dict[str, Any]) -> Any:
        fields = {name: value for name, value in body.items() if name != "ProjectName"}
        return {"Id": self._new_group(fields)}

    def _ListAssetGroups(self, body: dict[str, Any]) -> Any:
        return self._page(body, [*self.groups.values()], "Id")

    def _GetAssetGroup(self, body: dict[str, Any]) -> Any:
        return self.groups.get(body["Id"]) or _missing("AssetGroup")

    def _UpdateAssetGroup(self, body: dict[str, Any]) -> Any:
        if body["Id"] not in self.groups:
            return _missing("AssetGroup")
        self.groups[body["Id"]].update({name: body[name] for name in ("Name",) if name in body})
        return {"Id": body["Id"]}

    def _DeleteAssetGroup(self, body: dict[str, Any]) -> Any:
        if self.groups.pop(body["Id"], None) is None:
            return _missing("AssetGroup")
        gone = [one["Id"] for one in self.assets.values() if one["GroupId"] == body["Id"]]
        for asset_id in gone:
            del self.assets[asset_id]
        return {}

    def _CreateAsset(self, body: dict[str, Any]) -> Any:
        if body["GroupId"] not in self.groups:
            return _missing("AssetGroup")
        its_id = f"asset-20261204090000-{len(self.looks) + 1:05d}"
        self.looks[its_id] = 0
        self.assets[its_id] = {
            "Id": its_id,
            "Name": body.get("Name", ""),
            "GroupId": body["GroupId"],
            "AssetType": body["AssetType"],
            "Status": "Processing",
            "CreateTime": _now(),
        }
        if self.fetch is not None:
            self.fetch(body["URL"])
        return {"Id": its_id}

    def _ListAssets(self, body: dict[str, Any]) -> Any:
        return self._page(body, [self._shown(each) for each in self.assets.values()], "GroupId")

    def _GetAsset(self, body: dict[str, Any]) -> Any:
        if body["Id"] not in self.assets:
            return _missing("Asset")
        self.looks[body["Id"]] += 1
        return self._shown(self.assets[body["Id"]])

    def _UpdateAsset(self, body: dict[str, Any]) -> Any:
        if body["Id"] not in self.assets:
            return _missing("Asset")
        self.assets[body["Id"]]["Name"] = body["Name"]
        return {"Id": body["Id"]}

    def _DeleteAsset(self, body: dict[str, Any]) -> Any:
        return {} if self.assets.pop(body["Id"], None) else _missing("Asset")

    def _CreateVisualValidateSession(self, body: dict[str, Any]) -> Any:
        token = f"byted-{len(self.sessions) + 1:04d}"
        self.sessions[token] = None
        link = f"https://liveness.example/authorization?pl=1&uid={len(self.sessions)}"
        return {"BytedToken": token, "H5Link": link, "CallbackURL": body["CallbackURL"]}

    def _GetVisualValidateResult(self, body: dict[str, Any]) -> Any:
        if body["BytedToken"] not in self.sessions:
            return (404, "NotFound.BytedToken", "The token is not known.")
        group = self.sessions[body["BytedToken"]]
        return {"GroupId": group} if group else (404, "NotFound.BytedToken", "Not verified.")

    # --------------------------------------------------------------------------------- answers

    def _shown(self, asset: dict[str, Any]) -> dict[str, Any]:
        shown = {**asset, "URL": f"{self.url()}/assets/{asset['Id']}?signature=s"}
        if self.looks[asset["Id"]] > self.checks_until_active:
            shown["Status"] = "Failed" if self.fail_with else "Active"
            if self.fail_with:
                shown["Error"] = self.fail_with
        return shown

    def _page(self, body: dict[str, Any], items: list[dict[str, Any]], group: str) -> Any:
        by_number = {"PageNumber", "PageSize"} & body.keys()
        by_token = {"MaxResults", "NextToken"} & body.keys()
        if by_number and by_token:
            return (400, "InvalidParameter.PageNumber", "Page by number or by token.")
        filters = body["Filter"]
        types = {one["Id"]: one["GroupType"] for one in self.groups.values()}
        found = [
            item
            for item in items
            if types.get(item[group]) == filters["GroupType"]
            and filters.get("Name", "") in item["Name"]
            and item[group] in filters.get("GroupIds", [item[group]])
            and item.get("Status") in filters.get("Statuses", [item.get("Status")])
        ]
        size = min(body.get("PageSize", body.get("MaxResults", 10)), self.most_a_page)
        first = (body.get("PageNumber", 1) - 1) * size
        if "NextToken" in body:
            first = int(body["NextToken"].removeprefix("t"))
        page = {"Items": found[first : first + size]}
        more = first + size < len(found)
        if by_token or self.by_token:
            return {**page, **({"NextToken": f"t{first + size}"} if more else {})}
        return {**page, "TotalCount": len(found), "PageNumber": first // size + 1, "PageSize": size}

    def _error(self, status: int, action: str, code: str, message: str) -> Answer:
        return self._answer(status, action, {}, {"Error": {"Code": code, "Message": message}})

    def _answer(
        self, status: int, action: str, result: dict[str, Any], error: Any = None
    ) -> Answer:
        from . import Answer

        about = {"RequestId": "20261204", "Action": action, "Version": VERSION, "Service": "ark"}
        whole = {"ResponseMetadata": {**about, "Region": self.region, **(error or {})}, **result}
        return Answer(status, body=json.dumps(whole).encode())


def throttled(status: int = 400, code: str = "Throttling") -> Answer:
    """What the library answers when it is asked too often."""
    from . import Answer

    error = {"Code": code, "Message": "Request was denied due to request throttling."}
    return Answer(status, json={"ResponseMetadata": {"RequestId": "1", "Error": error}})


def _missing(what: str) -> tuple[int, str, str]:
    return (404, f"NotFound.{what}", f"The {what} is not found.")


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
