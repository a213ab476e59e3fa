"""Orders and results from other systems, and the lists that an order chooses from.

Parses and answers; what an order must have is ``orders.read``'s to say.
"""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, get, post
from litestar.openapi.spec import Example
from litestar.params import Body, Parameter
from msgspec import Meta

from postal_track import addresses, catalogue, limits
from postal_track.bookings import Announcement, announce_result, book
from postal_track.custody import Role
from postal_track.errors import (
    BadAddress,
    BadInput,
    NotAllowed,
    NotFound,
    NotLoggedIn,
    OrderUsed,
    PhoneWithLetters,
    Problem,
    TooOften,
)
from postal_track.orders import SERVICES, PaperGiven, PersonGiven
from postal_track.orders import Order as DomainOrder
from postal_track.settings import settings
from postal_track.staff import Actor
from routes import order_form
from routes.guards import only
from routes.openapi import answers, example, refuses

StaffRequest = Request[Actor, str, Any]
AnyRequest = Request[Actor | None, str | None, Any]

LARGEST_ORDER = 128 * 1024
"""Bytes of JSON: the longest order there can be is a tenth of it."""


# Told, not enforced here: an order is judged as a whole, by field.
Service = Annotated[str, Meta(extra_json_schema={"extra": {"enum": list(SERVICES)}})]
FeeDue = Annotated[
    str,
    Meta(extra_json_schema={"extra": {"enum": ["", "pickup", "delivery", "online"]}}),
]
PostageBy = Annotated[
    str, Meta(extra_json_schema={"extra": {"enum": ["citizen", "agency"]}})
]
Tongue = Annotated[str, Meta(extra_json_schema={"extra": {"enum": ["vi", "en"]}})]


class PersonIn(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A person. ``phone`` in any Vietnamese writing; ``ward`` a code or a name.

    Without a ward it is found in the address, of today or of before July 2025.
    """

    name: str
    phone: str
    address: str
    ward: str = ""


class PaperIn(msgspec.Struct, forbid_unknown_fields=True):
    """One line of the list of papers, as counted."""

    name: str
    originals: int
    copies: int


class CodeIn(msgspec.Struct, forbid_unknown_fields=True):
    """A code that another system gave to the dossier, kept as given."""

    source: str
    code: str


class OrderIn(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What is asked of the post for one dossier.

    ``id`` is yours: send the same order again as often as you like, it is one dossier.
    ``service``: send, receive or both. ``office``: the post office that collects;
    without one it is the nearest. In VND: ``fee`` is the agency's (null: the
    procedure's own), paid with the first handover, the result, or ``online``, where
    nobody asks for it at a door; ``postage`` is the post's (null: by the tariff).
    """

    id: UUID
    procedure: str
    agency: str
    service: Service
    owner: PersonIn
    papers: list[PaperIn] = []
    filer: PersonIn | None = None
    recipient: PersonIn | None = None
    office: str = ""
    language: Tongue = "vi"
    codes: list[CodeIn] = []
    fee: Annotated[int, Meta(ge=0)] | None = None
    fee_due: FeeDue = ""
    postage: Annotated[int, Meta(ge=0)] | None = None
    postage_by: PostageBy = "citizen"


class LabelLinks(msgspec.Struct):
    """Where the label is, for the same login."""

    svg: str
    png: str
    pdf: str


class BookedOut(msgspec.Struct):
    """The dossier that an order became.

    ``token`` names it in further calls; ``link`` is the citizen's page. ``waybill`` and
    ``label`` are null when only the result is to be brought: they come with it.
    """

    token: str
    waybill: str | None
    office: str
    link: str
    label: LabelLinks | None


class ResultIn(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A result that is ready. ``fee``: VND that the carrier collects on delivery."""

    id: UUID
    originals: Annotated[int, Meta(ge=0, le=9999)]
    copies: Annotated[int, Meta(ge=0, le=9999)] = 0
    fee: Annotated[int, Meta(ge=0)] = 0


class ResultOut(msgspec.Struct):
    """The item that brings the result to the citizen."""

    waybill: str
    label: LabelLinks


class PaperOut(msgspec.Struct):
    """A paper that a procedure asks for."""

    name: str
    name_en: str
    originals: int
    copies: int
    required: bool


class ProcedureOut(msgspec.Struct):
    """A procedure. ``days``: statutory working days; ``fee``: VND.

    ``in_person``: the result goes to the person himself only. ``takes_back_old``: the
    carrier takes the old paper back.
    """

    code: str
    name: str
    name_en: str
    days: int
    fee: int
    in_person: bool
    takes_back_old: bool
    papers: list[PaperOut]


class AgencyOut(msgspec.Struct):
    """An agency that takes dossiers in."""

    code: str
    name: str
    name_en: str
    ward: str


class WardOut(msgspec.Struct):
    """One of the 102 units of An Giang since 1 July 2025, with its centre."""

    code: str
    name: str
    lat: float
    lon: float


class NearOut(msgspec.Struct):
    """A post office, and how far it is along the earth's surface."""

    code: str
    name: str
    distance_m: int


class LocatedOut(msgspec.Struct):
    """Where an address is. ``source``: nominatim or ward centroid.

    ``offices``: the nearest first; the first is proposed.
    """

    ward: str
    ward_name: str
    lat: float
    lon: float
    source: str
    accuracy_m: int
    offices: list[NearOut]


_WAYBILL = "DH123456785VN"
_TOKEN = "q3Jt0pXv7mZk2aWc9bYd1A"  # noqa: S105 - an example, it opens nothing
_LABEL = LabelLinks(*(f"/labels/{_WAYBILL}.{end}" for end in ("svg", "png", "pdf")))
_OWNER = PersonIn(
    "Nguyễn Thị Hoa", "0912 345 678", "12 Trần Hưng Đạo, phường Long Xuyên", "30307"
)
_ORDER = OrderIn(
    id=UUID("0190a6f2-6f4e-7c1b-9a57-3f2d5f3a1c11"),
    procedure="1.001612",
    agency="DEMO-LX-PVHCC",
    service="both",
    owner=_OWNER,
    papers=[PaperIn("Giấy đề nghị đăng ký hộ kinh doanh", 1, 0)],
    codes=[CodeIn("igate", "H01.26-261123-0001")],
)
_RESULT = ResultIn(UUID("0190a6f2-6f4e-7c1b-9a57-3f2d5f3a1c12"), 1, 0, 26_000)
_BAD_PHONE = BadInput((Problem.of("owner.phone", PhoneWithLetters()),))


@post(
    "/api/dossiers",
    guards=[only(Role.CLERK, Role.SUPERVISOR, Role.ADMIN)],
    status_code=201,
    request_max_body_size=LARGEST_ORDER,
    summary="Place an order",
    description=(
        "Registers a dossier and gives its waybill. Safe to repeat: the same order, by "
        "its `id`, is one dossier and has one answer; the same id with other contents "
        "is refused. Every field that cannot be used is named at once. A phone may be "
        "written in any Vietnamese way. A ward (code or name) may be left out when the "
        "address names it, as of today or of before July 2025; an office may be left "
        "out, then it is the nearest to where the post goes first. At most 128 KiB."
    ),
    tags=["Orders"],
    responses={
        **answers(
            201,
            BookedOut,
            BookedOut(
                _TOKEN,
                _WAYBILL,
                "DEMO-LX",
                f"https://track.example.vn/d/{_TOKEN}",
                _LABEL,
            ),
            "The dossier, now or at the first time it was sent",
        ),
        **refuses(
            400,
            NotLoggedIn(),
            NotAllowed(),
            OrderUsed(""),
            413,
            _BAD_PHONE,
        ),
    },
)
async def place_order(
    request: StaffRequest,
    data: Annotated[OrderIn, Body(examples=[example(_ORDER)])],
) -> BookedOut:
    """Register what another system asks for."""
    booked = await book(_order(data), request.user)
    return BookedOut(
        token=booked.token,
        waybill=booked.waybill,
        office=booked.office,
        link=f"{settings().PUBLIC_URL}/d/{booked.token}",
        label=_label(booked.waybill) if booked.waybill else None,
    )


def _order(given: OrderIn) -> DomainOrder:
    return DomainOrder(
        id=given.id,
        procedure=given.procedure,
        agency=given.agency,
        service=given.service,
        owner=_person(given.owner),
        filer=_person(given.filer) if given.filer else None,
        recipient=_person(given.recipient) if given.recipient else None,
        papers=[PaperGiven(p.name, p.originals, p.copies) for p in given.papers],
        office=given.office,
        language=given.language,
        source="api",
        codes=[(each.source, each.code) for each in given.codes],
        fee=given.fee,
        fee_due=given.fee_due,
        postage=given.postage,
        postage_by=given.postage_by,
    )


def _person(given: PersonIn) -> PersonGiven:
    return PersonGiven(given.name, given.phone, given.address, given.ward)


def _label(waybill: str) -> LabelLinks:
    stem = f"{settings().PUBLIC_URL}/labels/{waybill}"
    return LabelLinks(f"{stem}.svg", f"{stem}.png", f"{stem}.pdf")


@post(
    "/api/dossiers/{token:str}/result",
    guards=[only(Role.OFFICER)],
    status_code=201,
    request_max_body_size=LARGEST_ORDER,
    summary="Announce a result",
    description=(
        "The agency says that a dossier's result is ready and releases it to the post; "
        "the citizen is told by SMS. The agency answers for it until a carrier accepts "
        "it. Announcing twice gives the same waybill."
    ),
    tags=["Orders"],
    responses={
        **answers(
            201, ResultOut, ResultOut(_WAYBILL, _LABEL), "The item that brings it"
        ),
        **refuses(
            400,
            NotLoggedIn(),
            NotAllowed(),
            NotFound(),
            413,
            BadInput(
                (
                    Problem(
                        "originals",
                        "Count the result: at least one sheet.",
                        "Hãy ghi số bản kết quả, ít nhất một bản.",
                    ),
                )
            ),
        ),
    },
)
async def announce(
    request: StaffRequest,
    token: Annotated[
        str,
        Parameter(
            max_length=22,
            description="The dossier's token, from its order.",
            examples=[Example(value=_TOKEN)],
        ),
    ],
    data: Annotated[ResultIn, Body(examples=[example(_RESULT)])],
) -> ResultOut:
    """Take the agency's word that a result is ready."""
    said = Announcement(
        id=data.id,
        token=token,
        originals=data.originals,
        copies=data.copies,
        fee=data.fee,
    )
    waybill = await announce_result(said, request.user)
    return ResultOut(waybill, _label(waybill))


_PROCEDURE = ProcedureOut(
    code="1.001612",
    name="Đăng ký thành lập hộ kinh doanh",
    name_en="Household business registration",
    days=3,
    fee=100_000,
    in_person=False,
    takes_back_old=False,
    papers=[
        PaperOut(
            "Giấy đề nghị đăng ký hộ kinh doanh", "Registration request", 1, 0, True
        )
    ],
)


@get(
    "/api/procedures",
    summary="List procedures",
    description="Every procedure the post carries dossiers for, with its papers.",
    tags=["Catalogue"],
    security=[{}],
    responses={
        **answers(
            200, list[ProcedureOut], [_PROCEDURE], "The procedures, in order of names"
        ),
        **refuses(400),
    },
)
async def list_procedures(
    code: Annotated[
        str,
        Parameter(
            max_length=40,
            description="Only the procedure of this code.",
            examples=[Example(value="1.001612")],
        ),
    ] = "",
) -> list[ProcedureOut]:
    """List procedures and the papers they ask for."""
    found = await catalogue.procedures(code)
    return msgspec.convert(found, list[ProcedureOut], from_attributes=True)


@get(
    "/api/agencies",
    summary="List agencies",
    description="Every agency that takes dossiers in, by name.",
    tags=["Catalogue"],
    security=[{}],
    responses=answers(
        200,
        list[AgencyOut],
        [
            AgencyOut(
                "DEMO-LX-PVHCC",
                "Trung tâm Phục vụ hành chính công phường Long Xuyên",
                "Long Xuyen public service centre",
                "30307",
            )
        ],
        "The agencies",
    ),
)
async def list_agencies() -> list[AgencyOut]:
    """List the agencies."""
    found = await catalogue.agencies()
    return msgspec.convert(found, list[AgencyOut], from_attributes=True)


@get(
    "/api/wards",
    summary="List wards",
    description="The 102 wards, communes and special zones, in the order of codes.",
    tags=["Catalogue"],
    security=[{}],
    responses=answers(
        200,
        list[WardOut],
        [WardOut("30307", "Phường Long Xuyên", 10.3661, 105.423)],
        "The wards",
    ),
    sync_to_thread=False,
)
def list_wards() -> list[WardOut]:
    """List the wards of the province."""
    return [
        WardOut(each.code, each.name, each.lat, each.lon)
        for each in addresses.wards().values()
    ]


@get(
    "/api/places/locate",
    summary="Find an address",
    description=(
        "Where an address is, how that was found and how sure it is, and the post "
        "offices around it by geodesic distance. Without a login at most "
        f"{limits.PLACES.most} times in "
        f"{limits.PLACES.window.total_seconds() / 60:.0f} minutes."
    ),
    tags=["Catalogue"],
    security=[{}],
    responses={
        **answers(
            200,
            LocatedOut,
            LocatedOut(
                "30307",
                "Phường Long Xuyên",
                10.3661,
                105.423,
                "ward centroid",
                4634,
                [NearOut("DEMO-LX", "Bưu cục Long Xuyên", 812)],
            ),
            "The place",
        ),
        **refuses(400, BadAddress(), TooOften(10)),
    },
)
async def locate_address(
    request: AnyRequest,
    address: Annotated[
        str,
        Parameter(
            max_length=240,
            description="As people write it, with the units of today or of before.",
            examples=[Example(value="12 Trần Hưng Đạo, phường Long Xuyên")],
        ),
    ] = "",
    ward: Annotated[
        str,
        Parameter(
            max_length=60,
            description="The ward's code or name; else it is found in the address.",
            examples=[Example(value="30307")],
        ),
    ] = "",
) -> LocatedOut:
    """Find an address and the offices near it."""
    if request.user is None:
        host = request.client.host if request.client else ""
        await limits.knock(limits.PLACES, host)
    found = await order_form.preview(address, ward)
    return LocatedOut(
        ward=found.located.ward,
        ward_name=found.ward_name,
        lat=found.located.place.lat,
        lon=found.located.place.lon,
        source=found.located.source,
        accuracy_m=found.located.accuracy_m,
        offices=[
            NearOut(each.office.code, each.office.name, each.distance_m)
            for each in found.offices
        ],
    )


ROUTES = [
    place_order,
    announce,
    list_procedures,
    list_agencies,
    list_wards,
    locate_address,
]
