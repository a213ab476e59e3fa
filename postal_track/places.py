"""Places on the map: how far apart, which is nearest, and where an address is.

An address is looked up by a Nominatim when one is set, else it is its ward's centre;
the answer says which, and how far off it may be. Does not know parties or items. A
network that fails, stalls or talks nonsense never stops a booking.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Protocol, TypeVar
from urllib.parse import urlsplit

from geopy.adapters import AioHTTPAdapter
from geopy.distance import geodesic
from geopy.extra.rate_limiter import AsyncRateLimiter
from geopy.geocoders import Nominatim
from geopy.location import Location

from postal_track.addresses import PROVINCE, Ward, find_ward, read_address
from postal_track.errors import BadAddress
from postal_track.settings import settings

log = logging.getLogger(__name__)

Source = Literal["nominatim", "ward centroid"]


@dataclass(frozen=True, slots=True)
class Place:
    """A point in degrees, WGS 84."""

    lat: float
    lon: float


@dataclass(frozen=True, slots=True)
class Located:
    """Where an address is: `ward` is its code, `accuracy_m` a radius in metres."""

    ward: str
    place: Place
    source: Source
    accuracy_m: int


@dataclass(frozen=True, slots=True)
class Box:
    """A stretch of the map between two parallels and two meridians."""

    south: float
    west: float
    north: float
    east: float

    def __contains__(self, place: Place) -> bool:
        return (
            self.south <= place.lat <= self.north
            and self.west <= place.lon <= self.east
        )


# The province with its islands, from Tho Chau to the Cambodian border.
AN_GIANG = Box(south=9.2, west=103.4, north=11.0, east=105.6)


class Row(Protocol):
    """Anything with columns `lat` and `lon`: a mapping, or a row of the database."""

    def __getitem__(self, name: str, /) -> Any: ...


AnyRow = TypeVar("AnyRow", bound=Row)


def distance_m(a: Place, b: Place) -> float:
    """Measure along the ellipsoid, in metres."""
    metres: float = geodesic((a.lat, a.lon), (b.lat, b.lon)).meters
    return metres


def nearest(place: Place, rows: Iterable[AnyRow]) -> AnyRow:
    """Find the row nearest to the place. Raises ValueError when there is none."""

    def squared(row: AnyRow) -> float:
        # Flat, with meridians that draw together: good enough to leave most rows out,
        # which a geodesic each would make slow.
        narrow = math.cos(math.radians(place.lat))
        east, north = (row["lon"] - place.lon) * narrow, row["lat"] - place.lat
        return float(east * east + north * north)

    close = sorted(rows, key=squared)[:4]
    return min(close, key=lambda row: distance_m(place, Place(row["lat"], row["lon"])))


def centroid(ward: Ward) -> Located:
    """Place an address at the centre of its ward, as far off as the ward is wide."""
    return Located(
        ward.code, Place(ward.lat, ward.lon), "ward centroid", round(_radius_m(ward))
    )


def _radius_m(ward: Ward) -> float:
    # Wards are longer than they are broad: half as much again as a circle's radius.
    return 1.5 * math.sqrt(ward.area_km2 / math.pi) * 1000


async def locate(address: str, ward: str = "", *, ask: bool = True) -> Located:
    """Find where an address is; `ward` is its code or name, when a person chose it.

    Without ``ask`` no geocoder is asked: of a long list the wards' centres will do.
    Raises BadAddress when no ward was chosen and the address can mean none or several.
    """
    found = find_ward(ward) if ward.strip() else _read_ward(address)
    if found is None:
        raise BadAddress
    return await _geocoder().locate(address, found) if ask else centroid(found)


def _read_ward(address: str) -> Ward | None:
    read = read_address(address)
    return read.ward if read.sure else None


@cache
def _geocoder() -> Geocoder:
    return Geocoder(settings().NOMINATIM_URL)


class Geocoder:
    """Asks one Nominatim for positions, gently, and remembers what it said."""

    def __init__(
        self,
        url: str,
        *,
        every: float | None = None,
        patience: float = 3.0,
        rest: float = 30.0,
        remembered: int = 10_000,
    ) -> None:
        """Ask the Nominatim at `url`; an empty one is never asked.

        `every`: seconds between two questions (the public servers' rule is one a
        second; a server of one's own needs no pause). `patience`: seconds a booking
        waits at most, its turn included. `rest`: seconds without a question after one
        that failed, so that an outage is felt once and not by everybody.
        """
        parts = urlsplit(url)
        public = (parts.hostname or "").endswith("openstreetmap.org")
        self._asked = bool(url)
        self._scheme = parts.scheme or "https"
        self._domain = parts.netloc + parts.path.rstrip("/")
        self._patience = patience
        self._rest = rest
        self._resting_until = -math.inf
        self._remembered = remembered
        self._memory: OrderedDict[tuple[str, str], Located] = OrderedDict()
        self._ask = AsyncRateLimiter(
            self._question,
            min_delay_seconds=(1.0 if public else 0.0) if every is None else every,
            max_retries=0,
            swallow_exceptions=False,
        )

    async def locate(self, address: str, ward: Ward) -> Located:
        """Find the address within the ward, or answer with the ward's centre."""
        if not self._asked or time.monotonic() < self._resting_until:
            return centroid(ward)
        key = (" ".join(address.lower().split()), ward.code)
        if key in self._memory:
            self._memory.move_to_end(key)
            return self._memory[key]
        try:
            async with asyncio.timeout(self._patience):
                answers = await self._ask(_query(address, ward))
            located = _best(answers, ward)
        except Exception as fault:
            # Whatever a stranger's server does, a booking goes on. The address is left
            # out: it is somebody's home.
            log.warning("Nominatim did not answer: %s", type(fault).__name__)
            self._resting_until = time.monotonic() + self._rest
            return centroid(ward)
        self._remember(key, located)
        return located

    def _remember(self, key: tuple[str, str], located: Located) -> None:
        self._memory[key] = located
        while len(self._memory) > self._remembered:
            self._memory.popitem(last=False)

    async def _question(self, query: str) -> Sequence[Location]:
        # One session per question: it belongs to no loop and needs no closing later.
        async with Nominatim(
            domain=self._domain,
            scheme=self._scheme,
            timeout=self._patience,
            user_agent="postal-track",
            adapter_factory=AioHTTPAdapter,
        ) as nominatim:
            found = await nominatim.geocode(
                query,
                exactly_one=False,
                limit=5,
                language="vi",
                country_codes="vn",
                viewbox=[
                    (AN_GIANG.south, AN_GIANG.west),
                    (AN_GIANG.north, AN_GIANG.east),
                ],
                bounded=True,
            )
        return found or []


def _query(address: str, ward: Ward) -> str:
    street = read_address(address).street or address
    return f"{street}, {ward.name}, {PROVINCE}, Việt Nam"


def _best(answers: Iterable[Location], ward: Ward) -> Located:
    """Take the first answer that is nearer the truth than the ward's centre."""
    centre = centroid(ward)
    for answer in answers:
        place = Place(answer.latitude, answer.longitude)
        accuracy = _accuracy_m(answer, place)
        # Names repeat from ward to ward: what lies far outside is another one's.
        astray = distance_m(place, centre.place) > 2 * centre.accuracy_m
        if place in AN_GIANG and not astray and accuracy < centre.accuracy_m:
            return Located(ward.code, place, "nominatim", accuracy)
    return centre


def _accuracy_m(answer: Location, place: Place) -> int:
    # What was found may be a house, a street or a village: its box tells.
    south, north, west, east = map(float, answer.raw["boundingbox"])
    corners = (Place(south, west), Place(north, east))
    return max(10, round(max(distance_m(place, corner) for corner in corners)))
