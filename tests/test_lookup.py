"""The look-up: what opens a dossier, what tells nothing, and how often one may try."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from playwright.async_api import Page

from postal_track import lookups, misses
from postal_track.bookings import PersonGiven
from postal_track.custody import Stage
from postal_track.errors import (
    BadInput,
    BadWaybill,
    ForeignCode,
    LookupClosed,
    NoMatch,
    PostalTrackError,
    TooManyGuesses,
    TooOften,
    WaybillCheckDigit,
)
from postal_track.glances import Glance, Glances, glance
from postal_track.labels import own_url
from postal_track.limits import Limit
from postal_track.s10 import spaced, waybill
from tests.axe import assert_accessible
from tests.cast import ADDRESS, OWNER, PHONE, Cast, order, travel, visitor

RIGHT = PHONE.replace(" ", "")[-4:]
WRONG = "0000"
HERE = "203.0.113.7"

NOT_THERE = waybill(99_000_001)


async def tried(code: str, last4: str, address: str = HERE) -> str:
    """What came of one try: the token, or the name of the error."""
    try:
        return await lookups.token_for(code, last4, address)
    except PostalTrackError as fault:
        return type(fault).__name__


async def form(client: httpx.AsyncClient, **fields: str) -> httpx.Response:
    """Fill the look-up in as a browser does, with the page's own CSRF field."""
    page = await client.get("/track")
    found = re.search(r'name="_csrf_token" value="([^"]+)"', page.text)
    assert found is not None
    return await client.post("/track", data=fields | {"_csrf_token": found[1]})


class TestWhatOpensADossier:
    async def test_any_writing_of_the_waybill_will_do(self, cast: Cast) -> None:
        booked = await order(cast)
        code = booked.waybill or ""
        for written in (
            code,
            code.lower(),
            spaced(code),
            f"  {code[:2]}-{code[2:11]}-{code[11:]}\n",
            own_url(code),
        ):
            assert await tried(written, RIGHT) == booked.token
        assert await tried(code, " 5 678 ") == booked.token

    async def test_the_phone_of_any_person_of_the_dossier_will_do(
        self, cast: Cast
    ) -> None:
        booked = await order(
            cast,
            filer=PersonGiven("Lê Văn Bình", "0987 654 321", ADDRESS, "30307"),
            recipient=PersonGiven("Trần Thị Cúc", "0903 111 222", ADDRESS, "30307"),
        )
        for last4 in (RIGHT, "4321", "1222"):
            assert await tried(booked.waybill or "", last4) == booked.token

    async def test_the_waybill_of_every_leg_opens_the_same_page(
        self, cast: Cast, database: Any
    ) -> None:
        result = await travel(cast, "ready")
        codes = await database.fetch("SELECT waybill FROM item")
        tokens = {await tried(row["waybill"], RIGHT) for row in codes}
        assert len(codes) == 2
        assert tokens == {await tried(result, RIGHT)}
        assert NoMatch.__name__ not in tokens

    async def test_what_cannot_be_a_waybill_is_said_at_once_and_not_counted(
        self, cast: Cast, database: Any
    ) -> None:
        booked = await order(cast)
        code = booked.waybill or ""
        slip = code[:10] + str((int(code[10]) + 1) % 10) + code[11:]
        with pytest.raises(WaybillCheckDigit):
            await lookups.token_for(slip, RIGHT, HERE)
        with pytest.raises(BadWaybill):
            await glance("DH 1234", HERE)
        with pytest.raises(ForeignCode):
            await glance("https://example.vn/B/whatever", HERE)
        for digits in ("", "567", "56789", "٥٦٧٨", "abcd"):
            with pytest.raises(BadInput):
                await lookups.token_for(code, digits, HERE)
        assert await database.fetchval("SELECT count(*) FROM tally") == 0

    async def test_an_erased_phone_opens_nothing(
        self, cast: Cast, database: Any
    ) -> None:
        booked = await order(cast)
        await database.execute("UPDATE person SET phone = ''")
        assert await tried(booked.waybill or "", RIGHT) == "NoMatch"


class TestAWaybillAlone:
    async def test_it_tells_stage_and_day(self, cast: Cast) -> None:
        code = await travel(cast, "arrived", days_ago=3)
        seen = await glance(spaced(code), HERE)
        assert (seen.waybill, seen.stage) == (code, Stage.AT_OFFICE)
        days_ago = datetime.now(UTC).date() - seen.day
        assert 2 <= days_ago.days <= 3  # An Giang is ahead of UTC

    async def test_questions_asked_at_once_get_their_own_answers(
        self, cast: Cast
    ) -> None:
        booked = await travel(cast, "booked")
        arrived = await travel(cast, "arrived", code="H01.26-2")
        asked = [booked, NOT_THERE, arrived] * 5
        answers = await asyncio.gather(
            *(glance(code, HERE) for code in asked), return_exceptions=True
        )
        told = [
            each.stage if isinstance(each, Glance) else type(each) for each in answers
        ]
        assert told == [Stage.BOOKED, NoMatch, Stage.AT_OFFICE] * 5

    async def test_a_flood_from_one_address_is_stopped_in_one_process_too(
        self, cast: Cast
    ) -> None:
        code = await travel(cast, "booked")
        await the_minute_is_young()
        here = Glances(Limit("read in a test", 20, timedelta(minutes=1)))
        told = [(await here.look([(code, HERE)]))[0] for _ in range(25)]
        assert [type(each) for each in told] == [Glance] * 20 + [TooOften] * 5
        # Another process hears of it, and other addresses do not.
        there = Glances(here.limit)
        while here.unsaid:  # it tells the others five times a second
            await here.look([(code, "192.0.2.1")])
        (same,) = await there.look([(code, HERE)])
        (other,) = await there.look([(code, "192.0.2.2")])
        assert (type(same), type(other)) == (TooOften, Glance)


class TestGuessing:
    async def test_after_five_wrong_tries_the_right_one_is_refused_too(
        self, cast: Cast
    ) -> None:
        booked = await order(cast)
        code = booked.waybill or ""
        assert [await tried(code, WRONG) for _ in range(5)] == ["NoMatch"] * 5
        assert await tried(code, RIGHT) == "TooManyGuesses"
        assert await tried(code, RIGHT, "198.51.100.1") == "TooManyGuesses"

    async def test_who_is_right_is_never_counted(
        self, cast: Cast, database: Any
    ) -> None:
        booked = await order(cast)
        told = {await tried(booked.waybill or "", RIGHT) for _ in range(40)}
        assert told == {booked.token}
        assert await database.fetchval("SELECT count(*) FROM tally") == 0

    async def test_ten_thousand_guesses_in_a_row_find_nothing(
        self, cast: Cast, database: Any
    ) -> None:
        # One in a hundred exists, and of those the digits are even right.
        first = 30_000_000
        await order(cast)
        for number in range(40, 10_000, 100):
            await database.execute(
                """
                INSERT INTO label (waybill, item, bound_at)
                SELECT $1, max(id), now() FROM item
                """,
                waybill(first + number),
            )
        told = Counter[str]()
        for at in range(0, 10_000, 500):
            told.update(
                await asyncio.gather(
                    *(
                        tried(waybill(first + number), RIGHT)
                        for number in range(at, at + 500)
                    )
                )
            )
        assert told.total() == 10_000
        assert set(told) == {"NoMatch", "TooOften"}
        assert told["NoMatch"] <= 2 * misses.MISSES.most

    async def test_ten_thousand_digits_for_one_waybill_find_nothing(
        self, cast: Cast
    ) -> None:
        booked = await order(cast)
        code, told = booked.waybill or "", Counter[str]()
        others = [f"{n:04}" for n in range(10_000) if f"{n:04}" != RIGHT]
        for at in range(0, 10_000, 500):
            # From as many addresses as one likes, the right ones last.
            tries = (*others, RIGHT)[at : at + 500]
            told.update(
                await asyncio.gather(
                    *(
                        tried(code, last4, f"198.51.{at // 500}.{n % 250}")
                        for n, last4 in enumerate(tries)
                    )
                )
            )
        assert set(told) == {"NoMatch", "TooManyGuesses"}
        assert told["NoMatch"] == misses.GUESSES.most

    async def test_unknown_takes_as_long_as_wrong(
        self, cast: Cast, database: Any
    ) -> None:
        codes = [(await order(cast)).waybill or "" for _ in range(25)]
        took: dict[bool, list[float]] = {True: [], False: []}
        for round_, code in enumerate(codes):
            for there in (True, False):
                asked = code if there else waybill(98_000_000 + round_)
                begun = time.perf_counter()
                said = await tried(asked, WRONG, f"192.0.2.{round_}")
                took[there].append(time.perf_counter() - begun)
                assert said == "NoMatch"
        # The quickest of many: what others do at the same time only ever adds.
        known, unknown = (sorted(took[there])[2] for there in (True, False))
        assert 0.5 < known / unknown < 2

    async def test_what_does_not_exist_answers_like_what_does(self, cast: Cast) -> None:
        booked = await order(cast)
        known = [await tried(booked.waybill or "", WRONG) for _ in range(8)]
        unknown = [await tried(NOT_THERE, WRONG) for _ in range(8)]
        assert known == unknown

    async def test_of_forty_tries_at_once_five_are_answered(self, cast: Cast) -> None:
        booked = await order(cast)
        told = await asyncio.gather(
            *(
                tried(booked.waybill or "", WRONG, f"192.0.2.{number}")
                for number in range(40)
            )
        )
        assert sorted(told) == ["NoMatch"] * 5 + ["TooManyGuesses"] * 35

    async def test_a_waybill_tried_again_and_again_is_closed(
        self, cast: Cast, database: Any
    ) -> None:
        booked = await order(cast)
        hours = 0
        while (await tried(booked.waybill or "", WRONG)) == "NoMatch":
            hours += 1
            if hours % 5 == 0:  # an hour passes: what was counted for it is gone
                await database.execute(
                    "DELETE FROM tally WHERE ends_at < now() + interval '1 hour'"
                )
        assert hours == misses.GUESSES_IN_ALL.most
        with pytest.raises(LookupClosed):
            await lookups.token_for(booked.waybill or "", RIGHT, "198.51.100.1")

    async def test_one_address_may_miss_so_often_whatever_it_asks(
        self, cast: Cast
    ) -> None:
        booked = await order(cast)
        answers = [
            await tried(waybill(20_000_000 + number), WRONG)
            for number in range(misses.MISSES.most + 3)
        ]
        assert answers[-3:] == ["TooOften"] * 3
        # It is shut out of everything now, others are not.
        assert await tried(booked.waybill or "", RIGHT) == "TooOften"
        with pytest.raises(TooOften):
            await glance(booked.waybill or "", HERE)
        assert await tried(booked.waybill or "", RIGHT, "2001:db8::1") == booked.token

    async def test_a_household_of_ipv6_is_one_address(self, cast: Cast) -> None:
        booked = await order(cast)
        for number in range(misses.MISSES.most):
            await tried(waybill(20_000_000 + number), WRONG, f"2001:db8:1:2::{number}")
        code = booked.waybill or ""
        assert await tried(code, RIGHT, "2001:db8:1:2:ffff::9") == "TooOften"
        assert await tried(code, RIGHT, "2001:db8:1:3::9") == booked.token

    async def test_waybills_that_do_not_exist_count_as_misses(self, cast: Cast) -> None:
        booked = await order(cast)
        for number in range(misses.MISSES.most):
            with pytest.raises(NoMatch):
                await glance(waybill(20_000_000 + number), HERE)
        with pytest.raises(TooOften):
            await glance(booked.waybill or "", HERE)

    async def test_ten_thousand_guesses_at_the_digits_find_nothing(
        self, cast: Cast
    ) -> None:
        booked = await order(cast)
        code = booked.waybill or ""
        told: list[str] = []
        # All there are, in their order, from many addresses, fifty at a time.
        for start in range(0, 10_000, 50):
            told += await asyncio.gather(
                *(
                    tried(code, f"{start + each:04}", f"198.51.100.{each}")
                    for each in range(50)
                )
            )
        assert set(told) == {"NoMatch", "TooManyGuesses"}
        # The clock may strike the hour in between.
        assert told.count("NoMatch") <= 2 * misses.GUESSES.most
        assert booked.token not in told

    async def test_ten_thousand_waybills_in_their_order_find_nothing(
        self, cast: Cast
    ) -> None:
        booked = [await order(cast) for _ in range(3)]
        first = int((booked[0].waybill or "")[2:10]) - 5_000
        told: list[str] = []
        for start in range(first, first + 10_000, 50):
            told += await asyncio.gather(
                *(tried(waybill(start + each), RIGHT) for each in range(50))
            )
        assert set(told) == {"NoMatch", "TooOften"}
        assert told.count("NoMatch") <= 2 * (misses.MISSES.most + 50)


class TestOverHttp:
    async def test_hundreds_of_guesses_find_nothing_on_either_way(
        self, cast: Cast, server: str
    ) -> None:
        booked = await order(cast)
        code = booked.waybill or ""
        told = []
        async with await visitor(None) as client:
            for last4 in range(5_600, 5_850):  # the right ones are among them
                answer = await client.get(
                    f"/api/status/{code}", params={"last4": f"{last4:04}"}
                )
                told.append(answer.status_code)
            page = await client.get("/track")
            token = re.search(r'name="_csrf_token" value="([^"]+)"', page.text)
            assert token is not None
            for last4 in range(5_600, 5_850):
                fields = {"waybill": code, "last4": f"{last4:04}"}
                answer = await client.post(
                    "/track", data=fields | {"_csrf_token": token[1]}
                )
                told.append(answer.status_code)
        assert set(told) == {404, 429}
        assert told.count(404) <= 2 * misses.GUESSES.most

    async def test_unknown_and_wrong_are_one_answer_byte_for_byte(
        self, cast: Cast, server: str
    ) -> None:
        booked = await order(cast)
        code = booked.waybill or ""
        async with await visitor(None) as client:
            wrong = await client.get(f"/api/status/{code}", params={"last4": WRONG})
            unknown = await client.get(
                f"/api/status/{NOT_THERE}", params={"last4": WRONG}
            )
            alone = await client.get(f"/api/status/{NOT_THERE}")
            assert wrong.status_code == unknown.status_code == alone.status_code == 404
            assert wrong.content == unknown.content == alone.content
            assert wrong.json()["error"] == "NoMatch"
            pages = [
                (await form(client, waybill=each, last4=WRONG)).text.replace(each, "")
                for each in (code, NOT_THERE)
            ]
        assert pages[0] == pages[1]

    async def test_both_right_lead_to_the_page_and_one_alone_to_the_stage(
        self, cast: Cast, server: str
    ) -> None:
        booked = await order(cast)
        code = booked.waybill or ""
        async with await visitor(None) as client:
            opened = await form(client, waybill=spaced(code).lower(), last4=RIGHT)
            assert opened.status_code == 303
            assert opened.headers["location"] == f"/d/{booked.token}"
            alone = await form(client, waybill=spaced(code), last4="")
            assert alone.status_code == 303
            assert alone.headers["location"] == f"/track/{code}"
            page = await client.get(f"/track/{code}")
        assert "Đã đặt lịch thu gom" in page.text
        for secret in (booked.token, booked.slug, "hành chính công", "xây dựng", OWNER):
            assert secret not in page.text
        assert "noindex" in page.text

    async def test_faults_stand_beside_their_field_and_what_was_typed_is_kept(
        self, cast: Cast, server: str
    ) -> None:
        async with await visitor(None, "en") as client:
            slip = await form(client, waybill="DH 1234 5678 4 VN", last4="12a")
            assert slip.status_code == 400
            assert "the check digit would be 5, not 4" in slip.text
            assert 'value="DH 1234 5678 4 VN"' in slip.text
            assert 'value="12a"' in slip.text
            short = await form(client, waybill="DH 1234 5678 5 VN", last4="12")
            assert short.status_code == 422
            assert 'id="last4-problem"' in short.text
            direct = await client.get("/track/DH123456784VN")
            assert direct.status_code == 400
            assert (await client.get("/track/nonsense")).status_code == 400

    async def test_the_answer_for_programs_grows_with_the_digits(
        self, cast: Cast, database: Any, server: str
    ) -> None:
        code = await travel(cast, "carried")
        async with await visitor(None, "en") as client:
            brief = (await client.get(f"/api/status/{code}")).json()
            assert sorted(brief) == ["day", "stage", "stage_text", "waybill"]
            assert brief["stage"] == "out_for_delivery"
            full = (
                await client.get(f"/api/status/{code}", params={"last4": RIGHT})
            ).json()
        assert brief.items() <= full.items()
        assert full["fee"] == 26_000
        assert len(full["timeline"]) == 10
        assert full["holder_text"].startswith("A carrier of Bưu cục Long Xuyên is on")
        token = await database.fetchval("SELECT token FROM dossier")
        assert full["page"] == f"/d/{token}"

    async def test_nothing_is_sent_again_when_nothing_is_new(
        self, cast: Cast, server: str
    ) -> None:
        booked = await order(cast)
        path = f"/api/status/{booked.waybill}"
        async with await visitor(None) as client:
            first = await client.get(path)
            assert "max-age" in first.headers["cache-control"]
            assert "set-cookie" not in first.headers
            again = await client.get(
                path, headers={"if-none-match": first.headers["etag"]}
            )
            assert again.status_code == 304
            assert again.content == b""
            english = await client.get(path, params={"lang": "en"})
            assert english.headers["etag"] != first.headers["etag"]
            full = await client.get(path, params={"last4": RIGHT})
            assert "private" in full.headers["cache-control"]

    async def test_digits_that_are_none_are_refused(
        self, cast: Cast, server: str
    ) -> None:
        async with await visitor(None) as client:
            for digits in ("123", "12345", "abcd", "12 4"):
                answer = await client.get(
                    f"/api/status/{NOT_THERE}", params={"last4": digits}
                )
                assert answer.status_code == 400
                assert answer.json()["error"] == "BadRequest"

    async def test_links_that_lead_nowhere_are_counted_too(
        self, cast: Cast, server: str
    ) -> None:
        async with await visitor(None) as client:
            told = [
                (await client.get(f"/s/guess{number:05}")).status_code
                for number in range(misses.MISSES.most + 2)
            ]
        assert told[0] == 404
        assert told[-1] == 429

    async def test_several_processes_count_together(
        self,
        cast: Cast,
        server: str,
        run: Callable[..., AbstractContextManager[Any]],
    ) -> None:
        booked = await order(cast)
        ports = [_free_port(), _free_port()]
        few = {"PUBLIC_READS_PER_MINUTE": "20"}
        arguments = ("uvicorn", "app:app", "--host", "127.0.0.1", "--port")
        with (
            run("web-a", *arguments, str(ports[0]), **few),
            run("web-b", *arguments, str(ports[1]), **few),
        ):
            async with httpx.AsyncClient() as client:
                for port in ports:
                    await _answers(client, port)
                await the_minute_is_young()
                told = await asyncio.gather(
                    *(
                        client.get(
                            f"http://127.0.0.1:{ports[each % 2]}/d/{booked.token}"
                        )
                        for each in range(60)
                    )
                )
                # What pages have used up is used up for programs too.
                briefs = [
                    await client.get(
                        f"http://127.0.0.1:{port}/api/status/{booked.waybill}"
                    )
                    for port in ports
                ]
        statuses = [answer.status_code for answer in told]
        assert (statuses.count(200), statuses.count(429)) == (20, 40)
        assert [answer.json()["error"] for answer in briefs] == ["TooOften"] * 2
        assert int(briefs[0].headers["retry-after"]) <= 60


async def the_minute_is_young() -> None:
    """Begin early enough in a minute's count that it does not end in between."""
    left = 60 - time.time() % 60
    if left < 10:
        await asyncio.sleep(left)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _answers(client: httpx.AsyncClient, port: int) -> None:
    for _ in range(600):
        try:
            if (await client.get(f"http://127.0.0.1:{port}/health")).status_code == 200:
                return
        except httpx.TransportError:
            await asyncio.sleep(0.05)
    raise AssertionError(f"nobody answers at {port}")


async def test_a_citizen_finds_his_dossier_from_the_front_door(
    cast: Cast, page: Page
) -> None:
    booked = await order(cast)
    await page.goto("/")
    await assert_accessible(page)
    await page.get_by_label("Mã vận đơn").fill(spaced(booked.waybill or ""))
    await page.get_by_label("4 số cuối").fill(WRONG)
    await page.keyboard.press("Enter")
    await page.get_by_role("alert").get_by_text("Không tìm thấy hồ sơ.").wait_for()
    await assert_accessible(page)
    await page.get_by_label("4 số cuối").fill(RIGHT)
    await page.get_by_role("button", name="Xem hồ sơ ở đâu").click()
    await page.wait_for_url(f"**/d/{booked.token}")


async def test_everybody_can_use_the_look_up(cast: Cast, page: Page) -> None:
    booked = await order(cast)
    for path in ("/track", f"/track/{booked.waybill}", "/track/DH1", "/d/nowhere"):
        await page.goto(path)
        await assert_accessible(page)


async def test_the_limits_are_what_the_error_says() -> None:
    assert TooManyGuesses(7).seconds == 420
    assert "7 minutes" in str(TooManyGuesses(7))
