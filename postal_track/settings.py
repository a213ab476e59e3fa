"""What may be set from outside, read once from the environment, loud when wrong.

Every setting is one field of `Settings`, described in place. Does not know what the
values are used for, and starts nothing.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import time
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[1]

GATEWAYS = ("console", "twilio", "brandname")

# A key shorter than this can be guessed, and so could be every label and session.
SECRET_LENGTH = 32

_ACCOUNT = re.compile(r"[0-9A-Za-z]{1,19}")
_KEY = re.compile(r"[0-9A-Fa-f]{64}")


# Host and port, so that a label's QR code stays small enough to be read from 25 mm.
LONGEST_HOST = 34


class SettingsError(Exception):
    """One or more settings cannot be used; each has its own sentence."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(faults))


class _WrongError(ValueError):
    """One value cannot be used; says what it should have been."""


def _text(value: str) -> str:
    return value


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        sentence = f"must be a whole number from {least} to {most}"
        try:
            number = int(value)
        except ValueError:
            raise _WrongError(sentence) from None
        if not least <= number <= most:
            raise _WrongError(sentence)
        return number

    return read


def _address(*schemes: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        parts = urlsplit(value)
        # A socket on this machine has no host: unix:///run/redis.sock
        if parts.scheme not in schemes or not (parts.netloc or parts.path):
            starts = " or ".join(f"{scheme}://" for scheme in schemes)
            raise _WrongError(f"must be an address that starts with {starts}")
        return value

    return read


def _web_address(value: str) -> str:
    if not urlsplit(value).netloc:
        raise _WrongError("must be an address such as https://track.example.vn")
    return _address("http", "https")(value).rstrip("/")


def _label_address(value: str) -> str:
    """Read an address that can stand in a label's compact QR code."""
    address = _web_address(value)
    parts = urlsplit(address)
    if parts.path or parts.query or parts.fragment:
        raise _WrongError(
            "must be a bare address, without a path: it is on every label"
        )
    if len(parts.netloc) > LONGEST_HOST:
        raise _WrongError(
            f"is too long for a label: host and port may have {LONGEST_HOST} characters"
        )
    return address


def _secret(value: str) -> str:
    if len(value) < SECRET_LENGTH:
        raise _WrongError(f"must have at least {SECRET_LENGTH} characters")
    return value


def _key(value: str) -> str:
    if not _KEY.fullmatch(value):
        raise _WrongError("must be 64 hexadecimal digits")
    return value.lower()


def _keys(value: str) -> tuple[str, ...]:
    try:
        return tuple(_key(one.strip()) for one in value.split(",") if one.strip())
    except _WrongError:
        raise _WrongError(
            "must be public keys of 64 hexadecimal digits, with commas between"
        ) from None


def _digits(least: int, most: int) -> Callable[[str], str]:
    def read(value: str) -> str:
        plain = value.isascii() and value.isdigit()
        if not plain or not least <= len(value) <= most:
            raise _WrongError(f"must have {least} digits")
        return value

    return read


def _account(value: str) -> str:
    if not _ACCOUNT.fullmatch(value):
        raise _WrongError("must have 1 to 19 letters and digits")
    return value


def _folder(value: str) -> Path:
    return Path(value).expanduser().resolve()


def _gateways(value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    if not names or not set(names) <= set(GATEWAYS) or len(set(names)) < len(names):
        raise _WrongError(f"must name each gateway once, out of: {', '.join(GATEWAYS)}")
    return names


def _sessions(value: str) -> tuple[tuple[time, time], ...]:
    """Read hours of work such as ``07:00-11:00,13:00-17:00``."""
    sentence = "must be hours of one day, in order, such as 07:00-11:00,13:00-17:00"
    found, last = [], None
    for session in value.split(","):
        opens, _, closes = session.partition("-")
        try:
            pair = (
                time.fromisoformat(opens.strip()),
                time.fromisoformat(closes.strip()),
            )
        except ValueError:
            raise _WrongError(sentence) from None
        whole = all(t.tzinfo is None and not t.second for t in pair)
        if not whole or pair[0] >= pair[1] or (last is not None and pair[0] < last):
            raise _WrongError(sentence)
        last = pair[1]
        found.append(pair)
    return tuple(found)


def _setting(
    sentence: str, read: Callable[[str], Any], default: Any, shown: str | None = None
) -> Any:
    """Describe one field; `shown` stands for a default that is worked out."""
    return field(
        default=default,
        metadata={
            "sentence": sentence,
            "read": read,
            "shown": str(default) if shown is None else shown,
        },
    )


@dataclass(frozen=True)
class Settings:
    """All that can be set; names are those of the environment."""

    HOST: str = _setting(
        "The address the web server listens on.", _text, default="127.0.0.1"
    )
    PORT: int = _setting(
        "The port the web server listens on.", _whole(1, 65535), default=8000
    )
    PUBLIC_URL: str = _setting(
        "The address people and phones reach us at; it is on every label.",
        _label_address,
        default="",
        shown="http://localhost:<PORT>",
    )
    VAR_DIR: Path = _setting(  # noqa: RUF009 - a field, and a path does not change
        "The folder for all that is written: embedded database, Redis, keys.",
        _folder,
        default=ROOT / "var",
        shown="var",
    )
    DATABASE_URL: str = _setting(
        "The PostgreSQL to use; when empty, an embedded one under VAR_DIR.",
        _address("postgresql", "postgres"),
        default="",
    )
    REDIS_URL: str = _setting(
        "The Redis to use; when empty, a private one under VAR_DIR.",
        _address("redis", "rediss", "unix"),
        default="",
    )
    DB_POOL_SIZE: int = _setting(
        "How many database connections each process may hold.",
        _whole(1, 1000),
        default=10,
    )
    WEB_PROCESSES: int = _setting(
        "How many web processes `postal-track run` starts.", _whole(1, 256), default=2
    )
    SECRET_KEY: str = _setting(
        "The key of labels, sessions and codes; when empty, one is made and kept.",
        _secret,
        default="",
        shown="kept in <VAR_DIR>/secret_key",
    )
    SEAL_KEY: str = _setting(
        "The Ed25519 key (its seed) that seals the ledger; one for all processes.",
        _key,
        default="",
        shown="kept in <VAR_DIR>/seal_key",
    )
    SEAL_OLD_KEYS: tuple[str, ...] = _setting(
        "The public keys that sealed before this one, with commas between.",
        _keys,
        default=(),
        shown="",
    )
    SESSION_HOURS: int = _setting(
        "After how many hours a login ends.", _whole(1, 24 * 31), default=12
    )
    TWILIO_ACCOUNT_SID: str = _setting(
        "The account at Twilio; when empty, Twilio is not used.", _text, default=""
    )
    TWILIO_AUTH_TOKEN: str = _setting(
        "The token of that account; receipts are checked with it.", _text, default=""
    )
    TWILIO_FROM: str = _setting(
        "The registered sender of our texts at Twilio.", _text, default=""
    )
    TWILIO_MESSAGING_SERVICE_SID: str = _setting(
        "The messaging service that picks the sender, in place of TWILIO_FROM.",
        _text,
        default="",
    )
    TWILIO_API_BASE: str = _setting(
        "Where Twilio's interface is, when not at its usual address.",
        _web_address,
        default="",
    )
    SMS_GATEWAYS: tuple[str, ...] = _setting(
        "The gateways a text is tried with, in this order, with commas between.",
        _gateways,
        default=(),
        shown="console, or twilio when its account is set",
    )
    SHORT_LINK: str = _setting(
        "What stands before the slug of a link in a text.", _text, default="bd.vn/"
    )
    HOTLINE: str = _setting(
        "The number citizens call, as it stands in texts.", _text, default="19001234"
    )
    NOMINATIM_URL: str = _setting(
        "The Nominatim that finds addresses; when empty, the ward's centre is used.",
        _web_address,
        default="",
    )
    MAX_SCANS_PER_LIST: int = _setting(
        "How many scans one list may hold.", _whole(1, 10_000), default=500
    )
    MAX_SCAN_AGE_DAYS: int = _setting(
        "How old a scan may be, in days, before it is flagged.",
        _whole(1, 366),
        default=30,
    )
    CLOCK_TOLERANCE_SECONDS: int = _setting(
        "How many seconds a device's clock may be off before it is flagged.",
        _whole(0, 24 * 3600),
        default=120,
    )
    PUBLIC_READS_PER_MINUTE: int = _setting(
        "How often one address may read public pages and statuses in a minute.",
        _whole(1, 10_000_000),
        default=300,
    )
    DELIVERY_ATTEMPTS: int = _setting(
        "How often delivery is tried before an item is held at the counter.",
        _whole(1, 99),
        default=3,
    )
    CORRECTION_MINUTES: int = _setting(
        "How many minutes one may correct one's own scan; later a supervisor does.",
        _whole(0, 24 * 60),
        default=15,
    )
    HOLD_DAYS: int = _setting(
        "How many days an item is held at the counter before it goes back.",
        _whole(1, 365),
        default=8,
    )
    SEARCH_DAYS: int = _setting(
        "How many working days a missing item is searched for before it is lost.",
        _whole(1, 365),
        default=7,
    )
    SILENT_HOURS: int = _setting(
        "After how many hours of working days without news an item is too silent.",
        _whole(1, 24 * 60),
        default=48,
    )
    AGENCY_HOURS: tuple[tuple[time, time], ...] = _setting(
        "When agencies work on a working day: statutory hours are counted in these.",
        _sessions,
        default=((time(7), time(11)), (time(13), time(17))),
        shown="07:00-11:00,13:00-17:00",
    )
    MAX_SPEED_KMH: int = _setting(
        "Faster than this between two scans, one of a person's places is doubted.",
        _whole(10, 2000),
        default=150,
    )
    CLAIM_MONTHS: int = _setting(
        "How many months one may claim for a loss or delay (check the law in force).",
        _whole(1, 120),
        default=6,
    )
    DAMAGE_CLAIM_MONTHS: int = _setting(
        "How many months one may claim for damage (check the law in force).",
        _whole(1, 120),
        default=1,
    )
    SETTLE_MONTHS: int = _setting(
        "Within how many months a claim is settled (check the law in force).",
        _whole(1, 24),
        default=2,
    )
    SATISFACTION_GOAL: int = _setting(
        "How many of a hundred citizens are to be satisfied: 4 or 5 of 5.",
        _whole(1, 100),
        default=90,
    )
    RETENTION_MONTHS: int = _setting(
        "How many months personal data is kept after the end (check the law in force).",
        _whole(1, 600),
        default=24,
    )
    COMPENSATION_TIMES: int = _setting(
        "How many times the postage a compensation is at least (check the law).",
        _whole(1, 100),
        default=4,
    )

    BANK_BIN: str = _setting(
        "The BIN of the bank that money is transferred to; when empty, there is no QR.",
        _digits(6, 6),
        default="",
    )
    BANK_ACCOUNT: str = _setting(
        "The number of the post's account at that bank.", _account, default=""
    )
    BANK_NAME: str = _setting(
        "The name of that bank, as a citizen reads it.", _text, default=""
    )
    BANK_HOLDER: str = _setting(
        "The name that account is in, as a bank's app shows it.", _text, default=""
    )
    BANK_FEED_SECRET: str = _setting(
        "The secret that the bank's feed is signed with; when empty, there is none.",
        _secret,
        default="",
    )
    PORTAL_FEED_SECRET: str = _setting(
        "The secret that the public portal's feed of payments is signed with.",
        _secret,
        default="",
    )
    POSTAGE_OUT: int = _setting(
        "Postage of a dossier's way to the agency, in VND, when the order names none.",
        _whole(0, 10_000_000),
        default=0,
    )
    POSTAGE_BACK: int = _setting(
        "Postage of a result's way back, in VND, when the order names none.",
        _whole(0, 10_000_000),
        default=0,
    )

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Settings:
        """Read every setting; an empty value counts as not set.

        `<NAME>_FILE` names a file that holds the value of `<NAME>`. A secret key that
        is not set is made once and kept under VAR_DIR.

        Raises SettingsError with one sentence for each thing that is wrong.
        """
        faults: list[str] = []
        values: dict[str, Any] = {}
        for name, read in _READERS.items():
            try:
                value = _given(name, environment)
                if value:
                    values[name] = read(value)
            except _WrongError as wrong:
                faults.append(f"{name} {wrong}.")
        faults += _twilio_faults(values)
        faults += _bank_faults(values)
        if not faults and "SECRET_KEY" not in values:
            folder = values.get("VAR_DIR", cls.VAR_DIR)
            try:
                values["SECRET_KEY"] = _kept(
                    "SECRET_KEY", folder / "secret_key", _secret, _new_secret
                )
            except _WrongError as wrong:
                faults.append(str(wrong))
        if faults:
            raise SettingsError(faults)
        values.setdefault(
            "PUBLIC_URL", f"http://localhost:{values.get('PORT', cls.PORT)}"
        )
        values.setdefault(
            "SMS_GATEWAYS",
            ("twilio",) if "TWILIO_ACCOUNT_SID" in values else ("console",),
        )
        return cls(**values)

    def __repr__(self) -> str:
        """Name the place only: a log must never show a key or a password."""
        return f"<Settings of {self.PUBLIC_URL}>"


_READERS: Mapping[str, Callable[[str], Any]] = MappingProxyType(
    {one.name: one.metadata["read"] for one in fields(Settings)}
)

# Name -> (default as a person would read it, what the setting is for).
FIELDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        one.name: (one.metadata["shown"], one.metadata["sentence"])
        for one in fields(Settings)
    }
)


def _given(name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name, "").strip()
    path = environment.get(f"{name}_FILE", "").strip()
    if not path:
        return value
    if value:
        raise _WrongError(f"is set twice: itself and by {name}_FILE; keep one")
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        raise _WrongError(f"cannot be read from {path}: {fault}") from None


def _twilio_faults(values: Mapping[str, Any]) -> list[str]:
    faults = []
    account = "TWILIO_ACCOUNT_SID" in values
    token = "TWILIO_AUTH_TOKEN" in values
    sender = "TWILIO_FROM" in values or "TWILIO_MESSAGING_SERVICE_SID" in values
    if account and not token:
        faults.append("TWILIO_AUTH_TOKEN is needed with TWILIO_ACCOUNT_SID.")
    if token and not account:
        faults.append("TWILIO_ACCOUNT_SID is needed with TWILIO_AUTH_TOKEN.")
    if account and not sender:
        faults.append(
            "TWILIO_FROM or TWILIO_MESSAGING_SERVICE_SID is needed with "
            "TWILIO_ACCOUNT_SID."
        )
    if not account and "twilio" in values.get("SMS_GATEWAYS", ()):
        faults.append("TWILIO_ACCOUNT_SID is needed when SMS_GATEWAYS names twilio.")
    return faults


_BANK = ("BANK_BIN", "BANK_ACCOUNT", "BANK_NAME", "BANK_HOLDER")


def _bank_faults(values: Mapping[str, Any]) -> list[str]:
    """Half an account would send a citizen's money nowhere."""
    given = [name for name in _BANK if name in values]
    missing = [name for name in _BANK if name not in values]
    return [f"{name} is needed with {given[0]}." for name in missing if given]


def seal_key(chosen: Settings) -> str:
    """Give the seed of the key that seals the ledger; made when it is first needed.

    Not with the other settings: most processes never seal anything. Raises
    SettingsError with a sentence when none can be kept.
    """
    if chosen.SEAL_KEY:
        return chosen.SEAL_KEY
    try:
        return _kept(
            "SEAL_KEY", chosen.VAR_DIR / "seal_key", _key, lambda: secrets.token_hex(32)
        )
    except _WrongError as wrong:
        raise SettingsError([str(wrong)]) from None


def _new_secret() -> str:
    return secrets.token_urlsafe(48)


def _kept(
    name: str, path: Path, read: Callable[[str], str], make: Callable[[], str]
) -> str:
    """Read the key that was made earlier, or make it; several may start at once."""
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _keep(name, path, make())
        return read(path.read_text(encoding="ascii").strip())
    except (OSError, UnicodeDecodeError) as fault:
        raise _WrongError(
            f"{name} is not set and none can be kept in {path}: {fault}."
        ) from None
    except _WrongError as wrong:
        raise _WrongError(f"The key in {path} {wrong}.") from None


def _keep(name: str, path: Path, secret: str) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    draft.touch(mode=0o600)
    try:
        draft.write_text(f"{secret}\n", encoding="ascii")
        # A link never replaces: of two that start at once, both end with one key.
        path.hardlink_to(draft)
    except FileExistsError:
        return
    finally:
        draft.unlink()
    sys.stderr.write(f"{name} is not set: a new key is kept in {path}.\n")


@cache
def settings() -> Settings:
    """Return the settings of this process."""
    return Settings.from_env(os.environ)
