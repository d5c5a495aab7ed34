"""The sound of a film of clips: each clip's own, from its first picture until its last one ends.

Packets of AAC are copied where the whole film can have them. Encoded are those around each joint,
and the whole sound of a clip whose packets cannot be copied. A film has a packet every 1024
samples, so the sound of a copied clip is moved by half a packet at most (10.7 ms at 48 kHz), always
measured from the time of its own pictures. Where this leaves a gap at a joint, the sounds on both
sides are mirrored into it; there, and where sounds overlap, one fades into the other. Where one
sound goes on from clip to clip, as in a film that was cut, nothing is moved, but encoded.

Where encoded packets meet copied ones, both describe the same sound, under windows that complement
each other. This is decoded, and compared with what is to be heard, before it is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np

from .aac import PACKET, RATES, config, slope
from .info import TAIL, open_media, sound_stream
from .sound_runs import Form, Run
from .sounds import Resampler, sound_frames
from .voices import Voice, lay

_LEAD = 2  # packets that the encoder is given before the first one that is used
_CHOICE = 3  # packets of a clip's end among which one is sought to which the encoded ones fit
_CALM = 8  # packets by which a copied part may end sooner, for a place where that is likely
_AHEAD = 2  # packets that an encoder looks ahead
_LEAST = 2 * (_CALM + _CHOICE + _LEAD)  # packets of a clip to copy; of fewer, all is encoded
_BLOCK = 4 * PACKET  # samples given to the encoder at once; a clip that may be moved has more
_FAR = 10**9


class SoundsUnlike(Exception):
    """Copied and encoded packets do not fit together: the whole sound must be encoded."""


@dataclass(frozen=True)
class Part:
    """A clip as a part of the film: `picture` is the time of its first picture in its file, `begin`
    and `end` are times of the film, in seconds. `voice` is None where it has no sound."""

    path: Path
    picture: Fraction
    begin: Fraction
    end: Fraction
    voice: Voice | None


@dataclass(frozen=True)
class _Place:
    """Where the sound of a part is, in samples of the film: from `first` to `last`, and `moved`. If
    it `copies`, its packet 0 is the film's `packet`, and the film's packets `low` to `high` are
    copied."""

    first: int
    last: int
    copies: bool = False
    moved: int = 0
    packet: int = 0
    low: int = 0
    high: int = 0


class FilmSound:
    """Writes the sound of all parts, in their order, into a container."""

    def __init__(self, container: Any, parts: Sequence[Part], pcm: bool, copy: bool) -> None:
        voices = [part.voice for part in parts if part.voice]
        rate, channels = max(v.rate for v in voices), max(v.channels for v in voices)
        layout = {1: "mono", 2: "stereo"}.get(channels)
        if layout is None:
            channels, layout = (8, "7.1") if channels > 6 else (6, "5.1")
        self._form = form = Form(rate if pcm else _aac_rate(rate), channels, layout, pcm)
        self._container, self._parts = container, parts
        self._stream: Any = container.add_stream(form.codec, rate=form.rate)
        self._stream.layout = layout
        if not pcm:
            self._stream.bit_rate = form.bit_rate
        self._places = _places(parts, form, copy and not pcm)
        self._unit = Fraction(1, form.rate)
        self._beside = any(place.copies for place in self._places)
        self._run = Run(form, 0, self._beside)
        self._next = 0 if pcm else -1  # the packet to be written
        self._before: dict[int, Any] = {}  # packets to be copied before the run, not yet written

    def of(self, number: int) -> Iterator[float]:
        """Write the sound of a part; yields until when that is done, in seconds, again and
        again. Raises SoundsUnlike."""
        part, place = self._parts[number], self._places[number]
        joint = place.moved - self._places[number - 1].moved if number else 0
        if place.copies:
            yield from self._copy(number, joint)
        else:
            sound = self._silence(place.first, place.last)
            if part.voice:
                self._decode(part, sound)
            yield from self._encode(sound, joint)
        if number == len(self._parts) - 1:
            self._run.end()
            self._write()

    # ---------------------------------------------------------------------------------- encoding

    def _encode(self, sound: np.ndarray, joint: int = 0, until: int = _FAR) -> Iterator[float]:
        while sound.shape[1]:
            block, sound = sound[:, :_BLOCK], sound[:, _BLOCK:]
            self._run.add(block, joint)
            joint = 0
            self._write(until)
            yield self._until()

    def _decode(self, part: Part, sound: np.ndarray) -> None:
        """Write the sound of a clip into an array of silence, each frame at its own time."""
        with open_media(part.path, pictures=False) as source:
            stream = sound_stream(source, part.path.name)
            if stream is None:
                return
            own = stream.codec_context.layout
            layout = own.name if own.nb_channels <= 2 else self._form.layout
            resample = Resampler(format="fltp", layout=layout, rate=self._form.rate)
            at: int | None = None
            for frame in sound_frames(source, stream, resample):
                samples = frame.to_ndarray()
                told = None
                if frame.pts is not None and frame.time_base:
                    told = round((frame.pts * frame.time_base - part.picture) * self._form.rate)
                if at is None or (told is not None and abs(told - at) > TAIL * self._form.rate):
                    at = told or 0
                lay(samples, sound, at)
                at += samples.shape[1]

    def _write(self, until: int = _FAR) -> None:
        """Write what the run has encoded, but for what comes from the packet `until` on."""
        if self._before and not self._enter():
            return
        while self._next < until and self._next in self._run.packets:
            self._mux(self._run.packets[self._next])
            self._run.packets.pop(self._next - 2 * _CHOICE, None)

    def _enter(self) -> bool:
        """Write the packets before the run, up to one that fits to the run; False: not yet."""
        made, last = self._run.packets, max(self._before)
        if last + _AHEAD not in made:
            return False
        for first in range(last + 1, last + 1 - _CHOICE, -1):
            film = [self._before[first - 1], made[first], made[first + 1]]
            if _meet(film[0], made[first - 1]) and self._run.fits(first, film):
                for number in range(self._next, first):
                    self._mux(self._before[number])
                self._before = {}
                return True
        raise SoundsUnlike

    def _leaves(self, last: int, packets: dict[int, Any]) -> bool:
        """Write the clip's `packets` from after the run's packet `last` on, if they fit to it."""
        made = self._run.packets
        film = [made[last], packets[last + 1], packets[last + 2]]
        if not (_meet(film[0], packets[last]) and self._run.fits(last + 1, film)):
            return False
        if self._next != last + 1:
            raise SoundsUnlike
        for number in range(self._next, max(packets) + 1):
            self._mux(packets[number])
        return True

    def _mux(self, packet: Any) -> None:
        packet.time_base = self._unit
        packet.pts = packet.dts = self._next * PACKET
        packet.stream = self._stream
        self._next += 1
        self._container.mux(packet)

    def _until(self) -> float:
        return self._next * PACKET / self._form.rate

    # ----------------------------------------------------------------------------------- copying

    def _copy(self, number: int, joint: int) -> Iterator[float]:
        """Write the sound of a part whose packets are copied: only its ends are decoded."""
        part, place = self._parts[number], self._places[number]
        begin = place.first + place.moved if number else 0
        final = number == len(self._parts) - 1
        end = place.last + (0 if final else place.moved)
        # Decoded are the packets until `head` at least, and those from `tail` on.
        head = place.low + 1 + _AHEAD
        tail = place.high + 1 - _CALM - _CHOICE - _LEAD
        sound, origin = self._silence(begin, (head + 1) * PACKET), begin
        packets: dict[int, Any] = {}  # not yet written
        copying = False
        with open_media(part.path, pictures=False) as source:
            stream = sound_stream(source, part.path.name)
            for at, packet in enumerate(_heard(source, stream), start=place.packet):
                if place.low - 1 <= at <= place.high:
                    packets[at] = packet
                if copying and at >= tail - 1:
                    self._lay(packet, at, place, sound, origin)
                if copying and at < tail:
                    self._mux(packets.pop(at))
                elif not copying:
                    if at >= tail - 1:
                        raise SoundsUnlike
                    self._lay(packet, at, place, sound, origin)
                    if at >= head:
                        last = at - 2 - _AHEAD
                        yield from self._encode(sound, joint, last + 1)
                        self._run.finish()
                        self._write(last + 1)
                        joint, origin = 0, (at + 1) * PACKET
                        sound = self._silence(origin, origin + PACKET)
                        copying = self._leaves(last, packets)
                        packets.pop(last, None)
                        if copying:
                            packets = {}
                            sound, origin = self._silence(tail * PACKET, end), tail * PACKET
                yield self._until()
        if sorted(packets) != list(range(tail, place.high + 1)):
            raise SoundsUnlike
        calm = (n for n in range(place.high, place.high - _CALM, -1) if _calm(packets, n))
        last = next(calm, place.high)
        first = last + 1 - _CHOICE - _LEAD
        for at in range(tail, first):
            self._mux(packets[at])
        self._before = {at: packets[at] for at in range(first, last + 1)}
        self._run = Run(self._form, first, self._beside)
        yield from self._encode(sound[:, (first - tail) * PACKET :])

    def _silence(self, first: int, last: int) -> np.ndarray:
        return np.zeros((self._form.channels, last - first), np.float32)

    def _lay(self, packet: Any, at: int, place: _Place, sound: np.ndarray, origin: int) -> None:
        """Decode the packet `at` of the film into an array that begins at the sample `origin`."""
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            raise SoundsUnlike from error
        for frame in frames:
            samples = frame.to_ndarray()
            whole = samples.shape == (len(sound), PACKET) and frame.sample_rate == self._form.rate
            if (not whole and place.low <= at <= place.high + 1) or len(samples) != len(sound):
                raise SoundsUnlike
            # Of a packet at the beginning, the end is heard.
            missing = PACKET - samples.shape[1] if at < place.low else 0
            lay(samples, sound, at * PACKET + missing - origin)


def _heard(source: Any, stream: Any) -> Iterator[Any]:
    return (packet for packet in source.demux(stream) if packet.size and packet.pts is not None)


def _meet(before: Any, other: Any) -> bool:
    """Whether what comes after one packet may come after another one."""
    found = slope(bytes(before))
    return found is not None and found == slope(bytes(other))


def _calm(packets: dict[int, Any], number: int) -> bool:
    """Whether an encoder would probably use the same windows here: the long one again."""
    window = slope(bytes(packets[number]))
    return window is not None and not window[0] and _meet(packets[number - 1], packets[number])


def _aac_rate(rate: int) -> int:
    """The sampling rate of AAC that holds all of a sound."""
    return min((each for each in RATES if each >= rate), default=max(RATES))


# ------------------------------------------------------------------------------------------ places


def _places(parts: Sequence[Part], form: Form, copy: bool) -> list[_Place]:
    spans = [(round(part.begin * form.rate), round(part.end * form.rate)) for part in parts]
    if not copy or any(last - first < _BLOCK for first, last in spans):
        return [_Place(*span) for span in spans]
    places = [_alone(part.voice, form, *span) for part, span in zip(parts, spans)]
    voices = [part.voice for part in parts]
    cut = [bool(one and other and one.goes_on_in(other)) for one, other in pairwise(voices)]
    found = True
    while found:  # what goes on from a clip that is not moved is not moved either
        found = False
        for number in range(len(cut)):
            before, after = places[number : number + 2]
            if cut[number] and before.moved != after.moved:
                places[number] = _Place(before.first, before.last)
                places[number + 1] = _Place(after.first, after.last)
                found = True
    moves = [place.moved for place in places]
    beside = zip([0, *moves], places, parts, [*moves[1:], 0])
    return [
        _between(place, part.voice, before, after) if place.copies and part.voice else place
        for before, place, part, after in beside
    ]


def _alone(voice: Voice | None, form: Form, first: int, last: int) -> _Place:
    """Where a part is, and whether it copies, whatever the parts beside it do."""
    still = _Place(first, last)
    if voice is None or voice.rate != form.rate or not voice.config:
        return still
    if voice.config != config(form.rate, form.channels):
        return still
    packet = round(Fraction(first + voice.first, PACKET))
    moved = packet * PACKET - first - voice.first
    place = _between(replace(still, moved=moved, packet=packet), voice, PACKET // 2, -PACKET // 2)
    return replace(place, copies=True) if place.high - place.low >= _LEAST else still


def _between(place: _Place, voice: Voice, before: int, after: int) -> _Place:
    """With the packets to copy between parts that are moved so much: each of these is heard
    together with its neighbours of the same clip, and nothing else is heard of it."""
    begin = place.first + max(before, place.moved)
    end = place.last + min(after, place.moved)
    return replace(
        place,
        low=max(-(-begin // PACKET), place.packet + voice.cut + 1),
        high=min(end // PACKET - 2, place.packet + voice.packets - 3),
    )
