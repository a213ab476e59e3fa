"""Scans that are said by a form: what was ticked becomes what a scanner would send.

A page gives every row an id of its own, so that a form sent twice is written once.
What a scan means is ``handoffs.record``'s.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from postal_track.custody import Party, Step
from postal_track.errors import BadInput, Problem, TooManyScans
from postal_track.handoffs import Outcome, Scan, record
from postal_track.orders import plain
from postal_track.settings import settings
from postal_track.staff import Actor
from routes import filters, words

DEVICE = "page"
_ROW = "item."
_MOST = 9_999


@dataclass(frozen=True, slots=True)
class Ticked:
    """One row of a form: the waybill, the id it was given, the place to speak for."""

    waybill: str
    id: UUID
    place: Party | None


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one row: why it was refused, or what is wrong with it."""

    waybill: str
    refused: str
    remarks: tuple[str, ...]


def fresh(place: Party | None = None) -> str:
    """Make the value of a row's box: a new id, and the place to speak for."""
    return f"{uuid4()} {place}" if place else str(uuid4())


def ticked(form: Mapping[str, str], name: str = _ROW) -> list[Ticked]:
    """Read the rows that were ticked, ``item.<waybill>``; at most as many as one call.

    Raises ``BadInput`` on ``items`` when there is none.
    """
    rows = [
        row(field.removeprefix(name), value)
        for field, value in form.items()
        if field.startswith(name)
    ]
    limit = settings().MAX_SCANS_PER_LIST
    if len(rows) > limit:
        raise TooManyScans(found=len(rows), limit=limit)
    if not rows:
        why = Problem(
            "items", "Tick at least one item.", "Hãy chọn ít nhất một bưu gửi."
        )
        raise BadInput((why,))
    return rows


def row(waybill: str, value: str) -> Ticked:
    """Read what ``fresh`` made for a row; raises ``BadInput`` on ``items``."""
    id_, _, place = value.partition(" ")
    try:
        return Ticked(
            plain(waybill)[:40], UUID(id_), Party.parse(place) if place else None
        )
    except ValueError as fault:
        why = Problem(
            "items",
            "The form was damaged on its way: load the page again.",
            "Biểu mẫu bị lỗi khi gửi: hãy tải lại trang.",
        )
        raise BadInput((why,)) from fault


def scan(actor: Actor, row: Ticked, step: Step, **more: Any) -> Scan:
    """Make the scan of a row, told now by the server's own clock."""
    return Scan(
        id=row.id,
        code=row.waybill,
        step=step,
        at=datetime.now(UTC),
        actor=actor,
        place=row.place,
        device=DEVICE,
        **more,
    )


def id_of(form: Mapping[str, str]) -> UUID:
    """Read the id that the page gave this form, so that twice is once."""
    try:
        return UUID(form.get("id", ""))
    except ValueError:
        return uuid4()


def found(form: Mapping[str, str]) -> dict[str, Any]:
    """Read what was counted and seen of one envelope, as a scan takes it."""
    return {
        "originals": count(form, "originals"),
        "copies": count(form, "copies"),
        "seal_no": plain(form.get("seal_no", ""))[:20] or None,
        "seal_broken": "seal_broken" in form,
        "damaged": "damaged" in form,
        "note": plain(form.get("note", ""))[:240],
    }


def count(form: Mapping[str, str], name: str) -> int | None:
    """Read a number of sheets, ``None`` when left empty; raises ``BadInput``."""
    text = form.get(name, "").strip()
    if not text:
        return None
    counted = filters.number(text)
    if counted is None or counted > _MOST:
        why = Problem(name, "Write a number of sheets.", "Hãy ghi số bản bằng chữ số.")
        raise BadInput((why,))
    return counted


def money(form: Mapping[str, str], name: str = "fee") -> int:
    """Read an amount as people write it: ``26.000``, ``26 000 đ``.

    Raises ``BadInput``.
    """
    digits = form.get(name, "")
    for sign in (".", ",", " ", "\N{NO-BREAK SPACE}", "₫", "đ", "d", "VND"):
        digits = digits.replace(sign, "")
    amount = filters.key(digits) if digits else 0
    if amount is None:
        why = Problem(
            name, "Write the amount in VND.", "Hãy ghi số tiền bằng chữ số (đồng)."
        )
        raise BadInput((why,))
    return amount


async def tell(scans: Sequence[Scan], lang: str) -> list[Told]:
    """Record scans; what became of each, in words."""
    return [told(each, lang) for each in await record(scans)]


def told(outcome: Outcome, lang: str) -> Told:
    """Say what became of one scan."""
    error = outcome.error
    return Told(
        waybill=outcome.waybill,
        refused=error.sentence("en" if lang == "en" else "vi") if error else "",
        remarks=tuple(words.kind(kind, lang) for kind in outcome.remarks),
    )


def smooth(told: Sequence[Told]) -> bool:
    """Whether all went as it should, so that a number says enough."""
    return not any(each.refused or each.remarks for each in told)


def sentences(fault: BadInput, lang: str) -> dict[str, str]:
    """Put what is wrong with a form beside its fields."""
    return {p.field: p.detail if lang == "en" else p.detail_vi for p in fault.problems}
