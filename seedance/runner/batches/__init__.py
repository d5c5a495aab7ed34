"""All shots of a list: what they cost, which of them can begin now, what became of them, the film.

    plan      what is there already, what would be sent, and for how much
    progress  Shooting: which takes can begin now, and what each that ended means for the others
    here      carries a shooting in this process
    names     the files that shots are saved as
    film      all shots joined
    report    what became of each take, for people and for review tools

`plan` and `progress` know neither a terminal nor threads: whoever carries orders elsewhere asks a
Shooting which takes can begin, and tells it how they ended.
"""

from __future__ import annotations

from .film import Film, check_apart, check_film, make_film
from .here import carry
from .plan import Estimate, Plan, ShotTake, all_mistakes, make_plan
from .progress import Shooting
from .report import FIELDS, check_report, record_of, records, write_report

__all__ = [
    "FIELDS",
    "Estimate",
    "Film",
    "Plan",
    "Shooting",
    "ShotTake",
    "all_mistakes",
    "carry",
    "check_apart",
    "check_film",
    "check_report",
    "make_film",
    "make_plan",
    "record_of",
    "records",
    "write_report",
]
