"""Draw the app's icons from our own mark: `python -m tests.draw_icons`.

Run by hand when `mark.svg` changes; the pictures are kept beside it. A maskable icon
fills the whole square, with the drawing inside the middle four fifths.
"""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from playwright.async_api import async_playwright

ICONS = Path(__file__).parent.parent / "routes" / "static" / "icons"
WHOLE = {"app-192": 192, "app-512": 512}
FULL_BLEED = {"app-maskable-512": 512, "app-180": 180}
BLUE = "#14366e"


async def draw() -> None:
    """Write each size."""
    mark = (ICONS / "mark.svg").read_text("utf-8")
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, size in (WHOLE | FULL_BLEED).items():
            page = await chromium.new_page(viewport={"width": size, "height": size})
            full = name in FULL_BLEED
            share = 80 if full else 100
            ground = BLUE if full else "transparent"
            await page.set_content(
                "<style>html, body { margin: 0; height: 100%; display: grid;"
                f" place-items: center; background: {ground} }}"
                f" svg {{ width: {share}%; height: {share}% }}</style>{mark}"
            )
            await page.screenshot(
                path=str(ICONS / f"{name}.png"), omit_background=not full
            )
        await chromium.close()


if __name__ == "__main__":
    asyncio.run(draw())
