"""What a citizen may ask for on his dossier's page, at each stage of its way.

Pure: no table, no clock, no HTTP. What is offered and what is done when it is confirmed
follow one rule, so that a request which the way has overtaken is refused.
"""

from enum import StrEnum

from postal_track.custody import ENDED, FROM_CITIZEN, Leg, Stage
from postal_track.followed import Followed, Stretch


class Act(StrEnum):
    """What is asked for and confirmed by a code to the phone."""

    BOOK = "book"
    CANCEL = "cancel"  # before the pickup
    RESCHEDULE = "reschedule"  # another day, of the pickup or of the delivery
    REDIRECT = "redirect"  # to another address, for the same recipient
    HOLD = "hold"  # at a counter
    DEPUTY = "deputy"  # someone else receives it
    DATA = "data"
    ERASURE = "erasure"


class State(StrEnum):
    """What became of a request."""

    ASKED = "asked"  # the code was sent -> confirmed, expired
    CONFIRMED = "confirmed"  # -> applied, refused; an erasure waits for a supervisor
    APPLIED = "applied"  # done; nothing follows
    REFUSED = "refused"  # overtaken, or a supervisor said no; nothing follows
    EXPIRED = "expired"  # never confirmed; nothing follows


class Word(StrEnum):
    """What is said without a code: it can hurt nobody."""

    DISPUTE = "dispute"  # "I did not receive this"
    CLAIM = "claim"
    RATE = "rate"


class Way(StrEnum):
    """Which of the two times the post comes to the citizen."""

    PICKUP = "pickup"
    DELIVERY = "delivery"


_STILL = frozenset(
    {
        Stage.READY,
        Stage.COLLECTED,
        Stage.AT_OFFICE,
        Stage.IN_TRANSIT,
        Stage.OUT_FOR_DELIVERY,
        Stage.ATTEMPTED,
        Stage.HELD,
        Stage.MISROUTED,
    }
)
"""Where something is on its way to the citizen and can still be steered."""


def open_to(f: Followed) -> tuple[Act, ...]:
    """List what may be asked now, the likeliest first.

    What needs a code needs a number: once persons are erased, nothing is left.
    """
    if not f.phone:
        return ()
    return (*_pickup(f), *_delivery(f), Act.DATA, Act.ERASURE)


def words_open_to(f: Followed) -> tuple[Word, ...]:
    """List what may be said now without a code."""
    leg = f.leg
    if leg is None:
        return ()
    said = []
    if leg.homeward and leg.now.stage is Stage.DELIVERED:
        said += [Word.RATE, Word.DISPUTE]
    elif f.service == "send" and leg.now.stage is Stage.RECEIVED:
        said.append(Word.RATE)
    if any(each.now.stage is not Stage.BOOKED for each in f.legs):
        said.append(Word.CLAIM)
    return tuple(said)


def way(f: Followed) -> Way:
    """Say which time the post comes next."""
    return Way.PICKUP if _waits_at_home(f.leg) else Way.DELIVERY


def coming_home(f: Followed) -> Stretch | None:
    """Find what is on its way to the citizen."""
    leg = f.leg
    steerable = leg is not None and leg.homeward and leg.now.stage in _STILL
    return leg if steerable else None


def _waits_at_home(leg: Stretch | None) -> bool:
    return leg is not None and leg.leg in FROM_CITIZEN and leg.now.stage is Stage.BOOKED


def _pickup(f: Followed) -> tuple[Act, ...]:
    return (Act.RESCHEDULE, Act.CANCEL) if _waits_at_home(f.leg) else ()


def _delivery(f: Followed) -> tuple[Act, ...]:
    leg = coming_home(f)
    if leg is None and not _to_be_brought(f):
        return ()
    acts = [Act.REDIRECT]
    if leg is None or leg.now.stage is not Stage.HELD:
        acts.append(Act.HOLD)
    if leg is not None:
        acts.insert(0, Act.RESCHEDULE)
    if not f.in_person:
        acts.append(Act.DEPUTY)
    return tuple(acts)


def _to_be_brought(f: Followed) -> bool:
    """Whether a result is still to come that the post will bring."""
    if f.service == "send":
        return False
    if any(each.leg is Leg.RESULT for each in f.legs):
        return False
    leg = f.leg
    if leg is None or _waits_at_home(leg):
        return leg is None
    return leg.now.stage not in ENDED - {Stage.RECEIVED}
