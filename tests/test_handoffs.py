"""Scans on the real database: written once, in one chain, refused only for cause."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from postal_track import audit, codes
from postal_track.bookings import Announcement, announce_result, print_pool
from postal_track.custody import CITIZEN, Kind, Party, PartyKind, Reason, Stage, Step
from postal_track.errors import (
    BadCode,
    BadScan,
    BadWaybill,
    CodeLocked,
    Conflict,
    ForeignCode,
    ForgedLabel,
    NotAllowed,
    NotFound,
    NotYourPlace,
    UnboundLabel,
    UnknownWaybill,
)
from postal_track.handoffs import Outcome, Position, Proof, Scan, record
from postal_track.labels import own_url
from tests.cast import Cast, code_for, order, travel

SIGNED = Proof("signature", signature="M0 0 L9 9", id_kind="cccd", id_last4="4321")


async def booked(cast: Cast, ago: timedelta = timedelta(minutes=1)) -> str:
    """Book a dossier; its waybill."""
    waybill = (await order(cast, datetime.now(UTC) - ago)).waybill
    assert waybill is not None
    return waybill


def scan(who: Any, step: Step, code: str, **more: Any) -> Scan:
    """Say one thing about one item, now."""
    facts: dict[str, Any] = {"at": datetime.now(UTC), "device": "test"} | more
    return Scan(
        id=facts.pop("id", None) or uuid4(), code=code, step=step, actor=who, **facts
    )


async def one(*told: Any, **more: Any) -> Outcome:
    """Record one scan and give its outcome."""
    (outcome,) = await record([scan(*told, **more)])
    return outcome


def words(outcomes: list[Outcome]) -> list[tuple[Any, ...]]:
    """Say outcomes so that two of them can be held against each other."""
    return [(o.id, o.waybill, o.remarks, str(o.error), o.item) for o in outcomes]


async def test_a_scan_is_a_line_of_the_ledger_and_the_items_new_state(
    cast: Cast, database: Any
) -> None:
    waybill = await booked(cast)
    outcome = await one(cast.alice, Step.ACCEPTED, own_url(waybill), proof=SIGNED)
    assert outcome.error is None
    assert outcome.remarks == ()
    assert outcome.item is not None
    assert outcome.item.custody.holder == cast.alice.party
    assert outcome.item.custody.stage is Stage.COLLECTED
    lines = await database.fetch("SELECT seq, step, taker FROM event ORDER BY seq")
    assert [tuple(line) for line in lines] == [
        (1, "booked", "citizen"),
        (2, "accepted", str(cast.alice.party)),
    ]


async def test_a_scan_told_twice_is_written_once_and_answered_alike(
    cast: Cast, database: Any
) -> None:
    waybill = await booked(cast)
    told = [
        scan(cast.alice, Step.ACCEPTED, waybill, originals=9),
        scan(cast.alice, Step.OUT, waybill),
        scan(cast.charlie, Step.OUT, waybill),
    ]
    first, again = await record(told), await record(told)
    assert words(first) == words(again)
    assert await database.fetchval("SELECT count(*) FROM event") == 3


async def test_the_same_id_twice_in_one_list_is_written_once(
    cast: Cast, database: Any
) -> None:
    waybill = await booked(cast)
    told = scan(cast.alice, Step.ACCEPTED, waybill)
    first, second = await record([told, told])
    assert words([first]) == words([second])
    assert await database.fetchval("SELECT count(*) FROM event") == 2


async def test_an_id_that_belongs_to_another_scan_is_refused(cast: Cast) -> None:
    one_, other = await booked(cast), await booked(cast)
    told = scan(cast.alice, Step.ACCEPTED, one_)
    await record([told])
    outcome = await one(cast.alice, Step.ACCEPTED, other, id=told.id)
    assert isinstance(outcome.error, Conflict)


async def test_one_bad_scan_does_not_hold_up_its_list(cast: Cast) -> None:
    good, also_good = await booked(cast), await booked(cast)
    answers = await record(
        [
            scan(cast.alice, Step.ACCEPTED, good, proof=SIGNED),
            scan(cast.alice, Step.ACCEPTED, "DH999999995VN"),
            scan(cast.alice, Step.ACCEPTED, also_good, proof=SIGNED),
        ]
    )
    assert [type(answer.error) for answer in answers] == [
        type(None),
        UnknownWaybill,
        type(None),
    ]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("DH123456786VN", BadWaybill),
        ("DH123456785VN", UnknownWaybill),
        ("EE123456785US", ForeignCode),
        ("https://example.com/", ForeignCode),
        ("\N{GRINNING FACE}", ForeignCode),
    ],
)
async def test_a_code_that_is_not_ours_is_refused_and_kept(
    cast: Cast, database: Any, code: str, error: type[Exception]
) -> None:
    outcome = await one(cast.alice, Step.TAKEN, code)
    assert isinstance(outcome.error, error)
    kept = await database.fetchrow("SELECT code, staff FROM refused_scan")
    assert kept["staff"] == cast.alice.staff


async def test_a_forged_label_is_refused_and_opens_an_irregularity(
    cast: Cast, database: Any
) -> None:
    waybill = await booked(cast)
    outcome = await one(
        cast.alice, Step.ACCEPTED, f"HTTPS://BD.VN/T/{waybill}/AAAAAAAA"
    )
    assert isinstance(outcome.error, ForgedLabel)
    assert outcome.item is None
    assert await database.fetchval("SELECT kind FROM irregularity") == "forged_label"
    assert await database.fetchval("SELECT count(*) FROM event") == 1


@pytest.mark.parametrize(
    ("who", "step"),
    [
        ("alice", Step.ARRIVED),
        ("alice", Step.RECEIVED),
        ("alice", Step.REGISTERED),
        ("bob", Step.RECEIVED),
        ("charlie", Step.TAKEN),
        ("charlie", Step.DELIVERED),
        ("charlie", Step.ATTEMPTED),
    ],
)
async def test_a_role_without_standing_is_refused(
    cast: Cast, database: Any, who: str, step: Step
) -> None:
    waybill = await booked(cast)
    outcome = await one(getattr(cast, who), step, waybill)
    assert isinstance(outcome.error, NotAllowed)
    assert await database.fetchval("SELECT count(*) FROM event") == 1


async def test_nobody_speaks_for_a_place_that_is_not_his(cast: Cast) -> None:
    waybill = await booked(cast)
    elsewhere = Party(PartyKind.OFFICE, 999)
    outcome = await one(cast.bob, Step.ARRIVED, waybill, place=elsewhere)
    assert isinstance(outcome.error, NotYourPlace)


async def test_only_the_holder_may_release(cast: Cast) -> None:
    waybill = await booked(cast)
    await one(cast.alice, Step.ACCEPTED, waybill, proof=SIGNED)
    outcome = await one(cast.bob, Step.RELEASED, waybill, to=cast.bob.party)
    assert isinstance(outcome.error, NotAllowed)


@pytest.mark.parametrize(
    ("step", "more"),
    [
        (Step.ATTEMPTED, {}),
        (Step.PICKUP_FAILED, {}),
        (Step.ATTEMPTED, {"reason": Reason.OTHER}),
        (Step.RELEASED, {}),
        (Step.DELIVERED, {}),
        (Step.DELIVERED, {"proof": Proof("signature", signature="M0 0")}),
        (Step.BOOKED, {}),
    ],
)
async def test_a_scan_that_lacks_what_its_step_needs_is_refused(
    cast: Cast, step: Step, more: dict[str, Any]
) -> None:
    waybill = await booked(cast)
    outcome = await one(cast.alice, step, waybill, **more)
    assert isinstance(outcome.error, BadScan)


async def test_taking_papers_without_the_citizens_word_is_kept_and_flagged(
    cast: Cast, database: Any
) -> None:
    waybill = await booked(cast)
    outcome = await one(cast.alice, Step.ACCEPTED, waybill)
    assert outcome.remarks == (Kind.FAILED_PROOF,)
    assert await database.fetchval("SELECT kind FROM irregularity") == "failed_proof"


async def test_the_citizens_code_proves_a_pickup(cast: Cast, database: Any) -> None:
    waybill = await booked(cast)
    code = await code_for(waybill, "pickup")
    outcome = await one(
        cast.alice, Step.ACCEPTED, waybill, proof=Proof("code", code=code)
    )
    assert outcome.error is None
    assert outcome.remarks == ()
    kept = await database.fetchval("SELECT proof FROM event WHERE seq = 2")
    assert kept == "code"


async def test_a_code_wrong_five_times_is_locked_and_the_citizen_is_told(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "carried")
    right = await code_for(waybill, "delivery")
    wrong = Proof("code", code="000000" if right != "000000" else "111111")
    errors = [
        (await one(cast.alice, Step.DELIVERED, waybill, proof=wrong)).error
        for _ in range(5)
    ]
    assert [e.left for e in errors if isinstance(e, BadCode)] == [4, 3, 2, 1]
    assert isinstance(errors[-1], CodeLocked)
    late = await one(
        cast.alice, Step.DELIVERED, waybill, proof=Proof("code", code=right)
    )
    assert isinstance(late.error, CodeLocked)
    assert late.item is not None
    assert late.item.custody.holder == cast.alice.party
    kinds = await database.fetch("SELECT kind FROM irregularity")
    assert [row["kind"] for row in kinds] == ["failed_proof"]
    told = await database.fetch("SELECT template FROM sms_message")
    assert "S13_incident" in {row["template"] for row in told}


async def test_a_wrong_code_sent_again_by_the_phone_is_counted_once(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "carried")
    told = scan(cast.alice, Step.DELIVERED, waybill, proof=Proof("code", code="12345"))
    first, again = await record([told]), await record([told])
    assert words(first) == words(again)
    wrong = "SELECT wrong FROM one_time_code WHERE purpose = 'delivery'"
    assert await database.fetchval(wrong) == 1


async def test_a_result_is_delivered_on_the_code_of_the_text(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "carried")
    body = await database.fetchval(
        "SELECT body FROM sms_message WHERE template = 'S07_out'"
    )
    code = await code_for(waybill, "delivery")
    assert code in body
    outcome = await one(
        cast.alice, Step.DELIVERED, waybill, proof=Proof("code", code=code)
    )
    assert outcome.error is None
    assert outcome.item is not None
    assert outcome.item.custody.holder == CITIZEN
    assert outcome.item.custody.stage is Stage.DELIVERED


async def test_the_code_is_nowhere_in_the_ledger_or_with_the_refusals(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "carried")
    await one(cast.alice, Step.DELIVERED, waybill, proof=Proof("code", code="424242"))
    kept = await database.fetchval("SELECT scan::text FROM refused_scan")
    assert "424242" not in kept


@pytest.mark.parametrize("far", [timedelta(days=400), timedelta(days=-20_000)])
async def test_a_scan_from_the_future_or_from_1970_is_kept_with_the_servers_time(
    cast: Cast, database: Any, far: timedelta
) -> None:
    waybill = await booked(cast)
    device_at = datetime.now(UTC) + far
    outcome = await one(cast.alice, Step.ACCEPTED, waybill, at=device_at, proof=SIGNED)
    assert outcome.error is None
    assert outcome.remarks == (Kind.CLOCK_SKEW,)
    row = await database.fetchrow(
        "SELECT at, device_at, recorded_at FROM event WHERE seq = 2"
    )
    assert row["at"] == row["recorded_at"]
    assert row["device_at"] == device_at


async def test_a_phone_whose_clock_is_off_keeps_its_order_by_the_measured_skew(
    cast: Cast, database: Any
) -> None:
    waybill = await booked(cast)
    await database.execute("SELECT pg_sleep(0.02)")
    off = datetime.now(UTC) - timedelta(hours=3)
    outcome = await one(
        cast.alice, Step.ACCEPTED, waybill, at=off, sent_at=off, proof=SIGNED
    )
    assert outcome.remarks == (Kind.CLOCK_SKEW,)
    row = await database.fetchrow("SELECT at, recorded_at FROM event WHERE seq = 2")
    assert abs(row["at"] - row["recorded_at"]) < timedelta(seconds=1)


async def test_a_position_on_the_other_side_of_the_world_is_flagged(
    cast: Cast, database: Any
) -> None:
    waybill = await booked(cast)
    lima = Position(-12.05, -77.04, 10)
    outcome = await one(cast.alice, Step.ACCEPTED, waybill, position=lima, proof=SIGNED)
    assert outcome.error is None
    assert outcome.remarks == (Kind.WRONG_PLACE,)


async def test_a_late_scan_takes_its_place_in_the_past_and_does_not_move_the_present(
    cast: Cast, database: Any
) -> None:
    waybill = await booked(cast, ago=timedelta(hours=5))
    now = datetime.now(UTC)
    await one(cast.bob, Step.ARRIVED, waybill, at=now - timedelta(hours=1))
    outcome = await one(
        cast.alice,
        Step.ACCEPTED,
        waybill,
        at=now - timedelta(hours=2),
        proof=SIGNED,
    )
    assert outcome.error is None
    assert outcome.item is not None
    assert outcome.item.custody.holder == cast.bob.place
    assert outcome.item.custody.stage is Stage.AT_OFFICE
    assert (await audit.verify()).faults == ()


async def test_a_late_scan_that_does_not_fit_the_story_is_flagged(
    cast: Cast, database: Any
) -> None:
    waybill = await booked(cast, ago=timedelta(hours=5))
    now = datetime.now(UTC)
    await one(
        cast.alice,
        Step.ACCEPTED,
        waybill,
        at=now - timedelta(hours=3),
        proof=SIGNED,
    )
    await one(cast.bob, Step.ARRIVED, waybill, at=now - timedelta(hours=1))
    outcome = await one(cast.amy, Step.TAKEN, waybill, at=now - timedelta(hours=2))
    assert Kind.OUT_OF_ORDER in outcome.remarks
    assert outcome.item is not None
    assert outcome.item.custody.holder == cast.bob.place


async def test_a_list_is_read_in_the_order_of_its_clock(cast: Cast) -> None:
    waybill = await booked(cast, ago=timedelta(hours=5))
    now = datetime.now(UTC)
    answers = await record(
        [
            scan(cast.alice, Step.OUT, waybill, at=now - timedelta(hours=1)),
            scan(
                cast.alice,
                Step.ACCEPTED,
                waybill,
                at=now - timedelta(hours=2),
                proof=SIGNED,
            ),
        ]
    )
    assert [answer.remarks for answer in answers] == [(), ()]


async def test_a_label_of_a_pool_is_bound_at_pickup(cast: Cast, database: Any) -> None:
    waybill = await booked(cast)
    _, (label,) = await print_pool(cast.bob, 1)
    loose = await one(cast.alice, Step.ACCEPTED, label, proof=SIGNED)
    assert isinstance(loose.error, UnboundLabel)
    bound = await one(cast.alice, Step.ACCEPTED, label, bind_to=waybill, proof=SIGNED)
    assert bound.error is None
    assert bound.item is not None
    assert bound.item.waybill == waybill
    by_either = await one(cast.bob, Step.ARRIVED, label)
    assert by_either.item is not None
    assert by_either.item.waybill == waybill


async def test_the_agency_gives_its_code_and_the_citizen_is_told(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "received")
    await one(
        cast.charlie,
        Step.REGISTERED,
        waybill,
        dossier_code="H56.14-240823-0001",
        due_on=datetime.now(UTC).date() + timedelta(days=5),
    )
    assert await database.fetchval("SELECT code FROM dossier_code")
    body = await database.fetchval(
        "SELECT body FROM sms_message WHERE template = 'S03_agency'"
    )
    assert "H56.14-240823-0001" in body


# Many at once


async def test_forty_distinct_scans_of_one_item_at_once_are_all_kept_in_one_chain(
    cast: Cast, database: Any
) -> None:
    waybill = await booked(cast)
    answers = await asyncio.gather(
        *(one(cast.alice, Step.TAKEN, waybill) for _ in range(40))
    )
    assert all(answer.error is None for answer in answers)
    assert await database.fetchval("SELECT count(*) FROM event") == 41
    assert (await audit.verify()).faults == ()


async def test_the_same_scan_sent_twenty_times_at_once_is_one_line(
    cast: Cast, database: Any
) -> None:
    waybill = await booked(cast)
    told = scan(cast.alice, Step.ACCEPTED, waybill, proof=SIGNED)
    answers = await asyncio.gather(*(record([told]) for _ in range(20)))
    assert {answer.error for (answer,) in answers} == {None}
    assert await database.fetchval("SELECT count(*) FROM event") == 2


async def test_of_two_acceptances_at_once_both_are_kept_and_one_is_flagged(
    cast: Cast, database: Any
) -> None:
    waybill = await booked(cast)
    answers = await asyncio.gather(
        one(cast.alice, Step.ACCEPTED, waybill, proof=SIGNED),
        one(cast.amy, Step.ACCEPTED, waybill, proof=SIGNED),
    )
    # Whichever is written second: it took from someone, or it came late into a story
    # that it does not fit.
    assert sum(bool(answer.remarks) for answer in answers) == 1
    assert await database.fetchval("SELECT count(*) FROM event") == 3


async def test_lists_that_cross_each_other_do_not_wait_in_a_circle(cast: Cast) -> None:
    waybills = [await booked(cast) for _ in range(6)]
    lists = [
        [scan(cast.alice, Step.TAKEN, w) for w in order]
        for order in (waybills, waybills[::-1]) * 8
    ]
    answers = await asyncio.gather(*(record(each) for each in lists))
    assert all(answer.error is None for each in answers for answer in each)
    assert (await audit.verify()).faults == ()


# What the database itself holds


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE event SET step = 'delivered'",
        "DELETE FROM event",
        "TRUNCATE event CASCADE",
        "TRUNCATE reading",
    ],
)
async def test_the_ledger_refuses_to_be_changed(
    cast: Cast, database: Any, statement: str
) -> None:
    await booked(cast)
    with pytest.raises(Exception, match="append-only"):
        await database.execute(statement)


async def test_a_chain_cannot_fork(cast: Cast, database: Any) -> None:
    await booked(cast)
    with pytest.raises(Exception, match="event_no_fork"):
        await database.execute(
            """
            INSERT INTO event (id, item, seq, step, by, at, device_at, recorded_at,
                device, device_seq, seal_broken, damaged, flags, previous, hash)
            SELECT gen_random_uuid(), item, 2, step, by, at, device_at, recorded_at,
                device, device_seq, false, false, '{}', previous, sha256('x') FROM event
            """
        )


async def test_tampering_behind_the_triggers_back_is_found_and_named(
    cast: Cast, database: Any
) -> None:
    waybill = await booked(cast)
    await one(cast.alice, Step.ACCEPTED, waybill, proof=SIGNED)
    await one(cast.bob, Step.ARRIVED, waybill)
    await database.execute("SET session_replication_role = replica")
    await database.execute("UPDATE event SET taker = 'staff:99' WHERE seq = 2")
    verdict = await audit.verify()
    assert [(f.waybill, f.line) for f in verdict.faults] == [(waybill, 2)]


async def test_an_item_that_strayed_from_its_story_is_found_and_rebuilt(
    cast: Cast, database: Any
) -> None:
    waybill = await booked(cast)
    await one(cast.alice, Step.ACCEPTED, waybill, proof=SIGNED)
    await database.execute("UPDATE item SET holder = 'staff:99', attempts = 7")
    assert len((await audit.verify()).faults) == 1
    assert len((await audit.rebuild()).faults) == 1
    assert (await audit.verify()).faults == ()
    holder = await database.fetchval("SELECT holder FROM item")
    assert holder == str(cast.alice.party)


async def test_erasing_what_is_personal_leaves_every_chain_verifying(
    cast: Cast, database: Any
) -> None:
    waybill = await booked(cast)
    here = Position(10.37, 105.42, 8)
    await one(cast.alice, Step.ACCEPTED, waybill, proof=SIGNED, position=here)
    assert await database.fetchval("SELECT count(*) FROM event_detail") == 1
    await database.execute("DELETE FROM event_detail")
    assert (await audit.verify()).faults == ()


async def test_a_code_is_never_kept_as_such(cast: Cast, database: Any) -> None:
    waybill = await travel(cast, "carried")
    code = await code_for(waybill, "delivery")
    row = await database.fetchrow("SELECT * FROM one_time_code ORDER BY id DESC")
    assert code not in str(dict(row))
    assert codes.digits(row["nonce"]) == code


# Corrections


async def line(database: Any, step: Step) -> Any:
    """Find the newest line of a step."""
    return await database.fetchval(
        "SELECT id FROM event WHERE step = $1 ORDER BY seq DESC LIMIT 1", step.value
    )


async def test_a_wrong_scan_is_declared_wrong_and_read_no_more(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "arrived")
    await one(cast.alice, Step.TAKEN, waybill)
    taken = await line(database, Step.TAKEN)
    outcome = await one(
        cast.alice,
        Step.CORRECTED,
        waybill,
        corrects=taken,
        reason=Reason.DID_NOT_OCCUR,
    )
    assert outcome.error is None
    assert outcome.item is not None
    assert outcome.item.custody.holder == cast.bob.place
    assert outcome.item.custody.stage is Stage.AT_OFFICE
    assert await database.fetchval("SELECT count(*) FROM event") == 5
    assert (await audit.verify()).faults == ()


async def test_a_count_that_was_told_wrongly_is_told_again_in_its_place(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "accepted")
    miscounted = await one(cast.bob, Step.ARRIVED, waybill, originals=9)
    assert miscounted.remarks == (Kind.COUNT_MISMATCH,)
    await one(cast.alice, Step.TAKEN, waybill)
    outcome = await one(
        cast.dora,
        Step.CORRECTED,
        waybill,
        corrects=miscounted.id,
        reason=Reason.INCORRECT_DATA,
        originals=2,
    )
    assert outcome.error is None
    assert outcome.remarks == ()
    assert outcome.item is not None
    assert outcome.item.custody.originals == 2
    assert outcome.item.custody.holder == cast.alice.party
    open_ones = "SELECT count(*) FROM irregularity WHERE ended_at IS NULL"
    assert await database.fetchval(open_ones) == 0
    assert (await audit.verify()).faults == ()


@pytest.mark.parametrize(
    ("who", "ago", "error"),
    [
        ("alice", timedelta(0), None),  # her own, at once
        ("alice", timedelta(hours=1), NotAllowed),  # her own, too late
        ("amy", timedelta(0), NotAllowed),  # another's
        ("dora", timedelta(hours=1), None),  # the supervisor of the place
        ("dean", timedelta(hours=1), None),  # of all places
    ],
)
async def test_who_may_correct_a_scan(
    cast: Cast,
    database: Any,
    who: str,
    ago: timedelta,
    error: type[Exception] | None,
) -> None:
    waybill = await booked(cast, ago + timedelta(minutes=5))
    at = datetime.now(UTC) - ago
    taken = await one(cast.alice, Step.ACCEPTED, waybill, at=at, proof=SIGNED)
    outcome = await one(
        getattr(cast, who),
        Step.CORRECTED,
        waybill,
        corrects=taken.id,
        reason=Reason.DID_NOT_OCCUR,
    )
    assert type(outcome.error) is (error or type(None))


async def test_a_delivery_is_corrected_by_a_supervisor_only(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "delivered")
    delivered = await line(database, Step.DELIVERED)
    said = {"corrects": delivered, "reason": Reason.DID_NOT_OCCUR}
    assert isinstance(
        (await one(cast.alice, Step.CORRECTED, waybill, **said)).error, NotAllowed
    )
    outcome = await one(cast.dora, Step.CORRECTED, waybill, **said)
    assert outcome.item is not None
    assert outcome.item.custody.stage is Stage.OUT_FOR_DELIVERY


async def test_a_line_is_corrected_once_and_the_first_line_never(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "accepted")
    said = {"corrects": await line(database, Step.ACCEPTED)}
    why = {"reason": Reason.DID_NOT_OCCUR}
    assert (await one(cast.dora, Step.CORRECTED, waybill, **said, **why)).error is None
    again = await one(cast.dora, Step.CORRECTED, waybill, **said, **why)
    assert isinstance(again.error, Conflict)
    birth = {"corrects": await line(database, Step.BOOKED)}
    first = await one(cast.dora, Step.CORRECTED, waybill, **birth, **why)
    assert isinstance(first.error, BadScan)


async def test_a_correction_without_a_reason_or_a_line_is_refused(cast: Cast) -> None:
    waybill = await travel(cast, "accepted")
    bare = await one(cast.alice, Step.CORRECTED, waybill, reason=Reason.DID_NOT_OCCUR)
    unreasoned = await one(cast.alice, Step.CORRECTED, waybill, corrects=uuid4())
    unknown = await one(
        cast.alice,
        Step.CORRECTED,
        waybill,
        corrects=uuid4(),
        reason=Reason.DID_NOT_OCCUR,
    )
    errors = [type(each.error) for each in (bare, unreasoned, unknown)]
    assert errors == [BadScan, BadScan, NotFound]


# Refusals


async def test_refused_papers_go_back_in_their_envelope_under_the_same_label(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "out")
    refusal = scan(
        cast.charlie, Step.REFUSED, waybill, reason=Reason.MISSING_PAPERS, note="Thiếu"
    )
    (outcome,) = await record([refusal])
    assert outcome.error is None
    assert outcome.item is not None
    assert outcome.item.custody.stage is Stage.REFUSED
    back = await database.fetchrow("SELECT * FROM item WHERE leg = 'bring_back'")
    assert (back["holder"], back["addressee"]) == (str(cast.alice.party), "citizen")
    by_the_old_label = await one(cast.alice, Step.OUT, own_url(waybill))
    assert by_the_old_label.item is not None
    assert by_the_old_label.item.waybill == back["waybill"]
    (again,) = await record([refusal])
    assert again.error is None
    assert await database.fetchval("SELECT count(*) FROM item") == 2
    body = await database.fetchval(
        "SELECT body FROM sms_message WHERE template = 'S04_refused'"
    )
    assert "thieu giay to" in body
    code = await code_for(back["waybill"], "delivery")
    handed = await one(
        cast.alice, Step.DELIVERED, waybill, proof=Proof("code", code=code)
    )
    assert handed.item is not None
    assert handed.item.custody.holder == CITIZEN
    assert (await audit.verify()).faults == ()


async def test_only_the_addressed_agency_refuses_and_only_with_a_reason(
    cast: Cast,
) -> None:
    waybill = await travel(cast, "out")
    bare = await one(cast.charlie, Step.REFUSED, waybill)
    absent = await one(cast.charlie, Step.REFUSED, waybill, reason=Reason.ABSENT)
    other = await one(cast.carol, Step.REFUSED, waybill, reason=Reason.MISSING_PAPERS)
    errors = [type(each.error) for each in (bare, absent, other)]
    assert errors == [BadScan, BadScan, NotYourPlace]


async def test_a_result_held_at_the_counter_and_not_fetched_returns_to_its_agency(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "carried")
    await one(cast.alice, Step.ATTEMPTED, waybill, reason=Reason.ABSENT)
    held = await one(cast.bob, Step.HELD, waybill)
    assert held.item is not None
    assert (held.item.custody.stage, held.item.custody.holder) == (
        Stage.HELD,
        cast.bob.place,
    )
    await one(cast.alice, Step.TAKEN, waybill, to=cast.charlie.place)
    back = await one(cast.charlie, Step.RETURNED, waybill)
    assert back.remarks == ()
    assert back.item is not None
    assert (back.item.custody.stage, back.item.custody.holder) == (
        Stage.RETURNED,
        cast.charlie.place,
    )
    told = await database.fetch("SELECT template FROM sms_message ORDER BY id")
    names = [row["template"] for row in told]
    assert names[-3:] == ["S09_failed", "S10_hold", "S11_returned"]


# Texts that are no longer true


async def test_a_code_that_waits_is_not_sent_once_the_result_is_delivered(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "carried")
    status = "SELECT status FROM sms_message WHERE template = 'S07_out'"
    assert await database.fetchval(status) == "queued"
    proof = Proof("code", code=await code_for(waybill, "delivery"))
    await one(cast.alice, Step.DELIVERED, waybill, proof=proof)
    assert await database.fetchval(status) == "suppressed"
    kept = await database.fetch("SELECT template FROM sms_message WHERE due_at < now()")
    assert "S08_delivered" in {row["template"] for row in kept}


async def test_of_two_times_out_only_the_newer_code_is_sent(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "carried")
    await one(cast.alice, Step.ATTEMPTED, waybill, reason=Reason.ABSENT)
    await one(cast.alice, Step.OUT, waybill)
    rows = await database.fetch(
        "SELECT status FROM sms_message WHERE template = 'S07_out' ORDER BY id"
    )
    assert [row["status"] for row in rows] == ["suppressed", "queued"]
    body = await database.fetchval(
        "SELECT body FROM sms_message WHERE template = 'S07_out' ORDER BY id DESC"
    )
    assert await code_for(waybill, "delivery") in body


# What comes twice, or comes back


async def test_two_officers_refuse_at_once_and_one_envelope_goes_back(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "out")
    twice = [
        scan(cast.charlie, Step.REFUSED, waybill, reason=Reason.WRONG_PAPERS)
        for _ in range(2)
    ]
    first, second = await record(twice)
    assert (first.error, second.error) == (None, None)
    assert Kind.OUT_OF_ORDER in second.remarks
    legs = await database.fetch("SELECT leg FROM item ORDER BY id")
    assert [row["leg"] for row in legs] == ["dossier", "bring_back"]


async def test_a_result_that_turns_up_after_another_was_made_is_recorded(
    cast: Cast, database: Any
) -> None:
    waybill = await travel(cast, "carried")
    await one(cast.charlie, Step.RETURNED, waybill)
    token = await database.fetchval("SELECT token FROM dossier")
    again = await announce_result(
        Announcement(id=uuid4(), token=token, originals=1, copies=0, fee=0),
        cast.charlie,
    )
    assert again != waybill
    found = await one(cast.alice, Step.TAKEN, waybill)
    assert found.error is None
    assert Kind.OUT_OF_ORDER in found.remarks
    assert found.item is not None
    assert found.item.custody.holder == cast.alice.party


@pytest.mark.parametrize("step", [Step.REFUSED, Step.LOST])
async def test_nobody_is_waited_for_once_a_promised_item_has_ended(
    cast: Cast, step: Step
) -> None:
    waybill = await travel(cast, "out")
    await one(cast.alice, Step.RELEASED, waybill, to=cast.charlie.place)
    who = cast.charlie if step is Step.REFUSED else cast.dora
    ended = await one(who, step, waybill, reason=Reason.WRONG_PAPERS)
    assert ended.error is None
    assert ended.item is not None
    assert ended.item.custody.released_to is None
