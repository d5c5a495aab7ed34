"""`worker`: carries the orders that `batch --farm` put into the queue (see `carrying`)."""

from __future__ import annotations

import argparse

from . import show
from .setup import runner_for


def worker(args: argparse.Namespace) -> int:
    """`seedance worker`."""
    from .. import farm, hosting
    from .carrying import FarmWorker

    runner = runner_for(args)
    farm.check(runner.settings)
    runner.tasks(limit=1)  # raises where the journal cannot be read
    if not hosting.keeps_results(runner.settings):
        show.note(
            "SEEDANCE_S3_RESULTS is not set: the videos stay in "
            f"{runner.settings.output} and at their providers, where other machines fetch them for "
            "as long as these keep them."
        )
    args.began = True
    return farm.run(FarmWorker(runner, args.jobs, args.until_empty, as_json=args.json).run())
