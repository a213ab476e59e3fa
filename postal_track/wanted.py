"""What a citizen typed, made into the words of a request: read, checked, placed.

Every fault is named at once, in both languages. Finds positions, and so may wait for a
geocoder; opens no transaction while it does.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from postal_track import slots
from postal_track.asks import Act, way
from postal_track.database import transaction
from postal_track.errors import BadAddress, BadInput, BadPhone, Problem
from postal_track.followed import Followed
from postal_track.orders import LONGEST_LINE, LONGEST_NAME, plain
from postal_track.phones import normalise
from postal_track.places import locate, nearest


async def read(f: Followed, act: Act, typed: Mapping[str, str]) -> dict[str, Any]:
    """Make the payload of a request; ``BadInput`` naming each field that is wrong."""
    match act:
        case Act.RESCHEDULE:
            return _day(f, typed)
        case Act.REDIRECT:
            return await _address(typed)
        case Act.HOLD:
            return await _counter(typed)
        case Act.DEPUTY:
            return _deputy(typed)
        case _:
            return {}


def _day(f: Followed, typed: Mapping[str, str]) -> dict[str, Any]:
    read = slots.read(typed.get("day", ""), typed.get("half", ""), datetime.now(UTC))
    if read is None or isinstance(read, Problem):
        raise BadInput((slots.NO_SUCH_DAY,))
    half = read.half.value if read.half else ""
    return {"way": way(f).value, "day": read.day.isoformat(), "half": half}


async def _address(typed: Mapping[str, str]) -> dict[str, Any]:
    address = plain(typed.get("address", ""))
    if not address or len(address) > LONGEST_LINE:
        why = (
            f"Give the address, in at most {LONGEST_LINE} letters.",
            f"Hãy ghi địa chỉ, nhiều nhất {LONGEST_LINE} ký tự.",
        )
        raise BadInput((Problem("address", *why),))
    try:
        at = await locate(address, plain(typed.get("ward", "")))
    except BadAddress as fault:
        raise BadInput((Problem.of("ward", fault),)) from fault
    async with transaction() as connection:
        offices = await connection.fetch(
            "SELECT id, lat, lon FROM office WHERE NOT hub"
        )
    if not offices:
        raise BadInput((_NO_OFFICE,))
    return {
        "address": address,
        "ward": at.ward,
        "lat": at.place.lat,
        "lon": at.place.lon,
        "source": at.source,
        "accuracy_m": at.accuracy_m,
        "office": nearest(at.place, offices)["id"],
    }


async def _counter(typed: Mapping[str, str]) -> dict[str, Any]:
    async with transaction() as connection:
        office = await connection.fetchval(
            "SELECT id FROM office WHERE code = $1 AND NOT hub",
            plain(typed.get("office", "")),
        )
    if office is None:
        raise BadInput((_NO_OFFICE,))
    return {"office": office}


_NO_OFFICE = Problem(
    "office", "Choose a post office from the list.", "Hãy chọn một bưu cục."
)


def _deputy(typed: Mapping[str, str]) -> dict[str, Any]:
    if typed.get("nobody"):
        return {}
    name, number = plain(typed.get("name", "")), typed.get("phone", "")
    problems, phone = [], ""
    if not name or len(name) > LONGEST_NAME:
        why = (
            f"Give the name, in at most {LONGEST_NAME} letters.",
            f"Hãy ghi họ tên, nhiều nhất {LONGEST_NAME} ký tự.",
        )
        problems.append(Problem("name", *why))
    try:
        phone = normalise(number).e164
    except BadPhone as fault:
        problems.append(Problem.of("phone", fault))
    if problems:
        raise BadInput(tuple(problems))
    return {"name": name, "phone": phone}
