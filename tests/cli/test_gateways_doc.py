"""The worked examples of docs/gateways.md, each against the strict fake of its dialect."""

from __future__ import annotations

import json
import os
import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from command_line import Command
from fakes import Fake
from fakes.gateway import BY_DIALECT
from paths import ROOT
from PIL import Image

from seedance.addresses import origin

pytestmark = pytest.mark.slow

GUIDE = (ROOT / "docs" / "gateways.md").read_text(encoding="utf-8")
EXAMPLES = {
    found[1]: found[2]
    for found in re.finditer(r"<!-- (\w+) -->\n(.*?)(?=\n###|\Z)", GUIDE, re.DOTALL)
}


def test_there_is_an_example_for_each_dialect() -> None:
    assert EXAMPLES.keys() == BY_DIALECT.keys()


@pytest.mark.parametrize("dialect", BY_DIALECT)
def test_an_example_does_what_it_says(
    dialect: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEEDANCE_OUTPUT")
    Image.new("RGB", (1280, 720), "brown").save("portrait.png")
    commands = [
        line
        for block in re.findall(r"```sh\n(.*?)```", EXAMPLES[dialect], re.DOTALL)
        for line in block.splitlines()
    ]
    with BY_DIALECT[dialect](polls_until_done=0) as fake:
        for text in re.findall(r"```json\n(.*?)```", EXAMPLES[dialect], re.DOTALL):
            write_key_file(text, fake, tmp_path / "home")
        made = []
        for line in commands:
            words = shlex.split(line)
            if words[0] == "export":
                name, value = words[1].split("=", 1)
                monkeypatch.setenv(name, here(name, value, fake))
                continue
            ran = command(*words[1:])
            assert ran.code == 0, ran.err
            if words[1] == "key":
                assert f"a gateway of the dialect {dialect}." in ran.out
                assert fake.creates == 0
            else:
                made.append(Path(words[words.index("-o") + 1]))
        assert fake.creates == len(made) > 0
        assert all(file.read_bytes() == fake.clip for file in made)


def here(name: str, value: str, fake: Fake) -> str:
    """A value of an example, with the fake in place of the gateway that it names."""
    if name.endswith("_KEY"):
        fake.key = value
    if name.endswith("_BASE_URL"):
        assert urlsplit(value).path == urlsplit(fake.base_url).path
        return fake.base_url
    return value


def write_key_file(text: str, fake: Fake, home: Path) -> None:
    records = json.loads(text)
    record = records["gateway"]
    assert record["origin"] == origin(record["base_url"])
    fake.key = record["key"]
    record |= {"base_url": fake.base_url, "origin": origin(fake.base_url)}
    home.mkdir(mode=0o700)
    file = home / "keys.json"
    file.write_text(json.dumps(records), encoding="utf-8")
    os.chmod(file, 0o600)
