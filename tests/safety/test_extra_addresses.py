"""Addresses in `extra`, in all spellings that some reader takes for an address."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fakes
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from running import Desk

from seedance.addresses import ForbiddenAddress, check_text
from seedance.errors import BadOrder

pytestmark = pytest.mark.safety

SPELLINGS = (
    "http:/127.0.0.1/",
    "http:127.0.0.1/",
    "https:/10.0.0.1/a.png",
    "https:10.0.0.1",
    "http:///127.0.0.1/",
    "http:\\\\127.0.0.1\\",
    "\\\\169.254.169.254\\latest",
    "//169.254.169.254/",
    "/\\169.254.169.254/",
    "ht\ttp://127.0.0.1/",
    "http\n://127.0.0.1/",
    "h\r\nttp://127.0.0.1/",
    "http://127.0\t.0.1/",
    "\x00http://127.0.0.1/",
    "\x1fhttp:/127.0.0.1/",
    "\u200bhttp://127.0.0.1/",
    "http\u00ad://127.0.0.1/",
    "\ufeffhttps://10.0.0.1/",
    "\uff48\uff54\uff54\uff50://127.0.0.1/",
    "http\uff1a//127.0.0.1/",
    "http:\uff0f\uff0f127.0.0.1/",
    "http%3a//127.0.0.1/",
    "http:%2f%2f127.0.0.1/",
    "%68ttp://127.0.0.1/",
    "%2f%2f169.254.169.254/",
    "https://files.example@127.0.0.1/",
    "https://files.example\\@127.0.0.1/",
    "https://127.0.0.1\\@files.example/",
    "https://files.example#@127.0.0.1/",
    "https://files.example?@127.0.0.1/",
    "https://127.0.0.1%2f@files.example/",
    "https://%31%32%37.0.0.1/",
    "https://\u2460\u2461\u2466.0.0.1/",
    "https://0x7f.1/",
    "https://2130706433/",
    "https://017700000001/",
    "https://[::ffff:127.0.0.1]/",
    "https://localhost./",
    "https://files.example/a.png,http://127.0.0.1/",
    "https://files.example/a.png http://127.0.0.1/",
    "https://files.example/a.png|//127.0.0.1/",
    "[http://127.0.0.1/](x)",
    "<img src='http://127.0.0.1/'>",
    '["http://127.0.0.1/"]',
    "see http:/127.0.0.1/",
    "URL:http://127.0.0.1/",
    "image:http://127.0.0.1/",
    "view-source:http://127.0.0.1/",
    "file:/etc/passwd",
    "file:etc/passwd",
    "FILE:\\etc\\passwd",
    "gopher:127.0.0.1",
    "jar:http://127.0.0.1/!/",
    "smb:\\\\10.0.0.1\\share",
    "127.0.0.1:8188",
    "127.0.0.1",
    "127.0.0.1/a",
    "0x7f.0.0.1/",
    "169.254.169.254/latest/meta-data",
    "user@10.0.0.1/a",
    "localhost/a",
    "localhost:8188",
    "[::1]/a",
    "[::1]:80",
    "//[::1]/",
    "tcp:127.0.0.1:1",
    "redis:localhost:6379",
    "zip:http:127.0.0.1",
    "cache:crypto:http:127.0.0.1",
    "http%253a%252f%252f127.0.0.1",
    "%25%36%38ttp://127.0.0.1",
    "http&#x3a;&#x2f;&#x2f;127.0.0.1/",
    "http&colon;&sol;&sol;127.0.0.1/",
    "http\u2236//127.0.0.1/",
    "http:\u2215\u2215127.0.0.1/",
    "\u3164http:127.0.0.1/",
    "\u061chttp:127.0.0.1",
    "\ufe00//127.0.0.1",
    "https://home.arpa/",
    "https://kubernetes.default.svc/",
    "https://consul.service.consul/",
)
WRAPS: dict[str, Callable[[str], Any]] = {
    "value": lambda text: text,
    "item": lambda text: [[text]],
    "deep": lambda text: {"a": [{"b": text}]},
    "key": lambda text: {"a": {text[:80]: 1}},
    "JSON": lambda text: json.dumps({"url": text}, ensure_ascii=False),
    "letters": lambda text: '{"a": ["' + "".join(f"\\u{ord(each):04x}" for each in text) + '"]}',
    "JSON in JSON": lambda text: json.dumps({"a": json.dumps({text: 1})}),
}


@pytest.mark.parametrize("text", SPELLINGS)
def test_no_spelling_of_an_address_passes_that_some_reader_takes_for_a_private_one(
    text: str,
) -> None:
    with pytest.raises(ForbiddenAddress):
        check_text(text)


@pytest.mark.parametrize("wrap", WRAPS)
def test_it_is_refused_wherever_it_stands_in_extra(wrap: str, tmp_path: Path) -> None:
    with fakes.all()["lumenfall"]() as fake:
        runner = Desk(fake, tmp_path).runner()
        for text in SPELLINGS:
            order = Desk(fake, tmp_path).order(extra={"lumenfall": {"mask": WRAPS[wrap](text)}})
            with pytest.raises(BadOrder, match="extra"):
                runner.check(order)
                runner.start(order)
        assert fake.requests == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a fox runs",
        "16:9",
        "ratio: 16:9, seed: 4",
        "and/or",
        "1//2",
        "https://files.example/a.png",
        "HTTPS://Files.Example:8443/a%20b.png?x=http://c.example/#d@e",
        "see https://files.example/a.png, it is nice",
        "2130706433",  # a lone number or name is a text
        "localhost",
        "1.2.3",
        "93.184.216.34:80/a",
        "a:b:c:d:e:f",
        "{not JSON",
        '{"ratio": "16:9"}',
        "data:image/png;base64,//8AAP//",
        "C:\\Users\\me",
        "file names",
        "100 %",
    ],
)
def test_a_text_and_a_plain_public_address_pass(text: str) -> None:
    check_text(text)


DROPPED = ("", "\t", "\n", "\x00", "\u200b", "\u00ad")
SLASHES = ("://", ":/", ":", ":\\\\", ":/\\", "%3a//", "\uff1a//")
HOSTS = ("127.0.0.1", "10.0.0.1", "169.254.169.254", "localhost", "0x7f.1", "a.internal")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(DROPPED), min_size=6, max_size=6),
    st.sampled_from(SLASHES),
    st.sampled_from(HOSTS),
    st.sampled_from(["http", "https", "HTTP", "ws", "ftp", "file"]),
)
def test_letters_that_readers_drop_hide_no_scheme(
    dropped: list[str], slashes: str, host: str, scheme: str
) -> None:
    hidden = "".join(letter + drop for letter, drop in zip(scheme, dropped))
    with pytest.raises(ForbiddenAddress):
        check_text(f"{dropped[-1]}{hidden}{slashes}{host}/")
