"""The node that puts a picture, clip or sound into a provider's asset library."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..seedance import providers
from ..seedance.errors import BadOrder, SeedanceError
from ..seedance.order import ASSET_KINDS
from ..seedance.said import either, listed
from ..seedance.texts import quoted
from . import execution, host, inputs, report, takes, tensors, threads
from .values import text

if TYPE_CHECKING:
    import torch
    from comfy_api.latest import Input

    from ..seedance.order import Medium
    from ..seedance.runner import AssetView

_removed = 0


def count_removal() -> None:
    """An asset was removed from the page: nodes that gave its handle run again."""
    global _removed
    _removed += 1


class SeedanceAsset(io.ComfyNode):
    """A named asset in a provider's library."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SeedanceAsset",
            display_name="Seedance Asset",
            category="Seedance",
            description="Gives a picture, clip or sound a name, by which any prompt calls it: "
            "@Asset:NAME. It is put into the asset library of a provider, once, and waited for; "
            "or kept on this machine, for every provider. Nothing is paid for.",
            inputs=[
                io.Image.Input("image", optional=True, tooltip="One picture."),
                io.Video.Input("video", optional=True, tooltip="Or a clip of 2 to 30 s."),
                io.Audio.Input("audio", optional=True, tooltip="Or a sound of 2 to 30 s."),
                io.String.Input(
                    "name",
                    default="",
                    placeholder="Hero",
                    tooltip="Letters, digits, _ and -. All pictures of one character have one "
                    "name; a prompt calls them @Asset:NAME.",
                ),
                io.Combo.Input(
                    "provider",
                    options=[*providers.WITH_ASSETS, providers.ANY],
                    default=providers.WITH_ASSETS[0],
                    optional=True,
                    tooltip="Whose library; its signing key is set in Settings > Seedance or in "
                    "the environment, never here. any: on this machine, for every provider.",
                ),
                io.Combo.Input(
                    "kind",
                    options=list(ASSET_KINDS),
                    default=ASSET_KINDS[1],
                    optional=True,
                    tooltip="person: a real person, who confirms on the provider's page, once "
                    "for this name; the node shows the link. other: things and invented people.",
                ),
            ],
            outputs=[
                io.String.Output(
                    "asset",
                    display_name="asset",
                    tooltip="asset://..., for any input that takes an address, and for a line of "
                    "urls. With any it is @Asset:NAME, for a prompt.",
                )
            ],
            **inputs.found_by("asset", "character", "actor", "person", "consistent character"),
        )

    @classmethod
    def fingerprint_inputs(cls, **_values: Any) -> int:
        return _removed

    @classmethod
    async def execute(
        cls,
        name: object = None,
        image: torch.Tensor | None = None,
        video: Input.Video | None = None,
        audio: dict[str, Any] | None = None,
        provider: object = None,
        kind: object = None,
    ) -> io.NodeOutput:
        given = {"image": image, "video": video, "audio": audio}
        values = {"name": text("name", name), "provider": text("provider", provider)}
        return await _added(given, {**values, "kind": text("kind", kind) or ASSET_KINDS[1]})


def _medium(given: Mapping[str, Any]) -> Medium:
    """The one medium that is connected. Raises BadOrder for none and for several."""
    there = [name for name, value in given.items() if value is not None]
    if len(there) != 1:
        raise BadOrder(
            "Connect one of image, video and audio; {what} are connected."
            if there
            else "Connect one of image, video and audio; nothing is connected.",
            hint="Use one node for each; all may have the same name.",
            what=listed(there) if there else "",
        )
    read: Any = {"image": tensors.picture, "video": tensors.clip, "audio": tensors.sound}[there[0]]
    medium: Medium = read(given[there[0]], there[0])
    return medium


async def _added(given: Mapping[str, Any], values: Mapping[str, str]) -> io.NodeOutput:
    """Add the medium in a thread, show how far it is, and give its handle.

    Raises `execution.Interrupted` when a person cancels; what the library has by then is found
    again next time. When another node fails, the work goes on.
    """
    node = execution.Node()
    work = _Adding(node)
    adding = threads.in_waiting_thread(lambda: work.run(given, values))
    try:
        await node.until_done(adding)
        view = takes.result_of(adding)
    except execution.Interrupted:
        work.stop()
        raise
    except asyncio.CancelledError:
        execution.when_ended(
            node.prompt_id, interrupted=work.stop, failed=lambda: node.tell(report.left())
        )
        raise
    except SeedanceError as error:
        node.tell(report.not_started(error))
        raise
    news = report.asset_ready(view)
    node.tell(news)
    return io.NodeOutput(view.handle or f"@Asset:{view.name}", ui={"seedance": [news]})


class _Adding:
    """The work of the node in a thread, and how it is stopped."""

    def __init__(self, node: execution.Node) -> None:
        self._node = node
        self._link: str | None = None
        self._stop: Any = None
        self._stopped = False

    def run(self, given: Mapping[str, Any], values: Mapping[str, str]) -> AssetView:
        from ..seedance.runner import Stop

        self._stop = Stop()
        if self._stopped:
            self._stop.set()
        if values["kind"] not in ASSET_KINDS:
            raise BadOrder(
                "There is no kind {kind}.",
                hint="Use {kinds}.",
                kind=quoted(values["kind"]),
                kinds=either(ASSET_KINDS),
            )
        return host.runner().assets.add(
            _medium(given),
            values["name"],
            values["provider"] or providers.WITH_ASSETS[0],
            person=values["kind"] == "person",
            tell=self._tell,
            show_link=self._show_link,
            stop=self._stop,
        )

    def stop(self) -> None:
        self._stopped = True
        if self._stop is not None:
            self._stop.set()

    def _show_link(self, link: str, _seconds: float) -> None:
        self._link = link

    def _tell(self, progress: Any) -> None:
        waits = progress.code == "asset_person"
        self._node.tell(report.asset_under_way(progress, self._link if waits else None))
