"""An S3 service on loopback: moto's server over TLS, as real ones are, with faults on demand.

Owns the server, its certificate and how a test looks into the bucket. Knows nothing of the pack but
the names of its variables.
"""

from __future__ import annotations

import datetime
import ipaddress
import logging
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from typing_extensions import Self

NAME = "mine"
KEY_ID = "an-id"
SECRET = "the-secret-that-nobody-may-see"
REFUSAL = "<?xml version='1.0'?><Error><Code>{}</Code><Message>No.</Message></Error>"


class Bucket:
    """A service with one bucket, `mine`; use it as a context manager.

    `requests`: method and path of everything received, in order.
    """

    def __init__(self, folder: Path) -> None:
        self.certificate, self._key = _certificate(folder)
        self.requests: list[tuple[str, str]] = []
        self.gate = threading.Event()
        self._faults: list[tuple[Callable[[str, str], bool], str]] = []

    def __enter__(self) -> Self:
        pytest.importorskip("boto3", reason="needs the extra s3")
        pytest.importorskip("moto.server", reason="needs moto and flask, of the extra `test`")
        from moto.server import DomainDispatcherApplication, create_backend_app
        from werkzeug.serving import make_server

        logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
        self._service = DomainDispatcherApplication(create_backend_app)
        files = (str(self.certificate), str(self._key))
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, ssl_context=files)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.client.create_bucket(Bucket=NAME)
        self.requests.clear()
        return self

    def __exit__(self, *_: object) -> None:
        requests.post(f"{self.url}/moto-api/reset", verify=str(self.certificate), timeout=10)
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The endpoint."""
        return f"https://127.0.0.1:{self._server.server_port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point the pack at the bucket, and boto3 at the certificate."""
        return {
            "SEEDANCE_S3_BUCKET": NAME,
            "SEEDANCE_S3_ENDPOINT": self.url,
            "SEEDANCE_S3_REGION": "us-east-1",
            "SEEDANCE_S3_ACCESS_KEY_ID": KEY_ID,
            "SEEDANCE_S3_SECRET_ACCESS_KEY": SECRET,
            "AWS_CA_BUNDLE": str(self.certificate),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def client(self) -> Any:
        """boto3's own view of the service."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            verify=str(self.certificate),
        )

    @property
    def names(self) -> list[str]:
        """The names of the objects that are there."""
        return [
            item["Key"] for item in self.client.list_objects_v2(Bucket=NAME).get("Contents", [])
        ]

    @property
    def half_objects(self) -> list[str]:
        """Uploads in parts that were neither completed nor given up."""
        listed = self.client.list_multipart_uploads(Bucket=NAME).get("Uploads", [])
        return [item["Key"] for item in listed]

    def puts(self) -> int:
        """How many objects were begun, whole or in parts."""
        begun = [path for method, path in self.requests if method == "PUT" and "?" not in path]
        parts = [path for method, path in self.requests if method == "POST" and "uploads" in path]
        return len(begun) + len(parts)

    def read(self, address: str) -> bytes:
        """What a provider reads at an address, without any key."""
        answer = requests.get(address, verify=str(self.certificate), timeout=30)
        answer.raise_for_status()
        return answer.content

    def fault(self, method: str, what: str, times: int = 1, *, ending: str = "") -> None:
        """Spoil the next `times` requests of a method for objects with this ending: `break` ends
        the connection in the middle of its body, `wait` lets it wait until `gate` is set, a code
        such as `AccessDenied` refuses it."""

        def when(sent: str, path: str) -> bool:
            return sent == method and path.endswith(ending)

        self._faults += [(when, what)] * times

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        query = environ["QUERY_STRING"]
        if not path.startswith("/moto-api"):
            self.requests.append((method, f"{path}?{query}" if query else path))
        for fault in self._faults:
            if fault[0](method, path):
                self._faults.remove(fault)
                if fault[1] != "wait":
                    return self._spoil(fault[1], environ, start)
                self.gate.wait(600)
                break
        answer: Iterable[bytes] = self._service(environ, start)
        return answer

    @staticmethod
    def _spoil(what: str, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if what == "break":
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0) // 2)
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start("403 Forbidden", [("Content-Type", "application/xml")])
        return [REFUSAL.format(what).encode()]


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 and its key, as files."""
    x509 = pytest.importorskip("cryptography.x509", reason="needs moto, of the extra `test`")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a bucket on loopback")])
    now = datetime.datetime.now(datetime.timezone.utc)
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=True, **usage), True)
        .add_extension(identifier, False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), False
        )
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "bucket.crt", folder / "bucket.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate, secret
