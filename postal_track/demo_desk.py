"""What the demo leaves at the agencies' desks: papers asked for, and a list brought."""

from collections.abc import Sequence
from uuid import uuid4

from postal_track import desk, lists, spreadsheets
from postal_track.boards import today
from postal_track.custody import Leg
from postal_track.desk import Tab
from postal_track.errands import Errand, send
from postal_track.history import history
from postal_track.promises import add_working_days
from postal_track.staff import Actor


async def leave_something_to_do(officers: Sequence[Actor], procedure: str) -> None:
    """Stop a clock at each desk that has work, and bring a list to the first."""
    for officer in officers:
        await _stop_the_clock(officer)
    await _bring_a_list(officers[0], procedure)


async def _stop_the_clock(officer: Actor) -> None:
    """Let papers be asked for, and somebody have read of a person."""
    lying = [s for s in (await desk.section(officer, Tab.WORK)).slips if s.waybill]
    if not lying:
        return
    said = Errand(
        id=uuid4(),
        token=lying[-1].token,
        leg=Leg.SUPPLEMENT,
        originals=1,
        copies=0,
        until=add_working_days(today(), 5),
    )
    await send(said, officer)
    await history(lying[-1].waybill, officer, show=True)


async def _bring_a_list(officer: Actor, procedure: str) -> None:
    """Let an agency have brought a list of whose results are to be brought."""
    if officer.place is None:
        return
    rows = "\n".join(
        (
            "Mã hồ sơ\tNgười nhận\tĐiện thoại\tĐịa chỉ",
            "H01.31-261120-0107\tTrần Thị Mẫu\t0900 000 107"
            "\t7 Lê Lợi, Phường Long Xuyên",
            "H01.31-261120-0108\tLê Văn Mẫu\t0900 000 108\t8 Lê Lợi, Phường Long Xuyên",
        )
    )
    given = lists.understand(lists.Kind.RESULTS, [spreadsheets.text(rows)])
    terms = lists.Terms(agency=officer.place, procedure=procedure, ready=False)
    await lists.take_in(uuid4(), given, officer, terms)
