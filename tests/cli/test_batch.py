"""`batch`: what it costs, the question, what is sent, what is saved, the report, the exit code."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fakes
import pytest
from command_line import Command, Ran

import seedance
from seedance import media
from seedance.order import Medium

TEXT, IMAGE = 1.515, 1.51  # of five seconds at Lumenfall, in USD


@pytest.fixture
def film(tmp_path: Path, command: Command) -> Film:
    return Film(tmp_path, command)


class Film:
    """A list of shots at Lumenfall, and the command that makes them."""

    def __init__(self, folder: Path, command: Command) -> None:
        self.folder, self.command = folder, command
        self.shots: list[dict[str, Any]] = [
            {"name": "a", "prompt": "A fox runs"},
            {"name": "b", "prompt": "It stops", "after": "a"},
            {"name": "c", "prompt": "A boat", "seed": 3},
        ]
        self.out = folder / "out"

    def batch(self, *words: object, yes: bool = True) -> Ran:
        path = self.folder / "shots.json"
        defaults = {"provider": "lumenfall", "ratio": "16:9"}
        path.write_text(json.dumps({"defaults": defaults, "shots": self.shots}))
        return self.command("batch", path, *(["--yes"] if yes else []), *words)

    def report(self) -> list[dict[str, str]]:
        with (self.folder / "report.csv").open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))


def prompts(fake: fakes.Fake) -> list[str]:
    """The prompts of the accepted creates, sorted."""
    return sorted(task.body["prompt"] for task in fake.tasks.values())


# ------------------------------------------------------------------------------ before it is paid


def test_an_estimate_sums_by_provider_and_sends_nothing(film: Film, lumenfall: fakes.Fake) -> None:
    film.shots.append({"prompt": "At sea", "provider": "preview", "takes": 2})
    ran = film.batch("--estimate", yes=False)
    assert (ran.code, ran.err) == (0, "")
    first, *lines = ran.out.splitlines()
    assert first.startswith("4 shots, 5 takes: 5 to make (1 of them starts on the last frame")
    assert lines == [
        "  lumenfall: 3 takes, 4.54 USD",
        "  preview: 2 takes, free",
        "In all about 4.54 USD.",
    ]
    told = film.batch("--estimate", "--json", yes=False).json
    assert (told["takes"], told["to_make"], told["following"]) == (5, 5, 1)
    assert told["providers"]["lumenfall"]["amounts"]["USD"] == pytest.approx(2 * TEXT + IMAGE)
    assert told["total"] == {"usd": pytest.approx(2 * TEXT + IMAGE), "orders": 3, "unknown": 0}
    assert lumenfall.requests == []


def test_without_a_terminal_money_needs_a_yes(film: Film, lumenfall: fakes.Fake) -> None:
    ran = film.batch("--json", yes=False)
    assert ran.code == 2 and "--yes" in ran.json["error"]["hint"]
    assert ran.json["error"]["spent"] == "no"
    assert lumenfall.requests == []


def test_what_is_free_needs_no_yes(film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seedance.preview.render.render", draw)
    film.shots = [{"prompt": "A fox", "provider": "preview", "resolution": "480p", "duration": 4}]
    assert film.batch(yes=False).code == 0


def draw(scene: Any, target: Path, report: Any) -> None:
    target.write_bytes(fakes.tiny_clip())


def test_on_a_terminal_it_asks(film: Film, lumenfall: fakes.Fake, terminal: list[str]) -> None:
    terminal.append("n")
    ran = film.batch(yes=False)
    assert ran.code == 130 and "Make 3 takes for about 4.5" in ran.err
    assert lumenfall.requests == []
    terminal.append("y")
    assert film.batch(yes=False).code == 0
    assert lumenfall.creates == 3


@pytest.mark.parametrize("limit", ["4.5", "0"])
def test_max_usd_sends_nothing_that_costs_more(
    film: Film, lumenfall: fakes.Fake, limit: str
) -> None:
    ran = film.batch("--max-usd", limit, "--json")
    assert (ran.code, ran.json["error"]["kind"]) == (4, "OverBudget")
    assert lumenfall.requests == []
    assert film.batch("--max-usd", "4.6").code == 0


def test_the_limit_of_the_environment_holds_for_a_run(
    film: Film,
    lumenfall: fakes.Fake,
    terminal: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SEEDANCE_MAX_USD", "4")
    ran = film.batch()  # --yes does not lift it
    assert ran.code == 4 and "SEEDANCE_MAX_USD" in ran.err
    assert lumenfall.requests == []
    terminal.append("yes")
    ran = film.batch(yes=False)  # a person who is told does
    assert ran.code == 0 and "SEEDANCE_MAX_USD is 4" in ran.err
    assert lumenfall.creates == 3


def test_all_mistakes_are_told_before_anything_is_sent(film: Film, lumenfall: fakes.Fake) -> None:
    film.shots = [
        {"prompt": "A", "resolution": "1080p"},  # which Lumenfall does not have
        {"prompt": "B"},
        {"prompt": "C", "duration": 40},
    ]
    ran = film.batch("--json")
    assert ran.code == 2
    assert [each["line"] for each in ran.json["error"]["problems"]] == [1, 1]
    assert "Shot 001, line 1: Lumenfall does not support resolution 1080p" in ran.err
    assert "Shot 003, line 1: Lumenfall does not support duration 40" in ran.err
    film.shots = [{"prompt": "A", "durations": 3}, {"prompt": "B", "ratio": "9x16"}]
    ran = film.batch("--json")
    assert [each["column"] for each in ran.json["error"]["problems"]] == ["durations", "ratio"]
    assert "Did you mean duration?" in ran.err and "Did you mean 9:16?" in ran.err
    assert lumenfall.requests == []


def test_what_a_provider_does_not_take_is_told_with_what_cannot_be_read(
    film: Film, lumenfall: fakes.Fake
) -> None:
    path = film.folder / "two.csv"
    lines = ["A boat,,lumenfall,2", "A fox,none.png,,", ",,lumenfall,5", "A hen,,lumenfall,5"]
    path.write_text("\n".join(["prompt,image,provider,duration", *lines]))
    ran = film.command("batch", path, "--json")
    assert [each["line"] for each in ran.json["error"]["problems"]] == [2, 3, 4]
    assert "two.csv has 3 mistakes; nothing was sent." in ran.err
    path.write_text("\n".join(["prompt,image,provider,duration", lines[0]]))
    assert "two.csv has a mistake; nothing" in film.command("batch", path).err
    with pytest.raises(seedance.BadOrder, match="has 2 mistakes"):
        seedance.batch([{"prompt": "A", "durations": 3}, {"prompt": "B", "duration": 2}])
    assert lumenfall.requests == []


def test_one_is_one(film: Film, lumenfall: fakes.Fake) -> None:
    film.shots = film.shots[:1]
    ran = film.batch("--estimate", yes=False)
    assert ran.out.splitlines()[:2] == ["1 shot: 1 to make.", "  lumenfall: 1 take, 1.515 USD"]


def test_a_list_that_is_a_folder(film: Film, lumenfall: fakes.Fake) -> None:
    folder = film.folder / "a.png"
    folder.mkdir()
    ran = film.command("batch", folder)
    assert ran.code == 2 and "is a folder" in ran.err and "Did you mean" not in ran.err


def test_a_missing_key_is_told_before_anything_is_sent(
    film: Film, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LUMENFALL_API_KEY")
    assert film.batch().code == 3
    told = film.batch("--estimate", "--json", yes=False).json
    assert told["total"]["usd"] == pytest.approx(2 * TEXT + IMAGE)  # which needs none
    assert lumenfall.requests == []


# ----------------------------------------------------------------------------------- what is made


def test_all_shots_are_made_and_the_same_command_makes_nothing(
    film: Film, lumenfall: fakes.Fake
) -> None:
    ran = film.batch("--out", film.out, "--report", film.folder / "report.csv")
    assert ran.code == 0, ran.err
    assert prompts(lumenfall) == ["A boat", "A fox runs", "It stops"]
    names = ["a.mp4", "b.mp4", "c.mp4"]
    assert sorted(path.name for path in film.out.glob("*.mp4")) == names
    assert ran.out.split() == [str(film.out / name) for name in names]
    found = film.report()
    assert list(found[0])[:7] == ["shot", "take", "state", "file", "cost", "seed", "error"]
    assert [row["shot"] for row in found] == ["a", "b", "c"]
    assert {row["state"] for row in found} == {"saved"}
    assert [Path(row["file"]).name for row in found] == names
    assert [row["seed"] for row in found] == ["0", "0", "3"]
    assert {row["currency"] for row in found} == {"USD"} and float(found[0]["cost"]) > 0
    again = film.batch("--out", film.out, yes=False)
    assert (again.code, again.out) == (0, ran.out)
    assert "3 there, 0 to make" in again.err
    assert lumenfall.creates == 3
    assert sorted(path.name for path in film.out.glob("*.mp4")) == names


def test_the_result_as_json(film: Film, lumenfall: fakes.Fake) -> None:
    film.shots[2]["takes"] = 2
    told = film.batch("--json", "--report", film.folder / "report.json").json
    assert told["failed"] == 0 and told["film"] is None
    assert [(each["shot"], each["take"]) for each in told["shots"]] == [
        ("a", 1),
        ("b", 1),
        ("c", 1),
        ("c", 2),
    ]
    assert [each["seed"] for each in told["shots"]] == [0, 0, 3, 4]
    assert json.loads((film.folder / "report.json").read_text()) == told["shots"]


def test_a_shot_starts_on_the_last_frame_of_another_to_the_bit(
    film: Film, lumenfall: fakes.Fake
) -> None:
    film.batch("--out", film.out)
    last = Medium.from_pixels(media.read_picture(film.out / "a.last.png"))
    sidecar = json.loads((film.out / "b.seedance.json").read_text())
    assert sidecar["order"]["first_frame"] == {"kind": "image", "sha256": last.digest}
    assert sidecar["order"]["ratio"] == "16:9"


def test_a_changed_shot_is_one_order_and_replaces_nothing(
    film: Film, lumenfall: fakes.Fake
) -> None:
    film.batch("--out", film.out)
    before = (film.out / "c.mp4").read_bytes()
    film.shots[2]["prompt"] = "A red boat"
    film.shots.insert(1, {"name": "new", "prompt": "A bird"})
    ran = film.batch("--out", film.out)
    assert ran.code == 0 and "2 there, 2 to make" in ran.err
    assert prompts(lumenfall) == ["A bird", "A boat", "A fox runs", "A red boat", "It stops"]
    assert ran.out.split()[1:] == [str(film.out / n) for n in ("new.mp4", "b.mp4", "c_v2.mp4")]
    assert (film.out / "c.mp4").read_bytes() == before
    film.shots[3]["prompt"] = "A boat"  # and back
    assert film.batch("--out", film.out, yes=False).out.split()[3] == str(film.out / "c.mp4")
    assert lumenfall.creates == 5


def test_what_hangs_on_a_changed_shot_is_made_again_after_its_price_is_shown(
    film: Film, lumenfall: fakes.Fake
) -> None:
    film.batch()
    film.shots[0]["prompt"] = "A wolf runs"
    lumenfall._clip = other_clip()
    told = film.batch("--estimate", "--json", yes=False).json
    assert (told["there"], told["to_make"], told["following"]) == (1, 2, 1)
    assert told["total"]["usd"] == pytest.approx(TEXT + IMAGE)
    assert film.batch().code == 0
    assert prompts(lumenfall) == ["A boat", "A fox runs", "A wolf runs", "It stops", "It stops"]


def other_clip() -> bytes:
    """Another clip than the usual one."""
    import io

    import av
    import numpy as np

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(12):
            pixels = np.full((48, 64, 3), 250 - number * 20, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


def test_the_same_order_twice_in_a_list_is_paid_once(film: Film, lumenfall: fakes.Fake) -> None:
    film.shots = [{"name": name, "prompt": "A fox"} for name in ("x", "y", "z")]
    assert film.batch("--estimate", "--json", yes=False).json["to_make"] == 1
    ran = film.batch("--out", film.out)
    assert ran.code == 0 and lumenfall.creates == 1
    names = ["x.mp4", "y.mp4", "z.mp4"]
    assert sorted(path.name for path in film.out.glob("*.mp4")) == names
    film.shots.reverse()  # each keeps its own file, whichever the order was saved as first
    again = film.batch("--out", film.out, yes=False)
    assert again.out.split() == [str(film.out / name) for name in reversed(names)]


def test_what_was_paid_elsewhere_is_there(film: Film, lumenfall: fakes.Fake) -> None:
    words = ("generate", "--provider", "lumenfall", "--prompt", "A fox runs", "--ratio", "16:9")
    assert film.command(*words).code == 0
    told = film.batch("--estimate", "--json", yes=False).json
    assert (told["there"], told["to_make"]) == (1, 2)
    assert film.batch("--out", film.out).code == 0
    assert lumenfall.creates == 3 and (film.out / "a.mp4").is_file()


def test_no_more_go_on_at_once_than_asked(film: Film, lumenfall: fakes.Fake) -> None:
    film.shots = [{"prompt": "A fox", "seed": seed} for seed in range(6)]
    most = []
    accept = lumenfall.accept

    def counted(*args: Any, **options: Any) -> Any:
        under_way = [each for each in lumenfall.tasks.values() if each.polls <= 1]
        most.append(len(under_way) + 1)
        return accept(*args, **options)

    lumenfall.accept = counted  # type: ignore[method-assign]
    assert film.batch("--jobs", "2").code == 0
    assert max(most) == 2


def test_as_many_go_on_at_once_as_there_are_slots(film: Film, lumenfall: fakes.Fake) -> None:
    film.shots = [{"prompt": "A fox", "seed": seed} for seed in range(6)]
    lumenfall.polls_until_done = 10**6
    accept = lumenfall.accept

    def until_all_are_there(*args: Any, **options: Any) -> Any:
        if lumenfall.creates == 5:
            lumenfall.polls_until_done = 0
        return accept(*args, **options)

    lumenfall.accept = until_all_are_there  # type: ignore[method-assign]
    assert film.batch().code == 0  # else none of them would ever end


# ---------------------------------------------------------------------------------- what goes wrong


@pytest.fixture
def one_fails(lumenfall: fakes.Fake) -> Iterator[None]:
    """The provider refuses orders with a fox in the prompt."""
    bad = fakes.Answer(400, json={"error": {"message": "No foxes.", "code": "invalid"}})
    lumenfall.fault(lambda request: b"fox" in request.body, bad, times=100)
    yield


@pytest.mark.usefixtures("one_fails")
def test_a_failed_shot_leaves_the_others(film: Film, lumenfall: fakes.Fake) -> None:
    film.shots.append({"name": "d", "prompt": "On", "after": "b"})
    ran = film.batch("--out", film.out, "--report", film.folder / "report.csv")
    assert ran.code == 4
    assert prompts(lumenfall) == ["A boat"]
    found = {row["shot"]: row for row in film.report()}
    assert {name: row["state"] for name, row in found.items()} == {
        "a": "refused",
        "b": "refused",
        "c": "saved",
        "d": "refused",
    }
    assert "No foxes" in found["a"]["error"]
    assert "starts on the last frame of a, which failed" in found["b"]["error"]
    assert "starts on the last frame of b, which failed" in found["d"]["error"]
    assert "3 of 4 takes failed" in ran.err
    lumenfall._faults.clear()
    assert film.batch("--out", film.out).code == 0
    assert lumenfall.creates == 4


def test_the_exit_code_is_that_of_what_needs_a_person_soonest(
    film: Film, lumenfall: fakes.Fake
) -> None:
    lumenfall.fault(lambda request: b"boat" in request.body, "status:500")
    lumenfall.fault(lambda request: b"fox" in request.body, "status:400")
    ran = film.batch("--json")
    assert ran.code == 5
    states = {each["shot"]: each["state"] for each in ran.json["shots"]}
    assert states == {"a": "refused", "b": "refused", "c": "unclear"}
    again = film.batch("--json")  # which is never sent again by itself
    assert again.code == 5 and prompts(lumenfall) == ["A fox runs", "It stops"]


def test_an_account_without_credit_is_asked_once_or_so(film: Film, lumenfall: fakes.Fake) -> None:
    film.shots = [{"prompt": "A fox", "seed": seed} for seed in range(8)]
    broke = fakes.Answer(402, json={"error": {"message": "No credit.", "code": "insufficient"}})
    lumenfall.fault(lambda request: request.method == "POST", broke, times=100)
    ran = film.batch("--jobs", "1")
    assert ran.code == 4 and "Not sent" in ran.err
    assert len(lumenfall.sent("POST")) == 1


def test_a_report_that_holds_formulas_holds_text(film: Film, lumenfall: fakes.Fake) -> None:
    film.shots = [{"name": "=1+1", "prompt": "A"}]
    film.batch("--report", film.folder / "report.csv")
    assert film.report()[0]["shot"] == "'=1+1"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "shots.json"], "no folder"),
        (["--report", "nowhere/report.csv"], "no folder"),
        (["--join", "nowhere/film.mp4"], "no folder"),
        (["--join", "film.avi"], "not the name of an MP4"),
        (["--jobs", "0"], "1 to 500"),
        (["--max-usd", "much"], "number of dollars"),
        (["--duration", "long"], "whole number"),
        (["--provider", "lumenfal"], "Did you mean lumenfall?"),
    ],
)
def test_options_that_cannot_be(
    film: Film,
    lumenfall: fakes.Fake,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(film.folder)
    ran = film.batch(*words)
    assert ran.code == 2 and message in ran.err
    assert lumenfall.requests == []


def test_options_are_defaults_of_the_shots(film: Film, lumenfall: fakes.Fake) -> None:
    text = film.folder / "shots.txt"
    text.write_text("# one\nA fox\n\n8s: A boat\n")
    words = ("--provider", "lumenfall", "--ratio", "9:16", "--duration", "6", "--no-audio")
    assert film.command("batch", text, "--yes", *words).code == 0
    bodies = [task.body for task in lumenfall.tasks.values()]
    assert sorted((each["prompt"], each["duration"]) for each in bodies) == [
        ("A boat", 8),
        ("A fox", 6),
    ]
    assert all(each["generate_audio"] is False for each in bodies)


# --------------------------------------------------------------------------------------- the film


def test_the_film_is_joined_and_made_anew_only_where_a_shot_has_changed(
    film: Film, lumenfall: fakes.Fake
) -> None:
    target = film.folder / "film.mp4"
    ran = film.batch("--join", target)
    assert ran.code == 0 and ran.out.split()[-1] == str(target)
    assert media.probe(target).frames == 36
    made = target.stat().st_mtime_ns
    assert film.batch("--join", target, "--json").json["film"] == str(target)
    assert target.stat().st_mtime_ns == made
    film.shots = film.shots[1:]
    del film.shots[0]["after"]
    assert film.batch("--join", target).code == 0
    assert media.probe(target).frames == 24


def test_a_film_replaces_no_other_file(film: Film, lumenfall: fakes.Fake) -> None:
    target = film.folder / "film.mp4"
    target.write_bytes(b"my own")
    ran = film.batch("--join", target)
    assert ran.code == 2 and "no film that was made from shots" in ran.err
    assert target.read_bytes() == b"my own" and lumenfall.requests == []


@pytest.mark.parametrize("change", ["edited", "another file", "no sidecar", "only a sidecar"])
def test_a_film_that_was_changed_is_left_as_it_is(
    film: Film, lumenfall: fakes.Fake, change: str
) -> None:
    film.shots = [{"name": "a", "prompt": "A fox"}]
    target, sidecar = film.folder / "film.mp4", film.folder / "film.seedance.json"
    assert film.batch("--join", target).code == 0
    if change == "edited":
        target.write_bytes(target.read_bytes() + b"zz")
    elif change == "another file":
        target.write_bytes(b"my own")
    elif change == "no sidecar":
        sidecar.unlink()
    else:
        target.unlink()
        sidecar.write_text('{"my": "notes"}')
    film.shots = [{"name": "a", "prompt": "A wolf"}]
    before = [path.read_bytes() for path in (target, sidecar) if path.exists()]
    ran = film.batch("--join", target, "--json")
    assert ran.code == 2 and ran.json["error"]["spent"] == "no"
    assert "another name for the film" in ran.json["error"]["hint"]
    with pytest.raises(seedance.BadOrder, match="film"):
        seedance.batch(["A wolf"], provider="lumenfall", join=target)
    assert [path.read_bytes() for path in (target, sidecar) if path.exists()] == before
    assert lumenfall.creates == 1


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "c-2.mp4", "a_v2.mp4"])
def test_a_film_takes_no_name_of_a_shot(film: Film, lumenfall: fakes.Fake, name: str) -> None:
    film.shots[2]["takes"] = 2
    film.out.mkdir()
    ran = film.batch("--out", film.out, "--join", film.out / name, "--json")
    assert ran.code == 2 and "shot" in ran.json["error"]["message"]
    assert ran.json["error"]["spent"] == "no"
    with pytest.raises(seedance.BadOrder, match="shot"):
        seedance.batch(
            [{"name": "a", "prompt": "X"}, {"name": "c", "prompt": "Y", "takes": 2}],
            provider="lumenfall",
            out=film.out,
            join=film.out / name,
        )
    assert lumenfall.creates == 0


def test_a_film_takes_no_name_that_an_order_under_way_is_to_have(
    film: Film, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = film.folder / "film.mp4"
    lumenfall.polls_until_done = 10**6
    words = ("generate", "--provider", "lumenfall", "--prompt", "A fox")
    with monkeypatch.context() as patched:
        patched.setenv("SEEDANCE_TIMEOUT", "0")
        assert film.command(*words, "-o", target).code == 7
    ran = film.batch("--join", target, "--json")
    assert ran.code == 2 and "row 1 is running" in ran.json["error"]["message"]
    assert lumenfall.creates == 1


@pytest.mark.usefixtures("one_fails")
def test_a_film_with_a_hole_is_not_made(film: Film, lumenfall: fakes.Fake) -> None:
    ran = film.batch("--join", film.folder / "film.mp4")
    assert ran.code == 4 and "film was not made" in ran.err
    assert not (film.folder / "film.mp4").exists()


def test_a_changed_shot_takes_no_file_that_another_order_under_way_is_to_have(
    film: Film, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    film.shots = [{"name": "a", "prompt": "A fox"}]
    lumenfall.polls_until_done = 10**6
    monkeypatch.setenv("SEEDANCE_TIMEOUT", "0")
    assert film.batch("--out", film.out).code == 7
    monkeypatch.delenv("SEEDANCE_TIMEOUT")
    lumenfall.polls_until_done = 0
    film.shots[0]["prompt"] = "A wolf"
    assert film.batch("--out", film.out).out.split() == [str(film.out / "a_v2.mp4")]
    film.shots[0]["prompt"] = "A fox"
    assert film.batch("--out", film.out).out.split() == [str(film.out / "a.mp4")]
    assert lumenfall.creates == 2


def test_what_may_be_billed_already_is_named_before_it_is_sent_again(
    film: Film, lumenfall: fakes.Fake
) -> None:
    lumenfall.fail_with = {"code": "INTERNAL", "message": "The model broke."}
    film.shots = film.shots[:1]
    assert film.batch("--yes").code == 6
    lumenfall.fail_with = None
    said = "a: The same order was sent before, as row 1 (lumenfall:vid_0001): it failed, and it is "
    assert said in film.batch("--estimate").out
    assert film.batch("--estimate", "--json").json["repeated"] == 1
    ran = film.batch("--yes")
    assert (ran.code, ran.err.count("was sent before"), lumenfall.creates) == (0, 1, 2)
    assert film.batch("--estimate", "--json").json["repeated"] == 0


def test_an_unclear_take_is_not_said_to_be_tried_again(film: Film, lumenfall: fakes.Fake) -> None:
    lumenfall.fault(lambda request: b"boat" in request.body, "status:500")
    lumenfall.fault(lambda request: b"fox" in request.body, "status:400")
    said = film.batch().err
    assert "3 of 3 takes failed. 1 may be paid. It is not sent again; see: seedance tasks." in said
    assert "The same command tries the others again." in said


def test_a_list_takes_the_seeds_that_one_order_takes(film: Film, lumenfall: fakes.Fake) -> None:
    film.shots = [
        {"name": "a", "prompt": "A fox", "seed": 2**32 + 7, "takes": 2},
        {"name": "b", "prompt": "A boat", "seed": -1},
    ]
    refused = film.batch("--estimate", yes=False)
    assert refused.code == 2 and "The seed -1 is out of range." in refused.err
    assert "4294967303" not in refused.err
    film.shots.pop()
    ran = film.batch("--report", film.folder / "report.csv")
    assert ran.code == 0
    said = "The seed 4294967303 is out of range (0 to 4294967295); it is taken modulo 2^32: 7."
    assert ran.err.count(said) == 1
    assert sorted(task.body["seed"] for task in lumenfall.tasks.values()) == [7, 8]
    assert [line["seed"] for line in film.report()] == ["7", "8"]
