"""How a citizen pays: what is owed now, and the QR that his bank's app reads.

Without an account in the settings there is no QR: money is then paid at a door or a
counter. The transfer's text is the reference alone, nothing of a person. Knows no HTTP.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from io import BytesIO
from itertools import groupby

from asyncpg import Connection
from qrcode.constants import ERROR_CORRECT_L
from qrcode.main import QRCode

from postal_track import charges
from postal_track.charges import Account, ChargeSeen, Due
from postal_track.database import transaction
from postal_track.errors import NotFound
from postal_track.orders import plain
from postal_track.settings import settings
from postal_track.vietqr import Transfer, write

QUIET = 3
"""Modules of white around a code; a card's own margin does the rest."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A QR as one path of SVG, to be stroked one unit wide, in a square of ``size``."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Bank:
    """Where money is transferred to, as a person reads it."""

    name: str
    account: str
    holder: str


@dataclass(frozen=True, slots=True)
class Paid:
    """Money that came in for a dossier: how, when, and what of it was used."""

    method: str
    at: datetime
    amount: int


@dataclass(frozen=True, slots=True)
class Asked:
    """What a citizen's page says of money.

    ``now``: what may be paid by transfer or at a door; ``online``: what is paid on the
    public portal. ``over``: what came in beyond what was owed.
    """

    now: int
    online: int
    charges: Sequence[ChargeSeen]
    paid: Sequence[Paid]
    over: int
    reference: str
    qr: Drawn | None
    bank: Bank | None

    @property
    def settled(self) -> bool:
        """Whether something was to be paid, and all of it is."""
        return bool(self.paid) and not self.now and not self.online


def bank() -> Bank | None:
    """Tell where money is transferred to, if anywhere."""
    chosen = settings()
    if not chosen.BANK_ACCOUNT:
        return None
    return Bank(chosen.BANK_NAME, chosen.BANK_ACCOUNT, chosen.BANK_HOLDER)


def payload(reference: str, amount: int) -> str:
    """Write what a bank's app reads; empty without an account of ours."""
    chosen = settings()
    if not chosen.BANK_ACCOUNT or not amount:
        return ""
    to = Transfer(chosen.BANK_BIN, chosen.BANK_ACCOUNT, amount, "", reference)
    return write(to)


def qr(reference: str, amount: int) -> Drawn | None:
    """Draw the code for an amount; ``None`` without an account of ours."""
    text = payload(reference, amount)
    return _draw(text) if text else None


@lru_cache(maxsize=512)
def _draw(text: str) -> Drawn:
    """Draw a code row by row, as strokes: half as long as squares that are filled."""
    code = QRCode(error_correction=ERROR_CORRECT_L, border=0)
    code.add_data(text)
    code.make()
    rows = code.get_matrix()
    return Drawn(
        "".join(_stroke(row, y + QUIET) for y, row in enumerate(rows)),
        len(rows) + 2 * QUIET,
    )


def _stroke(row: Sequence[bool], y: int) -> str:
    parts, gap = [f"M{QUIET} {y}.5"], 0
    for dark, run in groupby(row):
        length = len(list(run))
        if not dark:
            gap = length
            continue
        parts.append(f"m{gap} 0h{length}" if gap else f"h{length}")
        gap = 0
    return "".join(parts)


def picture(reference: str, amount: int) -> bytes:
    """Draw the code as a PNG. ``NotFound`` without an account of ours."""
    text = payload(reference, amount)
    if not text:
        raise NotFound
    code = QRCode(error_correction=ERROR_CORRECT_L, border=4, box_size=12)
    code.add_data(text)
    drawn = BytesIO()
    code.make_image().save(drawn)
    return drawn.getvalue()


async def on_page(token: str) -> Asked | None:
    """Say what a citizen owes and has paid; ``None`` when nothing ever cost him.

    Raises ``NotFound`` for an unknown link.
    """
    async with transaction() as connection:
        dossier = await connection.fetchval(
            "SELECT id FROM dossier WHERE token = $1", plain(token)
        )
        if dossier is None:
            raise NotFound
        return await _asked(connection, dossier)


async def _asked(connection: Connection, dossier: int) -> Asked | None:
    told: Account = await charges.read(connection, dossier)
    his = [each for each in told.charges if each.by_citizen and each.amount]
    if not his and not told.receipts:
        return None
    online = sum(each.open for each in his if each.due is Due.ONLINE)
    now = sum(each.open for each in his) - online
    paid = [
        Paid(each.method, each.at, each.given) for each in told.receipts if each.given
    ]
    return Asked(
        now,
        online,
        his,
        paid,
        told.over,
        told.reference,
        qr(told.reference, now) if now else None,
        bank(),
    )
