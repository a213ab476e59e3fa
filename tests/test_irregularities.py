"""Irregularities: opened, answered by both sides, ended by whom and as they may be."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from PIL import Image

from postal_track import complaints, irregularities, photographs
from postal_track.custody import Kind, Party, PartyKind, Reason, Stage, Step
from postal_track.errors import (
    BadInput,
    Conflict,
    NotAllowed,
    NotFound,
    UnknownWaybill,
)
from postal_track.irregularities import Ending, Side
from postal_track.promises import LOCAL, add_working_days
from postal_track.staff import Actor
from tests.cast import Cast, scan, travel


async def broken(cast: Cast) -> tuple[str, int]:
    """Alice brings an envelope whose seal Bob finds broken; it and its irregularity."""
    waybill = await travel(cast, "accepted", days_ago=1)
    outcome = await scan(cast.bob, waybill, Step.ARRIVED, seal_broken=True)
    assert outcome.remarks == (Kind.SEAL_BROKEN,)
    (case,) = (await irregularities.listed(cast.bob, mine=False)).cases
    return waybill, case.id


async def missing(cast: Cast) -> tuple[str, int]:
    """Alice has an envelope that Bob does not find."""
    waybill = await travel(cast, "accepted", days_ago=1)
    number = await irregularities.report_missing(
        uuid4(), waybill, Reason.NOT_FOUND, "", cast.bob
    )
    return waybill, number


async def over(database: Any, number: int) -> None:
    """Let the time of its owner pass."""
    await database.execute(
        "UPDATE irregularity SET due_at = now() - interval '1 hour' WHERE id = $1",
        number,
    )


def picture(size: tuple[int, int] = (2400, 1200), kind: str = "JPEG") -> bytes:
    """Take a photo that says where it was taken, and is held sideways."""
    image, out = Image.new("RGB", size, "beige"), io.BytesIO()
    exif = Image.Exif()
    exif[0x010F] = "A camera of somebody"
    exif[0x0112] = 6  # turn it to the right
    image.save(out, kind, exif=exif)
    return out.getvalue()


# Opening


async def test_one_opened_by_hand_is_the_last_holders_to_put_right(cast: Cast) -> None:
    waybill = await travel(cast, "accepted")
    number = await irregularities.open_by_hand(
        waybill, Kind.DAMAGED, "một góc bị ướt", cast.bob
    )
    file = await irregularities.look(number, cast.bob)
    assert file.case.owner == file.giver == cast.alice.party
    assert file.receiver == cast.bob.place
    assert file.opened_by == cast.bob.party
    assert file.case.detail == "một góc bị ướt"


async def test_a_holder_who_opens_one_names_whom_he_has_it_from(cast: Cast) -> None:
    waybill = await travel(cast, "out")
    number = await irregularities.open_by_hand(
        waybill, Kind.SEAL_BROKEN, "rách", cast.alice
    )
    file = await irregularities.look(number, cast.alice)
    assert file.giver == cast.bob.place
    assert file.receiver == cast.alice.party


async def test_one_of_a_kind_is_opened_by_hand_until_it_has_ended(cast: Cast) -> None:
    waybill = await travel(cast, "accepted")
    told = (waybill, Kind.DAMAGED, "ướt")
    first = await irregularities.open_by_hand(*told, cast.alice)
    with pytest.raises(Conflict):
        await irregularities.open_by_hand(*told, cast.alice)
    await irregularities.end(first, Ending.UNFOUNDED, "", cast.dora)
    assert await irregularities.open_by_hand(*told, cast.alice) != first


@pytest.mark.parametrize(
    ("kind", "words"),
    [(Kind.CLOCK_SKEW, "x"), (Kind.MISSING, "x"), (Kind.DAMAGED, " ")],
)
async def test_what_is_measured_or_not_said_is_not_opened_by_hand(
    cast: Cast, kind: Kind, words: str
) -> None:
    waybill = await travel(cast, "accepted")
    with pytest.raises(BadInput):
        await irregularities.open_by_hand(waybill, kind, words, cast.alice)


async def test_outside_ones_reach_nothing_is_opened_or_seen(cast: Cast) -> None:
    waybill, number = await broken(cast)
    with pytest.raises(UnknownWaybill):
        await irregularities.open_by_hand(waybill, Kind.DAMAGED, "x", cast.amy)
    for stranger in (cast.amy, cast.ben, cast.carol):
        with pytest.raises(NotFound):
            await irregularities.look(number, stranger)
        assert (await irregularities.listed(stranger, mine=False)).cases == []
    with pytest.raises(NotFound):
        await irregularities.look(10**30, cast.dean)


async def test_auditors_look_and_touch_nothing(cast: Cast) -> None:
    waybill, number = await broken(cast)
    assert (await irregularities.look(number, cast.eve)).sides == ()
    with pytest.raises(NotAllowed):
        await irregularities.open_by_hand(waybill, Kind.DAMAGED, "x", cast.eve)
    with pytest.raises(NotAllowed):
        await irregularities.state(number, "x", cast.eve)
    with pytest.raises(NotAllowed):
        await irregularities.end(number, Ending.FOUND, "", cast.eve)
    with pytest.raises(NotAllowed):
        await irregularities.take_over(number, cast.eve)


# Whose it is


async def test_the_list_is_ones_own_and_ones_places_the_overdue_first(
    cast: Cast, database: Any
) -> None:
    _, first = await broken(cast)
    waybill = await travel(cast, "accepted")
    second = await irregularities.open_by_hand(waybill, Kind.DAMAGED, "x", cast.alice)
    await over(database, second)
    page = await irregularities.listed(cast.alice)
    assert [case.id for case in page.cases] == [second, first]
    assert [case.overdue for case in page.cases] == [True, False]
    assert page.overdue == 1
    late = await irregularities.listed(cast.alice, overdue=True)
    assert [case.id for case in late.cases] == [second]
    assert (await irregularities.listed(cast.bob)).cases == []
    assert len((await irregularities.listed(cast.bob, mine=False)).cases) == 2
    assert len((await irregularities.listed(cast.dora)).cases) == 2  # her carrier's
    assert (await irregularities.listed(cast.dean)).cases == []
    assert len((await irregularities.listed(cast.dean, mine=False)).cases) == 2


async def test_the_list_goes_on_where_a_page_ended(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(irregularities, "LISTED", 1)
    numbers = [(await broken_one(cast)) for _ in range(3)]
    found: list[int] = []
    after: int | None = None
    for _ in numbers:
        page = await irregularities.listed(cast.dean, mine=False, after=after)
        found += [case.id for case in page.cases]
        after = page.after
    assert found == numbers
    assert after is None


async def broken_one(cast: Cast) -> int:
    waybill = await travel(cast, "accepted")
    return await irregularities.open_by_hand(waybill, Kind.DAMAGED, "x", cast.alice)


async def test_responsibility_may_always_be_taken(cast: Cast) -> None:
    _, number = await broken(cast)
    await irregularities.take_over(number, cast.bob)
    file = await irregularities.look(number, cast.bob)
    assert file.case.owner == cast.bob.party
    assert [line.owner for line in file.minutes] == [cast.bob.party]


async def test_it_is_shed_within_ones_house_only(cast: Cast) -> None:
    _, number = await broken(cast)
    own = Party(PartyKind.OFFICE, cast.long_xuyen)
    with pytest.raises(NotAllowed):
        await irregularities.hand_over(number, own, "", cast.bob)
    with pytest.raises(BadInput):
        await irregularities.hand_over(number, cast.charlie.party, "", cast.alice)
    await irregularities.hand_over(number, own, "xin chuyển", cast.alice)
    await irregularities.hand_over(number, cast.alice.party, "", cast.dora)
    file = await irregularities.look(number, cast.dora)
    assert file.case.owner == cast.alice.party
    assert [line.owner for line in file.minutes] == [own, cast.alice.party]


# The minutes of both sides


async def test_each_speaks_for_the_side_he_is_of(cast: Cast) -> None:
    _, number = await broken(cast)
    await irregularities.state(number, "lúc giao còn nguyên", cast.alice)
    await irregularities.state(
        number, "rách mép", cast.bob, originals=2, copies=1, seal_no="NP9"
    )
    await irregularities.state(number, "đã xem camera", cast.dean)
    giver, receiver, other = (await irregularities.look(number, cast.bob)).minutes
    assert (giver.side, giver.party) == (Side.GIVER, cast.alice.party)
    assert (receiver.side, receiver.party) == (Side.RECEIVER, cast.bob.place)
    assert (receiver.originals, receiver.seal_no) == (2, "NP9")
    assert (other.side, other.by) == (Side.OTHER, cast.dean.party)


@pytest.mark.parametrize(
    "wrong",
    [
        {"words": ""},
        {"words": "x" * 1001},
        {"words": "x", "originals": -1},
        {"words": "x", "copies": 10_000},
        {"words": "x", "seal_no": "N" * 21},
    ],
)
async def test_a_statement_has_words_and_sane_counts(
    cast: Cast, wrong: dict[str, Any]
) -> None:
    _, number = await broken(cast)
    with pytest.raises(BadInput):
        await irregularities.state(number, actor=cast.alice, **wrong)


async def test_minutes_are_never_changed_but_their_words_can_be_erased(
    cast: Cast, database: Any
) -> None:
    _, number = await broken(cast)
    await irregularities.state(number, "tên người dân", cast.alice)
    for statement in (
        "UPDATE minute SET words = 'khác'",
        "UPDATE minute SET side = 'receiver'",
        "DELETE FROM minute",
        "DELETE FROM irregularity",
    ):
        with pytest.raises(asyncpg.PostgresError):
            await database.execute(statement)
    await database.execute("UPDATE minute SET words = ''")


# How it ends


async def test_a_broken_seal_ends_with_the_word_of_both_sides(cast: Cast) -> None:
    _, number = await broken(cast)
    await irregularities.state(number, "lúc giao còn nguyên", cast.alice)
    with pytest.raises(BadInput):
        await irregularities.end(number, Ending.CORRECTED, "", cast.alice)
    await irregularities.state(number, "rách mép", cast.bob, seal_no="NP9")
    await irregularities.end(number, Ending.NEW_SEAL, "", cast.alice)
    file = await irregularities.look(number, cast.alice)
    assert file.case.outcome is Ending.NEW_SEAL
    assert file.ended_by == cast.alice.party
    with pytest.raises(Conflict):
        await irregularities.end(number, Ending.FOUND, "", cast.alice)
    with pytest.raises(Conflict):
        await irregularities.state(number, "còn nữa", cast.bob)


async def test_a_supervisor_ends_it_without_them(cast: Cast) -> None:
    _, number = await broken(cast)
    with pytest.raises(NotAllowed):
        await irregularities.end(number, Ending.FOUND, "", cast.bob)
    await irregularities.end(number, Ending.OTHER, "đã xem camera", cast.dora)
    assert (await irregularities.look(number, cast.bob)).ending == "đã xem camera"


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (Ending.OTHER, ""),
        (Ending.NEW_SEAL, ""),  # there is no number of a new one
        (Ending.COMPENSATED, ""),  # there is no claim
        (Ending.REFORWARDED, ""),  # it was not misrouted
        (Ending.LOST, ""),
        (Ending.FOUND, "x" * 241),
    ],
)
async def test_an_end_that_does_not_fit_is_refused(
    cast: Cast, ending: Ending, words: str
) -> None:
    _, number = await broken(cast)
    with pytest.raises(BadInput):
        await irregularities.end(number, ending, words, cast.dora)


async def test_the_database_itself_wants_both_sides_and_one_end(
    cast: Cast, database: Any
) -> None:
    await broken(cast)
    ended = "UPDATE irregularity SET ended_at = now(), ended_by = $1, outcome = 'found'"
    with pytest.raises(asyncpg.CheckViolationError):
        await database.execute(ended, cast.alice.staff)
    await database.execute(ended, cast.dora.staff)
    with pytest.raises(asyncpg.CheckViolationError):
        await database.execute(ended, cast.dora.staff)


async def test_a_wrong_count_that_is_corrected_takes_its_irregularity_along(
    cast: Cast,
) -> None:
    waybill = await travel(cast, "accepted")
    outcome = await scan(cast.bob, waybill, Step.ARRIVED, originals=9)
    (case,) = (await irregularities.listed(cast.alice)).cases
    await scan(
        cast.bob,
        waybill,
        Step.CORRECTED,
        corrects=outcome.id,
        reason=Reason.INCORRECT_DATA,
        originals=2,
    )
    file = await irregularities.look(case.id, cast.alice)
    assert file.case.outcome is Ending.CORRECTED


# Missing


async def test_the_last_holder_answers_for_what_is_missing_until_the_search_ends(
    cast: Cast, database: Any
) -> None:
    _, number = await missing(cast)
    file = await irregularities.look(number, cast.dora)
    assert file.case.owner == cast.alice.party
    assert file.custody.stage is Stage.MISSING
    today = datetime.now(LOCAL).date()
    assert file.case.due_at.astimezone(LOCAL).date() == add_working_days(today, 7)
    text = await database.fetchval(
        "SELECT body FROM sms_message WHERE template = 'S13_incident'"
    )
    assert f"BT{number}" in text


async def test_reported_twice_is_searched_for_once(cast: Cast, database: Any) -> None:
    waybill = await travel(cast, "accepted")
    told = (uuid4(), waybill, Reason.NOT_FOUND, "", cast.bob)
    assert await irregularities.report_missing(
        *told
    ) == await irregularities.report_missing(*told)
    assert await database.fetchval("SELECT count(*) FROM irregularity") == 1


async def test_a_search_ends_by_itself_wherever_the_item_turns_up(cast: Cast) -> None:
    waybill, number = await missing(cast)
    with pytest.raises(BadInput):  # words do not find it
        await irregularities.end(number, Ending.FOUND, "", cast.dora)
    await scan(cast.ben, waybill, Step.ARRIVED)
    file = await irregularities.look(number, cast.alice)
    assert file.case.outcome is Ending.FOUND
    assert file.ended_by == cast.ben.party


async def test_an_older_scan_that_comes_late_finds_nothing(cast: Cast) -> None:
    waybill, number = await missing(cast)
    before = datetime.now(UTC) - timedelta(hours=2)
    await scan(cast.alice, waybill, Step.RELEASED, before, to=cast.amy.party)
    assert (await irregularities.look(number, cast.dora)).case.ended_at is None


async def test_nothing_is_lost_before_the_search_has_ended(
    cast: Cast, database: Any
) -> None:
    waybill, number = await missing(cast)
    with pytest.raises(Conflict):
        await irregularities.declare_lost(uuid4(), number, "", cast.dora)
    await over(database, number)
    with pytest.raises(NotAllowed):
        await irregularities.declare_lost(uuid4(), number, "", cast.alice)
    await scan(cast.bob, waybill, Step.ARRIVED)
    with pytest.raises(Conflict):
        await irregularities.declare_lost(uuid4(), number, "", cast.dora)


async def test_a_loss_opens_the_claim_that_the_citizen_is_told_of(
    cast: Cast, database: Any
) -> None:
    _, number = await missing(cast)
    await over(database, number)
    claim = await irregularities.declare_lost(uuid4(), number, "đã tìm", cast.dora)
    file = await irregularities.look(number, cast.dora)
    assert file.case.outcome is Ending.LOST
    assert file.custody.stage is Stage.LOST
    assert file.custody.holder == cast.alice.party  # who answers for the loss
    assert file.claims == (claim,)
    found, _ = await complaints.look(claim, cast.dora)
    assert (found.kind, found.irregularity) == (complaints.Claimed.LOSS, number)
    texts = await database.fetch(
        "SELECT body FROM sms_message WHERE template = 'S13_incident' ORDER BY id"
    )
    assert claim in texts[-1]["body"]


async def test_a_misrouted_item_is_the_finders_to_send_on(cast: Cast) -> None:
    waybill = await travel(cast, "out")
    await scan(cast.carol, waybill, Step.RECEIVED)
    page = await irregularities.listed(cast.carol)
    (case,) = [case for case in page.cases if case.kind is Kind.MISROUTED]
    assert case.owner == cast.carol.place
    await scan(cast.carol, waybill, Step.RELEASED, to=cast.amy.party)
    await scan(cast.amy, waybill, Step.TAKEN)
    await irregularities.end(case.id, Ending.REFORWARDED, "", cast.carol)
    file = await irregularities.look(case.id, cast.carol)
    assert file.case.outcome is Ending.REFORWARDED


# Photos of the envelope


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
async def test_a_photo_is_kept_small_upright_and_says_nothing_more(
    cast: Cast, database: Any, kind: str
) -> None:
    _, number = await broken(cast)
    sent = picture(kind=kind)
    await photographs.add(number, sent, cast.bob)
    await photographs.add(number, sent, cast.bob)
    (photo,) = (await irregularities.look(number, cast.alice)).photos
    kept = await photographs.show(number, photo.id, cast.alice)
    assert b"somebody" not in kept
    with Image.open(io.BytesIO(kept)) as image:
        assert image.format == "JPEG"
        assert image.size == (800, 1600)
        assert not image.getexif()
    read = await database.fetch("SELECT staff, what FROM reading")
    assert [tuple(row) for row in read] == [(cast.alice.staff, "photo")]


@pytest.mark.parametrize(
    "data", [b"", b"%PDF-1.7", picture()[:300], b"x" * (8 * 1024 * 1024)]
)
async def test_what_is_no_picture_is_refused(cast: Cast, data: bytes) -> None:
    _, number = await broken(cast)
    with pytest.raises(BadInput):
        await photographs.add(number, data, cast.bob)


async def test_photos_are_for_those_whose_work_it_is(cast: Cast) -> None:
    _, number = await broken(cast)
    await photographs.add(number, picture((40, 40)), cast.bob)
    (photo,) = (await irregularities.look(number, cast.bob)).photos

    async def seen_by(actor: Actor) -> bytes:
        return await photographs.show(number, photo.id, actor)

    with pytest.raises(NotAllowed):
        await seen_by(cast.eve)
    with pytest.raises(NotFound):
        await seen_by(cast.ben)


async def test_a_picture_can_be_erased_and_its_digest_stays(
    cast: Cast, database: Any
) -> None:
    _, number = await broken(cast)
    digest = await photographs.add(number, picture((40, 40)), cast.bob)
    with pytest.raises(asyncpg.PostgresError):
        await database.execute("UPDATE envelope_photo SET picture = 'x'")
    await database.execute("UPDATE envelope_photo SET picture = NULL")
    (photo,) = (await irregularities.look(number, cast.bob)).photos
    assert (photo.there, photo.digest) == (False, digest)
    with pytest.raises(NotFound):
        await photographs.show(number, photo.id, cast.bob)
