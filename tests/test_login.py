"""Logging in: slow for guessers, kept over a restart, and nothing typed is lost."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from playwright.async_api import Page, expect

from postal_track.errors import LoginThrottled, NotLoggedIn, SessionExpired
from postal_track.staff import (
    TRIES_PER_ADDRESS,
    TRIES_PER_LOGIN,
    log_in,
    log_out,
    whose,
)
from tests.axe import assert_accessible
from tests.cast import ADDRESS, OWNER, PASSWORD, PHONE, Cast, enter


async def test_a_password_opens_a_session_and_logging_out_ends_it(cast: Cast) -> None:
    opened = await log_in(" Alice ", PASSWORD, "10.0.0.1")
    assert (await whose(opened.token)) == cast.alice
    await log_out(opened.token)
    with pytest.raises(SessionExpired):
        await whose(opened.token)


async def test_neither_password_nor_token_can_be_read_from_the_tables(
    cast: Cast, database: Any
) -> None:
    opened = await log_in("alice", PASSWORD, "10.0.0.1")
    kept = await database.fetchrow(
        "SELECT s.password, n.token FROM staff s JOIN session n ON n.staff = s.id"
    )
    assert kept["password"].startswith("$argon2id$")
    assert opened.token.encode() not in kept["token"]


@pytest.mark.parametrize("login", ["alice", "nobody"])
async def test_a_wrong_password_and_an_unknown_login_are_told_alike(
    cast: Cast, login: str
) -> None:
    with pytest.raises(NotLoggedIn) as fault:
        await log_in(login, "wrong", "10.0.0.1")
    assert type(fault.value) is NotLoggedIn


async def test_a_login_that_is_guessed_at_is_closed_for_a_while(
    cast: Cast, database: Any
) -> None:
    for _ in range(TRIES_PER_LOGIN):
        with pytest.raises(NotLoggedIn):
            await log_in("alice", "wrong", "10.0.0.1")
    with pytest.raises(LoginThrottled) as fault:
        await log_in("alice", PASSWORD, "10.0.0.2")
    assert 0 < fault.value.seconds <= 15 * 60
    await database.execute("UPDATE login_attempt SET at = at - interval '16 minutes'")
    assert (await log_in("alice", PASSWORD, "10.0.0.2")).actor == cast.alice


async def test_a_success_forgives_the_slips_before_it(cast: Cast) -> None:
    for _ in range(TRIES_PER_LOGIN - 1):
        with pytest.raises(NotLoggedIn):
            await log_in("alice", "wrong", "10.0.0.1")
    await log_in("alice", PASSWORD, "10.0.0.1")
    with pytest.raises(NotLoggedIn):
        await log_in("alice", "wrong", "10.0.0.1")
    await log_in("alice", PASSWORD, "10.0.0.1")


async def test_an_address_that_tries_many_logins_is_stopped(
    cast: Cast, database: Any
) -> None:
    await database.execute(
        """
        INSERT INTO login_attempt (login, address, at, succeeded)
        SELECT 'login' || n, '10.0.0.9', now(), false FROM generate_series(1, $1) n
        """,
        TRIES_PER_ADDRESS,
    )
    with pytest.raises(LoginThrottled):
        await log_in("alice", PASSWORD, "10.0.0.9")
    await log_in("alice", PASSWORD, "10.0.0.1")


async def test_a_session_is_kept_when_the_server_is_started_anew(
    server: str, cast: Cast, run: Any, free_port: int
) -> None:
    async with httpx.AsyncClient(base_url=server) as client:
        answer = await client.post(
            "/api/sessions", json={"login": "bob", "password": PASSWORD}
        )
        token = answer.json()["token"]
    options = ("--host", "127.0.0.1", "--port", str(free_port))
    with run("another-web", "uvicorn", "app:app", *options) as other:
        address = f"http://127.0.0.1:{free_port}"
        async with httpx.AsyncClient(base_url=address) as client:
            while other.alive():
                try:
                    held = await client.get(
                        "/api/held", headers={"authorization": f"Bearer {token}"}
                    )
                except httpx.TransportError:
                    continue
                assert held.status_code == 200
                break


async def test_a_form_from_elsewhere_is_refused(server: str, cast: Cast) -> None:
    async with httpx.AsyncClient(base_url=server) as client:
        answer = await client.post(
            "/login", data={"login": "alice", "password": PASSWORD}
        )
    assert answer.status_code == 403
    assert "session" not in answer.cookies


async def test_a_redirect_after_the_login_stays_on_our_own_site(
    page: Page, cast: Cast
) -> None:
    await page.goto("/login?next=//example.com/")
    await page.get_by_label("Tên đăng nhập").fill("alice")
    await page.get_by_label("Mật khẩu").fill(PASSWORD)
    await page.get_by_role("button", name="Đăng nhập").click()
    await expect(page.locator("body[data-role]")).to_be_visible()
    assert "example.com" not in page.url


async def test_a_session_that_ends_in_the_middle_of_a_form_loses_nothing(
    page: Page, cast: Cast, database: Any
) -> None:
    await enter(page, cast.bob)
    await page.goto("/dossiers/new")
    await page.locator("[data-procedure]").select_option("1.000")
    await page.locator("[name=agency]").select_option("AGENCY")
    await page.locator("[name='owner.name']").fill(OWNER)
    await page.locator("[name='owner.phone']").fill(PHONE)
    await page.locator("[name='owner.address']").fill(ADDRESS)
    await expect(page.locator("[name='papers.0.name']")).not_to_have_value("")
    await database.execute("UPDATE session SET expires_at = now()")
    await page.locator("[data-register]").click()
    await expect(page.locator("[data-problem]")).to_contain_text("vẫn được giữ")
    await assert_accessible(page)
    await page.get_by_label("Tên đăng nhập").fill("bob")
    await page.get_by_label("Mật khẩu").fill(PASSWORD)
    await page.get_by_role("button", name="Đăng nhập").click()
    await assert_accessible(page)
    await page.get_by_role("button", name="Gửi tiếp").click()
    await expect(page.locator("[data-waybill]")).to_be_visible()
    assert await database.fetchval("SELECT name FROM person") == OWNER


async def test_every_page_may_load_nothing_from_elsewhere(
    server: str, cast: Cast
) -> None:
    async with httpx.AsyncClient(base_url=server) as client:
        for path in (
            "/",
            "/login",
            "/track",
            "/health",
            "/nowhere",
            "/static/css/site.css",
        ):
            policy = (await client.get(path)).headers["content-security-policy"]
            assert "default-src 'self'" in policy, path
            assert "unsafe-inline" not in policy, path


async def test_a_page_that_is_not_there_says_so_to_people_and_programs(
    page: Page, server: str, cast: Cast
) -> None:
    answer = await page.goto("/nowhere")
    assert answer is not None
    assert answer.status == 404
    await expect(page.locator("main")).to_contain_text("Không tìm thấy trang này")
    await assert_accessible(page)
    async with httpx.AsyncClient(base_url=server) as client:
        said = (await client.get("/nowhere")).json()
    assert said["error"] == "NotFound"
