"""Photos of envelopes, as evidence: made small, stripped of what else they tell.

Never of an ID card: who takes one is told so, and no machine here could know. A picture
is decoded and encoded anew, so that no place, no camera and no payload stays in it.
"""

import asyncio
import hashlib
import io
import warnings
from datetime import UTC, datetime

from PIL import Image, ImageOps, UnidentifiedImageError

from postal_track import readings
from postal_track.database import transaction
from postal_track.errors import BadInput, NotAllowed, NotFound, Problem
from postal_track.irregularities import WORKERS, open_case, seen_case
from postal_track.staff import Actor

LARGEST_UPLOAD = 7 * 1024 * 1024
LARGEST_KEPT = 1_500_000
LONGEST_SIDE = 1600
MOST_PIXELS = 60_000_000
MOST_PHOTOS = 8

_QUALITIES = (82, 65, 45, 15)
"""Tried in this order: even noise of this size fits at the last."""


async def add(number: int, data: bytes, actor: Actor) -> str:
    """Keep a photo with an irregularity that is open; its digest.

    JPEG or PNG. The same picture twice is kept once. Raises ``BadInput`` on ``photo``.
    """
    if actor.role not in WORKERS:
        raise NotAllowed
    if not data or len(data) > LARGEST_UPLOAD:
        raise BadInput((Problem("photo", *_TOO_LARGE),))
    picture = await asyncio.to_thread(prepared, data)
    digest = hashlib.sha256(picture).digest()
    async with transaction() as connection:
        await open_case(connection, number, actor)
        kept = await connection.fetchval(
            "SELECT count(*) FROM envelope_photo WHERE irregularity = $1", number
        )
        if kept >= MOST_PHOTOS:
            raise BadInput((Problem("photo", *_TOO_MANY),))
        await connection.execute(
            """
            INSERT INTO envelope_photo (irregularity, by, at, digest, picture)
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT (irregularity, digest) DO NOTHING
            """,
            number,
            actor.staff,
            datetime.now(UTC),
            digest,
            picture,
        )
    return digest.hex()


def prepared(data: bytes, largest: int = LARGEST_KEPT) -> bytes:
    """Make the JPEG that is kept: upright, small, and nothing but the picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _encoded(data, largest)
    except (
        UnidentifiedImageError,
        Image.DecompressionBombError,
        Image.DecompressionBombWarning,
        OSError,
        SyntaxError,
        ValueError,
    ) as fault:
        raise BadInput((Problem("photo", *_NO_PICTURE),)) from fault


def _encoded(data: bytes, largest: int) -> bytes:
    with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as opened:
        if opened.width * opened.height > MOST_PIXELS:
            raise ValueError("too many pixels")
        opened.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    # A new picture has nothing of the old one's but its pixels.
    clean = Image.new("RGB", upright.size)
    clean.paste(upright)
    tries = (_jpeg(clean, quality) for quality in _QUALITIES)
    fitting = next((tried for tried in tries if len(tried) <= largest), None)
    # Noise alone is larger: half as wide, it is not.
    return fitting or _encoded(_jpeg(clean.resize(_half(clean)), 82), largest)


def _half(picture: Image.Image) -> tuple[int, int]:
    return max(1, picture.width // 2), max(1, picture.height // 2)


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()


async def show(number: int, photo: int, actor: Actor) -> bytes:
    """Give a photo to look at. An envelope has an address: the reading is noted.

    Raises ``NotAllowed`` for who needs none of it, ``NotFound`` when it was erased.
    """
    if not readings.may_read(actor):
        raise NotAllowed
    async with transaction() as connection:
        dossier = await seen_case(connection, number, actor)
        picture: bytes | None = await connection.fetchval(
            "SELECT picture FROM envelope_photo WHERE id = $1 AND irregularity = $2",
            photo,
            number,
        )
        if picture is None:
            raise NotFound
        await readings.note(actor, [dossier], "photo")
    return picture


_TOO_LARGE = (
    f"Choose a photo of at most {LARGEST_UPLOAD // 1024 // 1024} MB.",
    f"Hãy chọn ảnh không quá {LARGEST_UPLOAD // 1024 // 1024} MB.",
)
_NO_PICTURE = (
    "This is no JPEG or PNG picture that can be read.",
    "Đây không phải là ảnh JPEG hoặc PNG đọc được.",
)
_TOO_MANY = (
    f"{MOST_PHOTOS} photos are enough.",
    f"Mỗi vụ việc có nhiều nhất {MOST_PHOTOS} ảnh.",
)
