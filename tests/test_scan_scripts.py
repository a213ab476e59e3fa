"""The scan page's own rules, asked in the browser that runs them."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page

from postal_track.s10 import check_digit, spaced, waybill


@pytest.fixture
async def s10(page: Page) -> Any:
    """Call a function of `s10.js`: `await s10("judge", "DH1")`."""
    await page.goto("/login")

    async def call(name: str, *arguments: Any) -> Any:
        return await page.evaluate(
            """async ([name, given]) => {
                const module = await import('/static/js/s10.js');
                return module[name](...given);
            }""",
            [name, arguments],
        )

    return call


async def test_the_browser_finds_the_same_check_digits(s10: Any) -> None:
    serials = ["47312482", "12345678", "00000000", "99999999"]
    serials += [f"{number:08}" for number in range(0, 100_000_000, 1_234_567)]
    assert [await s10("checkDigit", each) for each in serials] == [
        check_digit(each) for each in serials
    ]


@pytest.mark.parametrize(
    "text",
    [
        "DH123456785VN",
        "dh 1234 5678 5 vn",
        "123456785",
        " DH-1234-5678-5-VN\u200b",
        "\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff15",  # full-width digits
    ],
)
async def test_a_number_may_be_written_in_many_ways(s10: Any, text: str) -> None:
    assert await s10("judge", text) == {"waybill": "DH123456785VN"}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "empty"),
        ("DH 1234", "short"),
        ("DH 1234 5678 56", "long"),
        ("EB123456785CN", "letters"),
        ("DH12345678AVN", "letters"),
        ("DH123456784VN", "digit"),
    ],
)
async def test_what_is_wrong_with_a_number_is_told_apart(
    s10: Any, text: str, fault: str
) -> None:
    assert (await s10("judge", text))["fault"] == fault


async def test_a_label_is_known_by_its_waybill_whatever_carries_it(s10: Any) -> None:
    number = waybill(7)
    for code in (number, number.lower(), f"HTTPS://POST.EXAMPLE/T/{number}/ABCDEFGH"):
        assert await s10("waybillIn", code) == number
        assert await s10("isLabel", code)
    assert not await s10("isLabel", "https://example.com/")
    grouped = await s10("spaced", number)
    assert grouped.replace("\u00a0", " ") == spaced(number)


async def test_a_code_is_news_again_two_seconds_after_it_was_last_seen(
    page: Page,
) -> None:
    await page.goto("/login")
    news = await page.evaluate(
        """async () => {
            const { Seen } = await import('/static/js/seen.js');
            const seen = new Seen();
            const [a, b] = ['DH000000014VN', 'DH000000028VN'];
            const at = [[a, 0], [a, 1500], [b, 1600], [`HTTPS://H/T/${a}/TAG`, 3000],
                        [a, 4999], [a, 6999], [b, 7000]];
            return at.map(([code, now]) => seen.isNews(code, now));
        }"""
    )
    assert news == [True, False, True, False, False, True, True]


async def test_a_long_signature_stays_within_what_the_server_takes(page: Page) -> None:
    await page.goto("/login")
    path = await page.evaluate(
        """async () => {
            const { SignaturePad } = await import('/static/js/signature.js');
            const canvas = document.createElement('canvas');
            canvas.style.cssText = 'width: 600px; height: 200px';
            document.querySelector('main').append(canvas);
            canvas.setPointerCapture = () => {};
            canvas.hasPointerCapture = () => true;
            const pad = new SignaturePad(canvas, () => {});
            const point = (type, x, y) => canvas.dispatchEvent(
                new PointerEvent(type, { clientX: x, clientY: y, pointerId: 1 }));
            for (let stroke = 0; stroke < 90; stroke++) {
                point('pointerdown', stroke, 10);
                for (let i = 0; i < 60; i++)
                    point('pointermove', stroke + i * 9, 10 + (i % 2) * 50);
            }
            return pad.path();
        }"""
    )
    assert 15_000 < len(path) <= 20_000
    assert path.startswith("M")
    assert set(path) <= set("MQLh0123456789 -")
