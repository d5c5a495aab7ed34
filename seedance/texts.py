"""Texts of strangers: cut to what their field can hold, and cleaned for whoever writes them.

A provider, the author of a workflow and the name of a file may say anything at any length. Each
such text is cut here when it comes in; what is cut off is counted. No function here takes more
than one step for each letter.
"""

from __future__ import annotations

import difflib
import json
import logging
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

# Letters, by what a field holds.
LONGEST_TEXT = 16_384  # any text in an answer: the longest is a signed address
LONGEST_ADDRESS = 4_096
LONGEST_MESSAGE = 4_000  # an error's message or hint, all that it quotes included
LONGEST_SENTENCE = 400  # what a provider says about an order
LONGEST_CODE = 100  # an error code, a field's location, a name of an account
LONGEST_NAME = 80  # a name of a field, a status word
LONGEST_PROMPT = 20_000  # the longest that any provider documents is 5000
LONGEST_NUMBER = 400  # digits; beyond that reading one takes more than a step a letter
LONGEST_LOG_LINE = 4_000
LONGEST_TRACEBACK = 20_000

# All control characters but ends of lines and tabulators.
_CONTROL = (*range(9), *range(11, 0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F))
_BLANKS = dict.fromkeys((*_CONTROL, *range(0x2066, 0x206A), 0x2028, 0x2029), " ")
_ADDRESS = re.compile(r"https?://[^\s\"'<>]+", re.IGNORECASE)


def cut(text: str, most: int) -> str:
    """`text`, or its beginning and how long it was: never more than `most` letters (at least 40)
    and that note."""
    if len(text) <= most:
        return text
    return f"{text[:most]}... ({len(text)} letters)"


def sentence(text: str, most: int = LONGEST_SENTENCE) -> str:
    """`text` on one line, with single blanks, cut to `most` letters."""
    # Cut before it is split, for the many words of a long text take many times its memory.
    return cut(" ".join(cut(text, 4 * most).split()), most)


def quoted(text: object, most: int = LONGEST_NAME) -> str:
    """`text` in quotation marks, for a message: its beginning, with escapes for odd letters."""
    return repr(str(text)[:most]) + ("..." if len(str(text)) > most else "")


def clean(text: object) -> str:
    """`text` on one line, for a log or a terminal: every letter that steers one, or turns the
    direction of others, becomes a blank."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text))


def clean_lines(text: str) -> str:
    """As `clean`, but ends of lines and tabulators stay."""
    return text.translate(_BLANKS)


# Also in wide and in small letters.
_FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20\u2212\ufe66\ufe62\ufe63\ufe6b"
_SEPARATORS = ",;|:\t\n"


def cell(value: object) -> object:
    """A cell of a table that no spreadsheet takes for a formula, whichever letter it splits at: an
    apostrophe stands before what looks like one, at the start and after each separator. Letters
    that steer a terminal are blanks. What is no text stays as it is."""
    if not isinstance(value, str):
        return value
    letters: list[str] = []
    begins = True  # nothing but what is not seen and quotation marks since the last separator
    for letter in clean_lines(value):
        letters += ["'", letter] if begins and letter in _FORMULA else [letter]
        unseen = letter.isspace() or not letter.isprintable()
        begins = letter in _SEPARATORS or (begins and (unseen or letter in "\"'"))
    return "".join(letters)


def shown(text: str, most: int = LONGEST_MESSAGE) -> str:
    """A message as it may be kept and shown: cut, without control characters, and each address
    ends at its question mark, since what follows may be a signature."""
    return clean_lines(_ADDRESS.sub(_unsigned, cut(text, most)))


def _unsigned(match: re.Match[str]) -> str:
    address, mark, signature = match[0].partition("?")
    return f"{address}?..." if mark and signature else match[0]


def number_in_words(value: int) -> str:
    """A number of a workflow, in words: Python writes none of thousands of digits."""
    return str(value) if abs(value) < 10**20 else "of more than 20 digits"


def counted(number: int, words: str) -> str:
    """`no pictures`, `1 picture`, `2 pictures`, from the plural."""
    return f"{number or 'no'} {words[:-1] if number == 1 else words}"


def did_you_mean(value: str, known: Iterable[str]) -> str:
    """A sentence that names the nearest of the values that there are; empty if none is near."""
    near = nearest(value, known)
    return f"Did you mean {near}? " if near else ""


def nearest(value: str, known: Iterable[str]) -> str:
    """The value that somebody may have meant, of those that there are; empty if none is near."""

    def plain(text: str) -> str:
        return "".join(filter(str.isalnum, text.lower().replace(":", "x")))

    by_form = {plain(each): each for each in known}
    near = difflib.get_close_matches(plain(value[:LONGEST_NAME]), by_form, 1, 0.8)
    return by_form[near[0]] if near else ""


def moment(time: datetime) -> str:
    """A point in time (UTC) as JSON and a person read it, in ISO 8601: `2026-11-29T08:36:54Z`."""
    return time.isoformat(timespec="seconds").replace("+00:00", "Z")


def json_in(text: str) -> list[Any]:
    """What an object or a list holds that a text has as JSON, at every depth: its texts, and an
    object `{name: None}` for each name, also for one that stands there twice. Empty for any other
    text. Raises RecursionError for one that is too deep to be read."""
    if not text.lstrip(" \t\r\n\ufeff").startswith(("{", "[", '"')):
        return []
    try:
        found = json.loads(text.strip("\ufeff"), object_pairs_hook=lambda pairs: pairs)
    except ValueError:
        return []
    flat: list[Any] = []
    todo = [found]
    while todo:
        value = todo.pop()
        if isinstance(value, list):
            todo += value
        elif isinstance(value, tuple):
            flat.append({value[0]: None})
            todo.append(value[1])
        elif isinstance(value, str) and value != text:
            flat.append(value)
    return flat


# ------------------------------------------------------------------------------------------- logs


def logger_of(name: str) -> logging.Logger:
    """The logger of a module of ours. Whatever is logged there is one line, cut and cleaned."""
    logger = logging.getLogger(name)
    logger.addFilter(_cleaned)  # adding it again changes nothing
    return logger


def _cleaned(record: logging.LogRecord) -> bool:
    """Clean a record in place, with its traceback, whose first line alone begins at the margin."""
    record.msg, record.args = clean(cut(_message(record), LONGEST_LOG_LINE)), ()
    if record.exc_info and not record.exc_text:
        record.exc_text = traceback_lines(logging.Formatter().formatException(record.exc_info))
    return True


def _message(record: logging.LogRecord) -> str:
    """The message of a record; the text alone where its values do not fit it."""
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return str(record.msg)


def traceback_lines(text: str) -> str:
    """A traceback for a log or a terminal: the end of it tells most, so that its middle is left
    out; all lines but the first are indented, so that none looks like a line of the log."""
    half = LONGEST_TRACEBACK // 2
    if len(text) > 2 * half:
        text = f"{text[:half]}\n... ({len(text)} letters) ...\n{text[-half:]}"
    return "\n    ".join(map(clean, text.split("\n")))
