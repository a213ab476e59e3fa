"""Orders, results and lists for other systems: what is taken, refused and repeated."""

from __future__ import annotations

import asyncio
import unicodedata
from typing import Any
from uuid import uuid4

import httpx
import pytest

from postal_track import limits, s10
from postal_track.staff import Actor
from tests.cast import ADDRESS, OWNER, PHONE, Cast, token_of

pytestmark = pytest.mark.usefixtures("server")

HOA = {"name": OWNER, "phone": PHONE, "address": ADDRESS}
FAR = {"name": "Trần Văn Ba", "phone": "0987 654 321", "address": "Phường Châu Đốc"}


def order(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "id": str(uuid4()),
        "procedure": "1.000",
        "agency": "AGENCY",
        "service": "both",
        "owner": HOA,
        "papers": [{"name": "Đơn đề nghị", "originals": 2, "copies": 1}],
    }
    return given | changes


async def program(
    server: str, actor: Actor | None, lang: str = "vi"
) -> httpx.AsyncClient:
    headers = {"accept": "application/json", "accept-language": lang}
    if actor is not None:
        headers["authorization"] = f"Bearer {await token_of(actor)}"
    return httpx.AsyncClient(base_url=server, headers=headers)


async def place(server: str, actor: Actor | None, given: Any) -> httpx.Response:
    async with await program(server, actor) as client:
        return await client.post("/api/dossiers", json=given)


async def test_an_order_becomes_a_dossier_with_waybill_label_and_link(
    server: str, cast: Cast, database: Any
) -> None:
    async with await program(server, cast.bob) as client:
        answer = await client.post("/api/dossiers", json=order())
        assert answer.status_code == 201
        told = answer.json()
        assert s10.parse(told["waybill"]) == told["waybill"]
        assert told["link"] == f"{server}/d/{told['token']}"
        assert told["office"] == "LX"
        for ending, kind in (
            ("svg", "image/svg+xml"),
            ("png", "image/png"),
            ("pdf", "application/pdf"),
        ):
            label = await client.get(told["label"][ending])
            assert label.status_code == 200
            assert label.headers["content-type"].startswith(kind)
    row = await database.fetchrow("SELECT source, language, service FROM dossier")
    assert tuple(row) == ("api", "vi", "both")
    lines = await database.fetch("SELECT step, originals, copies FROM event")
    assert [tuple(line) for line in lines] == [("booked", 2, 1)]


async def test_the_same_order_twice_is_one_dossier_and_one_text(
    server: str, cast: Cast, database: Any
) -> None:
    given = order()
    first, second = [await place(server, cast.bob, given) for _ in range(2)]
    assert first.json() == second.json()
    assert first.status_code == second.status_code == 201
    assert await database.fetchval("SELECT count(*) FROM dossier") == 1
    assert await database.fetchval("SELECT count(*) FROM event") == 1
    assert await database.fetchval("SELECT count(*) FROM sms_message") == 1


async def test_the_same_order_twenty_times_at_once_is_one_dossier(
    server: str, cast: Cast, database: Any
) -> None:
    given = order()
    async with await program(server, cast.bob) as client:
        answers = await asyncio.gather(
            *(client.post("/api/dossiers", json=given) for _ in range(20))
        )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["waybill"] for answer in answers}) == 1
    assert await database.fetchval("SELECT count(*) FROM dossier") == 1
    assert await database.fetchval("SELECT count(*) FROM label") == 1


async def test_an_order_id_is_not_spent_on_something_else(
    server: str, cast: Cast, database: Any
) -> None:
    given = order()
    await place(server, cast.bob, given)
    more = [{"name": "Đơn đề nghị", "originals": 2, "copies": 2}]
    for change in (
        {"owner": FAR},
        {"service": "send"},
        {"procedure": "2.000"},
        {"agency": "OTHER"},
        {"recipient": FAR},
        {"papers": more},
        {"owner": HOA | {"phone": "not a phone"}},
    ):
        answer = await place(server, cast.bob, given | change)
        assert (answer.status_code, answer.json()["error"]) == (409, "OrderUsed"), (
            change
        )
    assert await database.fetchval("SELECT count(*) FROM dossier") == 1


async def test_two_orders_at_once_get_two_waybills(server: str, cast: Cast) -> None:
    answers = await asyncio.gather(
        *(place(server, cast.bob, order()) for _ in range(2))
    )
    assert len({answer.json()["waybill"] for answer in answers}) == 2


@pytest.mark.parametrize(
    ("lang", "sentence"),
    [
        ("vi", "Số điện thoại chỉ gồm chữ số, ví dụ 0912 345 678."),
        ("en", "A phone number has digits only, such as 0912 345 678."),
    ],
)
async def test_a_phone_number_of_letters_is_refused_by_its_field(
    server: str, cast: Cast, database: Any, lang: str, sentence: str
) -> None:
    given = order(owner=HOA | {"phone": "O9I2 E45 678"})
    async with await program(server, cast.bob, lang) as client:
        answer = await client.post("/api/dossiers", json=given)
    assert answer.status_code == 422
    assert answer.json()["error"] == "BadInput"
    assert answer.json()["fields"] == {"owner.phone": sentence}
    assert await database.fetchval("SELECT count(*) FROM dossier") == 0


UNUSABLE: list[tuple[dict[str, Any], str]] = [
    ({"owner": HOA | {"ward": "99999"}}, "owner.ward"),
    ({"owner": HOA | {"address": "12 Trần Hưng Đạo"}}, "owner.ward"),
    ({"owner": HOA | {"address": " "}}, "owner.address"),
    ({"owner": HOA | {"address": "đ" * 241}}, "owner.address"),
    ({"owner": HOA | {"name": "\u200b"}}, "owner.name"),
    ({"owner": HOA | {"name": "a" * 121}}, "owner.name"),
    ({"owner": HOA | {"phone": ""}}, "owner.phone"),
    ({"owner": HOA | {"phone": "+1 202 555 0123"}}, "owner.phone"),
    ({"filer": HOA | {"phone": "113"}}, "filer.phone"),
    ({"recipient": HOA | {"name": ""}}, "recipient.name"),
    ({"procedure": "9.999"}, "procedure"),
    ({"agency": "a\x00b"}, "agency"),
    ({"office": "HUB"}, "office"),
    ({"office": "nowhere"}, "office"),
    ({"service": "teleport"}, "service"),
    ({"language": "fr"}, "language"),
    ({"papers": []}, "papers"),
    ({"papers": [{"name": "A", "originals": 1, "copies": 0}] * 41}, "papers"),
    ({"papers": [{"name": "A", "originals": 0, "copies": 0}]}, "papers.0"),
    ({"papers": [{"name": "A", "originals": -1, "copies": 2}]}, "papers.0"),
    ({"papers": [{"name": "A", "originals": 201, "copies": 0}]}, "papers.0"),
    ({"papers": [{"name": " ", "originals": 1, "copies": 0}]}, "papers.0"),
    ({"codes": [{"source": "igate", "code": "9" * 51}]}, "codes.0"),
    ({"codes": [{"source": "", "code": "H01-1"}]}, "codes.0"),
]


async def test_what_cannot_be_used_is_named_by_its_field(
    server: str, cast: Cast, database: Any
) -> None:
    async with await program(server, cast.bob) as client:
        for change, field in UNUSABLE:
            answer = await client.post("/api/dossiers", json=order(**change))
            assert answer.status_code == 422, change
            assert list(answer.json()["fields"]) == [field], change
    assert await database.fetchval("SELECT count(*) FROM dossier") == 0


async def test_all_that_is_wrong_is_said_at_once(server: str, cast: Cast) -> None:
    given = order(
        owner={"name": "", "phone": "abc", "address": "?"},
        procedure="",
        agency="",
        papers=[],
    )
    answer = await place(server, cast.bob, given)
    assert set(answer.json()["fields"]) == {
        *("owner.name", "owner.phone", "owner.ward"),
        *("procedure", "agency", "papers"),
    }


@pytest.mark.parametrize(
    "body",
    [
        b"waybill please",
        b"",
        b"[]",
        b'{"id": "not a uuid"}',
        b"\xff\xfe",
        b'{"id": "7d444840-9dc0-11d1-b245-5ffdce74fad2"}',
    ],
    ids=["text", "nothing", "a list", "no uuid", "no utf-8", "fields missing"],
)
async def test_what_is_not_an_order_in_json_is_refused_with_a_sentence(
    server: str, cast: Cast, body: bytes
) -> None:
    async with await program(server, cast.bob, "en") as client:
        answer = await client.post(
            "/api/dossiers", content=body, headers={"content-type": "application/json"}
        )
    assert answer.status_code == 400
    assert answer.json()["error"] == "BadRequest"
    assert answer.json()["detail"].startswith("The request cannot be read")


async def test_an_unknown_field_is_a_mistake_that_is_told(
    server: str, cast: Cast
) -> None:
    answer = await place(server, cast.bob, order(prioritaet="hoch"))
    assert answer.status_code == 400
    assert "prioritaet" in answer.json()["detail"]


async def test_an_order_that_is_too_large_is_refused_before_it_is_read(
    server: str, cast: Cast
) -> None:
    answer = await place(server, cast.bob, order(owner=HOA | {"name": "a" * 200_000}))
    assert answer.status_code == 413
    assert answer.json()["error"] == "TooLarge"


async def test_who_may_place_orders(server: str, cast: Cast, database: Any) -> None:
    for actor in (cast.alice, cast.charlie, cast.eve):
        answer = await place(server, actor, order())
        assert (answer.status_code, answer.json()["error"]) == (403, "NotAllowed")
    answer = await place(server, None, order())
    assert (answer.status_code, answer.json()["error"]) == (401, "NotLoggedIn")
    assert await database.fetchval("SELECT count(*) FROM dossier") == 0
    for actor in (cast.bob, cast.dora, cast.dean, cast.frank):
        assert (await place(server, actor, order())).status_code == 201


async def test_the_nearest_office_is_taken_where_the_post_goes_first(
    server: str, cast: Cast
) -> None:
    async def office(**changes: Any) -> str:
        answer = await place(server, cast.bob, order(**changes))
        return str(answer.json()["office"])

    assert await office() == "LX"
    assert await office(filer=FAR) == "CD"
    assert await office(recipient=FAR) == "LX"
    assert await office(service="receive", recipient=FAR) == "CD"
    assert await office(office="CD") == "CD"
    # Rạch Giá has only a hub, which collects nothing.
    assert await office(owner=HOA | {"address": "Phường Rạch Giá"}) == "LX"


async def test_names_are_kept_composed_and_without_what_cannot_be_seen(
    server: str, cast: Cast, database: Any
) -> None:
    apart = unicodedata.normalize("NFD", f"  {OWNER}\u200b\x00 ")
    answer = await place(server, cast.bob, order(owner=HOA | {"name": apart}))
    assert answer.status_code == 201
    row = await database.fetchrow("SELECT name, phone, ward FROM person")
    assert tuple(row) == (OWNER, "+84912345678", "30307")


async def test_a_code_of_another_system_belongs_to_one_dossier(
    server: str, cast: Cast, database: Any
) -> None:
    codes = [{"source": "igate", "code": "H01.26-261123-0001"}] * 2
    assert (await place(server, cast.bob, order(codes=codes))).status_code == 201
    answer = await place(server, cast.bob, order(codes=codes))
    assert answer.status_code == 422
    assert list(answer.json()["fields"]) == ["codes.0"]
    assert await database.fetchval("SELECT count(*) FROM dossier") == 1
    assert await database.fetchval("SELECT count(*) FROM dossier_code") == 1


async def test_an_order_to_bring_a_result_gets_its_waybill_with_the_result(
    server: str, cast: Cast
) -> None:
    booked = (await place(server, cast.bob, order(service="receive", papers=[]))).json()
    assert booked["waybill"] is None
    assert booked["label"] is None
    async with await program(server, cast.charlie) as client:
        said = {"id": str(uuid4()), "originals": 1, "fee": 26_000}
        url = f"/api/dossiers/{booked['token']}/result"
        first = await client.post(url, json=said)
        again = await client.post(url, json=said | {"id": str(uuid4())})
        assert first.status_code == again.status_code == 201
        assert first.json() == again.json()
        # The officer sticks the label on: it is his agency's item.
        label = await client.get(first.json()["label"]["svg"])
        assert label.status_code == 200
        assert "KẾT QUẢ VỀ" in label.text


async def test_only_the_dossiers_own_agency_announces_its_result(
    server: str, cast: Cast, database: Any
) -> None:
    booked = (await place(server, cast.bob, order())).json()
    said = {"id": str(uuid4()), "originals": 1}
    url = f"/api/dossiers/{booked['token']}/result"
    for actor, status in ((cast.carol, 404), (cast.bob, 403), (None, 401)):
        async with await program(server, actor) as client:
            answer = await client.post(url, json=said)
        assert answer.status_code == status
    async with await program(server, cast.charlie) as client:
        unknown = await client.post(f"/api/dossiers/{'x' * 22}/result", json=said)
        empty = await client.post(url, json=said | {"originals": 0})
    assert unknown.status_code == 404
    assert empty.status_code == 422
    assert list(empty.json()["fields"]) == ["originals"]
    assert await database.fetchval("SELECT count(*) FROM item WHERE leg='result'") == 0


async def test_the_catalogue_is_open_to_everyone(server: str, cast: Cast) -> None:
    async with await program(server, None) as client:
        procedures = (await client.get("/api/procedures")).json()
        one = (await client.get("/api/procedures", params={"code": "2.000"})).json()
        agencies = (await client.get("/api/agencies")).json()
        wards = (await client.get("/api/wards")).json()
    assert {each["code"] for each in procedures} == {"1.000", "2.000"}
    assert procedures[0]["papers"][0]["name"] == "Đơn đề nghị"
    assert [each["code"] for each in one] == ["2.000"]
    assert [each["code"] for each in agencies] == ["OTHER", "AGENCY"]
    assert len(wards) == 102


async def test_an_address_is_located_with_its_source_and_the_offices_by_distance(
    server: str, cast: Cast
) -> None:
    async with await program(server, None) as client:
        answer = await client.get("/api/places/locate", params={"address": ADDRESS})
        told = answer.json()
        chosen = await client.get(
            "/api/places/locate", params={"address": "ấp 3", "ward": "30316"}
        )
    assert told["ward_name"] == "Phường Long Xuyên"
    assert told["source"] == "ward centroid"
    assert [each["code"] for each in told["offices"]] == ["LX", "CD"]
    # Long Xuyên to Châu Đốc, centre to centre, along the ellipsoid.
    assert told["offices"][1]["distance_m"] == pytest.approx(48_700, rel=0.02)
    assert chosen.json()["offices"][0]["code"] == "CD"


@pytest.mark.parametrize("asked", [{}, {"address": "ở đâu đó"}, {"ward": "nowhere"}])
async def test_an_address_that_is_nowhere_is_refused(
    server: str, cast: Cast, asked: dict[str, str]
) -> None:
    async with await program(server, None) as client:
        answer = await client.get("/api/places/locate", params=asked)
    assert (answer.status_code, answer.json()["error"]) == (422, "BadAddress")


async def test_strangers_ask_for_places_so_often_and_no_more(
    server: str, cast: Cast
) -> None:
    for _ in range(limits.PLACES.most):
        await limits.knock(limits.PLACES, "127.0.0.1")
    async with await program(server, None) as client:
        answer = await client.get("/api/places/locate", params={"address": ADDRESS})
    assert (answer.status_code, answer.json()["error"]) == (429, "TooOften")
    assert 0 < int(answer.headers["retry-after"]) <= 600
    async with await program(server, cast.bob) as client:
        answer = await client.get("/api/places/locate", params={"address": ADDRESS})
    assert answer.status_code == 200
