"""Orders that one machine puts into the queue, and others carry."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest
from farm_stage import Farm, Machine, shots, states
from journals import sql
from PIL import Image
from running import is_create, until

from seedance.farm import Fetched, Queue, QueuedOrder


@pytest.mark.slow  # processes
def test_what_one_machine_puts_in_two_carry_and_a_fourth_fetches(farm: Farm) -> None:
    Image.new("RGB", (640, 360), "navy").save(farm.folder / "first.png")
    listed = [*shots(5), *shots(1, name="with", image="first.png")]
    listed.append({"name": "on", "prompt": "On", "after": "s0", "provider": "lumenfall"})
    home, fourth = farm.machine("home"), farm.machine("fourth")
    said = home.put(listed)
    assert (said["put"], said["following"], said["queued"]) == (6, 1, 0)
    assert farm.fake.requests == []
    said = home.put(listed)  # again, while they wait
    assert (said["put"], said["queued"], said["waiting"]) == (0, 6, 1)

    workers = [farm.machine(name).start("worker", "--until-empty", "--json") for name in "ab"]
    outs = [child.communicate(timeout=120) for child in workers]
    assert [child.returncode for child in workers] == [0, 0], outs
    ended = [json.loads(line) for out, _ in outs for line in out.splitlines()]
    assert sorted(each["shot"] for each in ended) == ["on", "s0", "s1", "s2", "s3", "s4", "with"]
    assert farm.fake.creates == sum(map(is_create, farm.fake.requests)) == 7

    farm.fake.tasks.clear()  # the provider has forgotten them
    for each in ended:
        got = fourth.run("collect", each["task"])
        assert got["file"].startswith(str(fourth.output))
    said = home.put(listed)
    assert (said["put"], said["there"] + said["going_on"]) == (0, 7)


@pytest.mark.slow  # three workers, one after the other
def test_a_chain_is_known_where_none_of_its_videos_is(farm: Farm) -> None:
    """Its pictures are in the bucket: nothing is priced anew, no key is needed, and a shot that
    failed is put in again."""
    chain = shots(1)
    chain += [
        {"name": name, "prompt": name, "after": after, "provider": "lumenfall"}
        for name, after in (("second", "s0"), ("third", "second"))
    ]
    home, worker = farm.machine("home"), farm.machine("worker")
    home.put(chain[:2])
    worker.work()
    farm.fake.fail_with = farm.fake.failure("It broke.", "internal")
    assert home.put(chain)["put"] == 1
    assert [each["shot"] for each in worker.work(code=6)] == ["third"]
    farm.fake.fail_with = None
    worker.output.rename(farm.folder / "not on any other machine")
    assert home.put(chain)["put"] == 1
    assert [each["shot"] for each in worker.work()] == ["third"]
    worker.output.rename(farm.folder / "nor this")
    creates = farm.fake.creates

    farm.environment["LUMENFALL_API_KEY"] = ""
    fourth = farm.machine("fourth")
    file = farm.folder / "home-shots.json"
    assert fourth.run("batch", file, "--estimate")["to_make"] == 0
    done = fourth.run("batch", file, "--out", farm.folder / "film")
    assert [each["state"] for each in done["shots"]] == ["saved"] * 3
    assert farm.fake.creates == creates


def fetched(machine: Machine, count: int) -> list[QueuedOrder]:
    """The next orders of the queue, which are given back at the end."""

    async def fetch(queue: Queue) -> list[Fetched]:
        found = [await queue.fetch(["lumenfall"]) for _ in range(count)]
        all_fetched = [each for each in found if each is not None]
        for each in all_fetched:
            await queue.give_back(each)
        return all_fetched

    return [each.queued for each in machine.queue(fetch)]


def deliver_again(machine: Machine, queued: QueuedOrder) -> None:
    machine.queue(lambda queue: queue.put([queued]))


@pytest.mark.parametrize("fails", [False, True])
def test_an_order_that_is_delivered_again_is_paid_once(farm: Farm, fails: bool) -> None:
    home, worker = farm.machine("home"), farm.machine("worker")
    home.put(shots(1))
    (queued,) = fetched(home, 1)
    code = 6 if fails else 0
    farm.fake.fail_with = farm.fake.failure("It broke.", "internal") if fails else None
    first = worker.work(code)
    farm.fake.fail_with = None
    deliver_again(home, queued)
    again = worker.work(code)
    assert [each["task"] for each in again] == [each["task"] for each in first]
    assert farm.fake.creates == 1
    assert states(farm) == ["failed" if fails else "saved"]


def test_batches_take_turns_and_a_higher_priority_goes_first(farm: Farm) -> None:
    home = farm.machine("home")
    home.put(shots(6))
    assert [each.name for each in fetched(home, 2)] == ["s0", "s1"]
    rows = [{**each, "name": f"t{n}", "seed": 9} for n, each in enumerate(shots(3))]
    home.put(rows)
    assert [each.name for each in fetched(home, 9)] == [
        *("s0", "t0", "s1", "t1", "s2", "t2", "s3", "s4", "s5")
    ]
    home.put([{**each, "name": "soon", "seed": 10} for each in shots(1)], "--priority", "1")
    assert fetched(home, 1)[0].name == "soon"


def test_settings_that_make_another_order_of_it_send_nothing(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seedance.cli.carrying.MOST_ATTEMPTS", 0)
    home, worker = farm.machine("home"), farm.machine("worker")
    home.put(shots(1))
    farm.environment["SEEDANCE_LUMENFALL_MODELS"] = '{"seedance-2.0": "another"}'
    (ended,) = worker.work(code=1)
    assert "another order" in ended["error"]["message"]
    assert farm.fake.requests == []


def test_without_a_bucket_media_of_one_machine_are_refused(farm: Farm) -> None:
    Image.new("RGB", (640, 360), "navy").save(farm.folder / "first.png")
    farm.environment["SEEDANCE_S3_BUCKET"] = ""
    home = farm.machine("home")
    chain = [*shots(1), {"name": "on", "prompt": "On", "after": "s0", "provider": "lumenfall"}]
    for listed in (shots(1, image="first.png"), chain):
        (farm.folder / "shots.json").write_text(json.dumps(listed))
        said = home.run("batch", farm.folder / "shots.json", "--farm", "--yes", code=2)
        assert "SEEDANCE_S3_BUCKET" in said["error"]["hint"]
        assert said["error"]["spent"] == "no"
    assert fetched(home, 1) == []


# ------------------------------------------------------------------- workers that are stopped


def ended(child: subprocess.Popen[str]) -> tuple[str, str]:
    out, err = child.communicate(timeout=120)
    assert child.returncode == 0, (out, err)
    return out, err


@pytest.mark.slow
def test_who_is_stopped_hears_the_answer_to_what_it_paid_and_gives_the_rest_back(
    farm: Farm,
) -> None:
    farm.fake.polls_until_done = 10**6
    farm.fake.fault(is_create, "hang")
    farm.machine("home").put(shots(3))
    stopped = farm.machine("a").start("worker", "--jobs", "3")
    until(lambda: farm.fake.creates == 3, 60)
    stopped.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        stopped.wait(1)
    farm.fake.let_go()
    _, err = ended(stopped)
    assert "3 orders are given back" in err
    assert states(farm) == ["running"] * 3
    farm.fake.polls_until_done = 0
    assert len(farm.machine("b").work()) == 3
    assert farm.fake.creates == sum(map(is_create, farm.fake.requests)) == 3
    assert states(farm) == ["saved"] * 3


@pytest.mark.slow
def test_what_a_killed_worker_had_is_carried_by_another(farm: Farm) -> None:
    farm.fake.polls_until_done = 10**6
    farm.machine("home").put(shots(4))
    killed = farm.machine("a").start("worker")
    until(lambda: states(farm).count("running") >= 3, 60)
    killed.kill()
    killed.communicate()
    farm.fake.polls_until_done = 0
    assert len(farm.machine("b").work()) == 4
    assert farm.fake.creates == sum(map(is_create, farm.fake.requests)) == 4
    assert states(farm) == ["saved"] * 4


@pytest.mark.slow
@pytest.mark.parametrize("listed", [True, False])
def test_who_slept_past_its_lease_in_a_create_pays_once(farm: Farm, listed: bool) -> None:
    farm.fake.logs_requests = listed  # type: ignore[attr-defined]
    farm.fake.fault(is_create, "hang")
    farm.machine("home").put(shots(1))
    sleeper = farm.machine("a").start("worker", "--until-empty")
    until(lambda: farm.fake.creates == 1, 60)
    sleeper.send_signal(signal.SIGSTOP)
    try:
        farm.machine("b").work(code=0 if listed else 5)  # found in the list, or unclear
        assert states(farm) == ["saved" if listed else "unclear"]
    finally:
        sleeper.send_signal(signal.SIGCONT)
    farm.fake.let_go()
    until(lambda: states(farm) == ["saved"], 60)
    ended(sleeper)
    assert farm.fake.creates == sum(map(is_create, farm.fake.requests)) == 1
    (task,) = farm.fake.tasks
    got = farm.machine("c").run("collect", f"lumenfall:{task}")
    assert got["state"] == "saved"


@pytest.mark.slow
def test_what_goes_on_though_the_queue_gave_it_up_is_carried_to_its_end(farm: Farm) -> None:
    """As where the answer to a paid call came late to a worker, which was then killed."""
    farm.fake.polls_until_done = 10**6
    farm.machine("home").put(shots(1))
    killed = farm.machine("a").start("worker")
    until(lambda: states(farm) == ["running"], 60)
    killed.kill()
    killed.communicate()
    sql(farm.url, "UPDATE procrastinate_jobs SET status = 'failed'")
    farm.fake.polls_until_done = 0
    other = farm.machine("b").start("worker")
    until(lambda: states(farm) == ["saved"], 60)
    other.send_signal(signal.SIGTERM)
    ended(other)
    assert farm.fake.creates == sum(map(is_create, farm.fake.requests)) == 1
