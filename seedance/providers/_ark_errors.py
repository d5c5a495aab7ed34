"""Ark's error codes in words for a person: what was refused, whether it is billed, what to try.

Sources: docs.byteplus.com/en/docs/ModelArk/1299023 and
www.volcengine.com/docs/82379/1299023.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ..errors import Moderated, OutOfCredit, Refused, SeedanceError
from ..wire import Provider, Reply, error_code, error_text

_MODERATION = re.compile(
    r"(Input|Output)?(Text|Image|Video|Audio)?(?:SensitiveContentDetected|RiskDetection)(?:\.(\w+))?"
)
_INPUTS = {
    "Text": "the prompt",
    "Image": "an input picture",
    "Video": "an input clip",
    "Audio": "an input sound",
}
_OUTPUTS = {"Audio": "the finished sound", "Image": "the finished picture"}
_WHY = {
    "PolicyViolation": "it may infringe a copyright",
    "PrivacyInformation": "it may show a real person",
    "Violence": "violence",
    "SevereViolation": "a severe violation",
}


@dataclass(frozen=True)
class Verdict:
    """What a content policy refused (`what`, with the reason), at which stage, and what to try."""

    what: str
    stage: Literal["prompt", "input", "output"]
    advice: str


def verdict(code: str) -> Verdict | None:
    """Read a moderation code such as `InputImageSensitiveContentDetected.PrivacyInformation`."""
    match = _MODERATION.match(code)
    if match is None:
        return None
    side, kind, detail = match.groups(default="")
    stage: Literal["prompt", "input", "output"]
    if side == "Output":
        stage, what = "output", _OUTPUTS.get(kind, "the finished video")
    elif kind in ("", "Text"):
        stage, what = "prompt", _INPUTS["Text"]
    else:
        stage, what = "input", _INPUTS[kind]
    why = _WHY.get(detail, "sensitive content")
    return Verdict(f"{what} ({why})", stage, _advice(stage, detail, kind))


def _advice(stage: str, detail: str, kind: str) -> str:
    if (stage, kind) == ("output", "Audio"):
        # Reported by docs.apiyi.com; the picture alone was not refused.
        return "Try without sound: set generate_audio to off."
    if detail == "PrivacyInformation" and stage != "prompt":
        return (
            "Faces of real people are refused by policy: use an earlier result of the model, a "
            "preset character, or an asset://... that was authorised."
        )
    if detail == "PrivacyInformation":
        return "Take real people's names out of the prompt."
    if detail == "PolicyViolation":
        return "Take names and looks of brands, works and characters out of the prompt and media."
    if stage == "prompt":
        return "Reword the prompt."
    if stage == "input":
        return "Use other media for that input."
    return "Change the prompt or the seed and try again."


_QUOTA = ("QuotaExceeded", "SetLimitExceeded")
_OTHER_PLATFORM = "Keys and ids of BytePlus and Volcano Engine do not mix."

# What a model asks for before it can be switched on, as those who did it report.
_ACTIVATION = {
    "byteplus": "; for 2.5 a balance of more than 30 USD, or a resource plan, is reported to be "
    "needed",
    "volcengine": "; a balance of 200 CNY is reported to be needed",
}

# The starts of a code; the kind of error; what happened; what to do. The first that fits is taken.
# `{id}` and `{ID}` stand for the provider's id.
_FAMILIES: tuple[tuple[tuple[str, ...], type[Refused], str, str], ...] = (
    (
        ("AuthenticationError",),
        Refused,
        "refused the key",
        f"Check it with: seedance key test {{id}}. {_OTHER_PLATFORM}",
    ),
    (
        ("AccountOverdueError",),
        OutOfCredit,
        "says that the account is overdue",
        "Add credit in the console.",
    ),
    (
        _QUOTA,
        OutOfCredit,
        "says that a quota is used up",
        "Raise the limit in the console, or wait until it is renewed.",
    ),
    (
        ("ModelNotOpen", "OperationDenied.ServiceNotOpen"),
        Refused,
        "has not activated this model for the account",
        "Each model is switched on in the console by itself{activation}.",
    ),
    (
        ("InvalidResolution",),
        Refused,
        "does not make this resolution with this model",
        "Take another resolution: the premium model makes 4k only, the others no 4k of a draft.",
    ),
    (
        ("InvalidEndpoint",),
        Refused,
        "does not know this model or endpoint",
        f"SEEDANCE_{{ID}}_MODELS replaces model ids. {_OTHER_PLATFORM}",
    ),
    (
        ("AccessDenied", "OperationDenied"),
        Refused,
        "does not allow this account to do that",
        "Look into the key's permissions and the account's state in the console.",
    ),
    (
        ("RateLimitExceeded", "ServerOverloaded", "RequestBurstTooFast", "InflightBatchsize"),
        Refused,
        "is busy and accepted nothing",
        "Try again later.",
    ),
    (
        ("InvalidParameter.TaskTypeConstraint",),
        Refused,
        "takes the order for editing or extending, which the source's ratio (and length) rules",
        "Set the ratio to adaptive, and for editing the duration to -1; or word the prompt so that "
        "the clip is only a reference.",
    ),
    (
        ("InvalidParameter.TaskTypeMismatch",),
        Refused,
        "reads another kind of task from the prompt than was asked for",
        "Say in the prompt what to edit or how to extend the clip, or use another operation.",
    ),
    (
        ("InvalidParameter", "MissingParameter"),
        Refused,
        "did not accept a value",
        "Change the value that it names.",
    ),
)


def explain(provider: Provider, reply: Reply) -> SeedanceError | None:
    """The error that an answer stands for by its code; None for a code that is not known."""
    code = error_code(reply)
    said = (error_text(reply) or code).rstrip(".")
    if found := verdict(code):
        message = f"{provider.name}'s content policy refused {found.what}: {said}."
        return Moderated(message, hint=f"Nothing is billed. {found.advice}")
    for starts, kind, what, hint in _FAMILIES:
        if code.startswith(starts):
            activation = _ACTIVATION.get(provider.id, "")
            names = {"id": provider.id, "ID": provider.id.upper(), "activation": activation}
            return kind(f"{provider.name} {what}: {said}.", hint=hint.format(**names))
    return None


def quota_used_up(reply: Reply) -> bool:
    """Whether a 429 means that waiting does not help."""
    return error_code(reply).startswith((*_QUOTA, "AccountOverdueError"))
