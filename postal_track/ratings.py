"""How satisfied citizens are: the share who gave 4 or 5, against the province's goal.

By office and period, for those who answer for it. Knows no HTTP.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from postal_track import reach
from postal_track.boards import midnight, today
from postal_track.custody import Role
from postal_track.database import transaction
from postal_track.errors import BadInput, NotAllowed, Problem
from postal_track.reach import Values
from postal_track.settings import settings
from postal_track.staff import Actor

READERS = frozenset({Role.SUPERVISOR, Role.ADMIN, Role.AUDITOR})
LISTED = 50
LONGEST_PERIOD = 366

SATISFIED = 4
"""From this many stars on."""


@dataclass(frozen=True, slots=True)
class Share:
    """What the citizens of one office gave; ``stars``: how many gave 1, 2, 3, 4, 5."""

    office: str
    stars: tuple[int, int, int, int, int]

    @property
    def all(self) -> int:
        """How many rated."""
        return sum(self.stars)

    @property
    def percent(self) -> float | None:
        """The satisfied of a hundred; ``None`` when nobody rated."""
        happy = sum(self.stars[SATISFIED - 1 :])
        return 100 * happy / self.all if self.all else None


@dataclass(frozen=True, slots=True)
class Line:
    """What somebody added to his rating."""

    stars: int
    line: str
    at: datetime
    office: str


@dataclass(frozen=True, slots=True)
class Satisfaction:
    """A period of local days, both included. ``delivered``: dossiers handed over."""

    since: date
    until: date
    goal: int
    offices: list[Share]
    lines: list[Line]
    delivered: int

    @property
    def total(self) -> Share:
        """All offices together."""
        columns = zip(*(share.stars for share in self.offices), strict=True)
        one, two, three, four, five = [sum(column) for column in columns] or [0] * 5
        return Share("", (one, two, three, four, five))


async def satisfaction(
    since: date | None, until: date | None, actor: Actor
) -> Satisfaction:
    """Add up a period within reach; this month when no day is given.

    Lines are for supervisors only. Raises ``BadInput`` on ``until`` for a period that
    ends before it begins, or is longer than a year.
    """
    if actor.role not in READERS:
        raise NotAllowed
    until = until or max(today(), since or today())
    since = since or until.replace(day=1)
    if until < since or (until - since).days > LONGEST_PERIOD:
        why = ("Choose a period of a year at most.", "Chỉ chọn tối đa một năm.")
        raise BadInput((Problem("until", *why),))
    async with transaction() as connection:
        values = Values()
        begin = values.put(midnight(since))
        end = values.put(midnight(until + timedelta(days=1)))
        rule = f"r.said_at >= {begin} AND r.said_at < {end}"
        rule += f" AND {reach.dossiers(actor, values)}"
        rows = await connection.fetch(
            f"""
            SELECT o.name AS office,
                count(*) FILTER (WHERE r.stars = 1) AS one,
                count(*) FILTER (WHERE r.stars = 2) AS two,
                count(*) FILTER (WHERE r.stars = 3) AS three,
                count(*) FILTER (WHERE r.stars = 4) AS four,
                count(*) FILTER (WHERE r.stars = 5) AS five
            FROM rating r JOIN dossier d ON d.id = r.dossier
            JOIN office o ON o.id = d.office WHERE {rule}
            GROUP BY o.name ORDER BY o.name
            """,  # noqa: S608 - placeholders
            *values,
        )
        lines = []
        if actor.role is Role.SUPERVISOR:
            lines = await connection.fetch(
                f"""
                SELECT r.stars, r.line, r.said_at, o.name AS office
                FROM rating r JOIN dossier d ON d.id = r.dossier
                JOIN office o ON o.id = d.office WHERE {rule} AND r.line <> ''
                ORDER BY r.said_at DESC LIMIT {LISTED}
                """,  # noqa: S608 - placeholders
                *values,
            )
        values = Values()
        begin = values.put(midnight(since))
        end = values.put(midnight(until + timedelta(days=1)))
        delivered = await connection.fetchval(
            f"""
            SELECT count(*) FROM item i JOIN dossier d ON d.id = i.dossier
            WHERE i.leg = 'result' AND i.stage = 'delivered'
                AND i.last_at >= {begin} AND i.last_at < {end}
                AND {reach.dossiers(actor, values)}
            """,  # noqa: S608 - placeholders
            *values,
        )
    return Satisfaction(
        since,
        until,
        settings().SATISFACTION_GOAL,
        [
            Share(
                row["office"],
                (row["one"], row["two"], row["three"], row["four"], row["five"]),
            )
            for row in rows
        ],
        [Line(r["stars"], r["line"], r["said_at"], r["office"]) for r in lines],
        delivered,
    )
