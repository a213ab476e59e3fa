"""A province to try things in.

Made-up offices, people and some forty dossiers in every stage.

The histories are told by the same ``book`` and ``record`` that real orders and scans
take, with times in the last days. Nothing here is real, and nothing is loaded where
real texts could be sent.
"""

import json
import random
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from asyncpg import Connection

from postal_track import (
    codes,
    demo_day,
    demo_desk,
    demo_money,
    demo_wishes,
    expectations,
)
from postal_track.addresses import wards
from postal_track.bookings import (
    Announcement,
    Booked,
    Order,
    PaperGiven,
    PersonGiven,
    announce_result,
    book,
    print_pool,
)
from postal_track.custody import Reason, Step
from postal_track.database import transaction
from postal_track.handoffs import Outcome, Position, Proof, Scan, record
from postal_track.settings import settings
from postal_track.staff import Actor, actor_of, hash_password

PASSWORD = "buu-dien-2026"  # noqa: S105 - the demo's own, printed at every start
LOCAL = ZoneInfo("Asia/Ho_Chi_Minh")

PREFIXES = ("090", "091", "093", "094", "096", "097", "098")

SEED = 1975  # the same province at every first start

SIGNATURE = "M10 40 C30 5 45 75 60 38 S95 20 110 45"


@cache
def _data() -> dict[str, Any]:
    path = Path(__file__).parent / "data" / "demo.json"
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


async def load_once() -> bool:
    """Load the demo into an empty database; whether it was loaded.

    Never where texts leave the house: the demo's numbers could be somebody's.
    """
    if settings().SMS_GATEWAYS != ("console",):
        return False
    async with transaction() as connection:
        await connection.execute("SELECT pg_advisory_xact_lock(1975)")
        if await connection.fetchval("SELECT EXISTS (SELECT FROM staff)"):
            return False
        await _load_houses(connection)
    await _tell_stories()
    await _remember()
    await demo_wishes.ask()
    await demo_day.plan()
    return True


def greeting(public_url: str) -> str:
    """Say where to look and as whom, for the one who has just started it."""
    if settings().SMS_GATEWAYS != ("console",):
        return f"Worth opening: {public_url}/ {public_url}/login {public_url}/health"
    logins = "\n".join(
        f"    {role:<12} {login}"
        for role, login in (
            ("carrier", "buuta.an"),
            ("clerk", "gdv.giang"),
            ("officer", "canbo.minh"),
            ("supervisor", "giamsat"),
            ("admin", "quantri"),
            ("auditor", "kiemtoan"),
        )
    )
    return (
        f"Demo logins, all with the password {PASSWORD}:\n{logins}\n"
        f"Worth opening:\n"
        f"    {public_url}/scan      scan a label (as carrier, clerk or officer)\n"
        f"    {public_url}/day       a day's run (as carrier)\n"
        f"    {public_url}/items     who holds what (as supervisor)\n"
        f"    {public_url}/sms       every text that went out (as supervisor)"
    )


async def _load_houses(connection: Connection) -> None:
    """Write offices, agencies, procedures and staff."""
    data, offices, agencies = _data(), {}, {}
    for each in data["offices"]:
        ward = wards()[each["ward"]]
        offices[each["code"]] = await connection.fetchval(
            """
            INSERT INTO office (code, name, short_name, hub, ward, lat, lon, synthetic)
            VALUES ($1, $2, $3, $4, $5, $6, $7, true) RETURNING id
            """,
            each["code"],
            each["name"],
            each["short"],
            each["hub"],
            each["ward"],
            ward.lat,
            ward.lon,
        )
    for each in data["agencies"]:
        ward = wards()[each["ward"]]
        agencies[each["code"]] = await connection.fetchval(
            """
            INSERT INTO agency (code, name, name_en, short_name, ward, lat, lon, office,
                synthetic)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, true) RETURNING id
            """,
            each["code"],
            each["name"],
            each["name_en"],
            each["short"],
            each["ward"],
            ward.lat,
            ward.lon,
            offices[each["office"]],
        )
    for each in data["procedures"]:
        await _load_procedure(connection, each)
    password = await hash_password(PASSWORD)
    for each in data["staff"]:
        staff = await connection.fetchval(
            """
            INSERT INTO staff (login, name, role, password, office, language, active)
            VALUES ($1, $2, $3, $4, $5, 'vi', true) RETURNING id
            """,
            each["login"],
            each["name"],
            each["role"],
            password,
            offices.get(each.get("office")),
        )
        for code in each.get("agencies", ()):
            await connection.execute(
                "INSERT INTO staff_agency (staff, agency, chief) VALUES ($1, $2, $3)",
                staff,
                agencies[code],
                code in each.get("chief", ()),
            )


# Of thirty legs of two months: how many took 0, 1, 2 .. working days.
REMEMBERED = {
    "wait": (4, 22, 4),
    "way": (2, 13, 9, 4, 2),
    "last": (24, 4, 2),
}


async def _remember() -> None:
    """Let there have been legs before these, so that days can be expected at all."""
    async with transaction() as connection:
        for phase, counts in REMEMBERED.items():
            await connection.execute(
                """
                INSERT INTO leg_count (week, leg, phase, origin, destination, days,
                    legs)
                SELECT date_trunc('week', now())::date - 7 * weeks, leg, $1,
                    CASE leg WHEN 'dossier' THEN office ELSE agency END,
                    CASE leg WHEN 'dossier' THEN agency ELSE office END, took - 1, legs
                FROM (SELECT 'office:' || office AS office, 'agency:' || id AS agency
                    FROM agency) pairs, generate_series(0, 8) weeks,
                    unnest(ARRAY['dossier', 'result']) leg,
                    unnest($2::int[]) WITH ORDINALITY AS n(legs, took)
                """,
                phase,
                counts,
            )
    await expectations.learn()


async def _load_procedure(connection: Connection, given: dict[str, Any]) -> None:
    procedure = await connection.fetchval(
        """
        INSERT INTO procedure (code, name, name_en, days, fee, sensitive, in_person,
            takes_back_old)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id
        """,
        given["code"],
        given["name"],
        given["name_en"],
        given["days"],
        given["fee"],
        given.get("sensitive", False),
        given.get("in_person", False),
        given.get("takes_back_old", False),
    )
    await connection.executemany(
        """
        INSERT INTO procedure_paper (procedure, position, name, name_en, originals,
            copies, required)
        VALUES ($1, $2, $3, $4, $5, $6, true)
        """,
        [(procedure, at, *paper) for at, paper in enumerate(given["papers"], 1)],
    )


@dataclass(slots=True)
class _Town:
    """Who is at work where a dossier is collected, and the agency it goes to."""

    office: str
    ward: str
    carrier: Actor
    clerk: Actor
    agency: str
    officer: Actor
    colleague: Actor
    supervisor: Actor


@dataclass(slots=True)
class _Tale:
    """One dossier and the moment its story has reached."""

    town: _Town
    now: datetime
    chance: random.Random
    booked: Booked
    result: str = ""
    sequence: int = 0
    outcomes: list[Outcome] = field(default_factory=list)

    async def scan(self, actor: Actor, step: Step, hours: float, **more: Any) -> None:
        """Tell the next step, some hours later, with a phone that knows where it is."""
        self.now = _by_day(self.now + timedelta(hours=hours))
        self.sequence += 1
        scan = Scan(
            id=uuid4(),
            code=self.result or self.booked.waybill or "",
            step=step,
            at=self.now,
            actor=actor,
            device=f"demo-{actor.login}",
            device_seq=self.sequence,
            position=self._near(actor),
            **more,
        )
        (outcome,) = await record([scan])
        if outcome.error is not None:
            raise outcome.error
        self.outcomes.append(outcome)

    def _near(self, actor: Actor) -> Position | None:
        if actor.location is None:
            return None
        away = 0.004 if actor.settled else 0.02
        return Position(
            actor.location.lat + self.chance.uniform(-away, away),
            actor.location.lon + self.chance.uniform(-away, away),
            self.chance.choice([8, 12, 25]),
        )


async def _tell_stories() -> None:
    chance = random.Random(SEED)  # noqa: S311 - nothing to guess here
    actors = await _actors()
    towns = [
        _town(
            actors,
            "DEMO-LX",
            "30307",
            "buuta.an",
            "gdv.giang",
            "DEMO-LX-PVHCC",
            "canbo.minh",
            "buuta.binh",
        ),
        _town(
            actors,
            "DEMO-RG",
            "30742",
            "buuta.cuong",
            "gdv.hanh",
            "DEMO-PVHCC",
            "canbo.lan",
            "laixe.em",
        ),
        _town(
            actors,
            "DEMO-CD",
            "30316",
            "buuta.dao",
            "gdv.khanh",
            "DEMO-CD-PVHCC",
            "canbo.nga",
            "laixe.em",
        ),
    ]
    for number, ending in enumerate(ENDINGS):
        town = towns[number % len(towns)]
        tale = await _begin(town, chance, number, days_ago=DAYS_AGO.get(ending, 2))
        await _STORIES[ending](tale)
    await print_pool(actors["gdv.giang"], 30)
    await demo_money.leave_something_to_do(
        actors["buuta.an"],
        actors["buuta.cuong"],
        actors["gdv.hanh"],
        chance,
        datetime.now(UTC),
    )
    officers = ("canbo.minh", "canbo.lan", "canbo.nga")
    procedure = _data()["procedures"][0]["code"]
    await demo_desk.leave_something_to_do([actors[o] for o in officers], procedure)


def _town(
    actors: dict[str, Actor],
    office: str,
    ward: str,
    carrier: str,
    clerk: str,
    agency: str,
    officer: str,
    colleague: str,
) -> _Town:
    return _Town(
        office=office,
        ward=ward,
        carrier=actors[carrier],
        clerk=actors[clerk],
        agency=agency,
        officer=actors[officer],
        colleague=actors[colleague],
        supervisor=actors["giamsat"],
    )


async def _actors() -> dict[str, Actor]:
    async with transaction() as connection:
        numbers = await connection.fetch("SELECT id FROM staff ORDER BY id")
        found = [await actor_of(connection, row["id"]) for row in numbers]
    return {actor.login: actor for actor in found}


async def _begin(
    town: _Town, chance: random.Random, number: int, days_ago: float
) -> _Tale:
    """Book one dossier some days ago, over the counter or by the citizen himself."""
    data = _data()
    procedure = data["procedures"][number % len(data["procedures"])]
    started = _working_morning(datetime.now(UTC) - timedelta(days=days_ago))
    name = " ".join(
        (
            chance.choice(data["surnames"]),
            chance.choice(data["middles"]),
            chance.choice(data["givens"]),
        )
    )
    road, ward = chance.choice(data["streets"]), wards()[town.ward].name
    street = f"{chance.randint(1, 320)} {road}, {ward}"
    order = Order(
        id=UUID(int=chance.getrandbits(128), version=4),
        procedure=procedure["code"],
        agency=town.agency,
        service="both",
        owner=PersonGiven(
            name,
            f"{chance.choice(PREFIXES)}{chance.randint(0, 9_999_999):07d}",
            street,
            town.ward,
        ),
        papers=[PaperGiven(p[0], p[2], p[3]) for p in procedure["papers"]],
        office=town.office,
        language="en" if number % 9 == 8 else "vi",
        source="citizen" if number % 3 == 1 else "counter",
        postage=demo_money.POSTAGE[number % len(demo_money.POSTAGE)],
    )
    booked = await book(
        order, None if order.source == "citizen" else town.clerk, at=started
    )
    return _Tale(town, started, chance, booked)


def _working_morning(moment: datetime) -> datetime:
    """Move to the morning of a day that is no Sunday: stories look like work."""
    day = (
        moment - timedelta(days=1)
        if (moment + timedelta(hours=7)).weekday() == 6
        else moment
    )
    return day.astimezone(UTC).replace(
        hour=1, minute=secrets.randbelow(40), second=0, microsecond=0
    )


def _by_day(moment: datetime) -> datetime:
    """Move a moment into the hours when people are at work, and never past now."""
    local = moment.astimezone(LOCAL)
    if local.hour < 7:
        local = local.replace(hour=7, minute=local.minute // 2)
    elif local.hour >= 18:
        local = (local + timedelta(days=1)).replace(hour=7, minute=local.minute // 2)
    return min(local.astimezone(UTC), datetime.now(UTC) - timedelta(seconds=5))


# The stories. Each goes on from the one before it.


async def _booked(tale: _Tale) -> None:
    """Wait for the carrier."""


async def _pickup_failed(tale: _Tale) -> None:
    await tale.scan(tale.town.carrier, Step.PICKUP_FAILED, 5, reason=Reason.ABSENT)


async def _collected(tale: _Tale) -> None:
    papers = await _papers(tale)
    await tale.scan(
        tale.town.carrier,
        Step.ACCEPTED,
        3,
        originals=papers[0],
        copies=papers[1],
        seal_no=f"NP{tale.chance.randint(100_000, 999_999)}",
        proof=Proof("code", code=await _code(tale, "pickup")),
    )
    await _paid(tale, tale.booked.waybill or "")


async def _at_office(tale: _Tale) -> None:
    await _collected(tale)
    await tale.scan(tale.town.clerk, Step.ARRIVED, 3)


async def _in_transit(tale: _Tale) -> None:
    await _at_office(tale)
    await tale.scan(tale.town.carrier, Step.TAKEN, 2)


async def _out_to_agency(tale: _Tale) -> None:
    await _at_office(tale)
    await tale.scan(tale.town.carrier, Step.OUT, 16)


async def _agency_closed(tale: _Tale) -> None:
    await _out_to_agency(tale)
    await tale.scan(tale.town.carrier, Step.ATTEMPTED, 1, reason=Reason.OFFICE_CLOSED)


async def _received(tale: _Tale) -> None:
    await _out_to_agency(tale)
    papers = await _papers(tale)
    await tale.scan(
        tale.town.officer, Step.RECEIVED, 1, originals=papers[0], copies=papers[1]
    )


async def _registered(tale: _Tale) -> None:
    await _received(tale)
    code = (
        f"H01.{tale.chance.randint(10, 40)}-{tale.now:%y%m%d}-"
        f"{tale.chance.randint(1, 9999):04d}"
    )
    due = (tale.now + timedelta(days=tale.chance.randint(2, 6))).date()
    await tale.scan(
        tale.town.officer, Step.REGISTERED, 1, dossier_code=code, due_on=due
    )


async def _ready(tale: _Tale) -> None:
    await _registered(tale)
    tale.now = _by_day(tale.now + timedelta(hours=30))
    said = Announcement(
        id=uuid4(),
        token=tale.booked.token,
        originals=1,
        copies=0,
        fee=tale.chance.choice([0, 26_000, 31_500]),
    )
    tale.result = await announce_result(said, tale.town.officer, at=tale.now)


async def _result_collected(tale: _Tale) -> None:
    await _ready(tale)
    await tale.scan(tale.town.carrier, Step.ACCEPTED, 2, originals=1, copies=0)


async def _result_at_office(tale: _Tale) -> None:
    await _result_collected(tale)
    await tale.scan(tale.town.clerk, Step.ARRIVED, 2)


async def _out(tale: _Tale) -> None:
    await _result_at_office(tale)
    tale.now = max(tale.now, datetime.now(UTC) - timedelta(hours=2))
    await tale.scan(tale.town.carrier, Step.OUT, 0.5)


async def _attempted(tale: _Tale) -> None:
    await _result_at_office(tale)
    await tale.scan(tale.town.carrier, Step.OUT, 3)
    await tale.scan(tale.town.carrier, Step.ATTEMPTED, 2, reason=Reason.ABSENT)


async def _delivered_on_code(tale: _Tale) -> None:
    await _result_at_office(tale)
    await tale.scan(tale.town.carrier, Step.OUT, 3)
    await tale.scan(
        tale.town.carrier,
        Step.DELIVERED,
        2,
        proof=Proof("code", code=await _code(tale, "delivery")),
    )
    await _paid(tale, tale.result)


async def _paid(tale: _Tale, waybill: str) -> None:
    """Settle at the door what is owed, or some of the time not yet."""
    town = tale.town
    await demo_money.at_the_door(
        waybill, town.carrier, town.clerk, tale.chance, tale.now
    )


async def _delivered_on_signature(tale: _Tale) -> None:
    await _result_at_office(tale)
    await tale.scan(tale.town.carrier, Step.OUT, 3)
    signed = Proof(
        "signature",
        signature=SIGNATURE,
        id_kind="cccd",
        id_last4=f"{tale.chance.randint(0, 9999):04d}",
    )
    await tale.scan(tale.town.carrier, Step.DELIVERED, 2, proof=signed)
    await _paid(tale, tale.result)


async def _held(tale: _Tale) -> None:
    await _attempted(tale)
    await tale.scan(tale.town.clerk, Step.HELD, 3)


async def _refused(tale: _Tale) -> None:
    await _out_to_agency(tale)
    await tale.scan(
        tale.town.officer,
        Step.REFUSED,
        1,
        reason=Reason.MISSING_PAPERS,
        note="Thiếu giấy khám sức khỏe",
    )


async def _corrected(tale: _Tale) -> None:
    await _at_office(tale)
    await tale.scan(tale.town.carrier, Step.TAKEN, 1)
    await tale.scan(
        tale.town.supervisor,
        Step.CORRECTED,
        0.05,
        corrects=tale.outcomes[-1].id,
        reason=Reason.DID_NOT_OCCUR,
    )


async def _promised(tale: _Tale) -> None:
    await _at_office(tale)
    await tale.scan(tale.town.clerk, Step.RELEASED, 1, to=tale.town.carrier.party)


async def _grabbed(tale: _Tale) -> None:
    await _collected(tale)
    await tale.scan(tale.town.colleague, Step.TAKEN, 2)


async def _miscounted(tale: _Tale) -> None:
    await _collected(tale)
    papers = await _papers(tale)
    await tale.scan(
        tale.town.clerk, Step.ARRIVED, 3, originals=papers[0], copies=papers[1] + 1
    )


async def _torn(tale: _Tale) -> None:
    await _collected(tale)
    await tale.scan(
        tale.town.clerk, Step.ARRIVED, 3, seal_broken=True, note="Mép phong bì bị rách"
    )


_STORIES = {
    story.__name__.strip("_"): story
    for story in (
        _booked,
        _pickup_failed,
        _collected,
        _at_office,
        _in_transit,
        _out_to_agency,
        _agency_closed,
        _received,
        _registered,
        _ready,
        _result_collected,
        _result_at_office,
        _out,
        _attempted,
        _delivered_on_code,
        _delivered_on_signature,
        _held,
        _refused,
        _corrected,
        _promised,
        _grabbed,
        _miscounted,
        _torn,
    )
}

ENDINGS = [*_STORIES, *_STORIES, "delivered_on_code", "registered"]
"""How each of the dossiers ends for now: every story twice, in different towns."""

DAYS_AGO = {
    "booked": 0.2,
    "pickup_failed": 1,
    "collected": 1,
    "at_office": 1,
    "promised": 1,
    "grabbed": 1,
    "miscounted": 2,
    "torn": 2,
    "registered": 5,
    "ready": 6,
    "result_collected": 7,
    "result_at_office": 7,
    "out": 7,
    "attempted": 8,
    "held": 9,
    "refused": 2,
    "corrected": 0.3,
    "delivered_on_code": 12,
    "delivered_on_signature": 13,
}
"""When each story begins."""


async def _papers(tale: _Tale) -> tuple[int, int]:
    async with transaction() as connection:
        row = await connection.fetchrow(
            """
            SELECT sum(originals)::int AS o, sum(copies)::int AS c
            FROM paper WHERE dossier = $1
            """,
            tale.booked.dossier,
        )
    return row["o"], row["c"]


async def _code(tale: _Tale, purpose: str) -> str:
    """Know the code as the citizen does: from his page or his text."""
    async with transaction() as connection:
        nonce = await connection.fetchval(
            """
            SELECT c.nonce FROM one_time_code c JOIN item i ON i.id = c.item
            WHERE i.dossier = $1 AND c.purpose = $2 ORDER BY c.id DESC LIMIT 1
            """,
            tale.booked.dossier,
            purpose,
        )
    return codes.digits(nonce)
