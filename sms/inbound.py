"""What somebody wants who answers a text, where answers exist.

In Vietnam they do not; elsewhere a provider passes them on. Pure: knows words, and no
number. A waybill is for the caller to read.
"""

from __future__ import annotations

from enum import StrEnum

from sms.segments import plain

# Words that Twilio acts on by itself and confirms to the sender.
PROVIDERS_STOP = frozenset(
    {"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"}
)
PROVIDERS_START = frozenset({"START", "YES", "UNSTOP"})

STOP = PROVIDERS_STOP | {"TU CHOI", "HUY", "DUNG", "NGUNG"}
START = PROVIDERS_START | {"NHAN", "DANG KY", "CO"}


class Wish(StrEnum):
    """What an answer asks for."""

    STOP = "stop"
    START = "start"
    OTHER = "other"


def understand(body: str) -> Wish:
    """Read an answer; case, marks, spaces and a full stop do not matter."""
    said = _bare(body)
    if said in STOP:
        return Wish.STOP
    return Wish.START if said in START else Wish.OTHER


def answered_by_provider(body: str) -> bool:
    """Whether the provider itself confirms this word; a second answer would be one."""
    return _bare(body) in PROVIDERS_STOP | PROVIDERS_START


def _bare(body: str) -> str:
    return " ".join(plain(body).upper().strip(" .!\"'").split())
