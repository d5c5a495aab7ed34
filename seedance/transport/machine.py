"""What of this machine's settings keeps a connection from being made: proxies and certificates."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

import requests

PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def settings_at_fault(url: str, error: BaseException) -> tuple[str, str] | None:
    """What is wrong and what to do, if an attempt failed because of a setting of this machine;
    None if that does not show. To be asked only where no connection was made."""
    text = repr(error)
    if re.search(r"CA certificate bundle|invalid path|NO_CERTIFICATE|no certificate or crl", text):
        name, file = next(((n, os.environ[n]) for n in CERTIFICATES if os.environ.get(n)), ("", ""))
        if name:
            return (
                f"The file of certificates {file} cannot be used ({name} names it).",
                f"Correct {name}, or remove it from the environment. Nothing was sent.",
            )
    if re.search(r"CERTIFICATE_VERIFY_FAILED|certificate verify failed", text):
        return (
            "The certificate of the other side is not one that this machine trusts.",
            "If your network inspects connections (a company's, or a virus scanner), set "
            "REQUESTS_CA_BUNDLE to the file with its certificate. Nothing was sent.",
        )
    name, proxy = _proxy(url)
    if not proxy:
        return None
    where = f"The proxy {_shown(proxy)} ({name})"
    remedy = f"Correct {name}, or remove it from the environment. Nothing was sent."
    if "Missing dependencies for SOCKS" in text:
        return (
            f"{where} is a SOCKS proxy, for which the package PySocks is not installed.",
            f"Install PySocks with pip, or remove {name} from the environment. Nothing was sent.",
        )
    if isinstance(error, (UnicodeError, ValueError)) or re.search(
        r"ProxyScheme|InvalidProxyURL|SOCKS version|InvalidURL|LocationParseError|Latin|codec", text
    ):
        return f"{where} cannot be used: its address makes no sense.", remedy
    # Behind a proxy, only the proxy is connected to and looked up by name.
    if re.search(r"Proxy|SOCKS|NewConnection|NameResolution|getaddrinfo|ConnectTimeout", text):
        return f"{where} gives no connection.", f"Start it. {remedy}"
    return None


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
    return "the system's proxy", proxy


def _shown(proxy: str) -> str:
    """A proxy without its user and password."""
    scheme, mark, rest = proxy.rpartition("://")
    try:
        host = urlsplit(f"x://{rest}").netloc.rpartition("@")[2]
    except ValueError:
        host = "..."
    return f"{scheme}{mark}{host}"[:100]
