"""The command line: `seedance ...`, `python -m seedance ...`.

What a person types and reads in a terminal; the runner does the work. Nothing heavy (requests,
numpy, PyAV, Pillow, SQLAlchemy) is imported before a command needs it, so that `--help` answers at
once.

    arguments   the parser
    orders      the order that the flags of `generate` describe
    generate    generate, collect, finish, check
    tasks       tasks, cancel, forget
    setup       providers, key, doctor
    show        words, bars and JSON
    stops       Ctrl-C, a kill, a terminal that is closed
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

from ..errors import Cancelled, SeedanceError
from . import stops
from .arguments import parser
from .show import bear_any_letter, failure

CLOSE_SECONDS = 5.0  # so long a command waits at its end for its threads


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (see the table of errors in `seedance/errors.py`)."""
    words = list(sys.argv[1:] if argv is None else argv)
    problem: SeedanceError
    bear_any_letter()
    before = stops.as_ctrl_c()
    try:
        args = parser().parse_args(words)
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except SeedanceError as error:
        problem = error
    except KeyboardInterrupt:
        problem = Cancelled("Interrupted.", hint="What became of it is in: seedance tasks.")
    except BrokenPipeError:
        # The reader (`| head`) has gone. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        traceback.print_exc()
        problem = SeedanceError(
            f"Something unforeseen happened: {error!r}.",
            hint="What became of the order is in: seedance tasks.",
            spent="unknown",
        )
    finally:
        _close()
        stops.restore(before)
    # argparse may have failed before it saw --json, so the words are asked.
    failure(problem, as_json="--json" in words)
    return problem.exit_code


def _close() -> None:
    """Close the runner that the command used, if it used one: SQLite then writes the journal into
    its one file. Not imported here, since most of the time of a short command is imports."""
    runner = sys.modules.get(f"{__package__.rpartition('.')[0]}.runner")
    if runner is not None:
        runner.close_shared(CLOSE_SECONDS)
