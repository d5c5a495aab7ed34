"""The body of a request: JSON, a form with a file, or a file. Files are read block by block."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
from collections.abc import Iterator
from typing import Any, BinaryIO

from ..errors import BadOrder
from ..wire import Blob, Call, FilePart


def body_of(call: Call, *, escaped: bool = False) -> tuple[Any, str | None]:
    """What to send, and its content type. A file is streamed, from its start in each attempt.
    JSON is UTF-8, or ASCII with escapes."""
    if call.json is not None:
        try:
            text = json.dumps(call.json, ensure_ascii=escaped, allow_nan=False)
        except ValueError:
            raise BadOrder(
                "The order holds NaN or Infinity, which is not a number that JSON has.",
                hint="Correct it in extra.",
            ) from None
        return text.encode("utf-8", "surrogatepass"), "application/json"
    if call.file is not None or call.form:
        boundary = secrets.token_hex(16)
        return _Multipart(
            call.form, call.file, boundary
        ), f"multipart/form-data; boundary={boundary}"
    if call.body is not None:
        return _Multipart((), None, "", whole=call.body), call.body.mime
    return None, None


@contextlib.contextmanager
def closing(data: Any) -> Iterator[None]:
    """Close the file of a body, if it has one, whatever happens."""
    try:
        yield
    finally:
        if isinstance(data, _Multipart):
            data.close()


class _Multipart:
    """A body of known length made of fields and one file, read block by block."""

    def __init__(
        self,
        form: Any,
        file: FilePart | None,
        boundary: str,
        whole: Blob | None = None,
    ) -> None:
        head, tail, blob = b"", b"", whole
        for name, value in form:
            head += (
                f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n'
                f"{value}\r\n"
            ).encode()
        if file is not None:
            blob = file.blob
            head += (
                f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(file.field)}"; '
                f'filename="{_quoted(blob.name)}"\r\nContent-Type: {blob.mime}\r\n\r\n'
            ).encode()
            tail += b"\r\n"
        if boundary:
            tail += f"--{boundary}--\r\n".encode()
        self.len = len(head) + (blob.size if blob else 0) + len(tail)  # requests asks for `len`
        self._left = [head, blob, tail]
        self._file: BinaryIO | None = None

    def read(self, size: int = -1) -> bytes:
        """The next bytes, at most `size`; empty at the end."""
        size = size if size and size > 0 else 1 << 16
        while self._left:
            part = self._left[0]
            if isinstance(part, Blob):
                block = self._read_blob(part, size)
            else:
                block, rest = (part or b"")[:size], (part or b"")[size:]
                self._left[0] = rest
            if block:
                return block
            self._left.pop(0)
        return b""

    def _read_blob(self, blob: Blob, size: int) -> bytes:
        if blob.path is None:
            data = blob.data or b""
            self._left[0] = data[size:] if len(data) > size else b""
            return data[:size]
        if self._file is None:
            self._file = blob.path.open("rb")
        return self._file.read(size)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _quoted(text: str) -> str:
    return re.sub(r'[\r\n"\\]', "_", text)
