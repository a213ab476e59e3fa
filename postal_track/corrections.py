"""Who may declare a line of the ledger wrong.

Asked twice: by the page, which offers it, and by ``handoffs``, which writes it. Pure:
knows the line, the person and the time, no item and no table.
"""

from datetime import datetime, timedelta

from postal_track.custody import MAY, Event, Role, Step
from postal_track.errors import (
    BadScan,
    Conflict,
    NotAllowed,
    NotYourPlace,
    PostalTrackError,
)
from postal_track.settings import settings
from postal_track.staff import Actor

STAY = frozenset({Step.BOOKED, Step.READY, Step.CORRECTED})
"""An item's birth and a mere declaration: what was so declared is told anew."""


def hindrance(
    line: Event, actor: Actor, now: datetime, *, corrected: bool
) -> PostalTrackError | None:
    """Say why a line cannot be declared wrong by this person; ``None`` when it can.

    One's own line within minutes; later, and a delivery always, by a supervisor of the
    place it was told for, or of all. ``corrected``: a later line declares it wrong.
    """
    if line.step in STAY:
        return BadScan(why="this line stays", why_vi="không thể đính chính dòng này")
    if corrected:
        return Conflict(
            why="the line was corrected before", why_vi="dòng này đã được đính chính"
        )
    if actor.role not in MAY[Step.CORRECTED]:
        return NotAllowed()
    if actor.role is Role.SUPERVISOR:
        theirs = actor.place is None or line.place in actor.places
        return None if theirs else NotYourPlace()
    fresh = now - line.at <= timedelta(minutes=settings().CORRECTION_MINUTES)
    own = line.by == actor.party and fresh and line.step is not Step.DELIVERED
    return None if own else NotAllowed()
