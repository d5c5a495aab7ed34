"""The order of the steps: lease the row, then submit, poll and collect; clear what is unclear.

Each step is a function of an ActiveOrder. It returns when the row has reached its next state, or
raises the error that the order ends with. Only polling returns between, so that an order whose
task runs needs no thread.
"""

from __future__ import annotations

from ..errors import Cancelled, SeedanceError
from ..journal import IllegalMove, LeaseLost, Row, State
from ..said import say
from . import tickets
from .active import ActiveOrder
from .clearing import clear
from .client import Stopped
from .collect import bring_here, collect
from .outcomes import costs_nothing, error_of, told
from .poll import poll
from .submit import submit
from .upload import clear_bucket


def carry(active: ActiveOrder) -> Row | float:
    """Bring a row to `saved`, whichever state it is in. Returns the row then; or, where its task
    runs, the seconds until this is to be called again. Raises the SeedanceError it ends with."""
    waits = False
    try:
        while True:
            try:
                active.lease()
                outcome = _steps(active)
                waits = isinstance(outcome, float)
                return outcome
            except LeaseLost:
                active.reload()
            except IllegalMove:
                if not active.reload():
                    raise  # else the journal went back, and the row with it
            active.polling = None
    except Stopped:
        raise told(active.row, _closed(active)) from None
    except SeedanceError as error:
        raise told(active.row, error) from error.__cause__
    finally:
        if not waits:
            active.release()
            clear_bucket(active.journal, active.settings)


def _steps(active: ActiveOrder) -> Row | float:
    if active.row.state == State.SUBMITTING:
        # Nobody sends it: the journal could not be written when that had failed.
        active.advance(State.UNCLEAR)
    if active.row.state == State.PREPARING:
        submit(active)
    if active.row.state == State.UNCLEAR:
        clear(active)
    done = None
    if active.row.state == State.RUNNING:
        if active.polling is None and not active.unwritten:
            tickets.keep(active.settings.home, active.row)
        asked = poll(active)
        if isinstance(asked, float):
            return asked
        done = asked
    if active.row.state == State.SAVED:
        bring_here(active)
    elif active.row.state == State.SUCCEEDED:
        collect(active, done)
    if active.row.state == State.SAVED:
        return active.row
    raise error_of(active.row)


def _closed(active: ActiveOrder) -> SeedanceError:
    """The error for those who still wait when the runner closes. (`submit` has its own for an order
    of this process that was not sent.)"""
    if active.row.task is not None:
        if costs_nothing(active.row):
            return active.later(say("The program ends. The task goes on."))
        return active.later(say("The program ends. The task is paid and goes on."))
    if active.row.state == State.UNCLEAR:
        return error_of(active.row)
    return Cancelled(
        "The program ends. Another process goes on with the order and keeps its video.",
        row=active.row.id,
    )
