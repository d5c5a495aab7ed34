"""The signers of Volcano Engine and BytePlus sign generated requests as ours does, to the byte."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from official_clients import client

from seedance.wire.signature import Scope, SigningKey, signature

NOW = datetime.datetime(2026, 12, 4, 9, 8, 7, tzinfo=datetime.timezone.utc)


class Clock(datetime.datetime):
    """A clock that stands still."""

    @classmethod
    def utcnow(cls) -> datetime.datetime:
        return NOW.replace(tzinfo=None)


@pytest.fixture(params=["volcenginesdkcore", "byteplussdkcore"], scope="module")
def signer(request: pytest.FixtureRequest) -> Iterator[Any]:
    client(request.param)
    module = client(f"{request.param}.signv4")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "datetime", SimpleNamespace(datetime=Clock))
        yield module.SignerV4


LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs",))
WORDS = st.text(LETTERS, min_size=1, max_size=20)
PLAIN = st.text("abcXYZ019-_.~/+=", min_size=1, max_size=40)
QUERIES = st.dictionaries(WORDS, st.text(LETTERS, max_size=20), max_size=4)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["Content-Md5", "X-Top", "X-Sdk-Request", "X-a", "Accept", "User-Agent", "Date"]
    ),
    st.text("abc 019;:=,", max_size=20),
    max_size=4,
)
HOSTS = st.sampled_from(
    ["ark.ap-southeast-1.byteplusapi.com", "127.0.0.1:8443", "host.example:443", "host.example:80"]
)
BODIES = st.dictionaries(WORDS, st.text(LETTERS, max_size=30), max_size=4)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    method=st.sampled_from(["POST", "GET", "PUT", "DELETE"]),
    host=HOSTS,
    path=st.sampled_from(["", "/", "/api/v3", "/a-b_c.d~e"]),
    query=QUERIES,
    headers=HEADERS,
    body=BODIES,
    keys=st.tuples(PLAIN, PLAIN, st.one_of(st.just(""), PLAIN)),
    region=st.sampled_from(["ap-southeast-1", "cn-beijing"]),
)
def test_a_request_has_the_same_signature(signer: Any, **made: Any) -> None:
    access_key, secret, token = made["keys"]
    text = json.dumps(made["body"])
    sent = {**made["headers"], "Host": made["host"], "Content-Type": "application/json"}
    theirs = dict(sent)
    signer.sign(
        *(made["path"], made["method"], theirs, text, None, made["query"]),
        *(access_key, secret, made["region"], "ark", token or None),
    )
    url = f"https://{made['host']}{made['path']}?{urlencode(made['query'])}"
    key, scope = SigningKey(access_key, secret, token), Scope(made["region"], "ark")
    ours = {**sent, **signature(made["method"], url, sent, text.encode(), key, scope, NOW)}
    assert ours == theirs
