"""What a phone takes along into the country without a signal.

The key that locks what waits on it, and what may be said of an item that nobody could
look up. Knows no item and no phone.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from postal_track.custody import (
    CITIZEN,
    MAY,
    Custody,
    Event,
    Party,
    PartyKind,
    Role,
    Stage,
    Step,
    apply,
    propose,
    taker,
)
from postal_track.holding import needs
from postal_track.settings import settings
from postal_track.staff import Actor

_SOMEBODY = Party(PartyKind.STAFF, 2**31 - 1)
_AN_AGENCY = Party(PartyKind.AGENCY, 2**31 - 1)

_UNSEEN: dict[Role, tuple[Step, ...]] = {
    Role.CARRIER: (
        Step.TAKEN,
        Step.OUT,
        Step.DELIVERED,
        Step.ATTEMPTED,
        Step.ACCEPTED,
        Step.PICKUP_FAILED,
        Step.RELEASED,
    ),
    Role.CLERK: (
        Step.ARRIVED,
        Step.TAKEN,
        Step.OUT,
        Step.ACCEPTED,
        Step.DELIVERED,
        Step.HELD,
        Step.ATTEMPTED,
        Step.RELEASED,
    ),
    Role.OFFICER: (Step.RECEIVED, Step.REFUSED, Step.RETURNED, Step.RELEASED),
}
_UNSEEN[Role.SUPERVISOR] = _UNSEEN[Role.CLERK]


@dataclass(frozen=True, slots=True)
class Option:
    """A step that may be said of an unseen item, and what it asks for."""

    step: Step
    needs: tuple[str, ...]


def key_of(actor: Actor) -> bytes:
    """Give the key that locks what this person's phone keeps for him: 32 bytes.

    The same for all his phones and days, so that what waited for a week still opens;
    another login never gets it.
    """
    said = b"phone:" + str(actor.staff).encode()
    return hmac.digest(settings().SECRET_KEY.encode(), said, hashlib.sha256)


def unseen(role: Role) -> list[Option]:
    """List what somebody may say of an item that he cannot look up now."""
    whole = Custody(stage=Stage.BOOKED)
    return [
        Option(step, needs(step, whole))
        for step in _UNSEEN.get(role, ())
        if role in MAY[step]
    ]


def onward(actor: Actor, to_citizen: bool) -> dict[Step, Sequence[Option]]:
    """Say what is proposed once a step was said, by the same rules as ever.

    For a phone that cannot ask: of an item bound for a citizen, or for an agency.
    """
    now = datetime.now(UTC)
    addressee = CITIZEN if to_citizen else _here(actor)
    sender = _here(actor) if to_citizen else CITIZEN
    before = Custody(
        stage=Stage.IN_TRANSIT,
        holder=_SOMEBODY,
        since=now,
        addressee=addressee,
        sender=sender,
    )
    ways: dict[Step, Sequence[Option]] = {}
    for step in _UNSEEN.get(actor.role, ()):
        event = Event(
            step=step,
            by=actor.party,
            at=now,
            place=actor.place,
            taker=taker(step, actor.party, actor.place, actor.role),
            towards=_SOMEBODY if step is Step.RELEASED else None,
        )
        after = apply(_before(step, before, actor), event)
        ways[step] = [
            Option(each, needs(each, after))
            for each in propose(after, actor.role, actor.party, actor.places)
        ]
    return ways


def _here(actor: Actor) -> Party:
    """Name the agency: his own, when he speaks for one."""
    own = actor.place
    return own if own and own.kind is PartyKind.AGENCY else _AN_AGENCY


def _before(step: Step, onboard: Custody, actor: Actor) -> Custody:
    """Say how things stood when he said it, as far as it matters for what follows."""
    if step is Step.PICKUP_FAILED:
        return replace(onboard, stage=Stage.BOOKED, holder=onboard.sender)
    if step in (Step.RELEASED, Step.ATTEMPTED):
        own = taker(Step.OUT, actor.party, actor.place, actor.role) or actor.party
        return replace(onboard, stage=Stage.OUT_FOR_DELIVERY, holder=own)
    return onboard
