"""The user's own bucket, played by moto: what is put there can be fetched by its address."""

from __future__ import annotations

import importlib.util
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from loopback import Connection, Raw

from seedance import hosting
from seedance.errors import BadOrder, Refused, Unreachable
from seedance.settings import Settings
from seedance.wire import Blob

SECRET = "the-secret-that-nobody-may-see"
DATA = bytes(range(256)) * 40

needs_boto3 = pytest.mark.skipif(
    importlib.util.find_spec("boto3") is None, reason="needs the extra s3"
)


def blob(data: bytes = DATA, path: Path | None = None) -> Blob:
    size = path.stat().st_size if path else len(data)
    return Blob(
        "image", "image/png", "cat.png", size, "0f" * 32, data=None if path else data, path=path
    )


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The address of an S3 service on this machine."""
    server = pytest.importorskip("moto.server", reason="needs moto[server]")
    running = server.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    yield "http://{}:{}".format(*running.get_host_and_port())
    running.stop()


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Set the bucket's variables. What else is on this machine for boto3 is not read."""
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def configure(endpoint: str, **more: str) -> Settings:
        values = {
            "BUCKET": "mine",
            "ENDPOINT": endpoint,
            "REGION": "us-east-1",
            "ACCESS_KEY_ID": "an-id",
            "SECRET_ACCESS_KEY": SECRET,
            **more,
        }
        for name, value in values.items():
            monkeypatch.setenv(f"SEEDANCE_S3_{name}", value)
        return Settings.load()

    return configure


@pytest.fixture
def bucket(store: str, configured: Any) -> Any:
    """The bucket `mine`, empty, as boto3 sees it; and our settings for it."""
    import boto3

    requests.post(f"{store}/moto-api/reset", timeout=10)
    there = boto3.resource(
        "s3",
        endpoint_url=store,
        region_name="us-east-1",
        aws_access_key_id="an-id",
        aws_secret_access_key=SECRET,
    ).create_bucket(Bucket="mine")
    return there, configured(store)


def put(settings: Settings, blob: Blob) -> str:
    """Put a file where the runner would, and give the address that the provider gets."""
    name = hosting.new_name(settings, blob)
    hosting.put(settings, blob, name)
    return hosting.address(settings, name)


# ---------------------------------------------------------------------------------------- putting


@pytest.mark.parametrize("source", ["data", "path"])
@needs_boto3
def test_what_is_put_can_be_fetched_by_its_address_alone(
    source: str, bucket: Any, tmp_path: Path
) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(DATA)
    address = put(bucket[1], blob(path=path if source == "path" else None))
    answer = requests.get(address, timeout=10)
    assert answer.status_code == 200
    assert answer.content == DATA
    assert answer.headers["content-type"] == "image/png"


@needs_boto3
def test_without_its_signature_the_address_is_worth_nothing(bucket: Any) -> None:
    there, settings = bucket
    address = put(settings, blob())
    assert "X-Amz-Signature=" in address
    assert "X-Amz-Expires=86400" in address
    assert SECRET not in address
    assert there.Acl().grants[0]["Grantee"]["Type"] == "CanonicalUser"  # nobody else may read


@needs_boto3
def test_an_object_is_under_the_prefix_and_is_removed_again(bucket: Any, configured: Any) -> None:
    there, settings = bucket
    settings = configured(hosting.endpoint(settings), PREFIX="/some/folder/")
    name = hosting.new_name(settings, blob())
    hosting.put(settings, blob(), name)
    assert [item.key for item in there.objects.all()] == [name]
    assert name.startswith("some/folder/")
    assert "cat" not in name
    for _ in range(2):  # the second finds nothing, which is as well
        hosting.remove(settings, name)
    assert list(there.objects.all()) == []


def test_an_object_that_is_kept_is_named_by_its_bytes_alone(configured: Any) -> None:
    settings = configured("https://store.example", KEEP="1")
    assert hosting.new_name(settings, blob()) == f"{'0f' * 32}.png"


def test_an_object_that_is_removed_again_shares_its_name_with_no_other(configured: Any) -> None:
    settings = configured("https://store.example")
    assert hosting.new_name(settings, blob()) != hosting.new_name(settings, blob())


@needs_boto3
def test_a_store_is_spoken_to_in_the_plain_way_that_all_understand(configured: Any) -> None:
    """No checksums or chunk signatures of newer boto3, which many stores do not take."""

    def take(connection: Connection) -> None:
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\nContent-Length: 0\n\n")

    with Raw(take) as store:
        put(configured(store.url), blob())
    request = store.received[0].lower()
    assert request.startswith(b"put /mine/")
    assert b"checksum" not in request
    assert b"aws-chunked" not in request


def test_there_is_no_bucket_unless_one_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not hosting.configured(Settings.load())
    Settings.load().set_section("s3", {"bucket": "mine"})
    assert hosting.configured(Settings.load())


@pytest.mark.parametrize("name", ["BUCKET", "ENDPOINT", "PREFIX"])
def test_uploads_are_found_again_only_in_the_same_place(name: str, configured: Any) -> None:
    one = hosting.account(configured("https://store.example"))
    assert hosting.account(configured("https://store.example")) == one
    assert hosting.account(configured("https://store.example", **{name: "other"})) != one


# ------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize("source", ["data", "path"])
@needs_boto3
def test_a_refusal_says_what_the_store_says(
    source: str, bucket: Any, configured: Any, tmp_path: Path
) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(DATA)
    settings = configured(bucket[0].meta.client.meta.endpoint_url, BUCKET="nobodys")
    with pytest.raises(Refused, match=r"bucket nobodys refused \(NoSuchBucket\)") as caught:
        put(settings, blob(path=path if source == "path" else None))
    assert caught.value.spent == "no"
    assert "SEEDANCE_S3_" in caught.value.hint
    assert SECRET not in str(caught.value)


@needs_boto3
def test_a_name_that_no_bucket_can_have_is_refused(configured: Any) -> None:
    with pytest.raises(BadOrder, match="ParamValidationError"):
        put(configured("http://127.0.0.1:9", BUCKET="not a name"), blob())


@needs_boto3
def test_a_store_that_does_not_answer_is_unreachable(configured: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(Unreachable, match="could not be reached") as caught:
        put(configured(url), blob())
    assert caught.value.spent == "no"
    assert "SEEDANCE_S3_ENDPOINT" in caught.value.hint


@needs_boto3
def test_a_store_that_hangs_up_is_unreachable(configured: Any) -> None:
    with (
        Raw(lambda connection: None) as store,
        pytest.raises(Unreachable, match="could not be reached"),
    ):
        put(configured(store.url), blob())


def test_without_boto3_the_extra_is_named(configured: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(BadOrder, match="boto3 is not installed") as caught:
        put(configured("https://store.example"), blob())
    assert 'pip install "comfyui-seedance[s3]"' in caught.value.hint
