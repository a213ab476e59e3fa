"""The label on an item: what its code says, whether it is ours, and how it is printed.

One description in millimetres, drawn as SVG, PNG or PDF. Does not know whom an item
belongs to or where it is: nothing personal may get onto a label.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from io import BytesIO
from math import floor
from typing import Any, Literal
from urllib.parse import urlsplit

from barcode.codex import Code128
from PIL import Image, ImageDraw, ImageFont
from qrcode.constants import ERROR_CORRECT_Q
from qrcode.main import QRCode
from qrcode.util import MODE_ALPHA_NUM, QRData
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from postal_track import s10
from postal_track.errors import (
    FontMissing,
    ForeignCode,
    MarkedCode,
    OtherPostsItem,
    WaybillCheckDigit,
    quoted,
)
from postal_track.settings import ROOT, settings

# What a code says

HEADING = "DỊCH VỤ BƯU CHÍNH CÔNG ÍCH"

# Forty bits: nobody can try enough labels on us to hit one.
TAG_LENGTH = 8

# A version 4 QR of level Q holds 67 characters; the rest of the address takes 33.
LONGEST_HOST = 34

# More than any code holds; what is longer did not come from a scanner.
_LONGEST_CODE = 4296

_QR_ALPHANUMERIC = re.compile(r"[0-9A-Z $%*+\-./:]+")
_SYMBOLOGY = re.compile(r"^\][A-Z][0-9A-Z]")
_ADDRESS = re.compile(
    r"(?:HTTPS?://)?[^/?#]+/(?P<kind>[TB])/(?P<what>[^/?#]+)(?:/(?P<tag>[^/?#]*))?/?"
    r"(?:[?#].*)?"
)
_PRINTED = re.compile(r"HTTPS?://[A-Z0-9.:-]+/T/(DH([0-9]{8})([0-9])VN)/([A-Z2-7]{8})")
_BAG = re.compile(r"[A-Z0-9][A-Z0-9-]{0,31}")
_LIKE_OURS = re.compile(rf"{s10.SERVICE}(?:[0-9].*|.*{s10.COUNTRY})|[0-9]{{1,9}}")
_S10 = re.compile(r"([A-Z]{2})([0-9]{8})([0-9])([A-Z]{2})")
_OUR_BAG = re.compile(rf"{s10.BAG}[0-9]{{9}}{s10.COUNTRY}")


@dataclass(frozen=True, slots=True)
class Code:
    """What was scanned or typed. A code without a tag was typed, or read as Code 128.

    `waybill` is the item's; of a bag it is the bag's own number.
    """

    waybill: str
    tag: str | None = None
    kind: Literal["item", "bag"] = "item"


def tag(secret: bytes, waybill: str) -> str:
    """Work out the eight characters that only we can put behind a waybill."""
    digest = hmac.digest(secret, b"label:" + waybill.encode(), hashlib.sha256)
    # Each character of base 32 takes five bits.
    return base64.b32encode(digest[: TAG_LENGTH * 5 // 8]).decode()


def genuine(code: Code, secret: bytes | None = None) -> bool:
    """Tell whether the tag is ours, in the same time whatever it is.

    Without a secret, that of the settings counts.
    """
    ours = tag(_secret() if secret is None else secret, code.waybill)
    return hmac.compare_digest(ours.encode(), (code.tag or "").encode())


def label_url(
    public_url: str, waybill: str, tag: str, room: Literal["T", "B"] = "T"
) -> str:
    """Write the address on a label, `HTTPS://HOST/T/WAYBILL/TAG`; a bag's room is B.

    All upper case: a QR packs such text at 5.5 bits a character in place of 8.
    Raises ValueError when the public address cannot stand on a label.
    """
    parts = urlsplit(public_url)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(f"{public_url} must be a bare address, without a path.")
    if len(parts.netloc) > LONGEST_HOST:
        raise ValueError(
            f"{public_url} is too long for a label: host and port may have "
            f"{LONGEST_HOST} characters."
        )
    url = f"{parts.scheme}://{parts.netloc}/{room}/{waybill}/{tag}".upper()
    if not _QR_ALPHANUMERIC.fullmatch(url):
        raise ValueError(f"{public_url} has signs that a compact QR cannot hold.")
    return url


def own_url(waybill: str) -> str:
    """Write the address on our own label of this waybill, by the settings."""
    return label_url(settings().PUBLIC_URL, waybill, tag(_secret(), waybill))


def bag_url(number: str) -> str:
    """Write the address on the label of this bag, by the settings."""
    return label_url(settings().PUBLIC_URL, number, tag(_secret(), number), "B")


def parse_code(text: str) -> Code:
    """Read whatever a camera, a desk scanner or a person gave.

    Takes label addresses of any host and case (hosts change, labels stay), bare
    waybills with typed spaces, and what scanners put before and behind. The tag is
    handed on unjudged: see `genuine`.

    Raises BadWaybill for a waybill with a mistake in it, ForeignCode for anything else.
    """
    # Nearly every scan is of a label just as it was printed: nothing to tidy up.
    printed = _PRINTED.fullmatch(text)
    if printed and s10.check_digit(printed[2]) == printed[3]:
        return Code(printed[1], printed[4])
    if len(text) > _LONGEST_CODE:
        raise ForeignCode(text)
    read = _upper(text)
    address = _ADDRESS.fullmatch(read)
    if not read.isascii() and (address or read.startswith(("DH", "ĐH"))):
        raise MarkedCode(text)
    if address is None:
        bare = s10.bare(read)
        if _OUR_BAG.fullmatch(bare):
            return Code(_checked(bare, text), None, "bag")
        return Code(_item(bare, text))
    tag = address["tag"] or None
    if address["kind"] == "T":
        return Code(_item(s10.bare(address["what"]), text), tag)
    if not _BAG.fullmatch(address["what"]):
        raise ForeignCode(text)
    return Code(address["what"], tag, "bag")


def _upper(text: str) -> str:
    upper = unicodedata.normalize("NFKC", text).upper()
    written = "".join(
        each for each in upper if unicodedata.category(each)[0] not in "ZC"
    )
    # Some scanners say first which kind of code it was (AIM: "]C1" is Code 128).
    return _SYMBOLOGY.sub("", written)


def _checked(bag: str, text: str) -> str:
    expected = s10.check_digit(bag[2:10])
    if bag[10] != expected:
        raise WaybillCheckDigit(text, expected, bag[10])
    return bag


def _item(read: str, text: str) -> str:
    posts = _S10.fullmatch(read)
    sound = posts is not None and s10.check_digit(posts[2]) == posts[3]
    if posts and sound and (posts[1], posts[4]) != (s10.SERVICE, s10.COUNTRY):
        raise OtherPostsItem(read, posts[4])
    if not _LIKE_OURS.fullmatch(read):
        raise ForeignCode(text)
    return s10.parse(read)


def _secret() -> bytes:
    return settings().SECRET_KEY.encode()


# What a label looks like. Millimetres from the top left corner.

# Label printers put 203.2 dots on an inch: eight to a millimetre. A bar or a module
# that is a whole number of dots is printed without a ragged edge.
DOT = 0.125

_QR_QUIET = 4
_BARS_QUIET = 10


@dataclass(frozen=True)
class Stock:
    """The label on the roll or the sheet; nothing is drawn in the outer `edge`."""

    width: float
    height: float
    edge: float = 1.0


ROLL_50X30 = Stock(50, 30)
ROLL_70X40 = Stock(70, 40)
# Office printers cannot print the outermost millimetres of a page.
SHEET_70X37 = Stock(70, 37, edge=4.0)

STOCKS = {"50x30": ROLL_50X30, "70x40": ROLL_70X40, "70x37": SHEET_70X37}


@dataclass(frozen=True)
class Cells:
    """A grid of black (1) and white (0) cells: a QR, or one row of bars."""

    x: float
    y: float
    cell_width: float
    cell_height: float
    rows: tuple[str, ...]

    @property
    def width(self) -> float:
        """All cells side by side, without the quiet zone."""
        return self.cell_width * len(self.rows[0])

    @property
    def height(self) -> float:
        """All rows, without the quiet zone."""
        return self.cell_height * len(self.rows)

    def runs(self) -> Iterator[tuple[int, int, int]]:
        """Every unbroken run of black cells: row, first column, length."""
        for row, cells in enumerate(self.rows):
            for run in re.finditer("1+", cells):
                yield row, run.start(), len(run[0])


@dataclass(frozen=True)
class Words:
    """One line of text; `y` is its baseline, `room` the width it must not exceed."""

    x: float
    y: float
    size: float
    room: float
    text: str
    bold: bool = False


@dataclass(frozen=True)
class Label:
    """The description that every renderer draws."""

    stock: Stock
    qr: Cells
    bars: Cells
    words: tuple[Words, ...]


@dataclass(frozen=True)
class Sheet:
    """A page of labels, filled row by row."""

    width: float = 210
    height: float = 297
    columns: int = 3
    rows: int = 8
    stock: Stock = SHEET_70X37

    def corner(self, place: int) -> tuple[float, float]:
        """Where the place-th label of the page starts; the block is centred."""
        row, column = divmod(place, self.columns)
        left = (self.width - self.columns * self.stock.width) / 2
        top = (self.height - self.rows * self.stock.height) / 2
        return left + column * self.stock.width, top + row * self.stock.height


A4_3X8 = Sheet()


def draw(url: str, waybill: str, *, stock: Stock = ROLL_50X30, hint: str = "") -> Label:
    """Describe a label: QR of the address, bars of the waybill, and text.

    `hint` is for whoever sorts (leg, office), two short lines at most; the caller
    answers for it naming nobody.
    """
    bars = _bars(waybill, stock)
    qr = _qr(url, stock, bars.y - stock.edge)
    left = qr.x + qr.width + _QR_QUIET * qr.cell_width
    return Label(stock, qr, bars, tuple(_words(waybill, hint, stock, left, bars.y)))


def own_label(waybill: str, *, stock: Stock = ROLL_50X30, hint: str = "") -> Label:
    """Describe our own label of this waybill, by the settings."""
    return draw(own_url(waybill), waybill, stock=stock, hint=hint)


def draw_bag(
    url: str, number: str, lines: Sequence[str], *, stock: Stock = ROLL_70X40
) -> Label:
    """Describe the label of a bag: QR, bars, its number, and whence, whither, how many.

    The first of `lines` is the one to be read from afar.
    """
    bars = _bars(number, stock)
    qr = _qr(url, stock, bars.y - stock.edge)
    left = qr.x + qr.width + _QR_QUIET * qr.cell_width
    words = tuple(_bag_words(number, lines, stock, left, bars.y))
    return Label(stock, qr, bars, words)


def own_bag_label(
    number: str, lines: Sequence[str], *, stock: Stock = ROLL_70X40
) -> Label:
    """Describe the label of our own bag of this number, by the settings."""
    return draw_bag(bag_url(number), number, lines, stock=stock)


def _bag_words(
    number: str, lines: Sequence[str], stock: Stock, left: float, bottom: float
) -> Iterator[Words]:
    room = stock.width - stock.edge - left
    small = min(room / 12.4, (bottom - stock.edge) / 11)
    y = stock.edge + 1.4 * small
    yield Words(left, y, 1.25 * small, room, f"TÚI {s10.spaced(number)}", bold=True)
    # Where it goes may be a long name whose end tells it from others.
    first, *others = lines
    for part in textwrap.wrap(quoted(first), 19, max_lines=3, placeholder="…"):
        y += 1.5 * small
        yield Words(left, y, 1.15 * small, room, part, bold=True)
    for line in others:
        y += 1.3 * small
        yield Words(left, y, small, room, quoted(line))


def _qr(url: str, stock: Stock, room: float) -> Cells:
    qr = QRCode(error_correction=ERROR_CORRECT_Q, border=0)
    qr.add_data(QRData(url, mode=MODE_ALPHA_NUM))
    qr.make(fit=True)
    rows = tuple("".join("01"[cell] for cell in row) for row in qr.get_matrix())
    cell = _dots(room / (len(rows) + 2 * _QR_QUIET))
    corner = stock.edge + _QR_QUIET * cell
    return Cells(corner, corner, cell, cell, rows)


def _bars(waybill: str, stock: Stock) -> Cells:
    (row,) = Code128(waybill).build()
    cell = _dots((stock.width - 2 * stock.edge) / (len(row) + 2 * _BARS_QUIET))
    height = stock.height / 5
    left = (stock.width - len(row) * cell) / 2
    return Cells(left, stock.height - stock.edge - height, cell, height, (row,))


def _dots(room: float) -> float:
    return floor(room / DOT) * DOT


def _words(
    waybill: str, hint: str, stock: Stock, left: float, bottom: float
) -> Iterator[Words]:
    room = stock.width - stock.edge - left
    # In ems of DejaVu Sans, which is wide: the longest lines take 12.3 and 5.8, all
    # six together are 10.8 small ems high. Renderers shrink what is wider still.
    small = min(room / 12.4, (bottom - stock.edge) / 10.8)
    big = 2 * small
    y = stock.edge
    for line in (HEADING[:17], HEADING[18:]):
        y += 1.25 * small
        yield Words(left, y, small, room, line)
    # The check digit stands apart, as people dictate and compare the number.
    service, first, second, check, country = s10.spaced(waybill).split()
    y += 0.3 * small
    for line in (f"{service} {first}", f"{second} {check} {country}"):
        y += 1.1 * big
        yield Words(left, y, big, room, line, bold=True)
    lines = textwrap.wrap(quoted(hint), width=19, max_lines=2, placeholder="…")
    y += 0.5 * small
    for line in lines:
        y += 1.25 * small
        yield Words(left, y, small, room, line)


# How it is drawn


def svg(label: Label) -> str:
    """Draw the label as an image that stands alone, sharp at every size."""
    stock = label.stock
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{stock.width:g}mm" '
        f'height="{stock.height:g}mm" viewBox="0 0 {stock.width:g} {stock.height:g}">',
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for cells in (label.qr, label.bars):
        runs = "".join(
            f"M{cells.x + column * cells.cell_width:g} "
            f"{cells.y + row * cells.cell_height:g}"
            f"h{length * cells.cell_width:g}v{cells.cell_height:g}"
            f"h{-length * cells.cell_width:g}z"
            for row, column, length in cells.runs()
        )
        parts.append(f'<path shape-rendering="crispEdges" d="{runs}"/>')
    for words in label.words:
        weight = ' font-weight="bold"' if words.bold else ""
        parts.append(
            f'<text x="{words.x:g}" y="{words.y:.3f}" font-size="{words.size:.3f}" '
            f'font-family="DejaVu Sans, Noto Sans, Arial, sans-serif"{weight}>'
            f"{escape(words.text)}</text>"
        )
    parts.append("</svg>")
    return "".join(parts)


def png(label: Label, dpi: int = 203) -> bytes:
    """Draw the label in pure black and white, as a thermal head prints it.

    Cells are a whole number of dots: at odd resolutions the codes get a little
    smaller in place of ragged. From 150 to 1200 dots per inch.
    """
    if not 150 <= dpi <= 1200:
        raise ValueError(f"A label is drawn at 150 to 1200 dpi, not {dpi}.")
    scale = dpi / 25.4
    stock = label.stock
    image = Image.new("1", (round(stock.width * scale), round(stock.height * scale)), 1)
    pencil = ImageDraw.Draw(image)
    for cells in (label.qr, label.bars):
        _dot_cells(pencil, cells, scale)
    for words in label.words:
        font = _pillow_font(words, scale)
        pencil.text((words.x * scale, words.y * scale), words.text, 0, font, "ls")
    file = BytesIO()
    image.save(file, "PNG", dpi=(dpi, dpi), optimize=True)
    return file.getvalue()


def _dot_cells(pencil: ImageDraw.ImageDraw, cells: Cells, scale: float) -> None:
    # 203 dpi stands for 203.2: what lacks less than a twentieth of a dot is whole.
    wide = floor(cells.cell_width * scale + 0.05)
    square = len(cells.rows) > 1
    high = wide if square else round(cells.cell_height * scale)
    columns = len(cells.rows[0])
    left = round((cells.x + cells.width / 2) * scale - wide * columns / 2)
    top = round((cells.y + cells.height / 2) * scale - high * len(cells.rows) / 2)
    for row, column, length in cells.runs():
        x, y = left + column * wide, top + row * high
        # The far corner belongs to the rectangle.
        pencil.rectangle((x, y, x + length * wide - 1, y + high - 1), fill=0)


def _pillow_font(words: Words, scale: float) -> ImageFont.FreeTypeFont:
    path = _font_path(words.bold)
    font = ImageFont.truetype(path, round(words.size * scale))
    width = font.getlength(words.text)
    room = words.room * scale
    if width <= room:
        return font
    return ImageFont.truetype(path, floor(words.size * scale * room / width))


def pdf(labels: Sequence[Label]) -> bytes:
    """Lay out one page per label, each of its label's size, for a label printer."""
    file, canvas = _pdf()
    for label in labels:
        canvas.setPageSize((label.stock.width * mm, label.stock.height * mm))
        _on_canvas(canvas, label, 0, 0, label.stock.height)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def sheet(labels: Sequence[Label], paper: Sheet = A4_3X8, skip: int = 0) -> bytes:
    """Lay out pages of labels; `skip` labels of the first page are used up already.

    Raises ValueError when the labels were drawn for other stock than the sheet's.
    """
    per_page = paper.columns * paper.rows
    if not 0 <= skip < per_page:
        raise ValueError(f"A page has {per_page} labels: {skip} cannot be left out.")
    if any(label.stock != paper.stock for label in labels):
        raise ValueError(f"The labels of this sheet are drawn for {paper.stock}.")
    file, canvas = _pdf()
    canvas.setPageSize((paper.width * mm, paper.height * mm))
    for count, label in enumerate(labels, start=skip):
        if count > skip and count % per_page == 0:
            canvas.showPage()
        _on_canvas(canvas, label, *paper.corner(count % per_page), paper.height)
    canvas.showPage()
    canvas.save()
    return file.getvalue()


def _pdf() -> tuple[BytesIO, Any]:
    file = BytesIO()
    # Invariant: the same labels give the same file, so that a print can be repeated.
    canvas = Canvas(file, pageCompression=1, invariant=1)
    canvas.setTitle(HEADING)
    # A print dialogue that fits labels to the page would shrink the codes.
    canvas.setViewerPreference("PrintScaling", "None")
    return file, canvas


def _on_canvas(canvas: Any, label: Label, left: float, top: float, page: float) -> None:
    # PDF measures from the bottom of the page.
    for cells in (label.qr, label.bars):
        path = canvas.beginPath()
        for row, column, length in cells.runs():
            path.rect(
                (left + cells.x + column * cells.cell_width) * mm,
                (page - top - cells.y - (row + 1) * cells.cell_height) * mm,
                length * cells.cell_width * mm,
                cells.cell_height * mm,
            )
        canvas.drawPath(path, stroke=0, fill=1)
    for words in label.words:
        font = _pdf_font(words.bold)
        width = pdfmetrics.stringWidth(words.text, font, words.size)
        canvas.setFont(font, words.size * mm * min(1, words.room / width))
        canvas.drawString(
            (left + words.x) * mm, (page - top - words.y) * mm, words.text
        )


# The font

FONTS = ROOT / "node_modules" / "dejavu-fonts-ttf" / "ttf"


def _font_path(bold: bool) -> str:
    path = FONTS / ("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf")
    if not path.is_file():
        raise FontMissing(str(path.relative_to(ROOT)))
    return str(path)


@cache
def _pdf_font(bold: bool) -> str:
    name = "Label-Bold" if bold else "Label"
    pdfmetrics.registerFont(TTFont(name, _font_path(bold)))
    return name
