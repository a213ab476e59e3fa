"""How often someone without a login may ask, counted in the database.

One count for all web processes and machines, which survives a restart and needs no
Redis. Keeps no address: only a keyed digest of it, for the length of one window.
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address, ip_address

from postal_track.database import transaction
from postal_track.errors import TooOften
from postal_track.settings import settings


@dataclass(frozen=True, slots=True)
class Limit:
    """How often one address may do one thing within a window."""

    what: str
    most: int
    window: timedelta


BOOKINGS = Limit("book", 20, timedelta(hours=1))
"""A commune's computer room may share one address; a household will not come near."""

PLACES = Limit("places", 120, timedelta(minutes=10))
"""Looking a ward up costs a question to a geocoder; a form asks it a few times."""


WISHES = Limit("wishes", 30, timedelta(hours=1))
"""Whoever has the link may stop texts and want them again; a household does it once."""


PRINTS = Limit("prints", 60, timedelta(hours=1))
"""Drawing a PDF is work; nobody needs more of his dossier."""


async def knock(limit: Limit, address: str) -> None:
    """Count one more time; ``TooOften`` when it is one too many.

    Counted in a transaction of its own, so that what fails afterwards counts too.
    """
    now = datetime.now(UTC)
    number = int(now.timestamp() // limit.window.total_seconds())
    ends_at = datetime.fromtimestamp((number + 1) * limit.window.total_seconds(), UTC)
    async with transaction() as connection:
        count = await connection.fetchval(
            """
            INSERT INTO tally (key, count, ends_at) VALUES ($1, 1, $2)
            ON CONFLICT (key) DO UPDATE SET count = tally.count + 1 RETURNING count
            """,
            key(limit, address, number),
            ends_at,
        )
        if count == 1:
            # Each new window takes some old ones away: the table stays small by itself.
            await connection.execute(
                """
                DELETE FROM tally WHERE key IN (SELECT key FROM tally
                    WHERE ends_at < now() LIMIT 100 FOR UPDATE SKIP LOCKED)
                """
            )
    if count > limit.most:
        raise TooOften(minutes=max(1, round((ends_at - now).total_seconds() / 60)))


def key(limit: Limit, address: str, number: int) -> bytes:
    """Give the key of one window's count; nothing can be read from it."""
    said = f"tally:{limit.what}:{number}:{neighbourhood(address)}"
    return hmac.digest(settings().SECRET_KEY.encode(), said.encode(), hashlib.sha256)


def neighbourhood(address: str) -> str:
    """Name whom an address stands for: of IPv6, a whole household's /64."""
    try:
        read = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(read, IPv6Address):
        return str(read)
    if read.ipv4_mapped:
        return str(read.ipv4_mapped)
    return str(IPv6Address(int(read) >> 64 << 64))
