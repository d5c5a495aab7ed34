from __future__ import annotations

from pathlib import Path

base = Path()  # a test's folder


def get_output_directory() -> str:
    return str(base / "output")


def get_input_directory() -> str:
    return str(base / "input")


def get_system_user_directory(name: str) -> str:
    return str(base / "user" / f"__{name}")
