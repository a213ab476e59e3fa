"""Photos of envelopes: small, stripped, kept once, and seen by those who may."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from PIL import Image

from postal_track import snapshots
from postal_track.custody import Step
from postal_track.errors import BadInput, Conflict, NotAllowed, NotFound
from postal_track.snapshots import LARGEST_KEPT, LARGEST_UPLOAD, Taken
from tests.cast import Cast, scan, travel, visitor


def picture(width: int = 1200, height: int = 900, form: str = "JPEG") -> bytes:
    """A photo that tells where it was taken, and holds a colour to know it by."""
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "Samsung"
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (10.0, 22.0, 0.0)
    options: dict[str, Any] = {"exif": exif} if form == "JPEG" else {}
    Image.new("RGB", (width, height), (200, 120, 40)).save(out, form, **options)
    return out.getvalue()


def of(waybill: str, id: UUID | None = None, event: UUID | None = None) -> Taken:
    return Taken(id or uuid4(), waybill, datetime.now(UTC), event, "web-1")


async def test_a_photo_is_kept_once_and_without_what_else_it_tells(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "accepted")
    taken = of(waybill)
    first = await snapshots.keep(taken, picture(), cast.alice)
    again = await snapshots.keep(taken, picture(), cast.alice)
    assert first == again
    (kept,) = await database.fetch("SELECT picture FROM item_photo")
    with Image.open(io.BytesIO(kept["picture"])) as seen:
        assert seen.format == "JPEG"
        assert not seen.getexif()
        assert seen.size == (1200, 900)
    assert b"Samsung" not in kept["picture"]


async def test_an_id_is_good_for_one_photo_of_one_item(cast: Cast) -> None:
    one, other = await travel(cast, "accepted"), await travel(cast, "accepted")
    taken = of(one)
    await snapshots.keep(taken, picture(), cast.alice)
    with pytest.raises(Conflict):
        await snapshots.keep(of(other, taken.id), picture(), cast.alice)
    with pytest.raises(Conflict):
        await snapshots.keep(taken, picture(), cast.bob)


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a", b"<svg onload=alert(1)>", b"x" * (LARGEST_UPLOAD + 1)]
)
async def test_what_is_no_picture_is_not_kept(
    cast: Cast, database: Any, data: bytes
) -> None:
    waybill = await travel(cast, "accepted")
    with pytest.raises(BadInput):
        await snapshots.keep(of(waybill), data, cast.alice)
    assert await database.fetchval("SELECT count(*) FROM item_photo") == 0


async def test_the_largest_picture_is_made_to_fit(cast: Cast, database: Any) -> None:
    waybill = await travel(cast, "accepted")
    noise = Image.effect_noise((1000, 1000), 200).convert("RGB")
    out = io.BytesIO()
    noise.save(out, "JPEG", quality=95)
    await snapshots.keep(of(waybill), out.getvalue(), cast.alice)
    size = await database.fetchval("SELECT length(picture) FROM item_photo")
    assert size <= LARGEST_KEPT


async def test_it_belongs_to_whom_the_item_is_in_reach_of(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "accepted")
    for stranger in (cast.amy, cast.ben, cast.carol):
        with pytest.raises(NotFound):
            await snapshots.keep(of(waybill), picture(), stranger)
    for reader in (cast.eve, cast.frank):
        with pytest.raises(NotAllowed):
            await snapshots.keep(of(waybill), picture(), reader)
    kept = await snapshots.keep(of(waybill), picture(), cast.alice)
    for stranger in (cast.amy, cast.carol):
        with pytest.raises(NotFound):
            await snapshots.show(waybill, kept.id, stranger)
    for reader in (cast.eve, cast.frank):
        with pytest.raises(NotAllowed):
            await snapshots.show(waybill, kept.id, reader)
    assert await database.fetchval("SELECT count(*) FROM reading") == 0
    assert (await snapshots.show(waybill, kept.id, cast.dora))[:2] == b"\xff\xd8"
    row = await database.fetchrow("SELECT staff, what FROM reading")
    assert tuple(row) == (cast.dora.staff, "photo")


async def test_a_photo_of_a_scan_is_evidence_of_its_irregularity(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "accepted")
    outcome = await scan(cast.bob, waybill, Step.ARRIVED, seal_broken=True)
    kept = await snapshots.keep(of(waybill, event=outcome.id), picture(), cast.bob)
    stray = await snapshots.keep(of(waybill, event=uuid4()), picture(), cast.bob)
    number = await database.fetchval("SELECT id FROM irregularity")
    assert [p.id for p in await snapshots.of_irregularity(number)] == [kept.id]
    found = {p.id for p in await snapshots.of_item(waybill)}
    assert found == {kept.id, stray.id}


async def test_nobody_changes_a_photo_but_it_can_be_erased(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "accepted")
    kept = await snapshots.keep(of(waybill), picture(), cast.alice)
    for statement in ("UPDATE item_photo SET by = 1", "DELETE FROM item_photo"):
        with pytest.raises(Exception, match=r"append-only|erase"):
            await database.execute(statement)
    await database.execute("UPDATE item_photo SET picture = NULL")
    with pytest.raises(NotFound):
        await snapshots.show(waybill, kept.id, cast.dora)
    (left,) = await snapshots.of_item(waybill)
    assert not left.there


async def test_a_phone_sends_a_photo_and_staff_see_it_on_the_items_page(
    cast: Cast, server: str
) -> None:
    waybill = await travel(cast, "accepted")
    form = {"id": str(uuid4()), "code": waybill, "device": "web-1"}
    form["at"] = datetime.now(UTC).isoformat()
    async with await visitor(cast.alice) as client:
        for _ in range(2):
            files = {"photo": ("e.jpg", picture(), "image/jpeg")}
            answer = await client.post("/api/photos", data=form, files=files)
            assert answer.status_code == 200, answer.text
        files = {"photo": ("e.jpg", b"nothing", "image/jpeg")}
        bad = form | {"id": str(uuid4())}
        answer = await client.post("/api/photos", data=bad, files=files)
        assert (answer.status_code, answer.json()["error"]) == (422, "BadInput")
    link = f"/items/{waybill}/photos/{form['id']}"
    async with await visitor(cast.dora) as client:
        assert link in (await client.get(f"/items/{waybill}")).text
        answer = await client.get(link)
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["cache-control"] == "no-store"
    async with await visitor(cast.eve) as client:
        page = (await client.get(f"/items/{waybill}")).text
        assert link not in page
