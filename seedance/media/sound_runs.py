"""Stretches of a film's sound that are encoded: sounds end to end, in packets of the film."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np

from .aac import PACKET, config

AAC_BITS = 320_000  # a second; of stereo, where nothing can be heard that is not in the clips
# With more, an encoder that has only begun is soon as good as one that has long been at it: after 3
# packets, where it takes 7 with the bits above.
_BITS_BESIDE = 448_000
_BESIDE = {"aac_pns": "0"}  # what is heard is compared: no noise in the place of noise
_KEPT = 16  # packets of what is to be heard, for comparing

# What may be wrong where encoded packets meet copied ones: twice what the encoder makes wrong there
# itself, or -60 dB of the sound. Above 4 kHz encoders write "noise" for noise, which is another one
# each time it is decoded: there, power is compared.
_ERROR, _FLOOR, _NOISE, _POWER = 2.0, 1e-6, 4000, 4.0
_SILENCE = 1e-9 * PACKET  # power of a packet that nobody hears


@dataclass(frozen=True)
class Form:
    """The form of a film's sound."""

    rate: int
    channels: int
    layout: str
    pcm: bool = False

    @property
    def codec(self) -> str:
        return "pcm_s24le" if self.pcm else "aac"

    @property
    def bit_rate(self) -> int:
        return AAC_BITS * max(self.channels, 2) // 2


class Run:
    """Encodes sound from the film's packet `first` on, perhaps `beside` packets that are copied.
    Packet `n` of the film is heard from its sample 1024 n on, together with the packet before.
    `packets` holds what is encoded; `next` is the packet whose samples come next."""

    def __init__(self, form: Form, first: int, beside: bool) -> None:
        self._form, self.next = form, first
        kind = "s32" if form.pcm else "fltp"
        self._convert = av.AudioResampler(format=kind, layout=form.layout, rate=form.rate)
        encoder: Any = av.CodecContext.create(form.codec, "w")
        encoder.sample_rate, encoder.layout = form.rate, form.layout
        encoder.format, encoder.time_base = kind, Fraction(1, form.rate)
        if not form.pcm:
            encoder.bit_rate = form.bit_rate * _BITS_BESIDE // AAC_BITS if beside else form.bit_rate
            encoder.options = _BESIDE if beside else {}
        self._encoder = encoder
        self._waiting = np.zeros((form.channels, 0), np.float32)
        # AAC begins with a packet before the first sample.
        self._made = first if form.pcm else first - 1
        self.packets: dict[int, Any] = {}
        self._wanted: dict[int, np.ndarray] = {}

    def add(self, samples: np.ndarray, joint: int = 0) -> None:
        """Append sound, float32 (channels, n), n >= 1024. It begins `joint` samples after the end
        of what was given before, -1023..1023: one sound fades into the other meanwhile, both
        mirrored where there is a gap."""
        before, count = self._waiting, abs(joint)
        if count:
            rise = (np.arange(count, dtype=np.float32) + 0.5) / count
            ending, starting = before[:, -count:], samples[:, :count]
            if joint > 0:
                ending, starting = ending[:, ::-1], starting[:, ::-1]
            else:
                before, samples = before[:, :-count], samples[:, count:]
            before = np.concatenate([before, ending * (1 - rise) + starting * rise], axis=1)
        self._waiting = np.concatenate([before, samples], axis=1)
        self._encode(keep=PACKET)

    def finish(self) -> None:
        """Encode all whole packets of what was given."""
        self._encode(keep=0)

    def end(self) -> None:
        """Encode the rest. The last packet is as long as what is left for it."""
        self.finish()
        rest = self._waiting.shape[1]
        if rest:
            self._give(self._waiting)
            silence = np.zeros((self._form.channels, PACKET - rest), np.float32)
            self._wanted[self.next - 1] = np.concatenate([self._waiting, silence], axis=1)
        self._take(self._encoder.encode(None))
        last = self.next - 1
        self.packets = {number: each for number, each in self.packets.items() if number <= last}
        if rest:
            self.packets[last].duration = rest

    def _encode(self, keep: int) -> None:
        while self._waiting.shape[1] >= PACKET + keep:
            block, self._waiting = self._waiting[:, :PACKET], self._waiting[:, PACKET:]
            self._give(block)

    def _give(self, block: np.ndarray) -> None:
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "fltp", self._form.layout)
        frame.sample_rate = self._form.rate
        frame.time_base, frame.pts = Fraction(1, self._form.rate), self.next * PACKET
        self._wanted[self.next] = block
        self._wanted.pop(self.next - _KEPT, None)
        self.next += 1
        for ready in self._convert.resample(frame):
            self._take(self._encoder.encode(ready))

    def _take(self, packets: Sequence[Any]) -> None:
        for packet in packets:
            packet.duration = PACKET
            self.packets[self._made] = packet
            self._made += 1

    def fits(self, number: int, film: Sequence[Any]) -> bool:
        """Whether of three packets of the `film` the second, which is its packet `number`, and the
        third sound as they should: hardly worse than if all three were of this run."""
        wanted = np.stack([self._wanted[number], self._wanted[number + 1]])
        plain = self._heard([self.packets[number + each] for each in (-1, 0, 1)])
        found = self._heard(film)
        if plain is None or found is None:
            return False
        low = _NOISE * PACKET // self._form.rate
        whole = _spectrum(wanted)
        error, usual = _spectrum(found - wanted), _spectrum(plain - wanted)
        floor = _FLOOR * whole.sum(-1) + _SILENCE
        high, usually = _spectrum(found)[:, low:].sum(-1), whole[:, low:].sum(-1)
        return bool(
            np.all(error[:, :low].sum(-1) <= _ERROR * usual[:, :low].sum(-1) + floor)
            and np.all(high <= _POWER * usually + floor)
            and np.all(usually <= _POWER * high + floor)
        )

    def _heard(self, packets: Sequence[Any]) -> np.ndarray | None:
        """What is heard of all packets but the first, float32 (packets, channels, samples)."""
        decoder: Any = av.CodecContext.create("aac", "r")
        decoder.extradata = config(self._form.rate, self._form.channels)
        try:
            frames = [frame for each in packets for frame in decoder.decode(av.Packet(bytes(each)))]
        except av.FFmpegError:
            return None
        arrays = [frame.to_ndarray() for frame in frames[1:]]
        form = (self._form.channels, PACKET)
        return np.stack(arrays) if [each.shape for each in arrays] == [form, form] else None


def _spectrum(sound: np.ndarray) -> np.ndarray:
    """The power of each frequency, float (packets, frequencies), of all channels."""
    power: np.ndarray = np.abs(np.fft.rfft(sound * np.hanning(PACKET), norm="ortho")) ** 2
    summed: np.ndarray = power.sum(axis=1)
    return summed
