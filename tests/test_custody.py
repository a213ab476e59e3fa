"""The rule book, read as tables.

Who holds an item after each step, and what is flagged.
"""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postal_track.custody import (
    CITIZEN,
    ENDED,
    FOLLOWS,
    MAY,
    UNBORN,
    Custody,
    Event,
    Kind,
    Party,
    PartyKind,
    Role,
    Stage,
    Step,
    announced,
    apply,
    flags,
    propose,
    read,
    taker,
)

ALICE, ANOTHER = Party(PartyKind.STAFF, 1), Party(PartyKind.STAFF, 2)
BOB = Party(PartyKind.STAFF, 3)
CHARLIE = Party(PartyKind.STAFF, 4)
OFFICE, HUB = Party(PartyKind.OFFICE, 1), Party(PartyKind.OFFICE, 2)
AGENCY, OTHER_AGENCY = Party(PartyKind.AGENCY, 1), Party(PartyKind.AGENCY, 2)
START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)

PEOPLE = {
    ALICE: (Role.CARRIER, OFFICE),
    ANOTHER: (Role.CARRIER, OFFICE),
    BOB: (Role.CLERK, OFFICE),
    CHARLIE: (Role.OFFICER, AGENCY),
}


def event(step: Step, by: Party = ALICE, minute: int = 0, **more: object) -> Event:
    """Say a step as a scan would, with the taker that the rules name."""
    role, place = PEOPLE[by]
    at = START + timedelta(minutes=minute)
    facts = {"place": place, "taker": taker(step, by, place, role)} | more
    return Event(step, by, at, **facts)  # type: ignore[arg-type] # a test's shorthand


BOOKED = event(Step.BOOKED, BOB, taker=CITIZEN, towards=AGENCY, originals=2, copies=3)
READY = event(Step.READY, CHARLIE, towards=CITIZEN, originals=1)


def story(*steps: tuple[Step, Party]) -> list[Event]:
    """Tell a story a minute at a time."""
    return [event(step, by, minute) for minute, (step, by) in enumerate(steps, 1)]


def test_a_dossier_travels_from_the_citizen_to_the_agency_unflagged() -> None:
    way = [
        BOOKED,
        *story(
            (Step.ACCEPTED, ALICE),
            (Step.ARRIVED, BOB),
            (Step.OUT, ALICE),
            (Step.RECEIVED, CHARLIE),
            (Step.REGISTERED, CHARLIE),
        ),
    ]
    holders, found, now = [], [], UNBORN
    for each in way:
        found += flags(now, each)
        now = apply(now, each)
        holders.append(now.holder)
    assert holders == [CITIZEN, ALICE, OFFICE, ALICE, AGENCY, AGENCY]
    assert now.stage is Stage.RECEIVED
    assert found == []


def test_a_result_travels_from_the_agency_to_the_citizen_unflagged() -> None:
    released = event(Step.RELEASED, CHARLIE, 1, towards=OFFICE)
    way = [
        READY,
        released,
        *story(
            (Step.ACCEPTED, ALICE),
            (Step.ARRIVED, BOB),
            (Step.OUT, ALICE),
            (Step.ATTEMPTED, ALICE),
            (Step.OUT, ALICE),
            (Step.DELIVERED, ALICE),
        ),
    ]
    found, now = [], UNBORN
    for each in way:
        found += flags(now, each)
        now = apply(now, each)
    assert found == []
    assert (now.holder, now.stage, now.attempts) == (CITIZEN, Stage.DELIVERED, 1)


def test_a_release_alone_does_not_move_custody() -> None:
    held = read([BOOKED, *story((Step.ACCEPTED, ALICE))])
    limbo = apply(held, event(Step.RELEASED, ALICE, 2, towards=ANOTHER))
    assert limbo.holder == ALICE
    assert limbo.released_to == ANOTHER
    assert apply(limbo, event(Step.RECALLED, ALICE, 3)).released_to is None


def test_an_acceptance_that_was_released_is_no_surprise() -> None:
    held = read([BOOKED, *story((Step.ACCEPTED, ALICE))])
    limbo = apply(held, event(Step.RELEASED, ALICE, 2, towards=ANOTHER))
    assert flags(limbo, event(Step.TAKEN, ANOTHER, 3)) == []


def test_an_acceptance_that_nobody_announced_moves_custody_and_is_flagged() -> None:
    held = read([BOOKED, *story((Step.ACCEPTED, ALICE))])
    grabbed = event(Step.TAKEN, ANOTHER, 2)
    assert flags(held, grabbed) == [Kind.UNANNOUNCED]
    assert apply(held, grabbed).holder == ANOTHER


def test_what_was_promised_to_one_is_flagged_when_another_takes_it() -> None:
    stored = read([BOOKED, *story((Step.ACCEPTED, ALICE), (Step.ARRIVED, BOB))])
    promised = apply(stored, event(Step.RELEASED, BOB, 3, towards=ALICE))
    assert Kind.UNANNOUNCED in flags(promised, event(Step.OUT, ANOTHER, 4))
    assert flags(promised, event(Step.OUT, ALICE, 4)) == []


def test_a_delivery_by_someone_who_does_not_hold_the_item_is_flagged() -> None:
    out = read([READY, *story((Step.ACCEPTED, ALICE), (Step.OUT, ALICE))])
    assert Kind.UNANNOUNCED in flags(out, event(Step.DELIVERED, ANOTHER, 5))


def test_another_agencys_receipt_is_kept_as_misrouted_and_can_be_forwarded() -> None:
    out = read([BOOKED, *story((Step.ACCEPTED, ALICE), (Step.OUT, ALICE))])
    wrong = event(Step.RECEIVED, CHARLIE, 5, place=OTHER_AGENCY, taker=OTHER_AGENCY)
    assert Kind.MISROUTED in flags(out, wrong)
    astray = apply(out, wrong)
    assert (astray.stage, astray.holder) == (Stage.MISROUTED, OTHER_AGENCY)
    assert apply(astray, event(Step.TAKEN, ALICE, 6)).holder == ALICE


def test_an_office_that_the_item_was_not_bound_for_is_told_so() -> None:
    underway = read([BOOKED, *story((Step.ACCEPTED, ALICE))])
    bound = apply(underway, event(Step.TAKEN, ALICE, 2, towards=HUB))
    assert Kind.MISROUTED in flags(bound, event(Step.ARRIVED, BOB, 3))


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        ({"originals": 1}, Kind.COUNT_MISMATCH),
        ({"copies": 4}, Kind.COUNT_MISMATCH),
        ({"seal_broken": True}, Kind.SEAL_BROKEN),
        ({"seal_no": "S-2"}, Kind.SEAL_BROKEN),
        ({"damaged": True}, Kind.DAMAGED),
    ],
)
def test_what_differs_from_the_last_handover_is_flagged(
    found: dict[str, object], kind: Kind
) -> None:
    sealed = event(Step.ACCEPTED, ALICE, 1, originals=2, copies=3, seal_no="S-1")
    held = read([BOOKED, sealed])
    assert flags(held, event(Step.ARRIVED, BOB, 2, **found)) == [kind]


def test_counts_that_agree_or_were_not_made_are_not_flagged() -> None:
    held = read([BOOKED, event(Step.ACCEPTED, ALICE, 1, originals=2, copies=3)])
    assert flags(held, event(Step.ARRIVED, BOB, 2, originals=2, copies=3)) == []
    assert flags(held, event(Step.ARRIVED, BOB, 2)) == []


def test_of_two_acceptances_from_the_citizen_the_second_is_flagged() -> None:
    booked = read([BOOKED])
    first, second = event(Step.ACCEPTED, ALICE, 1), event(Step.ACCEPTED, ANOTHER, 1)
    assert flags(booked, first) == []
    assert flags(apply(booked, first), second) == [Kind.OUT_OF_ORDER, Kind.UNANNOUNCED]


def test_a_clerk_who_accepts_takes_the_item_in_for_the_office() -> None:
    now = read([BOOKED, event(Step.ACCEPTED, BOB, 1)])
    assert (now.holder, now.stage) == (OFFICE, Stage.AT_OFFICE)


@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("step", list(Step))
def test_a_step_is_flagged_exactly_when_the_graph_has_no_arrow_for_it(
    stage: Stage, step: Step
) -> None:
    now = Custody(stage=stage, holder=OFFICE, addressee=AGENCY, sender=CITIZEN)
    said = Event(step, BOB, START, place=OFFICE)
    expected = step not in FOLLOWS[stage] and step is not Step.CORRECTED
    assert (Kind.OUT_OF_ORDER in flags(now, said)) == expected


def test_nothing_follows_a_delivery_and_only_a_registration_a_receipt() -> None:
    assert FOLLOWS[Stage.DELIVERED] == frozenset()
    assert FOLLOWS[Stage.RECEIVED] == {Step.REGISTERED}
    for stage in ENDED - {Stage.RECEIVED}:
        assert FOLLOWS[stage] == frozenset()


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("stage", list(Stage))
@pytest.mark.parametrize("holder", [ALICE, ANOTHER, OFFICE, AGENCY, CITIZEN])
@pytest.mark.parametrize("addressee", [AGENCY, CITIZEN])
def test_only_steps_that_the_role_may_take_are_proposed(
    role: Role, stage: Stage, holder: Party, addressee: Party
) -> None:
    now = Custody(stage=stage, holder=holder, addressee=addressee)
    places = frozenset({AGENCY if role is Role.OFFICER else OFFICE})
    proposed = propose(now, role, ALICE, places)
    assert all(role in MAY[step] for step in proposed)
    assert len(proposed) == len(set(proposed))


@pytest.mark.parametrize(
    ("told", "role", "by", "place", "first"),
    [
        ([BOOKED], Role.CARRIER, ALICE, OFFICE, Step.ACCEPTED),
        ([BOOKED, (Step.ACCEPTED, ALICE)], Role.CLERK, BOB, OFFICE, Step.ARRIVED),
        ([BOOKED, (Step.ACCEPTED, ALICE)], Role.CARRIER, ALICE, OFFICE, Step.OUT),
        (
            [BOOKED, (Step.ACCEPTED, ALICE), (Step.ARRIVED, BOB)],
            Role.CARRIER,
            ALICE,
            OFFICE,
            Step.OUT,
        ),
        (
            [BOOKED, (Step.ACCEPTED, ALICE), (Step.OUT, ALICE)],
            Role.OFFICER,
            CHARLIE,
            AGENCY,
            Step.RECEIVED,
        ),
        (
            [READY, (Step.ACCEPTED, ALICE), (Step.OUT, ALICE)],
            Role.CARRIER,
            ALICE,
            OFFICE,
            Step.DELIVERED,
        ),
        (
            [BOOKED, (Step.ACCEPTED, ALICE)],
            Role.CARRIER,
            ANOTHER,
            OFFICE,
            Step.TAKEN,
        ),
    ],
)
def test_the_one_likely_step_is_proposed_first(
    told: list[object], role: Role, by: Party, place: Party, first: Step
) -> None:
    birth, *rest = told
    assert isinstance(birth, Event)
    now = read([birth, *story(*rest)])  # type: ignore[arg-type] # pairs, by the table
    assert propose(now, role, by, frozenset({place}))[0] is first


@pytest.mark.parametrize(
    "text", ["staff:12", "office:3", "agency:5", "citizen", "system"]
)
def test_a_party_is_read_as_it_was_written(text: str) -> None:
    assert str(Party.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "staff", "staff:0", "staff:-1", "citizen:1", "staff:01", "dog:1"]
)
def test_what_is_no_party_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the enum's own words
        Party.parse(text)


_anyone = st.sampled_from([ALICE, ANOTHER, BOB, CHARLIE])


@given(st.lists(st.tuples(st.sampled_from(list(Step)), _anyone), max_size=30))
def test_whatever_is_told_an_item_has_one_holder_who_can_answer(
    told: list[tuple[Step, Party]],
) -> None:
    now = read([BOOKED])
    for each in story(*told):
        before, now = now, apply(now, each)
        assert now.holder.kind is not PartyKind.SYSTEM
        assert now.holder in (before.holder, each.taker)
        assert announced(before, each) or each.taker is not None
