"""Labels: what they say, what is read back, and that cameras can read them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from io import BytesIO
from itertools import product
from xml.etree import ElementTree

import pypdfium2  # type: ignore[import-untyped]
import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter, ImageFont

from postal_track import labels, s10
from postal_track.errors import (
    BadWaybill,
    FontMissing,
    ForeignCode,
    MarkedCode,
    OtherPostsItem,
    WaybillCheckDigit,
    WaybillLength,
)
from postal_track.labels import A4_3X8, SHEET_70X37, STOCKS, Code, Label, Stock
from postal_track.settings import ROOT, settings

WAYBILL = "DH123456785VN"
SECRET = b"a secret of thirty-two characters"
TAG = labels.tag(SECRET, WAYBILL)
HOST = "https://hoso.angiang.gov.vn"
URL = labels.label_url(HOST, WAYBILL, TAG)

waybills = st.integers(0, s10.LAST).map(s10.waybill)


def label(waybill: str = WAYBILL, stock: Stock = labels.ROLL_50X30) -> Label:
    url = labels.label_url(HOST, waybill, labels.tag(SECRET, waybill))
    return labels.draw(
        url, waybill, stock=stock, hint="HỒ SƠ ĐI · Bưu cục Long Xuyên 1"
    )


def decoded(image: Image.Image) -> set[tuple[str, str]]:
    return {(str(each.format), each.text) for each in zxingcpp.read_barcodes(image)}


def both_codes(waybill: str = WAYBILL) -> set[tuple[str, str]]:
    tag = labels.tag(SECRET, waybill)
    return {
        ("QR Code", f"HTTPS://HOSO.ANGIANG.GOV.VN/T/{waybill}/{tag}"),
        ("Code 128", waybill),
    }


def opened(drawn: bytes) -> Image.Image:
    image = Image.open(BytesIO(drawn))
    image.load()
    return image


def pages(file: bytes, dpi: int = 203) -> Iterator[Image.Image]:
    document = pypdfium2.PdfDocument(file)
    for page in document:
        yield page.render(scale=dpi / 72).to_pil()
    document.close()


class TestTag:
    def test_a_tag_is_eight_characters_that_a_compact_qr_holds(self) -> None:
        assert len(TAG) == 8
        assert set(TAG) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")

    def test_a_tag_stays_the_same_for_ever_for_labels_are_printed_ahead(self) -> None:
        assert labels.tag(b"secret", "DH000000005VN") == "7IXTVPT7"

    @given(waybills, waybills)
    def test_only_the_waybills_own_tag_is_genuine(self, one: str, other: str) -> None:
        tag = labels.tag(SECRET, one)
        assert labels.genuine(Code(one, tag), SECRET)
        assert labels.genuine(Code(other, tag), SECRET) == (one == other)

    @pytest.mark.parametrize("tag", [None, "", "AAAAAAAA", TAG[:7], TAG + "A", "Ă"])
    def test_what_is_not_our_tag_is_not_genuine(self, tag: str | None) -> None:
        assert not labels.genuine(Code(WAYBILL, tag), SECRET)

    def test_another_secret_makes_another_tag(self) -> None:
        assert labels.tag(b"another", WAYBILL) != TAG

    def test_without_a_secret_that_of_the_settings_counts(self) -> None:
        code = labels.parse_code(labels.own_url(WAYBILL))
        assert labels.genuine(code)
        assert labels.genuine(code, settings().SECRET_KEY.encode())
        assert not labels.genuine(code, SECRET)


class TestAddress:
    @pytest.mark.parametrize(
        ("public", "url"),
        [
            ("https://bd.vn", f"HTTPS://BD.VN/T/{WAYBILL}/{TAG}"),
            ("https://bd.vn/", f"HTTPS://BD.VN/T/{WAYBILL}/{TAG}"),
            ("http://localhost:8000", f"HTTP://LOCALHOST:8000/T/{WAYBILL}/{TAG}"),
            ("http://192.168.1.20:8000", f"HTTP://192.168.1.20:8000/T/{WAYBILL}/{TAG}"),
        ],
    )
    def test_it_is_upper_case_and_keeps_scheme_and_port(
        self, public: str, url: str
    ) -> None:
        assert labels.label_url(public, WAYBILL, TAG) == url

    @pytest.mark.parametrize(
        ("public", "says"),
        [
            ("https://bd.vn/track", "without a path"),
            ("https://bd.vn?x=1", "without a path"),
            ("https://" + "h" * 32 + ".vn", "34 characters"),
            ("https://bưu-điện.vn", "compact QR"),
            ("https://user@bd.vn", "compact QR"),
        ],
    )
    def test_what_cannot_stand_on_a_label_is_said(self, public: str, says: str) -> None:
        with pytest.raises(ValueError, match=says):
            labels.label_url(public, WAYBILL, TAG)


class TestReading:
    @pytest.mark.parametrize(
        "text",
        [
            f"HTTPS://BD.VN/T/{WAYBILL}/{TAG}",
            f"https://bd.vn/t/{WAYBILL.lower()}/{TAG.lower()}",
            f"http://localhost:8000/T/{WAYBILL}/{TAG}/",
            f"HTTPS://OLD.HOST.VN/T/{WAYBILL}/{TAG}?utm=1",
            f"BD.VN/T/{WAYBILL}/{TAG}\r\n",
            f"]Q1HTTPS://BD.VN/T/{WAYBILL}/{TAG}\r",
        ],
    )
    def test_a_label_of_any_host_and_case_is_read(self, text: str) -> None:
        assert labels.parse_code(text) == Code(WAYBILL, TAG)

    @pytest.mark.parametrize(
        "text",
        [
            WAYBILL,
            "dh 1234 5678 5 vn",
            "DH-12345678-5-VN",
            f"{WAYBILL}\r\n",
            f"\x02{WAYBILL}\x03",
            f"]C1{WAYBILL}",
            f"HTTPS://BD.VN/T/{WAYBILL}",
            f"HTTPS://BD.VN/T/{WAYBILL}/",
        ],
    )
    def test_a_code_without_a_tag_is_read_as_such(self, text: str) -> None:
        assert labels.parse_code(text) == Code(WAYBILL, None)

    def test_a_bag_is_known_as_a_bag(self) -> None:
        read = labels.parse_code("https://bd.vn/B/LXN-240823-02/ABCDEFGH\r")
        assert read == Code("LXN-240823-02", "ABCDEFGH", "bag")

    @pytest.mark.parametrize(
        "text",
        [
            "",
            " \r\n",
            "8934673123456",  # the milk on the carrier's desk
            "https://zalo.me/0912345678",
            "https://example.com/t/article",
            "https://example.com/t/",
            "HTTPS://BD.VN/X/DH123456785VN",
            "HTTPS://BD.VN/B/a_bag",
            "HTTPS://BD.VN/B/{}",
            "H56.14-240823-0001",  # a dossier code
            "00020101021138570010A00000072701270006970403",  # a bank's QR
            "DHL1234567890",
            "Nguyễn Văn A",
            "079012345678|Nguyễn Văn A|01011990|Nam",  # an ID card, best forgotten
            "RR123456784GB",  # no S10 identifier either: wrong check digit
            "x" * 1_000_000,
            "\x00\ufffd",
        ],
    )
    def test_what_is_not_ours_is_called_foreign(self, text: str) -> None:
        with pytest.raises(ForeignCode) as refused:
            labels.parse_code(text)
        assert len(str(refused.value)) < 200

    @pytest.mark.parametrize(
        ("text", "issuer"),
        [("RR123456785GB", "GB"), ("ee 473 124 829 vn", "VN"), ("DH473124829KH", "KH")],
    )
    def test_an_item_of_another_post_is_named_as_such(
        self, text: str, issuer: str
    ) -> None:
        with pytest.raises(OtherPostsItem, match=rf"\({issuer}\)"):
            labels.parse_code(text)

    @pytest.mark.parametrize(
        ("text", "error"),
        [
            ("DH123456784VN", WaybillCheckDigit),
            ("HTTPS://BD.VN/T/DH123456784VN/ABCDEFGH", WaybillCheckDigit),
            ("DH12345678VN", WaybillLength),
            ("123456785", WaybillLength),  # without its letters
        ],
    )
    def test_a_mistyped_waybill_says_what_is_wrong(
        self, text: str, error: type[BadWaybill]
    ) -> None:
        with pytest.raises(error):
            labels.parse_code(text)

    @pytest.mark.parametrize(
        "text", ["ĐH123456785VN", f"HTTPS://BD.VN/T/{WAYBILL}/ÂBCDEFG"]
    )
    def test_a_scanner_that_typed_through_a_vietnamese_keyboard_is_told_apart(
        self, text: str
    ) -> None:
        """A tag with marks would otherwise look forged, and accuse someone."""
        with pytest.raises(MarkedCode, match="keyboard"):
            labels.parse_code(text)

    @given(waybills)
    def test_every_label_is_read_back(self, waybill: str) -> None:
        tag = labels.tag(SECRET, waybill)
        url = labels.label_url("https://bd.vn", waybill, tag)
        assert labels.parse_code(url) == Code(waybill, tag)

    @given(st.text() | st.text(st.sampled_from("DHVN0123456785/TB:.ĐĂ ]C1\r\n")))
    def test_any_text_is_read_or_refused_in_a_sentence(self, text: str) -> None:
        assert outcome(text)


def outcome(text: str) -> Code | str:
    try:
        return labels.parse_code(text)
    except (BadWaybill, ForeignCode) as refused:
        return refused.sentence("vi")


class TestDrawing:
    def test_with_a_host_of_twenty_characters_the_qr_is_version_four(self) -> None:
        url = labels.label_url("https://" + "h" * 17 + ".vn", WAYBILL, TAG)
        assert len(url) == 53
        assert len(labels.draw(url, WAYBILL).qr.rows) == 33  # 17 + 4 * 4

    def test_the_longest_host_still_fits_version_four(self) -> None:
        url = labels.label_url(
            "https://" + "h" * (labels.LONGEST_HOST - 3) + ".vn", WAYBILL, TAG
        )
        assert len(labels.draw(url, WAYBILL).qr.rows) == 33

    @pytest.mark.parametrize("stock", list(STOCKS.values()), ids=list(STOCKS))
    def test_codes_keep_their_quiet_zones_and_do_not_touch(self, stock: Stock) -> None:
        drawn = label(stock=stock)
        qr, bars = drawn.qr, drawn.bars
        assert qr.x - 4 * qr.cell_width >= stock.edge
        assert qr.y - 4 * qr.cell_width >= stock.edge
        assert qr.y + qr.height + 4 * qr.cell_width <= bars.y
        assert bars.x - 10 * bars.cell_width >= stock.edge
        assert bars.x + bars.width + 10 * bars.cell_width <= stock.width - stock.edge
        assert bars.y + bars.height <= stock.height - stock.edge
        for words in drawn.words:
            assert words.x >= qr.x + qr.width + 4 * qr.cell_width
            assert words.x + words.room <= stock.width - stock.edge + 1e-9
            assert stock.edge + words.size * 0.75 <= words.y
            assert words.y + words.size * 0.25 <= bars.y  # y, g, p hang down

    @pytest.mark.parametrize("stock", list(STOCKS.values()), ids=list(STOCKS))
    def test_a_label_printer_draws_every_cell_with_whole_dots(
        self, stock: Stock
    ) -> None:
        drawn = label(stock=stock)
        for cells in (drawn.qr, drawn.bars):
            assert (cells.cell_width / 0.125).is_integer()
            assert cells.cell_width >= 0.25

    def test_the_larger_roll_has_a_qr_of_twenty_five_millimetres(self) -> None:
        qr = label(stock=labels.ROLL_70X40).qr
        assert 25 <= qr.width + 8 * qr.cell_width < 26

    @pytest.mark.parametrize("stock", list(STOCKS.values()), ids=list(STOCKS))
    def test_lines_of_text_stand_apart_and_fit(self, stock: Stock) -> None:
        drawn = label(stock=stock)
        for above, below in zip(drawn.words, drawn.words[1:], strict=False):
            assert below.y - above.y >= below.size
        for words in drawn.words[:4]:  # the rest is the caller's, renderers shrink it
            assert real_width(words) <= words.room

    def test_people_read_the_heading_the_waybill_in_groups_and_the_hint(self) -> None:
        said = " ".join(words.text for words in label().words)
        assert said == (
            "DỊCH VỤ BƯU CHÍNH CÔNG ÍCH DH 1234 5678 5 VN HỒ SƠ ĐI · Bưu cục Long "
            "Xuyên 1"
        )

    def test_an_endless_hint_is_cut(self) -> None:
        drawn = labels.draw(URL, WAYBILL, hint="Trung tâm\n" * 40 + "\x00")
        assert len(drawn.words) == 6
        assert drawn.words[-1].text.endswith("…")


@cache
def font(bold: bool) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(labels._font_path(bold), 1000)


def real_width(words: labels.Words) -> float:
    return font(words.bold).getlength(words.text) * words.size / 1000


class TestSvg:
    def test_it_is_a_well_formed_image_of_the_right_size(self) -> None:
        root = ElementTree.fromstring(labels.svg(label()))  # noqa: S314 (our own)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert root.get("width") == "50mm"
        assert root.get("viewBox") == "0 0 50 30"
        said = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text")]
        assert said[:4] == ["DỊCH VỤ BƯU CHÍNH", "CÔNG ÍCH", "DH 1234", "5678 5 VN"]

    def test_it_stands_alone_under_a_strict_policy(self) -> None:
        drawn = labels.svg(label())
        assert "style" not in drawn
        assert "href" not in drawn
        assert "<script" not in drawn

    def test_a_hint_cannot_break_out_of_the_image(self) -> None:
        drawn = labels.svg(labels.draw(URL, WAYBILL, hint="<b>&\"'\x1b]]>"))
        root = ElementTree.fromstring(drawn)  # noqa: S314 (our own)
        assert root[-1].text == "<b>&\"' ]]>"

    def test_its_cells_are_those_of_the_description(self) -> None:
        drawn = label()
        root = ElementTree.fromstring(labels.svg(drawn))  # noqa: S314 (our own)
        paths = root.findall("{http://www.w3.org/2000/svg}path")
        for path, cells in zip(paths, (drawn.qr, drawn.bars), strict=True):
            assert painted(path.get("d", ""), drawn.stock, cells) == cells.rows

    def test_a_browser_shows_codes_that_can_be_read(self) -> None:
        """See the browser tests: here the path alone is painted and decoded."""
        drawn = label()
        root = ElementTree.fromstring(labels.svg(drawn))  # noqa: S314 (our own)
        image = Image.new("L", (500, 300), 255)
        for path in root.findall("{http://www.w3.org/2000/svg}path"):
            paint(image, path.get("d", ""), 10)
        assert decoded(image) == both_codes()


def rectangles(path: str) -> Iterator[tuple[float, float, float, float]]:
    for run in path.split("z")[:-1]:
        start, rest = run[1:].split("h", 1)
        x, y = map(float, start.split())
        wide, rest = rest.split("v", 1)
        high, _ = rest.split("h", 1)
        yield x, y, float(wide), float(high)


def paint(image: Image.Image, path: str, scale: float) -> None:
    for x, y, wide, high in rectangles(path):
        corner = (round(x * scale), round(y * scale))
        far = (round((x + wide) * scale), round((y + high) * scale))
        image.paste(0, (*corner, *far))


def painted(path: str, stock: Stock, cells: labels.Cells) -> tuple[str, ...]:
    image = Image.new("L", (round(stock.width * 40), round(stock.height * 40)), 255)
    paint(image, path, 40)
    return tuple(
        "".join(
            "01"[
                image.getpixel(
                    (
                        int((cells.x + (column + 0.5) * cells.cell_width) * 40),
                        int((cells.y + (row + 0.5) * cells.cell_height) * 40),
                    )
                )
                == 0
            ]
            for column in range(len(cells.rows[0]))
        )
        for row in range(len(cells.rows))
    )


class TestPng:
    @pytest.mark.parametrize(
        ("stock", "dpi"), list(product(STOCKS.values(), (203, 300, 600)))
    )
    def test_both_codes_are_read_back(self, stock: Stock, dpi: int) -> None:
        image = opened(labels.png(label(stock=stock), dpi))
        assert image.size == (
            round(stock.width * dpi / 25.4),
            round(stock.height * dpi / 25.4),
        )
        assert decoded(image) == both_codes()

    def test_a_poor_photo_of_a_label_is_read_too(self) -> None:
        """Turned, small, blurred and grey, as a phone sees it in a doorway."""
        image = opened(labels.png(label(stock=labels.ROLL_70X40))).convert("L")
        seen = Image.new("L", (900, 700), 150)
        seen.paste(image, (170, 190))
        seen = seen.rotate(17, Image.Resampling.BICUBIC, fillcolor=150)
        seen = seen.filter(ImageFilter.GaussianBlur(1.2)).point(lambda v: 60 + v // 2)
        assert ("QR Code", both_codes_url()) in decoded(seen)

    def test_it_knows_black_and_white_only_and_its_resolution(self) -> None:
        image = opened(labels.png(label(), 300))
        assert image.mode == "1"
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)

    @pytest.mark.parametrize("dpi", [0, 96, 149, 1201, 10**6])
    def test_a_resolution_that_no_printer_has_is_refused(self, dpi: int) -> None:
        with pytest.raises(ValueError, match="150 to 1200"):
            labels.png(label(), dpi)

    def test_a_torn_corner_does_not_matter_at_level_q(self) -> None:
        image = opened(labels.png(label(stock=labels.ROLL_70X40))).convert("L")
        qr = label(stock=labels.ROLL_70X40).qr
        near, far = (round((qr.x + qr.width * part) * 8) for part in (0.72, 1))
        image.paste(255, (near, near, far, far))
        assert ("QR Code", both_codes_url()) in decoded(image)


def both_codes_url() -> str:
    return next(text for kind, text in both_codes() if kind == "QR Code")


class TestPdf:
    @pytest.mark.parametrize(
        "stock", [labels.ROLL_50X30, labels.ROLL_70X40], ids=["50x30", "70x40"]
    )
    def test_a_label_printer_gets_one_page_for_each_label(self, stock: Stock) -> None:
        given = [s10.waybill(number) for number in (7, 8, 99_999_999)]
        file = labels.pdf([label(waybill, stock) for waybill in given])
        drawn = list(pages(file))
        assert len(drawn) == 3
        for waybill, page in zip(given, drawn, strict=True):
            assert page.width == pytest.approx(stock.width * 203 / 25.4, abs=1.5)
            assert page.height == pytest.approx(stock.height * 203 / 25.4, abs=1.5)
            assert decoded(page) == both_codes(waybill)

    def test_the_text_keeps_its_vietnamese_marks(self) -> None:
        document = pypdfium2.PdfDocument(labels.pdf([label()]))
        text = document[0].get_textpage().get_text_range()
        document.close()
        for words in ("DỊCH VỤ BƯU CHÍNH", "CÔNG ÍCH", "HỒ SƠ ĐI", "5678 5 VN"):
            assert words in text

    def test_the_same_labels_give_the_same_file(self) -> None:
        assert labels.pdf([label()]) == labels.pdf([label()])

    def test_a_sheet_holds_twenty_four_labels_that_are_all_read(self) -> None:
        given = [s10.waybill(number) for number in range(24)]
        file = labels.sheet([label(waybill, SHEET_70X37) for waybill in given])
        (page,) = pages(file, 300)
        assert page.width == pytest.approx(210 * 300 / 25.4, abs=1.5)
        assert page.height == pytest.approx(297 * 300 / 25.4, abs=1.5)
        assert decoded(page) == set().union(*(both_codes(each) for each in given))

    def test_a_begun_sheet_is_used_up_and_a_second_page_follows(self) -> None:
        given = [s10.waybill(number) for number in range(6)]
        file = labels.sheet([label(each, SHEET_70X37) for each in given], skip=20)
        first, second = pages(file)
        assert decoded(first) == set().union(*(both_codes(each) for each in given[:4]))
        assert decoded(second) == set().union(*(both_codes(each) for each in given[4:]))
        assert (
            decoded(first.crop((0, 0, first.width, first.height * 19 // 24))) == set()
        )

    def test_labels_stand_where_the_sheet_is_cut(self) -> None:
        assert A4_3X8.corner(0) == (0, 0.5)
        assert A4_3X8.corner(5) == (140, 37.5)
        assert A4_3X8.corner(23) == (140, 0.5 + 7 * 37)

    def test_a_full_sheet_does_not_push_out_an_empty_page(self) -> None:
        file = labels.sheet([label(stock=SHEET_70X37)] * 24)
        assert len(list(pages(file, 20))) == 1

    @pytest.mark.parametrize("skip", [-1, 24])
    def test_more_cannot_be_left_out_than_a_page_holds(self, skip: int) -> None:
        with pytest.raises(ValueError, match="24 labels"):
            labels.sheet([label(stock=SHEET_70X37)], skip=skip)

    def test_a_sheet_takes_only_labels_drawn_for_it(self) -> None:
        with pytest.raises(ValueError, match="drawn for"):
            labels.sheet([label(stock=labels.ROLL_70X40)])


def test_a_missing_font_is_said_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "FONTS", ROOT / "node_modules" / "nowhere")
    with pytest.raises(FontMissing, match="npm ci"):
        labels.png(label())
