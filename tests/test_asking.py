"""What a citizen asks for: nothing happens before his code, and then just that."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from postal_track import asking, following, instructions, limits, slots
from postal_track.asking import ask, confirm, look, send_again, sweep
from postal_track.asks import Act, State, Way, Word, open_to, words_open_to
from postal_track.bookings import Order, PaperGiven, PersonGiven
from postal_track.custody import Kind, Stage, Step
from postal_track.errors import (
    BadCode,
    BadInput,
    CodeSpent,
    Conflict,
    NotAllowed,
    NotFound,
    RequestOver,
    TooOften,
)
from postal_track.limits import Limit
from postal_track.wanted import read
from tests.cast import ADDRESS, Cast, code_for, order, scan, texted, travel

HOME = "192.0.2.1"
NEW_HOME = "5 Nguyễn Du, Phường Châu Đốc, An Giang"


async def token_of(database: Any) -> str:
    token: str = await database.fetchval("SELECT token FROM dossier")
    return token


async def asked(token: str, act: Act, part: str = "owner", **typed: str) -> UUID:
    payload = await read(await following.follow(token), act, typed)
    return await ask(token, act, payload, part, HOME)


async def done(token: str, act: Act, **typed: str) -> State:
    number = await asked(token, act, **typed)
    return (await confirm(number, token, await texted(number), HOME)).state


async def wanted(database: Any, way: Way) -> instructions.Instruction:
    dossier = await database.fetchval("SELECT id FROM dossier")
    known = await instructions.of_dossiers(database, [dossier])
    return known.get((dossier, way), instructions.NOTHING)


@pytest.mark.parametrize(
    ("until", "acts", "words"),
    [
        ("booked", {"reschedule", "cancel"}, set()),
        ("accepted", {"redirect", "hold", "deputy"}, {"claim"}),
        ("received", {"redirect", "hold", "deputy"}, {"claim"}),
        ("ready", {"reschedule", "redirect", "hold", "deputy"}, {"claim"}),
        ("carried", {"reschedule", "redirect", "hold", "deputy"}, {"claim"}),
        ("delivered", set(), {"rate", "dispute", "claim"}),
    ],
)
async def test_each_stage_offers_what_makes_sense_there(
    cast: Cast, database: Any, until: str, acts: set[str], words: set[str]
) -> None:
    await travel(cast, until)
    followed = await following.follow(await token_of(database))
    assert set(open_to(followed)) == acts | {"data", "erasure"}
    assert set(words_open_to(followed)) == words
    assert set(Word) >= words


async def test_nobody_receives_in_place_of_who_must_come_himself(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "ready", procedure="2.000")
    token = await token_of(database)
    assert Act.DEPUTY not in open_to(await following.follow(token))
    with pytest.raises(Conflict):
        await asked(token, Act.DEPUTY, name="Lê Văn Con", phone="0987654321")


async def test_nothing_happens_before_the_code(cast: Cast, database: Any) -> None:
    waybill = await travel(cast, "booked")
    token = await token_of(database)
    number = await asked(token, Act.CANCEL)
    stage = "SELECT stage FROM item WHERE waybill = $1"
    assert await database.fetchval(stage, waybill) == "booked"
    with pytest.raises(BadCode) as wrong:
        await confirm(number, token, "000000", HOME)
    assert wrong.value.left == 4
    assert await database.fetchval(stage, waybill) == "booked"
    seen = await confirm(number, token, await texted(number), HOME)
    assert seen.state is State.APPLIED
    assert await database.fetchval(stage, waybill) == "cancelled"
    line = await database.fetchrow("SELECT * FROM event ORDER BY seq DESC LIMIT 1")
    assert (line["step"], line["by"], line["proof"]) == ("cancelled", "citizen", "code")
    assert line["id"] == number
    assert not line["flags"]
    # The text that said a carrier would come was taken back; who has the phone is told.
    told = await database.fetch("SELECT template, status FROM sms_message")
    assert {(m["template"], m["status"]) for m in told} == {
        ("S01_booked", "suppressed"),
        ("S15_code", "queued"),
        ("S16_noted", "queued"),
    }


async def test_confirming_twice_at_once_does_it_once(cast: Cast, database: Any) -> None:
    await travel(cast, "ready")
    token = await token_of(database)
    number = await asked(token, Act.HOLD, office="CD")
    code = await texted(number)
    seen = await asyncio.gather(*(confirm(number, token, code, HOME) for _ in range(4)))
    assert {each.state for each in seen} == {State.APPLIED}
    lines = await database.fetchval(
        "SELECT count(*) FROM event WHERE step = 'redirected'"
    )
    assert lines == 1


async def test_a_booking_confirmed_twice_at_once_is_one_dossier(
    cast: Cast, database: Any
) -> None:
    wanted_ = Order(
        id=uuid4(),
        procedure="1.000",
        agency="AGENCY",
        service="both",
        owner=PersonGiven("Nguyễn Thị Hoa", "0912 345 678", ADDRESS, "30307"),
        papers=(PaperGiven("Đơn", 1, 0),),
        source="citizen",
    )
    number = await asking.ask_to_book(wanted_, HOME)
    assert isinstance(number, UUID)
    assert await asking.ask_to_book(wanted_, HOME) == number
    assert await database.fetchval("SELECT count(*) FROM dossier") == 0
    code = await texted(number)
    seen = await asyncio.gather(*(confirm(number, None, code, HOME) for _ in range(3)))
    assert {each.state for each in seen} == {State.APPLIED}
    token = await token_of(database)
    assert {each.token for each in seen} == {token}
    assert await asking.ask_to_book(wanted_, HOME) == token
    # All of it stands in the dossier's own rows now.
    kept = await database.fetchval("SELECT payload FROM citizen_request")
    assert kept == {}


async def test_five_wrong_codes_end_it_and_a_new_one_is_another(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "booked")
    token = await token_of(database)
    number = await asked(token, Act.CANCEL)
    first = await texted(number)
    wrong = "111111" if first != "111111" else "222222"
    for _ in range(4):
        with pytest.raises(BadCode):
            await confirm(number, token, wrong, HOME)
    for code in (wrong, first):
        with pytest.raises(CodeSpent):
            await confirm(number, token, code, HOME)
    await send_again(number, token, HOME)
    second = await texted(number)
    if second != first:
        with pytest.raises(BadCode):
            await confirm(number, token, first, HOME)
    await send_again(number, token, HOME)
    with pytest.raises(TooOften):
        await send_again(number, token, HOME)
    spaced = " ".join(await texted(number))
    assert (await confirm(number, token, spaced, HOME)).state is State.APPLIED


async def test_a_code_is_good_for_its_own_request_only(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "ready")
    token = await token_of(database)
    one = await asked(token, Act.HOLD, office="CD")
    two = await asked(token, Act.DEPUTY, name="Lê Văn Con", phone="0987654321")
    codes = await texted(one), await texted(two)
    if codes[0] != codes[1]:
        with pytest.raises(BadCode):
            await confirm(two, token, codes[0], HOME)
    # What was asked cannot be changed behind the code's back.
    with pytest.raises(asyncpg.CheckViolationError):
        await database.execute(
            """UPDATE citizen_request SET payload = '{"office": 1}' WHERE id = $1""",
            one,
        )
    with pytest.raises(asyncpg.CheckViolationError):
        await database.execute(
            "UPDATE citizen_request SET state = 'applied', ended_at = now()"
            " WHERE id = $1",
            one,
        )


async def test_another_dossiers_page_knows_nothing_of_a_request(
    cast: Cast, database: Any
) -> None:
    mine, other = await order(cast), await order(cast)
    number = await asked(mine.token, Act.CANCEL)
    code = await texted(number)
    for token in (other.token, "A" * 22, None):
        with pytest.raises(NotFound):
            await confirm(number, token, code, HOME)
        with pytest.raises(NotFound):
            await look(number, token)
        with pytest.raises(NotFound):
            await send_again(number, token, HOME)
    with pytest.raises(NotFound):
        await look(uuid4(), mine.token)


async def test_what_is_asked_anew_takes_the_place_of_what_waited(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "ready")
    token = await token_of(database)
    one = await asked(token, Act.HOLD, office="CD")
    code = await texted(one)
    two = await asked(token, Act.HOLD, office="LX")
    with pytest.raises(RequestOver):
        await confirm(one, token, code, HOME)
    assert (await look(one, token)).state is State.EXPIRED
    assert (await look(two, token)).state is State.ASKED
    assert await database.fetchval(
        "SELECT payload = '{}' AND phone = '' FROM citizen_request WHERE id = $1", one
    )


async def test_what_nobody_confirms_runs_out_and_is_forgotten(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "ready")
    token = await token_of(database)
    number = await asked(token, Act.REDIRECT, address=NEW_HOME)
    code = await texted(number)
    later = datetime.now(UTC) + asking.STANDS_FOR + timedelta(minutes=1)
    assert await sweep(later) == 1
    assert await sweep(later) == 0
    with pytest.raises(RequestOver):
        await confirm(number, token, code, HOME)
    row = await database.fetchrow("SELECT * FROM citizen_request")
    assert (row["state"], row["payload"], row["phone"]) == ("expired", {}, "")


async def test_a_code_lasts_some_minutes(cast: Cast, database: Any) -> None:
    await travel(cast, "booked")
    token = await token_of(database)
    number = await asked(token, Act.CANCEL)
    await database.execute("UPDATE citizen_request SET code_until = now()")
    with pytest.raises(CodeSpent):
        await confirm(number, token, await texted(number), HOME)
    assert (await look(number, token)).left == 0


async def test_what_was_confirmed_when_we_fell_is_done_by_the_sweep(
    cast: Cast, database: Any
) -> None:
    await travel(cast, "ready")
    token = await token_of(database)
    number = await asked(token, Act.HOLD, office="CD")
    await database.execute(
        "UPDATE citizen_request SET state = 'confirmed',"
        " confirmed_at = now() - interval '2 minutes'"
    )
    await sweep()
    assert (await look(number, token)).state is State.APPLIED


async def test_what_the_way_has_overtaken_is_refused(cast: Cast, database: Any) -> None:
    waybill = await travel(cast, "booked")
    token = await token_of(database)
    number = await asked(token, Act.CANCEL)
    await scan(cast.alice, waybill, Step.ACCEPTED)
    seen = await confirm(number, token, await texted(number), HOME)
    assert seen.state is State.REFUSED
    assert await database.fetchval("SELECT stage FROM item") == "collected"
    with pytest.raises(Conflict):
        await asked(token, Act.CANCEL)


async def test_strangers_make_no_phone_ring_for_long(
    cast: Cast, database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    booked = [await order(cast) for _ in range(asking.TO_A_NUMBER.most + 1)]
    for each in booked[:-1]:
        await asked(each.token, Act.CANCEL)
    with pytest.raises(TooOften):
        await asked(booked[-1].token, Act.CANCEL)
    assert (
        await database.fetchval(
            "SELECT count(*) FROM sms_message WHERE template = 'S15_code'"
        )
        == len(booked) - 1
    )
    monkeypatch.setattr(
        asking, "OF_A_DOSSIER", Limit("codes of a dossier", 1, timedelta(days=1))
    )
    son = PersonGiven("Nguyễn Văn Con", "0987 654 321", ADDRESS, "30307")
    one = await order(cast, owner=son)
    await asked(one.token, Act.CANCEL)
    with pytest.raises(TooOften):
        await asked(one.token, Act.CANCEL)
    tight = Limit("codes from an address", 0, timedelta(hours=1))
    monkeypatch.setattr(asking, "FROM_AN_ADDRESS", tight)
    with pytest.raises(TooOften):
        await asked((await order(cast, owner=son)).token, Act.CANCEL)
    monkeypatch.setattr(asking, "TRIES_FROM_AN_ADDRESS", Limit("t", 0, tight.window))
    with pytest.raises(TooOften):
        await confirm(uuid4(), one.token, "123456", HOME)
    assert limits.neighbourhood("+84912345678") == "+84912345678"


async def test_a_landline_gets_no_code(cast: Cast, database: Any) -> None:
    at_home = PersonGiven("Trần Văn Bảy", "0296 3852 345", ADDRESS, "30307")
    booked = await order(cast, owner=at_home)
    with pytest.raises(BadInput) as fault:
        await asked(booked.token, Act.CANCEL)
    assert fault.value.problems[0].field == "part"
    with pytest.raises(NotFound):
        await asked(booked.token, Act.CANCEL, part="recipient")


# What each of them does


async def test_held_at_a_counter_the_ledger_says_so_and_the_card_shows_it(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "brought")
    token = await token_of(database)
    assert await done(token, Act.HOLD, office="LX") is State.APPLIED
    line = await database.fetchrow("SELECT * FROM event WHERE step = 'redirected'")
    assert (line["by"], line["proof"]) == ("citizen", "code")
    assert line["towards"] == f"office:{cast.long_xuyen}"
    assert not line["flags"]
    assert (await wanted(database, Way.DELIVERY)).hold_at is not None
    outcome = await scan(cast.bob, waybill, Step.HELD)
    assert outcome.error is None
    assert not outcome.remarks
    assert outcome.item is not None
    assert outcome.item.custody.stage is Stage.HELD


async def test_redirected_to_another_ward_its_office_delivers(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "brought")
    token = await token_of(database)
    assert await done(token, Act.REDIRECT, address=NEW_HOME) is State.APPLIED
    office = await database.fetchval("SELECT office FROM dossier")
    assert office == cast.chau_doc
    now = await wanted(database, Way.DELIVERY)
    assert now.address == NEW_HOME
    # The ledger has the office and nothing of the address.
    line = await database.fetchrow("SELECT * FROM event WHERE step = 'redirected'")
    assert line["towards"] == f"office:{cast.chau_doc}"
    assert line["private"] is None
    # Who delivers now takes it out as ever; nothing of it is a surprise.
    to = await scan(cast.bob, waybill, Step.RELEASED, to=cast.amy.party)
    out = await scan(cast.amy, waybill, Step.OUT)
    assert not to.remarks
    assert not out.remarks
    # A counter in place of the address, and one place only.
    assert await done(token, Act.HOLD, office="CD") is State.APPLIED
    assert (await wanted(database, Way.DELIVERY)).address == ""


async def test_a_code_is_sent_for_a_delivery_that_was_told_late(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "brought")
    token = await token_of(database)
    set_out = datetime.now(UTC)
    assert await done(token, Act.REDIRECT, address=NEW_HOME) is State.APPLIED
    # Alice's phone was offline when he asked: she had set out before.
    outcome = await scan(cast.alice, waybill, Step.OUT, set_out)
    assert Kind.OUT_OF_ORDER not in outcome.remarks
    assert outcome.item is not None
    assert outcome.item.custody.stage is Stage.OUT_FOR_DELIVERY
    texts = await database.fetch("SELECT template FROM sms_message")
    assert "S07_out" in {text["template"] for text in texts}
    assert await code_for(waybill, "delivery")


async def test_another_day_and_another_person(cast: Cast, database: Any) -> None:
    await travel(cast, "ready")
    token = await token_of(database)
    day = slots.offered(datetime.now(UTC))[2]
    typed = {"day": day.isoformat(), "half": "morning"}
    assert await done(token, Act.RESCHEDULE, **typed) is State.APPLIED
    person = {"name": " Lê  Văn Con", "phone": "0987.654.321"}
    assert await done(token, Act.DEPUTY, **person) is State.APPLIED
    now = await wanted(database, Way.DELIVERY)
    assert now.slot == slots.Slot(day, slots.Half.MORNING)
    assert (now.deputy_name, now.deputy_phone) == ("Lê Văn Con", "+84987654321")
    assert await done(token, Act.DEPUTY, nobody="1") is State.APPLIED
    assert (await wanted(database, Way.DELIVERY)).deputy_name == ""
    # None of it is in the ledger.
    assert not await database.fetchval(
        "SELECT count(*) FROM event WHERE step = 'redirected'"
    )
    # A day that has passed is no wish any more.
    dossier = await database.fetchval("SELECT id FROM dossier")
    after = await instructions.of_dossiers(database, [dossier], day + timedelta(days=1))
    assert after == {}


@pytest.mark.parametrize(
    ("act", "typed", "fields"),
    [
        (Act.RESCHEDULE, {"day": ""}, {"day"}),
        (Act.RESCHEDULE, {"day": "2020-01-01"}, {"day"}),
        (Act.RESCHEDULE, {"day": "morgen"}, {"day"}),
        (Act.REDIRECT, {"address": " "}, {"address"}),
        (Act.REDIRECT, {"address": "Hà Nội"}, {"ward"}),
        (Act.HOLD, {"office": "HUB"}, {"office"}),
        (Act.HOLD, {}, {"office"}),
        (Act.DEPUTY, {"name": "", "phone": "x"}, {"name", "phone"}),
    ],
)
async def test_what_cannot_be_used_is_named_by_its_field(
    cast: Cast, database: Any, act: Act, typed: dict[str, str], fields: set[str]
) -> None:
    await travel(cast, "ready")
    followed = await following.follow(await token_of(database))
    with pytest.raises(BadInput) as fault:
        await read(followed, act, typed)
    assert {problem.field for problem in fault.value.problems} == fields


def test_only_working_days_that_can_still_be_told_are_offered() -> None:
    friday = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)  # 15:00 in An Giang
    assert slots.offered(friday)[0].isoformat() == "2026-11-30"
    evening = friday + timedelta(hours=2)
    assert slots.offered(evening)[0].isoformat() == "2026-12-01"
    assert len(set(slots.offered(friday))) == slots.OFFERED


def test_a_counter_comes_first_where_the_citizen_comes_himself() -> None:
    from postal_track.custody import CITIZEN, Custody, Party, PartyKind

    here = Party(PartyKind.OFFICE, 1)
    now = Custody(stage=Stage.AT_OFFICE, holder=here, addressee=CITIZEN)
    usual = [Step.TAKEN, Step.OUT, Step.DELIVERED, Step.HELD, Step.RELEASED]
    at_counter = instructions.Instruction(hold_at=here)
    seen = instructions.in_view_of(at_counter, now, usual)
    assert seen[0] is Step.HELD
    assert set(seen) == set(usual)
    assert seen[-2:] == [Step.OUT, Step.DELIVERED]
    assert instructions.in_view_of(None, now, usual) == usual


# At the counter


async def test_a_clerk_takes_it_down_and_answers_for_it(
    cast: Cast, database: Any
) -> None:
    at_home = PersonGiven("Trần Văn Bảy", "0296 3852 345", ADDRESS, "30307")
    booked = await order(cast, owner=at_home)
    assert booked.waybill is not None
    with pytest.raises(BadInput):
        await asking.ask_at_counter(
            booked.waybill, Act.RESCHEDULE, {"day": ""}, cast.bob
        )
    for other, error in ((cast.alice, NotAllowed), (cast.ben, NotFound)):
        with pytest.raises(error):
            await asking.ask_at_counter(booked.waybill, Act.CANCEL, {}, other)
    with pytest.raises(Conflict):
        await asking.ask_at_counter(booked.waybill, Act.DATA, {}, cast.bob)
    await asking.ask_at_counter(booked.waybill, Act.CANCEL, {}, cast.bob)
    line = await database.fetchrow("SELECT * FROM event ORDER BY seq DESC LIMIT 1")
    assert (line["step"], line["by"]) == ("cancelled", str(cast.bob.party))
    assert line["place"] == f"office:{cast.long_xuyen}"
    assert line["proof"] is None
    assert not line["flags"]
    row = await database.fetchrow("SELECT * FROM citizen_request")
    assert (row["state"], row["decided_by"]) == ("applied", cast.bob.staff)
    with pytest.raises(Conflict):
        await asking.ask_at_counter(booked.waybill, Act.CANCEL, {}, cast.bob)


async def test_a_wish_of_the_counter_steers_and_is_told(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "brought")
    await asking.ask_at_counter(waybill, Act.HOLD, {"office": "CD"}, cast.bob)
    line = await database.fetchrow("SELECT * FROM event WHERE step = 'redirected'")
    assert (line["by"], line["flags"]) == (str(cast.bob.party), [])
    assert await database.fetchval("SELECT office FROM dossier") == cast.chau_doc
    told = await database.fetch("SELECT template FROM sms_message")
    assert "S16_noted" in {row["template"] for row in told}
