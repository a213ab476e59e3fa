"""Deliveries in vain: on which day it goes on, and when it is the counter's turn.

How many tries there are and how long the counter keeps an item is set by
``DELIVERY_ATTEMPTS`` and ``HOLD_DAYS``. Pure but for those; writes nothing.
"""

from dataclasses import replace
from datetime import date, timedelta

from postal_track import promises
from postal_track.custody import (
    CITIZEN,
    NAMES_A_DAY,
    Custody,
    Event,
    Stage,
    Step,
    tried_enough,
)
from postal_track.settings import settings

_SOON = timedelta(days=60)


def named(event: Event, again_on: date | None, held_until: date | None) -> date | None:
    """Say which day was named; one that has passed or is far off is none."""
    day = held_until if event.step is Step.HELD else again_on
    if day is None or event.step not in NAMES_A_DAY:
        return None
    today = event.at.astimezone(promises.LOCAL).date()
    return day if today <= day <= today + _SOON else None


def dated(event: Event, now: Custody) -> Event:
    """Name the day it goes on, where nobody did.

    After the last try there is none: it is the counter's turn.
    """
    if event.next_on is not None:
        return event
    day = event.at.astimezone(promises.LOCAL).date()
    if event.step is Step.HELD:
        return replace(event, next_on=day + timedelta(days=settings().HOLD_DAYS))
    tries = now.attempts + 1
    last = event.step is Step.ATTEMPTED and tries >= settings().DELIVERY_ATTEMPTS
    if last and now.addressee == CITIZEN:
        return event
    return replace(event, next_on=promises.add_working_days(day, 1))


def waits_here(now: Custody, event: Event) -> bool:
    """Whether the last try was in vain, and it is back where it had set out from."""
    if now.stage is not Stage.ATTEMPTED or event.taker != now.holder_place:
        return False
    return tried_enough(now, settings().DELIVERY_ATTEMPTS)
