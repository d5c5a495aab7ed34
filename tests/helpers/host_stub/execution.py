from __future__ import annotations

from typing import Any

Prompt = tuple[Any, ...]  # (number, prompt id, prompt, extra data, outputs, secrets)


class PromptQueue:
    def __init__(self) -> None:
        self.running: list[Prompt] = []
        self.history: dict[str, dict[str, Any]] = {}

    def get_current_queue_volatile(self) -> tuple[list[Prompt], list[Prompt]]:
        return list(self.running), []

    def get_history(self, prompt_id: str) -> dict[str, dict[str, Any]]:
        return {prompt_id: self.history[prompt_id]} if prompt_id in self.history else {}
