"""ComfyUI's interrupt flag: whoever sees it first clears it."""

interrupted = False


class InterruptProcessingException(Exception):
    pass


def interrupt_current_processing(value=True):
    global interrupted
    interrupted = value


def throw_exception_if_processing_interrupted():
    global interrupted
    if interrupted:
        interrupted = False
        raise InterruptProcessingException()
