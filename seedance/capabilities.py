"""What each provider can do, read off its limits, as plain values. Owns no fact of its own."""

from __future__ import annotations

from typing import Any, get_args

from .order import RATIOS, Mode
from .wire import ModelLimits, Provider


def capabilities(provider: type[Provider] | Provider) -> dict[str, Any]:
    """A provider, or one as it is configured, and its models as JSON-like values."""
    return {
        "id": provider.id,
        "name": provider.name,
        "key_variable": provider.key_variable,
        "key_page": provider.key_page,
        "base_url": provider.default_base_url,
        "models": {name: _model(model) for name, model in provider.limits.models.items()},
    }


def _model(model: ModelLimits) -> dict[str, Any]:
    return {
        "modes": [mode for mode in get_args(Mode) if mode in model.modes],
        "resolutions": list(model.resolutions),
        "ratios": _ratios(model),
        "durations": list(model.durations),
        "auto_duration": model.auto_duration,
        "prompt_max": model.prompt_max,
        "images": model.images,
        "videos": model.videos,
        "audios": model.audios,
        "generates_audio": model.generates_audio,
        "seed": model.seed,
        "watermark": model.watermark,
        "camera_fixed": model.camera_fixed,
        "keeps_audio": model.keeps_audio,
    }


def _ratios(model: ModelLimits) -> list[str]:
    able = {*model.ratios, *(["adaptive"] if model.adaptive else [])}
    return [ratio for ratio in RATIOS if ratio in able]
