"""A key that can be recognised, and the search for it in all that anybody could see."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pickle
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from fakes import Request
from paths import ROOT

# Letters that JSON, addresses and base64 spell in other ways.
KEY = "sk-LEAK/7f3a+canary=9c~e5d1-abcdefghij"


def spellings(key: str) -> set[bytes]:
    """How a key may be written where it should not be."""
    found = {key, quote(key, safe=""), quote(key, safe="").lower(), key.replace("/", "\\/")}
    found |= {"".join(f"\\u{ord(letter):04x}" for letter in key), key.encode().hex(), key[::-1]}
    for shift in range(3):  # base64 looks different by what stands before
        packed = base64.b64encode(b"\0" * shift + key.encode())[4:-4].decode()
        found |= {packed, packed.replace("+", "-").replace("/", "_")}
    return {text.encode() for text in found}


@dataclass
class World:
    """All that anybody could see, by where it was seen."""

    key: str = KEY
    now: str = ""
    seen: list[tuple[str, bytes]] = field(default_factory=list)

    def add(self, where: str, what: str | bytes) -> None:
        data = what.encode("utf-8", "replace") if isinstance(what, str) else what
        self.seen.append((f"{self.now}: {where}" if self.now else where, data))

    def add_files(self, folder: Path) -> None:
        """Every file but the key file, with its name: journal, sidecars, pictures, clips."""
        for path in folder.rglob("*"):
            self.add("a file's name", str(path))
            if path.is_file() and path.name != "keys.json":
                with contextlib.suppress(FileNotFoundError):  # a temporary one
                    self.add(path.name, path.read_bytes())

    def add_error(self, error: BaseException) -> None:
        """An error as logs, dialogs and reports show it, with the chain of its causes, and as the
        tools show it that print the variables of each function and what an error carries."""
        self.add("traceback", "".join(traceback.format_exception(error)))
        while error is not None:
            self.add("error", f"{error} {error!r} {error.args}")
            if hasattr(error, "as_dict"):
                self.add("error as JSON", json.dumps(error.as_dict()))
            with contextlib.suppress(Exception):
                self.add("pickled error", pickle.dumps(error))
            for name in ("request", "response"):
                carried = getattr(error, name, None)
                self.add(f"the {name} of an error", repr(getattr(carried, "headers", "")))
            self._add_variables(error)
            error = error.__cause__ or error.__context__  # type: ignore[assignment]

    def _add_variables(self, error: BaseException) -> None:
        of_tests = str(ROOT / "tests")
        for frame in traceback.TracebackException.from_exception(error, capture_locals=True).stack:
            if not frame.filename.startswith(of_tests):
                for name, shown in (frame.locals or {}).items():
                    self.add(f"{name} in {frame.name}, {frame.filename}", shown)

    def add_processes(self) -> None:
        """The arguments of this process and of those that it started, as other users see them."""
        mine = str(os.getpid())
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                parent = (process / "stat").read_text().rpartition(")")[2].split()[1]
                if mine in (process.name, parent):
                    self.add("arguments", (process / "cmdline").read_bytes())

    def add_requests(self, where: str, requests: list[Request], own: str = "") -> None:
        """What a server received; at the provider itself the key may be in one header, `own`."""
        for request in requests:
            headers = {
                name: value for name, value in request.headers.items() if name != own.lower()
            }
            self.add(where, f"{request.method} {request.path} {request.query} {headers}")
            self.add(where, request.body)

    def leaks(self) -> list[str]:
        """Where the key can be seen."""
        forms = spellings(self.key)
        return [where for where, what in self.seen if any(form in what for form in forms)]
