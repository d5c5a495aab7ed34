"""The node that makes a draft into its final video."""

from __future__ import annotations

from comfy_api.latest import io

from ..seedance.order import FINALS
from . import inputs, outputs, takes


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
                inputs.decode_frames(),
            ],
            outputs=outputs.schema(),
        )

    @classmethod
    async def execute(
        cls, draft: str, resolution: str = FINALS[0], decode_frames: bool = True
    ) -> io.NodeOutput:
        return await takes.deliver(
            lambda runner: [runner.finish(draft.strip(), resolution=resolution)],
            decode_frames=decode_frames,
        )
