"""What the demo's citizens ask for, by the same paths that real ones take.

A few of each, so that a carrier's card, a supervisor's list and the share of the
satisfied have something to show.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from postal_track import asking, following, sayings, slots, wanted
from postal_track.asks import Act, open_to
from postal_track.database import transaction
from postal_track.errors import PostalTrackError

RATINGS = (
    ("5", "Bưu tá đến đúng hẹn, rất lịch sự."),
    ("5", ""),
    ("4", "Nhanh, nhưng tin nhắn đến muộn."),
    ("5", "Khỏi phải đi lại hai lần."),
    ("2", "Chờ lâu quá."),
)


async def ask() -> None:
    """Let some citizens ask, confirm, rate and doubt."""
    days = slots.offered(datetime.now(UTC))
    tomorrow = {"day": days[0].isoformat(), "half": "morning"}
    later = {"day": days[1].isoformat(), "half": "afternoon"}
    son = {"name": "Huỳnh Minh Tâm", "phone": "0398765432"}
    house = {"address": "27 Lý Tự Trọng, Phường Long Xuyên"}
    await _wish("result", "out_for_delivery", Act.DEPUTY, son)
    await _wish("result", "attempted", Act.RESCHEDULE, tomorrow)
    await _wish("result", "at_office", Act.HOLD, {"office": "DEMO-LX"})
    await _wish("result", "ready", Act.REDIRECT, house)
    await _wish("dossier", "booked", Act.RESCHEDULE, later)
    await _wish("result", "delivered", Act.ERASURE, {})
    done = await _tokens("result", "delivered", len(RATINGS))
    for token, (stars, line) in zip(done, RATINGS, strict=False):
        await sayings.rate(token, {"stars": stars, "line": line}, "")
    if done:
        await sayings.dispute(done[-1], "Cả nhà không ai nhận phong bì này.", "")


async def _wish(leg: str, stage: str, act: Act, typed: Mapping[str, str]) -> None:
    """Let the first of these citizens ask it who may; he has the phone in his hand."""
    for token in await _tokens(leg, stage, 9):
        followed = await following.follow(token)
        if act not in open_to(followed):
            continue
        try:
            payload = await wanted.read(followed, act, typed)
            number = await asking.ask(token, act, payload, "owner", "")
            await asking.confirm(number, token, await _code(number), "")
        except PostalTrackError:
            continue  # the next one, then: a made-up number may take no texts
        return


async def _tokens(leg: str, stage: str, most: int) -> list[str]:
    async with transaction() as connection:
        rows = await connection.fetch(
            """
            SELECT d.token FROM item i JOIN dossier d ON d.id = i.dossier
            WHERE i.leg = $1 AND i.stage = $2 ORDER BY i.id LIMIT $3
            """,
            leg,
            stage,
            most,
        )
    return [row["token"] for row in rows]


async def _code(request: UUID) -> str:
    async with transaction() as connection:
        row = await connection.fetchrow(
            "SELECT id, nonce, digest FROM citizen_request WHERE id = $1", request
        )
    return asking.digits(row["id"], row["nonce"], row["digest"])
