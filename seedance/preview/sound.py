"""The preview's sound: a soft bed of tones by the seed, or the sound of a source."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import media

if TYPE_CHECKING:
    from .scene import Scene

RATE = 48000
_LOUDNESS = 0.12  # of full scale: a bed, not music
_FADE_SECONDS = 0.4
# Semitones above the root: chords that are calm in any inversion.
_CHORDS = ((0, 7, 12, 16), (0, 7, 12, 15), (0, 5, 12, 17), (0, 7, 14, 16))


def track(scene: Scene, seconds: float) -> tuple[np.ndarray, int] | None:
    """The sound of a scene as (float32 (channels, samples), samples a second); None for silence."""
    if scene.mode == "edit" and scene.keep_audio:
        return _lasting(scene.video, seconds) if scene.video else None
    if not scene.generate_audio:
        return None
    for path in scene.audios:
        if path is not None and (found := _lasting(path, seconds)):
            return found
    return _tones(scene.seed, seconds), RATE


def _lasting(path: Path, seconds: float) -> tuple[np.ndarray, int] | None:
    """The sound of a file, cut or filled with silence to `seconds`."""
    decoded = media.decode_audio(path)
    if decoded is None:
        return None
    samples, rate = decoded
    length = round(seconds * rate)
    missing = max(length - samples.shape[1], 0)
    return np.pad(samples[:, :length], ((0, 0), (0, missing))), rate


def _tones(seed: int, seconds: float) -> np.ndarray:
    """A chord that breathes, float32 (2, samples)."""
    generator = np.random.default_rng([seed, 3])
    time = np.arange(round(seconds * RATE), dtype=np.float32) / RATE
    root = 110.0 * 2 ** (generator.integers(0, 8) / 12)
    chord = _CHORDS[generator.integers(len(_CHORDS))]
    both = np.zeros((2, len(time)), np.float32)
    for step in chord:
        tone = np.sin(2 * np.pi * root * 2 ** (step / 12) * time + generator.uniform(0, 6))
        for side in both:
            slow = generator.uniform(0.08, 0.25)
            side += tone * (0.6 + 0.4 * np.sin(2 * np.pi * slow * time + generator.uniform(0, 6)))
    both *= _LOUDNESS / len(chord)
    ramp = np.minimum(np.minimum(time, time[::-1]) / _FADE_SECONDS, 1)
    return both * ramp.astype(np.float32)
