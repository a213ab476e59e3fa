"""What may be set about sending texts, and the gateways and rules that follow from it.

Read from the environment like every other setting, loud when wrong. Joins our settings
with `sms`, which has none of its own. Sends nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from postal_track.settings import Settings, SettingsError
from sms.gateways import Gateway
from sms.rules import Rules

AT_ANY_HOUR = frozenset({"S07_out", "S15_code"})
"""Codes: for a delivery of the same day, or for someone who sits before our page and
waits for it. Either is of use now or never.
"""

ANYWAY = frozenset({"S07_out", "S15_code"})
"""Sent to who wants no texts, too: without the code somebody else might be believed, or
he could not do what he asked for.

See docs/decisions, "A delivery code goes out anyway".
"""

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def _whole(least: int, most: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not value.isdecimal() or not least <= int(value) <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return int(value)

    return read


def _prices(value: str) -> Mapping[str, int]:
    prices = {}
    for part in value.split(","):
        gateway, _, price = part.strip().partition("=")
        if not gateway or not price.isdecimal():
            raise ValueError("must look like twilio=1800,brandname=450")
        prices[gateway] = int(price)
    return MappingProxyType(prices)


def _templates(value: str) -> Mapping[str, str]:
    try:
        read = json.loads(Path(value).read_text(encoding="utf-8"))
        return MappingProxyType({str(name): str(one) for name, one in read.items()})
    except (OSError, ValueError, AttributeError) as fault:
        raise ValueError(
            f"must name a JSON file of template numbers: {fault}"
        ) from None


def _setting(
    sentence: str, read: Callable[[str], Any], default: Any, shown: str | None = None
) -> Any:
    if isinstance(default, Mapping):
        options: dict[str, Any] = {"default_factory": lambda: default}
    else:
        options = {"default": default}
    known = {"sentence": sentence, "read": read}
    shown = str(default) if shown is None else shown
    return field(**options, metadata=known | {"shown": shown})


@dataclass(frozen=True)
class Texting:
    """All that can be set about texts; names are those of the environment."""

    SMS_PER_SECOND: int = _setting(
        "How many texts a second one gateway gets, by all workers; 0 sets no limit.",
        _whole(0, 10_000),
        default=50,
    )
    SMS_PARALLEL: int = _setting(
        "How many texts one worker hands over at the same time.",
        _whole(1, 1000),
        default=60,
    )
    SMS_TIMEOUT_SECONDS: int = _setting(
        "How long a gateway may take to answer.", _whole(1, 60), default=10
    )
    SMS_SETTLE_SECONDS: int = _setting(
        "How long after an unanswered call the gateway is asked what it has.",
        _whole(1, 600),
        default=30,
    )
    SMS_RETRY_SECONDS: int = _setting(
        "How long a text waits after its first refusal; then twice that, and so on.",
        _whole(1, 600),
        default=5,
    )
    SMS_DAILY_CAP: int = _setting(
        "How many texts one dossier may cause in one day.", _whole(1, 100), default=8
    )
    SMS_GAP_SECONDS: int = _setting(
        "How many seconds lie between two texts to one number.",
        _whole(0, 3600),
        default=2,
    )
    SMS_PRICES: Mapping[str, int] = _setting(
        "What a segment costs in VND, by gateway, such as twilio=1800.",
        _prices,
        default=MappingProxyType({}),
        shown="nothing",
    )
    SMS_PROXY: str = _setting(
        "The proxy that gateways are reached through.", str, default=""
    )
    SMS_CONSOLE_PATH: str = _setting(
        "The file that the console gateway writes to, in place of its output.",
        str,
        default="",
    )
    BRANDNAME_URL: str = _setting(
        "Where the aggregator of the brand-name gateway is.", str, default=""
    )
    BRANDNAME_USER: str = _setting("Our name at the aggregator.", str, default="")
    BRANDNAME_PASSWORD: str = _setting("The password there.", str, default="")
    BRANDNAME_SENDER: str = _setting("The registered brand name.", str, default="")
    BRANDNAME_TEMPLATES: Mapping[str, str] = _setting(
        'The JSON file of registered numbers: {"S01_booked.1.vi": "12345", ...}.',
        _templates,
        default=MappingProxyType({}),
        shown="none",
    )

    @classmethod
    def from_env(cls, environment: Mapping[str, str]) -> Texting:
        """Read every setting; `<NAME>_FILE` names a file that holds the value.

        Raises SettingsError with one sentence for each thing that is wrong.
        """
        faults, values = [], {}
        for one in fields(cls):
            try:
                if value := _given(one.name, environment):
                    values[one.name] = one.metadata["read"](value)
            except (ValueError, OSError) as wrong:
                faults.append(f"{one.name} {wrong}.")
        if faults:
            raise SettingsError(faults)
        return cls(**values)

    def __repr__(self) -> str:
        """Say nothing: a log must never show a password."""
        return "<Texting>"


# Name -> (default as a person would read it, what the setting is for).
FIELDS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        one.name: (one.metadata["shown"], one.metadata["sentence"])
        for one in fields(Texting)
    }
)


def _given(name: str, environment: Mapping[str, str]) -> str:
    path = environment.get(f"{name}_FILE", "").strip()
    value = environment.get(name, "").strip()
    if path and value:
        raise ValueError(f"is set twice: itself and by {name}_FILE; keep one")
    return Path(path).read_text(encoding="utf-8").strip() if path else value


@cache
def texting() -> Texting:
    """Return the settings of this process about texts."""
    return Texting.from_env(os.environ)


def rules(chosen: Texting) -> Rules:
    """Return the rules of sending."""
    return Rules(
        at_night=AT_ANY_HOUR,
        uncapped=AT_ANY_HOUR,
        anyway=ANYWAY,
        cap=chosen.SMS_DAILY_CAP,
        gap=chosen.SMS_GAP_SECONDS,
        rate=chosen.SMS_PER_SECOND,
        parallel=chosen.SMS_PARALLEL,
        timeout=chosen.SMS_TIMEOUT_SECONDS,
        settle=chosen.SMS_SETTLE_SECONDS,
        first_wait=chosen.SMS_RETRY_SECONDS,
        prices=chosen.SMS_PRICES,
    )


def gateways(settings: Settings, chosen: Texting) -> list[Gateway]:
    """Build the gateways that are set, in fail-over order.

    Raises SettingsError when one of them lacks what it needs.
    """
    return [_BUILDERS[name](settings, chosen) for name in settings.SMS_GATEWAYS]


def receipts_key(settings: Settings) -> bytes:
    """Return the key of the addresses that an aggregator sends receipts to."""
    return settings.SECRET_KEY.encode()


# Each gateway's own library is loaded only where that gateway is used.


def _console(settings: Settings, chosen: Texting) -> Gateway:
    from sms.gateway_console import Console

    return Console(Path(chosen.SMS_CONSOLE_PATH) if chosen.SMS_CONSOLE_PATH else None)


def _twilio(settings: Settings, chosen: Texting) -> Gateway:
    from sms.gateway_twilio import API, Account, Twilio

    host = urlsplit(settings.PUBLIC_URL).hostname
    # Twilio refuses an address it cannot reach; then texts are looked up instead.
    reachable = host not in LOOPBACK or settings.TWILIO_API_BASE
    return Twilio(
        Account(
            sid=settings.TWILIO_ACCOUNT_SID,
            token=settings.TWILIO_AUTH_TOKEN,
            sender=settings.TWILIO_FROM,
            service=settings.TWILIO_MESSAGING_SERVICE_SID,
            api=settings.TWILIO_API_BASE or API,
            callbacks=settings.PUBLIC_URL if reachable else "",
            timeout=chosen.SMS_TIMEOUT_SECONDS,
            proxy=chosen.SMS_PROXY,
        )
    )


def _brandname(settings: Settings, chosen: Texting) -> Gateway:
    from sms.gateway_brandname import Brandname, Contract

    if not chosen.BRANDNAME_URL:
        raise SettingsError(["BRANDNAME_URL is needed when SMS_GATEWAYS names it."])
    return Brandname(
        Contract(
            url=chosen.BRANDNAME_URL,
            user=chosen.BRANDNAME_USER,
            password=chosen.BRANDNAME_PASSWORD,
            brand=chosen.BRANDNAME_SENDER,
            templates=chosen.BRANDNAME_TEMPLATES,
            callbacks=settings.PUBLIC_URL,
            secret=receipts_key(settings),
            timeout=chosen.SMS_TIMEOUT_SECONDS,
            proxy=chosen.SMS_PROXY,
        )
    )


_BUILDERS: Mapping[str, Callable[[Settings, Texting], Gateway]] = MappingProxyType(
    {"console": _console, "twilio": _twilio, "brandname": _brandname}
)
