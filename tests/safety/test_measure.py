"""Texts of strangers without measure: what is kept, logged and served of them is a few kilobytes.

Nothing here looks at a clock. `test_patterns.py` proves that no pattern takes long.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import json
import logging
import re
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fakes
import pytest
import wire_player
from fakes import Answer, Request
from paths import ROOT
from running import Desk, is_create, is_poll, until

from seedance import wire
from seedance.errors import BadOrder, OddReply, SeedanceError
from seedance.fit import check_words
from seedance.journal.rows import _error_of
from seedance.order import Medium, Order, read_extra
from seedance.providers import get, registry
from seedance.runner import Runner, quotes, tickets
from seedance.runner.files import Files, read_sidecar
from seedance.runner.outcomes import failure
from seedance.settings import Settings
from seedance.texts import (
    LONGEST_CODE,
    LONGEST_MESSAGE,
    LONGEST_NAME,
    LONGEST_PROMPT,
    clean,
    cut,
    logger_of,
    sentence,
    shown,
)
from seedance.wire import Ticket, add_extra

pytestmark = pytest.mark.safety

MEGABYTE = 2**20
KEPT = 20_000  # letters: "a few kilobytes", with room for escapes in JSON

# What froze ComfyUI, and what steers terminals, over and over.
WORST = (
    "http://http://",
    "https://a?",
    "insufficient insufficient ",
    "insufficient_" + "w" * 50,
    "not enough insufficient ",
    "hook" * 5 + "\n",
    "#1#1",
    "\x1b[2J\r\n",
    "\u202e\ud83d\ude00",
    '"\\',
    " ",
    "9",
)


def much(unit: str, letters: int) -> str:
    return (unit * (letters // len(unit) + 1))[:letters]


# -------------------------------------------------------------------------------- the one place


@pytest.mark.parametrize("unit", WORST)
def test_a_message_is_cut_and_says_how_long_it_was(unit: str) -> None:
    error = SeedanceError(much(unit, MEGABYTE), hint=much(unit, MEGABYTE))
    for text in (error.message, error.hint):
        assert len(text) < LONGEST_MESSAGE + 40
        assert text.endswith(f"({MEGABYTE} letters)")
    assert len(json.dumps(error.as_dict())) < 12 * LONGEST_MESSAGE


def test_what_is_short_stays_as_it_is() -> None:
    for text in ("", "a fox", "x" * 400):
        assert cut(text, 400) == sentence(text) == shown(text) == text


def test_an_address_in_a_message_ends_at_its_question_mark() -> None:
    said = "see https://a.example/x?sig=1, HTTP://b.example?y and https://c.example/z"
    assert shown(said) == "see https://a.example/x?... HTTP://b.example?... and https://c.example/z"


@pytest.mark.parametrize("unit", WORST)
def test_a_reply_gives_no_text_beyond_a_fixed_length(unit: str) -> None:
    long = much(unit, MEGABYTE)
    body = {"error": {"code": long, "type": long, "message": long}, long: [{long: long}]}
    reply = wire.Reply(400, body=json.dumps(body).encode())
    assert len(wire.error_text(reply)) < 450
    assert all(len(code) <= LONGEST_CODE for code in wire.error_codes(reply))
    assert sum(map(len, texts_of(reply.json()))) < 8 * 17_000


@pytest.mark.parametrize("provider", sorted(registry()))
def test_an_error_of_megabytes_is_parsed_once(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    loads = json.loads
    monkeypatch.setattr(
        json, "loads", lambda text, **how: parsed.append(text) or loads(text, **how)
    )
    body = json.dumps({"error": {"message": "no"}, "detail": [{"msg": "no", "loc": ["a"]}] * 50})
    asked = get(provider)(wire.Config("https://gateway.example"))
    reply = wire.Reply(422, body=body.encode())
    str(asked.explain(reply))
    asked.quota_used_up(reply)
    assert parsed == [body]


def test_a_number_of_thousands_of_digits_is_no_number() -> None:
    digits = b"9" * 5000
    with pytest.raises(OddReply):
        wire.Reply(200, body=b'{"a": ' + digits + b"}").json()
    assert wire.number_at({"a": digits.decode()}, "a") is None
    assert wire.unix_seconds(digits.decode()) is None


def texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from texts_of(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from texts_of(item)
    elif hasattr(value, "__dataclass_fields__"):
        yield from texts_of([getattr(value, name) for name in value.__dataclass_fields__])


# ------------------------------------------------------------------- every answer, every field


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to all values that are no containers."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value[:2]):
            yield from leaves(item, (*path, number))
    else:
        yield path


def with_text_at(value: Any, path: tuple[Any, ...], text: str) -> Any:
    changed = copy.deepcopy(value)
    inside = changed
    for step in path[:-1]:
        inside = inside[step]
    if path:
        inside[path[-1]] = text
        return changed
    return text


@pytest.mark.slow
@pytest.mark.parametrize(
    "path", sorted(wire_player.FOLDER.glob("*.json")), ids=lambda path: path.stem
)
def test_a_long_text_in_any_field_of_any_answer_stays_a_few_kilobytes(path: Path) -> None:
    provider_id, exchanges = wire_player.load(path)
    tried = 0
    for exchange in exchanges:
        for number, step in enumerate(exchange["talk"]):
            reply = step.get("reply", {})
            if "json" not in reply:
                continue
            for leaf in leaves(reply["json"]):
                unit = WORST[tried % len(WORST)]
                spoiled = with_text_at(reply["json"], leaf, much(unit, 100_000))
                outcome = end_of(provider_id, exchange, number, spoiled)
                for text in texts_of(outcome):
                    assert len(text) < KEPT, (exchange["name"], leaf)
                tried += 1
    assert tried


def end_of(provider_id: str, exchange: Any, number: int, spoiled: Any) -> Any:
    """What comes of an exchange in which one answer is another: a result, or an error as it is
    kept."""
    flow = wire_player.start(get(provider_id), exchange)
    answers = [step.get("reply", {}) for step in exchange["talk"] if "call" in step]
    place = sum("call" in step for step in exchange["talk"][:number])
    answers[place] = {**answers[place], "json": spoiled}
    answers += [answers[-1]] * 40
    reply: Any = None
    try:
        for given in answers:
            step = flow.send(reply)
            while isinstance(step, wire.Pause):
                step = flow.send(wire.Reply(0))
            body = json.dumps(given.get("json")).encode()
            reply = wire.Reply(given.get("status", 200), given.get("headers", {}), body)
        flow.close()
    except StopIteration as end:
        if isinstance(end.value, wire.Failed):
            return [end.value, failure(end.value).as_dict()]
        return end.value
    except SeedanceError as error:
        return error.as_dict()


# --------------------------------------------------------------------- journal, log and answers


def kept(desk: Desk, log: str, folder: Path) -> None:
    """The journal, the log and what the page is told are a few kilobytes for a row."""
    for row in desk.rows():
        assert len(json.dumps(row.as_dict())) < KEPT
        assert len(json.dumps(row.error)) < KEPT
    assert len(log) < 4 * KEPT
    files = [file for file in folder.rglob("*") if file.is_file() and file.suffix != ".mp4"]
    assert sum(file.stat().st_size for file in files) < 500_000  # SQLite's own pages most of all


@pytest.mark.slow
@pytest.mark.parametrize("status", [400, 401, 402, 404, 422, 429, 500])
@pytest.mark.parametrize("provider", sorted(fakes.all()))
def test_an_error_of_megabytes_is_neither_kept_nor_logged_nor_served(
    provider: str, status: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    long = much("http://http://", MEGABYTE // 2)  # the body holds it four times
    body = {"error": {"code": long, "message": long, "type": long}, "detail": [{"loc": [1, long]}]}
    with fakes.all()[provider]() as fake:
        fake.fault(is_create, Answer(status, json=body), times=50)
        desk = Desk(fake, tmp_path, SEEDANCE_TIMEOUT="0")
        with pytest.raises(SeedanceError) as caught:
            desk.video()
        assert len(str(caught.value)) < KEPT
        kept(desk, caplog.text, tmp_path)


@pytest.mark.slow
def test_status_words_of_megabytes_fill_neither_memory_nor_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    words = iter(range(10_000))

    with fakes.all()["lumenfall"](polls_until_done=60) as fake:
        handle = fake.handle

        def odd(request: Request) -> Answer:
            answer = handle(request)
            if is_poll(request) and isinstance(answer.json, dict) and "output" not in answer.json:
                answer.json["status"] = f"{next(words)} " + "x" * MEGABYTE
            return answer

        fake.handle = odd  # type: ignore[method-assign]
        desk = Desk(fake, tmp_path)
        tracemalloc.start()
        try:
            desk.video()
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert next(words) > 40
    assert held < 40 * MEGABYTE  # all words together are more
    assert caplog.text.count("undocumented status word") == 20
    kept(desk, caplog.text[: 4 * KEPT], tmp_path)
    assert all(len(record.getMessage()) < 5_000 for record in caplog.records)


def test_an_old_journal_with_a_long_error_is_read_with_a_short_one(tmp_path: Path) -> None:
    with fakes.all()["lumenfall"]() as fake:
        desk = Desk(fake, tmp_path)
        desk.video()
        row = desk.row()
        runner = desk.runner()
        with runner.journal._writing() as connection:
            connection.exec_driver_sql(
                "UPDATE orders SET error_json = ?",
                (json.dumps({"kind": "Refused", "message": "x" * MEGABYTE, "hint": ""}),),
            )
        assert len(json.dumps(runner.journal.get(row.id).as_dict())) < KEPT


def test_an_old_journal_serves_no_long_values_of_an_error(tmp_path: Path) -> None:
    long = {"said": "x" * MEGABYTE, "deep": [["x" * MEGABYTE]]}
    error = _error_of(json.dumps({"kind": "Refused", "message": "no", "hint": "", "values": long}))
    assert error is not None
    assert error["message"] == "no"
    assert len(json.dumps(error)) < KEPT


@pytest.mark.parametrize(
    "text", ["[" * 200_000, "{" * 10, "9" * 6_000, '"\\ud800"', "x" * (5 << 20)]
)
def test_a_file_that_somebody_put_beside_ours_is_left(tmp_path: Path, text: str) -> None:
    place = tickets.folder(tmp_path)
    place.mkdir()
    (place / "a.json").write_text(text)
    assert tickets._records(place) == []
    files = Files(tmp_path / "a.mp4")
    files.sidecar.write_text(text)
    assert read_sidecar(files) == {}


@pytest.mark.parametrize("letter", ["a", "/", "\u00e9", "\U0001f98a"])
def test_a_ticket_of_any_length_that_is_issued_can_be_read(letter: str) -> None:
    issued = 0
    for length in (10, 1_000, 4_000, 10_000):
        with contextlib.suppress(OddReply):
            ticket = Ticket.issue("lumenfall", letter * length)
            assert Ticket.parse(str(ticket), known=True) == ticket
            issued += 1
    assert issued >= 2


# ---------------------------------------------------------------------------------- workflows


def test_names_of_extra_fields_come_into_messages_cut() -> None:
    for name in (much("http://", MEGABYTE), "n" + much("hook\n", 200_000)):
        with pytest.raises(BadOrder) as caught:
            add_extra({}, {"tools": [{name: 1}]})
        assert len(caught.value.message) < 4 * LONGEST_NAME
        assert f"{len(name)} letters" in caught.value.message


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "x" * (LONGEST_PROMPT + 1)},
        {"model": much("http://", MEGABYTE)},
        {"resolution": much("\x1b", MEGABYTE)},
        {"ratio": "9" * MEGABYTE},
        {"operation": "x" * MEGABYTE},
        {"on_unsupported": "x" * MEGABYTE},
        {"seed": 10**5000},
        {"duration": -(10**5000)},
        {"references": (Medium.from_address("image", "https://a.example/a.png"),) * 101},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_field_of_a_workflow_beyond_its_length_is_refused_in_a_short_message(
    fields: dict[str, Any],
) -> None:
    with pytest.raises(BadOrder) as caught:
        check_words(Order(**{"prompt": "a fox", **fields}))
    assert len(str(caught.value)) < 500


def test_takes_and_texts_that_are_no_extra_are_refused_in_a_short_message(tmp_path: Path) -> None:
    runner = Runner(Settings(tmp_path / "home", tmp_path / "output", {}))
    for doing in (
        lambda: runner.start(Order(prompt="a fox", provider="preview"), takes=10**5000),
        lambda: read_extra("[" * 200_000),
        lambda: read_extra(much("http://", 200_000)),
        lambda: Medium.from_address("image", much("https://a", 200_000)),
        lambda: runner.collect(much("a:", 200_000)),
        lambda: runner.start(Order(prompt="a fox", provider=much("http://", 200_000))),
    ):
        with pytest.raises(BadOrder) as caught:
            doing()
        assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("unit", WORST)
def test_what_a_check_answers_is_bounded_whatever_the_node_holds(unit: str, tmp_path: Path) -> None:
    settings = Settings(tmp_path / "home", tmp_path / "output", {})
    order = Order(prompt=much(unit, LONGEST_PROMPT), ratio="16:9")
    order = replace(order, extra={"lumenfall": {"style": much(unit, 20_000)}})
    answer = json.dumps([quote.as_dict() for quote in quotes.quotes(order, settings)])
    assert len(answer) < 1_000_000  # 4000 letters for each text, as much as twelve each in JSON


# --------------------------------------------------------------------------------------- loggers


def test_a_log_line_is_one_line_and_cut(caplog: pytest.LogCaptureFixture) -> None:
    logger = logger_of("seedance.test")
    try:
        raise ValueError("no\nINFO root: all is well\x1b[2J")
    except ValueError:
        logger.exception("a %s\n%s", "b\x1b]52;c\x07", much("x", MEGABYTE))
    logger.warning("%s", "fits", "not")
    assert clean(caplog.records[0].getMessage()) == caplog.records[0].getMessage()
    assert caplog.records[0].getMessage().endswith("letters)")
    assert len(caplog.text) < KEPT
    assert "\x1b" not in caplog.text
    assert "\nINFO root" not in caplog.text
    assert "    INFO root: all is well" in caplog.text


def test_no_module_of_ours_logs_or_prints_past_the_cleaning() -> None:
    for file in [*(ROOT / "seedance").rglob("*.py"), *(ROOT / "nodes").rglob("*.py")]:
        name = str(file.relative_to(ROOT))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            call = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            if call == "logging.getLogger":
                # Two take their filters to the loggers of libraries.
                ours = {"seedance/texts.py", "seedance/hosting.py", "seedance/transport/session.py"}
                assert name in ours, name
            if call in ("print", "sys.stdout.write", "sys.stderr.write", "warnings.warn"):
                # The second has one sentence of its own, before anything can be imported.
                drawn = ("seedance/cli/show.py", "seedance/cli/live.py", "seedance/__main__.py")
                assert name in drawn, name
            assert call not in ("traceback.print_exc", "traceback.print_exception"), name


NASTY = "no\x1b[2J\x1b]52;c;cm0gLXJm\x07 \u202egnp.exe\x9b1m\r\nINFO root: all is well\nWARNING x"


@pytest.mark.slow
def test_the_answer_to_a_cancel_writes_no_line_into_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with fakes.all()["byteplus"](polls_until_done=3) as fake:
        fake.fault(
            lambda each: each.method == "DELETE",
            Answer(409, json={"error": {"code": NASTY, "message": NASTY}}),
        )
        fake.fault(is_poll, Answer(200, json={"id": "x", "status": "queued"}), times=2)
        desk = Desk(fake, tmp_path)
        runner = desk.runner()
        job = desk.start(runner)
        job.release()
        until(lambda: desk.rows()[0].task)
        with pytest.raises(BadOrder) as caught:
            runner.cancel(desk.row().id)
        runner.close()
    ours = [each.getMessage() for each in caplog.records if each.name.startswith("seedance")]
    assert ours
    for text in (str(caught.value), *ours):
        assert clean(text) == text
    assert not re.search("^(INFO root|WARNING x)", caplog.text, re.MULTILINE)
