"""The signature of Volcano Engine and BytePlus, by which their asset libraries know who asks.

HMAC-SHA256 over a canonical form of the request, as in `volcenginesdkcore.signv4`. Pure: the time
is handed in.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from urllib.parse import parse_qsl, quote, urlsplit

ALGORITHM = "HMAC-SHA256"
_SIGNED = ("content-type", "content-md5", "host")  # and every header that begins with X-
_UNWRITTEN_PORTS = ("80", "443")


@dataclass(frozen=True)
class SigningKey:
    """An access key: its id, its secret, and the token of a temporary one."""

    id: str = field(repr=False)
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Scope:
    """What a signature is good for."""

    region: str
    service: str


def signature(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    key: SigningKey,
    scope: Scope,
    now: datetime,
) -> dict[str, str]:
    """The headers that sign a request: X-Date, X-Content-Sha256, Authorization, and, with a
    temporary key, X-Security-Token.

    `headers` are those that go with it; of these Content-Type, Content-Md5, Host and all that begin
    with X- are signed. Without a Host among them the address's own is signed. `now` is aware.
    """
    date = now.astimezone(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    made = {"X-Date": date, "X-Content-Sha256": hashlib.sha256(body).hexdigest()}
    if key.token:
        made["X-Security-Token"] = key.token
    parts = urlsplit(url)
    signed = {
        name.lower(): value
        for name, value in {"Host": parts.netloc.lower(), **headers, **made}.items()
        if name.lower() in _SIGNED or name.lower().startswith("x-")
    }
    host, _, port = signed["host"].partition(":")
    if port in _UNWRITTEN_PORTS:
        signed["host"] = host
    names = ";".join(sorted(signed))
    canonical = "\n".join(
        (
            method,
            parts.path or "/",
            _query(parts.query),
            "".join(f"{name}:{signed[name]}\n" for name in sorted(signed)),
            names,
            made["X-Content-Sha256"],
        )
    )
    place = f"{date[:8]}/{scope.region}/{scope.service}/request"
    text = "\n".join((ALGORITHM, date, place, hashlib.sha256(canonical.encode()).hexdigest()))
    secret = key.secret.encode()
    for step in place.split("/"):
        secret = _hmac(secret, step)
    made["Authorization"] = (
        f"{ALGORITHM} Credential={key.id}/{place}, SignedHeaders={names}, "
        f"Signature={_hmac(secret, text).hex()}"
    )
    return made


def _query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    escaped = ((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in sorted(escaped))


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
