"""What citizens want of our texts: none on a number, or another language.

Said on the citizen's page by whoever has its link, or over the counter by a clerk. A
number's wish holds for all its dossiers and is kept by ``sms``, the language is the
dossier's own. Does not send, and does not know how a page looks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from asyncpg import Connection

from postal_track import limits, reach
from postal_track.custody import Role
from postal_track.database import transaction
from postal_track.errors import BadInput, NotAllowed, NotFound, Problem
from postal_track.orders import plain
from postal_track.phones import mask
from postal_track.reach import Values
from postal_track.staff import Actor
from sms import wishes
from sms.wishes import Standing

AT_THE_COUNTER = (Role.CLERK, Role.SUPERVISOR)

LONGEST_REASON = 240


class Wish(StrEnum):
    """What somebody wants of the texts to a number."""

    STOP = "stop"
    START = "start"


class Tongue(StrEnum):
    """The language of a dossier's texts."""

    VIETNAMESE = "vi"
    ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Line:
    """A number that a dossier's texts may go to.

    ``part``: whose it is, the first of those who share it; ``parts``: all of them.
    """

    part: str
    parts: tuple[str, ...]
    shown: str
    standing: Standing


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a dossier's citizens want to be told."""

    tongue: Tongue
    lines: tuple[Line, ...]


# By the link


async def on_page(token: str) -> Wishes:
    """Read what is wanted of a dossier's texts; ``NotFound`` for an unknown link."""
    async with transaction() as connection:
        return await _wishes(connection, await _by_token(connection, token))


async def say_on_page(token: str, part: str, wish: Wish, address: str) -> None:
    """Stop texts to a number of the dossier, or want them again.

    ``part`` names the number: who it is need not travel. Raises ``NotFound`` and, when
    this comes from one address too often, ``TooOften``.
    """
    await limits.knock(limits.WISHES, address)
    async with transaction() as connection:
        dossier = await _by_token(connection, token)
        await _say(connection, dossier, part, wish, ("page", f"dossier:{dossier}"))


async def speak_on_page(token: str, tongue: Tongue, address: str) -> None:
    """Choose the language of the dossier's texts from now on; raises alike."""
    await limits.knock(limits.WISHES, address)
    async with transaction() as connection:
        await _speak(connection, await _by_token(connection, token), tongue)


# Over the counter


async def at_counter(waybill: str, actor: Actor) -> Wishes:
    """Read the same for a clerk; ``NotFound`` outside his reach."""
    async with transaction() as connection:
        dossier = await by_waybill(connection, waybill, actor)
        return await _wishes(connection, dossier)


async def say_at_counter(waybill: str, part: str, wish: Wish, actor: Actor) -> None:
    """Stop texts to a number of the dossier, or start them, for who asks for it."""
    async with transaction() as connection:
        dossier = await by_waybill(connection, waybill, actor)
        await _say(connection, dossier, part, wish, ("counter", actor.login))


async def speak_at_counter(waybill: str, tongue: Tongue, actor: Actor) -> None:
    """Choose the language of the dossier's texts for who asks for it."""
    async with transaction() as connection:
        dossier = await by_waybill(connection, waybill, actor)
        await _speak(connection, dossier, tongue)


async def clear_mark(waybill: str, part: str, reason: str, actor: Actor) -> None:
    """Try a number again of which a provider said that it takes no texts.

    Raises ``BadInput`` on ``reason`` when none is given.
    """
    async with transaction() as connection:
        dossier = await by_waybill(connection, waybill, actor)
        number = await _number(connection, dossier, part)
        await clear(connection, number, reason, actor)


async def clear(connection: Connection, number: str, reason: str, actor: Actor) -> None:
    """Take the mark of a number away, within a transaction; raises alike.

    A number without a mark is left as it is: somebody else was faster.
    """
    reason = plain(reason)[:LONGEST_REASON]
    if not reason:
        why = Problem(
            "reason",
            "Say how you know that this number takes texts.",
            "Hãy ghi vì sao biết số này nhận được tin nhắn.",
        )
        raise BadInput((why,))
    await wishes.clear_mark(connection, number, actor.login, reason)


# What both lead to


async def _by_token(connection: Connection, token: str) -> int:
    dossier: int | None = await connection.fetchval(
        "SELECT id FROM dossier WHERE token = $1", plain(token)
    )
    if dossier is None:
        raise NotFound
    return dossier


async def by_waybill(connection: Connection, waybill: str, actor: Actor) -> int:
    """Find the dossier that somebody speaks of at this counter; ``NotFound``."""
    if actor.role not in AT_THE_COUNTER:
        raise NotAllowed
    values = Values()
    given = values.put(plain(waybill).replace(" ", "").upper())
    dossier: int | None = await connection.fetchval(
        f"""
        SELECT d.id FROM label l JOIN item i ON i.id = l.item
        JOIN dossier d ON d.id = i.dossier
        WHERE l.waybill = {given} AND {reach.items(actor, values, run=True)}
        """,  # noqa: S608 - placeholders
        *values,
    )
    if dossier is None:
        raise NotFound
    return dossier


async def _persons(connection: Connection, dossier: int) -> Sequence[Any]:
    rows: Sequence[Any] = await connection.fetch(
        """
        SELECT part, phone FROM person WHERE dossier = $1 AND phone <> ''
        ORDER BY array_position(ARRAY['owner', 'filer', 'recipient'], part::text)
        """,
        dossier,
    )
    return rows


async def _wishes(connection: Connection, dossier: int) -> Wishes:
    tongue = await connection.fetchval(
        "SELECT language FROM dossier WHERE id = $1", dossier
    )
    parts: dict[str, list[str]] = {}
    for row in await _persons(connection, dossier):
        parts.setdefault(row["phone"], []).append(row["part"])
    known = await wishes.standings(connection, parts)
    lines = tuple(
        Line(those[0], tuple(those), mask(number), known[number])
        for number, those in parts.items()
    )
    return Wishes(Tongue(tongue), lines)


async def _number(connection: Connection, dossier: int, part: str) -> str:
    numbers = {row["part"]: row["phone"] for row in await _persons(connection, dossier)}
    if part not in numbers:
        raise NotFound
    return str(numbers[part])


async def _say(
    connection: Connection, dossier: int, part: str, wish: Wish, who: tuple[str, str]
) -> None:
    number = await _number(connection, dossier, part)
    if wish is Wish.STOP:
        await wishes.opt_out(connection, number, *who)
    else:
        await wishes.opt_in(connection, number)


async def _speak(connection: Connection, dossier: int, tongue: Tongue) -> None:
    await connection.execute(
        "UPDATE dossier SET language = $2 WHERE id = $1", dossier, tongue.value
    )
