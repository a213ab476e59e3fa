"""What a bank tells: signed calls, and statements that a cashier reads in."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest

from postal_track import feeds, paying, payments, references, statements
from postal_track import settings as settings_module
from postal_track.errors import BadInput, NotAllowed, NotFound
from postal_track.feeds import Feed, sign, verify
from postal_track.settings import settings
from postal_track.vietqr import read
from tests.cast import Cast
from tests.test_money import WHOLE, account, costly, waiting

SECRET = "the-bank-s-own-key-that-opens-nothing-else"
PORTAL_SECRET = "the-portal-s-own-key-that-opens-nothing"
NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


def transaction(text: str, amount: int = WHOLE, **more: Any) -> dict[str, Any]:
    given = {"id": "FT1", "amount": amount, "at": "2026-11-23T09:00:00+07:00"}
    return given | {"text": text, "account": "0011012345678"} | more


async def tell(
    client: httpx.AsyncClient,
    *told: dict[str, Any],
    feed: str = "bank",
    secret: str = SECRET,
    at: int | None = None,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    body = msgspec.json.encode({"transactions": told})
    moment = int(time.time()) if at is None else at
    given = {"x-timestamp": str(moment), "x-signature": sign(secret, moment, body)}
    return await client.post(
        f"/api/payments/{feed}",
        content=body,
        headers={"content-type": "application/json"} | given | (headers or {}),
    )


@pytest.fixture
async def client(server: str) -> Any:
    async with httpx.AsyncClient(base_url=server) as opened:
        yield opened


# The signed feed


async def test_a_signed_word_of_the_bank_pays(
    cast: Cast, client: httpx.AsyncClient, database: Any
) -> None:
    waybill = await costly(cast)
    named = (await account(cast, waybill)).reference
    for result in ("booked", "repeated"):
        answer = await tell(client, transaction(f"MB.{named.lower()} ck"))
        (told,) = answer.json()["outcomes"]
        assert told["result"] == result
    assert (await account(cast, waybill)).open == 0
    assert len(await waiting(database, "S14_paid")) == 1


async def test_the_portal_has_its_own_secret_and_book(
    cast: Cast, client: httpx.AsyncClient
) -> None:
    waybill = await costly(cast, fee_due="online")
    named = (await account(cast, waybill)).reference
    one = transaction(named, 50_000)
    assert (await tell(client, one, feed="portal")).status_code == 403
    answer = await tell(client, one, feed="portal", secret=PORTAL_SECRET)
    assert answer.json()["outcomes"][0] == {
        "id": "FT1",
        "result": "booked",
        "matched": True,
    }
    assert (await account(cast, waybill)).open == 31_500


async def test_nobody_else_is_believed(
    cast: Cast, client: httpx.AsyncClient, database: Any
) -> None:
    named = (await account(cast, await costly(cast))).reference
    one, now = transaction(named), int(time.time())
    for answer in (
        await tell(client, one, secret="x" * 40),
        await tell(client, one, at=now - 301),
        await tell(client, one, at=now + 301),
        await tell(client, one, headers={"x-signature": "đ".encode().hex()}),
        await tell(
            client, one, headers={"x-timestamp": str(now + 1)}
        ),  # not what was signed
        await tell(client, one, headers={"x-timestamp": "soon"}),
        await client.post("/api/payments/bank", json={"transactions": [one]}),
    ):
        assert answer.status_code == 403, answer.text
        assert answer.json()["error"] == "NotAllowed"
    assert (await tell(client, one, feed="friend")).status_code == 404
    assert await database.fetchval("SELECT count(*) FROM payment") == 0


def test_a_signature_is_good_for_five_minutes() -> None:
    at, body = int(NOW.timestamp()), b"{}"
    for away in (0, 299, -299):
        moment = datetime.fromtimestamp(at + away, UTC)
        verify(Feed.BANK, str(at), sign(SECRET, at, body).upper(), body, moment)
    with pytest.raises(NotAllowed):
        verify(Feed.BANK, str(at), sign(SECRET, at, b"{} "), body, NOW)


def test_without_a_secret_there_is_no_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    without = dataclasses.replace(settings(), BANK_FEED_SECRET="")
    monkeypatch.setattr(feeds, "settings", lambda: without)
    with pytest.raises(NotFound):
        verify(Feed.BANK, "1", sign("", 1, b""), b"", datetime.fromtimestamp(1, UTC))


async def test_what_is_no_money_of_ours_is_refused_by_itself(
    cast: Cast, client: httpx.AsyncClient
) -> None:
    named = (await account(cast, await costly(cast))).reference
    answer = await tell(
        client,
        transaction(named, -5, id="A"),
        transaction(named, currency="USD", id="B"),
        transaction(named, account="999", id="C"),
        transaction(named, 1_000, id="D"),
        transaction("mua rau", 1_000, id="E"),
    )
    told = {each["id"]: each for each in answer.json()["outcomes"]}
    assert [told[id].get("reason") for id in "ABC"] == [
        "not_credit",
        "currency",
        "account",
    ]
    assert told["D"] == {"id": "D", "result": "booked", "matched": True}
    assert told["E"] == {"id": "E", "result": "booked"}
    again = await tell(client, transaction(named, 2_000, id="D"))
    assert again.json()["outcomes"][0]["reason"] == "differs"
    for wrong in ({"id": ""}, {"amount": "much"}, {"at": "2026-11-23"}):
        assert (await tell(client, transaction(named, **wrong))).status_code == 400  # type: ignore[arg-type]


async def test_a_call_that_was_told_many_times_at_once_is_money_once(
    cast: Cast, client: httpx.AsyncClient, database: Any
) -> None:
    named = (await account(cast, await costly(cast))).reference
    answers = await asyncio.gather(
        *(tell(client, transaction(named)) for _ in range(6))
    )
    results = [each.json()["outcomes"][0]["result"] for each in answers]
    assert sorted(results) == ["booked"] + ["repeated"] * 5
    assert await database.fetchval("SELECT sum(amount) FROM payment") == WHOLE


# Statements

SHEET = """NGÂN HÀNG THỬ - SAO KÊ TÀI KHOẢN,,,,
Số tài khoản: 0011012345678,,,,
Ngày GD/ Date,Số bút toán / Ref No,Ghi nợ,Ghi có (VND),Nội dung giao dịch
23/11/2026 09:12:44,FT1,,"81,500",MBVCB.1. {lower} .CT tu 0071 NGUYEN THI HOA
23/11/2026,FT2,,7.000,mua rau
23/11/2026,FT3,"50,000",,phi dich vu
,,,,
Tổng cộng,,"50,000","88,500",
"""


def sheet(reference: str) -> bytes:
    return SHEET.format(lower=references.spaced(reference).lower()).encode()


async def test_a_statement_is_read_and_what_it_names_is_paid(
    cast: Cast, database: Any
) -> None:
    waybill = await costly(cast)
    data = sheet((await account(cast, waybill)).reference)
    told = await statements.take_in(data, "sao ke.csv", cast.bob)
    assert (told.rows, told.new, told.matched, told.debits) == (2, 2, 1, 1)
    assert (await account(cast, waybill)).open == 0
    (left,) = await payments.unsettled(cast.bob)
    assert (left.text, left.left) == ("mua rau", 7_000)
    again = await statements.take_in(data, "the same.csv", cast.dora)
    assert (again.again, again.new) == (True, 2)
    assert await database.fetchval("SELECT count(*) FROM payment") == 2
    assert await database.fetchval("SELECT count(*) FROM statement") == 1
    assert await database.fetchval("SELECT count(statement) FROM payment") == 2
    # The next day's sheet begins with this day's lines.
    longer = data + b"24/11/2026,FT4,,1000,x\n"
    more = await statements.take_in(longer, "next.csv", cast.bob)
    assert (more.rows, more.new, more.known) == (3, 1, 2)


async def test_what_the_feed_told_is_not_read_twice_from_the_statement(
    cast: Cast, client: httpx.AsyncClient
) -> None:
    waybill = await costly(cast)
    named = (await account(cast, waybill)).reference
    await tell(client, transaction(named))
    told = await statements.take_in(sheet(named), "x.csv", cast.bob)
    assert (told.rows, told.new, told.differing) == (2, 1, ())
    other = sheet(named).replace(b"81,500", b"91,500")
    told = await statements.take_in(other, "x.csv", cast.bob)
    assert (told.new, told.differing) == (0, ("FT1",))


async def test_of_one_file_sent_twice_at_once_one_is_read(
    cast: Cast, database: Any
) -> None:
    data = sheet((await account(cast, await costly(cast))).reference)
    told = await asyncio.gather(
        *(statements.take_in(data, "x.csv", cast.bob) for _ in range(3))
    )
    assert sorted(each.again for each in told) == [False, True, True]
    assert await database.fetchval("SELECT count(*) FROM payment") == 2


async def test_who_may_read_a_statement_in(cast: Cast) -> None:
    for actor in (cast.alice, cast.charlie, cast.eve, cast.frank):
        with pytest.raises(NotAllowed):
            await statements.take_in(sheet("BD000000000"), "x.csv", actor)


async def test_a_file_with_one_wrong_row_changes_nothing(
    cast: Cast, database: Any
) -> None:
    data = sheet("BD000000000") + (
        b"some day,FT8,,1000,x\n24/11/2026,,,1000,y\n24/11/2026,FT1,,5,z\n"
        b"24/11/2026,FT9,,many,z\n"
    )
    with pytest.raises(BadInput) as fault:
        await statements.take_in(data, "x.csv", cast.bob)
    assert [each.field for each in fault.value.problems] == [
        "row.9",
        "row.10",
        "row.11",
        "row.12",
    ]
    assert await database.fetchval("SELECT count(*) FROM payment") == 0


@pytest.mark.parametrize(
    ("head", "line"),
    [
        (
            "Transaction Date;Transaction No;Credit Amount;Description",
            "2026-11-23;A1;26000.00;x",
        ),
        ("Ngày\tMã giao dịch\tSố tiền\tDiễn giải", "23-11-2026\tA1\t+26.000 VND\tx"),
        (
            "STT,Ngày hiệu lực,Số CT,Phát sinh nợ,Phát sinh có,Số dư,Diễn giải",
            '1,23/11/26,A1,0,"26,000",900,x',
        ),
        (
            '"Số tham chiếu","Thời gian","Tiền vào","Nội dung"',
            '"A1","23/11/2026 10:00","26 000 đ","x"',
        ),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_banks_head_their_columns_in_many_ways(
    head: str, line: str, encoding: str
) -> None:
    told = statements.read(f"{head}\r\n{line}\r\n".encode(encoding))
    assert told.problems == []
    (found,) = told.lines
    assert (found.reference, found.amount, found.text) == ("A1", 26_000, "x")
    assert found.at.astimezone(statements.LOCAL).day == 23


@pytest.mark.parametrize("data", [b"", b"\0\1\2", b"a,b\n1,2", b"\xff\xfe", b"PK\3\4"])
def test_what_is_no_statement_is_said_to_be_none(data: bytes) -> None:
    told = statements.read(data)
    assert [each.field for each in told.problems] == ["file"]


# The code to pay by


async def test_the_code_names_the_account_the_amount_and_nobody(cast: Cast) -> None:
    waybill = await costly(cast)
    told = await account(cast, waybill)
    transfer = read(paying.payload(told.reference, told.open))
    assert (transfer.bank, transfer.account) == ("970403", "0011012345678")
    assert (transfer.amount, transfer.purpose) == (WHOLE, told.reference)
    drawn = paying.qr(told.reference, told.open)
    assert drawn is not None
    assert len(drawn.path) < 4_000
    assert paying.qr(told.reference, 0) is None


async def test_without_an_account_of_ours_there_is_no_code(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = dataclasses.replace(settings(), BANK_ACCOUNT="", BANK_BIN="")
    monkeypatch.setattr(paying, "settings", lambda: without)
    assert paying.qr("BD000000000", WHOLE) is None
    assert paying.bank() is None


def test_half_an_account_is_said_loudly() -> None:
    with pytest.raises(settings_module.SettingsError) as fault:
        settings_module.Settings.from_env(
            {"BANK_BIN": "970403", "SECRET_KEY": "k" * 40}
        )
    assert fault.value.faults == (
        "BANK_ACCOUNT is needed with BANK_BIN.",
        "BANK_NAME is needed with BANK_BIN.",
        "BANK_HOLDER is needed with BANK_BIN.",
    )
    with pytest.raises(settings_module.SettingsError):
        settings_module.Settings.from_env({"BANK_BIN": "12345", "SECRET_KEY": "k" * 40})
