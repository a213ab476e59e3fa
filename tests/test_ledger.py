"""The chain, byte by byte: what is hashed, and what is noticed when it was changed."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from postal_track.ledger import (
    Entry,
    canonical,
    digest,
    first_break,
    genesis,
    seal_private,
    stamp,
)

WAYBILL = "DH123456785VN"
AT = datetime(2026, 3, 1, 7, 5, 9, 123, tzinfo=UTC)

FIRST = Entry(
    id=UUID("018f0000-0000-7000-8000-000000000001"),
    waybill=WAYBILL,
    seq=1,
    step="booked",
    by="staff:3",
    place="office:1",
    taker="citizen",
    towards="agency:1",
    at=AT,
    device_at=AT,
    recorded_at=AT,
    device="Máy 1",
    device_seq=0,
    originals=2,
    copies=3,
    seal_no=None,
    seal_broken=False,
    damaged=False,
    reason=None,
    proof=None,
    flags=(),
    bag=None,
    corrects=None,
    private=None,
    previous=genesis(WAYBILL),
)


def chain(length: int) -> list[tuple[Entry, bytes]]:
    """Make a sound chain."""
    lines = [(FIRST, digest(FIRST))]
    for seq in range(2, length + 1):
        entry = replace(
            FIRST,
            id=UUID(int=seq),
            seq=seq,
            step="taken",
            at=AT + timedelta(minutes=seq),
            previous=lines[-1][1],
        )
        lines.append((entry, digest(entry)))
    return lines


def test_the_canonical_form_is_what_the_module_says_byte_by_byte() -> None:
    assert (
        canonical(FIRST)
        == (
            '{"at":"2026-03-01T07:05:09.000123Z","bag":null,"by":"staff:3",'
            '"copies":3,"corrects":null,'
            '"damaged":false,"device":"Máy 1",'
            '"device_at":"2026-03-01T07:05:09.000123Z","device_seq":0,"flags":[],'
            '"id":"018f0000-0000-7000-8000-000000000001","originals":2,'
            '"place":"office:1","previous":"'
            + hashlib.sha256(b"DH123456785VN").hexdigest()
            + '","private":null,"proof":null,"reason":null,'
            '"recorded_at":"2026-03-01T07:05:09.000123Z","seal_broken":false,'
            '"seal_no":null,"seq":1,"step":"booked","taker":"citizen",'
            '"towards":"agency:1","v":1,"waybill":"DH123456785VN"}'
        ).encode()
    )


def test_the_keys_are_in_order_so_that_anyone_can_write_the_form_again() -> None:
    keys = list(json.loads(canonical(FIRST)))
    assert keys == sorted(keys)


def test_a_time_is_hashed_alike_from_whatever_zone_it_comes() -> None:
    there = AT.astimezone(timezone(timedelta(hours=7)))
    assert stamp(there) == stamp(AT) == "2026-03-01T07:05:09.000123Z"
    assert stamp(AT.replace(microsecond=0)).endswith("09.000000Z")


def test_a_sound_chain_has_no_break() -> None:
    assert first_break(WAYBILL, chain(5)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"step": "delivered"},
        {"taker": "staff:9"},
        {"originals": 1},
        {"at": AT + timedelta(microseconds=1)},
        {"recorded_at": AT - timedelta(days=1)},
        {"flags": ("damaged",)},
        {"device_seq": 7},
        {"private": bytes(32)},
    ],
)
def test_a_line_that_was_changed_is_named(change: dict[str, object]) -> None:
    lines = chain(5)
    entry, kept = lines[2]
    lines[2] = (replace(entry, **change), kept)  # type: ignore[arg-type] # the table
    assert first_break(WAYBILL, lines) == (3, "was changed after it was written")


def test_a_line_that_was_changed_and_hashed_anew_breaks_the_next() -> None:
    lines = chain(5)
    entry = replace(lines[2][0], step="delivered")
    lines[2] = (entry, digest(entry))
    assert first_break(WAYBILL, lines) == (4, "does not point to the line before it")


def test_a_line_that_was_dropped_is_missed() -> None:
    lines = chain(5)
    del lines[2]
    assert first_break(WAYBILL, lines) == (3, "line 3 is missing; line 4 follows")


def test_two_lines_that_were_swapped_are_noticed() -> None:
    lines = chain(5)
    lines[2], lines[3] = lines[3], lines[2]
    assert first_break(WAYBILL, lines) is not None


def test_a_chain_does_not_pass_for_another_items() -> None:
    assert first_break("DH473124829VN", chain(2)) == (
        1,
        "does not point to the line before it",
    )


def test_a_private_part_cannot_be_guessed_without_its_salt() -> None:
    one, other = (seal_private(bytes([n]) * 16, {"note": "vắng nhà"}) for n in (1, 2))
    assert one != other
    assert seal_private(bytes([1]) * 16, {"note": "vắng nhà"}) == one
