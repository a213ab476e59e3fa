"""What scans and their answers look like, for /schema: a carrier takes an item over."""

from datetime import UTC, date, datetime
from typing import Any

from postal_track.custody import Kind, Step
from routes import words
from routes.payloads import Item, Outcomes, Proposal, Remark, ScanOutcome

_ID = "0190a6f2-6f4e-7c1b-9a57-3f2d5f3a1c13"
_OTHER = "0190a6f2-6f4e-7c1b-9a57-3f2d5f3a1c14"

SCANS: dict[str, Any] = {
    "device": "pixel-7-an",
    "sent_at": "2026-11-23T02:15:04Z",
    "scans": [
        {
            "id": _ID,
            "code": "HTTPS://TRACK.EXAMPLE.VN/T/DH123456785VN/7IXTVPT7",
            "step": "taken",
            "at": "2026-11-23T02:14:58Z",
            "seq": 418,
            "position": {"lat": 10.3852, "lon": 105.4353, "accuracy_m": 12},
            "originals": 3,
            "copies": 1,
            "seal_no": "NP123456",
        }
    ],
}

ITEM = Item(
    waybill="DH123456785VN",
    leg="dossier",
    leg_text="Dossier to the agency",
    stage="in_transit",
    stage_text="On the way",
    holder="staff:4",
    holder_text="Nguyễn Văn An",
    since=datetime(2026, 11, 23, 2, 14, 58, tzinfo=UTC),
    mine=True,
    addressee_text="Long Xuyen public service centre",
    sender_text="The citizen",
    agency_text="Long Xuyen public service centre",
    attempts=0,
    fee=0,
    proposals=[
        Proposal(Step.OUT, words.step(Step.OUT, "en"), ()),
        Proposal(Step.RELEASED, words.step(Step.RELEASED, "en"), ("to",)),
    ],
    link="/items/DH123456785VN",
    originals=3,
    copies=1,
    seal_no="NP123456",
    promised_on=date(2026, 11, 25),
)

OUTCOMES = Outcomes(
    [
        ScanOutcome(
            id=_ID,
            result="recorded",
            remarks=[
                Remark(Kind.UNANNOUNCED, words.kind(Kind.UNANNOUNCED, "en")),
            ],
            item=ITEM,
        ),
        ScanOutcome(
            id=_OTHER,
            result="refused",
            error="UnknownWaybill",
            detail="No item has the waybill DH999999995VN.",
        ),
    ]
)
