"""What a phone takes along: one answer, fetched while there is a network.

Shapes only; what belongs into it is ``satchel``'s and ``holding``'s.
"""

from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request, get

from postal_track import holding, satchel
from postal_track.errors import NotLoggedIn
from postal_track.settings import settings
from postal_track.staff import Actor
from routes import payloads, scan_examples, words
from routes.guards import logged_in
from routes.language import language
from routes.openapi import answers, refuses
from routes.payloads import Item, Proposal
from routes.scans import Receiver


class Satchel(msgspec.Struct):
    """All that a phone needs to go on without a network.

    ``now`` is the server's clock, ``limit`` the longest list of scans, ``key`` locks
    what waits on the phone. ``unseen`` is what may be said of an item that is in
    neither list; ``onward`` what is proposed once a step was said, of an item bound
    for a citizen or for an agency.
    """

    login: str
    name: str
    now: datetime
    limit: int
    key: str
    items: list[Item]
    promised: list[Item]
    receivers: list[Receiver]
    unseen: list[Proposal]
    onward: dict[str, dict[str, list[Proposal]]]


_EXAMPLE = Satchel(
    login="buuta.an",
    name="Nguyễn Văn An",
    now=datetime(2026, 11, 23, 2, 15, 4, tzinfo=UTC),
    limit=500,
    key="kV0t2q1x0Y2mZ3hJm4sQ1w5u7b8n9c0d1e2f3a4b5c4=",
    items=[scan_examples.ITEM],
    promised=[],
    receivers=[Receiver("office:2", "Bưu cục Châu Đốc")],
    unseen=scan_examples.ITEM.proposals,
    onward={"citizen": {"out": scan_examples.ITEM.proposals}, "agency": {}},
)


@get(
    "/api/satchel",
    guards=[logged_in],
    summary="What a phone takes along",
    description=(
        "What is held and promised, whom to release to, the steps that may be said "
        "without looking, the server's clock, and the key that locks what waits."
    ),
    tags=["Scans"],
    responses=answers(200, Satchel, _EXAMPLE, "For a day without a network")
    | refuses(NotLoggedIn()),
)
async def fill_satchel(request: Request[Actor, str, Any]) -> Satchel:
    """Give a phone what it needs when nobody can be asked."""
    actor, lang = request.user, language(request)
    held, promised = await holding.held(actor)
    english = lang == "en"
    return Satchel(
        login=actor.login,
        name=actor.name,
        now=datetime.now(UTC),
        limit=settings().MAX_SCANS_PER_LIST,
        key=b64encode(satchel.key_of(actor)).decode(),
        items=[payloads.item(sight, lang) for sight in held],
        promised=[payloads.item(sight, lang) for sight in promised],
        receivers=[
            Receiver(str(party), named.name_en if english else named.name)
            for party, named in await holding.receivers(actor)
        ],
        unseen=_told(satchel.unseen(actor.role), lang),
        onward={
            name: {
                step.value: _told(options, lang)
                for step, options in satchel.onward(actor, name == "citizen").items()
            }
            for name in ("citizen", "agency")
        },
    )


def _told(options: Any, lang: Any) -> list[Proposal]:
    return [
        Proposal(each.step, words.step(each.step, lang), each.needs) for each in options
    ]


ROUTES = [fill_satchel]
