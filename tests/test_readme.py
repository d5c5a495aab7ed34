"""The README, the metadata and the code say the same."""

from __future__ import annotations

import re
import shlex

import provider_tables
import pytest
from paths import ROOT

import seedance
from seedance import cli, errors
from seedance.cli.arguments import parser

README = (ROOT / "README.md").read_text(encoding="utf-8")
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def first_block(heading: str) -> str:
    section = README.split(f"\n## {heading}\n", 1)[1].split("\n## ")[0]
    return section.split("```sh\n", 1)[1].split("\n```")[0]


def command_lines() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [
        part.split("bin/")[-1]
        for line in lines
        for part in line.split(" && ")
        if re.match(r"(\S*bin/)?seedance ", part)
    ]


def test_the_tables_of_providers_are_up_to_date() -> None:
    assert provider_tables.with_tables(README) == README, "run: python scripts/generate.py"


@pytest.mark.parametrize("heading", ["Try it", "Develop and test"])
def test_the_first_block_is_one_command(heading: str) -> None:
    assert len(first_block(heading).splitlines()) == 1


@pytest.mark.parametrize("line", command_lines())
def test_every_command_shown_can_be_parsed(line: str) -> None:
    words = shlex.split(line)[1:]
    if "--help" not in words:
        assert callable(parser().parse_args(words).run)


def test_commands_are_found_in_the_readme() -> None:
    assert len(command_lines()) >= 8


def test_every_variable_in_the_code_is_explained() -> None:
    sources = [*(ROOT / "seedance").rglob("*.py"), *(ROOT / "nodes").rglob("*.py")]
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    names = set(re.findall(r"SEEDANCE_[A-Z0-9_]+[A-Z0-9]\b", text))
    names -= {"SEEDANCE_BUDGET", "SEEDANCE_S3"}  # beginnings, to which the code adds the rest
    table = README.split("\n## Environment variables\n")[1].split("\n## ")[0]
    for name in names:
        spellings = {
            name,
            name.removeprefix("SEEDANCE_S3"),  # listed as `_REGION` after the first of them
            re.sub(r"SEEDANCE_[A-Z0-9]+_(BASE_URL|UPLOAD_URL|MODELS)", r"SEEDANCE_<ID>_\1", name),
        }
        assert any(f"`{spelling}`" in table for spelling in spellings), f"{name} is not explained"


def test_every_exit_code_is_listed() -> None:
    table = README.split("| code | means |")[1].split("\n\n")[0]
    listed = {
        int(code)
        for cell in re.findall(r"^\| ([\d, ]+) \|", table, re.M)
        for code in cell.split(",")
    }
    assert listed == {kind.exit_code for kind in errors.KINDS.values()} | {0, 1, cli.NOT_PRINTED}
    assert errors.SeedanceError.exit_code == 1


def test_every_folder_of_the_tests_is_described() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    folders = {path.parent.name for path in (ROOT / "tests").glob("[a-z]*/*.py")}
    assert folders == set(re.findall(r"`tests/([a-z]+)`", text))
    for path in re.findall(r"`?\b((?:tests|scripts|docs|seedance)/[\w/.]+)", text):
        if "node_modules" not in path:  # npm makes it
            assert (ROOT / path.rstrip(".")).exists(), path


def test_every_extra_is_explained_to_who_contributes() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    extras = re.findall(
        r"^([a-z0-9-]+) = \[",
        PYPROJECT.split("[project.optional-dependencies]\n")[1].split("\n[")[0],
        re.M,
    )
    assert len(extras) > 4
    assert [name for name in extras if f"`{name}`" not in text and name != "s3"] == []


def test_the_version_is_the_same_everywhere() -> None:
    version = seedance.__version__
    assert f'\nversion = "{version}"\n' in PYPROJECT
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## \[(\d.*)\]", changes, re.MULTILINE)[0] == version


def test_manager_and_pip_install_the_same() -> None:
    block = PYPROJECT.split("\ndependencies = [\n")[1].split("\n]")[0]
    manager = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line for line in manager if not line.startswith("#")]
    assert re.findall(r'"(.*)"', block) == wanted
    assert all(re.fullmatch(r"\w+>=[\d.]+", line) for line in wanted), "lower bounds only"
