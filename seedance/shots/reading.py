"""Shots of what a list says, checked.

A list is read whole before anything else happens: all of its mistakes are told at once, each with
its line, its column and what may have been meant. No medium is opened here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

from .. import options, providers
from ..errors import BadOrder
from ..fit import check_words
from ..order import MOST_TAKES, Medium, Order, kind_of_reference
from ..texts import did_you_mean, quoted, sentence
from .forms import Found, Record, Unreadable, decoded, form_of, records_of

FIELDS = ("name", "after", "takes", *options.NAMES)
MOST_BYTES = 64 * 2**20  # of a list
LONGEST_NAME = 80
MOST_SHOWN = 20  # mistakes in one message; `BadShots.problems` has all
MOST_LISTED = 2000  # files of a folder, among which one of nearly the same name is looked for

_BEGINNINGS = {"image", "references", "video"}  # what decides how a shot begins
_UNSEEN = Medium.stand_in("image")  # the last frame of a shot that is not made yet
# What file systems do not take in a name, or give a meaning to.
_NOT_IN_FILES = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_TAKEN = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Problem:
    """A mistake in a list: where it is (`line` from 1, 0 where there are no lines; `place` in
    words; `column`, empty for a whole shot), what is wrong and what would work."""

    place: str
    line: int
    column: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.place}, {self.column}" if self.column else self.place
        return f"{where[:1].upper()}{where[1:]}: {self.message} {self.hint}".rstrip()

    def as_dict(self) -> dict[str, Any]:
        """The JSON form: `{line, column, message, hint}`."""
        return {
            "line": self.line,
            "column": self.column,
            "message": self.message,
            "hint": self.hint,
        }


class BadShots(BadOrder):
    """A list with mistakes. Nothing was sent. `problems` has all of them, `name` is the list's, and
    `good` has the shots without any."""

    problems: tuple[Problem, ...] = ()
    name: str = ""
    good: tuple[Shot, ...] = ()

    @classmethod
    def of(cls, name: str, problems: Sequence[Problem], good: Sequence[Shot] = ()) -> BadShots:
        """The error for the list `name`."""
        count = len(problems)
        shown = [sentence(str(each)) for each in problems[:MOST_SHOWN]]
        if count > MOST_SHOWN:
            shown.append(f"... and {count - MOST_SHOWN} more.")
        words = "a mistake" if count == 1 else f"{count} mistakes"
        error = cls("\n".join([f"{name} has {words}; nothing was sent.", *shown]))
        error.problems, error.name, error.good = tuple(problems), name, tuple(good)
        return error

    def as_dict(self) -> dict[str, Any]:
        """As of any error, with `problems`."""
        return {**super().as_dict(), "problems": [each.as_dict() for each in self.problems]}


@dataclass(frozen=True)
class Shot:
    """One shot of a list: a name that no other has, its options as `options.order_of` takes them,
    and `after`, the name of the earlier shot on whose last frame it starts. `number` counts from
    1; `line` is where it stands in its list, 0 where there are no lines."""

    number: int
    name: str
    values: Mapping[str, Any]
    takes: int = 1
    after: str | None = None
    line: int = 0

    def order(self, first_frame: Medium | None = None) -> Order:
        """The order of its first take. `first_frame` is the last frame of the shot that it
        follows; without it, of such a shot, the order can be checked and priced, not sent."""
        values = dict(self.values)
        if self.after is not None:
            values["image"] = first_frame or _UNSEEN
        return options.order_of(values)

    @property
    def ratio(self) -> str:
        """The ratio of its order."""
        media = self.after is not None or self.values.keys() & {*_BEGINNINGS, "last_image"}
        return str(self.values.get("ratio") or ("adaptive" if media else "16:9"))

    @property
    def stem(self) -> str:
        """Its name as that of a file, without an ending."""
        return file_stem(self.name)


def file_stem(name: str) -> str:
    """A name as that of a file: what no file system takes is `_`."""
    stem = _NOT_IN_FILES.sub("_", name).rstrip(". ").lstrip(" ") or "_"
    stem = f"_{stem}" if stem.startswith((".", "-")) or _TAKEN.fullmatch(stem) else stem
    return stem.encode()[:200].decode(errors="ignore")


# ---------------------------------------------------------------------------------------- reading


def read_file(path: Path, *, defaults: Mapping[str, Any] | None = None) -> list[Shot]:
    """The shots of a file, whose relative files are beside it. `defaults` are options, as people
    write them, for shots that say nothing about them, nor do the defaults of the list itself.

    Raises BadOrder for a file that cannot be read, BadShots for one with mistakes.
    """
    try:
        if path.is_dir():
            raise BadOrder(
                f"{path} is a folder.",
                hint="Give the name of a list of shots: CSV, JSON, JSONL or plain text.",
            )
        if path.stat().st_size > MOST_BYTES:
            raise BadOrder(
                f"{path} is larger than {MOST_BYTES >> 20} MiB, which no list of shots is.",
                hint="Split it, or check that it is the right file.",
            )
        data = path.read_bytes()
    except OSError as error:
        hint = _near_file(path) if isinstance(error, FileNotFoundError) else ""
        raise BadOrder(f"{path} cannot be read: {error.strerror}.", hint=hint) from error
    reader = _Reader(path.absolute().parent, defaults)
    try:
        text = decoded(data)
    except Unreadable as error:
        reader.note(error)
        return reader.end(path.name)
    return reader.read(records_of(text, form_of(path.name, text)), path.name)


def read_text(
    text: str,
    *,
    folder: Path | None = None,
    defaults: Mapping[str, Any] | None = None,
    chain: bool = False,
    image: Medium | None = None,
    name: str = "The list of shots",
) -> list[Shot]:
    """The shots of a text of any of the four forms. Relative files are in `folder`; None allows
    addresses alone, for texts of strangers. With `chain`, each shot follows the one before, unless
    it has pictures or clips of its own. `image` is the first frame of the first shot.

    Raises BadShots for a text with mistakes.
    """
    reader = _Reader(folder, defaults, files=folder is not None, chain=chain, image=image)
    return reader.read(records_of(text, form_of("", text)), name)


def read_records(
    records: Iterable[Any],
    *,
    defaults: Mapping[str, Any] | None = None,
    convert: Callable[[str, Any], Any] | None = None,
    name: str = "The list of shots",
) -> list[Shot]:
    """The shots of mappings from option to value, as a program has them; a text is a prompt.
    `convert(option, value)` makes Media of pictures and clips that are no texts.

    Raises BadShots for mistakes.
    """
    reader = _Reader(Path.cwd(), defaults, convert=convert)
    found = (
        Record(f"shot {number}", 0, each if isinstance(each, Mapping) else {"prompt": each})
        for number, each in enumerate(records, start=1)
    )
    return reader.read(found, name)


class _Reader:
    """Makes shots of records, and collects what is wrong with them."""

    def __init__(
        self,
        folder: Path | None,
        defaults: Mapping[str, Any] | None = None,
        *,
        files: bool = True,
        chain: bool = False,
        image: Medium | None = None,
        convert: Callable[[str, Any], Any] | None = None,
    ) -> None:
        self._shots: list[Shot] = []
        self._good: list[Shot] = []  # those without a mistake
        self._problems: list[Problem] = []
        self._folder, self._files, self._chain = folder, files, chain
        self._image, self._convert = image, convert
        self._defaults: dict[str, Any] = {}
        self._by_name: dict[str, Shot] = {}
        self._stems: dict[str, str] = {}  # and where each was first
        self._unknown: set[str] = set()
        self._media: dict[tuple[str, str], Medium] = {}  # a file that many shots use is one medium
        self._providers = (providers.AUTO, *providers.ids())
        self._note_defaults(Record("the defaults", 0, dict(defaults or {})))

    def read(self, records: Iterable[Found], name: str) -> list[Shot]:
        """The shots of all records. Raises BadShots where any has a mistake."""
        try:
            for record in records:
                if isinstance(record, Unreadable):
                    self.note(record)
                elif record.defaults:
                    self._note_defaults(record)
                else:
                    self._add(record)
        except Unreadable as error:
            self.note(error)
        return self.end(name)

    def note(self, error: Unreadable) -> None:
        """A part that could not be read."""
        place = f"shot {error.shot}, line {error.line}" if error.shot else f"line {error.line}"
        self._problems.append(Problem(place, error.line, error.column, error.text, error.hint))

    def end(self, name: str) -> list[Shot]:
        """The shots, if nothing is wrong with any."""
        if self._problems:
            raise BadShots.of(name, self._problems, self._good)
        if not self._shots:
            raise BadOrder(f"{name} has no shots.", hint="Write one a line, or one a paragraph.")
        return self._shots

    def _note_defaults(self, record: Record) -> None:
        """Options of shots that say nothing about them."""
        values = self._converted(record)
        for name in ("name", "after"):
            if values.pop(name, None) is not None:
                self._bad(record, name, f"{name} is each shot's own; it has no default.")
        self._defaults |= values

    def _add(self, record: Record) -> None:
        """One shot."""
        before = len(self._problems)
        own = self._converted(record)
        name, after = own.pop("name", None), own.pop("after", None)
        if self._image is not None and not self._shots:
            self._begin_with(record, own, self._image)
        values = {**self._defaults, **own}
        takes = values.pop("takes", 1)
        if not 1 <= takes <= MOST_TAKES:
            hint = f"Use 1 to {MOST_TAKES}."
            self._bad(record, "takes", f"{takes} takes are not possible.", hint)
        if after is not None:
            self._check_after(record, after, own)
        elif self._chain and self._shots and not values.keys() & _BEGINNINGS:
            after = self._shots[-1].name
        if after is not None:
            for each in _BEGINNINGS - own.keys():
                values.pop(each, None)  # a default, which a shot that goes on does not take
            if "ratio" not in values and after in self._by_name:
                values["ratio"] = self._by_name[after].ratio
        number = len(self._shots) + 1
        name = self._named(record, name, number)
        shot = Shot(number, name, values, takes, after, record.line)
        if len(self._problems) == before:
            self._check_order(record, shot)
        self._shots.append(shot)
        if len(self._problems) == before:
            self._good.append(shot)
        self._by_name.setdefault(shot.name, shot)

    def _begin_with(self, record: Record, own: dict[str, Any], image: Medium) -> None:
        """The first shot starts on a picture that is connected."""
        for each in sorted(_BEGINNINGS & own.keys()):
            message = f"The first shot starts on the picture that is connected, and has {each} too."
            self._bad(record, each, message, "Disconnect the picture, or leave it out of the list.")
        own["image"] = image

    def _named(self, record: Record, own: str | None, number: int) -> str:
        """The shot's name; its number where it has none."""
        name = own or f"{number:03}"
        if own is None:
            while file_stem(name).casefold() in self._stems:
                name += "-"
        if not name.isprintable():
            self._bad(record, "name", "The name holds a line break or a control character.")
        if len(name) > LONGEST_NAME:
            hint = f"Use at most {LONGEST_NAME}."
            self._bad(record, "name", f"The name has {len(name)} letters.", hint)
        there = self._stems.setdefault(file_stem(name).casefold(), record.place)
        if there is not record.place:
            self._bad(
                record,
                "name",
                f"{quoted(name)} is the name of {there} already.",
                "Each shot has a name of its own; names of files know no capital letters.",
            )
        return name

    def _check_after(self, record: Record, after: str, own: Mapping[str, Any]) -> None:
        if after not in self._by_name:
            near = self._near(after, islice(self._by_name, MOST_LISTED))
            self._bad(
                record,
                "after",
                f"There is no earlier shot {quoted(after)}.",
                f"{near}A shot follows one that stands above it.",
            )
        for each in sorted(_BEGINNINGS & own.keys()):
            self._bad(
                record,
                each,
                f"The shot starts on the last frame of {quoted(after)}, which excludes {each}.",
                f"Leave out {each} or after.",
            )

    def _check_order(self, record: Record, shot: Shot) -> None:
        try:
            check_words(shot.order().with_known_seed())
        except BadOrder as error:
            column = next((each for each in ("prompt", "seed") if each in error.message), "")
            self._bad(record, column, error.message, error.hint)

    # ------------------------------------------------------------------------------- values

    def _converted(self, record: Record) -> dict[str, Any]:
        """The options of a record that are not empty, by their names."""
        values: dict[str, Any] = {}
        for written, value in record.values.items():
            name = _plain(str(written)[:LONGEST_NAME])
            if name.startswith("#") or _is_empty(value):
                continue  # a column of one's own, or nothing
            if name not in FIELDS:
                if written not in self._unknown:
                    self._unknown |= {written} if record.columns else set()  # of a table once
                    self._bad(
                        record,
                        str(written),
                        f"There is no option {quoted(written)}.",
                        f"{self._near(name, FIELDS)}What is for people only has a name that begins "
                        "with #.",
                    )
                continue
            try:
                found = self._value(name, value)
            except BadOrder as error:
                self._bad(record, written, error.message, error.hint)
                continue
            if found is not None:
                values[name] = found
        return values

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, float) and value != value:
            whole = "must be a whole number, not" if name in ("duration", "seed", "takes") else "is"
            raise BadOrder(
                f"{name} {whole} NaN, which pandas makes of empty cells.",
                hint="Nothing is None: table.astype(object).where(table.notna(), None).",
            )
        if name in ("name", "after"):
            text = str(value).strip() if value is not None else ""
            return text or None
        if name in ("image", "last_image", "video", "references"):
            return self._media_value(name, value)
        found = options.read(name, value)
        if name == "provider" and found is not None and found not in self._providers:
            raise options.no_choice(name, found, self._providers)
        if name == "duration" and found is not None and found != -1 and not 1 <= found <= 60:
            raise BadOrder(f"A duration of {found} s is not possible.", hint="Use 4 to 30 seconds.")
        return found

    def _media_value(self, name: str, value: Any) -> Any:
        if self._convert is not None and value is not None and not isinstance(value, str):
            return self._convert(name, value) or None
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        if name == "references":
            texts = options.texts_of(value)
            return tuple(self._medium("reference", each) for each in texts) or None
        if not isinstance(value, str):
            raise BadOrder(f"{name} must be a file or an address, not {quoted(value)}.")
        return self._medium(name, value.strip())

    def _medium(self, name: str, text: str) -> Medium:
        kind = "video" if name == "video" else "reference" if name == "reference" else "image"
        known = self._media.get((kind, text))
        if known is None:
            known = self._media[kind, text] = self._new_medium(kind, text)
        return known

    def _new_medium(self, kind: str, text: str) -> Medium:
        if not self._files and not options.names_no_file(text):
            raise BadOrder(
                f"{quoted(text)} is not an https address, nor a provider's handle.",
                hint="Here a list names no files of this computer.",
            )
        try:
            if kind == "reference":
                return options.reference(text, self._folder)
            return options.medium("video" if kind == "video" else "image", text, self._folder)
        except BadOrder as error:
            if error.message.startswith("There is no file"):
                place = (self._folder or Path()) / kind_of_reference(text)[1]
                near = _near_file(place) if len(self._problems) < MOST_SHOWN else ""
                error.hint = near or "A relative name is looked for beside the list."
            raise

    def _near(self, value: str, known: Iterable[str]) -> str:
        """What may have been meant. To look takes its time, so only for mistakes that are shown."""
        return did_you_mean(value, known) if len(self._problems) < MOST_SHOWN else ""

    def _bad(self, record: Record, column: str, message: str, hint: str = "") -> None:
        line, place = record.line, record.place
        if record.line_of is not None:
            line = record.line_of(column) if column else line
            place = f"{place}, line {line}"
        label = record.columns.get(column, column)
        self._problems.append(Problem(place, line, label, message, hint))


def _is_empty(value: Any) -> bool:
    """Whether a cell says nothing. Any value may stand there, arrays too."""
    return value is None or (isinstance(value, str) and not value)


@lru_cache(maxsize=256)
def _plain(written: str) -> str:
    """The name of an option as it is meant: `Last image` and `--last-image` are `last_image`."""
    name = re.sub(r"[\s-]+", "_", written.strip().lstrip("-").lower())
    return options.ALIASES.get(name, name)


def _near_file(path: Path) -> str:
    """A sentence that names a file of nearly the same name; empty if there is none."""
    try:
        names = [each.name for each in islice(path.parent.iterdir(), MOST_LISTED)]
    except (OSError, ValueError):
        return ""
    return did_you_mean(path.name, names).rstrip()
