"""The carrier's pages are for a thumb, for the sun and for who does not look at all."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from postal_track.custody import Step
from tests.axe import assert_accessible
from tests.cast import Cast, enter, scan, travel

SMALL = """() => {
    const things = 'a[href], button, select, summary, textarea, [tabindex="0"], '
        + 'input:not([type=hidden])';
    const seen = (one) => one.checkVisibility({ visibilityProperty: true })
        && !one.closest('.unseen, .skip, [aria-hidden=true]');
    // One touches the words of a box, too; a link in a line of words is the line's.
    const felt = (one) => one.closest('label') ?? one;
    return [...document.querySelectorAll(things)].filter(seen).map((one) => {
        const { width, height } = felt(one).getBoundingClientRect();
        return { width, height, html: one.outerHTML.slice(0, 120) };
    }).filter(({ width, height }) => width < 47.5 || height < 47.5);
}"""

CONTRAST = """(tone) => {
    const verdict = document.querySelector('[data-verdict]');
    verdict.style.transition = 'none';
    verdict.dataset.tone = tone;
    const light = (colour) => {
        const paint = document.createElement('canvas').getContext('2d');
        paint.fillStyle = colour;
        paint.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...paint.getImageData(0, 0, 1, 1).data].map((each) => {
            const share = each / 255;
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const words = verdict.querySelector('p');
    const under = getComputedStyle(verdict).backgroundColor;
    const both = [under, getComputedStyle(words).color].map(light);
    const [a, b] = both.sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
}"""

TONES = ("ready", "busy", "read", "kept", "good", "remark", "wrong")


@pytest.fixture
async def alice(page: Page, cast: Cast) -> Page:
    """Alice's phone with work for every page."""
    await page.set_viewport_size({"width": 390, "height": 844})
    for until in ("accepted", "carried", "booked"):
        await travel(cast, until)
    offered = await travel(cast, "arrived")
    await scan(cast.bob, offered, Step.RELEASED, to=cast.alice.party)
    await enter(page, cast.alice)
    return page


@pytest.mark.parametrize(
    "address", ["/scan", "/scan?mode=pile", "/scan?mode=count", "/held", "/day"]
)
async def test_whatever_can_be_touched_is_as_large_as_a_thumb(
    alice: Page, cast: Cast, address: str
) -> None:
    number = await travel(cast, "carried")
    await alice.goto(address)
    if address.startswith("/scan"):
        await alice.get_by_label("Nhập mã vận đơn").fill(number)
        await alice.get_by_role("button", name="Tra mã này").click()
        if "count" not in address:
            shown = alice.locator("[data-do]:visible, [data-pile-misfits]:visible")
            await expect(shown.first).to_be_visible()
    await expect(alice.get_by_role("heading", level=1)).to_be_attached()
    assert await alice.evaluate(SMALL) == []


@pytest.mark.parametrize("look", ["light", "dark", "sun", "more"])
async def test_the_verdict_is_read_in_the_sun(alice: Page, look: str) -> None:
    await alice.emulate_media(color_scheme="dark" if look == "dark" else "light")
    if look == "more":
        await alice.emulate_media(contrast="more")
    await alice.goto("/look/sun?back=/scan" if look == "sun" else "/scan")
    for tone in TONES:
        assert await alice.evaluate(CONTRAST, tone) >= 7, tone


async def test_colours_for_sunlight_are_switched_by_one_tap_and_kept(
    alice: Page,
) -> None:
    await alice.emulate_media(color_scheme="dark")
    await alice.goto("/scan")
    paper = "getComputedStyle(document.body).backgroundColor"
    dark = await alice.evaluate(paper)
    await alice.get_by_role("button", name="Màu cho ngoài nắng").click()
    assert await alice.evaluate(paper) == "rgb(255, 255, 255)"
    await assert_accessible(alice)
    await alice.goto("/held")
    assert await alice.evaluate(paper) == "rgb(255, 255, 255)"
    await alice.get_by_label("Tài khoản của").click()
    await alice.get_by_role("link", name="Bỏ màu ngoài nắng").click()
    await expect(alice).to_have_url(re.compile("/held$"))
    assert await alice.evaluate(paper) == dark


async def test_read_good_remark_and_wrong_sound_and_feel_different(
    alice: Page,
) -> None:
    await alice.goto("/scan")
    await alice.evaluate("import('/static/js/signals.js').then(() => null)")
    # A page may sound only after it was touched.
    await alice.locator("[data-verdict]").click()
    told: list[Any] = await alice.evaluate(
        """async () => {
            const { give } = await import('/static/js/signals.js');
            const shaken = [], sung = [];
            navigator.vibrate = (pattern) => shaken.push(pattern);
            const Voice = window.OscillatorNode;
            window.OscillatorNode = class extends Voice {
                constructor(audio, how) {
                    super(audio, how);
                    sung.push([how.type, how.frequency]);
                }
            };
            const told = [];
            for (const signal of ['read', 'good', 'remark', 'wrong']) {
                shaken.length = sung.length = 0;
                give(signal);
                told.push({ shaken: [...shaken], sung: [...sung] });
            }
            return told;
        }"""
    )
    for sense in ("shaken", "sung"):
        patterns = [str(each[sense]) for each in told]
        assert "[]" not in patterns
        assert len(set(patterns)) == 4
    # Wrong is felt longest, and sounds lowest.
    lengths = [sum(each["shaken"][0]) for each in told]
    assert lengths == sorted(lengths)
    highest = [max(pitch for _, pitch in each["sung"]) for each in told]
    assert highest[3] < highest[2] < highest[1]
