"""What providers and citizens tell us about texts: receipts and answers.

Makes sure who speaks before anything is believed. Writes what follows by `sms` and
looks a waybill up like anybody else would. Does not know of HTTP.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from typing import Any

from postal_track.custody import Stage
from postal_track.database import transaction
from postal_track.errors import BadWaybill, ForeignCode, NoMatch, NotAllowed, TooOften
from postal_track.glances import glance
from postal_track.settings import settings
from postal_track.texting import receipts_key
from sms import gateway_brandname, outcomes, wishes
from sms.inbound import Wish, answered_by_provider, understand
from sms.outbox import IS_NUMBER
from sms.segments import plain
from sms.status import Status
from sms.twilio_words import STATUSES, is_signed

StageWords = Callable[[Stage, str], str]
"""Names a stage in a language, as pages do."""


def verify_twilio(path: str, form: Mapping[str, Any], signature: str) -> None:
    """Make sure that Twilio posted this form to this path. Raises NotAllowed.

    Twilio signs the address it was given, which is ours as seen from outside, whatever
    a proxy in between makes of it.
    """
    chosen = settings()
    address = f"{chosen.PUBLIC_URL}{path}"
    token = chosen.TWILIO_AUTH_TOKEN
    if not token or not is_signed(token, address, form, signature):
        raise NotAllowed


async def receipt_from_twilio(message: int, form: Mapping[str, Any]) -> Status | None:
    """Take in a status callback; None when it is about no text of ours."""
    sid, said = str(form.get("MessageSid", "")), str(form.get("MessageStatus", ""))
    if not sid or not said:
        return None
    async with transaction() as connection:
        return await outcomes.hear(
            connection,
            "twilio",
            message,
            sid,
            STATUSES.get(said),
            said,
            str(form.get("ErrorCode") or ""),
        )


async def receipt_from_aggregator(
    message: int, tag: str, told: Mapping[str, Any]
) -> Status | None:
    """Take in a receipt of the brand-name gateway; `tag` is the proof in its address.

    Raises NotAllowed for an address that is not ours.
    """
    expected = gateway_brandname.tag(receipts_key(settings()), message)
    if not hmac.compare_digest(tag.encode(), expected.encode()):
        raise NotAllowed
    said, error = str(told.get("status", "")), str(told.get("error") or "")
    async with transaction() as connection:
        return await outcomes.hear(
            connection,
            "brandname",
            message,
            str(told.get("messageId") or message),
            gateway_brandname.STATUSES.get(said),
            said,
            gateway_brandname.CODES.get(error, error),
        )


async def answer(number: str, body: str, stage_words: StageWords) -> str:
    """Do what an answer to a text asks for; return what to say, or nothing.

    A waybill is told what it is told to everybody: stage and day.
    """
    language = "vi" if number.startswith("+84") else "en"
    wish = understand(body)
    if wish is Wish.OTHER or not IS_NUMBER(number):
        return await _of_waybill(number, body, language, stage_words)
    async with transaction() as connection:
        if wish is Wish.STOP:
            await wishes.opt_out(connection, number, "sms", "the citizen")
        else:
            await wishes.opt_in(connection, number)
    if answered_by_provider(body):
        return ""
    return _SAID[wish][language]


async def _of_waybill(
    number: str, body: str, language: str, stage_words: StageWords
) -> str:
    try:
        seen = await glance(body[:200], number)
    except (BadWaybill, ForeignCode):
        return _SAID[Wish.OTHER][language]
    except (NoMatch, TooOften) as fault:
        return plain(fault.sentence("vi" if language == "vi" else "en"))
    stage = plain(stage_words(seen.stage, language))
    return f"{seen.waybill}: {stage}, {seen.day:%d/%m}."


_SAID = {
    Wish.STOP: {
        "vi": "Buu dien se khong gui tin nhan den so nay nua. Soan NHAN de nhan lai.",
        "en": "The post sends no more texts to this number. Answer START for more.",
    },
    Wish.START: {
        "vi": "Buu dien se gui tin nhan den so nay. Soan HUY de tu choi.",
        "en": "The post sends texts to this number. Answer STOP for no more.",
    },
    Wish.OTHER: {
        "vi": "Soan ma van don (13 ky tu) de tra cuu, HUY de tu choi tin nhan.",
        "en": "Answer with a waybill (13 characters) to track it, STOP for no texts.",
    },
}
