"""The order of steps: own the row, create, follow, fetch.

Runs as a coroutine in the follower; whoever waits for it waits elsewhere.
"""

from __future__ import annotations

from ..journal import Journal, LeaseLost, Row, State
from ..order import Order
from ..settings import Settings
from .active import Hold
from .client import Talk
from .collect import Fetch
from .delivery import Ways, clear_bucket
from .outcomes import error_of
from .poll import Follow
from .submit import RESEND_AFTER_SECONDS, Create
from .worker import Carry, Follower


class Carrier:
    """Carries one row from where it stands to its end.

    `order` and `ways` are None for a row that was taken up again after a restart.
    """

    def __init__(
        self,
        row: Row,
        talk: Talk,
        follower: Follower,
        journal: Journal,
        settings: Settings,
        carry: Carry,
        order: Order | None = None,
        ways: Ways | None = None,
    ) -> None:
        self.hold = Hold(row, talk, follower, journal, settings, carry)
        self._create = Create(self.hold, order, ways)
        self._follow = Follow(self.hold)
        self._fetch = Fetch(self._follow)

    async def run(self) -> Row:
        """Carry the row to `saved`, whoever holds it now. Raises the SeedanceError it ends with."""
        try:
            while True:
                try:
                    await self.hold.own()
                    return await self._steps()
                except LeaseLost:
                    await self.hold.reload()
        finally:
            await self.hold.lay_down()
            await self.hold.blocking(clear_bucket, self.hold.journal, self.hold.settings)

    async def _steps(self) -> Row:
        hold = self.hold
        if hold.row.state == State.UNCLEAR:
            await self._create.found(certain_after=RESEND_AFTER_SECONDS)
        if hold.row.state == State.PREPARING:
            await self._create.run()
        if hold.row.state == State.RUNNING:
            await self._follow.run()
        if hold.row.state == State.SUCCEEDED:
            await self._fetch.run()
        if hold.row.state == State.SAVED:
            return hold.row
        raise error_of(hold.row)
