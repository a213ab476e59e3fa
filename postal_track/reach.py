"""Which items and dossiers someone may know of, by his role and his places.

Says it as a condition of SQL over an item ``i`` and its dossier ``d``, so that a list
is cut where it is read. Outside his reach nothing exists for him: ``NotFound``.
"""

from typing import Any

from postal_track.chronicle import IN_HAND
from postal_track.custody import PartyKind, Role
from postal_track.staff import Actor

LARGEST_KEY = 2**63 - 1
"""What a key column holds; beyond it nothing can be."""


class Values(list[Any]):
    """The values of a statement, in the order in which they were given."""

    def put(self, value: Any) -> str:
        """Take a value in; the placeholder that stands for it."""
        self.append(value)
        return f"${len(self)}"


def sees_all(actor: Actor) -> bool:
    """Whether nothing is kept from someone, by place."""
    if actor.role is Role.SUPERVISOR:
        return not actor.places
    return actor.role in (Role.ADMIN, Role.AUDITOR)


def items(actor: Actor, values: Values, *, run: bool = False) -> str:
    """Say which items: his agency's, his office's, or what a carrier has in hand.

    ``run``: also what he has scanned within a day. For looking one item up: for a list
    the database would have to read every story.
    """
    if sees_all(actor):
        return "true"
    if actor.role is Role.OFFICER:
        return _of_agencies(actor, values)
    if actor.role is Role.CARRIER:
        return _in_hand(actor, values, run=run)
    return _of_offices(actor, values)


def dossiers(actor: Actor, values: Values) -> str:
    """Say which dossiers, without their items: for who sees all or acts for offices."""
    if sees_all(actor):
        return "true"
    offices = values.put([p.id for p in actor.places if p.kind is PartyKind.OFFICE])
    return f"""(d.office = ANY({offices}::int[]) OR d.agency IN
        (SELECT id FROM agency WHERE office = ANY({offices}::int[])))"""  # noqa: S608


def _of_agencies(actor: Actor, values: Values) -> str:
    agencies = values.put([p.id for p in actor.places if p.kind is PartyKind.AGENCY])
    places = values.put([str(place) for place in actor.places])
    return f"""(d.agency = ANY({agencies}::int[])
        OR i.holder = ANY({places}::text[]) OR i.released_to = ANY({places}::text[]))"""


def _of_offices(actor: Actor, values: Values) -> str:
    """Gather what an office collects or delivers, and what lies at or comes to it."""
    own = dossiers(actor, values)
    parties = values.put([str(actor.party), *(str(place) for place in actor.places)])
    columns = ("holder", "holder_place", "released_to", "bound_for")
    touched = " OR ".join(f"i.{name} = ANY({parties}::text[])" for name in columns)
    return f"({own} OR {touched})"


def _in_hand(actor: Actor, values: Values, *, run: bool) -> str:
    me = values.put(str(actor.party))
    offered = values.put([str(actor.party), *(str(place) for place in actor.places)])
    # An array is read before all else: what one carrier has in hand is little.
    held = f"""i.id = ANY(ARRAY(
        SELECT id FROM item WHERE holder = {me} AND {IN_HAND}
        UNION ALL SELECT id FROM item WHERE released_to = ANY({offered}::text[])
        UNION ALL SELECT id FROM item WHERE stage = 'booked'
            AND bound_for = ANY({offered}::text[])))"""  # noqa: S608 - placeholders
    if not run:
        return held
    return f"""({held} OR EXISTS (SELECT FROM event e WHERE e.item = i.id
        AND e.by = {me} AND e.recorded_at > now() - interval '1 day'))"""
