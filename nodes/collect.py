"""The node that collects a paid task by its ticket."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from . import inputs, outputs, takes
from .graph import graph_of
from .partial_failures import partial_failures
from .values import text


class SeedanceTask(io.ComfyNode):
    """Waits for the task of a ticket, or takes its video from the journal."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SeedanceTask",
            display_name="Seedance Collect Task",
            category="Seedance",
            description="The video of a task that was paid for before, by its ticket: after a "
            "time-out, from the command line, or from another machine with the same key. It "
            "never starts a new one.",
            inputs=[
                io.String.Input(
                    "task",
                    default="",
                    placeholder="lumenfall:video_123",
                    tooltip="The ticket, as the task output, the history or an error message "
                    "gives it.",
                ),
                inputs.decode("frames"),
                *inputs.decoding(),
            ],
            outputs=outputs.schema(),
            **inputs.found_by("ticket", "resume", "recover video", "download video"),
        )

    @classmethod
    def fingerprint_inputs(cls, **values: Any) -> int:
        return partial_failures.count_for(values)

    @classmethod
    async def execute(cls, task: object, **decoded: Any) -> io.NodeOutput:
        return await takes.deliver(
            lambda runner: [runner.collect(text("task", task).strip(), **graph_of(cls))],
            takes.decoded_of(decoded),
        )
