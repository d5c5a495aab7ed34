"""All names of this package, each from the file that has it. Loading this loads Pillow and PyAV."""

from .clip_blobs import clip_blob as clip_blob
from .clip_blobs import sound_blob as sound_blob
from .clips import convert_clip as convert_clip
from .clips import convert_sound as convert_sound
from .clips import write_clip as write_clip
from .colour_tags import tag_colour as tag_colour
from .frames import decode_frames as decode_frames
from .frames import iter_frames as iter_frames
from .frames import last_frame as last_frame
from .info import ClipInfo as ClipInfo
from .info import SoundInfo as SoundInfo
from .info import probe as probe
from .info import probe_sound as probe_sound
from .memory import Promise as Promise
from .memory import ensure_memory as ensure_memory
from .memory import frames_bytes as frames_bytes
from .picture_blobs import picture_blob as picture_blob
from .pictures import encode_png as encode_png
from .pictures import fit_cover as fit_cover
from .pictures import read_picture as read_picture
from .pictures import save_png as save_png
from .pictures import to_8bit as to_8bit
from .sounds import decode_audio as decode_audio
from .sounds import encode_wav as encode_wav
