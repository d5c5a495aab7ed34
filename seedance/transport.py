"""Performs a Call over requests, and says truthfully whether anything was sent.

Owns connections, time-outs, the Authorization header and where it may go, and the check of
addresses. Knows no provider. One `perform` is one attempt: repeating is decided elsewhere.
"""

from __future__ import annotations

import base64
import contextlib
import http.cookiejar
import ipaddress
import json
import logging
import re
import secrets
import socket
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

import requests
import requests.adapters
import urllib3

from . import __version__
from .errors import BadOrder, OddReply, SeedanceError, Unreachable
from .settings import is_loopback, origin
from .wire import Blob, Call, FilePart, Reply

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
SPEND_SECONDS = 120.0
LARGEST_REPLY = 16 * 2**20
LONGEST_REPLY_SECONDS = 1800.0  # in all; a large upload over a slow line takes its time
USER_AGENT = f"comfyui-seedance/{__version__}"


class NotSent(Unreachable):
    """The connection was never made: the other side has not seen the request."""


class Lost(SeedanceError):
    """The request, or a part of it, was sent, and no whole answer came back."""

    spent_by_default = "unknown"


@dataclass(frozen=True)
class Credentials:
    """A key, how it is presented, and the origins that may see it."""

    scheme: str
    key: str = field(repr=False)
    origins: frozenset[str]

    def header(self, url: str) -> str | None:
        """The Authorization header for `url`, None where there is no key or it may not go."""
        return f"{self.scheme} {self.key}" if self.key and origin(url) in self.origins else None


class ForbiddenAddress(OddReply):
    """An address that must not be fetched: private, loopback, or not https."""


# ---------------------------------------------------------------- connections that know their state

_attempt = threading.local()


def _watched(pool: Any, *, proxied: bool) -> Any:
    """The class of a connection pool, extended by connections that note in `_attempt` when they are
    ready for the first byte of a request, and that do not open to an address that is not public.

    Behind a proxy the connected address is the proxy's, so that only the name can be judged.
    """
    connection: Any = pool.ConnectionCls

    class Connection(connection):  # type: ignore[misc]
        debuglevel = 0  # http.client's, which others set to 1 for all, would print the headers

        def _new_conn(self) -> Any:
            sock = super()._new_conn()
            _attempt.sockets.append(sock)
            if _attempt.guard and not proxied:
                address = sock.getpeername()[0]
                if not is_public(address):
                    sock.close()
                    raise ForbiddenAddress(
                        f"{self.host} is at {address}, which is not a public address."
                    )
            return sock

        def connect(self) -> None:
            super().connect()
            _attempt.connected = True

        def putrequest(self, *args: Any, **kwargs: Any) -> None:
            if self.sock is not None:  # also a connection that served an earlier request
                _attempt.connected = True
                _attempt.sockets.append(self.sock)
            super().putrequest(*args, **kwargs)

    class Pool(pool):  # type: ignore[misc]
        ConnectionCls = Connection

    return Pool


@contextlib.contextmanager
def _attempt_within(seconds: float, *, guard: bool) -> Iterator[None]:
    """One attempt of this thread, whose connection is cut when it takes longer in all: what
    requests calls a time-out only counts the seconds without a byte."""
    sockets: list[Any] = []
    overdue = threading.Event()

    def cut() -> None:
        overdue.set()
        for sock in sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    _attempt.under_way, _attempt.connected, _attempt.guard = True, False, guard
    _attempt.sockets, _attempt.overdue = sockets, overdue
    timer = threading.Timer(seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        _attempt.under_way = False


def _is_others(_record: logging.LogRecord) -> bool:
    """Whether a word of the library's is not about a call of ours: it quotes whole addresses, of
    which those of uploads and results hold signatures."""
    return not getattr(_attempt, "under_way", False)


logging.getLogger("urllib3.connectionpool").addFilter(_is_others)


@contextlib.contextmanager
def _errors_alone() -> Iterator[None]:
    """Errors of ours leave without the library's behind them, which hold the request, and so the
    key."""
    try:
        yield
    except SeedanceError as error:
        error.__context__ = None
        raise


class _Adapter(requests.adapters.HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        _watch(self.poolmanager, proxied=False)

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> Any:
        known = proxy in self.proxy_manager
        manager = super().proxy_manager_for(proxy, **kwargs)
        if not known:
            _watch(manager, proxied=True)
        return manager


def _watch(manager: Any, *, proxied: bool) -> None:
    manager.pool_classes_by_scheme = {
        scheme: _watched(pool, proxied=proxied)
        for scheme, pool in manager.pool_classes_by_scheme.items()
    }


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
        raise ForbiddenAddress(f"{_short(url)} is not an https address.")
    numeric = _numeric(host)
    if numeric:
        private = not is_public(numeric)
    else:  # a name without a dot is one of the local network
        private = "." not in host or host.endswith(_PRIVATE_NAMES)
    if private:
        raise ForbiddenAddress(f"{_short(url)} is not a public address.")


# Names that no public server has (RFC 6761, 6762 and 8375, and ICANN's .internal).
_PRIVATE_NAMES = tuple(
    f".{name}"
    for name in (
        *("localhost", "localdomain", "local", "internal", "intranet", "private", "corp", "home"),
        *("lan", "home.arpa"),
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


def _short(url: str) -> str:
    """An address without its query, which may hold a signature."""
    return repr(url.split("?", 1)[0][:120])


# ------------------------------------------------------------------------------------- transport


class _Session(requests.Session):
    """Takes a redirect for an answer like any other.

    Even if it may not follow one, requests would read its body to the end, however long, and fail
    over a Location that is no address.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class Transport:
    """Sends calls for one set of credentials. Safe to use from several threads.

    `adapters` maps a URL prefix to a requests adapter that answers inside the process.
    """

    def __init__(
        self,
        credentials: Credentials,
        adapters: Mapping[str, requests.adapters.BaseAdapter] | None = None,
    ) -> None:
        self.credentials = credentials
        self._key = _spellings(credentials.key)
        self._adapters = dict(adapters or {})
        self._session = self._new_session()

    def _new_session(self) -> requests.Session:
        session = _Session()
        session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=()))
        for prefix in ("http://", "https://"):
            session.mount(prefix, _Adapter(pool_maxsize=32, max_retries=0))
        for prefix, adapter in self._adapters.items():
            session.mount(prefix, adapter)
        return session

    def perform(self, call: Call) -> Reply:
        """Send one call, once; never follows a redirect.

        Raises NotSent if the connection was never made, Lost if an answer did not come back whole,
        OddReply if the answer is absurdly large, BadOrder for a number that JSON does not have.
        """
        session = self._new_session() if call.spends else self._session
        seconds = call.timeout or (SPEND_SECONDS if call.spends else READ_SECONDS)
        try:
            with _errors_alone(), self._sending(session, call, seconds) as response:
                headers = {
                    name.lower(): self._without_key(value)
                    for name, value in response.headers.items()
                }
                return Reply(response.status_code, headers, self._read(response, headers))
        finally:
            if call.spends:
                session.close()

    @contextlib.contextmanager
    def _sending(
        self, session: requests.Session, call: Call, seconds: float
    ) -> Iterator[requests.Response]:
        headers = {
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            **call.headers,
        }
        if call.spends:
            headers["Connection"] = "close"
        data, content_type = _body(call)
        if content_type:
            headers["Content-Type"] = content_type
        guard = not self._trusted(call.url)
        if guard:
            check_public_url(call.url)
        try:
            with (
                _attempt_within(LONGEST_REPLY_SECONDS, guard=guard),
                _closing(data),
                session.request(
                    call.method,
                    call.url,
                    params=dict(call.query) or None,
                    data=data,
                    headers=headers,
                    auth=_Authorization(self.credentials.header(call.url) if call.auth else None),
                    timeout=(CONNECT_SECONDS, seconds),
                    proxies=_proxies(call.url),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                yield response
                if _attempt.overdue.is_set():  # a cut can look like an end
                    raise requests.Timeout
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise self._failure(call.url, error) from None

    def _trusted(self, url: str) -> bool:
        """The provider's own origins, and any port of this machine if the provider is on it."""
        mine = self.credentials.origins
        return origin(url) in mine or (is_loopback(url) and any(is_loopback(each) for each in mine))

    def _failure(self, url: str, error: Exception) -> SeedanceError:
        """What a failed attempt means. The library's own words may quote a URL with a signature
        in it, so only their kind is kept."""
        host = urlsplit(url).hostname or "the provider"
        reason = "no answer in time" if _attempt.overdue.is_set() else _reason(error)
        if not _attempt.connected:
            return NotSent(
                f"{host} could not be reached ({reason}).",
                hint="Check the network, the proxy and the address; it is safe to try again.",
            )
        return Lost(f"The connection to {host} broke before its answer was complete ({reason}).")

    def _read(self, response: requests.Response, headers: Mapping[str, str]) -> bytes:
        # Other packings, or several, unpack a few bytes to any size before they can be counted.
        packing = headers.get("content-encoding", "identity").strip().lower()
        if packing not in ("identity", "gzip", ""):
            raise OddReply(f"The answer is packed in a way not asked for ({packing[:40]}).")
        body = bytearray()
        for block in response.iter_content(1 << 14):
            body += block
            if len(body) > LARGEST_REPLY:
                raise OddReply(f"The answer is larger than {LARGEST_REPLY >> 20} MB.")
        return self._key.sub(b"(your key)", bytes(body)) if self._key else bytes(body)

    def _without_key(self, text: str) -> str:
        """A provider may quote the key that it refuses."""
        return self._key.sub(b"(your key)", text.encode()).decode() if self._key else text

    @contextlib.contextmanager
    def fetching(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        own_origin: str,
        authorized: bool = False,
        seconds: float = LONGEST_REPLY_SECONDS,
    ) -> Iterator[requests.Response]:
        """A streamed GET of a result file, following at most five redirects; cut after `seconds`.

        Each address must be public https, or of `own_origin`. The key is never sent, unless
        `authorized` and to `own_origin`. Raises NotSent, Lost, ForbiddenAddress.
        """
        for _ in range(6):
            own = origin(url) == own_origin
            if not own:
                check_public_url(url)
            auth = _Authorization(self.credentials.header(url) if own and authorized else None)
            with _errors_alone(), _attempt_within(seconds, guard=not own):
                try:
                    response = self._session.get(
                        url,
                        headers={
                            "User-Agent": USER_AGENT,
                            "Accept-Encoding": "identity",
                            **headers,
                        },
                        auth=auth,
                        timeout=(CONNECT_SECONDS, READ_SECONDS),
                        proxies=_proxies(url),
                        allow_redirects=False,
                        stream=True,
                    )
                except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
                    raise self._failure(url, error) from None
                if not response.is_redirect:
                    try:
                        yield response
                    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
                        raise self._failure(url, error) from None
                    finally:
                        response.close()
                    return
                response.close()
            try:
                url = urljoin(url, self._without_key(response.headers["location"]))
            except ValueError:
                raise ForbiddenAddress(f"{_short(url)} redirects to no address.") from None
        raise OddReply(f"{_short(url)} redirects in a circle.")

    def close(self) -> None:
        """Close pooled connections."""
        self._session.close()


def _spellings(key: str) -> re.Pattern[bytes] | None:
    """Finds a key as it is, with letters escaped as JSON, an address or a web page may have them,
    up to a few times over, in base64 wherever it begins (but for the letters at either end that
    depend on what stands there), or in hexadecimal. It takes a time in proportion to the text."""
    if not key:
        return None
    letters = "".join(
        rf"(?:\\{{0,8}}{re.escape(letter)}|\\{{1,8}}u00(?i:{ord(letter):02x})"
        rf"|%(?:25){{0,4}}(?i:{ord(letter):02x})|&#(?:{ord(letter)}|[xX](?i:{ord(letter):x}));)"
        for letter in key
    )
    if len(key) < 8:  # no key, but somebody's stand-in, whose other forms are in every text
        return re.compile(letters.encode())
    forms = [letters, f"(?i:{key.encode().hex()})"]
    for before in range(3):
        packed = base64.b64encode(bytes(before) + key.encode()).decode()
        whole = packed[-(-before * 8 // 6) : (before + len(key)) * 8 // 6]
        forms.append(re.sub("[+/]", lambda found: "[+-]" if found[0] == "+" else "[/_]", whole))
    return re.compile("|".join(forms).encode())


class _Authorization(requests.auth.AuthBase):
    """Sets our header, or none: without an auth object requests would look into .netrc."""

    def __init__(self, header: str | None) -> None:
        self._header = header

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._header:
            request.headers["Authorization"] = self._header
        return request


def _proxies(url: str) -> dict[str, Any] | None:
    """For `requests`: those of the environment, but none for this machine, where only we see a
    plain http address with a key."""
    return dict.fromkeys(("http", "https", "all")) if is_loopback(url) else None


def _reason(error: BaseException) -> str:
    """A few words for the innermost cause."""
    text = repr(error)
    for pattern, words in (
        (r"NameResolution|getaddrinfo|Name or service|nodename", "its name is not known"),
        (r"Connection refused|ECONNREFUSED|\[Errno 111\]", "connection refused"),
        (r"ConnectTimeout|ReadTimeout|timed out", "no answer in time"),
        (r"ProxyError", "the proxy refused"),
        (r"SSL|CERTIFICATE", "its certificate or encryption is not accepted"),
        (r"IncompleteRead|InvalidChunkLength|ended prematurely", "the answer was cut short"),
        (r"reset|RemoteDisconnected|Broken pipe|aborted", "connection closed by the other side"),
    ):
        if re.search(pattern, text, re.IGNORECASE):
            return words
    return type(error).__name__


# ------------------------------------------------------------------------------------------ bodies


def _body(call: Call) -> tuple[Any, str | None]:
    """What to send, and its content type. Files are streamed, anew for each attempt."""
    if call.json is not None:
        try:
            text = json.dumps(call.json, ensure_ascii=False, allow_nan=False)
        except ValueError:
            raise BadOrder(
                "The order holds NaN or Infinity, which is not a number that JSON has.",
                hint="Correct it in extra.",
            ) from None
        return text.encode("utf-8", "surrogatepass"), "application/json"
    if call.file is not None or call.form:
        boundary = secrets.token_hex(16)
        return _Multipart(
            call.form, call.file, boundary
        ), f"multipart/form-data; boundary={boundary}"
    if call.body is not None:
        return _Multipart((), None, "", whole=call.body), call.body.mime
    return None, None


@contextlib.contextmanager
def _closing(data: Any) -> Iterator[None]:
    try:
        yield
    finally:
        if isinstance(data, _Multipart):
            data.close()


class _Multipart:
    """A body of known length made of fields and one file, read block by block."""

    def __init__(
        self,
        form: Any,
        file: FilePart | None,
        boundary: str,
        whole: Blob | None = None,
    ) -> None:
        head, tail, blob = b"", b"", whole
        for name, value in form:
            head += (
                f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n'
                f"{value}\r\n"
            ).encode()
        if file is not None:
            blob = file.blob
            head += (
                f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(file.field)}"; '
                f'filename="{_quoted(blob.name)}"\r\nContent-Type: {blob.mime}\r\n\r\n'
            ).encode()
            tail += b"\r\n"
        if boundary:
            tail += f"--{boundary}--\r\n".encode()
        self.len = len(head) + (blob.size if blob else 0) + len(tail)  # requests asks for `len`
        self._left = [head, blob, tail]
        self._file: BinaryIO | None = None

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size`; empty at the end."""
        size = size if size and size > 0 else 1 << 16
        while self._left:
            part = self._left[0]
            if isinstance(part, Blob):
                block = self._read_blob(part, size)
            else:
                block, rest = (part or b"")[:size], (part or b"")[size:]
                self._left[0] = rest
            if block:
                return block
            self._left.pop(0)
        return b""

    def _read_blob(self, blob: Blob, size: int) -> bytes:
        if blob.path is None:
            data = blob.data or b""
            self._left[0] = data[size:] if len(data) > size else b""
            return data[:size]
        if self._file is None:
            self._file = blob.path.open("rb")
        return self._file.read(size)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _quoted(text: str) -> str:
    return re.sub(r'[\r\n"\\]', "_", text)
