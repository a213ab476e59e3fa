"""Random people tell random things, late, twice, out of order: the law still holds.

After every step each item has exactly one holder, the kept state is what a replay of
the ledger gives, every chain verifies and nothing was written twice. The model is a
plain list of what was accepted, read by its own few lines.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from postal_track import audit
from postal_track.custody import (
    REASONS,
    STAYS,
    Party,
    PartyKind,
    Reason,
    Role,
    Step,
    taker,
)
from postal_track.database import transaction
from postal_track.handoffs import Outcome, Proof, Scan, record
from tests.cast import Cast, order

Answer = TypeVar("Answer")

SIGNED = Proof("signature", signature="M0 0 L9 9", id_kind="cccd", id_last4="4321")
# After a refusal the envelope goes on as another item: that has a test of its own.
STEPS = [
    step
    for step in Step
    if step not in (Step.BOOKED, Step.READY, Step.CORRECTED, Step.REFUSED)
]
PEOPLE = ("alice", "amy", "bob", "ben", "charlie", "carol", "dora")


def machine(cast: Cast, loop: asyncio.AbstractEventLoop) -> type[RuleBasedStateMachine]:
    """Make a machine that works on the loop that holds the database's pool."""

    def wait(work: Coroutine[Any, Any, Answer]) -> Answer:
        return asyncio.run_coroutine_threadsafe(work, loop).result(60)

    class Journeys(RuleBasedStateMachine):
        """Two items and everybody who may lay hands on them."""

        def __init__(self) -> None:
            super().__init__()
            self.born = datetime.now(UTC) - timedelta(hours=10)
            self.waybills: list[str] = []
            self.sent: list[list[Scan]] = []
            self.answers: list[list[Outcome]] = []

        @initialize()
        def book_two(self) -> None:
            for _ in range(2):
                booked = wait(order(cast, self.born))
                self.waybills.append(booked.waybill or "")

        @rule(
            told=st.lists(
                st.tuples(
                    st.sampled_from(PEOPLE),
                    st.sampled_from(STEPS),
                    st.integers(0, 1),
                    st.integers(0, 500),  # minutes after birth: late as often as not
                    st.booleans(),
                ),
                min_size=1,
                max_size=6,
            )
        )
        def tell(self, told: list[tuple[str, Step, int, int, bool]]) -> None:
            self.send([self.scan(*each) for each in told])

        @precondition(lambda self: self.sent)
        @rule(data=st.data())
        def tell_again(self, data: st.DataObject) -> None:
            """A phone that heard no answer sends its list once more."""
            number = data.draw(st.integers(0, len(self.sent) - 1))
            again = wait(record(self.sent[number]))
            before = self.answers[number]
            assert [(o.id, o.remarks, str(o.error)) for o in again] == [
                (o.id, o.remarks, str(o.error)) for o in before
            ]

        @precondition(lambda self: self.sent)
        @rule(data=st.data(), truly=st.booleans())
        def correct(self, data: st.DataObject, truly: bool) -> None:
            """A supervisor declares a line wrong: it was not, or not like this."""
            number = data.draw(st.integers(0, len(self.sent) - 1))
            wrong = data.draw(st.sampled_from(self.sent[number]))
            self.send(
                [
                    Scan(
                        id=uuid4(),
                        code=wrong.code,
                        step=Step.CORRECTED,
                        at=datetime.now(UTC),
                        actor=cast.dean,
                        reason=Reason.INCORRECT_DATA if truly else Reason.DID_NOT_OCCUR,
                        corrects=wrong.id,
                        copies=4,
                    )
                ]
            )

        def scan(
            self, who: str, step: Step, item: int, minute: int, proved: bool
        ) -> Scan:
            return Scan(
                id=uuid4(),
                code=self.waybills[item],
                step=step,
                at=self.born + timedelta(minutes=minute),
                actor=getattr(cast, who),
                to=cast.amy.party if step is Step.RELEASED else None,
                reason=min(REASONS.get(step, {Reason.ABSENT})),
                proof=SIGNED if proved else None,
                dossier_code="H01-1",
                originals=minute % 3 or None,
            )

        def send(self, scans: list[Scan]) -> None:
            self.sent.append(scans)
            self.answers.append(wait(record(scans)))

        @invariant()
        def every_chain_verifies_and_every_item_says_what_its_story_says(self) -> None:
            assert wait(audit.verify()).faults == ()

        @invariant()
        def each_item_is_held_by_the_last_who_took_it(self) -> None:
            for waybill in self.waybills:
                holder, lines = wait(look(waybill))
                told = self.accepted(waybill)
                assert lines == len(told) + 1
                wrong = undone(told)
                moves = [
                    (scan.at, place, whom(scan))
                    for place, scan in enumerate(told)
                    if whom(scan) is not None and scan.id not in wrong
                ]
                # Of two at the same minute the one that was told later counts.
                expected = max(moves)[2] if moves else "citizen"
                assert holder == expected

        def accepted(self, waybill: str) -> list[Scan]:
            """List what was written of an item, in the order it was written."""
            found = []
            for scans, answers in zip(self.sent, self.answers, strict=True):
                pairs = zip(scans, answers, strict=True)
                # A list is read in the order of its own clock.
                for scan, answer in sorted(pairs, key=lambda pair: pair[0].at):
                    if scan.code == waybill and answer.error is None:
                        found.append(scan)
            return found

    return Journeys


def undone(told: list[Scan]) -> set[UUID | None]:
    """List what did not occur, with what was told again and then did not either."""
    wrong = {s.corrects for s in told if s.reason is Reason.DID_NOT_OCCUR}
    for scan in reversed(told):
        if scan.id in wrong and scan.corrects is not None:
            wrong.add(scan.corrects)
    return wrong


def whom(scan: Scan) -> str | None:
    """Say who holds an item after this scan, by the plain words of the issue."""
    if scan.step in STAYS:
        return None
    if scan.step is Step.DELIVERED:
        return "citizen"
    if scan.step in (Step.ARRIVED, Step.HELD, Step.RECEIVED, Step.RETURNED):
        return str(scan.actor.place)
    if scan.step is Step.ACCEPTED and scan.actor.role is not Role.CARRIER:
        return str(scan.actor.place)
    return str(scan.actor.party)


async def look(waybill: str) -> tuple[str, int]:
    """Read who holds an item and how many lines it has."""
    async with transaction() as connection:
        row = await connection.fetchrow(
            """
            SELECT i.holder, count(e.id) AS lines FROM item i
            JOIN event e ON e.item = i.id WHERE i.waybill = $1 GROUP BY i.id
            """,
            waybill,
        )
    return row["holder"], row["lines"]


async def test_whatever_is_told_there_is_one_holder_and_the_ledger_agrees(
    cast: Cast,
) -> None:
    journeys = machine(cast, asyncio.get_running_loop())
    await asyncio.to_thread(
        run_state_machine_as_test,
        journeys,
        settings=settings(
            max_examples=15,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_the_machine_knows_the_takers_of_the_rule_book() -> None:
    place = Party(PartyKind.OFFICE, 1)
    for step in STEPS:
        moves = taker(step, Party(PartyKind.STAFF, 1), place, Role.CARRIER)
        assert (moves is None) == (step in STAYS)
