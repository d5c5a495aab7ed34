"""The four forms of a shot list -> records: what each shot says, and where it stands.

Records come one after the other: of a long list, no more is held than its text.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, Union

from ..texts import nearest

Form = Literal["csv", "json", "jsonl", "text"]
_ENDINGS: Mapping[str, Form] = {
    "csv": "csv",
    "tsv": "csv",
    "json": "json",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "txt": "text",
    "md": "text",
}
_DELIMITERS = ",;\t|"
LONGEST_COLUMN = 2  # words of the name of a column, in a text that may be none
_RULE = re.compile(r"\s{0,9}:?-{1,99}:?\s{0,9}")  # a cell below the names of columns, in Markdown
_NO_DELIMITER = "\x1f"  # in a table of one column, whose prompts may hold commas
_LENGTH = re.compile(
    r"\s{0,9}([+-]?[\d.,]{1,9})\s{0,9}(?:seconds|sec|s)\s{0,9}[:\uff1a]\s*", re.IGNORECASE
)
_BLANKS = re.compile(r"[ \t\r\n]*")
_LIKE_JSON = 'It looks like {"defaults": {...}, "shots": [{"prompt": "..."}]}.'


@dataclass(frozen=True)
class Record:
    """What one shot says: values by the names that are written. `line` counts from 1, `place` is
    the shot in words. `columns` tells how a name is called where that is more than the name, and
    `line_of` the line of a name, where that is another. With `defaults` it speaks of all shots that
    follow."""

    place: str
    line: int
    values: Mapping[Any, Any]
    columns: Mapping[str, str] = field(default_factory=dict)
    line_of: Callable[[str], int] | None = None
    defaults: bool = False


class Unreadable(Exception):
    """What is not of its form at `line`: what is wrong, and what to do. `shot` is its number, from
    1, where it is told by that too."""

    def __init__(
        self, line: int, text: str, hint: str = "", column: str = "", shot: int = 0
    ) -> None:
        super().__init__(text)
        self.line, self.text, self.hint, self.column = line, text, hint, column
        self.shot = shot


Found: TypeAlias = Union[Record, Unreadable]
"""An Unreadable that is found, not raised, is a mistake after which reading goes on."""


def decoded(data: bytes) -> str:
    """The text of a file, in UTF-8 or, with its mark, in UTF-16. Raises Unreadable."""
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return data.decode("utf-16" if marked else "utf-8-sig")
    except UnicodeDecodeError as error:
        if b"\0" in data and not marked:
            raise Unreadable(
                1,
                "The file is no text.",
                "A list of shots is CSV, JSON, JSONL or plain text, in UTF-8; save a spreadsheet "
                "as CSV UTF-8.",
            ) from None
        raise Unreadable(
            data.count(b"\n", 0, error.start) + 1,
            "The file is not UTF-8, so that its letters cannot be told.",
            "Save it as UTF-8 (in Excel: CSV UTF-8; in LibreOffice: character set UTF-8).",
        ) from None


def form_of(name: str, text: str) -> Form:
    """The form of a text, by the ending of the file's name or else by how it begins."""
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    start = text.lstrip("\ufeff \t\r\n")
    if ending in _ENDINGS:
        # Spreadsheets save tables as .txt too, of which all would be one prompt.
        return "csv" if _ENDINGS[ending] == "text" and _is_table(start) else _ENDINGS[ending]
    head = start.partition("\n")[0].strip()
    if start.startswith("["):
        return "json"
    if start.startswith("{"):
        try:
            whole = isinstance(json.loads(head), dict) and start.strip() != head
        except (ValueError, RecursionError):
            whole = False
        return "jsonl" if whole else "json"
    return "csv" if _is_table(start) else "text"


def _is_table(text: str) -> bool:
    """Whether a text begins with the names of columns, or has lines of as many cells between
    tabulators."""
    lines = (line.strip() for line in _lines(text) if line.strip())
    head, second = next(lines, ""), next(lines, "")
    if head.count("\t") and head.count("\t") == second.count("\t"):
        return True
    cells = [each.strip().strip('"').lower() for each in re.split(r"[,;\t|]", head.strip("|"))]
    words = max(len(each.split()) for each in cells)
    return len(cells) > 1 and words <= LONGEST_COLUMN and "prompt" in cells


def records_of(text: str, form: Form) -> Iterator[Found]:
    """What each shot of a text says, in order. Raises Unreadable, also midway, where it cannot go
    on."""
    read = {"csv": _csv, "json": _json, "jsonl": _jsonl, "text": _text}[form]
    return read(text.removeprefix("\ufeff"))


def _lines(text: str) -> Iterator[str]:
    """The lines of a text with their ends, one after the other."""
    at = 0
    while at < len(text):
        end = text.find("\n", at) + 1 or len(text)
        yield text[at:end]
        at = end


# -------------------------------------------------------------------------------------------- CSV


def _csv(text: str) -> Iterator[Found]:
    if "\n" not in text:
        text = text.replace("\r", "\n")  # an old Macintosh's
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise Unreadable(line, "The file holds a NUL, which no text has.", "Save it as CSV again.")
    first = next((line for line in _lines(text) if line.strip(" \t\r\n,;|")), "")
    told = re.fullmatch(r'"?sep=(.)"?\s*', first)  # which Excel writes and reads
    delimiter = told[1] if told else _delimiter(first)
    header: list[str] = []
    columns: dict[str, str] = {}
    for line, row in _rows(text, delimiter):
        if not any(cell.strip() for cell in row):
            continue
        if not header and not (told and row[0].startswith("sep=")):
            header = _header(row, line, delimiter)
            columns = {
                name: f"column {name} ({_letter(number)})" for number, name in enumerate(header)
            }
        elif header and delimiter == "|" and all(_RULE.fullmatch(cell) for cell in row if cell):
            continue
        elif header and any(cell.strip() for cell in row[len(header) :]):
            yield Unreadable(
                line,
                f"The line has {len(row)} cells, and the first one names {len(header)} columns.",
                f"A cell that holds {delimiter!r} stands in quotation marks.",
            )
        elif header:
            if delimiter == "|":  # people and chats put blanks around it
                row = [cell.strip() for cell in row]
            values = {name: cell for name, cell in zip(header, row) if name}
            yield Record(f"line {line}", line, values, columns)


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows, each with the number of its first line."""
    if delimiter == "\t" and _is_unquoted(text):
        rows = csv.reader(_lines(text), delimiter=delimiter, quoting=csv.QUOTE_NONE)
    else:
        rows = csv.reader(_lines(text), delimiter=delimiter, strict=True)
    while True:
        line = rows.line_num + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise Unreadable(
                line,
                f"The line cannot be read: {error}.",
                'A quotation mark inside a cell is written twice (""), and the cell stands in '
                "quotation marks.",
            ) from None
        if row is None:
            return
        yield line, row


def _is_unquoted(text: str) -> bool:
    """Whether quotation marks are letters in a text of cells between tabulators, as Google Sheets
    writes it: it cannot be read otherwise, and each of its lines has as many cells."""
    if '"' not in text or len({line.count("\t") for line in _lines(text) if line.strip()}) > 1:
        return False
    try:
        for _ in csv.reader(_lines(text), delimiter="\t", strict=True):
            pass
    except csv.Error:
        return True
    return False


def _delimiter(head: str) -> str:
    """That of the first line; what stands in quotation marks does not count."""
    bare = "".join(head.split('"')[::2])
    best = max(_DELIMITERS, key=bare.count)
    return best if best in bare else _NO_DELIMITER


def _header(row: list[str], line: int, delimiter: str) -> list[str]:
    header = [cell.strip() for cell in row]
    named = [name.lower() for name in header if name]
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice is not None:
        raise Unreadable(line, f"Two columns are called {twice!r}.", "Rename or remove one.")
    if not any(
        name.strip("-") in ("prompt", "image", "video", "reference", "references") for name in named
    ):
        sep = "," if delimiter == _NO_DELIMITER else delimiter
        meant = next(filter(_is_nearly_prompt, header), None)
        near = f"Is it {meant!r} (column {_letter(header.index(meant))})? " if meant else ""
        raise Unreadable(
            line,
            "The first line must name the columns, and none of them is prompt.",
            f"{near}It looks like: {sep.join(('name', 'prompt', 'duration'))}",
        )
    return header


def _is_nearly_prompt(name: str) -> bool:
    return "prompt" in name.lower() or bool(nearest(name, ["prompt"]))


def _letter(number: int) -> str:
    """What a spreadsheet calls a column, counting from 0: A, B, ... Z, AA."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


# ------------------------------------------------------------------------------------------- JSON

_decoder = json.JSONDecoder()


class _Cursor:
    """A place in a JSON text, which is read value by value. It only goes on."""

    def __init__(self, text: str, at: int = 0) -> None:
        self.text, self.at = text, at
        self._counted, self._line = 0, 1

    @property
    def line(self) -> int:
        """The line of the place, from 1."""
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def skip(self) -> str:
        """Go to the next letter that is no blank; returns it, empty at the end."""
        blanks = _BLANKS.match(self.text, self.at)
        self.at = blanks.end() if blanks else self.at
        return self.text[self.at : self.at + 1]

    def take(self, letters: str) -> str:
        """The next letter, which must be one of `letters`."""
        found = self.skip()
        if not found or found not in letters:
            what = repr(found) if found else "the end"
            raise self.wrong(f"there is {what} where {' or '.join(letters)} is expected")
        self.at += 1
        return found

    def value(self) -> Any:
        """The next value, whole."""
        self.skip()
        try:
            found, self.at = _decoder.raw_decode(self.text, self.at)
        except json.JSONDecodeError as error:
            self.at = max(error.pos, self.at)
            raise self.wrong(error.msg) from None
        except (RecursionError, ValueError) as error:
            raise self.wrong(str(error)) from None
        return found

    def items(self) -> Iterator[int]:
        """Before each item of a list, its line; whoever asks takes the item."""
        self.take("[")
        while self.skip() != "]":
            yield self.line
            if self.skip() != "]":
                self.take(",")
        self.at += 1

    def wrong(self, words: str) -> Unreadable:
        """The error for what stands here."""
        letter = self.at - self.text.rfind("\n", 0, self.at)
        return Unreadable(self.line, f"It is not JSON here: {words}.", "", f"letter {letter}")


def _json(text: str) -> Iterator[Found]:
    cursor = _Cursor(text)
    if cursor.skip() == "[":
        yield from _shots(cursor)
        _end(cursor)
        return
    shots: int | None = None
    cursor.take("{")
    while cursor.skip() != "}":
        line, name = cursor.line, cursor.value()
        cursor.take(":")
        if name == "shots" and cursor.skip() == "[":
            shots = cursor.at
            for number, _ in enumerate(cursor.items(), start=1):  # the defaults may stand below
                _value(cursor, number)
        elif name == "defaults" and cursor.skip() == "{":
            yield Record("the defaults", line, cursor.value(), {}, None, defaults=True)
        else:
            cursor.value()
            yield Unreadable(line, f"There is no {str(name)[:40]!r} here.", _LIKE_JSON)
        if cursor.skip() != "}":
            cursor.take(",")
    cursor.at += 1
    _end(cursor)
    if shots is None:
        raise Unreadable(1, "It has no list of shots.", _LIKE_JSON)
    yield from _shots(_Cursor(text, shots))


def _end(cursor: _Cursor) -> None:
    if cursor.skip():
        raise cursor.wrong("something stands after its end")


def _shots(cursor: _Cursor) -> Iterator[Found]:
    for number, line in enumerate(cursor.items(), start=1):
        begin = cursor.at
        value = _value(cursor, number)
        own = cursor.text[begin : cursor.at]

        def line_of(name: str, own: str = own, line: int = line) -> int:
            return line + own.count("\n", 0, max(own.find(json.dumps(name)), 0))

        found = _record(value, f"shot {number}", line, line_of)
        if isinstance(found, Unreadable):
            found.shot = number
        yield found


def _value(cursor: _Cursor, number: int) -> Any:
    """The next value, which is that of a shot."""
    try:
        return cursor.value()
    except Unreadable as error:
        error.shot = number
        raise


def _record(
    value: Any, place: str, line: int, line_of: Callable[[str], int] | None = None
) -> Found:
    if isinstance(value, str):
        value = {"prompt": value}
    if not isinstance(value, dict):
        return Unreadable(line, "A shot must be an object.", 'It looks like {"prompt": "..."}.')
    return Record(place, line, value, {}, line_of)


def _jsonl(text: str) -> Iterator[Found]:
    for number, line in enumerate(_lines(text), start=1):
        if not line.strip():
            continue
        cursor = _Cursor(line)
        try:
            value = cursor.value()
            _end(cursor)
        except Unreadable as error:
            yield Unreadable(number, error.text, "Each line is one JSON object.", error.column)
            continue
        defaults = value.get("defaults") if isinstance(value, dict) else None
        if isinstance(defaults, dict) and len(value) == 1:
            yield Record(f"line {number}", number, defaults, {}, None, defaults=True)
        else:
            yield _record(value, f"line {number}", number)


# ------------------------------------------------------------------------------------- plain text


def _text(text: str) -> Iterator[Found]:
    """A shot a paragraph. Its lines are joined: to wrap them otherwise makes no other order."""
    name, name_line = "", 0
    for line, paragraph in _paragraphs(text):
        heading = paragraph[0].lstrip("#").strip() if paragraph[0].startswith("#") else ""
        if heading:
            if name:
                yield _no_shot(name, name_line)
            name, name_line, paragraph = heading, line, paragraph[1:]
            if not paragraph:
                continue  # a blank line stands between the name and its shot
        words = " ".join(paragraph)
        values: dict[str, Any] = {"name": name} if name else {}
        if length := _LENGTH.match(words):
            values["duration"] = length[1]
            words = words[length.end() :]
        yield Record(f"line {line}", line, {**values, "prompt": words})
        name = ""
    if name:
        yield _no_shot(name, name_line)


def _no_shot(name: str, line: int) -> Unreadable:
    return Unreadable(line, f"There is no shot below the name {name[:40]!r}.", "Write its prompt.")


def _paragraphs(text: str) -> Iterator[tuple[int, list[str]]]:
    """The paragraphs of a text, each with the number of its first line."""
    paragraph: list[str] = []
    first = 0
    for number, line in enumerate(_lines(text), start=1):
        if line.strip():
            first = first if paragraph else number
            paragraph.append(line.strip())
        elif paragraph:
            yield first, paragraph
            paragraph = []
    if paragraph:
        yield first, paragraph
