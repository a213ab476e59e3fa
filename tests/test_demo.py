"""The demo is a whole province, made by the paths that real work takes."""

from dataclasses import replace
from typing import Any

import pytest

from postal_track import audit, demo
from postal_track.custody import Stage
from postal_track.settings import settings


async def test_the_demo_has_dossiers_at_every_stage_and_a_sound_ledger(
    database: Any,
) -> None:
    assert await demo.load_once()
    rows = await database.fetch("SELECT DISTINCT stage FROM item")
    missing = {stage.value for stage in Stage} - {row["stage"] for row in rows}
    # What nobody would want to meet at first sight is left to be tried.
    assert missing == {
        "unborn",
        "misrouted",
        "missing",
        "returned",
        "cancelled",
        "lost",
    }
    assert await database.fetchval("SELECT count(*) FROM dossier") >= 40
    assert (await audit.verify()).faults == ()


async def test_the_demo_is_loaded_once(database: Any) -> None:
    assert await demo.load_once()
    before = await database.fetchval("SELECT count(*) FROM event")
    assert not await demo.load_once()
    assert await database.fetchval("SELECT count(*) FROM event") == before


async def test_the_demo_is_never_loaded_where_texts_leave_the_house(
    database: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = replace(settings(), SMS_GATEWAYS=("twilio",))
    monkeypatch.setattr(demo, "settings", lambda: real)
    assert not await demo.load_once()
    assert await database.fetchval("SELECT count(*) FROM staff") == 0


def test_the_greeting_names_every_role_and_a_way_in() -> None:
    words = demo.greeting("http://localhost:8000")
    logins = {person["login"] for person in demo._data()["staff"]}
    named = {word for word in words.split() if word in logins}
    roles = {p["role"] for p in demo._data()["staff"] if p["login"] in named}
    assert roles == {p["role"] for p in demo._data()["staff"]}
    assert words.count("http://localhost:8000/") == 4
