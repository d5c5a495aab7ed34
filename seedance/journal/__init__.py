"""The journal: a row for each order, written before anything is paid.

It says what was paid, where the video is, and how each order ended. SQLAlchemy Core over SQLite, or
over PostgreSQL where several machines share it.

    journal         Journal: reserve, claim, move, forget; rows are changed only here
    states          the states of an order, and the moves between them that are allowed
    rows            what goes in and what comes out
    unclear         what is recorded of unclear rows, and their ways out
    queries         the queries that only read
    budget          the budget, and what was spent by day
    uploads         which uploads can be used again
    assets          what providers' asset libraries have of ours
    bucket_objects  which objects in the user's own bucket are still needed
    process         which process works on a row, and whether it still runs
    database        its connections and transactions; whether it is still the same journal
    in_place        whether another file was written over the journal's own
    engine          the database: opened, its tables made and brought up to date
    resting         what a journal does while its process forks
    schema          the tables as SQLAlchemy sees them; `migrations` makes and changes them
"""

from __future__ import annotations

from .assets import MAKING, AssetKey, AssetRow
from .bucket_objects import BUCKET
from .budget import Part, Total, believed, sensible
from .database import REBUILD, JournalReplaced, JournalUnavailable
from .engine import name_of, unwritable
from .journal import Journal, LeaseLost
from .rows import NewRow, Row
from .states import ENDED, HELD, LIVE, STATE_WORDS, IllegalMove, State
from .unclear import TicketTaken
from .uploads import SPARE_SECONDS

__all__ = [
    "BUCKET",
    "ENDED",
    "HELD",
    "LIVE",
    "MAKING",
    "REBUILD",
    "SPARE_SECONDS",
    "STATE_WORDS",
    "AssetKey",
    "AssetRow",
    "IllegalMove",
    "Journal",
    "JournalReplaced",
    "JournalUnavailable",
    "LeaseLost",
    "NewRow",
    "Part",
    "Row",
    "State",
    "TicketTaken",
    "Total",
    "believed",
    "name_of",
    "sensible",
    "unwritable",
]
