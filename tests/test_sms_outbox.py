from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from postal_track.database import transaction
from sms import errors, outbox, outcomes
from sms.figures import costs, snapshot
from sms.outbox import (
    HIDDEN,
    Filter,
    call,
    calls,
    close_call,
    erase,
    messages,
    resend,
    story,
)
from sms.status import Status
from sms.wishes import (
    Standing,
    clear_mark,
    mark_of,
    opt_in,
    opt_out,
    opted_out,
    standings,
)
from tests.sms_cast import AN, BINH, CUC, put_in, row, text


async def test_a_text_put_twice_is_there_once(database: Any) -> None:
    one = text()
    [first] = await put_in(one)
    assert await put_in(one) == []
    assert first not in (new := await put_in(one, text(), one))
    assert len(new) == 1
    assert await database.fetchval("SELECT count(*) FROM sms_message") == 2


async def test_of_two_that_put_the_same_text_at_once_one_succeeds(
    database: Any,
) -> None:
    same = [text() for _ in range(20)]
    several = await asyncio.gather(*(put_in(*same) for _ in range(4)))
    assert sum(map(len, several)) == 20
    assert await database.fetchval("SELECT count(*) FROM sms_message") == 20


async def test_a_text_lives_and_dies_with_the_transaction_that_put_it(
    database: Any,
) -> None:
    class Undone(Exception): ...

    async def put_and_fail() -> None:
        async with transaction() as connection:
            assert len(await outbox.put(connection, [text()])) == 1
            raise Undone

    with pytest.raises(Undone):
        await put_and_fail()
    assert await database.fetchval("SELECT count(*) FROM sms_message") == 0


async def test_a_text_is_kept_as_it_was_given(database: Any) -> None:
    later = datetime.now(UTC) + timedelta(hours=3)
    given = text(
        "đ" * 71,
        fallback=BINH,
        not_before=later,
        expires_at=later + timedelta(hours=1),
        group="dossier:9",
        secret="otp",
        language="en",
    )
    [message] = await put_in(given)
    kept = await row(database, message)
    assert kept["segments"] == 2
    assert kept["due_at"] == kept["not_before"] == later
    assert kept["params"] == given.params
    assert (kept["fallback"], kept["group"]) == (BINH, "dossier:9")
    assert (kept["status"], kept["unsure"], kept["tries"]) == ("queued", False, 0)


async def test_the_database_keeps_the_rules_of_a_row(database: Any) -> None:
    [message] = await put_in(text())
    for wrong in (
        "status = 'lost'",
        "language = 'fr'",
        "recipient = '0912345678'",
        "segments = 0",
        "due_at = NULL",
        "provider_id = 'SM1'",
        "provider_id = 'SM1', gateway = 'twilio'",
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            await database.execute(
                f"UPDATE sms_message SET {wrong} WHERE id = $1",  # noqa: S608
                message,
            )


async def test_two_rows_cannot_be_the_same_message_at_the_provider(
    database: Any,
) -> None:
    await put_in(text(), text())
    with pytest.raises(asyncpg.UniqueViolationError):
        await database.execute(
            """
            UPDATE sms_message
            SET status = 'sent', gateway = 'twilio', provider_id = 'SM1'
            """
        )


async def code_text(database: Any) -> int:
    [message] = await put_in(
        text(
            "Ma nhan: 482915. Hom nay buu ta phat ket qua.",
            template="S07_out",
            params={"otp": "482915", "code": "DH473124829VN"},
            secret="otp",
            group="dossier:1",
        )
    )
    return message


async def test_a_code_is_never_shown_in_clear(database: Any) -> None:
    message = await code_text(database)
    page = await messages(database, Filter())
    shown, _ = await story(database, message)
    assert page.messages == [shown]
    assert "482915" not in repr(page)
    assert shown.body == f"Ma nhan: {HIDDEN}. Hom nay buu ta phat ket qua."
    await outcomes.end(database, message, Status.FAILED, "21211")
    assert "482915" not in repr(await calls(database))


async def test_texts_are_listed_by_what_is_asked_for(database: Any) -> None:
    await code_text(database)
    await put_in(
        text(recipient=BINH, group="dossier:2"),
        text(template="S12_late", group="dossier:2"),
    )
    [ended] = await put_in(text(group="dossier:3"))
    await outcomes.end(database, ended, Status.FAILED, "21211")
    now = datetime.now(UTC)

    async def count(**limits: Any) -> int:
        return len((await messages(database, Filter(**limits))).messages)

    assert await count() == 4
    assert await count(status=Status.FAILED) == 1
    assert await count(status=Status.QUEUED, template="S12_late") == 1
    assert await count(recipient=BINH) == 1
    assert await count(group="dossier:2") == 2
    assert await count(since=now - timedelta(minutes=1), until=now) == 4
    assert await count(since=now + timedelta(minutes=1)) == 0


async def test_a_long_list_is_read_page_by_page(database: Any) -> None:
    ids = await put_in(*[text() for _ in range(25)])
    seen: list[int] = []
    before = None
    while True:
        page = await messages(database, Filter(size=10, before=before))
        seen += [one.id for one in page.messages]
        if page.before is None:
            break
        before = page.before
    assert seen == sorted(ids, reverse=True)


async def test_a_text_is_sent_again_with_a_reason_and_a_name(database: Any) -> None:
    [old] = await put_in(text())
    with pytest.raises(errors.StillUnderWay):
        await resend(database, old, "he never got it", "clerk1")
    await outcomes.end(database, old, Status.FAILED, "30003")
    with pytest.raises(errors.ReasonMissing):
        await resend(database, old, "  ", "clerk1")
    new = await resend(database, old, "he never got it", "clerk1")
    again = await resend(database, old, "nor this one", "clerk1")
    shown, _ = await story(database, new)
    assert (shown.resend_of, shown.resend_by) == (old, "clerk1")
    assert shown.resend_reason == "he never got it"
    assert shown.status is Status.QUEUED
    assert len({old, new, again}) == 3


async def test_what_is_no_longer_true_or_wanted_is_not_sent_again(
    database: Any,
) -> None:
    [old, wanted] = await put_in(
        text(expires_at=datetime.now(UTC) + timedelta(seconds=0)), text(recipient=BINH)
    )
    for message in (old, wanted):
        await outcomes.end(database, message, Status.FAILED, "30003")
    with pytest.raises(errors.NoLongerTrue):
        await resend(database, old, "please", "clerk1")
    await opt_out(database, BINH, "counter", "clerk1")
    with pytest.raises(errors.NumberOptedOut):
        await resend(database, wanted, "please", "clerk1")
    with pytest.raises(errors.UnknownMessage):
        await resend(database, 999_999, "please", "clerk1")


async def test_every_refusal_to_a_clerk_has_a_sentence_in_both_languages() -> None:
    for kind in errors.SmsError.__subclasses__():
        assert re.fullmatch(r"[A-Z].*\.", kind().sentence("en"))
        assert kind().sentence("vi") != kind().sentence("en")


async def test_a_call_is_made_once_and_closed_with_a_name(database: Any) -> None:
    [message] = await put_in(text())
    await outcomes.end(database, message, Status.FAILED, "30003")
    await outcomes.end(database, message, Status.FAILED, "30003")
    [call] = await calls(database)
    await close_call(database, call.id, "clerk1", "told her daughter")
    assert await calls(database) == []
    with pytest.raises(errors.UnknownMessage):
        await close_call(database, call.id, "clerk1")


async def test_calls_are_listed_a_page_at_a_time_and_known_when_made(
    database: Any,
) -> None:
    for message in await put_in(text(), text(), text()):
        await outcomes.end(database, message, Status.FAILED, "30003")
    [first, second] = await calls(database, 2)
    [third] = await calls(database, 2, after=second.id)
    assert await calls(database, 2, after=third.id) == []
    await close_call(database, first.id, "clerk1", "told her")
    closed = await call(database, first.id)
    assert (closed.closed_by, closed.message.recipient) == ("clerk1", AN)
    assert (await call(database, third.id)).closed_at is None
    with pytest.raises(errors.UnknownMessage):
        await call(database, third.id + 1)


async def test_a_wish_is_kept_until_it_changes(database: Any) -> None:
    await opt_out(database, AN, "page")
    await opt_out(database, AN, "sms")
    assert await opted_out(database, AN)
    await opt_in(database, AN)
    assert not await opted_out(database, AN)


async def test_a_mark_is_cleared_by_a_clerk(database: Any) -> None:
    await outcomes.blame(database, AN, "21614")
    assert await mark_of(database, AN) == "21614"
    assert await clear_mark(database, AN, "clerk1", "she has a new phone")
    assert not await clear_mark(database, AN, "clerk1", "once more")
    assert await mark_of(database, AN) == ""
    [kept] = await database.fetch("SELECT * FROM sms_cleared_mark")
    assert (kept["number"], kept["code"]) == (AN, "21614")
    assert (kept["cleared_by"], kept["reason"]) == ("clerk1", "she has a new phone")
    await put_in(text(group="dossier:1"))
    await erase(database, ["dossier:1"])
    [kept] = await database.fetch("SELECT * FROM sms_cleared_mark")
    assert (kept["number"], kept["reason"]) == ("", "")


async def test_it_is_said_of_each_number_what_stands_between_us(database: Any) -> None:
    await opt_out(database, AN, "counter", "bob")
    await outcomes.blame(database, BINH, "21614")
    known = await standings(database, [AN, BINH, CUC])
    assert (known[AN].source, known[AN].by, known[AN].mark) == ("counter", "bob", "")
    assert known[AN].stopped is not None
    assert known[BINH].stopped is None
    assert known[BINH].trouble("en").startswith("This number takes no texts")
    assert known[CUC] == Standing()


async def test_what_goes_out_anyway_is_sent_again_to_who_wants_no_texts(
    database: Any,
) -> None:
    [message] = await put_in(text())
    await outcomes.end(database, message, Status.FAILED, "30003")
    await opt_out(database, AN, "page")
    with pytest.raises(errors.NumberOptedOut):
        await resend(database, message, "she asked", "dora", anyway={"S07_out"})
    await resend(database, message, "she asked", "dora", anyway={"S03_agency"})


async def test_erased_texts_keep_their_count_and_lose_the_person(database: Any) -> None:
    sent = await code_text(database)
    await database.execute(
        """
        UPDATE sms_message SET status = 'sent', gateway = 'twilio', provider_id = 'SM1',
            sent_at = now(), cost = 1800
        """
    )
    [waiting] = await put_in(text(group="dossier:1", fallback=BINH))
    [other] = await put_in(text(group="dossier:2"))
    assert await erase(database, ["dossier:1"]) == 2
    assert await erase(database, ["dossier:1"]) == 0
    for message in (sent, waiting):
        gone = await row(database, message)
        assert (gone["recipient"], gone["body"], gone["params"]) == ("", "", {})
        assert gone["fallback"] is None
        assert gone["due_at"] is None
    assert (await row(database, other))["recipient"] == AN
    now = datetime.now(UTC)
    [cost] = await costs(database, now - timedelta(hours=1), now + timedelta(hours=1))
    assert (cost.texts, cost.cost) == (1, 1800)


async def test_how_sending_stands_is_told_in_figures(database: Any) -> None:
    empty = await snapshot(database)
    assert (empty.unsent, empty.oldest_unsent, empty.workers) == (0, 0.0, 0)
    assert empty.last_seen is None

    waiting, sent, failed, held = await put_in(
        text(),
        text(),
        text(),
        text(not_before=datetime.now(UTC) + timedelta(hours=1)),
    )
    await database.execute(
        "UPDATE sms_message SET created_at = now() - interval '90 s' WHERE id <> $1",
        held,
    )
    await outcomes.end(database, failed, Status.FAILED, "21211")
    await database.execute(
        """
        UPDATE sms_message SET status = 'sent', gateway = 'twilio', provider_id = 'SM1',
            sent_at = now(), cost = 1800, due_at = NULL WHERE id = $1
        """,
        sent,
    )
    now = await snapshot(database)
    assert now.unsent == 2
    assert 89 < now.oldest_unsent < 120
    assert (now.sent, now.failed, now.calls) == (1, 1, 1)
    assert (now.segments, now.cost) == (1, 1800)
    assert 89 < now.latency_median < 120
    assert (await row(database, waiting))["status"] == "queued"
