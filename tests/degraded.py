"""Our own label as a phone's camera sees it on a bad day.

The smallest label we print (50 by 30 mm: its QR is 16.5 mm wide, 20.5 mm with the quiet
zone) is held before a camera of so many pixels, and then spoiled in a dozen ways, each
in three grades. The same seed gives the same pictures: a hand that trembles gives one
picture after the other of the same spoiled label. Knows nothing of who reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from io import BytesIO
from math import cos, radians, sin, tan
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from postal_track import labels
from postal_track.s10 import waybill

Plane = NDArray[np.float32]

HOST = "https://hoso.angiang.example"
INK, PAPER, ENVELOPE = 0.06, 0.88, 0.52
LABEL = labels.ROLL_50X30
DOTS = 203 / 25.4


@dataclass(frozen=True)
class Eye:
    """A camera: the pixels of its picture and the angle across its long side."""

    width: int
    height: int
    angle: float = 66

    @property
    def focal(self) -> float:
        """How many pixels a thing is wide that is as wide as it is far away."""
        return self.width / 2 / tan(radians(self.angle) / 2)


HD = Eye(1280, 720)
FULL_HD = Eye(1920, 1080)
VGA = Eye(640, 480, 55)


@dataclass(frozen=True)
class Look:
    """How one label is seen. Lengths in millimetres, angles in degrees."""

    eye: Eye = FULL_HD
    distance: float = 180
    spin: float = 8
    """At most so far turned; the hand decides which way."""
    tilt: float = 8
    defocus: float = 0.5
    """Radius of the blur in pixels of an HD camera."""
    motion: float = 0
    """Way of the hand while the shutter is open, in pixels of an HD camera."""
    light: float = 1
    noise: float = 2.5
    wrinkle: float = 0
    """How far the paper is pushed from its place."""
    shade: float = 1
    """The light that is left in the half that lies in the shadow."""
    glare: float = 0
    """Radius of the lamp's reflection."""
    scratches: int = 0


FAIR = Look()

KINDS: dict[str, tuple[Look, Look, Look]] = {
    "clean": (
        FAIR,
        replace(FAIR, distance=130),
        replace(FAIR, distance=230),
    ),
    "far": (
        replace(FAIR, distance=250),
        replace(FAIR, distance=300),
        replace(FAIR, distance=350),
    ),
    "blurred": (
        replace(FAIR, defocus=1),
        replace(FAIR, defocus=1.4),
        replace(FAIR, defocus=1.8),
    ),
    "shaken": (
        replace(FAIR, motion=2.5),
        replace(FAIR, motion=4),
        replace(FAIR, motion=6),
    ),
    "turned": (
        replace(FAIR, spin=30),
        replace(FAIR, spin=90),
        replace(FAIR, spin=180, tilt=20),
    ),
    "at an angle": (
        replace(FAIR, tilt=35),
        replace(FAIR, tilt=50),
        replace(FAIR, tilt=62),
    ),
    "dark": (
        replace(FAIR, light=0.35, noise=6),
        replace(FAIR, light=0.25, noise=9),
        replace(FAIR, light=0.18, noise=12),
    ),
    "wrinkled": (
        replace(FAIR, wrinkle=0.2),
        replace(FAIR, wrinkle=0.35),
        replace(FAIR, wrinkle=0.5),
    ),
    "half in shadow": (
        replace(FAIR, shade=0.5),
        replace(FAIR, shade=0.3),
        replace(FAIR, shade=0.15),
    ),
    "glare": (
        replace(FAIR, glare=2),
        replace(FAIR, glare=3),
        replace(FAIR, glare=4),
    ),
    "coarse": (
        replace(FAIR, eye=HD),
        replace(FAIR, eye=VGA, distance=130),
        replace(FAIR, eye=VGA, distance=180),
    ),
    "scratched": (
        replace(FAIR, scratches=2),
        replace(FAIR, scratches=4),
        replace(FAIR, scratches=7),
    ),
    "a wet evening": (
        replace(FAIR, light=0.6, noise=5, wrinkle=0.15, tilt=15, spin=40, defocus=0.8),
        replace(FAIR, light=0.5, noise=6, wrinkle=0.2, tilt=25, spin=90, shade=0.5),
        replace(FAIR, light=0.4, noise=7, wrinkle=0.25, tilt=30, spin=180, scratches=2),
    ),
}
"""What befalls a label, each mild, middling and hard."""

GRADES = ("mild", "middling", "hard")


@dataclass(frozen=True)
class Seen:
    """One picture, and what its label says."""

    code: str
    number: str
    picture: Image.Image = field(repr=False)

    def jpeg(self) -> bytes:
        """The picture, small enough to be handed to a browser."""
        told = BytesIO()
        self.picture.save(told, "JPEG", quality=92)
        return told.getvalue()


def see(look: Look, seed: int, frame: int = 0) -> Seen:
    """Take the frame-th picture of the seed's label, spoiled as the look says."""
    code, number = says(seed)
    label, hand = np.random.default_rng(seed), np.random.default_rng([seed, frame])
    eye = look.eye
    texture = _texture(code, number, look, label)
    to_plane = np.linalg.inv(_pose(look, label, hand))
    across, down = np.meshgrid(
        np.arange(eye.width, dtype=np.float32), np.arange(eye.height, dtype=np.float32)
    )
    x, y = _through(to_plane, across, down)
    light = np.ones_like(x)
    if look.wrinkle:
        push_x, push_y, slope = _wrinkles(x, y, look.wrinkle, label)
        x, y, light = x + push_x, y + push_y, light * (1 + slope)
    seen = _sampled(texture, x, y, eye, look, label)
    if look.shade < 1:
        light = light * _shadow(x, y, look.shade, label)
    seen = seen * light
    if look.glare:
        seen = seen + _reflection(x, y, look.glare, label)
    return Seen(code, number, _developed(seen, look, hand))


def says(seed: int) -> tuple[str, str]:
    """What stands in the QR and in the bars of this seed's label."""
    number = waybill(10_000_000 + seed * 7919 % 80_000_000)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    picked = np.random.default_rng([seed, 1]).integers(0, 32, labels.TAG_LENGTH)
    tag = "".join(letters[each] for each in picked)
    return labels.label_url(HOST, number, tag), number


@cache
def _printed(code: str, number: str) -> Image.Image:
    with Image.open(BytesIO(labels.png(labels.draw(code, number, stock=LABEL)))) as it:
        return it.convert("L")


def _texture(
    code: str, number: str, look: Look, random: np.random.Generator
) -> Image.Image:
    """The paper: reflection in 255ths, as fine as this camera can tell apart."""
    paper = _printed(code, number).point(lambda v: round(255 * (PAPER if v else INK)))
    if look.scratches:
        paper = _scratched(paper, look.scratches, random)
    fine = 1.3 * look.eye.focal / look.distance / DOTS
    size = (round(paper.width * fine), round(paper.height * fine))
    return paper.resize(
        size, Image.Resampling.BOX if fine < 1 else Image.Resampling.BICUBIC
    )


def _scratched(
    paper: Image.Image, scratches: int, random: np.random.Generator
) -> Image.Image:
    pencil = ImageDraw.Draw(paper)
    for _ in range(scratches):
        # Over the QR, which takes the left of the label.
        (x1, x2), (y1, y2) = random.uniform(0, 24, 2), random.uniform(0, 24, 2)
        width = round(random.uniform(0.25, 0.6) * DOTS)
        # A nail takes the ink away, dirt puts some on.
        shade = round(255 * (PAPER if random.random() < 0.7 else 0.2))
        ends = [(x1 * DOTS, y1 * DOTS), (x2 * DOTS, y2 * DOTS)]
        pencil.line(ends, fill=shade, width=max(2, width))
    return paper


def _pose(
    look: Look, label: np.random.Generator, hand: np.random.Generator
) -> NDArray[np.float64]:
    """From millimetres on the label, its middle being 0, to pixels."""
    spin = radians(_signed(label, look.spin) + hand.normal(0, 1.5))
    tilt = radians(_signed(label, look.tilt) + hand.normal(0, 1))
    axis = label.uniform(0, np.pi)
    middle = label.uniform(-8, 8, 2) + hand.normal(0, 2, 2)
    away = look.distance * (1 + hand.normal(0, 0.01))
    turned = _about_z(axis) @ _about_x(tilt) @ _about_z(spin - axis)
    eye = look.eye
    camera = np.array(
        [[eye.focal, 0, eye.width / 2], [0, eye.focal, eye.height / 2], [0, 0, 1]]
    )
    return np.asarray(
        camera @ np.column_stack((turned[:, 0], turned[:, 1], [*middle, away]))
    )


def _signed(random: np.random.Generator, most: float) -> float:
    """Near the most, to one side or the other."""
    return float(random.uniform(0.75, 1) * most * random.choice([-1, 1]))


def _about_x(angle: float) -> NDArray[np.float64]:
    c, s = cos(angle), sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def _about_z(angle: float) -> NDArray[np.float64]:
    c, s = cos(angle), sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def _through(matrix: NDArray[Any], across: Plane, down: Plane) -> tuple[Plane, Plane]:
    m = matrix.astype(np.float32)
    depth = m[2, 0] * across + m[2, 1] * down + m[2, 2]
    x = (m[0, 0] * across + m[0, 1] * down + m[0, 2]) / depth
    y = (m[1, 0] * across + m[1, 1] * down + m[1, 2]) / depth
    return x, y


def _wrinkles(
    x: Plane, y: Plane, most: float, random: np.random.Generator
) -> tuple[Plane, Plane, Plane]:
    """Waves of several lengths over the label: where they push it, how they shade."""
    push_x, push_y, slope = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
    for length in (26, 15, 9):
        way, phase = random.uniform(0, 2 * np.pi, 2)
        along = (x * cos(way) + y * sin(way)) * (2 * np.pi / length) + phase
        # Paper folds more sharply than water waves.
        wave = np.sin(along + 0.6 * np.sin(along))
        size = most * length / 26
        push_x += size * cos(way) * wave
        push_y += size * sin(way) * wave
        slope += 0.25 * most * np.cos(along)
    return push_x, push_y, np.clip(slope, -0.6, 0.5)


def _sampled(
    texture: Image.Image,
    x: Plane,
    y: Plane,
    eye: Eye,
    look: Look,
    random: np.random.Generator,
) -> Plane:
    """The label on its envelope, as much of it as each pixel looks at."""
    drawn = np.asarray(texture, dtype=np.float32) / 255
    rows, columns = drawn.shape
    u = (x + LABEL.width / 2) * (columns / LABEL.width) - 0.5
    v = (y + LABEL.height / 2) * (rows / LABEL.height) - 0.5
    shine = 1 + 0.06 * np.sin(x / 31 + random.uniform(0, 6))
    seen = np.asarray(ENVELOPE * shine + 0.02 * np.sin(y / 1.7), dtype=np.float32)
    inside = (u >= 0) & (v >= 0) & (u < columns - 1) & (v < rows - 1)
    u, v = u[inside], v[inside]
    left, top = u.astype(np.int32), v.astype(np.int32)
    right, low = u - left, v - top
    upper = drawn[top, left] * (1 - right) + drawn[top, left + 1] * right
    lower = drawn[top + 1, left] * (1 - right) + drawn[top + 1, left + 1] * right
    seen[inside] = upper * (1 - low) + lower * low
    return seen


def _shadow(x: Plane, y: Plane, left: float, random: np.random.Generator) -> Plane:
    """An edge with a soft border across the QR's middle."""
    way = random.uniform(0, 2 * np.pi)
    from_edge = (x + 13) * cos(way) + (y + 3) * sin(way)
    return np.asarray(
        left + (1 - left) / (1 + np.exp(np.clip(-from_edge / 0.8, -30, 30)))
    )


def _reflection(x: Plane, y: Plane, wide: float, random: np.random.Generator) -> Plane:
    """A lamp in shiny tape, somewhere over the QR, that drowns what lies under it."""
    at_x, at_y = random.uniform(-20, -7), random.uniform(-10, 5)
    away = ((x - at_x) ** 2 + (y - at_y) ** 2) / wide**2
    return np.asarray(1.4 * np.exp(-0.7 * away))


def _developed(seen: Plane, look: Look, random: np.random.Generator) -> Image.Image:
    """What the lens, the hand and the sensor make of it."""
    finer = look.eye.focal / HD.focal
    if look.motion:
        seen = _moved(seen, look.motion * finer, random.uniform(0, np.pi))
    shown = np.clip(seen, 0, 1)
    blurred = Image.fromarray(np.asarray(shown * 255, dtype=np.uint8)).filter(
        ImageFilter.GaussianBlur(look.defocus * finer)
    )
    exposed = np.asarray(blurred, dtype=np.float32) * look.light
    # Sensors grow noise in grains larger than a pixel, too.
    grain = random.normal(0, look.noise, exposed.shape).astype(np.float32)
    coarse = random.normal(
        0, look.noise / 2, (exposed.shape[0] // 4 + 1, exposed.shape[1] // 4 + 1)
    ).astype(np.float32)
    grain += np.kron(coarse, np.ones((4, 4), np.float32))[
        : grain.shape[0], : grain.shape[1]
    ]
    return Image.fromarray(np.clip(exposed + grain, 0, 255).astype(np.uint8))


def _moved(seen: Plane, way: float, angle: float) -> Plane:
    steps = max(2, round(way))
    total = np.zeros_like(seen)
    for step in np.linspace(-0.5, 0.5, steps):
        shift = (round(way * step * sin(angle)), round(way * step * cos(angle)))
        total += np.roll(seen, shift, (0, 1))
    return np.asarray(total / steps, dtype=np.float32)
