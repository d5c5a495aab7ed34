"""The provider preview, driven as the runner drives it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import requests

from seedance import media
from seedance.addresses import origin
from seedance.order import Medium, Order
from seedance.preview import server
from seedance.providers.preview import Preview
from seedance.transport import Credentials, Transport
from seedance.wire import Call, Config, Delivered, Done, Flow, Pause, Running, Status, Ticket

T = TypeVar("T")
TEXT = Order(prompt="A kite over a harbour", resolution="480p", ratio="16:9", duration=4, seed=7)


class Desk:
    """What the runner does, as far as these tests need it."""

    def __init__(self, home: Path, **options: str) -> None:
        self.home = home
        self.provider = Preview(Config("preview://local", options=options))
        self.adapter = server.PreviewAdapter(home)
        self.transport = Transport(
            Credentials("Bearer", "", frozenset({origin("preview://local")})),
            {"preview://": self.adapter},
        )
        self.calls: list[Call] = []

    def play(self, flow: Flow[T]) -> T:
        reply = None
        while True:
            try:
                call = flow.send(reply)  # type: ignore[arg-type]
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            assert not isinstance(call, Pause)
            self.calls.append(call)
            reply = self.transport.perform(call)

    def send(self, order: Order, **media_files: Any) -> Ticket:
        return self.play(self.provider.submit(order, Delivered(**media_files)))

    def upload(self, medium: Medium) -> str:
        limits = Preview.limits.of(medium.kind)
        assert limits is not None
        if medium.kind == "image":
            blob, _ = media.picture_blob(medium, limits)
        else:
            make = media.clip_blob if medium.kind == "video" else media.sound_blob
            blob, _ = make(medium, limits, nearest=False, work_dir=self.home / "work")
        return self.play(self.provider.upload(blob)).reference

    def check(self, ticket: Ticket) -> Status:
        return self.play(self.provider.check(ticket))

    def wait(self, ticket: Ticket) -> Status:
        while isinstance(status := self.check(ticket), Running):
            time.sleep(0.05)
        return status

    def clip(self, order: Order, **media_files: Any) -> Path:
        """The finished clip of an order."""
        status = self.wait(self.send(order, **media_files))
        assert isinstance(status, Done) and status.video_url
        path = self.home / "clip.mp4"
        path.write_bytes(self.fetch(status.video_url).content)
        return path

    def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> requests.Response:
        session = requests.Session()
        session.mount("preview://", self.adapter)
        return session.get(url, headers=headers, stream=True)


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Desk]:
    """A desk; what still renders at the end is cancelled."""
    try:
        yield Desk(folder)
    finally:
        for rendering in list(server._service(folder / "preview")._rendering.values()):
            rendering.cancelled.set()
