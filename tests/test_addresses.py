"""Addresses as people write them, of today and of before 1 July 2025."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postal_track.addresses import (
    FormerUnit,
    Ward,
    find_ward,
    former_units,
    read_address,
    wards,
)

WARDS = list(wards().values())


def without_marks(text: str) -> str:
    spread = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(char for char in spread if not unicodedata.combining(char))


@pytest.mark.parametrize(
    ("address", "ward"),
    [
        # Of today
        ("Số 5 Lý Thái Tổ, P.Long Xuyên, An Giang", "Phường Long Xuyên"),
        ("số 5 ly thai to, f. long xuyen, t. an giang", "Phường Long Xuyên"),
        ("Đường Trần Hưng Đạo, Đặc khu Phú Quốc, An Giang", "Đặc khu Phú Quốc"),
        ("120 Lạc Hồng, phường Rạch Giá, tỉnh An Giang, Việt Nam", "Phường Rạch Giá"),
        ("Ấp Hòa An, Xã Hoà Hưng, tỉnh An Giang", "Xã Hòa Hưng"),
        ("XÃ CHÂU THÀNH - TỈNH AN GIANG", "Xã Châu Thành"),
        ("P. Long Xuyên, TP Long Xuyên, An Giang", "Phường Long Xuyên"),
        ("45 đường Rạch Giá, phường Châu Đốc", "Phường Châu Đốc"),
        ("xã Thạnh Mĩ Tây, huyện Châu Phú, An Giang", "Xã Thạnh Mỹ Tây"),
        # Of before: An Giang
        ("12 Nguyễn Huệ, P. Mỹ Long, TP. Long Xuyên, An Giang", "Phường Long Xuyên"),
        ("12 Nguyen Hue, p my long, tp long xuyen, tinh an giang", "Phường Long Xuyên"),
        ("12 Đường Châu Văn Liêm, P Mỹ Qui, T.P Long Xuyên", "Phường Long Xuyên"),
        ("Khóm Châu Long 1, P. Châu Phú B, TX Châu Đốc, AG", "Phường Châu Đốc"),
        ("Núi Sam, Châu Đốc", "Phường Vĩnh Tế"),
        ("Tổ 3, ấp Vĩnh Hòa, xã Vĩnh Hanh, H. Châu Thành, An Giang", "Xã Vĩnh Hanh"),
        ("to 3 ap vinh hoa xa vinh hanh huyen chau thanh an giang", "Xã Vĩnh Hanh"),
        ("An Phú, An Phú, An Giang", "Xã An Phú"),
        ("Xã An Phú, huyện Tịnh Biên, tỉnh An Giang", "Phường Tịnh Biên"),
        ("xã Vĩnh Hòa, thị xã Tân Châu, An Giang", "Xã Vĩnh Xương"),
        ("Xã Long An, Tân Châu, An Giang", "Xã Tân An"),
        ("cù lao giêng, chợ mới, an giang", "Xã Cù Lao Giêng"),
        ("P. Đông Xuyên, Long Xuyên", "Phường Long Xuyên"),  # given up before 2025
        # Of before: Kiên Giang
        ("xã Vĩnh Hòa, huyện U Minh Thượng, Kiên Giang", "Xã Vĩnh Hòa"),
        ("xã Bình An, huyện Châu Thành, Kiên Giang", "Xã Bình An"),
        ("Bình An Châu Thành Kiên Giang", "Xã Bình An"),
        ("Xã Bình An, H. Kiên Lương, Kiên Giang", "Xã Kiên Lương"),
        ("54 Nguyễn Trung Trực, P. Vĩnh Bảo, TP Rạch Giá, KG", "Phường Rạch Giá"),
        ("ấp 3, TT Dương Đông, huyện Phú Quốc, tỉnh Kiên Giang", "Đặc khu Phú Quốc"),
        ("TT Thứ 11, An Minh, Kiên Giang", "Xã An Minh"),
        ("thị trấn Vĩnh Thuận, huyện Vĩnh Thuận, Kiên Giang", "Xã Vĩnh Phong"),
        ("xã Vĩnh Thuận, huyện Vĩnh Thuận, Kiên Giang", "Xã Vĩnh Thuận"),
        ("P. An Hòa, Rạch Giá, An Giang", "Phường Rạch Giá"),  # half and half
    ],
)
def test_a_written_address_is_understood(address: str, ward: str) -> None:
    read = read_address(address)
    assert read.sure
    assert read.ward
    assert read.ward.name == ward


WRITTEN = [
    tuple(line.split(" => "))
    for line in Path(__file__)
    .with_name("written_addresses.txt")
    .read_text(encoding="utf-8")
    .splitlines()
]
"""As people in both old provinces write them, and the ward of today."""


@pytest.mark.parametrize(("address", "ward"), WRITTEN)
def test_addresses_as_people_write_them_are_understood(address: str, ward: str) -> None:
    read = read_address(address)
    assert (read.ward and read.ward.name, read.sure) == (ward, True)


def test_the_table_is_large_and_varied() -> None:
    assert len(WRITTEN) >= 150
    assert len({ward for _, ward in WRITTEN}) >= 70


@pytest.mark.parametrize(
    ("address", "ward"),
    [
        ("xã Giồng Giềng, An Giang", "Xã Giồng Riềng"),
        ("TT Giồng Giềng, huyện Giồng Giềng, KG", "Xã Giồng Riềng"),
        ("phường Long Xuyênn, An Giang", "Phường Long Xuyên"),
        ("Phường Logn Xuyên, An Giang", "Phường Long Xuyên"),
        ("xã Gò Qoao, An Giang", "Xã Gò Quao"),
        ("xã Vĩnh Thạnh Chung, An Giang", "Xã Vĩnh Thạnh Trung"),
        ("p chau phuu b, tp chau doc", "Phường Châu Đốc"),
        ("xa thanh mi tey, chau phu", "Xã Thạnh Mỹ Tây"),
    ],
)
def test_a_slip_of_the_pen_is_guessed_and_asked_about(address: str, ward: str) -> None:
    read = read_address(address)
    assert (read.ward and read.ward.name, read.misspelt) == (ward, True)
    assert not read.sure


@pytest.mark.parametrize("marks", [str, without_marks], ids=["marks", "no marks"])
def test_no_name_that_exists_is_taken_for_another(marks: Callable[[str], str]) -> None:
    forms = ("{0.name}, huyện {0.district}, {0.province}", "{0.name} {0.district}")
    for unit in former_units():
        for form in forms:
            assert not read_address(marks(form.format(unit))).misspelt, unit


@pytest.mark.parametrize(
    ("address", "best", "others"),
    [
        # Divided units: the street decides, and streets we do not know.
        ("Xã Phú Hội, huyện An Phú, An Giang", "An Phú", {"Nhơn Hội"}),
        ("xã Vĩnh Châu, TP Châu Đốc", "Châu Đốc", {"Vĩnh Tế"}),
        # The bare name of a town that was larger than the ward of today.
        ("Long Xuyên, An Giang", "Long Xuyên", {"Bình Đức", "Mỹ Thới", "Mỹ Hòa Hưng"}),
        ("phu quoc", "Phú Quốc", {"Thổ Châu"}),
        # A district only.
        ("huyện Tri Tôn", None, {"Tri Tôn", "Ba Chúc", "Vĩnh Gia", "Ô Lâm", "Cô Tô"}),
        # A town and a commune around it that had one name.
        ("Vĩnh Thuận, Vĩnh Thuận, Kiên Giang", "Vĩnh Phong", {"Vĩnh Thuận"}),
    ],
)
def test_an_address_that_may_mean_several_wards_says_so(
    address: str, best: str | None, others: set[str]
) -> None:
    read = read_address(address)
    assert not read.sure
    assert (read.ward and read.ward.short) == best
    assert {ward.short for ward in read.alternatives} == others


@pytest.mark.parametrize(
    "address",
    [
        "",
        "?",
        "12 Nguyễn Huệ",
        "An Giang",
        "Hà Nội",
        "Phường 1, TP Cao Lãnh, Đồng Tháp",
        "ấp 1, xã Long An, tỉnh Long An",
        "12 đường Long Xuyên, phường 5, Tân Bình, TP HCM",
        "xã Phong Nha, An Giang",
        "chợ Long Xuyên",
    ],
)
def test_what_names_no_ward_of_the_province_has_none(address: str) -> None:
    assert read_address(address).ward is None


def test_what_is_only_near_a_name_is_never_sure() -> None:
    read = read_address("xã Hòa Tiến, An Giang")  # there is none; there is Hòa Điền
    assert read.misspelt
    assert not read.sure


def test_marks_tell_names_apart_when_they_are_written() -> None:
    written = read_address("xã Phú Thành, huyện Phú Tân, An Giang").former
    assert written
    assert written.name == "Xã Phú Thành"


def test_the_street_is_what_stands_before_the_ward() -> None:
    read = read_address("Số 12/3 Nguyễn Huệ, hẻm 4, P. Mỹ Long, TP. Long Xuyên")
    assert read.street == "Số 12/3 Nguyễn Huệ, hẻm 4"
    assert read.former
    assert (read.former.name, read.former.district) == ("Phường Mỹ Long", "Long Xuyên")


@pytest.mark.parametrize("marks", [str, without_marks], ids=["marks", "no marks"])
@pytest.mark.parametrize(
    "form",
    [
        "12 Lê Lợi, {0.name}, tỉnh An Giang",
        "12 Lê Lợi {0.name} An Giang",
        "{0.name}",
    ],
)
def test_every_ward_of_today_is_found(form: str, marks: Callable[[str], str]) -> None:
    for ward in WARDS:
        read = read_address(marks(form.format(ward)))
        assert (read.ward, read.sure) == (ward, True), ward.name


@pytest.mark.parametrize("marks", [str, without_marks], ids=["marks", "no marks"])
@pytest.mark.parametrize(
    "form",
    [
        "12 Lê Lợi, {0.name}, huyện {0.district}, tỉnh {0.province}",
        "12 Lê Lợi {0.name} {0.district} {0.province}",
        "{0.name}, {0.district}, An Giang",
        "{0.name}, {0.district}",
    ],
)
def test_every_unit_of_before_is_found(form: str, marks: Callable[[str], str]) -> None:
    for unit in former_units():
        read = read_address(marks(form.format(unit)))
        assert read.ward == unit.wards[0], unit


@pytest.mark.parametrize("ward", WARDS, ids=lambda ward: ward.short)
def test_a_ward_is_found_by_code_and_by_name_in_any_writing(ward: Ward) -> None:
    for text in (
        ward.code,
        ward.name,
        ward.short,
        ward.name.upper(),
        without_marks(ward.name),
        f" {ward.short.lower()} ",
        unicodedata.normalize("NFD", ward.name),
        ward.name.replace("Phường ", "P.").replace("Xã ", "x. "),
    ):
        assert find_ward(text) == ward


@pytest.mark.parametrize(
    "text", ["", "30000", "Mỹ Long", "Xã Long Xuyên Đông", "Châu Dốc", "huyện An Phú"]
)
def test_a_name_that_no_ward_of_today_has_is_not_found(text: str) -> None:
    assert find_ward(text) is None


def test_the_data_is_that_of_the_province() -> None:
    kinds = [ward.kind for ward in WARDS]
    assert (kinds.count("Xã"), kinds.count("Phường"), kinds.count("Đặc khu")) == (
        85,
        14,
        3,
    )
    assert all(ward.name == f"{ward.kind} {ward.short}" for ward in WARDS)
    assert all(9.2 < ward.lat < 11.0 and 103.4 < ward.lon < 105.6 for ward in WARDS)


def test_every_ward_of_today_grew_out_of_units_of_before() -> None:
    grown = {ward for unit in former_units() for ward in unit.wards}
    assert grown == set(WARDS)
    assert {unit.province for unit in former_units()} == {"An Giang", "Kiên Giang"}


def test_no_two_units_of_one_district_share_kind_and_name() -> None:
    def full(unit: FormerUnit) -> tuple[str, str, str]:
        return unit.province, unit.district, unit.name

    assert len({full(unit) for unit in former_units()}) == len(former_units())


@given(st.text() | st.text(st.sampled_from("xã phường An PhúLongXuyên,.;-/ \n1")))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    read = read_address(text)
    assert read.ward is None or read.ward in WARDS
    assert read.ward not in read.alternatives
    assert read.street in text
