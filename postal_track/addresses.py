"""Which ward a written address is in, whether it names the units of today or of before.

Reads addresses as people write them: with or without marks, "P.", "xa", with the
districts that ended on 1 July 2025. Says so when it is not sure. Knows An Giang only
(with Kien Giang, which joined it), and nothing of maps or networks.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher, get_close_matches
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"

PROVINCE = "An Giang"
JOINED = "Kiên Giang"


@dataclass(frozen=True, slots=True)
class Ward:
    """One of the 102 units of today: a phường, xã or đặc khu."""

    code: str
    name: str  # with its kind: "Phường Long Xuyên"
    short: str
    kind: str
    lat: float
    lon: float
    area_km2: float


@dataclass(frozen=True, slots=True)
class FormerUnit:
    """A unit of before 1 July 2025 and what it became, the largest part first."""

    province: str
    district: str
    name: str  # with its kind: "Thị trấn Vĩnh Thuận"
    short: str
    kind: str
    wards: tuple[Ward, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """What an address says. Without a ward, or with alternatives, ask a person.

    ``misspelt``: no name is written like this; it is the nearest that there is.
    """

    ward: Ward | None
    alternatives: tuple[Ward, ...] = ()
    former: FormerUnit | None = None
    street: str = ""
    misspelt: bool = False

    @property
    def sure(self) -> bool:
        """Whether the address can mean one ward only."""
        return self.ward is not None and not self.alternatives and not self.misspelt


@cache
def wards() -> Mapping[str, Ward]:
    """Give every unit of today by its code, in the order of codes."""
    return {
        row["ward_code"]: Ward(
            code=row["ward_code"],
            name=row["ward"],
            short=row["ward_short"],
            kind=row["ward_type"],
            lat=float(row["lat"]),
            lon=float(row["lon"]),
            area_km2=float(row["area_km2"]),
        )
        for row in _rows("an_giang_wards_2025.csv")
    }


@cache
def former_units() -> Sequence[FormerUnit]:
    """Give every unit of before 1 July 2025, in the order of their codes."""
    return tuple(
        FormerUnit(
            province=row["province"],
            district=row["district"],
            name=f"{row['kind']} {row['name']}",
            short=row["name"],
            kind=row["kind"],
            wards=tuple(wards()[code] for code in row["ward_codes"].split()),
        )
        for row in _rows("an_giang_units_before_2025.csv")
    )


def find_ward(text: str) -> Ward | None:
    """Find the ward of today that is called so: a code, or a name in any writing."""
    if text.strip() in wards():
        return wards()[text.strip()]
    words = _split(text)
    start = next((n for n in (2, 1) if _level(words[:n]) == _COMMUNE), 0)
    plain = tuple(word.plain for word in words[start:])
    for unit in _index().get(plain, ()):
        if isinstance(unit, Ward) and _marks(words[start:], unit.short) >= 0:
            return unit
    return None


def read_address(text: str) -> Reading:
    """Read a written address. Never raises: what cannot be read has no ward."""
    words = _split(text)
    read = _read(words, text)
    spelt = _respelled(words)
    if spelt is None:
        return read
    likely = _read(spelt, text)
    return replace(likely, misspelt=True) if likely.ward else read


def _read(words: Sequence[_Word], text: str) -> Reading:
    mentions = list(_mentions(words))
    if _elsewhere(words, mentions):
        return Reading(None)
    guesses = sorted(_guesses(mentions), key=lambda guess: -guess.score)
    if not guesses:
        return Reading(None, alternatives=_of_district(mentions))
    best = guesses[0]
    meant = dict.fromkeys(
        ward
        for guess in guesses
        if guess.score > best.score - _CLEARLY_BETTER
        for ward in guess.wards
    )
    if best.loose:
        meant |= dict.fromkeys(_of_district([best.mention]))
    first, *others = meant
    street = text[: best.mention.offset].strip(" ,;.-\n")
    return Reading(first, tuple(others), best.former, street)


# Words

# Commune, district, province: the levels a word before a name can announce.
_COMMUNE, _DISTRICT, _PROVINCE, _STREET = "commune", "district", "province", "street"


@dataclass(frozen=True, slots=True)
class _Word:
    plain: str  # without marks, lower case, y as i
    marked: str  # the same with marks, tone mark last
    part: int  # which stretch between commas
    offset: int


_BREAK = re.compile(r"[,;\n/|]|\s[-\u2013]\s")
# "T.P", "T.X": one abbreviation, not two words.
_DOTTED = re.compile(r"\bt\.\s?([pxt])\b", re.IGNORECASE)
_TONES = "\u0300\u0301\u0303\u0309\u0323"


def _split(text: str) -> list[_Word]:
    # Composed, and every replacement keeps its length: offsets are those of the text.
    even = _DOTTED.sub(lambda found: f"t{found[1]}".rjust(len(found[0])), text)
    words, part, end = [], 0, 0
    for found in re.finditer(r"[^\W_]+(?:[\u0300-\u036f]+[^\W_]*)*", even):
        part += bool(_BREAK.search(even, end, found.start() + 1))
        end = found.end()
        offset = found.start()
        for piece in _pieces(found[0]):
            marked = _marked(piece)
            words.append(_Word(_plain(marked), marked, part, offset))
            offset += len(piece)
    return words


def _pieces(word: str) -> list[str]:
    """Part what was written without a space: ``LongXuyên``, ``AnGiang``."""
    pieces, low = [""], False
    for char in word:
        if low and char.isupper():
            pieces.append("")
        pieces[-1] += char
        if not unicodedata.combining(char):
            low = char.islower()
    return pieces


def _marked(word: str) -> str:
    # Hòa and hoà are one word; so are Mỹ and Mĩ, Quý and Quí.
    spread = unicodedata.normalize("NFD", word.lower()).replace("y", "i")
    tone = "".join(char for char in spread if char in _TONES)
    return "".join(char for char in spread if char not in _TONES) + tone


def _plain(marked: str) -> str:
    bare = "".join(char for char in marked if not unicodedata.combining(char))
    return bare.replace("đ", "d")


def _marks(words: Sequence[_Word], name: str) -> int:
    """Compare marks with a name: 2 all there, 0 none written, -1 other ones."""
    if [word.marked for word in words] == [_marked(word) for word in name.split()]:
        return 2
    return 0 if all(word.marked == word.plain for word in words) else -1


def _key(name: str) -> tuple[str, ...]:
    return tuple(_plain(_marked(word)) for word in name.split())


_LEVELS: Mapping[tuple[str, ...], str] = {
    _key(word): level
    for level, said in {
        _COMMUNE: "phường;p;f;xã;x;thị trấn;tt;đặc khu;đk",
        _DISTRICT: "quận;q;huyện;h;thị xã;tx;thành phố;tp",
        _PROVINCE: "tỉnh;t",
        # What bears the name of a place without being it.
        _STREET: "đường;đ;phố;hẻm;ngõ;ấp;khóm;thôn;xóm;tổ;khu;khu phố;kp;cầu;chợ;kênh;"
        "kinh;rạch;cống;sông;chùa;trường;bến xe;công ty;khách sạn;lộ;tuyến",
    }.items()
    for word in said.split(";")
}


_KINDS: Mapping[tuple[str, ...], str] = {
    _key(word): kind
    for kind, said in {
        "Phường": "phường;p;f",
        "Xã": "xã;x",
        "Thị trấn": "thị trấn;tt",
        "Đặc khu": "đặc khu;đk",
    }.items()
    for word in said.split(";")
}


def _level(words: Sequence[_Word]) -> str | None:
    return _LEVELS.get(tuple(word.plain for word in words))


# Slips of the pen

_ALIKE = 0.84
"""How much of a name must be there: one letter in a short one may be wrong."""

_CLEARLY_MORE_ALIKE = 0.05


def _respelled(words: Sequence[_Word]) -> list[_Word] | None:
    """Put the nearest name where a commune is announced by one that is none."""
    for start in range(1, len(words) - 1):
        kind = _announced(words, start)
        if kind is None:
            continue
        exact = [n for n in range(2, _LONGEST + 1) if _mention(words, start, start + n)]
        for length in range(_LONGEST, max([1, *exact]), -1):
            said = words[start : start + length]
            if len(said) < length or said[-1].part != said[0].part:
                continue
            name = tuple(word.plain for word in said)
            if _is_two(words, start, length):
                continue
            if nearest := _nearest(" ".join(name), length, kind):
                spelt = [
                    replace(word, plain=right, marked=right)
                    for word, right in zip(said, nearest.split(), strict=True)
                ]
                return [*words[:start], *spelt, *words[start + length :]]
    return None


def _is_two(words: Sequence[_Word], start: int, length: int) -> bool:
    """Tell whether a name and what follows it were taken together."""
    stop = start + length
    return any(
        _mention(words, start, middle)
        and (
            _level(words[middle : middle + 1])
            or any(_mention(words, middle, middle + n) for n in (2, 3, 4))
        )
        for middle in range(start + 2, stop)
        if middle < len(words)
    )


def _announced(words: Sequence[_Word], start: int) -> str | None:
    """Tell the kind of commune that the word before a name announces."""
    for n in (2, 1):
        before = words[max(0, start - n) : start]
        if len(before) == n and before[0].part == words[start].part:
            kind = _KINDS.get(tuple(word.plain for word in before))
            if kind is not None:
                return kind
    return None


def _nearest(name: str, length: int, kind: str) -> str | None:
    """Find the one name of so many words, and of this kind, that is much like it."""
    found = get_close_matches(name, _names_of(length, kind), n=2, cutoff=_ALIKE)
    alike = [SequenceMatcher(None, each, name).ratio() for each in found]
    if len(found) == 2 and alike[0] - alike[1] < _CLEARLY_MORE_ALIKE:
        return None
    return found[0] if found else None


@cache
def _names_of(length: int, kind: str) -> list[str]:
    return [
        " ".join(key)
        for key, units in _index().items()
        if len(key) == length and any(unit.kind == kind for unit in units)
    ]


# What the words mention


@dataclass(frozen=True, slots=True)
class _Mention:
    """A stretch of words that is the name of something."""

    start: int
    stop: int
    offset: int
    level: str | None  # what the word before it announces
    kind: str | None  # the same, when it is a kind of commune
    marks: Mapping[str, int]  # by name: how well the marks agree
    units: tuple[Ward | FormerUnit, ...]
    districts: frozenset[str]
    province: str | None


@cache
def _index() -> Mapping[tuple[str, ...], tuple[Ward | FormerUnit, ...]]:
    index: dict[tuple[str, ...], tuple[Ward | FormerUnit, ...]] = {}
    units: list[Ward | FormerUnit] = [*wards().values(), *former_units()]
    for unit in units:
        key = _key(unit.short)
        index[key] = (*index.get(key, ()), unit)
    return index


@cache
def _districts() -> Mapping[tuple[str, ...], frozenset[str]]:
    index: dict[tuple[str, ...], frozenset[str]] = {}
    for unit in former_units():
        key = _key(unit.district)
        index[key] = index.get(key, frozenset()) | {unit.district}
    return index


_PROVINCES = {_key(name): name for name in (PROVINCE, JOINED)}
_LONGEST = 5


def _mentions(words: Sequence[_Word]) -> Iterator[_Mention]:
    stop_before = 0
    for start in range(len(words)):
        for stop in range(min(start + _LONGEST, len(words)), start + 1, -1):
            found = _mention(words, start, stop)
            # A name inside a longer name is not meant: Vĩnh Hòa in Vĩnh Hòa Hưng.
            if found and stop > stop_before:
                yield found
                stop_before = stop
                break


def _mention(words: Sequence[_Word], start: int, stop: int) -> _Mention | None:
    said = words[start:stop]
    if said[0].part != said[-1].part:
        return None
    key = tuple(word.plain for word in said)
    units = _index().get(key, ())
    districts = _districts().get(key, frozenset())
    if not units and not districts and key not in _PROVINCES:
        return None
    before = next(
        (
            n
            for n in (2, 1)
            if n <= start
            and words[start - n].part == said[0].part
            and _level(words[start - n : start])
        ),
        0,
    )
    announced = words[start - before : start]
    return _Mention(
        start=start - before,
        stop=stop,
        offset=words[start - before].offset,
        level=_level(announced),
        kind=_KINDS.get(tuple(word.plain for word in announced)),
        marks={
            name: _marks(said, name)
            for name in {unit.short for unit in units} | districts
        },
        units=units,
        districts=districts,
        province=_PROVINCES.get(key),
    )


def _elsewhere(words: Sequence[_Word], mentions: Sequence[_Mention]) -> bool:
    """Tell whether the address ends in another province."""
    if any(mention.province for mention in mentions):
        return False
    said = [word.plain for word in words]
    if said[-2:] == ["viet", "nam"]:
        said = said[:-2]
    typed = {m.stop for m in mentions if m.level in (_COMMUNE, _DISTRICT)}
    return len(said) not in typed and any(
        said[-len(name) :] == list(name) for name in _OTHER_PROVINCES
    )


# What may be meant

# A guess this much better than another leaves no doubt.
_CLEARLY_BETTER = 2


@dataclass(frozen=True, slots=True)
class _Guess:
    score: int
    mention: _Mention
    wards: tuple[Ward, ...]
    former: FormerUnit | None = None
    loose: bool = False  # the bare name of a district: its other wards are as likely


def _guesses(mentions: Sequence[_Mention]) -> Iterator[_Guess]:
    for mention in mentions:
        if mention.level in (_DISTRICT, _PROVINCE, _STREET):
            continue
        for unit in mention.units:
            marks = mention.marks[unit.short]
            if marks < 0 and mention.kind is None:
                continue
            score = marks if marks >= 0 else -3
            if mention.kind is not None:
                # A kind may be out of date, the level is not: Núi Voi was a xã first.
                score += 6 if mention.kind == unit.kind else 4
            if isinstance(unit, Ward):
                yield _guess_of_today(unit, mention, mentions, score)
            else:
                yield _guess_of_before(unit, mention, mentions, score)


def _guess_of_today(
    ward: Ward, mention: _Mention, mentions: Sequence[_Mention], score: int
) -> _Guess:
    districts, provinces = _roots()[ward.code]
    for other in mentions:
        if other.province == PROVINCE:
            score += 1
        elif other.province == JOINED:
            score -= 1 if JOINED in provinces else 6
    # With a district it is an address of before, or half and half.
    if any(other.level == _DISTRICT and other.districts for other in mentions):
        score -= 3
    if any(districts & other.districts for other in _after(mention, mentions)):
        score += 2
    loose = mention.level is None and bool(mention.districts)
    return _Guess(score, mention, (ward,), loose=loose)


def _guess_of_before(
    unit: FormerUnit, mention: _Mention, mentions: Sequence[_Mention], score: int
) -> _Guess:
    after = _after(mention, mentions)
    confirmed = any(unit.district in other.districts for other in after)
    if confirmed:
        score += 4
    elif any(other.level == _DISTRICT and other.districts for other in mentions):
        score -= 6
    else:
        # Without a district, a name of today is the likelier reading.
        score -= 3
    for other in mentions:
        if other.province == unit.province:
            score += 2
        elif other.province == JOINED:
            score -= 6
    loose = mention.level is None and unit.district in mention.districts
    return _Guess(score, mention, unit.wards, unit, loose=loose and not confirmed)


def _after(mention: _Mention, mentions: Sequence[_Mention]) -> list[_Mention]:
    # People write from the small to the large.
    return [other for other in mentions if other.start >= mention.stop]


def _of_district(mentions: Sequence[_Mention]) -> tuple[Ward, ...]:
    """Every ward that grew out of a district that is mentioned."""
    named = frozenset[str]().union(*(mention.districts for mention in mentions))
    provinces = {mention.province for mention in mentions} - {None}
    # Châu Thành was a district of both provinces.
    either = not provinces or provinces == {PROVINCE}
    return tuple(
        dict.fromkeys(
            ward
            for unit in former_units()
            if unit.district in named and (either or unit.province in provinces)
            for ward in unit.wards
        )
    )


@cache
def _roots() -> Mapping[str, tuple[frozenset[str], frozenset[str]]]:
    """By ward: the districts and the provinces its land was in before."""
    none = frozenset[str]()
    roots = dict.fromkeys(wards(), (none, none))
    for unit in former_units():
        for ward in unit.wards:
            districts, provinces = roots[ward.code]
            roots[ward.code] = districts | {unit.district}, provinces | {unit.province}
    return roots


def _rows(name: str) -> Iterator[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


# Of today and of before; An Giang and Kiên Giang left out.
_NAMES = """
Bà Rịa Vũng Tàu; Bạc Liêu; Bắc Giang; Bắc Kạn; Bắc Ninh; Bến Tre; Bình Dương; Bình
Định; Bình Phước; Bình Thuận; Cà Mau; Cao Bằng; Cần Thơ; Đà Nẵng; Đắk Lắk; Đắk Nông;
Điện Biên; Đồng Nai; Đồng Tháp; Gia Lai; Hà Giang; Hà Nam; Hà Nội; Hà Tĩnh; Hải
Dương; Hải Phòng; Hậu Giang; Hòa Bình; Hồ Chí Minh; HCM; Sài Gòn; Huế; Hưng Yên;
Khánh Hòa; Kon Tum; Lai Châu; Lạng Sơn; Lào Cai; Lâm Đồng; Long An; Nam Định; Nghệ
An; Ninh Bình; Ninh Thuận; Phú Thọ; Phú Yên; Quảng Bình; Quảng Nam; Quảng Ngãi;
Quảng Ninh; Quảng Trị; Sóc Trăng; Sơn La; Tây Ninh; Thái Bình; Thái Nguyên; Thanh
Hóa; Thừa Thiên Huế; Tiền Giang; Trà Vinh; Tuyên Quang; Vĩnh Long; Vĩnh Phúc; Yên
Bái
"""
_OTHER_PROVINCES = tuple(_key(name) for name in _NAMES.split(";"))
