"""The command line: `seedance ...`, `python -m seedance ...`.

What a person types and reads in a terminal; the runner does the work. Nothing heavy (requests,
numpy, PyAV, Pillow, SQLAlchemy) is imported before a command needs it, so that `--help` answers at
once.

    arguments   the parser
    orders      the order that the flags of `generate` describe
    generate    generate, collect, finish, check
    prices      what an order will cost, and the question before it is paid
    assets      asset add, list, show and remove
    batch       batch
    farm        batch --farm; packing: what goes into the queue
    worker      worker; carrying: how orders of the queue are carried
    tasks       tasks, cancel, forget
    setup       providers, key, doctor
    show        words, bars and JSON
    live        how far the takes of a batch are
    stops       Ctrl-C, a kill, a terminal that is closed
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from ..errors import BadOrder, Cancelled, SeedanceError
from . import show, stops
from .arguments import parser
from .show import failure, note, open_streams, trace

# What a command does that may take long before it has a line to write, by the function that runs
# it. Those that are not here do nothing that takes long, or wait for a person.
WAITING = {
    "generate": "Preparing the order ...",
    "finish": "Preparing the order ...",
    "check": "Measuring what is given, and asking for prices ...",
    "batch": "Looking at the shots ...",
    "worker": "Waiting for orders ...",
    "collect": "Looking for the task ...",
    "cancel": "Asking the provider ...",
    "key_test": "Asking the provider ...",
    "add": "Preparing the files ...",
    "list_all": "Asking the asset libraries ...",
    "show_one": "Asking the asset libraries ...",
    "remove": "Asking the asset libraries ...",
    "tasks": "Reading the journal ...",
    "show_row": "Reading the journal ...",
    "forget": "Reading the journal ...",
    "providers": "Asking what each provider can do ...",
    "doctor": "Looking at this installation ...",
}
SEE = "What became of the order is in: seedance tasks."
NOT_PRINTED = 10  # the exit code where all was done, and standard output cannot be written
CLOSE_SECONDS = 3.0  # so long a command waits at its end for its threads


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (see the table of errors in `seedance/errors.py`), or
    `NOT_PRINTED`."""
    open_streams()
    try:
        return _printed(_run(argv))
    except SystemExit as ended:  # argparse has printed help
        raise SystemExit(_printed(int(ended.code or 0))) from None


def _printed(code: int) -> int:
    """The exit code: that of what was done, `NOT_PRINTED` if only its result is lost."""
    if why := show.unwritten():
        done = "" if code else " All else was done."
        note(f"seedance: The result cannot be written to standard output: {why}.{done}")
        return code or NOT_PRINTED
    return code


def _run(argv: Sequence[str] | None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    problem: SeedanceError
    args: argparse.Namespace | None = None
    before: stops.Before = {}
    try:
        before = stops.as_ctrl_c()
        args = parser().parse_args(words)
        waiting = WAITING.get(args.run.__name__)
        with show.patient(waiting) if waiting else nullcontext():
            code: int = args.run(args)
        return code
    except SeedanceError as error:
        problem = error
    except KeyboardInterrupt:
        sure = not _began(args) or _spent_nothing()
        problem = Cancelled("Interrupted.", hint="" if sure else SEE, spent="no" if sure else None)
    except Exception as error:
        sure = not _began(args)
        if sure and _is_nowhere():
            problem = BadOrder(
                "The current folder is gone.", hint="Change to another one, with cd."
            )
        else:
            trace(traceback.format_exc())
            problem = SeedanceError(
                f"Something unforeseen happened: {error!r}.",
                hint="" if sure else SEE,
                spent="no" if sure else "unknown",
            )
    finally:
        sent = not _spent_nothing()
        _close()
        stops.restore(before)
    # argparse may have failed before it saw --json, so the words are asked.
    failure(problem, json_too="--json" in words, sent=sent or problem.kind == "SeedanceError")
    return problem.exit_code


def _is_nowhere() -> bool:
    """Whether the current folder does not exist any more."""
    try:
        os.getcwd()
    except OSError:
        return True
    return False


def _began(args: argparse.Namespace | None) -> bool:
    """Whether the command had come to a call of the runner that may send an order."""
    return getattr(args, "began", False)


def _spent_nothing() -> bool:
    """Whether the command sent no order that costs money."""
    runner = _runner()
    return runner is None or runner.spent_nothing()


def _close() -> None:
    """Close the runner that the command used, if it used one: SQLite then writes the journal into
    its one file."""
    if (runner := _runner()) is not None:
        runner.close_shared(CLOSE_SECONDS)


def _runner() -> Any:
    """The module, if it was imported. Not imported here: most of the time of a short command is
    imports."""
    return sys.modules.get(f"{__package__.rpartition('.')[0]}.runner")
