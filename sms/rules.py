"""May a text go now, by which gateway, and if not, when.

The rule book of sending: night, caps, wishes, expiry, silence and pace. Pure: no table,
no clock, no gateway; the caller brings the facts and the time.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sms.status import UNSENT, Status


class AfterSilence(StrEnum):
    """What a gateway lets us do when we do not know whether it took a text."""

    ASK = "ask"  # it can be asked what it has
    REPEAT = "repeat"  # it knows our id and takes the same text once only
    CALL = "call"  # neither: a clerk calls the citizen


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What was decided about sending. Durations in seconds unless they say otherwise.

    `at_night`, `uncapped`: templates that the night and the cap do not hold back.
    `anyway`: templates that go out although the citizen wants no texts.
    `cap`: texts of one group in one day. `gap`: between two texts to one number.
    `rate`: texts a second to one gateway, by all workers together; 0 sets no limit.
    `parallel`: texts one worker hands over at the same time. `timeout`: how long a
    gateway may take to answer; `settle`: how much longer it may take to show what it
    has. `horizon`: how far ahead of its turn a text is claimed. `looks`: after which
    times a text without a final receipt is looked up. `prices`: VND for a segment.
    """

    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Asia/Ho_Chi_Minh"))
    night_starts: time = time(21)
    night_ends: time = time(7)
    at_night: frozenset[str] = frozenset()
    cap: int = 8
    uncapped: frozenset[str] = frozenset()
    anyway: frozenset[str] = frozenset()
    gap: float = 2.0
    rate: float = 50.0
    parallel: int = 60
    timeout: float = 10.0
    settle: float = 30.0
    horizon: float = 2.0
    first_wait: float = 5.0
    longest_wait: float = 900.0
    give_up: timedelta = timedelta(hours=24)
    looks: tuple[float, ...] = (600.0, 3600.0, 12 * 3600.0)
    prices: Mapping[str, int] = field(default_factory=dict)

    @property
    def lease(self) -> float:
        """How long a worker keeps a text: its turn, the call, and time to write."""
        return self.horizon + self.timeout + max(1.0, self.timeout / 2)

    @property
    def rest(self) -> float:
        """How long a gateway that has fallen silent is left alone."""
        return 6 * self.first_wait

    def is_night(self, now: datetime) -> bool:
        """Whether people sleep."""
        local = now.astimezone(self.zone).time()
        if self.night_starts <= self.night_ends:
            return self.night_starts <= local < self.night_ends
        return local >= self.night_starts or local < self.night_ends

    def morning(self, now: datetime) -> datetime:
        """Return the end of this night, or of the next one by day."""
        local = now.astimezone(self.zone)
        morning = local.replace(
            hour=self.night_ends.hour,
            minute=self.night_ends.minute,
            second=0,
            microsecond=0,
        )
        return morning if morning > local else morning + timedelta(days=1)

    def midnight(self, now: datetime) -> datetime:
        """Return when this day began."""
        local = now.astimezone(self.zone)
        return local.replace(hour=0, minute=0, second=0, microsecond=0)

    def back_off(self, tries: int, at_least: float | None = None) -> float:
        """Return how long to wait after so many tries: doubled each time, jittered.

        Half of it is chance, so that texts that failed together do not return
        together.
        """
        longest = min(self.longest_wait, self.first_wait * 2.0 ** max(0, tries - 1))
        waited = longest * (0.5 + random.random() / 2)  # noqa: S311 - no secret
        return max(waited, at_least or 0.0)


@dataclass(frozen=True, slots=True)
class Way:
    """A gateway as the rules see it; `paused_until` and `next_at` from its line."""

    name: str
    after_silence: AfterSilence
    can_look: bool
    paused_until: datetime
    next_at: datetime


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that is due, with the facts it is judged by.

    `mark`: the code for which its number takes no texts. `told_today`: texts of its
    group today. `last_told`: when another text last went to its number.
    """

    id: int
    status: Status
    recipient: str
    template: str
    unsure: bool
    gateway: str | None
    avoid: Sequence[str]
    began: datetime
    expires_at: datetime | None
    tried_at: datetime | None
    error_code: str
    opted_out: bool
    mark: str
    told_today: int
    last_told: datetime | None


@dataclass(frozen=True, slots=True)
class Send:
    """Hand it to this gateway."""

    gateway: str


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask this gateway whether it has it."""

    gateway: str


@dataclass(frozen=True, slots=True)
class Look:
    """Look up at this gateway what became of it."""

    gateway: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Not before then. `held`: by the night or the cap, which is nobody's delay."""

    until: datetime
    held: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """It is over, for this reason."""

    status: Status
    code: str


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing more is done; it stays what it is."""


Verdict = Send | Ask | Look | Wait | End | Rest


def judge(text: Candidate, ways: Sequence[Way], rules: Rules, now: datetime) -> Verdict:
    """Say what happens next to a text that is due. `ways`: in fail-over order."""
    known = {way.name: way for way in ways}
    if text.status is Status.SENT:
        way = known.get(text.gateway or "")
        return Look(way.name) if way and way.can_look else Rest()
    if text.status not in UNSENT:
        # Whoever set a time for it, what has ended is never sent.
        return Rest()
    if text.unsure:
        return _after_silence(text, known.get(text.gateway or ""), rules, now)
    if text.expires_at is not None and text.expires_at <= now:
        return End(Status.EXPIRED, "expired")
    if not text.recipient:
        return End(Status.FAILED, "bad_number")
    if text.opted_out and text.template not in rules.anyway:
        return End(Status.SUPPRESSED, "opted_out")
    if text.mark:
        return End(Status.FAILED, text.mark)
    if now - text.began > rules.give_up:
        return End(Status.FAILED, text.error_code or "gave_up")
    if rules.is_night(now) and text.template not in rules.at_night:
        return Wait(rules.morning(now), held=True)
    if text.told_today >= rules.cap and text.template not in rules.uncapped:
        tomorrow = rules.midnight(now) + timedelta(days=1)
        return Wait(rules.morning(tomorrow), held=True)
    if text.last_told and now < text.last_told + timedelta(seconds=rules.gap):
        return Wait(text.last_told + timedelta(seconds=rules.gap))
    return _choose(text, ways, now)


def _after_silence(
    text: Candidate, way: Way | None, rules: Rules, now: datetime
) -> Verdict:
    tried = text.tried_at or text.began
    if way is None or now - tried > rules.give_up:
        return End(Status.EXPIRED, "not_known")
    if now < way.paused_until:
        return Wait(way.paused_until)
    if way.after_silence is AfterSilence.ASK:
        return Ask(way.name)
    over = text.expires_at is not None and text.expires_at <= now
    if way.after_silence is AfterSilence.REPEAT and not over:
        if rules.is_night(now) and text.template not in rules.at_night:
            return Wait(rules.morning(now), held=True)
        return Send(way.name)
    return End(Status.EXPIRED, "not_known")


def _choose(text: Candidate, ways: Sequence[Way], now: datetime) -> Verdict:
    able = [way for way in ways if way.name not in text.avoid]
    if not able:
        return End(Status.FAILED, text.error_code or "text")
    for way in able:
        if way.paused_until <= now:
            return Send(way.name)
    return Wait(min(way.paused_until for way in able))
