"""Texts in, and what became of them out.

`put` writes texts in the caller's transaction, under keys that make a second one
impossible; a worker sends them after the commit. The rest reads the outbox for a page
or corrects it by hand. Does not send, and does not know what a text is about.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
import msgspec

from sms import errors, refusals, segments
from sms.status import UNSENT, Status

IS_NUMBER = re.compile(r"\+[0-9]{6,15}").fullmatch

# What stands in place of a value that nobody may read.
HIDDEN = "••••••"

LARGEST_PAGE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text to be sent once.

    `key`: its own for ever, at most 120 characters. `group`: the caller's word for what
    belongs together, at most 40. `secret`: names of `params` that nobody may read
    later, with commas between. `fallback`: a second number, tried when the first fails.
    Times are aware; after `expires_at` the text is not true any more.
    """

    key: str
    recipient: str
    template: str
    version: int
    language: str
    params: Mapping[str, str]
    body: str
    not_before: datetime | None = None
    expires_at: datetime | None = None
    group: str = ""
    secret: str = ""
    fallback: str | None = None


async def put(connection: asyncpg.Connection, texts: Sequence[Text]) -> list[int]:
    """Write texts into the outbox; return the ids of those that were not there yet.

    Joins the transaction of the connection. A recipient that is no number in E.164 is
    kept as an empty one: the text ends on the list of calls instead of undoing what it
    tells of.
    """
    if not texts:
        return []
    # One order for everybody: two that put the same keys must not wait in a circle.
    texts = sorted(texts, key=lambda text: text.key)
    rows = await connection.fetch(
        """
        INSERT INTO sms_message (
            key, recipient, fallback, template, version, language, params, body,
            segments, "group", secret, not_before, expires_at, created_at, due_at,
            status, unsure, tries, looks, avoid, cost, error_code, error,
            resend_reason, resend_by
        )
        SELECT key, recipient, fallback, template, version, language, params::jsonb,
            body, segments, "group", secret, not_before, expires_at, now(),
            greatest(not_before, now()), 'queued', false, 0, 0, '{}', 0, '', '', '', ''
        FROM unnest(
            $1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[],
            $7::text[], $8::text[], $9::int[], $10::text[], $11::text[],
            $12::timestamptz[], $13::timestamptz[]
        ) AS one(
            key, recipient, fallback, template, version, language, params, body,
            segments, "group", secret, not_before, expires_at
        )
        ON CONFLICT (key) DO NOTHING
        RETURNING id
        """,
        [text.key for text in texts],
        [text.recipient if IS_NUMBER(text.recipient) else "" for text in texts],
        [
            text.fallback if text.fallback and IS_NUMBER(text.fallback) else None
            for text in texts
        ],
        [text.template for text in texts],
        [text.version for text in texts],
        [text.language for text in texts],
        [msgspec.json.encode(text.params).decode() for text in texts],
        [text.body for text in texts],
        [segments.segments(text.body) for text in texts],
        [text.group for text in texts],
        [text.secret for text in texts],
        [text.not_before for text in texts],
        [text.expires_at for text in texts],
    )
    return [row["id"] for row in rows]


async def cancel(
    connection: asyncpg.Connection, group: str, templates: Collection[str]
) -> list[int]:
    """Withdraw what is no longer true and not yet on its way; return the ids.

    A text that a gateway may have, or is being given at this moment, stays as it is.
    """
    return await cancel_all(connection, {(group, template) for template in templates})


async def cancel_all(
    connection: asyncpg.Connection, texts: Collection[tuple[str, str]]
) -> list[int]:
    """Withdraw texts named by group and template, as `cancel` does, all at once."""
    wanted = sorted(texts)
    # The index knows texts of a group only. The lists are hidden in a SELECT, since a
    # planner that sees how long they are plans anew for each, for longer than it runs.
    rows = await connection.fetch(
        """
        UPDATE sms_message AS m
        SET status = 'suppressed', error_code = 'withdrawn', due_at = NULL,
            ended_at = now()
        FROM unnest((SELECT $1::text[]), (SELECT $2::text[])) AS n("group", template)
        WHERE m."group" = n."group" AND m."group" <> '' AND m.template = n.template
            AND m.status = 'queued' AND NOT m.unsure
        RETURNING m.id
        """,
        [group for group, _ in wanted],
        [template for _, template in wanted],
    )
    return [row["id"] for row in rows]


async def take_back(
    connection: asyncpg.Connection,
    group: str,
    templates: Collection[str],
    param: str,
    value: str,
) -> list[Text]:
    """Withdraw texts as `cancel` does, and return them, to be said otherwise.

    Only those in which `param` does not read `value`. Waits for nobody: a text that
    somebody else has in hand stays with him. One put anew needs a key of its own.
    """
    rows = await connection.fetch(
        """
        UPDATE sms_message
        SET status = 'suppressed', error_code = 'withdrawn', due_at = NULL,
            ended_at = now()
        WHERE id IN (SELECT id FROM sms_message WHERE "group" = $1 AND "group" <> ''
            AND template = ANY($2::text[]) AND status = 'queued' AND NOT unsure
            AND params ->> $3 IS DISTINCT FROM $4
            FOR UPDATE SKIP LOCKED)
        RETURNING key, recipient, fallback, template, version, language, params, body,
            not_before, expires_at, "group", secret
        """,
        group,
        [*templates],
        param,
        value,
    )
    return [Text(**(dict(row) | {"params": _params(row["params"])})) for row in rows]


# For the page


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which texts to list; what is not set does not limit.

    `before`: the id to go on from, as a page gives it. `until` is not included.
    """

    status: Status | None = None
    recipient: str = ""
    template: str = ""
    group: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    size: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A text as a supervisor may see it: no secret in clear."""

    id: int
    key: str
    recipient: str
    template: str
    version: int
    language: str
    body: str
    segments: int
    cost: int
    group: str
    status: Status
    unsure: bool
    created_at: datetime
    not_before: datetime | None
    expires_at: datetime | None
    due_at: datetime | None
    sent_at: datetime | None
    ended_at: datetime | None
    tries: int
    gateway: str | None
    provider_id: str | None
    error_code: str
    resend_of: int | None
    resend_reason: str
    resend_by: str

    def trouble(self, language: str = "vi") -> str:
        """Say what went wrong in words that a clerk understands; empty when nothing."""
        return refusals.sentence(self.error_code, language)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, newest first; `before` asks for the next, if any."""

    messages: list[Shown]
    before: int | None


_SHOWN = """
    id, key, recipient, template, version, language, body, params, secret, segments,
    cost, "group", status, unsure, created_at, not_before, expires_at, due_at, sent_at,
    ended_at, tries, gateway, provider_id, error_code, resend_of, resend_reason,
    resend_by
"""


async def messages(connection: asyncpg.Connection, wanted: Filter) -> Page:
    """List texts, newest first."""
    size = max(1, min(wanted.size, LARGEST_PAGE))
    limits = {
        "status = {}": wanted.status,
        "recipient = {}": wanted.recipient,
        "template = {}": wanted.template,
        '"group" = {}': wanted.group,
        "created_at >= {}": wanted.since,
        "created_at < {}": wanted.until,
        "id < {}": wanted.before,
    }
    chosen = {rule: value for rule, value in limits.items() if value not in (None, "")}
    rules = [rule.format(f"${at}") for at, rule in enumerate(chosen, start=1)]
    rows = await connection.fetch(
        f"""
        SELECT {_SHOWN} FROM sms_message
        {"WHERE " + " AND ".join(rules) if rules else ""}
        ORDER BY id DESC LIMIT {size + 1}
        """,  # noqa: S608 - our own words; values travel apart
        *chosen.values(),
    )
    shown = [_shown(row) for row in rows[:size]]
    return Page(shown, shown[-1].id if len(rows) > size else None)


@dataclass(frozen=True, slots=True)
class Happening:
    """One line of a text's story: a try, or a provider's word."""

    at: datetime
    kind: str  # "attempt" or "receipt"
    gateway: str
    what: str
    provider_id: str | None
    error_code: str


async def story(
    connection: asyncpg.Connection, message: int
) -> tuple[Shown, list[Happening]]:
    """Return a text and all that happened to it, oldest first.

    Raises UnknownMessage.
    """
    row = await connection.fetchrow(
        f"SELECT {_SHOWN} FROM sms_message WHERE id = $1",  # noqa: S608 - our own words
        message,
    )
    if row is None:
        raise errors.UnknownMessage
    happened = await connection.fetch(
        """
        SELECT started_at AS at, 'attempt' AS kind, gateway, outcome AS what,
            provider_id, error_code
        FROM sms_attempt WHERE message = $1
        UNION ALL
        SELECT received_at, 'receipt', gateway, said, provider_id, error_code
        FROM sms_receipt WHERE message = $1
        ORDER BY at
        """,
        message,
    )
    return _shown(row), [Happening(**one) for one in happened]


def hide(body: str, params: Mapping[str, str], secret: str) -> str:
    """Return the body with the values of the secret params hidden."""
    for name in filter(None, secret.split(",")):
        value = params.get(name.strip(), "")
        if value:
            body = body.replace(value, HIDDEN)
    return body


def _shown(row: Mapping[str, Any]) -> Shown:
    given = dict(row)
    params, secret = _params(given.pop("params")), given.pop("secret")
    given["body"] = hide(given["body"], params, secret)
    given["status"] = Status(given["status"])
    return Shown(**given)


def _params(value: Any) -> dict[str, str]:
    """Read jsonb from a connection that speaks JSON and from one that does not."""
    if isinstance(value, str):
        value = msgspec.json.decode(value)
    return dict(value)


async def resend(
    connection: asyncpg.Connection,
    message: int,
    reason: str,
    who: str,
    anyway: Collection[str] = (),
) -> int:
    """Send a text once more, as a new one that names the old; return its id.

    `anyway`: templates that go out to who wants no texts, too. Raises UnknownMessage,
    ReasonMissing, StillUnderWay, NoLongerTrue, NumberOptedOut.
    """
    if not reason.strip():
        raise errors.ReasonMissing
    old = await connection.fetchrow(
        """
        SELECT status, unsure, expires_at <= now() AS over, erased_at, template,
            EXISTS (SELECT 1 FROM sms_opt_out o WHERE o.number = m.recipient) AS out,
            (SELECT count(*) FROM sms_message n WHERE n.resend_of = m.id) AS again
        FROM sms_message m WHERE id = $1 FOR UPDATE
        """,
        message,
    )
    if old is None:
        raise errors.UnknownMessage
    if old["status"] in UNSENT:
        raise errors.StillUnderWay
    if old["over"] or old["erased_at"]:
        raise errors.NoLongerTrue
    if old["out"] and old["template"] not in anyway:
        raise errors.NumberOptedOut
    new: int = await connection.fetchval(
        """
        INSERT INTO sms_message (
            key, recipient, fallback, template, version, language, params, body,
            segments, "group", secret, expires_at, created_at, due_at, status, unsure,
            tries, looks, avoid, cost, error_code, error,
            resend_of, resend_reason, resend_by
        )
        SELECT 'again:' || id || ':' || $2, recipient, NULL, template, version,
            language, params, body, segments, "group", secret, expires_at, now(), now(),
            'queued', false, 0, 0, '{}', 0, '', '', id, left($3, 240), left($4, 40)
        FROM sms_message WHERE id = $1
        RETURNING id
        """,
        message,
        str(old["again"] + 1),
        reason.strip(),
        who,
    )
    return new


@dataclass(frozen=True, slots=True)
class CallDue:
    """Somebody to be called: whom, about which text, and why."""

    id: int
    opened_at: datetime
    code: str
    message: Shown
    closed_at: datetime | None = None
    closed_by: str = ""
    note: str = ""

    def why(self, language: str = "vi") -> str:
        """Say why the text did not arrive."""
        return refusals.sentence(self.code, language)


async def calls(
    connection: asyncpg.Connection, size: int = 100, after: int | None = None
) -> list[CallDue]:
    """List the people to call, who has waited longest first.

    `after`: the id of the last one of the list before.
    """
    rows = await connection.fetch(
        f"""
        SELECT c.*, m.*
        FROM (
            SELECT {_CALL} FROM sms_call
            WHERE closed_at IS NULL AND ($2::bigint IS NULL OR (opened_at, id) > (
                SELECT opened_at, id FROM sms_call WHERE id = $2
            ))
            ORDER BY opened_at, id LIMIT $1
        ) c,
        LATERAL (SELECT {_SHOWN} FROM sms_message WHERE id = c.call_message) m
        ORDER BY c.call_opened, c.call_id
        """,  # noqa: S608 - our own words
        size,
        after,
    )
    return [_call_due(row) for row in rows]


async def call(connection: asyncpg.Connection, number: int) -> CallDue:
    """Return one call, whether or not it is still to be made. Raises UnknownMessage."""
    row = await connection.fetchrow(
        f"""
        SELECT c.*, m.*
        FROM (SELECT {_CALL} FROM sms_call WHERE id = $1) c,
        LATERAL (SELECT {_SHOWN} FROM sms_message WHERE id = c.call_message) m
        """,  # noqa: S608 - our own words
        number,
    )
    if row is None:
        raise errors.UnknownMessage
    return _call_due(row)


_CALL = """
    id AS call_id, opened_at AS call_opened, code AS call_code,
    message AS call_message, closed_at AS call_closed, closed_by AS call_closed_by,
    note AS call_note
"""


def _call_due(row: Mapping[str, Any]) -> CallDue:
    given = dict(row)
    told = {name: given.pop(name) for name in [*given] if name.startswith("call_")}
    return CallDue(
        told["call_id"],
        told["call_opened"],
        told["call_code"],
        _shown(given),
        told["call_closed"],
        told["call_closed_by"],
        told["call_note"],
    )


async def close_call(
    connection: asyncpg.Connection, call: int, who: str, note: str = ""
) -> None:
    """Note that the citizen was called, or need not be. Raises UnknownMessage."""
    closed = await connection.fetchval(
        """
        UPDATE sms_call
        SET closed_at = now(), closed_by = left($2, 40), note = left($3, 240)
        WHERE id = $1 AND closed_at IS NULL RETURNING id
        """,
        call,
        who,
        note.strip(),
    )
    if closed is None:
        raise errors.UnknownMessage


async def drop_calls(connection: asyncpg.Connection, template: str) -> None:
    """Close calls about texts of a kind that nobody need be called about."""
    await connection.execute(
        """
        UPDATE sms_call SET closed_at = now(), note = 'no use any more'
        WHERE closed_at IS NULL AND message IN
            (SELECT id FROM sms_message WHERE template = $1)
        """,
        template,
    )


async def erase(
    connection: asyncpg.Connection,
    groups: Collection[str],
    numbers: Collection[str] | None = None,
) -> int:
    """Take numbers and words out of the texts of these groups; count the texts.

    `numbers`: only out of texts to these. What was sent when and at what cost stays. A
    text still under way is withdrawn, or erased by the next call once it is done.
    """
    wanted = list(groups)
    only = None if numbers is None else list(numbers)
    await connection.execute(
        """
        UPDATE sms_cleared_mark SET number = '', reason = '' WHERE number IN (
            SELECT recipient FROM sms_message WHERE "group" = ANY($1::text[])
                AND ($2::text[] IS NULL OR recipient = ANY($2::text[]))
        )
        """,
        wanted,
        only,
    )
    await connection.execute(
        """
        UPDATE sms_message
        SET status = 'suppressed', error_code = 'withdrawn', due_at = NULL,
            ended_at = now()
        WHERE "group" = ANY($1::text[]) AND status = 'queued' AND NOT unsure
            AND ($2::text[] IS NULL OR recipient = ANY($2::text[]))
        """,
        wanted,
        only,
    )
    rows = await connection.fetch(
        """
        UPDATE sms_message
        SET recipient = '', fallback = NULL, body = '', params = '{}', error = '',
            due_at = NULL, erased_at = now()
        WHERE "group" = ANY($1::text[]) AND erased_at IS NULL
            AND NOT (status = ANY($2::text[]))
            AND ($3::text[] IS NULL OR recipient = ANY($3::text[]))
        RETURNING id
        """,
        wanted,
        [*UNSENT],
        only,
    )
    erased = [row["id"] for row in rows]
    await connection.execute(
        "UPDATE sms_attempt SET error = '' WHERE message = ANY($1::bigint[])", erased
    )
    await connection.execute(
        """
        UPDATE sms_call SET note = '', closed_at = coalesce(closed_at, now())
        WHERE message = ANY($1::bigint[])
        """,
        erased,
    )
    return len(erased)
