"""Logins: who someone is, what his role is and for which places he acts.

Passwords are argon2id, sessions are rows (they survive a restart), failed logins are
counted. Does not know how a session travels; that is the routes' affair.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from asyncpg import Connection, Record

from postal_track import devices
from postal_track.batching import Together
from postal_track.custody import Party, PartyKind, Role
from postal_track.database import given, look, transaction
from postal_track.errors import (
    DeviceSignedOut,
    LoginThrottled,
    NotFound,
    NotLoggedIn,
    NotYourPlace,
    SessionExpired,
)
from postal_track.places import Place
from postal_track.settings import settings

THROTTLE_WINDOW = timedelta(minutes=15)
TRIES_PER_LOGIN = 5
TRIES_PER_ADDRESS = 50  # a whole post office may share one address


@dataclass(frozen=True, slots=True)
class Unit:
    """An agency that an officer belongs to."""

    party: Party
    name: str
    name_en: str
    location: Place


@dataclass(frozen=True, slots=True)
class Actor:
    """Someone who may say something: a member of staff, with what he acts for.

    ``places`` are all the offices or agencies he speaks for, ``place`` the one he
    usually does. ``location`` is where that place stands. ``units`` are an officer's
    agencies, ``unit`` the one of them that he has chosen to work for in this session,
    ``chief_of`` those whose people's work he sees.
    """

    staff: int
    login: str
    name: str
    role: Role
    place: Party | None
    places: frozenset[Party]
    location: Place | None
    place_text: str = ""
    language: str = "vi"
    device: str = ""  # the phone of his session, when it has a name
    unit: Party | None = None
    units: tuple[Unit, ...] = ()
    chief_of: frozenset[Party] = frozenset()
    party: Party = field(init=False)  # he himself, as a holder

    def __post_init__(self) -> None:
        """Work his party out once: each of his scans asks for it many times."""
        object.__setattr__(self, "party", Party(PartyKind.STAFF, self.staff))

    @property
    def settled(self) -> bool:
        """Whether his work is at a counter or desk, not on the road."""
        return self.role in (Role.CLERK, Role.OFFICER)

    @property
    def desk(self) -> frozenset[Party]:
        """The places whose desk he has before him: the chosen unit's, or all."""
        return frozenset({self.unit}) if self.unit else self.places

    @property
    def office(self) -> int | None:
        """The number of his office, if he is of the post."""
        return (
            self.place.id
            if self.place and self.place.kind is PartyKind.OFFICE
            else None
        )


@dataclass(frozen=True, slots=True)
class Opened:
    """A fresh login: the token is told once and never kept."""

    token: str
    expires_at: datetime
    actor: Actor


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobodys_hash() -> str:
    """Give an unknown login a hash to fail against, so that it takes as long."""
    return _hasher().hash(secrets.token_urlsafe(16))


async def hash_password(password: str) -> str:
    """Hash with argon2id, off the event loop."""
    return await asyncio.to_thread(_hasher().hash, password)


async def log_in(
    login: str,
    password: str,
    address: str,
    agent: str = "",
    device: str = "",
    device_name: str = "",
) -> Opened:
    """Check a password and open a session, on a phone that calls itself ``device``.

    Raises ``LoginThrottled`` after too many failures for this login or from this
    address, else ``NotLoggedIn``; whether the login or the password was wrong is not
    told. ``DeviceSignedOut`` when both were right, but the phone is not let in.
    """
    login, device = login.strip().lower()[:40], devices.own_name(device)
    async with transaction() as connection:
        await _throttle(connection, login, address)
        row = await connection.fetchrow(
            "SELECT id, password FROM staff WHERE login = $1 AND active", login
        )
    right = await asyncio.to_thread(
        _matches, row["password"] if row else _nobodys_hash(), password
    )
    succeeded = row is not None and right
    async with transaction() as connection:
        await connection.execute(
            """
            INSERT INTO login_attempt (login, address, at, succeeded)
            VALUES ($1, $2, now(), $3)
            """,
            login,
            address[:45],
            succeeded,
        )
        out = succeeded and await devices.is_out(connection, device)
        opened = None
        if row and right and not out:
            if device:
                await devices.admit(connection, device, row["id"], agent, device_name)
            opened = await open_session(connection, row["id"], agent, device)
    if out:
        await devices.learnt(device)
        raise DeviceSignedOut
    if opened is None:
        raise NotLoggedIn
    return opened


def _matches(kept: str, given: str) -> bool:
    try:
        return _hasher().verify(kept, given)
    except (VerifyMismatchError, InvalidHashError):
        return False


async def _throttle(connection: Connection, login: str, address: str) -> None:
    """Count failures since the last success, per login and per address."""
    row = await connection.fetchrow(
        """
        SELECT count(*) FILTER (WHERE login = $1 AND at > coalesce((SELECT max(at) FROM
            login_attempt
                   WHERE login = $1 AND succeeded), '-infinity')) AS of_login,
            count(*) FILTER (WHERE address = $2) AS of_address,
            extract(epoch FROM min(at) + $3 - now())::int AS seconds
        FROM login_attempt WHERE (login = $1 OR address = $2) AND NOT succeeded AND at >
            now() - $3
        """,
        login,
        address[:45],
        THROTTLE_WINDOW,
    )
    if row["of_login"] >= TRIES_PER_LOGIN or row["of_address"] >= TRIES_PER_ADDRESS:
        raise LoginThrottled(max(1, row["seconds"]))


async def open_session(
    connection: Connection, staff: int, agent: str = "", device: str = ""
) -> Opened:
    """Open a session for a member of staff whose password was checked."""
    token = secrets.token_urlsafe(32)
    expires_at = datetime.now(UTC) + timedelta(hours=settings().SESSION_HOURS)
    await connection.execute(
        """
        INSERT INTO session (token, staff, created_at, expires_at, agent, device)
        VALUES ($1, $2, now(), $3, $4, nullif($5, ''))
        """,
        _digest(token),
        staff,
        expires_at,
        agent[:200],
        device,
    )
    actors = await _actors(connection, [_digest(token)])
    actor = actors[0]
    if actor is None:
        raise NotLoggedIn  # deactivated this very moment
    return Opened(token, expires_at, actor)


async def log_out(token: str) -> None:
    """End a session; ending one that is no more is no error."""
    async with transaction() as connection:
        await connection.execute("DELETE FROM session WHERE token = $1", _digest(token))


async def whose(token: str) -> Actor:
    """Tell whose session this is; ``SessionExpired`` when it is no longer in force.

    ``DeviceSignedOut`` when its phone was signed out. Look-ups that arrive together
    share one query.
    """
    actor = await _together()(_digest(token))
    if actor is None:
        await _say_if_signed_out(token)
        raise SessionExpired
    return actor


async def _say_if_signed_out(token: str) -> None:
    async with look() as connection:
        device: str | None = await connection.fetchval(
            """
            SELECT d.id FROM session n JOIN device d ON d.id = n.device
            WHERE n.token = $1 AND d.signed_out_at IS NOT NULL AND d.let_in_at IS NULL
            """,
            _digest(token),
        )
    if device is not None:
        await devices.learnt(device)
        raise DeviceSignedOut


@cache
def _together() -> Together[bytes, Actor | None]:
    return Together(_look_up, most=200, lanes=1, patience=0.5)


async def _look_up(tokens: Sequence[bytes]) -> list[Actor | None]:
    async with look() as connection:
        return await _actors(connection, tokens)


_ACTOR = """
    s.id, s.login, s.name, s.role, s.office, s.language, a.units,
    o.lat, o.lon, o.name AS office_name
"""

_PLACES = """
    LEFT JOIN office o ON o.id = s.office
    LEFT JOIN LATERAL (
        SELECT array_agg((m.agency, g.name, g.name_en, g.lat, g.lon, m.chief)
            ORDER BY m.id) AS units
        FROM staff_agency m JOIN agency g ON g.id = m.agency WHERE m.staff = s.id
    ) a ON true
"""


async def actor_of(connection: Connection, staff: int) -> Actor:
    """Speak for a member of staff without a login: for demos, imports and tests."""
    row = await connection.fetchrow(
        f"SELECT {_ACTOR} FROM staff s {_PLACES} WHERE s.id = $1",  # noqa: S608
        staff,
    )
    if row is None:
        raise NotFound
    return _actor(row)


async def _actors(
    connection: Connection, tokens: Sequence[bytes]
) -> list[Actor | None]:
    rows = await connection.fetch(
        f"""
        SELECT n.token, n.unit, coalesce(n.device, '') AS device, {_ACTOR}
        FROM session n JOIN staff s ON s.id = n.staff AND s.active {_PLACES}
        WHERE n.token = ANY({given(1, "bytea")}) AND n.expires_at > now()
        """,  # noqa: S608 - constants
        tokens,
    )
    found = {row["token"]: _actor(row, row["device"], row["unit"]) for row in rows}
    return [found.get(token) for token in tokens]


def _actor(row: Record, device: str = "", chosen: int | None = None) -> Actor:
    units = [
        (Unit(Party(PartyKind.AGENCY, agency), name, name_en, Place(lat, lon)), chief)
        for agency, name, name_en, lat, lon, chief in row["units"] or ()
    ]
    # Whoever was taken out of the unit that he had chosen works for the others again.
    unit = next((u for u, _ in units if u.party.id == chosen), None)
    places = [u.party for u, _ in units]
    location, text = None, ""
    if row["office"]:
        places.insert(0, Party(PartyKind.OFFICE, row["office"]))
        location, text = Place(row["lat"], row["lon"]), row["office_name"]
    elif units:
        usual = unit or units[0][0]
        location, text = usual.location, usual.name
    return Actor(
        staff=row["id"],
        login=row["login"],
        name=row["name"],
        role=Role(row["role"]),
        place=unit.party if unit else places[0] if places else None,
        places=frozenset(places),
        location=location,
        place_text=text,
        language=row["language"],
        device=device,
        unit=unit.party if unit else None,
        units=tuple(u for u, _ in units),
        chief_of=frozenset(u.party for u, chief in units if chief),
    )


async def choose_unit(token: str, unit: int | None, actor: Actor) -> None:
    """Work for one of one's units in this session, or for all of them (``None``).

    Raises ``NotYourPlace`` for a unit that he is not in.
    """
    if unit is not None and Party(PartyKind.AGENCY, unit) not in actor.places:
        raise NotYourPlace
    async with transaction() as connection:
        await connection.execute(
            "UPDATE session SET unit = $2 WHERE token = $1", _digest(token), unit
        )


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
