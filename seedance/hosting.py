"""The user's own S3-compatible bucket, for media that a provider only takes by address.

Owns the bucket's settings and the objects that we put there. boto3 comes with the optional extra
`s3` and is imported only here, only when a bucket is used. Must not know providers or orders.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

from .errors import BadOrder, Refused, Unreachable
from .settings import Settings
from .wire import Blob, Uploaded

PRESIGNED_SECONDS = 24 * 3600


def _values(settings: Settings) -> dict[str, str]:
    return settings.section("s3", "SEEDANCE_S3")


def configured(settings: Settings) -> bool:
    """Whether the user has set up a bucket."""
    return bool(_values(settings).get("bucket"))


def account(settings: Settings) -> str:
    """A short name for the bucket, so that uploads are only found again in the same one."""
    values = _values(settings)
    name = "|".join(values.get(key, "") for key in ("endpoint", "bucket", "prefix"))
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def put(settings: Settings, blob: Blob) -> Uploaded:
    """Put a file into the bucket and return an address that works for a day.

    Large files go in parts; an upload that breaks leaves no object. Raises BadOrder where boto3 is
    missing, Refused where the bucket says no, Unreachable where it does not answer.
    """
    values = _values(settings)
    client = _client(values)
    name = "/".join(
        part
        for part in (values.get("prefix", "").strip("/"), f"{blob.digest}.{blob.extension}")
        if part
    )
    extra = {"ContentType": blob.mime}
    bucket = values["bucket"]
    with _explained(bucket):
        if blob.path is not None:
            client.upload_file(str(blob.path), bucket, name, ExtraArgs=extra)
        else:
            client.put_object(Bucket=bucket, Key=name, Body=blob.data or b"", **extra)
        url = client.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": name}, ExpiresIn=PRESIGNED_SECONDS
        )
    return Uploaded(url, time.time() + PRESIGNED_SECONDS)


def _client(values: dict[str, str]) -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise BadOrder(
            "A bucket is set up, but the package boto3 is not installed.",
            hint='Install the extra: pip install "comfyui-seedance[s3]".',
        ) from error
    return boto3.client(
        "s3",
        endpoint_url=values.get("endpoint") or None,
        region_name=values.get("region") or None,
        aws_access_key_id=values.get("access_key_id") or None,
        aws_secret_access_key=values.get("secret_access_key") or None,
        config=Config(signature_version="s3v4", retries={"max_attempts": 3}),
    )


class _explained:
    """Turns boto3's errors into ours; its own words never quote a secret, but may quote a URL."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if error is None or not isinstance(error, Exception):
            return
        code = getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
        if type(error).__name__ in ("EndpointConnectionError", "ConnectTimeoutError"):
            raise Unreachable(
                f"The bucket {self.bucket} cannot be reached; nothing was spent.",
                hint="Check SEEDANCE_S3_ENDPOINT and the network.",
            ) from None
        raise Refused(
            f"The bucket {self.bucket} refused the upload ({code}); nothing was spent.",
            hint="Check its name, region and keys (SEEDANCE_S3_...).",
        ) from None
