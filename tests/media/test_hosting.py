"""The user's own bucket: what is put there can be fetched by address, and is deleted in time."""

from __future__ import annotations

import concurrent.futures
import logging
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import requests
from bucket import KEY_ID, SECRET, Bucket
from loopback import Connection, Raw
from running import move

from seedance import hosting, providers
from seedance.errors import BadOrder, Refused, Unreachable
from seedance.journal import Journal, NewRow, Row
from seedance.order import Medium, Order
from seedance.runner.active import ActiveOrder
from seedance.runner.client import Client
from seedance.runner.quotes import prepare_at
from seedance.runner.upload import upload
from seedance.runner.worker import Worker
from seedance.settings import Settings
from seedance.transport import Credentials, Transport
from seedance.wire import Blob, Config

pytestmark = pytest.mark.slow

DATA = bytes(range(256)) * 40

Configure = Callable[..., Settings]


def blob(data: bytes = DATA, path: Path | None = None) -> Blob:
    size = path.stat().st_size if path else len(data)
    return Blob(
        "image", "image/png", "cat.png", size, "0f" * 32, data=None if path else data, path=path
    )


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Bucket]:
    with Bucket(tmp_path) as there:
        yield there


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Configure:
    """Set the bucket's variables. What else is on this machine for boto3 is not read."""
    pytest.importorskip("boto3", reason="needs the extra s3")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def configure(where: Bucket | str, **more: str) -> Settings:
        values = {
            "SEEDANCE_S3_BUCKET": "mine",
            "SEEDANCE_S3_REGION": "us-east-1",
            "SEEDANCE_S3_ACCESS_KEY_ID": "an-id",
            "SEEDANCE_S3_SECRET_ACCESS_KEY": SECRET,
        }
        endpoint = {"SEEDANCE_S3_ENDPOINT": where} if isinstance(where, str) else where.environment
        changed = {f"SEEDANCE_S3_{name}": value for name, value in more.items()}
        for name, value in {**values, **endpoint, **changed}.items():
            monkeypatch.setenv(name, value)
        return Settings.load()

    return configure


def put(settings: Settings, what: Blob | None = None) -> str:
    """Put a file there; returns the name of its object."""
    what = what or blob()
    name = hosting.new_name(settings, what)
    hosting.put(settings, what, name)
    return name


# ------------------------------------------------------------------------------------------ putting


@pytest.mark.parametrize("source", ["data", "path"])
def test_what_is_put_can_be_fetched_by_its_address_alone(
    source: str, bucket: Bucket, configured: Configure, tmp_path: Path
) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(DATA)
    settings = configured(bucket)
    name = put(settings, blob(path=path if source == "path" else None))
    address = hosting.address(settings, name)
    answer = requests.get(address, verify=str(bucket.certificate), timeout=10)
    assert (answer.status_code, answer.content) == (200, DATA)
    assert answer.headers["content-type"] == "image/png"


def test_an_address_works_for_a_day_and_holds_no_secret(configured: Configure) -> None:
    address = hosting.address(configured("https://store.example"), "cat.png")
    assert address.startswith("https://store.example/mine/cat.png?")
    assert parse_qs(urlsplit(address).query)["X-Amz-Expires"] == ["86400"]
    assert "X-Amz-Signature=" in address
    assert SECRET not in address


def test_without_its_signature_an_address_is_worth_nothing(
    bucket: Bucket, configured: Configure
) -> None:
    name = put(configured(bucket))
    (grant,) = bucket.client.get_object_acl(Bucket="mine", Key=name)["Grants"]
    assert grant["Grantee"]["Type"] == "CanonicalUser"  # nobody else may read


@pytest.mark.parametrize("prefix", ["", "/some/folder/"])
def test_an_object_is_named_by_its_bytes_under_the_prefix(
    prefix: str, configured: Configure
) -> None:
    settings = configured("https://store.example", PREFIX=prefix)
    folder, _, file = hosting.new_name(settings, blob()).rpartition("/")
    assert folder == prefix.strip("/")
    assert file.startswith("0f" * 32)
    assert file.endswith(".png")


def test_an_object_to_be_deleted_has_a_name_that_no_other_will_have(configured: Configure) -> None:
    settings = configured("https://store.example")
    assert hosting.new_name(settings, blob()) != hosting.new_name(settings, blob())


def test_objects_that_are_kept_replace_each_other(configured: Configure) -> None:
    settings = configured("https://store.example", KEEP="1")
    assert hosting.new_name(settings, blob()) == f"{'0f' * 32}.png"


def test_a_large_file_goes_up_in_parts(
    bucket: Bucket, configured: Configure, tmp_path: Path
) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(DATA * 900)
    settings = configured(bucket)
    name = put(settings, blob(path=path))
    assert sum("partNumber" in sent for _, sent in bucket.requests) == 2
    assert bucket.read(hosting.address(settings, name)) == DATA * 900


def test_a_file_goes_up_in_the_thread_that_sends_it(
    bucket: Bucket, configured: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process waits at its exit for the threads of a pool, however long a bucket says nothing."""

    def begun(*_: object) -> None:
        raise AssertionError("a thread of a pool was begun")

    path = tmp_path / "cat.png"
    path.write_bytes(DATA * 4000)
    settings = configured(bucket)
    monkeypatch.setattr(concurrent.futures.ThreadPoolExecutor, "submit", begun)
    name = put(settings, blob(path=path))
    hosting.put_file(settings, path, name)
    hosting.get_file(settings, name, tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == DATA * 4000


def test_an_object_can_be_removed_twice(bucket: Bucket, configured: Configure) -> None:
    settings = configured(bucket)
    name = put(settings)
    for _ in range(2):
        hosting.remove(settings, name)
    assert bucket.names == []


def test_a_store_is_spoken_to_in_the_plain_way_that_all_understand(configured: Configure) -> None:
    """No checksums or chunk signatures of newer boto3, which many stores do not take."""

    def take(connection: Connection) -> None:
        connection.read_request()
        connection.send("HTTP/1.1 200 OK\nContent-Length: 0\n\n")

    with Raw(take) as store:
        put(configured(store.url))
    request = store.received[0].lower()
    assert request.startswith(b"put /mine/")
    assert b"checksum" not in request
    assert b"aws-chunked" not in request


def test_there_is_no_bucket_unless_one_is_set() -> None:
    assert not hosting.configured(Settings.load())
    Settings.load().set_section("s3", {"bucket": "mine"})
    assert hosting.configured(Settings.load())


@pytest.mark.parametrize("name", ["BUCKET", "ENDPOINT", "PREFIX"])
def test_uploads_are_found_again_only_in_the_same_place(name: str, configured: Configure) -> None:
    one = hosting.account(configured("https://store.example"))
    assert hosting.account(configured("https://store.example")) == one
    assert hosting.account(configured("https://store.example", **{name: "other"})) != one


# -------------------------------------------------------------------------------- the bucket's keys


@pytest.mark.safety
def test_no_log_line_holds_what_signs_an_address(
    bucket: Bucket, configured: Configure, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = configured(bucket)
    big = tmp_path / "big"
    big.write_bytes(bytes(9 * 2**20))  # goes up in parts, by threads of boto3's own
    for what in (blob(), blob(path=big)):
        address = hosting.address(settings, put(settings, what))
        signature = parse_qs(urlsplit(address).query)["X-Amz-Signature"][0]
        for secret in (SECRET, signature, f"Credential={KEY_ID}/"):
            assert secret not in caplog.text
    assert caplog.text


@pytest.mark.safety
@pytest.mark.parametrize("own", [False, True])
def test_amazons_keys_of_this_machine_go_to_no_endpoint_that_the_page_has_set(
    own: bool, bucket: Bucket, configured: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(bucket)
    for name in ("ENDPOINT", "BUCKET", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.delenv(f"SEEDANCE_S3_{name}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ambient")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "ambient-secret")
    settings = Settings.load()
    keys = {"access_key_id": KEY_ID, "secret_access_key": SECRET} if own else {}
    settings.set_section("s3", {"endpoint": bucket.url, "bucket": "mine", **keys})
    if own:
        put(settings)
        assert bucket.puts() == 1
    else:
        with pytest.raises(BadOrder, match="no key of its own"):
            put(settings)
        assert bucket.requests == []


def test_amazons_keys_of_this_machine_serve_an_endpoint_of_the_environment(
    bucket: Bucket, configured: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    configured(bucket)
    for ours, theirs in (("ACCESS_KEY_ID", KEY_ID), ("SECRET_ACCESS_KEY", SECRET)):
        monkeypatch.delenv(f"SEEDANCE_S3_{ours}")
        monkeypatch.setenv(f"AWS_{ours}", theirs)
    put(Settings.load())
    assert bucket.puts() == 1


# ----------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize("source", ["data", "path"])
def test_a_refusal_says_what_the_store_says(
    source: str, bucket: Bucket, configured: Configure, tmp_path: Path
) -> None:
    path = tmp_path / "cat.png"
    path.write_bytes(DATA)
    settings = configured(bucket, BUCKET="nobodys")
    with pytest.raises(Refused, match=r"bucket nobodys refused \(NoSuchBucket\)") as caught:
        put(settings, blob(path=path if source == "path" else None))
    assert caught.value.spent == "no"
    assert "SEEDANCE_S3_BUCKET" in caught.value.hint
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("BUCKET", "not a name"), ("ENDPOINT", "nonsense"), ("SECRET_ACCESS_KEY", "")],
)
def test_settings_that_cannot_be_used_are_named(
    name: str, value: str, configured: Configure
) -> None:
    settings = configured("http://127.0.0.1:9", **{name: value})
    with pytest.raises(BadOrder, match="settings of the bucket") as caught:
        put(settings)
    assert f"SEEDANCE_S3_{name}" in caught.value.hint


def test_a_store_that_does_not_answer_is_unreachable(configured: Configure) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(Unreachable, match="could not be reached") as caught:
        put(configured(url))
    assert caught.value.spent == "no"
    assert "SEEDANCE_S3_ENDPOINT" in caught.value.hint


def test_a_store_that_hangs_up_is_unreachable(configured: Configure) -> None:
    with (
        Raw(lambda connection: None) as store,
        pytest.raises(Unreachable, match="could not be reached"),
    ):
        put(configured(store.url))


def test_a_store_that_is_busy_for_good_is_unreachable(
    bucket: Bucket, configured: Configure
) -> None:
    bucket.fault("PUT", "SlowDown", times=9)
    with pytest.raises(Unreachable, match=r"busy \(SlowDown\)"):
        put(configured(bucket))


def test_without_boto3_the_extra_is_named(
    configured: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(BadOrder, match="boto3 is not installed") as caught:
        put(configured("https://store.example"))
    assert 'pip install "comfyui-seedance[s3]"' in caught.value.hint


# --------------------------------------------------------------------------------- which are needed

ACCOUNT = "bucket"


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal(tmp_path: Path, clock: Clock) -> Iterator[Journal]:
    made = Journal(f"sqlite:///{tmp_path / 'journal.db'}", clock=clock)
    yield made
    made.close()


def row(journal: Journal, number: int = 1) -> Row:
    order = Order(prompt="a cat", provider="uniall").describe()
    return journal.reserve(NewRow(f"order-{number}", "asked", "uniall", "account", order))[0]


@pytest.mark.parametrize(
    ("states", "needed"),
    [
        (["preparing"], True),
        (["running"], True),
        (["running", "succeeded"], True),
        (["running", "succeeded", "saved"], False),
        (["refused"], False),
        (["running", "failed"], False),
        (["submitting", "unclear"], True),
    ],
)
def test_an_object_is_needed_while_its_order_is_under_way_or_unclear(
    states: list[str], needed: bool, journal: Journal
) -> None:
    user = row(journal)
    journal.bucket_objects.note(user.id, ACCOUNT, "object")
    for state in states:
        move(journal, user.id, state)
    assert journal.bucket_objects.unused(ACCOUNT, hosting.PRESIGNED_SECONDS) == (
        [] if needed else ["object"]
    )


def test_an_unclear_order_needs_no_object_that_nobody_can_read_any_more(
    journal: Journal, clock: Clock
) -> None:
    user = row(journal)
    journal.bucket_objects.note(user.id, ACCOUNT, "object")
    move(journal, user.id, "unclear")
    clock.now += 24 * 3600 + 1
    assert journal.bucket_objects.unused(ACCOUNT, hosting.PRESIGNED_SECONDS) == ["object"]


def test_an_object_is_needed_until_the_last_of_its_orders_has_ended(journal: Journal) -> None:
    users = [row(journal, number) for number in (1, 2)]
    for user in users:
        journal.bucket_objects.note(user.id, ACCOUNT, "object")
    move(journal, users[0].id, "saved")
    assert journal.bucket_objects.unused(ACCOUNT, hosting.PRESIGNED_SECONDS) == []
    move(journal, users[1].id, "failed")
    assert journal.bucket_objects.unused(ACCOUNT, hosting.PRESIGNED_SECONDS) == ["object"]


def test_what_is_about_to_be_deleted_is_not_found_any_more(journal: Journal, clock: Clock) -> None:
    first, second = row(journal, 1), row(journal, 2)
    journal.bucket_objects.note(first.id, ACCOUNT, "object")
    journal.uploads.keep("s3", ACCOUNT, "digest", "object", clock.now + 24 * 3600)
    move(journal, first.id, "saved")
    assert journal.bucket_objects.unused(ACCOUNT, hosting.PRESIGNED_SECONDS) == ["object"]
    assert journal.bucket_objects.find(ACCOUNT, "digest", second.id) is None


def test_who_finds_an_object_uses_it(journal: Journal, clock: Clock) -> None:
    first, second = row(journal, 1), row(journal, 2)
    journal.bucket_objects.note(first.id, ACCOUNT, "object")
    journal.uploads.keep("s3", ACCOUNT, "digest", "object", clock.now + 24 * 3600)
    for _ in range(2):  # the same clip twice in one order
        assert journal.bucket_objects.find(ACCOUNT, "digest", second.id) == "object"
    move(journal, first.id, "saved")
    assert journal.bucket_objects.unused(ACCOUNT, hosting.PRESIGNED_SECONDS) == []


def test_what_could_not_be_deleted_is_named_again(journal: Journal) -> None:
    user = row(journal)
    journal.bucket_objects.note(user.id, ACCOUNT, "object")
    move(journal, user.id, "saved")
    for _ in range(2):
        assert journal.bucket_objects.unused(ACCOUNT, hosting.PRESIGNED_SECONDS) == ["object"]
    journal.bucket_objects.forget(ACCOUNT, "object")
    assert journal.bucket_objects.unused(ACCOUNT, hosting.PRESIGNED_SECONDS) == []


def test_objects_in_another_bucket_are_left_alone(journal: Journal) -> None:
    user = row(journal)
    journal.bucket_objects.note(user.id, "other", "object")
    move(journal, user.id, "saved")
    assert journal.bucket_objects.unused(ACCOUNT, hosting.PRESIGNED_SECONDS) == []


# ---------------------------------------------------------------------------------------- the cache


def test_the_same_bytes_are_put_once(
    bucket: Bucket, configured: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEDANCE_UNIALL_BASE_URL", "http://127.0.0.1:9")
    settings = configured(bucket)
    journal, uniall = Journal(settings.journal_url), providers.get("uniall")
    provider = uniall(Config("http://127.0.0.1:9"))
    client = Client(provider, Transport(Credentials("", "", frozenset())))
    picture = Medium.from_pixels(np.full((64, 64, 3), 7, np.uint8))
    order = Order(
        prompt="a cat", provider="uniall", ratio="16:9", first_frame=picture, last_frame=picture
    )
    prepared = prepare_at(order, "uniall", settings)
    users = [row(journal, number) for number in (1, 2)]
    worker = Worker(lambda: None)

    def references(user: Row) -> tuple[str | None, str | None]:
        active = ActiveOrder(user, client, worker, journal, settings, prepared)
        delivered, _ = upload(active, tmp_path)
        return delivered.first_frame, delivered.last_frame

    found = {address.partition("?")[0] for user in users for address in references(user) if address}
    assert (len(found), len(bucket.names), bucket.puts()) == (1, 1, 1)
    journal.close()


# ------------------------------------------------------------------------------------ trying it out


def test_a_test_puts_reads_and_deletes_one_object(bucket: Bucket, configured: Configure) -> None:
    assert hosting.try_out(configured(bucket, PREFIX="films/")) == "mine"
    assert [method for method, _ in bucket.requests] == ["PUT", "GET", "DELETE"]
    assert {path.split("?")[0].rsplit("/", 1)[0] for _, path in bucket.requests} == {"/mine/films"}
    assert bucket.names == []


@pytest.mark.parametrize(
    ("method", "right"),
    [("PUT", "s3:PutObject"), ("GET", "s3:GetObject"), ("DELETE", "s3:DeleteObject")],
)
def test_a_test_names_the_right_that_the_key_lacks(
    method: str, right: str, bucket: Bucket, configured: Configure
) -> None:
    bucket.fault(method, "AccessDenied")
    with pytest.raises(Refused, match="AccessDenied") as caught:
        hosting.try_out(configured(bucket))
    assert right in caught.value.hint
    assert len(bucket.names) == (1 if method == "DELETE" else 0), "what can be deleted is"


def test_without_a_bucket_there_is_nothing_to_try(tmp_path: Path) -> None:
    with pytest.raises(BadOrder, match="No bucket"):
        hosting.try_out(Settings.load())
