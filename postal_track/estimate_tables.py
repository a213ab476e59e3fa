"""The tables of estimates: what was counted of past legs, and what is read of it.

Nothing here is the truth: both are made anew from the ledger by `expectations.learn`.
"""

from piccolo.columns import Array, BigSerial, Date, Integer, Real, SmallInt, Varchar
from piccolo.constraints import Check, Unique
from piccolo.table import Table


class LegCount(Table):
    """How many legs that ended in a week took so many working days.

    ``origin`` and ``destination`` are an office and an agency, written as parties;
    ``phase`` is the stretch of time that was counted. ``week``: its Monday.
    """

    id = BigSerial(primary_key=True)
    week = Date()
    leg = Varchar(length=12)
    phase = Varchar(length=4)
    origin = Varchar(length=24)
    destination = Varchar(length=24)
    days = SmallInt()
    legs = Integer()

    leg_count_once = Unique([week, leg, phase, origin, destination, days])
    leg_count_known_phase = Check("phase IN ('wait','way','last')")
    leg_count_sane = Check("days BETWEEN 0 AND 40 AND legs > 0")


class Pace(Table):
    """How long legs between two places take: what an estimate reads.

    ``weights[n]``: how many took n - 1 working days, the old ones counted for less.
    Places are a pair's own, their old districts, or empty for the province.
    """

    id = BigSerial(primary_key=True)
    scope = Varchar(length=8)
    leg = Varchar(length=12)
    phase = Varchar(length=4)
    origin = Varchar(length=60)
    destination = Varchar(length=60)
    weights = Array(base_column=Real())

    pace_once = Unique([scope, leg, phase, origin, destination])
    pace_known_scope = Check("scope IN ('pair','district','province')")
