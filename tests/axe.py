"""Whether people who cannot see, hear or point well can use a page.

Runs axe-core in the open page, at a phone's and a desk's width, and sees that nothing
is wider than the screen.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from playwright.async_api import Page

SCRIPT = Path(__file__).parent.parent / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
SETTLE = """() => {
    document.getAnimations()
    .filter(one => one.effect?.getComputedTiming().iterations !== Infinity)
    .forEach(one => one.finish());
    window.scrollTo({top: 0, behavior: "instant"});
}"""
PATIENCE = 30  # seconds for one look; a page that answers nobody is a fault, not a wait
WIDTHS = {"phone": (390, 844), "desk": (1280, 900)}


async def assert_accessible(page: Page) -> None:
    """Hold the page as it stands against WCAG 2.2 AA, at both widths."""
    before = page.viewport_size
    for name, (width, height) in WIDTHS.items():
        await page.set_viewport_size({"width": width, "height": height})
        async with asyncio.timeout(PATIENCE):
            found = await _violations(page)
        assert not found, f"{page.url} at the {name}:\n" + "\n".join(found)
        overflow = await page.evaluate(
            "document.documentElement.scrollWidth - window.innerWidth"
        )
        assert overflow <= 0, f"{page.url} is {overflow} px wider than the {name}"
    if before is not None:
        await page.set_viewport_size(before)


async def _violations(page: Page) -> list[str]:
    # A colour that is still fading is nobody's choice. It is ended, not awaited: a page
    # in the background draws no frames, and there it would fade for ever. Seen from the
    # top, where a bar that stays in sight hides nothing.
    await page.evaluate(SETTLE)
    # Evaluated from outside, so the page's own CSP has no say in it.
    if not await page.evaluate("typeof window.axe === 'object'"):
        await page.evaluate(SCRIPT.read_text("utf-8"))
    result: dict[str, Any] = await page.evaluate(
        "tags => axe.run(document, {runOnly: tags, resultTypes: ['violations']})",
        RULES,
    )
    return [
        f"{rule['id']}: {rule['help']}\n    {node['html'][:160]}\n    "
        f"{node.get('failureSummary', '').replace(chr(10), ' ')}"
        for rule in result["violations"]
        for node in rule["nodes"]
    ]
