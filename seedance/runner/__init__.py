"""From an order to a saved video. No order is paid twice.

runner.start(order, takes=2)  ->  [Job, Job];  job.wait() or await job.wait_async()  ->  Result

runner          Runner: start, collect, recover, cancel, forget
shared_runner   the one runner of a process
takes           the takes of an order before they are started
quotes          which provider takes an order, what would be sent, and for how much
delivery        how each medium reaches the provider: inline, by upload, by the user's bucket, ...
worker          Worker: one thread an order, the heartbeat of leases, time limits
active          ActiveOrder: a row that this process brings to its end, and its moves
lifecycle       the order of the steps, each in a file of its own:
  upload        media go up
  submit        a slot is taken, and the paid call is made
  poll          the provider is asked how far the task is
  collect       the video is fetched, checked and saved
client          Client: makes the calls that a provider describes; what a failure means for money
clients         clients for the providers of rows; connections are shared
job             Job: a take as its caller sees it
progress        how far an order is, as data
spending        the most that one queued graph, or one command, may cost
compare         a finished video and what was ordered
files           where a video is saved, and its sidecar
places          where a saved video is now, on this machine
results         saved videos in the user's bucket, for other machines
rebuild         the journal's rows again, from sidecars
outcomes        the errors that orders end with, in words
"""

from __future__ import annotations

from .files import check_target
from .job import Job, Result, wait_all, wait_some
from .progress import Progress
from .quotes import Prepared, Quote
from .runner import Confirm, Runner
from .shared_runner import close_shared, shared, spent_nothing
from .spending import Spending, Sum, check_most, sum_of
from .takes import Take

__all__ = [
    "Confirm",
    "Job",
    "Prepared",
    "Progress",
    "Quote",
    "Result",
    "Runner",
    "Spending",
    "Sum",
    "Take",
    "check_most",
    "check_target",
    "close_shared",
    "shared",
    "spent_nothing",
    "sum_of",
    "wait_all",
    "wait_some",
]
