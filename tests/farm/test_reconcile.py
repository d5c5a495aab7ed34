"""A journal that was restored to what it was before orders were carried: nothing is paid twice."""

from __future__ import annotations

from collections.abc import Iterator

import fakes
import postgres
import pytest
from farm_stage import Farm, Machine, shots, states
from running import until

from seedance.runner import Runner


@pytest.fixture
def backup(farm_database: str) -> Iterator[str]:
    """The URL of a database that does not exist yet."""
    server, _, _ = farm_database.rpartition("/")
    yield f"{server}/backup"
    import psycopg

    with psycopg.connect(f"{server}/postgres".replace("+psycopg", ""), autocommit=True) as there:
        there.execute("DROP DATABASE IF EXISTS backup WITH (FORCE)")


def back_up(farm: Farm, url: str) -> None:
    import psycopg

    server, _, name = url.rpartition("/")
    with psycopg.connect(f"{server}/postgres".replace("+psycopg", ""), autocommit=True) as there:
        there.execute(f"CREATE DATABASE {name} TEMPLATE {farm.url.rpartition('/')[2]}")


def test_saved_orders_come_back_from_the_bucket(farm: Farm, backup: str) -> None:
    farm.machine("home").put(shots(2))
    back_up(farm, backup)
    assert len(farm.machine("a").work()) == 2
    farm.url = backup
    farm.fake.tasks.clear()  # the provider has forgotten them, and would take them anew
    fourth = farm.machine("fourth")
    fourth.run("doctor", "--reconcile")
    assert states(farm) == ["saved", "saved"]
    ended = fourth.work()
    assert all(each["file"].startswith(str(fourth.output)) for each in ended) and len(ended) == 2
    assert farm.fake.creates == 0


@pytest.mark.slow
def test_orders_under_way_come_back_by_their_tickets(farm: Farm, backup: str) -> None:
    farm.fake.polls_until_done = 10**6
    farm.machine("home").put(shots(2))
    back_up(farm, backup)
    killed = farm.machine("a").start("worker", quiet=True)
    until(lambda: states(farm) == ["running"] * 2, 60)
    killed.kill()
    killed.wait()
    farm.url = backup
    farm.machine("a").run("doctor", "--reconcile")
    assert states(farm) == ["running"] * 2
    farm.fake.polls_until_done = 0
    assert len(farm.machine("b").work()) == 2
    assert farm.fake.creates == 2


@pytest.mark.parametrize("provider", ["byteplus", "fal", "lumenfall", "replicate"])
def test_a_list_shows_what_no_machine_has(farm: Farm, provider: str) -> None:
    farm.environment["SEEDANCE_S3_BUCKET"] = ""
    with fakes.all()[provider](polls_until_done=0) as fake:
        farm.fake = fake
        made = Machine(farm, "lost").run("generate", "--provider", provider, "--prompt", "a fox")
        postgres.empty(farm.url)
        runner = Runner(farm.machine("found").settings)
        found = runner.reconcile()
        assert found.unknown == (made["task"],) and provider in found.listed
        runner.collect(made["task"]).wait()
        assert runner.reconcile().unknown == ()
