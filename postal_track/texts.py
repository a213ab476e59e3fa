"""Texts as those see them who answer for them: numbers masked, codes and links hidden.

Reads the outbox of ``sms`` and cuts it to the dossiers within someone's reach. A link
opens the citizen's page, so it is kept from view like a code.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from asyncpg import Connection

from postal_track import outgoing, reach, readings
from postal_track.boards import midnight, today
from postal_track.custody import Role
from postal_track.database import transaction
from postal_track.errors import BadInput, BadPhone, NotAllowed, NotFound, Problem
from postal_track.orders import plain
from postal_track.phones import mask, normalise
from postal_track.reach import LARGEST_KEY, Values
from postal_track.staff import Actor
from postal_track.texting import ANYWAY
from sms import figures, outbox
from sms.errors import SmsError, UnknownMessage
from sms.figures import Cost
from sms.outbox import HIDDEN, Filter, Happening, Shown
from sms.status import Status

LISTED = 50
MOST_ROUNDS = 10
"""How many portions are read for one page; a supervisor's own texts may be few."""

LONGEST_PERIOD = 366
"""Days whose costs are added up in one go."""

READERS = (Role.SUPERVISOR, Role.ADMIN, Role.AUDITOR)

_GROUP = "dossier:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which texts to list; what is not set does not limit.

    ``number`` in any writing; ``waybill`` of either leg. Days are local, both included.
    """

    status: Status | None = None
    template: str = ""
    number: str = ""
    waybill: str = ""
    since: date | None = None
    until: date | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page, the newest first; ``before`` asks for the next, if any."""

    texts: list[Shown]
    before: int | None


@dataclass(frozen=True, slots=True)
class Story:
    """One text and what happened to it, with the waybills of its dossier."""

    text: Shown
    happened: list[Happening]
    waybills: tuple[str, ...]


async def texts(wanted: Wanted, actor: Actor) -> Page:
    """List texts within someone's reach.

    Finding by a number is a reading of whose it is. Raises ``BadInput`` on ``number``
    for what is no number.
    """
    _standing(actor)
    asked = Filter(
        status=wanted.status,
        template=wanted.template,
        recipient=_number(wanted.number),
        since=midnight(wanted.since) if wanted.since else None,
        until=midnight(wanted.until + timedelta(days=1)) if wanted.until else None,
        before=wanted.before,
        size=LISTED,
    )
    async with transaction() as connection:
        if wanted.waybill.strip():
            group = await _group(connection, wanted.waybill)
            if group is None:
                return Page([], None)
            asked = replace(asked, group=group)
        page = await _gather(connection, asked, actor)
        if asked.recipient:
            found = (dossier_of(text) for text in page.texts)
            await readings.note(actor, (one for one in found if one), "search")
        return page


async def _gather(connection: Connection, asked: Filter, actor: Actor) -> Page:
    """Read portions until a page is full, nothing is left, or enough was tried."""
    gathered: list[Shown] = []
    for _ in range(MOST_ROUNDS):
        portion = await outbox.messages(connection, asked)
        gathered += await within(connection, portion.messages, actor)
        if portion.before is None or len(gathered) >= LISTED:
            before = portion.before
            break
        asked = replace(asked, before=portion.before)
    else:
        before = asked.before
    if len(gathered) > LISTED:
        gathered = gathered[:LISTED]
        before = gathered[-1].id
    return Page(gathered, before)


async def story(message: int, actor: Actor) -> Story:
    """Read one text with its attempts and receipts; ``NotFound`` outside his reach."""
    _standing(actor)
    if message > LARGEST_KEY:
        raise NotFound
    async with transaction() as connection:
        try:
            text, happened = await outbox.story(connection, message)
        except UnknownMessage as fault:
            raise NotFound from fault
        shown = await within(connection, [text], actor)
        if not shown:
            raise NotFound
        rows = await connection.fetch(
            "SELECT waybill FROM item WHERE dossier = $1 ORDER BY id", dossier_of(text)
        )
    return Story(shown[0], happened, tuple(row["waybill"] for row in rows))


async def again(message: int, reason: str, actor: Actor) -> int:
    """Send a text once more, with a reason; the new one's id. Supervisors only.

    Raises ``BadInput`` on ``reason`` with what stands against it.
    """
    if actor.role is not Role.SUPERVISOR:
        raise NotAllowed
    await story(message, actor)
    try:
        async with transaction() as connection:
            sent = await outbox.resend(
                connection, message, plain(reason), actor.login, ANYWAY
            )
    except SmsError as fault:
        why = Problem("reason", fault.sentence("en"), fault.sentence("vi"))
        raise BadInput((why,)) from fault
    await outgoing.poke([sent])
    return sent


@dataclass(frozen=True, slots=True)
class Costs:
    """What texts came to in a period of local days, both included; VND."""

    since: date
    until: date
    rows: list[Cost]

    @property
    def texts(self) -> int:
        """All texts."""
        return sum(row.texts for row in self.rows)

    @property
    def segments(self) -> int:
        """All segments: what is paid for."""
        return sum(row.segments for row in self.rows)

    @property
    def cost(self) -> int:
        """All of it, in VND."""
        return sum(row.cost for row in self.rows)


async def costs(since: date | None, until: date | None, actor: Actor) -> Costs:
    """Add up a period by gateway and template; this month when no day is given.

    Of the whole service: what a gateway charges is no office's own. Raises ``BadInput``
    on ``until`` for a period that ends before it begins, or is too long to add up.
    """
    _standing(actor)
    until = until or max(today(), since or today())
    since = since or until.replace(day=1)
    if until < since:
        why = Problem(
            "until",
            "The period ends before it begins.",
            "Ngày cuối phải sau ngày đầu.",
        )
        raise BadInput((why,))
    if (until - since).days > LONGEST_PERIOD:
        why = Problem("until", "Choose a year at most.", "Chỉ chọn tối đa một năm.")
        raise BadInput((why,))
    async with transaction() as connection:
        rows = await figures.costs(
            connection, midnight(since), midnight(until + timedelta(days=1))
        )
    return Costs(since, until, rows)


def _standing(actor: Actor) -> None:
    if actor.role not in READERS:
        raise NotAllowed


def _number(written: str) -> str:
    if not written.strip():
        return ""
    try:
        return normalise(written).e164
    except BadPhone as fault:
        raise BadInput((Problem.of("number", fault),)) from fault


async def _group(connection: Connection, waybill: str) -> str | None:
    dossier = await connection.fetchval(
        """
        SELECT i.dossier FROM label l JOIN item i ON i.id = l.item WHERE l.waybill = $1
        """,
        plain(waybill).replace(" ", "").upper(),
    )
    return f"{_GROUP}{dossier}" if dossier is not None else None


def dossier_of(text: Shown) -> int | None:
    """Find the dossier that a text is about."""
    number = text.group.removeprefix(_GROUP)
    return int(number) if text.group.startswith(_GROUP) and number.isdigit() else None


async def within(
    connection: Connection, found: Sequence[Shown], actor: Actor
) -> list[Shown]:
    """Keep the texts within someone's reach, as they may be shown."""
    values = Values()
    wanted = values.put(sorted({n for t in found if (n := dossier_of(t)) is not None}))
    rows = await connection.fetch(
        f"""
        SELECT d.id, d.slug FROM dossier d
        WHERE d.id = ANY({wanted}::bigint[]) AND {reach.dossiers(actor, values)}
        """,  # noqa: S608 - placeholders
        *values,
    )
    slugs = {row["id"]: row["slug"] for row in rows}
    return [
        _hidden(text, slugs.get(dossier_of(text) or 0))
        for text in found
        if dossier_of(text) in slugs or reach.sees_all(actor)
    ]


def _hidden(text: Shown, slug: str | None) -> Shown:
    return replace(
        text,
        recipient=mask(text.recipient) if text.recipient else "",
        body=text.body.replace(slug, HIDDEN) if slug else text.body,
    )
