"""Sound as samples: a track -> float32, samples -> WAV, one sample format -> another."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from ..said import say
from .info import open_media, sound_stream
from .memory import ensure_memory

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer

_WHAT = say("The samples of the sound")
_STEP = 64 * 2**20  # bytes of samples after which free memory is checked again


class Resampler:
    """Converts decoded frames to the form that is `wanted` (arguments of PyAV's AudioResampler).

    A track may change its own form midway, which PyAV's AudioResampler refuses: each form gets one
    of its own.
    """

    def __init__(self, **wanted: Any) -> None:
        self._wanted = wanted
        self._form: tuple[str, str, int] | None = None
        self._current: av.AudioResampler | None = None

    def __call__(self, frame: av.AudioFrame | None) -> Iterator[av.AudioFrame]:
        """What is ready once `frame` came in; None at the end of the track."""
        form = None
        if frame is not None:
            form = (frame.format.name, frame.layout.name, frame.sample_rate)
        if form != self._form:
            if self._current is not None:
                yield from self._current.resample(None)
            self._form, self._current = form, av.AudioResampler(**self._wanted)
        if frame is not None and self._current is not None:
            yield from self._current.resample(frame)


def sound_frames(
    container: InputContainer, stream: AudioStream, resample: Resampler
) -> Iterator[av.AudioFrame]:
    """The frames of a track in the form that `resample` gives, without what is damaged."""
    for packet in container.demux(stream):
        try:
            decoded = packet.decode()
        except av.InvalidDataError:
            continue
        for frame in decoded:
            yield from resample(frame)
    yield from resample(None)


def decode_audio(path: Path) -> tuple[np.ndarray, int] | None:
    """The sound of a file as (float32 (channels, samples) in -1..1, samples a second).

    None if the file has no sound. A track that changes its channels or rate midway is converted to
    those of its header. Raises BadOrder if the file cannot be read, or if its samples do not fit
    into memory: hours of silence take few bytes in a file.
    """
    with open_media(path, pictures=False) as container:
        stream = sound_stream(container, Path(path).name)
        if stream is None:
            return None
        rate, layout = stream.sample_rate, stream.codec_context.layout
        # Packed: PyAV finds the end of the planes by chance where there are eight or more.
        resample = Resampler(format="flt", layout=layout, rate=rate)
        parts: list[np.ndarray] = []
        size = asked = 0
        for frame in sound_frames(container, stream, resample):
            parts.append(_samples(frame))
            size += parts[-1].nbytes
            if size > asked:
                asked = size + _STEP
                with ensure_memory(asked + _STEP, _WHAT):
                    pass  # room for the next step, and for the copy when all is joined
        if not parts:
            return None
        with ensure_memory(size, _WHAT):
            whole = np.empty((layout.nb_channels, sum(map(len, parts))), np.float32)
            np.concatenate(parts, out=whole.T)
            return whole, rate


def _samples(frame: av.AudioFrame) -> np.ndarray:
    """A packed frame as float32 (samples, channels)."""
    channels = frame.layout.nb_channels
    return np.frombuffer(memoryview(frame.planes[0]), np.float32, frame.samples * channels).reshape(
        -1, channels
    )


def encode_wav(samples: np.ndarray, rate: int) -> bytes:
    """Float samples (channels, n) in -1..1 as a 16-bit PCM WAV file; louder ones are clipped, NaN
    becomes silence."""
    sound = np.clip(np.nan_to_num(samples, nan=0.0), -1.0, 1.0)
    whole = np.rint(sound * 32767).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(whole.shape[0])
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(whole.T.tobytes())
    return file.getvalue()
