"""A USB scanner: a keyboard that types very fast and presses Enter."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from playwright.async_api import Page

KEYS_APART = 0.005
REST = 0.2


async def scan_by_hand(page: Page, text: str) -> None:
    """Press the keys as a USB scanner does: all at once, then Enter."""
    keyboard = await page.context.new_cdp_session(page)
    keys: list[dict[str, Any]] = [{"key": sign, "text": sign} for sign in text]
    keys.append({"key": "Enter", "text": "\r", "windowsVirtualKeyCode": 13})
    # A scanner's own pace, whatever else this machine has to do.
    began = time.time()
    strokes = [
        keyboard.send(
            "Input.dispatchKeyEvent",
            key | {"type": way, "timestamp": began + number * KEYS_APART},
        )
        for number, key in enumerate(keys)
        for way in ("keyDown", "keyUp")
    ]
    await asyncio.gather(*strokes)
    # The strokes were dated ahead; nobody pulls the trigger again before they are over.
    await asyncio.sleep(max(0.0, began + len(keys) * KEYS_APART + REST - time.time()))
