"""People to be called because a text did not reach them: the clerks' list.

Cut to the dossiers of one's office. A number is masked until someone asks for it to
dial it, which is written down. Does not know how a call is made.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from asyncpg import Connection

from postal_track import readings, wishes
from postal_track.custody import Role
from postal_track.database import transaction
from postal_track.errors import BadInput, Conflict, NotAllowed, NotFound, Problem
from postal_track.orders import plain
from postal_track.reach import LARGEST_KEY
from postal_track.staff import Actor
from postal_track.texts import dossier_of, within
from sms import outbox
from sms.errors import UnknownMessage
from sms.outbox import CallDue
from sms.wishes import Standing, standings

LISTED = 50
PORTION = 200
MOST_ROUNDS = 20
"""How many portions are read for one page; an office's own calls may be few."""

LONGEST_NOTE = 240

READERS = (Role.CLERK, Role.SUPERVISOR, Role.ADMIN, Role.AUDITOR)
CALLERS = (Role.CLERK, Role.SUPERVISOR)


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody to be called; ``due`` as it may be shown, its number masked.

    ``waybills`` of the dossier, the newest first. ``standing``: what keeps texts from
    the number. ``number`` and ``name`` stand here only after a reading.
    """

    due: CallDue
    waybills: tuple[str, ...]
    standing: Standing
    number: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One page, who has waited longest first; ``after`` asks for the next, if any."""

    calls: list[Call]
    after: int | None


async def calls(actor: Actor, after: int | None = None) -> Page:
    """List the calls to be made within someone's reach."""
    _standing(actor)
    gathered: list[Call] = []
    async with transaction() as connection:
        for _ in range(MOST_ROUNDS):
            portion = await outbox.calls(connection, PORTION, after)
            gathered += await _shown(connection, portion, actor)
            after = portion[-1].id if len(portion) == PORTION else None
            if after is None or len(gathered) >= LISTED:
                break
    if len(gathered) > LISTED:
        gathered = gathered[:LISTED]
        after = gathered[-1].due.id
    return Page(gathered, after)


async def call(number: int, actor: Actor, *, show: bool = False) -> Call:
    """Read one call, made or not; ``NotFound`` outside his reach.

    ``show`` gives the number in clear and whose it is, and writes that down; raises
    ``NotAllowed`` for who makes no calls.
    """
    _standing(actor)
    if show and actor.role not in CALLERS:
        raise NotAllowed
    async with transaction() as connection:
        due, one = await _one(connection, number, actor)
        return await _revealed(connection, due, one, actor) if show else one


async def close(number: int, note: str, actor: Actor) -> None:
    """Note what came of a call; closing it twice with one's own word is no error.

    Raises ``BadInput`` on ``note`` when it is empty, ``Conflict`` when somebody else
    has closed it.
    """
    if actor.role not in CALLERS:
        raise NotAllowed
    note = plain(note)[:LONGEST_NOTE]
    if not note:
        why = Problem("note", "Say what came of the call.", "Hãy ghi kết quả cuộc gọi.")
        raise BadInput((why,))
    async with transaction() as connection:
        due, _ = await _one(connection, number, actor)
        if due.closed_at is None:
            try:
                await outbox.close_call(connection, number, actor.login, note)
            except UnknownMessage:
                due = await outbox.call(connection, number)
        if due.closed_at is not None and due.closed_by != actor.login:
            raise Conflict("the call was closed", "cuộc gọi đã được đóng")


async def clear_mark(number: int, reason: str, actor: Actor) -> None:
    """Let texts go to the number of a call again; raises ``BadInput`` on ``reason``."""
    if actor.role not in CALLERS:
        raise NotAllowed
    async with transaction() as connection:
        due, _ = await _one(connection, number, actor)
        await wishes.clear(connection, due.message.recipient, reason, actor)


def _standing(actor: Actor) -> None:
    if actor.role not in READERS:
        raise NotAllowed


async def _one(
    connection: Connection, number: int, actor: Actor
) -> tuple[CallDue, Call]:
    """Read a call as it is and as it may be shown."""
    if number > LARGEST_KEY:
        raise NotFound
    try:
        due = await outbox.call(connection, number)
    except UnknownMessage as fault:
        raise NotFound from fault
    shown = await _shown(connection, [due], actor)
    if not shown:
        raise NotFound
    return due, shown[0]


async def _shown(
    connection: Connection, found: Sequence[CallDue], actor: Actor
) -> list[Call]:
    texts = await within(connection, [due.message for due in found], actor)
    masked = {text.id: text for text in texts}
    dossiers = {text.id: dossier_of(text) for text in texts}
    rows = await connection.fetch(
        """
        SELECT dossier, array_agg(waybill::text ORDER BY id DESC) AS waybills FROM item
        WHERE dossier = ANY($1::bigint[]) GROUP BY dossier
        """,
        sorted({dossier for dossier in dossiers.values() if dossier is not None}),
    )
    waybills = {row["dossier"]: tuple(row["waybills"]) for row in rows}
    mine = [due for due in found if due.message.id in masked]
    known = await standings(connection, {due.message.recipient for due in mine})
    return [
        Call(
            replace(due, message=masked[due.message.id]),
            waybills.get(dossiers[due.message.id], ()),
            known[due.message.recipient],
        )
        for due in mine
    ]


async def _revealed(
    connection: Connection, due: CallDue, one: Call, actor: Actor
) -> Call:
    dossier, number = dossier_of(due.message), due.message.recipient
    if dossier is None:
        raise NotFound
    await readings.note(actor, [dossier], "call")
    name = await connection.fetchval(
        """
        SELECT name FROM person WHERE dossier = $1 AND phone = $2
        ORDER BY part = 'owner' DESC LIMIT 1
        """,
        dossier,
        number,
    )
    return replace(one, number=number, name=name or "")
