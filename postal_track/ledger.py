"""The ledger's lines and how they are chained.

Pure: what is hashed, byte by byte, so that anyone can check it. Where the lines are
kept is ``chronicle``'s affair; what they mean is ``custody``'s.

The canonical form of a line is UTF-8 JSON with the keys of ``canonical`` in
alphabetical order, no white space, no escapes but JSON's own, absent values as
``null``, but for ``next_on``, which only a line with a day has, and ``v`` is 2 there;
times in UTC with six decimals as ``2026-03-01T07:05:09.000123Z``; bytes as
lower-case hexadecimal; no floating-point number anywhere. ``hash`` is SHA-256 over
those bytes; ``previous`` is the hash of the line before, or for the first line SHA-256
over the waybill's thirteen ASCII characters.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from json.encoder import encode_basestring
from typing import Any
from uuid import UUID

VERSION = 1
DATED = 2
"""The version of a line with a day in it; all others are written as they ever were."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of an item's ledger; the fields are those of ``tables.Event``."""

    id: UUID
    waybill: str
    seq: int
    step: str
    by: str
    place: str | None
    taker: str | None
    towards: str | None
    at: datetime
    device_at: datetime
    recorded_at: datetime
    device: str
    device_seq: int
    originals: int | None
    copies: int | None
    seal_no: str | None
    seal_broken: bool
    damaged: bool
    reason: str | None
    proof: str | None
    flags: tuple[str, ...]
    bag: str | None
    corrects: UUID | None
    private: bytes | None
    previous: bytes
    next_on: date | None = None


def stamp(moment: datetime) -> str:
    """Write a time as the ledger hashes it: UTC, microseconds, always six decimals."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def canonical(entry: Entry) -> bytes:
    """Give the bytes that are hashed; see the head of this module.

    Spelled out, since every byte is part of the promise; and because a general encoder
    took twice the time, on each line that is written or checked.
    """
    e = entry
    day, version = ("", VERSION) if e.next_on is None else (_day(e.next_on), DATED)
    return (
        f'{{"at":"{stamp(e.at)}","bag":{_text(e.bag)},"by":{_text(e.by)},'
        f'"copies":{_number(e.copies)},"corrects":{_id(e.corrects)},'
        f'"damaged":{_flag(e.damaged)},"device":{_text(e.device)},'
        f'"device_at":"{stamp(e.device_at)}","device_seq":{e.device_seq},'
        f'"flags":[{",".join(map(_text, e.flags))}],"id":{_id(e.id)},{day}'
        f'"originals":{_number(e.originals)},"place":{_text(e.place)},'
        f'"previous":{_bytes(e.previous)},"private":{_bytes(e.private)},'
        f'"proof":{_text(e.proof)},"reason":{_text(e.reason)},'
        f'"recorded_at":"{stamp(e.recorded_at)}","seal_broken":{_flag(e.seal_broken)},'
        f'"seal_no":{_text(e.seal_no)},"seq":{e.seq},"step":{_text(e.step)},'
        f'"taker":{_text(e.taker)},"towards":{_text(e.towards)},"v":{version},'
        f'"waybill":{_text(e.waybill)}}}'
    ).encode()


def _text(value: str | None) -> str:
    return "null" if value is None else encode_basestring(value)


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)


def _day(value: date) -> str:
    return f'"next_on":"{value:%Y-%m-%d}",'


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _id(value: UUID | None) -> str:
    return "null" if value is None else f'"{value}"'


def _bytes(value: bytes | None) -> str:
    return "null" if value is None else f'"{value.hex()}"'


def digest(entry: Entry) -> bytes:
    """Hash one line: 32 bytes."""
    return hashlib.sha256(canonical(entry)).digest()


def genesis(waybill: str) -> bytes:
    """Give what the first line of an item points back to."""
    return hashlib.sha256(waybill.encode("ascii")).digest()


def seal_private(salt: bytes, content: Mapping[str, Any]) -> bytes:
    """Digest what is personal: SHA-256 over the salt and the content as sorted JSON.

    The salt (16 random bytes) lives and is erased with the content, so that nobody can
    guess it back.
    """
    words = json.dumps(
        content, ensure_ascii=False, separators=(",", ":"), sort_keys=True
    )
    return hashlib.sha256(salt + words.encode()).digest()


def first_break(
    waybill: str, lines: Iterable[tuple[Entry, bytes]]
) -> tuple[int, str] | None:
    """Walk one chain in order of ``seq``; name the first line that breaks, and why.

    ``lines`` are the entries with the hash that was stored for each. ``None`` means all
    hold.
    """
    previous = genesis(waybill)
    for expected, (entry, kept) in enumerate(lines, start=1):
        if entry.seq != expected:
            return expected, f"line {expected} is missing; line {entry.seq} follows"
        if entry.previous != previous:
            return expected, "does not point to the line before it"
        if digest(entry) != kept:
            return expected, "was changed after it was written"
        previous = kept
    return None
