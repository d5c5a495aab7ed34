"""ComfyUI's interrupt flag: whoever sees it first clears it."""

from __future__ import annotations

interrupted = False


class InterruptProcessingException(Exception):
    pass


def interrupt_current_processing(value: bool = True) -> None:
    global interrupted
    interrupted = value


def throw_exception_if_processing_interrupted() -> None:
    global interrupted
    if interrupted:
        interrupted = False
        raise InterruptProcessingException()
