"""Whom to tell what, after something happened to an item.

Pure: no table, no clock, no wording, no number. Says which of the registered
texts is due for an event, and whether it is still true when the whole list has been
read.
"""

from dataclasses import dataclass
from uuid import UUID

from postal_track.custody import (
    CITIZEN,
    ENDED,
    Custody,
    Event,
    Leg,
    Reason,
    Stage,
    Step,
)


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something that happened to an item, with what was known before and after it."""

    item: int
    source: UUID
    event: Event
    before: Custody
    after: Custody
    reason: Reason | None = None
    leg: Leg = Leg.DOSSIER
    code_locked: bool = False
    authorised: bool = (
        False  # handed to someone else than the addressee, by his authority
    )


def due(occasion: Occasion) -> str | None:
    """Name the text that the citizen gets, such as ``S02_picked``, if any."""
    step = occasion.event.step
    if occasion.code_locked:
        return "S13_incident"
    if step in (Step.BOOKED, Step.READY):
        return _BIRTHS.get(occasion.leg)
    if step in _ALWAYS:
        return _ALWAYS[step]
    if occasion.leg is Leg.RESULT:
        return _about_result(occasion)
    picked = occasion.leg is Leg.DOSSIER and occasion.before.holder == CITIZEN
    return "S02_picked" if step is Step.ACCEPTED and picked else None


_BIRTHS = {
    Leg.DOSSIER: "S01_booked",
    Leg.RESULT: "S06_result_ready",
    Leg.SUPPLEMENT: "S05_supplement",
    Leg.BRING_BACK: "S04_refused",
}
"""What a citizen hears when a leg begins; the other legs are none of his errands."""

_ALWAYS = {
    Step.REGISTERED: "S03_agency",
    Step.PICKUP_FAILED: "S12_late",
    Step.MISSED: "S13_incident",
    Step.LOST: "S13_incident",
}


def _about_result(occasion: Occasion) -> str | None:
    before, step = occasion.before, occasion.event.step
    if step is Step.OUT and before.stage is not Stage.OUT_FOR_DELIVERY:
        return "S07_out"
    if step is Step.DELIVERED and before.stage is not Stage.DELIVERED:
        return "S08_delivered"
    if step is Step.ATTEMPTED and occasion.event.next_on is None:
        return None  # the last try: the next he hears is where it waits for him
    texts = {
        Step.ATTEMPTED: "S09_failed",
        Step.HELD: "S10_hold",
        Step.RETURNED: "S11_returned",
    }
    return texts.get(step)


def needs_code(occasion: Occasion) -> bool:
    """Whether the citizen must have a code for what is on its way to him."""
    setting_out = occasion.before.stage is not Stage.OUT_FOR_DELIVERY
    to_citizen = occasion.after.addressee == CITIZEN
    return occasion.event.step is Step.OUT and setting_out and to_citizen


_ONLY_WHILE = {
    "S01_booked": {Stage.BOOKED},
    "S07_out": {Stage.OUT_FOR_DELIVERY},
    "S09_failed": {Stage.ATTEMPTED},
    "S10_hold": {Stage.HELD},
    "S12_late": {Stage.BOOKED, Stage.READY},
}
"""Texts that announce something: no longer true once the item has moved on."""


def still_true(name: str, now: Custody) -> bool:
    """Whether a text can still be sent when this is what is known of the item."""
    return name not in _ONLY_WHILE or now.stage in _ONLY_WHILE[name]


def overtaken(before: Custody, now: Custody) -> set[str]:
    """Name the texts that were true before and are not now, sent or not.

    That something is late is no news any more once it has ended.
    """
    gone = {
        name
        for name, stages in _ONLY_WHILE.items()
        if name != "S12_late" and before.stage in stages and now.stage not in stages
    }
    ended = now.stage in ENDED and before.stage not in ENDED
    return gone | {"S12_late"} if ended else gone
