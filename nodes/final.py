"""The node that makes a draft into its final video."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from comfy_api.latest import io

from ..seedance.order import FINALS
from . import execution, inputs, outputs, takes
from .graph import graph_of
from .partial_failures import partial_failures
from .values import text

if TYPE_CHECKING:
    from ..seedance.runner import Job, Runner


class SeedanceFinal(io.ComfyNode):
    """Finishes the draft of a ticket, or takes its final video from the journal."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="SeedanceFinal",
            display_name="Seedance Finish Draft",
            category="Seedance",
            description="Makes a draft into the final video, with the draft's prompt, media, seed "
            "and length; nothing is uploaded again. It is paid for, once for each draft. Where "
            "the provider has no drafts, it orders anew with the same seed, which is another "
            "video.",
            inputs=[
                io.String.Input(
                    "draft",
                    default="",
                    placeholder="byteplus:cgt-...",
                    tooltip="The ticket of the draft, as the task output of its node gives it.",
                ),
                io.Combo.Input(
                    "resolution",
                    options=list(FINALS),
                    default=FINALS[0],
                    optional=True,
                    tooltip="4k: only where the provider's premium model is configured.",
                ),
                inputs.decode("frames"),
                *inputs.decoding(),
            ],
            outputs=outputs.schema(),
            **inputs.found_by("draft", "final", "upscale draft"),
        )

    @classmethod
    def fingerprint_inputs(cls, **values: Any) -> int:
        return partial_failures.count_for(values)

    @classmethod
    async def execute(
        cls, draft: object, resolution: object = None, **decoded: Any
    ) -> io.NodeOutput:
        prompt_id = execution.prompt_id()

        def begin(runner: Runner) -> list[Job]:
            from . import queue_sum

            return [
                runner.finish(
                    text("draft", draft).strip(),
                    resolution=text("resolution", resolution) or FINALS[0],
                    spending=queue_sum.spending_of(prompt_id, runner),
                    **graph_of(cls),
                )
            ]

        return await takes.deliver(begin, takes.decoded_of(decoded))
