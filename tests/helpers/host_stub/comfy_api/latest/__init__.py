from __future__ import annotations

from io import BytesIO
from typing import IO, Any, TypeAlias

from . import io as io
from . import ui as ui

progress: list[tuple[str | None, float, float]] = []  # (node id, value, max)


class ComfyExtension:
    async def on_load(self) -> None:
        pass

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        raise NotImplementedError


class ComfyAPI:
    class Execution:
        async def set_progress(
            self, value: float, max_value: float, node_id: str | None = None
        ) -> None:
            progress.append((node_id, value, max_value))

    execution = Execution()


class Types:
    class VideoContainer:
        MP4 = "mp4"

    class VideoCodec:
        H264 = "h264"


class VideoFromFile:
    def __init__(self, file: str | BytesIO) -> None:
        self.file = file

    def get_stream_source(self) -> str | BytesIO:
        return self.file

    def get_duration(self) -> float:
        import av

        if isinstance(self.file, BytesIO):
            self.file.seek(0)
        with av.open(self.file) as container:
            return (container.duration or 0) / av.time_base

    def save_to(self, path: str | IO[bytes], **options: Any) -> None:
        raise NotImplementedError


class Input:
    Video: TypeAlias = VideoFromFile


class InputImpl:
    VideoFromFile = VideoFromFile
