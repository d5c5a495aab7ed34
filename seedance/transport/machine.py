"""What of this machine's settings keeps a connection from being made: proxies and certificates."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

import requests

from ..said import Said, say

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def settings_at_fault(url: str, error: BaseException) -> tuple[Said, Said] | None:
    """What is wrong and what to do, if an attempt failed because of a setting of this machine;
    None if that does not show. To be asked only where no connection was made."""
    text = repr(error)
    if re.search(r"CA certificate bundle|invalid path|NO_CERTIFICATE|no certificate or crl", text):
        name, file = next(((n, os.environ[n]) for n in CERTIFICATES if os.environ.get(n)), ("", ""))
        if name:
            return (
                say(
                    "The file of certificates {file} cannot be used ({variable} names it).",
                    file=file,
                    variable=name,
                ),
                _corrected(name),
            )
    if re.search(r"CERTIFICATE_VERIFY_FAILED|certificate verify failed", text):
        return (
            say("The certificate of the other side is not one that this machine trusts."),
            say(
                "If your network inspects connections (a company's, or a virus scanner), set "
                "REQUESTS_CA_BUNDLE to the file with its certificate. Nothing was sent."
            ),
        )
    name, proxy = _proxy(url)
    if not proxy:
        return None
    where = say("The proxy {proxy} ({variable})", proxy=_shown(proxy), variable=name)
    if "Missing dependencies for SOCKS" in text:
        return (
            say(
                "{proxy} is a SOCKS proxy, for which the package PySocks is not installed.",
                proxy=where,
            ),
            say(
                "Install PySocks with pip, or remove {variable} from the environment. Nothing was "
                "sent.",
                variable=name,
            ),
        )
    if isinstance(error, (UnicodeError, ValueError)) or re.search(
        r"ProxyScheme|InvalidProxyURL|SOCKS version|InvalidURL|LocationParseError|Latin|codec", text
    ):
        text = say("{proxy} cannot be used: its address makes no sense.", proxy=where)
        return text, _corrected(name)
    # Behind a proxy, only the proxy is connected to and looked up by name.
    if re.search(r"Proxy|SOCKS|NewConnection|NameResolution|getaddrinfo|ConnectTimeout", text):
        remedy = say("Start it. {remedy}", remedy=_corrected(name))
        return say("{proxy} gives no connection.", proxy=where), remedy
    return None


def _corrected(variable: str) -> Said:
    return say(
        "Correct {variable}, or remove it from the environment. Nothing was sent.",
        variable=variable,
    )


def _proxy(url: str) -> tuple[str, str]:
    """The proxy that requests takes for an address, and the variable that names it."""
    try:
        found = requests.utils.get_environ_proxies(url)
        proxy = requests.utils.select_proxy(url, found) or ""
    except ValueError:
        return "", ""
    for name in PROXIES:
        for variable in (name, name.lower()):
            if proxy and os.environ.get(variable) == proxy:
                return variable, proxy
    return say("the system's proxy"), proxy


def _shown(proxy: str) -> str:
    """A proxy without its user and password."""
    scheme, mark, rest = proxy.rpartition("://")
    try:
        host = urlsplit(f"x://{rest}").netloc.rpartition("@")[2]
    except ValueError:
        host = "..."
    return f"{scheme}{mark}{host}"[:100]
