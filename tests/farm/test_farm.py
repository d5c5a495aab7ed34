"""Orders that one machine puts into the queue, and others carry."""

from __future__ import annotations

import json
from typing import Any

from farm_stage import Farm
from PIL import Image
from running import is_create


def shots(count: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {"name": f"s{n}", "prompt": f"Shot {n}", "provider": "lumenfall", **more}
        for n in range(count)
    ]


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
