"""Days on which the post can come, as a citizen chooses one: working days, in halves.

Pure but for the table of holidays.
"""

from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum

from postal_track import promises
from postal_track.errors import Problem

OFFERED = 10
"""Working days ahead that can be chosen."""

CUT_OFF = time(16, 30)
"""Until when today's carriers still learn of a wish for tomorrow."""


class Half(StrEnum):
    """Which half of a day; neither: at any hour of it."""

    MORNING = "morning"  # 7:30 to 11:30
    AFTERNOON = "afternoon"  # 13:30 to 17:00


@dataclass(frozen=True, slots=True)
class Slot:
    """A day, or a half of it, on which the citizen is there."""

    day: date
    half: Half | None = None


def offered(now: datetime) -> list[date]:
    """List the days to choose from."""
    local = now.astimezone(promises.LOCAL)
    first = promises.next_working_day(local.date())
    if local.time() >= CUT_OFF:
        first = promises.next_working_day(first)
    days = [first]
    while len(days) < OFFERED:
        days.append(promises.next_working_day(days[-1]))
    return days


def read(day: str, half: str, now: datetime) -> Slot | Problem | None:
    """Read what was chosen; ``None`` for no wish, a ``Problem`` for no such day."""
    if not day.strip():
        return None
    try:
        chosen = date.fromisoformat(day.strip())
    except ValueError:
        return NO_SUCH_DAY
    if chosen not in offered(now) or (half and half not in list(Half)):
        return NO_SUCH_DAY
    return Slot(chosen, Half(half) if half else None)


NO_SUCH_DAY = Problem(
    "day", "Choose a day from the list.", "Hãy chọn một ngày trong danh sách."
)
