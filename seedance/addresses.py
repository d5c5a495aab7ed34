"""Web addresses: their origin, whether they name this machine, and which of them are public.

Decides by name and by number, and opens no connection.
"""

from __future__ import annotations

import contextlib
import html
import ipaddress
import re
import socket
import unicodedata
from urllib.parse import unquote, urlsplit

from .errors import BadOrder, OddReply
from .said import say

_AMBIGUOUS = re.compile(r"[\x00-\x20\x7f\\]")


def origin(url: str) -> str:
    """`scheme://host:port` of an address, lower case, the port always written; empty for a text
    that is no address, e.g. in a provider's answer.

    Backslashes, blanks and control characters make it none: what connects reads them otherwise
    than `urlsplit`, which would take `https://elsewhere\\@here/` for an address of `here`.
    """
    if _AMBIGUOUS.search(url):
        return ""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        return ""
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def is_loopback(url: str) -> bool:
    """Whether an address names this machine."""
    if _AMBIGUOUS.search(url):
        return False
    try:
        host = (urlsplit(url).hostname or "").lower()
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name, which may begin with 127. too
        return False


def check_base_url(url: str, name: str, variable: str = "") -> None:
    """Raise BadOrder for what cannot be the address of the provider `name`. What may hold a secret
    is not repeated. `variable` is the one that the address comes from."""
    what: str = repr(url[:100])
    source = f" ({variable})" if variable else ""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname and origin(url))
        parts.port  # noqa: B018  (raises ValueError for a port that is none)
    except ValueError:
        usable = False
    else:
        if "@" in parts.netloc:
            usable, what = False, say("An address with a user name or a password")
        elif parts.query or parts.fragment:
            usable, what = False, say("An address with a query or a fragment")
    if not usable or parts.scheme not in ("https", "http"):
        raise BadOrder(
            "{url} cannot be the base URL of {provider}{source}.",
            hint="It looks like https://host/path, without user, query or fragment.",
            url=what,
            provider=name,
            source=source,
        )
    if parts.scheme == "http" and not is_loopback(url):
        raise BadOrder(
            "{url} would carry the key of {provider} unencrypted{source}.",
            hint="Use https://; plain http:// is only for this machine (127.0.0.1).",
            url=repr(url[:100]),
            provider=name,
            source=source,
        )


class ForbiddenAddress(OddReply):
    """An address that must not be fetched: private, loopback, or not https."""


_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_VPN_RANGE = ipaddress.ip_network("198.18.0.0/15")  # fake addresses of local VPNs and proxies


def is_public(address: str) -> bool:
    """Whether a numeric address may be fetched from: global, or of the range local VPNs use."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        embedded = ip.ipv4_mapped or ip.sixtofour
        if embedded is None and ip in ipaddress.ip_network("64:ff9b::/96"):
            embedded = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if embedded is not None:
            return is_public(str(embedded))
        if ip not in _GLOBAL_UNICAST:  # e.g. site-local ones, which no table calls private
            return False
    elif ip in _VPN_RANGE:
        return True
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def check_public_url(url: str) -> None:
    """Raise ForbiddenAddress unless `url` is https and its name is not obviously private.

    The connected address is checked again when the connection is made.
    """
    host = _host(url)
    if not host or not url.lower().startswith("https:"):
        raise ForbiddenAddress("{url} is not an https address.", url=short(url))
    numeric = _numeric(host)
    if numeric:
        private = not is_public(numeric)
    else:  # a name without a dot is one of the local network
        private = "." not in host or f".{host}".endswith(_PRIVATE_NAMES)
    if private:
        raise ForbiddenAddress("{url} is not a public address.", url=short(url))


def check_text(text: str) -> None:
    """Raise ForbiddenAddress for a text that somebody may read as an address, unless it is public
    and every reader reads it alike. Any other text passes.

    The laxest readers drop what cannot be seen, take backslashes for slashes, escapes of addresses
    and of markup for what they stand for, letters of other scripts for ours, one slash (or none)
    for two, and an address without a scheme for one of the web. They also take a list of addresses.
    """
    whole = text.strip(" ")
    pieces = set(text.translate(_BETWEEN).split("\n"))
    found = {piece for piece in pieces if "://" in _laxly(piece)}
    if not whole.startswith("data:"):  # which holds letters of any meaning
        for piece in (whole, *pieces):
            read = {piece, html.unescape(piece)}
            for _ in range(MOST_ESCAPES):
                read |= {unquote(each) for each in read}
            found |= {piece for each in read if _is_one(each) or _names_private(each)}
    for address in found:
        if not _PLAIN.fullmatch(address):
            raise ForbiddenAddress(
                "{address} is not plainly one public https address.", address=short(address)
            )
        check_public_url(address)


MOST_ESCAPES = 3  # escapes of escapes that somebody may undo one after the other
# What each reader takes for the same address: what follows the host begins with a slash.
_PLAIN = re.compile(r"https://[a-z0-9.-]{1,253}(?::[0-9]{1,5})?(?:/[^\s\\]*)?", re.IGNORECASE)
# What cannot be seen, and what other scripts have for a colon and a slash.
_DROPPED = {
    **dict.fromkeys((*range(0x20), *range(0x7F, 0xA0), 0xAD, *range(0x2000, 0x2070), 0xFEFF)),
    **dict.fromkeys((0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), 0x3164)),
    **dict.fromkeys((*range(0xFE00, 0xFE10), 0xFFA0, *range(0xE0000, 0xE1000))),
    **dict.fromkeys((0x2236, 0xA789), ":"),
    **dict.fromkeys((0x2044, 0x2215, 0x29F8), "/"),
}
_IN_SCHEMES = frozenset("abcdefghijklmnopqrstuvwxyz0123456789+.-:")
# What stands between the items of a list, and around an address in a sentence.
_BETWEEN = str.maketrans(dict.fromkeys("\"'`<>()[]{}|,;\t\n\r\f\v ", "\n"))
# That take a host, whether or not two slashes stand before it.
_SCHEMES = (
    *("http:", "https:", "ftp:", "ftps:", "ws:", "wss:", "file:", "gopher:", "s3:", "gs:", "url:"),
    *("view-source:", "blob:", "jar:", "dict:", "ldap:", "sftp:", "tftp:", "smb:"),
)


def _laxly(text: str) -> str:
    """A text as the laxest reader of addresses reads it."""
    dropped = unicodedata.normalize("NFKC", text.translate(_DROPPED)).translate(_DROPPED)
    return dropped.replace("\\", "/").lower()


def _names_private(text: str) -> bool:
    """Whether, without a scheme of the web, a text is the address of a private host:
    `127.0.0.1:80/a`, `localhost/a`, `tcp:[::1]`. A lone name or number is none."""
    rest = _laxly(text).strip()
    for _ in range(MOST_SCHEMES):
        if match := _OTHER_SCHEME.match(rest):
            rest = rest[match.end() :]
    rest = rest.lstrip("/")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    name, colon, port = host.partition(":")
    if match := _BRACKETS.match(host):
        name = match[1]
    elif colon and not port.isdecimal():
        return False
    elif name.rstrip(".") == "localhost":
        return host != name or rest != host
    elif name.count(".") != 3:
        return False
    number = _numeric(name.rstrip(".")) if not _AMBIGUOUS.search(name) else None
    return number is not None and not is_public(number)


MOST_SCHEMES = 4  # one before the other, as in `cache:http:127.0.0.1`
_BRACKETS = re.compile(r"\[([0-9a-f:.]{2,45})\]")
_OTHER_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{0,20}:(?![0-9]{1,5}(?:/|\?|#|\Z))")


def _is_one(text: str) -> bool:
    """Whether the laxest reader takes it for an address: one of the web, or with any scheme."""
    lax = _laxly(text).lstrip()
    scheme, _, rest = lax.partition("://")
    named = bool(rest) and not set(scheme) - _IN_SCHEMES
    return lax.startswith(("//", *_SCHEMES)) or named


# Names that no public server has (RFC 6761, 6762 and 8375, and ICANN's .internal).
_PRIVATE_NAMES = tuple(
    f".{name}"
    for name in (
        *("localhost", "localdomain", "local", "internal", "intranet", "private", "corp", "home"),
        *("lan", "home.arpa", "svc", "consul", "localdomain6"),
    )
)


def _host(url: str) -> str:
    """The host of an address as it will be looked up; empty if there is none. Other scripts have
    dots and digits of their own, which a resolver takes for ours."""
    try:
        host = (urlsplit(url).hostname or "") if origin(url) else ""
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError:
        return ""
    host = host.lower().rstrip(".")
    return host if re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]+", host) else ""


def _numeric(host: str) -> str | None:
    """The address that a host is, also in the old spellings (127.1, 0x7f.1); None for a name."""
    with contextlib.suppress(ValueError):
        return str(ipaddress.ip_address(host))
    with contextlib.suppress(OSError, UnicodeError):
        return socket.inet_ntoa(socket.inet_aton(host))
    return None


def short(url: str) -> str:
    """An address without its query, which may hold a signature."""
    return repr(url.split("?", 1)[0][:120])
