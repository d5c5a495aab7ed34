"""What holds for every test: a clean environment, folders of its own, and no way off loopback."""

from __future__ import annotations

import gc
import importlib.util
import os
import runpy
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import comfyui
import pytest
from alembic import command as alembic_command
from command_line import Command, in_this_process
from migrations import Replayed
from paths import HELPERS
from selection import part_of_cases

import seedance
from seedance import download
from seedance.providers import _ark, leonardo, registry
from seedance.runner import Runner, client

GUARD = HELPERS / "guard"

runpy.run_path(str(GUARD / "sitecustomize.py"))
sys.path.append(str(HELPERS / "torch_standin"))  # at the end: torch itself comes first


def pytest_report_header() -> str:
    spec = importlib.util.find_spec("torch")
    standing_in = spec and spec.origin and spec.origin.startswith(str(HELPERS))
    return f"torch: {'a stand-in' if standing_in else 'installed'}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`: half of the time of the tests is waiting, for servers and processes."""
    return 2 * (os.cpu_count() or 1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--every",
        type=int,
        default=1,
        metavar="N",
        help="of each test's cases, run the first and every Nth after it",
    )


@pytest.hookimpl(trylast=True)  # after -m and -k
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items[:], left = part_of_cases(items, config.getoption("every"))
    if left:
        config.hook.pytest_deselected(items=left)


def pytest_collection_finish() -> None:
    """Thousands of tests are known now: the garbage collector need not look at them again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def replayed_migrations() -> Iterator[None]:
    """A new journal is made by what the migrations said to the first one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alembic_command, "upgrade", Replayed(alembic_command.upgrade))
        yield


@pytest.fixture
def real_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every new journal is made by alembic."""
    replayed = alembic_command.upgrade
    assert isinstance(replayed, Replayed)
    monkeypatch.setattr(alembic_command, "upgrade", replayed.real)


@pytest.fixture(autouse=True)
def short_pauses(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tried again after a while is tried again soon."""
    monkeypatch.setattr(client, "FIRST_PAUSE", 0.01)
    if "providers" in request.path.parts:
        return  # those tests look at the pauses themselves
    monkeypatch.setattr(download, "PAUSE_SECONDS", 0.005)
    monkeypatch.setattr(_ark, "LIST_SECONDS", 0.01)
    monkeypatch.setattr(leonardo, "CLIP_SECONDS", 0.01)


@pytest.fixture
def quick_previews(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clips of the preview have one frame a second, where a test is not about them."""
    monkeypatch.setattr("seedance.preview.render.FPS", 1)


@pytest.fixture(scope="session")
def guard_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where refused connections are written, by this process and by those that it starts."""
    log = tmp_path_factory.mktemp("guard") / "refused"
    log.touch()
    os.environ["SEEDANCE_GUARD_LOG"] = str(log)
    # Children import the package that is tested here, wherever it was found.
    package = Path(seedance.__file__).parent.parent
    os.environ["PYTHONPATH"] = os.pathsep.join((str(GUARD), str(package)))
    return log


@pytest.fixture(autouse=True)
def no_way_off_loopback(guard_log: Path) -> Iterator[None]:
    """Fail the test that opened a socket off loopback, even if its code bore the refusal."""
    yield
    refused = guard_log.read_text(encoding="utf-8")
    guard_log.write_text("", encoding="utf-8")
    assert not refused, f"left loopback: {refused}"


@pytest.fixture(autouse=True)
def clean_environment(guard_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting, key or proxy of the person who runs the tests; folders under `tmp_path`."""
    keys = {provider.key_variable for provider in registry().values()}
    keys |= {name for each in registry().values() for name in each.asset_key_variables}
    for name in list(os.environ):
        ours = name.startswith("SEEDANCE_") and name != "SEEDANCE_GUARD_LOG"
        if ours or name in keys or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SEEDANCE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SEEDANCE_OUTPUT", str(tmp_path / "output"))


@pytest.fixture(autouse=True)
def no_thread_lives_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close every runner that the test made; none of its threads may outlive it."""
    made: list[Runner] = []
    before = set(threading.enumerate())
    prepare = Runner.__post_init__

    def remembered(self: Runner) -> None:
        prepare(self)
        made.append(self)

    monkeypatch.setattr(Runner, "__post_init__", remembered)
    yield
    for runner in made:
        runner.close()
    alive = [
        t.name
        for t in threading.enumerate()
        if t not in before and t.name.startswith(("seedance-order", "seedance-heartbeat"))
    ]
    assert not alive


@pytest.fixture(scope="module", params=comfyui.parameters())
def comfy_host(request: pytest.FixtureRequest) -> comfyui.Host:
    """Each installation of ComfyUI that the environment names."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run one command line in this process, with a runner of its own."""
    return in_this_process(monkeypatch, capsys)
