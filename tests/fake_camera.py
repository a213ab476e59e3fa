"""Makes the film that Chromium shows instead of a camera's picture.

Labels are laid on a grey table for so many seconds each, as raw YUV4MPEG2 frames, which
Chromium plays in a loop. Knows nothing of what is on a label.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

from PIL import Image

WIDTH, HEIGHT = 640, 480
FRAMES_PER_SECOND = 10
TABLE = (132, 128, 120)

DARKNESS = b""
"""What a camera sees that sees nothing."""

Scene = tuple[bytes | None, float]
"""A label's PNG, an empty table or darkness, and how many seconds it lies there."""


def film(path: Path, scenes: Sequence[Scene]) -> Path:
    """Write the film of these scenes; its name ends in ``.y4m``."""
    with path.open("wb") as file:
        size = f"W{WIDTH} H{HEIGHT} F{FRAMES_PER_SECOND}:1"
        file.write(f"YUV4MPEG2 {size} Ip A1:1 C420\n".encode())
        for label, seconds in scenes:
            frame = b"FRAME\n" + _planes(_picture(label))
            for _ in range(round(seconds * FRAMES_PER_SECOND)):
                file.write(frame)
    return path


def flags(path: Path) -> tuple[str, ...]:
    """Say how Chromium is started to see this film and to be asked nothing."""
    return (
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={path}",
    )


def _picture(label: bytes | None) -> Image.Image:
    table = Image.new("RGB", (WIDTH, HEIGHT), TABLE)
    if label == DARKNESS:
        return Image.new("RGB", (WIDTH, HEIGHT))
    if label is None:
        return table
    with Image.open(BytesIO(label)) as opened:
        paper = opened.convert("RGB")
    scale = min(0.9 * WIDTH / paper.width, 0.9 * HEIGHT / paper.height)
    paper = paper.resize((round(paper.width * scale), round(paper.height * scale)))
    table.paste(paper, ((WIDTH - paper.width) // 2, (HEIGHT - paper.height) // 2))
    return table


def _planes(picture: Image.Image) -> bytes:
    """Full luma, then both chromas at half the width and height (4:2:0)."""
    luma, blue, red = picture.convert("YCbCr").split()
    return luma.tobytes() + blue.reduce(2).tobytes() + red.reduce(2).tobytes()
