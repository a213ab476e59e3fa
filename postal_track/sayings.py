"""What a citizen says on his page without a code: it can hurt nobody but may be much.

"I did not receive this" opens an irregularity and a claim, a claim goes to those who
settle it, a rating is kept once for each dossier. Limits hold back who says it without
end. Knows no HTTP.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from asyncpg import Connection

from postal_track import complaints, following, limits, outgoing
from postal_track.asks import Word, words_open_to
from postal_track.chronicle import lock
from postal_track.complaints import Claimed, State
from postal_track.custody import Kind, Leg, Stage, Step
from postal_track.database import transaction
from postal_track.errors import BadInput, Conflict, Problem
from postal_track.followed import Followed
from postal_track.handoffs import to_be_ended_by
from postal_track.limits import Limit
from postal_track.orders import plain

FROM_AN_ADDRESS = Limit("sayings", 30, timedelta(hours=1))

OF_A_DOSSIER = Limit("sayings of a dossier", 10, timedelta(days=1))

LONGEST_LINE = 240

CHANGED_WITHIN = timedelta(days=1)
"""How long a rating can be changed. The database agrees."""

_NOT_RECEIVED = "Người dân báo chưa nhận được bưu gửi."
"""What a claim says when nothing was added."""


async def dispute(token: str, words: str, address: str) -> str:
    """Say that a delivered item was never received; the claim's number.

    Whoever delivered it must answer. Raises ``NotFound``, ``Conflict`` when this was
    said before or nothing was delivered, ``BadInput`` out of time, ``TooOften``.
    """
    followed = await _knock(token, Word.DISPUTE, address)
    leg = followed.leg
    delivered = leg.last(Step.DELIVERED) if leg else None
    if leg is None or delivered is None or delivered.event.id is None:
        raise Conflict(*_NOTHING_TO_SAY)
    now = datetime.now(UTC)
    async with transaction() as connection:
        # Locked before it is judged; said twice at once, the second finds the first.
        chain = (await lock(connection, [leg.waybill]))[leg.waybill]
        if chain.custody.stage is not Stage.DELIVERED:
            raise Conflict(*_NOTHING_TO_SAY)
        opened = await connection.fetchval(
            """
            INSERT INTO irregularity (item, event, kind, owner, due_at, opened_at,
                detail, ending)
            VALUES ($1, $2, $3, $4, $5, $6, '', '')
            ON CONFLICT (event, kind) DO NOTHING RETURNING id
            """,
            chain.id,
            delivered.event.id,
            Kind.DISPUTED.value,
            str(delivered.event.place or delivered.event.by),
            to_be_ended_by(Kind.DISPUTED, now),
            now,
        )
        if opened is None:
            raise Conflict(*_SAID_BEFORE)
        number = await _claim_for_loss(connection, token, leg.waybill, words)
        told = await outgoing.put_incident(
            connection, chain.id, f"disputed:{delivered.event.id}", now
        )
    await outgoing.poke(told)
    return number


async def _claim_for_loss(
    connection: Connection, token: str, waybill: str, words: str
) -> str:
    """Open the claim that goes with it; the one that is open already will do."""
    known: str | None = await connection.fetchval(
        """
        SELECT c.number FROM claim c JOIN item i ON i.id = c.item
        WHERE i.waybill = $1 AND c.kind = 'loss' AND c.state IN ('opened', 'accepted')
        """,
        waybill,
    )
    said = plain(words) or _NOT_RECEIVED
    return known or await complaints.open_by_citizen(token, waybill, Claimed.LOSS, said)


async def claim(
    token: str, waybill: str, kind: Claimed | None, words: str, address: str
) -> str:
    """Make a claim; its number. Raises as ``complaints.open_by_citizen`` does."""
    await _knock(token, Word.CLAIM, address)
    if kind is None:
        why = ("Choose what it is for.", "Hãy chọn nội dung khiếu nại.")
        raise BadInput((Problem("kind", *why),))
    return await complaints.open_by_citizen(token, plain(waybill), kind, words)


def claimable(f: Followed) -> list[tuple[str, Leg]]:
    """List the items that a claim can be about: those the post has had."""
    return [
        (leg.waybill, leg.leg)
        for leg in reversed(f.legs)
        if leg.now.stage not in (Stage.BOOKED, Stage.CANCELLED)
    ]


@dataclass(frozen=True, slots=True)
class ClaimSeen:
    """A claim as the citizen sees it."""

    number: str
    kind: Claimed
    state: State
    opened_at: datetime
    settle_by: date
    amount: int | None
    reason: str


async def claims(token: str) -> list[ClaimSeen]:
    """List a dossier's claims, the newest first."""
    async with transaction() as connection:
        rows = await connection.fetch(
            """
            SELECT c.* FROM claim c JOIN dossier d ON d.id = c.dossier
            WHERE d.token = $1 ORDER BY c.id DESC LIMIT 50
            """,
            plain(token),
        )
    return [
        ClaimSeen(
            number=row["number"],
            kind=Claimed(row["kind"]),
            state=State(row["state"]),
            opened_at=row["opened_at"],
            settle_by=row["settle_by"],
            amount=row["amount"],
            reason=row["reason"],
        )
        for row in rows
    ]


# Ratings


@dataclass(frozen=True, slots=True)
class Rated:
    """How a dossier was rated; ``open``: it can still be changed."""

    stars: int
    open: bool


async def rated(token: str) -> Rated | None:
    """Read how a dossier was rated, if it was. The line is for the post only."""
    async with transaction() as connection:
        row = await connection.fetchrow(
            """
            SELECT r.stars, r.said_at FROM rating r JOIN dossier d ON d.id = r.dossier
            WHERE d.token = $1
            """,
            plain(token),
        )
    if row is None:
        return None
    return Rated(row["stars"], row["said_at"] > datetime.now(UTC) - CHANGED_WITHIN)


async def rate(token: str, typed: Mapping[str, str], address: str) -> None:
    """Rate a dossier that is done, or change that within a day.

    Raises ``NotFound``, ``Conflict`` when it is not done or a day has passed,
    ``BadInput`` on ``stars``, ``TooOften``.
    """
    await _knock(token, Word.RATE, address)
    stars, line = typed.get("stars", ""), plain(typed.get("line", ""))
    if stars not in ("1", "2", "3", "4", "5"):
        why = ("Choose from 1 to 5.", "Hãy chọn từ 1 đến 5.")
        raise BadInput((Problem("stars", *why),))
    async with transaction() as connection:
        kept: int | None = await connection.fetchval(
            """
            INSERT INTO rating (dossier, stars, line, said_at)
            SELECT id, $2, $3, now() FROM dossier WHERE token = $1
            ON CONFLICT (dossier) DO UPDATE SET stars = excluded.stars,
                line = excluded.line, changed_at = now()
            WHERE rating.said_at > now() - $4::interval RETURNING dossier
            """,
            plain(token),
            int(stars),
            line[:LONGEST_LINE],
            CHANGED_WITHIN,
        )
    if kept is None:
        raise Conflict(
            why="a rating can be changed within a day only",
            why_vi="chỉ sửa được đánh giá trong vòng một ngày",
        )


async def _knock(token: str, word: Word, address: str) -> Followed:
    """Count it, and see that this can be said of the dossier as it is."""
    await limits.knock(FROM_AN_ADDRESS, address)
    followed = await following.follow(token)
    await limits.knock(OF_A_DOSSIER, f"dossier:{followed.token}")
    if word not in words_open_to(followed):
        raise Conflict(*_NOTHING_TO_SAY)
    return followed


_NOTHING_TO_SAY = (
    "at this stage it cannot be said",
    "hồ sơ chưa đến hoặc đã qua bước này",
)
_SAID_BEFORE = (
    "this was said already and is being looked into",
    "việc này đã được báo và đang được xác minh",
)
