"""Performs a Call over requests, and says whether anything was sent.

It also decides where the key may go. One `perform` is one attempt; the caller
decides whether to make another.
"""

from __future__ import annotations

import contextlib
import email.utils
import functools
import http.cookiejar
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias
from urllib.parse import urljoin, urlsplit

import requests
import requests.adapters
import urllib3

from .. import __version__
from ..addresses import (
    ForbiddenAddress,
    check_public_url,
    is_loopback,
    is_public,
    origin,
    short,
)
from ..errors import OddReply, SeedanceError, Unreachable
from ..said import say
from ..texts import LONGEST_TEXT
from ..wire import Call, Reply
from .bodies import body_of, closing
from .credentials import Authorizing, Header
from .interrupts import Stop, Watchdog
from .machine import settings_at_fault
from .redaction import Redaction

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
SPEND_SECONDS = 120.0
LONGEST_SPEND_SECONDS = 300.0  # in all, of a paid call
LONGEST_RETRY_AFTER = 600.0
LARGEST_REPLY = 16 * 2**20
LONGEST_REPLY_SECONDS = 1800.0  # in all; a large upload over a slow line takes its time
USER_AGENT = f"comfyui-seedance/{__version__}"


class NotSent(Unreachable):
    """The connection was never made: the other side has not seen the request. `setting`: because
    of a setting of this machine, so that it is no use to try again."""

    setting = False


class Lost(SeedanceError):
    """The request, or a part of it, was sent, and no whole answer came back."""

    spent_by_default = "unknown"


class Withheld(Exception):
    """The gate of a call said no when its connection was ready. Nothing was sent."""


Gate: TypeAlias = Callable[[], bool]
"""Asked when a connection is ready, right before the first byte of a request."""


# ------------------------------------------------------ connections that note how far an attempt is

_attempt = threading.local()


@functools.cache
def _watched(pool: Any, *, proxied: bool) -> Any:
    """The class of a connection pool, with two additions to its connections: they note in
    `_attempt` when they are ready for the first byte of a request, and they refuse to connect to an
    address that is not public.

    Behind a proxy the connected address is the proxy's, so that only the name can be checked.
    """
    connection: Any = pool.ConnectionCls

    class Connection(connection):  # type: ignore[misc]
        debuglevel = 0  # if other code sets that of http.client to 1, headers are printed

        def _new_conn(self) -> Any:
            if _attempt.stop.is_set():
                raise OSError("stopped before it connected")
            sock = super()._new_conn()
            _attempt.sockets.append(sock)
            if _attempt.guard and not proxied:
                address = sock.getpeername()[0]
                if not is_public(address):
                    sock.close()
                    raise ForbiddenAddress(
                        "{host} is at {address}, which is not a public address.",
                        host=self.host,
                        address=address,
                    )
            return sock

        def connect(self) -> None:
            super().connect()
            if _attempt.gate is not None and not _attempt.gate():
                self.close()
                raise Withheld
            _attempt.connected = True

        def putrequest(self, *args: Any, **kwargs: Any) -> None:
            if self.sock is not None:  # also a connection that served an earlier request
                _attempt.connected = True
                _attempt.sockets.append(self.sock)
            super().putrequest(*args, **kwargs)

    class Pool(pool):  # type: ignore[misc]
        ConnectionCls = Connection

        def urlopen(self, *args: Any, **kwargs: Any) -> Any:
            # By default urllib3 1 takes a body that was cut off for a whole one.
            return super().urlopen(*args, **{**kwargs, "enforce_content_length": True})

    return Pool


@contextlib.contextmanager
def _one_attempt(
    watchdog: Watchdog, seconds: float, stop: Stop, *, guard: bool, gate: Gate | None = None
) -> Iterator[None]:
    """One attempt in this thread. Its connection is cut after `seconds` in all (the time-outs of
    requests count only the seconds without a byte), or when `stop` is set."""
    sockets: list[Any] = []
    overdue = threading.Event()

    def shut() -> None:
        for sock in list(sockets):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def cut() -> None:
        overdue.set()
        shut()

    _attempt.under_way, _attempt.connected, _attempt.guard = True, False, guard
    _attempt.sockets, _attempt.overdue, _attempt.stop = sockets, overdue, stop
    _attempt.gate = gate
    try:
        with watchdog.limit(seconds, cut), stop.cutting(shut):
            yield
    finally:
        _attempt.under_way = False


def _is_others(_record: logging.LogRecord) -> bool:
    """Whether a log record of urllib3 is about somebody else's call. Those about ours are dropped:
    they quote whole addresses, and the addresses of uploads and results are signed."""
    return not getattr(_attempt, "under_way", False)


logging.getLogger("urllib3.connectionpool").addFilter(_is_others)


@contextlib.contextmanager
def _errors_alone() -> Iterator[None]:
    """Drop the library's exception behind ours (`__context__`): it holds the request, and so the
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


# ------------------------------------------------------------------------------------- transport


class _Session(requests.Session):
    """Treats a redirect like any other answer.

    Even with `allow_redirects=False`, requests would read the whole body of a redirect, however
    long, and would raise an error for a Location that is no address.
    """

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class Transport:
    """Sends calls for one set of credentials. Safe to use from several threads.

    `adapters` maps a URL prefix to a requests adapter that answers inside the process. `watchdog`
    keeps the time limits of several transports; without one it has its own.
    """

    def __init__(
        self,
        credentials: Authorizing,
        adapters: Mapping[str, requests.adapters.BaseAdapter] | None = None,
        watchdog: Watchdog | None = None,
    ) -> None:
        self.credentials = credentials
        self._watchdog = watchdog or Watchdog()
        self._own_watchdog = watchdog is None
        self._redaction = Redaction(*credentials.secrets)
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

    def perform(self, call: Call, stop: Stop | None = None, gate: Gate | None = None) -> Reply:
        """Send one call, once; never follows a redirect. It is cut off when `stop` is set.

        `gate` is asked when the connection is ready; if it says no, nothing is sent and Withheld is
        raised. Raises NotSent if the connection was never made, Lost if an answer did not come back
        whole, OddReply if the answer is absurdly large, BadOrder for a number that JSON does not
        have.
        """
        session = self._new_session() if call.spends else self._session
        seconds = call.timeout or (SPEND_SECONDS if call.spends else READ_SECONDS)
        try:
            with (
                _errors_alone(),
                self._sending(session, call, seconds, stop or Stop(), gate) as response,
            ):
                headers = {
                    name.lower(): self._redaction.of_text(value)[:LONGEST_TEXT]
                    for name, value in response.headers.items()
                }
                return Reply(response.status_code, headers, self._read(response, headers))
        finally:
            if call.spends:
                session.close()

    @contextlib.contextmanager
    def _sending(
        self,
        session: requests.Session,
        call: Call,
        seconds: float,
        stop: Stop,
        gate: Gate | None,
    ) -> Iterator[requests.Response]:
        headers = {
            "User-Agent": USER_AGENT,
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            **call.headers,
        }
        if call.spends:
            headers["Connection"] = "close"
        data, content_type = body_of(call, escaped=self.credentials.escaped)
        if content_type:
            headers["Content-Type"] = content_type
        guard = not self._trusted(call.url)
        if guard:
            check_public_url(call.url)
        if gate is not None and not call.url.lower().startswith(("http:", "https:")):
            # What answers in this process needs no connection.
            if not gate():
                raise Withheld
            gate = None
        try:
            with (
                _one_attempt(self._watchdog, _longest(call), stop, guard=guard, gate=gate),
                closing(data),
                session.request(
                    call.method,
                    call.url,
                    params=dict(call.query) or None,
                    data=data,
                    headers=headers,
                    auth=self.credentials.auth(call.url) if call.auth else Header(),
                    timeout=(CONNECT_SECONDS, seconds),
                    proxies=_proxies(call.url),
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                yield response
                if _attempt.overdue.is_set():  # a connection that was cut can look like the end
                    raise requests.Timeout
        except (SeedanceError, Withheld):
            raise
        except Exception as error:
            raise self._explained(call.url, error) from None

    def _trusted(self, url: str) -> bool:
        """The provider's own origins, and any port of this machine if the provider is on it."""
        mine = self.credentials.origins
        return origin(url) in mine or (is_loopback(url) and any(is_loopback(each) for each in mine))

    def _explained(self, url: str, error: Exception) -> SeedanceError:
        """As `_failure`. Raises the error itself if it is none of the network's. Whatever goes
        wrong before there is a connection, a proxy's address that cannot be read for instance,
        nothing was sent."""
        known = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)
        if _attempt.connected and not isinstance(error, known):
            raise error
        return self._failure(url, error)

    def _failure(self, url: str, error: Exception) -> SeedanceError:
        """The error for a failed attempt. The library's message may quote a signed URL, so that
        only the kind of its error is kept."""
        host = urlsplit(url).hostname or say("the provider")
        late = _attempt.overdue.is_set()
        reason = say("no answer in time") if late else _reason(error)
        if not _attempt.connected:
            if (wrong := settings_at_fault(url, error)) is not None:
                not_sent = NotSent(
                    "{wrong} {host} was not reached.", hint=wrong[1], wrong=wrong[0], host=host
                )
                not_sent.setting = True
                return not_sent
            return NotSent(
                "{host} could not be reached ({reason}).",
                hint="Check the network, the proxy and the address; it is safe to try again.",
                host=host,
                reason=reason,
            )
        return Lost(
            "The connection to {host} broke before its answer was complete ({reason}).",
            host=host,
            reason=reason,
        )

    def _read(self, response: requests.Response, headers: Mapping[str, str]) -> bytes:
        # Other packings, or several at once, would unpack a few bytes to any size uncounted.
        packing = headers.get("content-encoding", "identity").strip().lower()
        if packing not in ("identity", "gzip", ""):
            raise OddReply(
                "The answer is packed in a way not asked for ({packing}).", packing=packing[:40]
            )
        body = bytearray()
        for block in response.iter_content(1 << 14):
            body += block
            if len(body) > LARGEST_REPLY:
                raise OddReply("The answer is larger than {most} MB.", most=LARGEST_REPLY >> 20)
        return self._redaction.of(bytes(body))

    @contextlib.contextmanager
    def fetching(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        own_origin: str,
        authorized: bool = False,
        seconds: float = LONGEST_REPLY_SECONDS,
        stop: Stop | None = None,
    ) -> Iterator[requests.Response]:
        """A streamed GET of a result file, following at most five redirects; cut off after
        `seconds`, or when `stop` is set.

        Each address must be public https, or of `own_origin`. The key is never sent, unless
        `authorized` and to `own_origin`. Raises NotSent, Lost, ForbiddenAddress.
        """
        for _ in range(6):
            own = origin(url) == own_origin
            if not own:
                check_public_url(url)
            auth = self.credentials.auth(url) if own and authorized else Header()
            with (
                _errors_alone(),
                _one_attempt(self._watchdog, seconds, stop or Stop(), guard=not own),
            ):
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
                except SeedanceError:
                    raise
                except Exception as error:
                    raise self._explained(url, error) from None
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
                url = urljoin(url, self._redaction.of_text(response.headers["location"]))
            except ValueError:
                raise ForbiddenAddress("{url} redirects to no address.", url=short(url)) from None
        raise OddReply("{url} redirects in a circle.", url=short(url))

    def close(self) -> None:
        """Close pooled connections, and the watchdog if it is its own."""
        self._session.close()
        if self._own_watchdog:
            self._watchdog.close()


def _longest(call: Call) -> float:
    """Seconds that a call may take in all."""
    return LONGEST_SPEND_SECONDS if call.spends else LONGEST_REPLY_SECONDS


def retry_after(reply: Reply) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or a date, at most
    `LONGEST_RETRY_AFTER`; None without one."""
    try:
        seconds = urllib3.Retry().parse_retry_after(reply.headers.get("retry-after", ""))
    except (urllib3.exceptions.InvalidHeader, ValueError, OverflowError):
        return None
    return min(seconds, LONGEST_RETRY_AFTER)


def seconds_until(date: str) -> float | None:
    """Seconds from now to the date in a header; None if it is none."""
    try:
        return email.utils.parsedate_to_datetime(date).timestamp() - time.time()
    except (TypeError, ValueError, OverflowError):
        return None


def _proxies(url: str) -> dict[str, Any] | None:
    """The proxies for a call, as requests wants them: None for those of the environment. For this
    machine there are none, since a proxy would see the key in a plain http request."""
    return dict.fromkeys(("http", "https", "all")) if is_loopback(url) else None


def _reason(error: BaseException) -> str:
    """A few words for the innermost cause."""
    text = repr(error).lower()
    for marks, words in _REASONS:
        if any(mark in text for mark in marks):
            return words
    return type(error).__name__


_REASONS = (
    (("nameresolution", "getaddrinfo", "name or service", "nodename"), "its name is not known"),
    (("connection refused", "econnrefused", "[errno 111]"), "connection refused"),
    (("connecttimeout", "readtimeout", "timed out"), "no answer in time"),
    (("proxyerror",), "the proxy refused"),
    (("ssl", "certificate"), "its certificate or encryption is not accepted"),
    (("incompleteread", "invalidchunklength", "ended prematurely"), "the answer was cut short"),
    (
        ("reset", "remotedisconnected", "broken pipe", "aborted"),
        "connection closed by the other side",
    ),
)
