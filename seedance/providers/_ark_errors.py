"""Ark's error codes in words for a person: what was refused, whether it is billed, what to try.

Sources: docs.byteplus.com/en/docs/ModelArk/1299023 and
www.volcengine.com/docs/82379/1299023.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from ..errors import Moderated, OutOfCredit, Refused, SeedanceError
from ..said import Said, say, template
from ..wire import Provider, Reply, error_code, error_text

_MODERATION = re.compile(
    r"(Input|Output)?(Text|Image|Video|Audio)?(?:SensitiveContentDetected|RiskDetection)(?:\.(\w+))?"
)
_INPUTS = {
    "Text": say("the prompt"),
    "Image": say("an input picture"),
    "Video": say("an input clip"),
    "Audio": say("an input sound"),
}
_OUTPUTS = {"Audio": say("the finished sound"), "Image": say("the finished picture")}
_WHY = {
    "PolicyViolation": say("it may infringe a copyright"),
    "PrivacyInformation": say("it may show a real person"),
    "Violence": say("violence"),
    "SevereViolation": say("a severe violation"),
}


@dataclass(frozen=True)
class Verdict:
    """What a content policy refused (`what`, with the reason), at which stage, and what to try."""

    what: Said
    stage: Literal["prompt", "input", "output"]
    advice: Said


def verdict(code: str) -> Verdict | None:
    """Read a moderation code such as `InputImageSensitiveContentDetected.PrivacyInformation`."""
    match = _MODERATION.match(code)
    if match is None:
        return None
    side, kind, detail = match.groups(default="")
    stage: Literal["prompt", "input", "output"]
    if side == "Output":
        stage, what = "output", _OUTPUTS.get(kind, say("the finished video"))
    elif kind in ("", "Text"):
        stage, what = "prompt", _INPUTS["Text"]
    else:
        stage, what = "input", _INPUTS[kind]
    why = _WHY.get(detail, say("sensitive content"))
    return Verdict(say("{what} ({why})", what=what, why=why), stage, _advice(stage, detail, kind))


def _advice(stage: str, detail: str, kind: str) -> Said:
    if (stage, kind) == ("output", "Audio"):
        # Reported by docs.apiyi.com; the picture alone was not refused.
        return say("Try without sound: set generate_audio to off.")
    if detail == "PrivacyInformation" and stage != "prompt":
        return say(
            "Faces of real people are refused by policy: use an earlier result of the model, a "
            "preset character, or an asset://... that was authorised."
        )
    if detail == "PrivacyInformation":
        return say("Take real people's names out of the prompt.")
    if detail == "PolicyViolation":
        return say(
            "Take names and looks of brands, works and characters out of the prompt and media."
        )
    if stage == "prompt":
        return say("Reword the prompt.")
    if stage == "input":
        return say("Use other media for that input.")
    return say("Change the prompt or the seed and try again.")


_QUOTA = ("QuotaExceeded", "SetLimitExceeded")

# What a model asks for before it can be switched on, as those who did it report.
_ACTIVATION = {
    "byteplus": say(
        "; for 2.5 a balance of more than 30 USD, or a resource plan, is reported to be needed"
    ),
    "volcengine": say("; a balance of 200 CNY is reported to be needed"),
}

# The starts of a code; the kind of error; what happened; what to do. The first that fits is taken.
# `{variable}` names the setting of model ids.
_FAMILIES: tuple[tuple[tuple[str, ...], type[Refused], str, str], ...] = (
    (
        ("AuthenticationError",),
        Refused,
        template("{provider} refused the key: {said}."),
        template(
            "Check it with: seedance key test {id}. Keys and ids of BytePlus and Volcano Engine "
            "do not mix."
        ),
    ),
    (
        ("AccountOverdueError",),
        OutOfCredit,
        template("{provider} says that the account is overdue: {said}."),
        template("Add credit in the console."),
    ),
    (
        _QUOTA,
        OutOfCredit,
        template("{provider} says that a quota is used up: {said}."),
        template("Raise the limit in the console, or wait until it is renewed."),
    ),
    (
        ("ModelNotOpen", "OperationDenied.ServiceNotOpen"),
        Refused,
        template("{provider} has not activated this model for the account: {said}."),
        template("Each model is switched on in the console by itself{activation}."),
    ),
    (
        ("InvalidResolution",),
        Refused,
        template("{provider} does not make this resolution with this model: {said}."),
        template(
            "Take another resolution: the premium model makes 4k only, the others no 4k of a draft."
        ),
    ),
    (
        ("InvalidEndpoint",),
        Refused,
        template("{provider} does not know this model or endpoint: {said}."),
        template(
            "{variable} replaces model ids. Keys and ids of BytePlus and Volcano Engine do not mix."
        ),
    ),
    (
        ("AccessDenied", "OperationDenied"),
        Refused,
        template("{provider} does not allow this account to do that: {said}."),
        template("Look into the key's permissions and the account's state in the console."),
    ),
    (
        ("RateLimitExceeded", "ServerOverloaded", "RequestBurstTooFast", "InflightBatchsize"),
        Refused,
        template("{provider} is busy and accepted nothing: {said}."),
        template("Try again later."),
    ),
    (
        ("InvalidParameter.TaskTypeConstraint",),
        Refused,
        template(
            "{provider} takes the order for editing or extending, which the source's ratio (and "
            "length) rules: {said}."
        ),
        template(
            "Set the ratio to adaptive, and for editing the duration to -1; or word the prompt "
            "so that the clip is only a reference."
        ),
    ),
    (
        ("InvalidParameter.TaskTypeMismatch",),
        Refused,
        template(
            "{provider} reads another kind of task from the prompt than was asked for: {said}."
        ),
        template(
            "Say in the prompt what to edit or how to extend the clip, or use another operation."
        ),
    ),
    (
        ("InvalidParameter", "MissingParameter"),
        Refused,
        template("{provider} did not accept a value: {said}."),
        template("Change the value that it names."),
    ),
)


def explain(provider: Provider, reply: Reply) -> SeedanceError | None:
    """The error that an answer stands for by its code; None for a code that is not known."""
    code = error_code(reply)
    said = (error_text(reply) or code).rstrip(".")
    if found := verdict(code):
        return Moderated(
            "{provider}'s content policy refused {what}: {said}.",
            hint="Nothing is billed. {advice}",
            provider=provider.name,
            what=found.what,
            said=said,
            advice=found.advice,
        )
    for starts, kind, what, hint in _FAMILIES:
        if code.startswith(starts):
            return kind(
                what,
                hint=hint,
                provider=provider.name,
                said=said,
                id=provider.id,
                variable=f"SEEDANCE_{provider.id.upper()}_MODELS",
                activation=_ACTIVATION.get(provider.id, ""),
            )
    return None


def advice_about_task(code: str) -> Said | None:
    """What to do where a task failed because it was read as another kind of task than its fields
    are for: Ark finds that out after the create where no kind was named."""
    if not code.startswith("InvalidParameter.TaskType"):
        return None
    return next(say(hint) for starts, _, _, hint in _FAMILIES if code.startswith(starts))


def quota_used_up(reply: Reply) -> bool:
    """Whether a 429 means that waiting does not help."""
    return error_code(reply).startswith((*_QUOTA, "AccountOverdueError"))
