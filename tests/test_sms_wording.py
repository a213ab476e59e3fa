from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postal_track.custody import UNACCEPTED, UNDELIVERED, Reason
from postal_track.tables import Agency, Office
from postal_track.wording import (
    FIELDS,
    REASONS,
    Preview,
    Template,
    WordingError,
    catalogue,
    compose,
    previews,
)
from sms.segments import Alphabet, alphabet, segments, units

LOCK = Path(__file__).with_name("sms_wording.lock.json")
TEXTS = sorted(catalogue().values(), key=lambda one: (one.name, one.language))
WAYBILL = "DH473124829VN"

USUAL: dict[str, Any] = {
    "code": WAYBILL,
    "tok": "Wm8Qk3Zp7A",
    "hot": "19001234",
    "date": date(2026, 11, 24),
    "due": date(2026, 12, 1),
    "hold": date(2026, 12, 9),
    "time": datetime(2026, 11, 23, 2, 5, tzinfo=UTC),
    "n": 7,
    "k": 1,
    "otp": "482915",
    "cl": "42",
    "fee": 26_000,
    "f1": 8_000,
    "f2": 18_000,
    "name": "owner",
    "agency": "UBND P. Long Xuyen",
    "po": "BC Long Xuyen",
    "reason": "absent",
    "act": "redirect",
}


def test_there_are_sixteen_texts_in_two_languages() -> None:
    numbers = {template.name.partition("_")[0] for template in TEXTS}
    assert numbers == {f"S{number:02}" for number in range(1, 17)}
    assert len(TEXTS) == 32


@pytest.mark.parametrize(
    "template", TEXTS, ids=lambda one: f"{one.name}-{one.language}"
)
def test_a_changed_text_has_a_new_version(template: Template) -> None:
    """Operators register wordings: a change needs a new version, and a line here."""
    registered = json.loads(LOCK.read_text("utf-8"))[template.name]
    digest = hashlib.sha256(template.text.encode()).hexdigest()[:16]
    assert registered[str(template.version)][template.language] == digest
    assert template.version == max(map(int, registered))


@pytest.mark.parametrize(
    "preview",
    list(previews()),
    ids=lambda one: f"{one.template.name}-{one.template.language}",
)
def test_every_text_is_one_segment_with_the_longest_fields(preview: Preview) -> None:
    assert preview.segments == 1
    assert preview.units <= 160
    assert alphabet(preview.body) is Alphabet.GSM
    assert "{" not in preview.body


def test_the_longest_names_are_as_long_as_the_tables_allow() -> None:
    assert len(FIELDS["agency"].longest) == Agency.short_name.length
    assert len(FIELDS["po"].longest) == Office.short_name.length


def test_the_catalogue_is_plain_and_names_nobody() -> None:
    forbidden = {"owner", "phone", "address", "procedure", "id", "person"}
    for template in TEXTS:
        assert alphabet(template.text) is Alphabet.GSM
        assert not forbidden & set(template.fields)


def test_fields_are_written_as_a_citizen_reads_them() -> None:
    said = compose("S08_delivered", "vi", link="bd.vn/", **USUAL)
    assert said.body == (
        "Da phat ket qua ho so DH473124829VN luc 09:05 ngay 24/11, nguoi nhan chinh "
        "chu. Neu khong dung, goi ngay 19001234. Danh gia: bd.vn/Wm8Qk3Zp7A"
    )
    paid = compose("S14_paid", "en", link="bd.vn/", **USUAL | {"fee": 1_234_000})
    assert "Received 1.234.000d" in paid.body
    assert paid.params["f1"] == "8.000d"
    assert (paid.template, paid.version) == ("S14_paid", 1)


def test_fields_may_come_written_already() -> None:
    written = {"date": "24/11", "time": "09:05", "name": "chinh chu"}
    given_raw = compose("S08_delivered", "vi", link="bd.vn/", **USUAL)
    assert compose("S08_delivered", "vi", link="bd.vn/", **USUAL | written) == given_raw


def test_what_a_text_has_no_place_for_is_passed_over() -> None:
    body = compose("S12_late", "vi", **USUAL).body
    assert USUAL["otp"] not in body


def test_a_missing_field_and_an_unknown_text_are_faults() -> None:
    with pytest.raises(WordingError, match="hot"):
        compose("S12_late", "vi", code=WAYBILL, tok="x", date="1/1")
    with pytest.raises(WordingError, match="S99"):
        compose("S99_none", "vi", **USUAL)


def test_who_took_the_result_is_never_a_name() -> None:
    body = compose("S08_delivered", "vi", **USUAL | {"name": "Nguyễn Văn An"}).body
    assert "nguoi nhan nguoi duoc uy quyen." in body
    assert "Nguyen" not in body


def test_a_reason_is_said_in_words_and_never_with_a_number() -> None:
    in_words = compose("S09_failed", "en", **USUAL).body
    assert "(try 1/3): nobody in." in in_words


@pytest.mark.parametrize(
    "reason", ["gọi 0912345678 không nghe", Reason.DID_NOT_OCCUR, "missorted", "", " "]
)
def test_what_is_no_reason_for_a_citizen_is_another_reason(reason: str) -> None:
    said = compose("S09_failed", "vi", **USUAL | {"reason": reason})
    assert said.params["reason"] == "ly do khac"


def test_every_reason_that_a_citizen_is_told_has_its_words() -> None:
    assert {str(reason) for reason in UNDELIVERED | UNACCEPTED} <= set(REASONS)


def test_how_many_tries_there_are_is_said_as_it_is() -> None:
    assert "(lan 2/5)" in compose("S09_failed", "vi", **USUAL | {"k": 2, "of": 5}).body


def test_the_best_code_that_fits_is_taken() -> None:
    codes = ["000.17.22.H56-20260609-0092637-and-still-much-longer", WAYBILL]
    short = compose("S03_agency", "vi", **USUAL | {"code": codes})
    assert codes[0] in short.body
    full = compose("S01_booked", "vi", **USUAL | {"code": codes})
    assert WAYBILL in full.body
    assert segments(short.body) == segments(full.body) == 1


def test_a_long_name_gives_way_before_a_code_does() -> None:
    long = "Trung tâm Phục vụ hành chính công phường Long Xuyên tỉnh An Giang"
    said = compose("S10_hold", "vi", **USUAL | {"agency": long, "po": long})
    assert units(said.body) <= 160
    assert WAYBILL in said.body
    assert said.params["agency"].startswith("TTPVHCC")


@given(
    text=st.sampled_from(TEXTS),
    agency=st.text(max_size=160),
    po=st.text(max_size=120),
    reason=st.text(max_size=240),
    name=st.text(max_size=120),
)
def test_whatever_names_are_given_codes_stay_whole_and_the_text_is_plain(
    text: Template, agency: str, po: str, reason: str, name: str
) -> None:
    names = {"agency": agency, "po": po, "reason": reason, "name": name}
    said = compose(text.name, text.language, link="bd.vn/", **USUAL | names)
    assert alphabet(said.body) is Alphabet.GSM
    for field in ("code", "otp", "link", "hot"):
        if field in text.fields:
            assert said.params[field] in said.body
    if not any(re.search(r"\S*\d\S*", one) for one in (agency, po, reason)):
        assert segments(said.body) == 1
