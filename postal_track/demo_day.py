"""What the demo's carriers have to do today: rounds, doors on the map, and two phones.

By the same acts as at work. Only the doors are put beside the ward's centre by hand:
nobody lives at these addresses, so no map knows them.
"""

import random
from uuid import uuid4

from postal_track import devices, lost, plans
from postal_track.boards import today
from postal_track.custody import PartyKind
from postal_track.database import transaction
from postal_track.plans import Wanted
from postal_track.staff import Actor, actor_of

SEED = 1976
AWAY = 0.02  # degrees; two kilometres, as in a town
AGENT = "Mozilla/5.0 (Linux; Android 14; SM-A155F) AppleWebKit/537.36 Mobile"


async def plan() -> None:
    """Give the first office its rounds, some of its items a carrier, and two phones."""
    await _spread_doors()
    clerk, carrier = await _named("gdv.giang"), await _named("buuta.an")
    await plans.set_rounds({"30307": carrier.staff}, clerk)
    board = await plans.board(clerk)
    rows = [
        (line.waybill, uuid4())
        for line in board.open
        if line.to.kind is PartyKind.CITIZEN and line.staff is None
    ]
    if rows:
        wanted = Wanted(rows=rows, staff=carrier.staff, on_day=today())
        await plans.assign(wanted, clerk)
    async with transaction() as connection:
        for id_, name in (
            ("web-demo-an-1", "Bưu tá 12 - Samsung"),
            ("web-demo-an-2", "Máy cũ của An"),
        ):
            await devices.admit(connection, id_, carrier.staff, AGENT, name)
    supervisor = await _named("giamsat")
    await lost.sign_out("web-demo-an-2", "Rơi trên phà An Hòa", supervisor)


async def _named(login: str) -> Actor:
    async with transaction() as connection:
        number = await connection.fetchval(
            "SELECT id FROM staff WHERE login = $1", login
        )
        return await actor_of(connection, number)


async def _spread_doors() -> None:
    """Put each address somewhere of its own; a family stays together."""
    chance = random.Random(SEED)  # noqa: S311 - nothing to guess here
    async with transaction() as connection:
        rows = await connection.fetch(
            "SELECT DISTINCT address FROM person WHERE lat IS NOT NULL ORDER BY address"
        )
        for row in rows:
            await connection.execute(
                """
                UPDATE person SET lat = lat + $2, lon = lon + $3, accuracy_m = 30,
                    position_source = 'nominatim' WHERE address = $1
                """,
                row["address"],
                chance.uniform(-AWAY, AWAY),
                chance.uniform(-AWAY, AWAY),
            )
