"""What is said of an item, and what is answered: the words of a scan.

Shapes only. Whether someone may say it is ``claims``'s to judge, what it means
``handoffs``'s.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from postal_track.custody import Custody, Kind, Party, Reason, Step
from postal_track.errors import PostalTrackError
from postal_track.staff import Actor


@dataclass(frozen=True, slots=True)
class Position:
    """Where a phone says it is.

    Degrees (WGS 84) and the radius of 68 % confidence in metres.
    """

    lat: float
    lon: float
    accuracy_m: float


@dataclass(frozen=True, slots=True)
class Proof:
    """The citizen's side of a handover.

    A one-time code, or a signature (SVG path data).
    """

    kind: str
    code: str = ""
    signature: str = ""
    id_kind: str = ""
    id_last4: str = ""
    receiver: str = "addressee"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One statement about one item: who says what happened, when by his device's clock.

    ``id`` is the device's own: the same id twice is the same statement. ``code`` is
    whatever a scanner read. ``sent_at`` is the device's clock at the moment of sending,
    by which its skew is measured; ``skew`` is how far the server's was ahead of it when
    last measured before the scan. ``bag``: the bag that the item is put into or taken
    out of, or in which it travels. ``seen``: what a receiver found out by comparing,
    which the item alone does not tell. ``again_on``: when he who came in vain comes
    again; ``held_until``: the last day at the counter; without them the usual day.
    """

    id: UUID
    code: str
    step: Step
    at: datetime
    actor: Actor
    sent_at: datetime | None = None
    skew: timedelta | None = None
    place: Party | None = None
    to: Party | None = None
    device: str = ""
    device_seq: int = 0
    position: Position | None = None
    originals: int | None = None
    copies: int | None = None
    seal_no: str | None = None
    seal_broken: bool = False
    damaged: bool = False
    reason: Reason | None = None
    note: str = ""
    proof: Proof | None = None
    dossier_code: str = ""
    due_on: date | None = None
    bind_to: str | None = None
    corrects: UUID | None = None
    old_papers: int = 0
    bag: str | None = None
    seen: tuple[Kind, ...] = ()
    again_on: date | None = None
    held_until: date | None = None


@dataclass(slots=True)
class Outcome:
    """What became of one scan: written with these remarks, or refused with this error.

    ``item`` is the state of the item after the whole list. Of a bag's code, ``waybill``
    is the bag's number and ``inside`` tells what became of each item in it.
    """

    id: UUID
    waybill: str
    remarks: tuple[Kind, ...] = ()
    error: PostalTrackError | None = None
    item: "Known | None" = None
    inside: "tuple[Outcome, ...]" = ()

    @property
    def written(self) -> int:
        """How many items this was written of."""
        return sum(o.error is None for o in self.inside or (self,))


@dataclass(frozen=True, slots=True)
class Known:
    """An item as it stands, for whoever answers the scanner."""

    id: int
    waybill: str
    dossier: int
    leg: str
    promised_on: date | None
    fee: int
    custody: Custody
