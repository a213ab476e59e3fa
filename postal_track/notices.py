"""Whom to tell what, after something happened to an item.

Pure: no table, no clock, no wording, no number. Says which of the fourteen registered
texts is due for an event, and whether it is still true when the whole list has been
read.
"""

from dataclasses import dataclass
from uuid import UUID

from postal_track.custody import CITIZEN, Custody, Event, Reason, Stage, Step


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something that happened to an item, with what was known before and after it."""

    item: int
    source: UUID
    event: Event
    before: Custody
    after: Custody
    reason: Reason | None = None
    code_locked: bool = False
    authorised: bool = (
        False  # handed to someone else than the addressee, by his authority
    )


def due(occasion: Occasion) -> str | None:
    """Name the text that the citizen gets, such as ``S02_picked``.

    ``None`` when none is due.
    """
    before, step = occasion.before, occasion.event.step
    to_citizen = occasion.after.addressee == CITIZEN
    if occasion.code_locked:
        return "S13_incident"
    if step is Step.BOOKED:
        return "S01_booked"
    if step is Step.ACCEPTED and before.holder == CITIZEN:
        return "S02_picked"
    if step is Step.REGISTERED:
        return "S03_agency"
    if step is Step.READY:
        return "S06_result_ready"
    if step is Step.OUT and to_citizen and before.stage is not Stage.OUT_FOR_DELIVERY:
        return "S07_out"
    if step is Step.DELIVERED and before.stage is not Stage.DELIVERED:
        return "S08_delivered"
    if step is Step.ATTEMPTED and to_citizen:
        return "S09_failed"
    if step is Step.PICKUP_FAILED:
        return "S12_late"
    return None


_ONLY_WHILE = {
    "S01_booked": {Stage.BOOKED},
    "S07_out": {Stage.OUT_FOR_DELIVERY},
    "S09_failed": {Stage.ATTEMPTED},
    "S12_late": {Stage.BOOKED, Stage.READY},
}
"""Texts that announce something: no longer true once the item has moved on."""


def still_true(name: str, now: Custody) -> bool:
    """Whether a text can still be sent when this is what is known of the item."""
    return name not in _ONLY_WHILE or now.stage in _ONLY_WHILE[name]
