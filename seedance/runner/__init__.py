"""From an order to a saved video. No order is paid twice.

runner.start(order, takes=2)  ->  [Job, Job];  job.wait() or await job.wait_async()  ->  Result

runner          Runner: start, collect, recover, cancel, forget
shared_runner   the one runner of a process
lending         the runners that calls from Python share
takes           the takes of an order before they are started
target          the file that a take is to be saved as
quotes          which provider takes an order, what would be sent, and for how much
prices          live prices, kept for a day
catalogs        what providers say they can do, kept for a day
finish          the order for a draft's final video
new_rows        the rows of orders that are going to be sent
cancel          a task is cancelled where that costs nothing
delivery        how each medium reaches the provider: inline, by upload, by the user's bucket, ...
assets          assets by name, and what the names in a prompt stand for
local_assets    those of this machine
library         those in a provider's library: made once, waited for, removed
worker          Worker: brings active orders on; the heartbeat of leases, time limits
threads         threads for pieces of work, as many as are at work at once
active          ActiveOrder: a row that this process brings to its end, and its moves
lifecycle       the order of the steps, each in a file of its own:
  upload        media go up
  submit        a slot is taken, and the paid call is made
  poll          the provider is asked how far the task is
  collect       the video is fetched, checked and saved
tickets         tickets of paid orders, each in a file of its own
clearing        what became of an unclear order
recovery        what an earlier process, or a lost journal, left
client          Client: makes the calls that a provider describes; what a failure means for money
clients         clients for the providers of rows; connections are shared
job             Job: a take as its caller sees it
progress        how far an order is, as data
repeats         orders that are sent again although an earlier one may have been paid
batches         all shots of a list: what they cost, how they are made, the film, the report
spending        the most that one queued graph, or one command, may cost
compare         a finished video and what was ordered
files           where a video is saved, and its sidecar
last_frames     the last frame of a saved video, as a PNG
graphs          the graph that made an order, until its video is saved
kept            the media of orders, for when one is loaded into a node again
places          where a saved video is now, on this machine
results         saved videos in the user's bucket, for other machines
rebuild         the journal's rows again, from sidecars
reconcile       what was paid after the backup from which a journal was restored
outcomes        the errors that orders end with, in words
"""

from __future__ import annotations

from ..transport import Stop
from .assets import AssetView
from .files import check_target
from .graphs import Graph
from .job import Job, Result, wait_all, wait_some
from .outcomes import was_forgotten
from .progress import Progress
from .quotes import Prepared, Quote, people_notes
from .runner import Confirm, Runner
from .shared_runner import close_shared, shared, spent_nothing
from .spending import Spending, Sum, check_most, sum_of
from .takes import Take

__all__ = [
    "AssetView",
    "Confirm",
    "Graph",
    "Job",
    "Prepared",
    "Progress",
    "Quote",
    "Result",
    "Runner",
    "Spending",
    "Stop",
    "Sum",
    "Take",
    "check_most",
    "check_target",
    "close_shared",
    "people_notes",
    "shared",
    "spent_nothing",
    "sum_of",
    "wait_all",
    "wait_some",
    "was_forgotten",
]
