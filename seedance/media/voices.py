"""What the sound of a clip is, for a film: whether its packets can be copied, and whether it goes
on from the clip before."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import av
import numpy as np

from .aac import PACKET, is_plain
from .info import is_pcm

_ENDS = 10  # packets that are kept of both ends
_SEEN = 512  # samples by which it is told how a sound goes on
_ORDER = 32  # samples from which the next one is told
# By how much of a sound's power it may be told wrongly: in it on average, and at one sample after
# the joint. Music, speech and tones that were cut, then encoded: up to 0.01, and mostly up to 0.25.
# Others: mostly more than that; where it is less, nothing is lost but time.
_TELLS, _WRONG = 0.1, 0.25
_NOISE, _SILENCE = 1e-3, 1e-9


@dataclass(frozen=True, eq=False)
class Voice:
    """The sound of a clip. `config` is how its track of AAC begins, empty where its packets cannot
    be copied; else `first` is the sample, from the first picture, at which the first of its
    `packets` begins, and the first `cut` of those are not heard. `starting` and `ending` are its
    first and its last samples, float32 (channels, n)."""

    rate: int
    channels: int
    pcm: bool
    config: bytes = b""
    first: int = 0
    packets: int = 0
    cut: int = 0
    starting: np.ndarray | None = None
    ending: np.ndarray | None = None

    def goes_on_in(self, other: Voice) -> bool:
        """Whether the sound of another clip goes on with this one, as where a film was cut."""
        if self.config != other.config or self.ending is None or other.starting is None:
            return False
        return _goes_on(self.ending, other.starting)


class Listener:
    """Learns about the sound of a clip while its packets are read."""

    def __init__(self, stream: Any) -> None:
        context = stream.codec_context
        self._rate, self._channels = context.sample_rate, context.layout.nb_channels
        self._unit = Fraction(stream.time_base or Fraction(1, 90_000))
        self._pcm = is_pcm(stream)
        extradata = bytes(context.extradata or b"")
        plain = context.name == "aac" and is_plain(extradata, self._rate, self._channels)
        self._config = extradata[:2] if plain else b""
        self._times: list[tuple[int, bool]] = []
        self._first: list[Any] = []
        self._last: deque[Any] = deque(maxlen=_ENDS)

    def hear(self, packet: Any) -> None:
        """Take one packet of the sound."""
        if self._config and packet.size and packet.pts is not None:
            self._times.append((packet.pts, packet.is_discard))
            if len(self._first) < _ENDS:
                self._first.append(packet)
            else:
                self._last.append(packet)

    def voice(self, picture: Fraction, seconds: Fraction) -> Voice:
        """The sound of the clip, whose first picture has the time `picture` in its file, and which
        is seen for so long."""
        rate, channels = min(self._rate, 192_000), min(self._channels, 8)
        voice = Voice(rate, channels, self._pcm)
        heard = [number for number, (_, cut) in enumerate(self._times) if not cut]
        if not heard or len(heard) != heard[-1] - heard[0] + 1:
            return voice
        tick = self._unit * rate  # in samples
        rounding = max(tick.numerator, 2 * tick.denominator)
        begin, late = self._times[0][0], 0
        for number, (time, _) in enumerate(self._times):
            this = (time - begin) * tick.numerator - number * PACKET * tick.denominator
            if abs(this) > rounding:
                return voice
            late += this
        # Some files have their times in milliseconds: all together, they are right.
        usual = Fraction(late, len(self._times) * tick.denominator)
        count = round(seconds * rate)
        return replace(
            voice,
            config=self._config,
            first=round((begin * self._unit - picture) * rate + usual),
            packets=heard[-1] + 1,
            cut=heard[0],
            starting=self._samples(self._first, picture, 0, _ORDER),
            ending=self._samples(self._last, picture, count - _SEEN, count),
        )

    def _samples(
        self, packets: Iterable[Any], picture: Fraction, first: int, last: int
    ) -> np.ndarray:
        """The samples `first` to `last`, from the first picture; silence where nothing is heard."""
        sound = np.zeros((self._channels, last - first), np.float32)
        for packet in packets:
            place = round((packet.pts * self._unit - picture) * self._rate)
            if first - 3 * PACKET < place < last:
                try:
                    frames = packet.decode()
                except av.FFmpegError:
                    continue
                for frame in frames:
                    if frame.pts is not None and frame.layout.nb_channels == self._channels:
                        time = round((frame.pts * frame.time_base - picture) * self._rate)
                        lay(frame.to_ndarray(), sound, time - first)
        return sound


def lay(samples: np.ndarray, sound: np.ndarray, at: int) -> None:
    """Write samples (channels, n) into an array from its sample `at` on, as far as they fall into
    it."""
    left = max(-at, 0)
    right = min(samples.shape[1], sound.shape[1] - at)
    if right <= left:
        return
    part = samples[:, left:right]
    if len(part) == 1:
        sound[:2, at + left : at + right] = part  # mono is the same on both sides
    else:
        sound[: len(part), at + left : at + right] = part


def _goes_on(ending: np.ndarray, starting: np.ndarray) -> bool:
    """Whether one sound goes on in another. Each sample is told from those before it, by a linear
    rule that is learned from the first sound, and that must hold over the joint too."""
    power = usual = over = 0.0
    for before, after in zip(ending.astype(np.float64), starting):
        whole = np.concatenate([before, after])
        rows = np.lib.stride_tricks.sliding_window_view(whole[:-1], _ORDER)
        known = rows[: _SEEN - _ORDER]
        noise = _NOISE * (before @ before) + 1e-12  # of the encoder
        rule = np.linalg.solve(known.T @ known + np.eye(_ORDER) * noise, known.T @ before[_ORDER:])
        errors = (whole[_ORDER:] - rows @ rule) ** 2
        power += (before**2).mean()
        usual += errors[: len(known)].mean()
        over += errors[len(known) :].max()
    return bool(power > _SILENCE and usual < _TELLS * power and over < _WRONG * power)
