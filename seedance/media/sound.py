"""Sound as samples: a track -> float32, samples -> WAV. Must not decode pictures."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import av
import numpy as np

from .info import open_media


def decode_audio(path: Path) -> tuple[np.ndarray, int] | None:
    """The sound of a file as (float32 (channels, samples) in -1..1, samples a second).

    None if the file is silent. Pictures are not decoded. Raises BadOrder if the file cannot be
    read.
    """
    with open_media(path) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp")
        parts: list[np.ndarray] = []
        for packet in container.demux(stream):
            try:
                decoded = packet.decode()
            except av.InvalidDataError:
                continue  # leave out what is damaged
            for frame in decoded:
                parts.extend(ready.to_ndarray() for ready in resampler.resample(frame))
        if not parts:
            return None
        parts.extend(ready.to_ndarray() for ready in resampler.resample(None))
        return np.ascontiguousarray(np.concatenate(parts, axis=1)), stream.sample_rate


def encode_wav(samples: np.ndarray, rate: int) -> bytes:
    """Float samples (channels, n) in -1..1 as a 16-bit PCM WAV file; louder ones are clipped."""
    whole = np.rint(np.clip(samples, -1.0, 1.0) * 32767).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(whole.shape[0])
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(whole.T.tobytes())
    return file.getvalue()
