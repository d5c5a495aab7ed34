"""A master in MOV: 4:4:4 pictures and PCM sound, saved under its own ending and read as it is."""

from __future__ import annotations

from pathlib import Path

import av
import fakes
import numpy as np
import pytest
from running import Desk

from seedance import media
from seedance.errors import BadOrder
from seedance.media.colour_tags import tag_colour
from seedance.media.completeness import check_complete


@pytest.fixture
def master(tmp_path: Path) -> Path:
    """An HD clip without colour tags, H.264 in 4:4:4 with PCM, in which one column is red: 4:2:0
    would smear it."""
    path = tmp_path / "master.mov"
    with av.open(str(path), "w", format="mov") as out:
        video = out.add_stream("libx264", rate=24, options={"qp": "0"})
        video.width, video.height, video.pix_fmt = 1280, 720, "yuv444p"
        sound = out.add_stream("pcm_s16le", rate=48000, layout="stereo")
        for number in range(24):
            y, u, v = np.full((3, 720, 1280), 128, np.uint8)
            v[:, 641] = 220
            frame = av.VideoFrame.from_ndarray(np.stack([y, u, v]), format="yuv444p")
            frame.pts = number
            out.mux(video.encode(frame))
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 96000), np.int16), "s16", "stereo")
        tone.sample_rate = 48000
        out.mux(sound.encode(tone))
        out.mux(video.encode(None))
        out.mux(sound.encode(None))
    return path


def codecs(path: Path) -> list[str]:
    with av.open(str(path)) as container:
        return [stream.codec_context.name for stream in container.streams]


def test_it_is_saved_as_mov_and_stays_what_it_is(tmp_path: Path, master: Path) -> None:
    with fakes.all()["byteplus"](clip=master.read_bytes(), polls_until_done=1) as fake:
        result = Desk(fake, tmp_path).video(model="seedance-2.5", output_format="mov")
        assert fake.sent("POST")[0].json["output_format"] == "mov"
    assert result.file.suffix == ".mov"
    assert codecs(result.file) == codecs(master) == ["h264", "pcm_s16le"]
    info = media.probe(result.file)
    assert (info.width, info.height, result.has_audio) == (1280, 720, True)


def test_no_tag_is_added_since_an_mp4_does_not_hold_its_sound(master: Path) -> None:
    before = master.read_bytes()
    assert not tag_colour(master)
    assert master.read_bytes() == before


def test_one_that_was_cut_off_is_noticed(master: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.mov"
    cut.write_bytes(master.read_bytes()[: master.stat().st_size // 2])
    with pytest.raises(BadOrder):
        check_complete(cut)


def test_colour_is_read_at_full_resolution(master: Path) -> None:
    frames = media.decode_frames(master)
    red = np.asarray(frames)[0, 360, :, 0]
    assert red[641] - red[640] > 0.3 and red[641] - red[642] > 0.3
