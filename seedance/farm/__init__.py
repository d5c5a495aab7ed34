"""Orders for several machines: a queue in the journal's PostgreSQL, media in the user's bucket.

Whoever puts orders in (`seedance batch --farm`) and whoever carries them (`seedance worker`) share
the journal, the queue and the bucket. The queue may deliver an order twice, or late: the journal
decides what may be paid.

    orders   an order as the queue keeps it, its media in the bucket
    queue    the queue: put in, fetched, ended, given back; procrastinate in the journal's database

It needs the extra `farm`, and knows neither runners nor threads: whoever carries an order tells the
queue how it ended.
"""

from __future__ import annotations

from .orders import Bucket, QueuedOrder, has_local_media, pack, unpack
from .queue import Fetched, Queue, QueueUnavailable, check, run

__all__ = [
    "Bucket",
    "Fetched",
    "Queue",
    "QueueUnavailable",
    "QueuedOrder",
    "check",
    "has_local_media",
    "pack",
    "run",
    "unpack",
]
