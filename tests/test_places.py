"""Places: distances, the nearest office, positions by a Nominatim that misbehaves."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postal_track import places
from postal_track.addresses import find_ward, wards
from postal_track.errors import BadAddress
from postal_track.places import (
    AN_GIANG,
    Geocoder,
    Located,
    Place,
    centroid,
    distance_m,
    nearest,
)

LONG_XUYEN = wards()["30307"]
ADDRESS = "12 Nguyễn Huệ, P. Mỹ Long, TP. Long Xuyên, An Giang"
AT_HOME = Place(10.3831, 105.4432)

in_province = st.builds(Place, st.floats(9.2, 11.0), st.floats(103.4, 105.6))


def found(lat: object, lon: object, size: float = 0.0004) -> dict[str, Any]:
    """An answer as Nominatim words it: numbers as text, the box south first."""
    box = [lat, lat, lon, lon]
    if isinstance(lat, float) and isinstance(lon, float):
        box = [lat - size, lat + size, lon - size, lon + size]
    return {
        "place_id": 1,
        "lat": str(lat),
        "lon": str(lon),
        "display_name": "Nguyễn Huệ, Phường Long Xuyên, Tỉnh An Giang, Việt Nam",
        "boundingbox": [str(edge) for edge in box],
    }


class FakeNominatim(ThreadingHTTPServer):
    """A Nominatim on the loopback that answers what a test tells it to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.asked: list[tuple[float, str, dict[str, str]]] = []
        self.status = 200
        self.body: object = [found(AT_HOME.lat, AT_HOME.lon)]
        self.stalled = False
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answering(BaseHTTPRequestHandler):
    server: FakeNominatim

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.server.asked.append((time.monotonic(), parts.path, query))
        if self.server.stalled:
            self.server.over.wait(10)
            return
        body = self.server.body
        text = body if isinstance(body, str) else json.dumps(body)
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def nominatim() -> Iterator[FakeNominatim]:
    with FakeNominatim() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


def astray(server: FakeNominatim) -> None:
    server.body = [found(21.0285, 105.8542)]  # Hà Nội


def another_ward(server: FakeNominatim) -> None:
    server.body = [found(9.99, 105.1)]  # Rạch Giá has a Nguyễn Huệ too


def the_whole_province(server: FakeNominatim) -> None:
    server.body = [found(10.5, 105.2, size=0.7)]


def nothing(server: FakeNominatim) -> None:
    server.body = []


def failure(server: FakeNominatim) -> None:
    server.status, server.body = 500, "Internal Server Error"


def throttling(server: FakeNominatim) -> None:
    server.status, server.body = 429, "Too Many Requests"


def a_page(server: FakeNominatim) -> None:
    server.body = "<html>Log in to the hotel's Wi-Fi</html>"


def an_error_object(server: FakeNominatim) -> None:
    server.body = {"error": {"code": 400}}


def words_for_numbers(server: FakeNominatim) -> None:
    server.body = [found("north", "east")]


def not_a_number(server: FakeNominatim) -> None:
    server.body = [found(float("nan"), float("nan"))]


def a_list_of_numbers(server: FakeNominatim) -> None:
    server.body = [1, 2, 3]


def no_box(server: FakeNominatim) -> None:
    server.body = [{"lat": "10.3831", "lon": "105.4432"}]


def silence(server: FakeNominatim) -> None:
    server.stalled = True


class TestGeocoder:
    async def test_a_good_answer_is_a_position_with_its_accuracy(
        self, nominatim: FakeNominatim
    ) -> None:
        located = await Geocoder(nominatim.url).locate(ADDRESS, LONG_XUYEN)
        assert located.place == AT_HOME
        assert located.source == "nominatim"
        assert located.ward == "30307"
        assert 50 < located.accuracy_m < 80  # half the diagonal of the street's box

    async def test_the_question_names_the_ward_of_today_within_the_province(
        self, nominatim: FakeNominatim
    ) -> None:
        await Geocoder(nominatim.url).locate(ADDRESS, LONG_XUYEN)
        ((_, path, query),) = nominatim.asked
        assert path == "/search"
        assert query["q"] == "12 Nguyễn Huệ, Phường Long Xuyên, An Giang, Việt Nam"
        assert query["countrycodes"] == "vn"
        assert query["bounded"] == "1"
        assert query["viewbox"] == "103.4,9.2,105.6,11.0"

    @pytest.mark.parametrize("path", ["/nominatim", "/maps/nominatim/"])
    async def test_the_server_may_live_under_a_path(
        self, nominatim: FakeNominatim, path: str
    ) -> None:
        await Geocoder(nominatim.url + path).locate(ADDRESS, LONG_XUYEN)
        assert nominatim.asked[0][1] == path.rstrip("/") + "/search"

    async def test_the_first_answer_within_the_ward_counts(
        self, nominatim: FakeNominatim
    ) -> None:
        nominatim.body = [found(9.99, 105.1), found(AT_HOME.lat, AT_HOME.lon)]
        located = await Geocoder(nominatim.url).locate(ADDRESS, LONG_XUYEN)
        assert located.place == AT_HOME

    @pytest.mark.parametrize(
        "mischief",
        [
            nothing,
            astray,
            another_ward,
            the_whole_province,
            failure,
            throttling,
            a_page,
            an_error_object,
            words_for_numbers,
            not_a_number,
            a_list_of_numbers,
            no_box,
            silence,
        ],
    )
    async def test_a_useless_answer_leaves_the_wards_centre(
        self, nominatim: FakeNominatim, mischief: Callable[[FakeNominatim], None]
    ) -> None:
        mischief(nominatim)
        geocoder = Geocoder(nominatim.url, patience=1.0)
        located = await geocoder.locate(ADDRESS, LONG_XUYEN)
        assert located == centroid(LONG_XUYEN)
        assert located.source == "ward centroid"
        assert len(nominatim.asked) == 1

    async def test_no_server_at_all_leaves_the_wards_centre(self) -> None:
        # Port 9 is "discard": nobody listens there.
        located = await Geocoder("http://127.0.0.1:9").locate(ADDRESS, LONG_XUYEN)
        assert located == centroid(LONG_XUYEN)

    async def test_a_stalled_server_does_not_hold_up_anything_else(
        self, nominatim: FakeNominatim
    ) -> None:
        nominatim.stalled = True
        geocoder = Geocoder(nominatim.url, patience=0.4)
        booking = asyncio.create_task(geocoder.locate(ADDRESS, LONG_XUYEN))
        turns = 0
        while not booking.done():
            await asyncio.sleep(0.01)
            turns += 1
        assert turns > 10
        assert (await booking).source == "ward centroid"

    async def test_an_outage_is_felt_once_and_then_let_be(
        self, nominatim: FakeNominatim
    ) -> None:
        failure(nominatim)
        geocoder = Geocoder(nominatim.url, rest=60)
        for _ in range(5):
            await geocoder.locate(ADDRESS, LONG_XUYEN)
        assert len(nominatim.asked) == 1

    async def test_after_the_rest_it_is_asked_again(
        self, nominatim: FakeNominatim
    ) -> None:
        failure(nominatim)
        geocoder = Geocoder(nominatim.url, rest=0)
        await geocoder.locate(ADDRESS, LONG_XUYEN)
        nominatim.status, nominatim.body = 200, [found(AT_HOME.lat, AT_HOME.lon)]
        assert (await geocoder.locate(ADDRESS, LONG_XUYEN)).place == AT_HOME

    async def test_what_was_answered_is_remembered(
        self, nominatim: FakeNominatim
    ) -> None:
        geocoder = Geocoder(nominatim.url)
        first = await geocoder.locate(ADDRESS, LONG_XUYEN)
        again = await geocoder.locate(f"  {ADDRESS.upper()} ", LONG_XUYEN)
        assert again == first
        assert len(nominatim.asked) == 1

    async def test_that_nothing_was_found_is_remembered_too(
        self, nominatim: FakeNominatim
    ) -> None:
        nothing(nominatim)
        geocoder = Geocoder(nominatim.url)
        for _ in range(2):
            await geocoder.locate(ADDRESS, LONG_XUYEN)
        assert len(nominatim.asked) == 1

    async def test_the_memory_is_bounded_and_drops_the_oldest(
        self, nominatim: FakeNominatim
    ) -> None:
        geocoder = Geocoder(nominatim.url, remembered=2)
        for street in ("1 A", "2 B", "3 C", "3 C", "1 A"):
            await geocoder.locate(street, LONG_XUYEN)
        asked = [query["q"].split(",")[0] for _, _, query in nominatim.asked]
        assert asked == ["1 A", "2 B", "3 C", "1 A"]

    async def test_questions_keep_their_distance(
        self, nominatim: FakeNominatim
    ) -> None:
        geocoder = Geocoder(nominatim.url, every=0.15)
        streets = [f"{number} Lê Lợi" for number in range(4)]
        await asyncio.gather(*(geocoder.locate(one, LONG_XUYEN) for one in streets))
        times = sorted(at for at, _, _ in nominatim.asked)
        assert len(times) == 4
        # What the server sees is a little blurred by the way there.
        assert times[-1] - times[0] > 3 * 0.15 - 0.05

    async def test_without_a_url_nobody_is_asked(self) -> None:
        assert await Geocoder("").locate(ADDRESS, LONG_XUYEN) == centroid(LONG_XUYEN)

    async def test_the_log_never_holds_an_address(
        self, nominatim: FakeNominatim, caplog: pytest.LogCaptureFixture
    ) -> None:
        failure(nominatim)
        with caplog.at_level("INFO"):
            await Geocoder(nominatim.url).locate(ADDRESS, LONG_XUYEN)
        assert "Nominatim did not answer" in caplog.text
        assert "Nguy" not in caplog.text


class TestLocate:
    """By the settings of the tests, which name no Nominatim."""

    @pytest.mark.parametrize("ward", ["30307", "Phường Long Xuyên", "p long xuyen", ""])
    async def test_the_ward_is_the_one_chosen_or_the_one_in_the_address(
        self, ward: str
    ) -> None:
        assert await places.locate(ADDRESS, ward) == centroid(LONG_XUYEN)

    @pytest.mark.parametrize(
        ("address", "ward"),
        [
            ("12 Nguyễn Huệ", ""),
            ("Long Xuyên, An Giang", ""),  # the town of before, or the ward of today?
            (ADDRESS, "Phường Cao Lãnh"),
            (ADDRESS, "99999"),
        ],
    )
    async def test_what_cannot_be_placed_is_for_a_person_to_choose(
        self, address: str, ward: str
    ) -> None:
        with pytest.raises(BadAddress, match="list"):
            await places.locate(address, ward)


class TestDistance:
    def test_it_is_that_of_the_ellipsoid(self) -> None:
        # Long Xuyên to Rạch Giá: 55 km as the crow flies.
        long_xuyen, rach_gia = Place(10.3661, 105.423), Place(9.99098, 105.1)
        assert distance_m(long_xuyen, rach_gia) == pytest.approx(54_570, abs=300)

    @given(in_province, in_province)
    def test_there_is_as_far_as_back(self, one: Place, other: Place) -> None:
        assert distance_m(one, other) == pytest.approx(distance_m(other, one), abs=0.01)
        assert distance_m(one, one) == 0

    @given(in_province, st.lists(in_province, min_size=1, max_size=40))
    def test_nearest_is_nearest(self, here: Place, there: list[Place]) -> None:
        rows = [
            {"lat": each.lat, "lon": each.lon, "id": n} for n, each in enumerate(there)
        ]
        closest = nearest(here, rows)
        least = min(distance_m(here, each) for each in there)
        chosen = distance_m(here, Place(closest["lat"], closest["lon"]))
        assert chosen == pytest.approx(least, abs=1)

    def test_of_no_offices_none_is_nearest(self) -> None:
        no_rows: list[dict[str, float]] = []
        with pytest.raises(ValueError, match="empty"):
            nearest(AT_HOME, no_rows)


def test_a_centre_is_within_the_province_and_owns_to_its_inaccuracy() -> None:
    for ward in wards().values():
        located = centroid(ward)
        assert located.place in AN_GIANG
        assert 1000 < located.accuracy_m < 25_000
    phu_quoc = find_ward("Phú Quốc")
    assert phu_quoc
    assert centroid(phu_quoc) == Located(
        "31078", Place(10.2751, 103.991), "ward centroid", 20_543
    )
