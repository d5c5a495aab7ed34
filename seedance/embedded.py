"""Texts inside MP4 and PNG files, such as ComfyUI's graph: put in and left out again, by bytes.

Pictures and sound are never touched. Of an MP4 only its index (`moov`) is written anew: the texts
stand there as ffmpeg writes them with `use_metadata_tags`, under `moov/udta/meta`, and where the
index grows before the media, the places that it names move by as much. What was put in can be left
out again, to the byte, so that a clip is the same clip whatever graph was put into it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

BLOCK = 1 << 20  # bytes read at once
LARGEST_INDEX = 64 << 20  # bytes of `moov`
LARGEST_TEXTS = 32 << 20  # bytes of all texts together
MOST_BOXES = 10_000  # beside each other
_DEEPEST = len(("moov", "trak", "mdia", "minf", "stbl"))

# The last of the keys that were put in; its value is how many of ours stand before it.
MARK = "seedance.added"
_MARK = MARK.encode()
_PNG = b"\x89PNG\r\n\x1a\n"
_AFTER_IHDR = len(_PNG) + 4 + 4 + 13 + 4
_TABLES = {b"stco": ">I", b"co64": ">Q"}  # of places in the file
_HOLDS_TABLES = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
# What may stand beside the index. Whatever else there is may name places in the file.
_KNOWN = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"uuid", b"pdin"}
_NAMES_PLACES = {b"mvex", b"saio", b"meta", b"meco"}  # in a box that holds tables
_C2PA = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")

Box = tuple[bytes, bytes]  # its type, and what is in it


class _Unfit(Exception):
    """A file that is not one of those that texts are put into."""


# ------------------------------------------------------------------------------------------- files


def has_manifest(path: Path) -> bool:
    """Whether a video or picture says by C2PA where it is from: one changed byte would make that
    untrue. Raises OSError."""
    with path.open("rb") as file:
        if file.read(len(_PNG)) == _PNG:
            return any(kind == b"caBX" for kind, _ in _chunks(file))
        with contextlib.suppress(_Unfit):
            for part in _parts(file):
                if part.kind == b"uuid":
                    file.seek(part.start + part.header)
                    identity = file.read(16)
                    if identity == _C2PA or (
                        identity == _XMP and b"provenance" in _rest(file, part)
                    ):
                        return True
    return False


def put_into_mp4(source: Path, target: Path, texts: Mapping[str, str]) -> bool:
    """Write `source` with the texts as `target`; False, and no target, for a file that does not let
    them in without a change to pictures and sound. Raises OSError."""
    items = {name.encode(): text.encode() for name, text in texts.items()}
    if sum(map(len, items.values())) > LARGEST_TEXTS:
        return False
    with source.open("rb") as file:
        try:
            pieces = _rewritten(file, lambda boxes: _with(boxes, items))
        except _Unfit:
            return False
        with target.open("xb") as out:
            for piece in pieces:
                out.write(piece)
    return True


def put_into_png(data: bytes, texts: Mapping[str, str]) -> bytes | None:
    """A PNG with the texts, behind its first chunk; None for anything else, and for a text that is
    not ASCII."""
    whole = data.startswith(_PNG) and data[12:16] == b"IHDR" and len(data) > _AFTER_IHDR
    if not whole or not all(text.isascii() for text in texts.values()):
        return None
    items = {name.encode(): text.encode() for name, text in texts.items()}
    items[_MARK] = str(len(texts)).encode()
    made = b""
    for name, text in items.items():
        body = b"tEXt" + name + b"\0" + text
        made += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:_AFTER_IHDR] + made + data[_AFTER_IHDR:]


def without(source: Path | bytes) -> Iterator[bytes] | None:
    """The bytes of an MP4 or a PNG as they were before texts were put in; None where none were, in
    a file of another kind for instance. Raises OSError."""
    file: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    with contextlib.ExitStack() as stack:
        stack.enter_context(file)
        is_png = file.read(len(_PNG)) == _PNG
        try:
            pieces = _png_without(file) if is_png else _rewritten(file, _without)
        except _Unfit:
            return None
        return _closing(stack.pop_all(), pieces)


def digest(source: Path | bytes, prefix: bytes = b"") -> str:
    """The SHA-256 of `prefix` and a file as it was before texts were put in, as 64 hex digits.
    Raises OSError."""
    sha = hashlib.sha256(prefix)
    for piece in without(source) or _whole(source):
        sha.update(piece)
    return sha.hexdigest()


def _whole(source: Path | bytes) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def _closing(file: contextlib.ExitStack, pieces: Iterator[bytes]) -> Iterator[bytes]:
    with file:
        yield from pieces


# ----------------------------------------------------------------------------------- an MP4's parts


@dataclass(frozen=True)
class _Part:
    """A box at the top of a file: where it starts, how long its header is, where it ends."""

    kind: bytes
    start: int
    header: int
    end: int


def _parts(file: BinaryIO) -> Iterator[_Part]:
    """The boxes at the top of a file. Raises _Unfit where there are none."""
    length = file.seek(0, io.SEEK_END)
    start = count = 0
    while start < length:
        count += 1
        file.seek(start)
        head = file.read(16)
        if len(head) < 8 or count > MOST_BOXES:
            raise _Unfit
        size, kind, header = int.from_bytes(head[:4], "big"), head[4:8], 8
        if size == 1:
            size, header = int.from_bytes(head[8:16], "big"), 16
        end = length if size == 0 else start + size
        if end < start + header or end > length or (start == 0 and kind not in _KNOWN):
            raise _Unfit
        yield _Part(kind, start, header, end)
        start = end


def _rest(file: BinaryIO, part: _Part) -> bytes:
    """What is left to read of a small box."""
    return file.read(min(part.end - file.tell(), 1 << 20))


def _rewritten(file: BinaryIO, change: Callable[[list[Box]], list[Box]]) -> Iterator[bytes]:
    """The bytes of a file, with the boxes of its index changed. Raises _Unfit."""
    parts = list(_parts(file))
    indexes = [part for part in parts if part.kind == b"moov"]
    if len(indexes) != 1 or {part.kind for part in parts} - _KNOWN:
        raise _Unfit
    (old,) = indexes
    if old.header != 8 or old.end - old.start > LARGEST_INDEX:
        raise _Unfit
    file.seek(old.start + old.header)
    body = file.read(old.end - old.start - old.header)
    new = _join([(b"moov", _join(change(_split(body))))])
    growth = len(new) - (old.end - old.start)
    new = _moved(new, old.end, growth)
    return _pieces(file, old, new)


def _pieces(file: BinaryIO, old: _Part, new: bytes) -> Iterator[bytes]:
    file.seek(0)
    yield from _blocks(file, old.start)
    yield new
    file.seek(old.end)
    yield from _blocks(file, file.seek(0, io.SEEK_END) - file.seek(old.end))


def _blocks(file: BinaryIO, count: int) -> Iterator[bytes]:
    while count > 0 and (block := file.read(min(BLOCK, count))):
        count -= len(block)
        yield block


def _split(body: bytes) -> list[Box]:
    """The boxes in a box. Raises _Unfit for what is not boxes alone."""
    found: list[Box] = []
    start = 0
    while start < len(body):
        size = int.from_bytes(body[start : start + 4], "big")
        if size < 8 or start + size > len(body) or len(found) >= MOST_BOXES:
            raise _Unfit
        found.append((body[start + 4 : start + 8], body[start + 8 : start + size]))
        start += size
    return found


def _join(boxes: list[Box]) -> bytes:
    return b"".join(struct.pack(">I", len(body) + 8) + kind + body for kind, body in boxes)


def _moved(moov: bytes, after: int, by: int) -> bytes:
    """The index with each place at or behind `after` moved by so many bytes. Raises _Unfit where
    places are named that are not known here."""
    made = bytearray(moov)

    def walk(start: int, end: int, depth: int = 1) -> None:
        while start < end:
            size = int.from_bytes(made[start : start + 4], "big")
            kind = bytes(made[start + 4 : start + 8])
            if size < 8 or start + size > end or depth > _DEEPEST + 1 or kind in _NAMES_PLACES:
                raise _Unfit
            if kind in _HOLDS_TABLES:
                walk(start + 8, start + size, depth + 1)
            elif kind in _TABLES:
                _move_table(made, start + 8, start + size, _TABLES[kind], after, by)
            start += size

    walk(0, len(made))
    return bytes(made)


def _move_table(made: bytearray, start: int, end: int, form: str, after: int, by: int) -> None:
    width = struct.calcsize(form)
    count = int.from_bytes(made[start + 4 : start + 8], "big")
    if start + 8 + count * width > end:
        raise _Unfit
    for place in range(start + 8, start + 8 + count * width, width):
        (value,) = struct.unpack_from(form, made, place)
        if value >= after:
            try:
                struct.pack_into(form, made, place, value + by)
            except struct.error:
                raise _Unfit from None


# ------------------------------------------------------------------------------- texts in the index


@dataclass(frozen=True)
class _Texts:
    """A `meta` box of the handler `mdta`: texts by key."""

    before: list[Box]  # what else is in the box; `keys` and `ilst` stand where they stood
    keys: list[bytes]  # each with its kind before it, as it is in the file
    items: list[Box]
    keys_head: bytes = bytes(4)

    @classmethod
    def empty(cls) -> _Texts:
        handler = bytes(8) + b"mdta" + bytes(12) + b"\0"
        return cls([(b"hdlr", handler), (b"keys", b""), (b"ilst", b"")], [], [])

    @classmethod
    def read(cls, meta: bytes) -> _Texts | None:
        """The texts of a `meta` box; None for one of another handler. Raises _Unfit."""
        if meta[:4] != bytes(4):
            raise _Unfit
        boxes = _split(meta[4:])
        found = dict(boxes)
        if len(found) != len(boxes) or found.get(b"hdlr", b"")[8:12] != b"mdta":
            return None
        if b"keys" not in found or b"ilst" not in found:
            raise _Unfit
        keys = _split(found[b"keys"][8:])
        count = int.from_bytes(found[b"keys"][4:8], "big")
        if count != len(keys):
            raise _Unfit
        names = [kind + name for kind, name in keys]
        return cls(boxes, names, _split(found[b"ilst"]), found[b"keys"][:4])

    def written(self) -> bytes:
        keys = _join([(key[:4], key[4:]) for key in self.keys])
        new = {
            b"keys": self.keys_head + struct.pack(">I", len(self.keys)) + keys,
            b"ilst": _join(self.items),
        }
        return bytes(4) + _join([(kind, new.get(kind, body)) for kind, body in self.before])

    def plus(self, texts: Mapping[bytes, bytes]) -> _Texts:
        if {b"mdta" + name for name in texts} & set(self.keys):
            raise _Unfit  # somebody else's
        keys, items = list(self.keys), list(self.items)
        for name, text in texts.items():
            keys.append(b"mdta" + name)
            value = struct.pack(">II", 1, 0) + text  # 1: UTF-8
            items.append((struct.pack(">I", len(keys)), _join([(b"data", value)])))
        return _Texts(self.before, keys, items, self.keys_head)

    def minus(self, count: int) -> _Texts:
        last = len(self.keys) - count
        items = [item for item in self.items if int.from_bytes(item[0], "big") <= last]
        return _Texts(self.before, self.keys[:last], items, self.keys_head)

    @property
    def added(self) -> int:
        """How many of the last keys were put in here, the mark among them."""
        if not self.keys or self.keys[-1] != b"mdta" + _MARK or not self.items:
            return 0
        count = self.items[-1][1][16:]
        number = int(count) + 1 if count.isdigit() and len(count) < 4 else 0
        return number if number <= len(self.keys) else 0


def _with(moov: list[Box], texts: Mapping[bytes, bytes]) -> list[Box]:
    """The boxes of an index with the texts. Raises _Unfit where they are not let in."""
    texts = {**texts, _MARK: str(len(texts)).encode()}
    return _changed(moov, lambda there: _plus(there, texts))


def _plus(there: _Texts | None, texts: Mapping[bytes, bytes]) -> _Texts:
    if there is not None and not there.keys:
        raise _Unfit  # nobody could tell whether the empty box was there before
    return (there or _Texts.empty()).plus(texts)


def _without(moov: list[Box]) -> list[Box]:
    """The boxes of an index as they were. Raises _Unfit where nothing was put in."""

    def less(there: _Texts | None) -> _Texts:
        if there is None or not there.added:
            raise _Unfit
        return there.minus(there.added)

    return _changed(moov, less)


def _changed(moov: list[Box], change: Callable[[_Texts | None], _Texts]) -> list[Box]:
    """The boxes of an index with other texts. Those are in the first `meta` of the first `udta`, as
    ComfyUI's page looks for them; both are made where they are missing, and left out when empty."""
    at = next((number for number, (kind, _) in enumerate(moov) if kind == b"udta"), len(moov))
    user = _split(moov[at][1]) if at < len(moov) else []
    if at < len(moov) and not user:
        raise _Unfit  # as above
    first = next((number for number, (kind, _) in enumerate(user) if kind == b"meta"), None)
    there = _Texts.read(user[first][1]) if first is not None else None
    made = change(there)
    new: list[Box] = [(b"meta", made.written())] if made.keys else []
    if there is None or first is None:
        user = [*new, *user]
    else:
        user = [*user[:first], *new, *user[first + 1 :]]
    return [*moov[:at], *([(b"udta", _join(user))] if user else []), *moov[at + 1 :]]


# ----------------------------------------------------------------------------------- a PNG's chunks


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and length of each chunk; the file is behind the signature."""
    while len(head := file.read(8)) == 8:
        length = int.from_bytes(head[:4], "big")
        yield head[4:], length
        file.seek(length + 4, io.SEEK_CUR)


def _png_without(file: BinaryIO) -> Iterator[bytes]:
    """The bytes of a PNG without the texts behind its first chunk. Raises _Unfit where there are
    none of ours."""
    file.seek(_AFTER_IHDR)
    count = 0
    while True:
        head = file.read(8)
        length = int.from_bytes(head[:4], "big")
        if head[4:] != b"tEXt" or length > LARGEST_TEXTS:
            raise _Unfit
        name, _, text = file.read(length).partition(b"\0")
        file.seek(4, io.SEEK_CUR)
        if name == _MARK:
            break
        count += 1
    if text != str(count).encode():
        raise _Unfit
    end = file.tell()
    return _png_pieces(file, end)


def _png_pieces(file: BinaryIO, end: int) -> Iterator[bytes]:
    file.seek(0)
    yield file.read(_AFTER_IHDR)
    file.seek(end)
    while block := file.read(BLOCK):
        yield block
