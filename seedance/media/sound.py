"""Sound as samples: a track -> float32, samples -> WAV. Must not decode pictures."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import av
import numpy as np

from .info import open_media, sound_stream
from .memory import ensure_memory

_WHAT = "The samples of the sound"
_STEP = 64 * 2**20  # bytes of samples after which memory is looked at again


def decode_audio(path: Path) -> tuple[np.ndarray, int] | None:
    """The sound of a file as (float32 (channels, samples) in -1..1, samples a second).

    None if the file is silent. Pictures are not decoded. Raises BadOrder if the file cannot be
    read, or the memory does not suffice: silence of any length takes next to no bytes in a file.
    """
    with open_media(path) as container:
        stream = sound_stream(container, Path(path).name)
        if stream is None:
            return None
        resampler = av.AudioResampler(format="fltp")
        parts: list[np.ndarray] = []
        seen = size = asked = 0
        for packet in container.demux(stream):
            try:
                decoded = packet.decode()
            except av.InvalidDataError:
                continue  # leave out what is damaged
            for frame in decoded:
                parts.extend(ready.to_ndarray() for ready in resampler.resample(frame))
                size += sum(part.nbytes for part in parts[seen:])
                seen = len(parts)
            if size > asked:
                asked = size + _STEP
                with ensure_memory(asked + _STEP, _WHAT):
                    pass  # what comes next, and all of it once more when it is joined
        if not parts:
            return None
        parts.extend(ready.to_ndarray() for ready in resampler.resample(None))
        with ensure_memory(size, _WHAT):
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
