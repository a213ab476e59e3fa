"""Scans over HTTP: read one by one, answered alike, refused in sentences."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from postal_track.labels import own_url
from postal_track.settings import settings
from tests.cast import Cast, token_of, travel


async def program(server: str, actor: Any) -> httpx.AsyncClient:
    """Speak as another system does: JSON and a bearer token."""
    headers = {"authorization": f"Bearer {await token_of(actor)}"}
    return httpx.AsyncClient(base_url=server, headers=headers, timeout=60)


def scan(code: str, step: str = "taken", **more: Any) -> dict[str, Any]:
    """Say one thing about one item, as a phone writes it."""
    at = datetime.now(UTC).isoformat()
    return {"id": str(uuid4()), "code": code, "step": step, "at": at, "seq": 1} | more


def listed(*scans: Any) -> dict[str, Any]:
    """Put scans into a list of one phone."""
    return {
        "device": "phone",
        "sent_at": datetime.now(UTC).isoformat(),
        "scans": list(scans),
    }


async def test_a_list_is_answered_scan_by_scan_in_its_order(
    server: str, cast: Cast, database: Any
) -> None:
    first, second = [await travel(cast, "arrived") for _ in range(2)]
    async with await program(server, cast.alice) as phone:
        told = listed(scan(second), scan("DH999999995VN"), scan(own_url(first)))
        answer = (await phone.post("/api/scans", json=told)).json()["outcomes"]
    assert [each["id"] for each in answer] == [each["id"] for each in told["scans"]]
    results = ["recorded", "refused", "recorded"]
    assert [each["result"] for each in answer] == results
    assert answer[1]["error"] == "UnknownWaybill"
    assert answer[0]["item"]["waybill"] == second
    assert answer[0]["item"]["mine"] is True


async def test_the_same_list_sent_again_is_answered_alike(
    server: str, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "arrived")
    told = listed(scan(number), scan(number, "arrived"))
    async with await program(server, cast.alice) as phone:
        first = (await phone.post("/api/scans", json=told)).json()
        again = (await phone.post("/api/scans", json=told)).json()
    assert first == again
    taken = "SELECT count(*) FROM event WHERE step = 'taken'"
    assert await database.fetchval(taken) == 1


async def test_single_scans_that_arrive_together_are_each_answered_for_themselves(
    server: str, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "arrived")
    async with await program(server, cast.alice) as phone:
        told = [listed(scan(number)) for _ in range(30)]
        told += [listed(scan("DH999999995VN")) for _ in range(10)]
        answers = await asyncio.gather(
            *(phone.post("/api/scans", json=each) for each in told)
        )
    outcomes = [answer.json()["outcomes"][0] for answer in answers]
    assert [o["id"] for o in outcomes] == [t["scans"][0]["id"] for t in told]
    assert [o["result"] for o in outcomes] == ["recorded"] * 30 + ["refused"] * 10


@pytest.mark.parametrize(
    "broken",
    [
        {"step": "flown"},
        {"at": "yesterday"},
        {"at": "2026-03-01T07:05:09"},
        {"id": "not-a-uuid"},
        {"position": {"lat": 200, "lon": 0, "accuracy_m": 1}},
        {"originals": -1},
        {"proof": {"kind": "promise"}},
        {"proof": {"kind": "signature", "signature": "<script>"}},
        {"place": "moon:1"},
        {"colour": "red"},
    ],
)
async def test_a_scan_that_cannot_be_read_is_refused_and_the_others_are_not(
    server: str, cast: Cast, broken: dict[str, Any]
) -> None:
    number = await travel(cast, "arrived")
    told = listed(scan(number, **broken), scan(number))
    async with await program(server, cast.alice) as phone:
        answer = await phone.post("/api/scans", json=told)
    bad, good = answer.json()["outcomes"]
    assert (bad["result"], bad["error"]) == ("refused", "BadScan")
    assert bad["id"] == told["scans"][0]["id"]
    assert good["result"] == "recorded"


async def test_ten_thousand_scans_in_one_list_are_too_many_and_none_is_written(
    server: str, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "arrived")
    lines = await database.fetchval("SELECT count(*) FROM event")
    told = listed(*(scan(number) for _ in range(10_000)))
    async with await program(server, cast.alice) as phone:
        answer = await phone.post("/api/scans", json=told)
    assert answer.status_code == 413
    assert answer.json()["error"] == "TooManyScans"
    assert str(settings().MAX_SCANS_PER_LIST) in answer.json()["detail"]
    assert await database.fetchval("SELECT count(*) FROM event") == lines


@pytest.mark.parametrize(
    "body", [b"not json", b"[]", b'{"scans": 1}', b"", b'{"device": "x"}', b"\xff\xfe"]
)
async def test_what_is_not_a_list_of_scans_is_refused_in_a_sentence(
    server: str, cast: Cast, body: bytes
) -> None:
    async with await program(server, cast.alice) as phone:
        answer = await phone.post(
            "/api/scans", content=body, headers={"content-type": "application/json"}
        )
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "detail"}


async def test_without_a_login_or_with_an_ended_one_nothing_is_written(
    server: str, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "arrived")
    lines = await database.fetchval("SELECT count(*) FROM event")
    async with httpx.AsyncClient(base_url=server) as nobody:
        answer = await nobody.post("/api/scans", json=listed(scan(number)))
        assert answer.status_code == 401
        assert answer.json()["error"] == "NotLoggedIn"
    async with await program(server, cast.alice) as phone:
        await database.execute("UPDATE session SET expires_at = now()")
        answer = await phone.post("/api/scans", json=listed(scan(number)))
        assert answer.status_code == 401
        assert answer.json()["error"] == "SessionExpired"
    assert await database.fetchval("SELECT count(*) FROM event") == lines


async def test_a_disabled_account_may_do_nothing_from_that_moment_on(
    server: str, cast: Cast, database: Any
) -> None:
    number = await travel(cast, "arrived")
    async with await program(server, cast.alice) as phone:
        assert (await phone.get("/api/held")).status_code == 200
        await database.execute("UPDATE staff SET active = false WHERE login = 'alice'")
        answer = await phone.post("/api/scans", json=listed(scan(number)))
    assert answer.status_code == 401


async def test_a_code_is_understood_in_every_form_a_scanner_gives(
    server: str, cast: Cast
) -> None:
    number = await travel(cast, "arrived")
    forms = [
        number,
        number.lower(),
        f"{number[:2]} {number[2:6]} {number[6:10]} {number[10]} VN",
        own_url(number),
        own_url(number).lower(),
        f"{number}\r\n",
    ]
    async with await program(server, cast.alice) as phone:
        for form in forms:
            answer = await phone.get("/api/items", params={"code": form})
            assert answer.json()["waybill"] == number, form
            assert answer.json()["proposals"][0]["step"] == "out"


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("DH123456786VN", 400, "WaybillCheckDigit"),
        ("DH999999995VN", 404, "UnknownWaybill"),
        ("https://example.com", 400, "ForeignCode"),
        ("EE123456785US", 400, "OtherPostsItem"),
    ],
)
async def test_what_is_not_understood_says_why_in_both_languages(
    server: str, cast: Cast, code: str, status: int, error: str
) -> None:
    async with await program(server, cast.alice) as phone:
        said = set()
        for language in ("vi", "en"):
            answer = await phone.get(
                "/api/items", params={"code": code, "lang": language}
            )
            assert (answer.status_code, answer.json()["error"]) == (status, error)
            said.add(answer.json()["detail"])
    assert len(said) == 2


async def test_every_error_of_the_api_has_one_shape(server: str, cast: Cast) -> None:
    asked = [
        ("GET", "/api/nowhere", None),
        ("PATCH", "/api/scans", None),
        ("GET", "/api/items", None),
        ("GET", "/api/items?code=x", None),
        ("POST", "/api/scans", json.dumps(listed(*range(600)))),
        ("POST", "/api/dossiers", "{}"),
        ("POST", "/api/dossiers/none/result", "{}"),
        ("GET", "/api/status/DH123456786VN", None),
        ("GET", "/api/status/nonsense", None),
    ]
    async with await program(server, cast.alice) as phone:
        for method, path, body in asked:
            answer = await phone.request(
                method, path, content=body, headers={"content-type": "application/json"}
            )
            assert answer.status_code >= 400, path
            assert {"error", "detail"} <= set(answer.json()), path
            assert answer.json()["detail"], path
