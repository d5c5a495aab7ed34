"""What running nodes said last, for a page that was loaded anew since. It is kept until this
process ends, of the `MOST` nodes that spoke last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

MOST = 500

News = Mapping[str, Any]  # as execution.Node.tell sends it
Place = tuple[str, str]  # a workflow's id and a node's

_runs: OrderedDict[Place, dict[int, News]] = OrderedDict()
_lock = threading.Lock()


def note(news: News) -> None:
    """Keep what is said, instead of what earlier runs of the node said. Without a workflow's id
    nobody could ask for it. Safe to call from any thread."""
    workflow, item = news["workflow"], news["item"]
    if workflow is None:
        return
    place = (workflow, news["node"])
    with _lock:
        run = _runs.pop(place, {})
        if any(other["prompt_id"] != news["prompt_id"] for other in run.values()):
            run = {}
        _runs[place] = {**run, item: news}
        while len(_runs) > MOST:
            _runs.popitem(last=False)


def is_latest(workflow: str | None, node: str, prompt_id: str) -> bool:
    """Whether no later run of the node has said anything, as far as is known."""
    with _lock:
        run = _runs.get((workflow or "", node), {})
        return all(news["prompt_id"] == prompt_id for news in run.values())


def of(workflow: str) -> list[dict[str, Any]]:
    """What each node of a workflow said last, one for each item of a list."""
    with _lock:
        runs = [run for (place, _), run in _runs.items() if place == workflow]
    return [dict(news) for run in runs for news in run.values()]
