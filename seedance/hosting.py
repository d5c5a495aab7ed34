"""The user's own S3-compatible bucket, for media that a provider only takes by address.

The journal knows which order still needs an object (`journal.bucket_objects`). boto3 comes with the
optional extra `s3`. It is imported only here, and only when a bucket is used.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .errors import BadOrder, Refused, SeedanceError, Unreachable
from .said import both, say, template
from .settings import Settings
from .wire import Blob

PRESIGNED_SECONDS = 24 * 3600
CONNECT_SECONDS = 10
READ_SECONDS = 30

# Error codes that mean "try again later", whatever the HTTP status.
_BUSY = ("SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout", "503", "500")


# Loggers whose records at DEBUG hold all that is needed to make a signed address.
_TELLTALES = ("botocore.auth", "botocore.endpoint")


def _is_harmless(record: logging.LogRecord) -> bool:
    return record.levelno > logging.DEBUG


def _values(settings: Settings) -> dict[str, str]:
    return settings.section("s3", "SEEDANCE_S3")


def configured(settings: Settings) -> bool:
    """Whether the user has set up a bucket."""
    return bool(_values(settings).get("bucket"))


def endpoint(settings: Settings) -> str | None:
    """The address of the bucket's service, None for Amazon's own."""
    return _values(settings).get("endpoint") or None


def keeps(settings: Settings) -> bool:
    """Whether the user wants our objects left in the bucket."""
    return _is_on(settings, "keep")


def keeps_results(settings: Settings) -> bool:
    """Whether the user wants finished videos kept in the bucket."""
    return configured(settings) and _is_on(settings, "results")


def _is_on(settings: Settings, name: str) -> bool:
    return _values(settings).get(name, "").strip().lower() in ("1", "true", "yes", "on")


def account(settings: Settings) -> str:
    """A short name for the bucket, so that uploads are only found again in the same one."""
    values = _values(settings)
    name = "|".join(values.get(key, "") for key in ("endpoint", "bucket", "prefix"))
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def new_name(settings: Settings, blob: Blob) -> str:
    """A name for an object of these bytes; it tells nothing about the user's file.

    An object that will be deleted has a name that no other will ever have: to delete it must not
    delete the same bytes that somebody else has put there.
    """
    own = "" if keeps(settings) else f"-{secrets.token_hex(8)}"
    return _under_prefix(settings, f"{blob.digest}{own}.{blob.extension}")


def _under_prefix(settings: Settings, name: str, folder: str = "") -> str:
    prefix = _values(settings).get("prefix", "").strip("/")
    return "/".join(filter(None, (folder, prefix, name)))


def put(settings: Settings, blob: Blob, name: str) -> None:
    """Put a file into the bucket, streamed. A transfer that breaks is repeated; one that fails
    leaves no object.

    Raises BadOrder where a setting is wrong or boto3 is missing, Refused where the bucket says no,
    Unreachable where it does not answer.
    """
    extra = {"ContentType": blob.mime}
    with _bucket(settings) as (client, bucket):
        if blob.path is not None:
            client.upload_file(str(blob.path), bucket, name, ExtraArgs=extra, Config=_in_line())
        else:
            client.put_object(Bucket=bucket, Key=name, Body=blob.data or b"", **extra)


def result_name(settings: Settings, name: str) -> str:
    """A name for an object of a finished video, apart from the media, which are deleted."""
    return _under_prefix(settings, name, "results")


def queued_name(settings: Settings, name: str) -> str:
    """A name for an object of a medium whose order waits in the queue of a farm."""
    return _under_prefix(settings, name, "farm")


def put_file(settings: Settings, path: Path, name: str) -> None:
    """Put a file into the bucket as it is. Raises what `put` raises."""
    with _bucket(settings) as (client, bucket):
        client.upload_file(str(path), bucket, name, Config=_in_line())


def get_file(settings: Settings, name: str, path: Path) -> None:
    """Fetch an object into a file. Raises OSError if the disk refuses, Refused if the object is not
    there, and what `put` raises."""
    with _bucket(settings) as (client, bucket):
        client.download_file(bucket, name, str(path), Config=_in_line())


def result_names(settings: Settings, ending: str) -> list[str]:
    """The names of all objects of finished videos that end so. Raises what `put` raises."""
    with _bucket(settings) as (client, bucket):
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=result_name(settings, "") + "/"
        )
        names = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return [name for name in names if name.endswith(ending)]


def read_object(settings: Settings, name: str, most: int) -> bytes:
    """The first `most` bytes of an object. Raises Refused if it is not there, and what `put`
    raises."""
    with _bucket(settings) as (client, bucket):
        data: bytes = client.get_object(Bucket=bucket, Key=name)["Body"].read(most)
        return data


def address(settings: Settings, name: str) -> str:
    """An address from which anybody can read the object for a day. Asks nobody."""
    with _bucket(settings) as (client, bucket):
        url: str = client.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": name}, ExpiresIn=PRESIGNED_SECONDS
        )
        return url


def remove(settings: Settings, name: str) -> None:
    """Delete an object, whether it is there or not. Raises what `put` raises, after one try."""
    with _bucket(settings, attempts=1) as (client, bucket):
        client.delete_object(Bucket=bucket, Key=name)


# What is tried, in this order: the words for it, and the right that it needs.
_RIGHTS = (
    (template("The key may not put objects into the bucket: {said}"), "s3:PutObject"),
    (template("The key may not read objects of the bucket: {said}"), "s3:GetObject"),
    (template("The key may not delete objects of the bucket: {said}"), "s3:DeleteObject"),
)


def try_out(settings: Settings) -> str:
    """Put a small object into the bucket, read it and delete it again. Returns the bucket's name.

    Raises what `put` raises, after one try each; where the bucket says no, the error names the
    right that the key lacks.
    """
    if not configured(settings):
        raise BadOrder("No bucket is set up.", hint="Fill in its name and save it first.")
    name = _under_prefix(settings, f"seedance-test-{secrets.token_hex(8)}.txt")
    body = b"A test of the Seedance pack. It may be deleted."

    def put(client: Any, bucket: str) -> None:
        client.put_object(Bucket=bucket, Key=name, Body=body)

    def read(client: Any, bucket: str) -> None:
        if client.get_object(Bucket=bucket, Key=name)["Body"].read() != body:
            raise Refused(
                "The bucket {bucket} gave back another object than was put there.", bucket=bucket
            )

    def delete(client: Any, bucket: str) -> None:
        client.delete_object(Bucket=bucket, Key=name)

    refused: SeedanceError | None = None
    for step, (text, right) in zip((put, read, delete), _RIGHTS):
        try:
            with _bucket(settings, attempts=1) as (client, bucket):
                step(client, bucket)
        except Refused as error:
            refused = refused or Refused(
                text,
                hint=both(say("Give it the right {right}.", right=right), error.hint),
                said=error.message,
            )
            if right == "s3:PutObject":
                break  # there is nothing to read or delete
    if refused:
        raise refused
    return bucket


def _in_line() -> Any:
    """How files are transferred: without threads of boto3's own, for whose end the process would
    wait at its exit, however long the bucket says nothing."""
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(use_threads=False)


@contextlib.contextmanager
def _bucket(settings: Settings, attempts: int = 4) -> Iterator[tuple[Any, str]]:
    """boto3's client and the bucket's name; boto3's errors inside the block become ours. Its
    messages may quote a signed address, so that only its error codes are kept."""
    values = _values(settings)
    try:
        import boto3
        from boto3.exceptions import S3UploadFailedError
        from botocore import exceptions
        from botocore.config import Config
    except ImportError as error:
        raise BadOrder(
            "A bucket is set up, but the package boto3 is not installed; nothing was spent.",
            hint='Install the extra: pip install "comfyui-seedance[s3]".',
        ) from error
    bucket = values.get("bucket", "")
    _check_whose_key(settings, values)
    for name in _TELLTALES:
        logging.getLogger(name).addFilter(_is_harmless)
    try:
        client = boto3.client(
            "s3",
            endpoint_url=values.get("endpoint") or None,
            region_name=values.get("region") or None,
            aws_access_key_id=values.get("access_key_id") or None,
            aws_secret_access_key=values.get("secret_access_key") or None,
            config=Config(
                signature_version="s3v4",
                connect_timeout=CONNECT_SECONDS,
                read_timeout=READ_SECONDS,
                retries={"total_max_attempts": attempts, "mode": "standard"},
                # Many S3-compatible services refuse the checksums that boto3 adds by default.
                request_checksum_calculation="when_required",
            ),
        )
        try:
            yield client, bucket
        finally:
            client.close()
    except (exceptions.ClientError, S3UploadFailedError) as error:
        cause = error if isinstance(error, exceptions.ClientError) else error.__context__
        raise _refusal(bucket, getattr(cause, "response", {})) from None
    except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
        where = values.get("endpoint") or "Amazon S3"
        raise Unreachable(
            "The bucket {bucket} at {where} could not be reached ({reason}); nothing was spent.",
            hint="Check SEEDANCE_S3_ENDPOINT and the network; it is safe to try again.",
            bucket=bucket,
            where=where,
            reason=type(error).__name__,
        ) from None
    except (exceptions.BotoCoreError, ValueError) as error:
        raise BadOrder(
            "The settings of the bucket {bucket} cannot be used ({reason}); nothing was spent.",
            hint="Check SEEDANCE_S3_BUCKET, SEEDANCE_S3_ENDPOINT, SEEDANCE_S3_REGION, "
            "SEEDANCE_S3_ACCESS_KEY_ID and SEEDANCE_S3_SECRET_ACCESS_KEY.",
            bucket=bucket,
            reason=type(error).__name__,
        ) from None


def _check_whose_key(settings: Settings, values: dict[str, str]) -> None:
    """Raise BadOrder where boto3 would use this machine's keys for Amazon at an endpoint from the
    key file. Anyone who can open the page can store an endpoint there."""
    own = values.get("access_key_id") and values.get("secret_access_key")
    if values.get("endpoint") and not own and not settings.is_set("SEEDANCE_S3_ENDPOINT"):
        raise BadOrder(
            "The bucket at {endpoint} has no key of its own; nothing was spent.",
            hint="Store both parts of its key with it, or set SEEDANCE_S3_ENDPOINT in the "
            "environment to use the keys that boto3 finds on this machine.",
            endpoint=values["endpoint"],
        )


_WHAT_TO_CHECK = {
    "NoSuchBucket": say("SEEDANCE_S3_BUCKET: there is no bucket of this name at the endpoint"),
    "InvalidAccessKeyId": say("SEEDANCE_S3_ACCESS_KEY_ID: the endpoint does not know it"),
    "SignatureDoesNotMatch": say("SEEDANCE_S3_SECRET_ACCESS_KEY and SEEDANCE_S3_REGION"),
    "AccessDenied": say("that the key may put and delete objects in the bucket"),
    "PermanentRedirect": say(
        "SEEDANCE_S3_REGION and SEEDANCE_S3_ENDPOINT: the bucket is elsewhere"
    ),
    "AuthorizationHeaderMalformed": say("SEEDANCE_S3_REGION: the bucket is in another one"),
}


def _refusal(bucket: str, response: dict[str, Any]) -> Refused | Unreachable:
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _BUSY or status >= 500:
        return Unreachable(
            "The bucket {bucket} is busy ({code}); nothing was spent.",
            hint="It is safe to try again.",
            bucket=bucket,
            code=code,
        )
    check = _WHAT_TO_CHECK.get(code, say("its name, region and keys (SEEDANCE_S3_...)"))
    return Refused(
        "The bucket {bucket} refused ({code}); nothing was spent.",
        hint="Check {check}.",
        bucket=bucket,
        code=code,
        check=check,
    )
