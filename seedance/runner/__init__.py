"""The way to a video: give an order, wait for the result or not; nothing is paid twice.

runner.start(order, takes=2)  ->  [Job, Job];  job.wait() or await job.wait_async()  ->  Result

runner     Runner: start, collect, recover, cancel, forget
quotes     which provider takes an order, what would be sent, and for how much
delivery   which way each medium reaches the provider
upload     bringing the media there
client     holds the conversations that providers describe
worker     threads, leases, time limits; one thread an order
active     an order that this process works on, and the steps that its row takes
lifecycle  the order of the steps: upload, submit, poll, collect
job        a take as its caller sees it
files      where a video is saved, and its sidecar
outcomes   the sentences about how an order ended
"""

from __future__ import annotations

from .job import Job, Result
from .progress import Progress
from .quotes import Quote
from .runner import Runner, shared

__all__ = ["Job", "Progress", "Quote", "Result", "Runner", "shared"]
