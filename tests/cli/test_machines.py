"""Machines as they are set up: paths, proxies, certificates, and what stops a command early."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import fakes
import pytest
from command_line import FOX, Command

import seedance
from seedance import cli

pytestmark = pytest.mark.slow

# Command lines one after the other in one process, with previews of a frame a second.
IN_TURN = """
import json, sys
from seedance import cli
from seedance.preview import render
render.FPS = 1
print(cli.__file__)
sys.exit(max(cli.main(words) for words in json.loads(sys.argv[1])))
"""
NAMES = ["50% of it", "%(here)s", "'q' \"d\"", "[a] #1 ?x", "-dash", "狐 é", "d" * 200]


@pytest.mark.parametrize("name", NAMES)
def test_the_pack_works_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    shutil.copytree(Path(seedance.__file__).parent, folder / "seedance")
    environment = {
        **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        "SEEDANCE_HOME": str(folder / "home"),
        "SEEDANCE_OUTPUT": str(folder / "output"),
    }
    make = ("generate", "--provider", "preview", "--prompt", "x", "--resolution", "480p")
    target = Path(f"{name[:20]}.mp4")
    lines = [["doctor"], [*make, "--duration", "4", "-o", f"./{target}"]]
    child = subprocess.run(
        [sys.executable, "-c", IN_TURN, json.dumps(lines)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert child.returncode == 0, child.stdout + child.stderr
    assert f"{folder / 'seedance'}" in child.stdout
    assert (folder / target).is_file()


def _closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


PROXIES: list[tuple[str, list[str]]] = [
    ("socks://127.0.0.1:{port}", ["ALL_PROXY"]),
    ("http://имя:pass@127.0.0.1:{port}", ["ALL_PROXY"]),
    ("http://[::1", ["ALL_PROXY"]),
    ("http://user:pass@127.0.0.1:{port}", ["127.0.0.1:{port}", "ALL_PROXY", "proxy"]),
]


@pytest.mark.parametrize(("proxy", "says"), PROXIES)
def test_a_proxy_that_cannot_be_used_is_named_and_nothing_is_unclear(
    command: Command, monkeypatch: pytest.MonkeyPatch, proxy: str, says: list[str]
) -> None:
    port = _closed_port()
    monkeypatch.setenv("LUMENFALL_API_KEY", "sk-test-0123456789")
    monkeypatch.setenv("ALL_PROXY", proxy.format(port=port))
    for seed in (1, 2):
        ran = command(*FOX, "--seed", str(seed), "--json")
        error = ran.json["error"]
        assert (error["kind"], error["spent"], ran.code) == ("Unreachable", "no", 8), ran.err
        said = f"{error['message']} {error['hint']}"
        assert all(each.format(port=port) in said for each in says), said
        assert "pass" not in said
    assert {row["state"] for row in command("tasks", "--json").json} == {"refused"}


def test_socks_without_pysocks_names_the_package(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    import requests.adapters

    def missing(*_: Any, **__: Any) -> Any:
        raise requests.exceptions.InvalidSchema("Missing dependencies for SOCKS support.")

    monkeypatch.setattr(requests.adapters, "SOCKSProxyManager", missing)
    monkeypatch.setenv("LUMENFALL_API_KEY", "sk-test-0123456789")
    monkeypatch.setenv("ALL_PROXY", f"socks5h://127.0.0.1:{_closed_port()}")
    error = command(*FOX, "--json").json["error"]
    assert (error["kind"], error["spent"]) == ("Unreachable", "no")
    assert "Install PySocks" in error["hint"]


def test_a_wrong_file_of_certificates_is_named(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LUMENFALL_API_KEY", "sk-test-0123456789")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    error = command(*FOX, "--json").json["error"]
    assert (error["kind"], error["spent"]) == ("Unreachable", "no")
    assert "REQUESTS_CA_BUNDLE" in error["message"]
    assert str(tmp_path / "none.pem") in error["message"]


def test_a_certificate_that_is_not_trusted_gets_a_hint(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from bucket import Bucket

    with Bucket(tmp_path) as there:  # it has a certificate of its own
        monkeypatch.setenv("LUMENFALL_API_KEY", "sk-test-0123456789")
        monkeypatch.setenv("SEEDANCE_LUMENFALL_BASE_URL", there.url)
        error = command(*FOX, "--json").json["error"]
    assert (error["kind"], error["spent"]) == ("Unreachable", "no")
    assert "REQUESTS_CA_BUNDLE" in error["hint"]


# ------------------------------------------------------------------ before anything is sent


def test_whatever_is_unforeseen_before_the_paid_call_spent_nothing(
    command: Command, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("out of luck")

    for place in ("seedance.runner.quotes.fit", "seedance.cli.orders.order_of"):
        with monkeypatch.context() as patched:
            patched.setattr(place, broken)
            ran = command(*FOX, "--json")
        assert ran.json["error"]["spent"] == "no"
        assert "Nothing was spent" in ran.err
    assert lumenfall.requests == []


@pytest.mark.parametrize("words", [FOX, ("key", "set", "lumenfall"), ("tasks",)])
def test_ctrl_c_before_anything_was_sent_spent_nothing(
    command: Command, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    def interrupted(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("seedance.settings.Settings.load", interrupted)
    ran = command(*words)
    assert (ran.code, "Nothing was spent" in ran.err) == (130, True)
    assert "Traceback" not in ran.err


def test_ctrl_c_while_modules_are_imported_leaves_no_traceback(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "parser", interrupted)
    ran = command(*FOX, "--json")
    assert (ran.code, ran.json["error"]["spent"]) == (130, "no")


def test_postgresql_without_its_driver_names_the_extra(
    command: Command, lumenfall: fakes.Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.setenv("SEEDANCE_JOURNAL_URL", "postgresql+psycopg://127.0.0.1:1/x")
    ran = command(*FOX, "--json")
    error = ran.json["error"]
    assert (ran.code, error["spent"]) == (2, "no")
    assert 'pip install "comfyui-seedance[postgres]"' in error["hint"]
    assert "Traceback" not in ran.err
    assert lumenfall.requests == []
