from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from typing import Any, TypeAlias

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
    @dataclass
    class VideoComponents:
        images: Any
        frame_rate: Fraction
        audio: dict[str, Any] | None = None


class VideoFromFile:
    def __init__(self, file: str | BytesIO, *, start_time: float = 0, duration: float = 0) -> None:
        self.file = file
        self.__start_time = start_time
        self.__duration = duration

    def get_stream_source(self) -> str | BytesIO:
        return self.file

    def get_active_trim_window(self) -> tuple[float, float]:
        return self.__start_time, self.__duration


class VideoFromComponents:
    def __init__(self, components: Types.VideoComponents) -> None:
        self.__components = components

    def get_components(self) -> Types.VideoComponents:
        return self.__components

    def get_stream_source(self) -> str | BytesIO:
        raise NotImplementedError  # ComfyUI would encode it


class Input:
    Video: TypeAlias = VideoFromFile | VideoFromComponents


class InputImpl:
    VideoFromFile = VideoFromFile
    VideoFromComponents = VideoFromComponents
