"""What anyone can check us by: checkpoints of the ledger, its key, receipts of lines.

Checkpoints are public and say nothing of persons; receipts are for the citizen who has
the link of his page, and for staff within their reach. Hands files out; what is in them
is ``postal_track.proofs``' to say.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.openapi.spec import Example
from litestar.params import FromPath, FromQuery, Parameter
from litestar.response import Redirect, Template

from postal_track import checkpoints, misses, proofs, seals
from postal_track.custody import Role
from postal_track.errors import LedgerBroken, NotFound, NotLoggedIn, TooOften
from postal_track.evidence import CHECKPOINT, RECEIPT
from postal_track.settings import settings
from postal_track.staff import Actor
from routes.citizen import address_of
from routes.guards import logged_in, only
from routes.language import language
from routes.openapi import answers, refuses

AnyRequest = Request[Any, Any, Any]
StaffRequest = Request[Actor, str, Any]

SCRIPT = Path(__file__).parent.parent / "docs" / "check_receipt.py"

# What is signed does not change; a link to it may be kept for as long as one likes.
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_FOR_A_WHILE = {"Cache-Control": "public, max-age=60"}


class SignedBody(msgspec.Struct):
    """A statement: JSON text as it was signed, and its Ed25519 signature in hex."""

    body: str
    signature: str


class CheckpointFile(SignedBody):
    """A checkpoint; ``links`` are those between it and the older one asked about."""

    format: str
    links: list[SignedBody]


class WayUp(msgspec.Struct):
    """The way from a leaf to the root: its place, and its neighbours, lowest first."""

    index: int
    hashes: list[str]


class ReceiptFile(SignedBody):
    """A receipt of a line; ``checkpoint`` and ``path`` once a checkpoint covers it."""

    format: str
    lines: list[str]
    checkpoint: SignedBody | None
    path: WayUp | None
    note: dict[str, str]


class Key(msgspec.Struct):
    """The public key that seals the ledger, and those that did before it."""

    algorithm: str
    key: str
    pem: str
    older: list[str]


_BODY = (
    '{"at":"2026-11-22T18:10:00.123456Z","items":2,"key":"3d40…","kind":"checkpoint",'
    '"lines":9,"number":7,"previous":"b5bb…","root":"8f43…","v":1}'
)
_CHECKPOINT = CheckpointFile(_BODY, "6ac2…", CHECKPOINT, [])
_RECEIPT = ReceiptFile(
    body='{"at":"2026-11-23T02:00:00.000000Z","hash":"77ab…","key":"3d40…",'
    '"kind":"receipt","seq":2,"v":1,"waybill":"DH123456785VN","words":{"en":"…",'
    '"vi":"…"}}',
    signature="19fe…",
    format=RECEIPT,
    lines=['{"at":"2026-11-22T02:15:00.000000Z","bag":null,"by":"staff:7",…}'],
    checkpoint=SignedBody(_BODY, "6ac2…"),
    path=WayUp(1, ["0c5d…"]),
    note={"en": "This line is sealed by a checkpoint.", "vi": "…"},
)
_KEY = Key("Ed25519", "3d40…", "-----BEGIN PUBLIC KEY-----\n…", [])

# The database counts both with four bytes.
Number = Annotated[
    int,
    Parameter(
        ge=1,
        lt=2**31,
        description="The number of a checkpoint.",
        examples=[Example(value=7)],
    ),
]
Seq = Annotated[
    int,
    Parameter(
        ge=1,
        lt=2**31,
        description="The number of a line of the item's ledger.",
        examples=[Example(value=2)],
    ),
]
Since = Annotated[
    int | None,
    Parameter(
        ge=0,
        lt=2**31,
        description="The number of an older one: with all that link the two.",
    ),
]
Waybill = Annotated[
    str,
    Parameter(
        max_length=20,
        description="The waybill of an item.",
        examples=[Example(value="DH123456785VN")],
    ),
]


def _file(
    given: dict[str, Any], name: str = "", headers: dict[str, str] | None = None
) -> Response[bytes]:
    """Write a file that people can look into, and that programs can read."""
    named = {"Content-Disposition": f'attachment; filename="{name}.json"'}
    return Response(
        msgspec.json.format(msgspec.json.encode(given), indent=1) + b"\n",
        media_type="application/json",
        headers=(headers or {}) | (named if name else {}),
    )


# Checkpoints


@get("/checkpoints", include_in_schema=False)
async def checkpoints_page(
    request: AnyRequest,
    before: FromQuery[int | None] = None,
    sealed: FromQuery[str] = "",
) -> Template:
    """Show the newest checkpoint, to be printed and kept, and those before it."""
    await _reading(request)
    found = await checkpoints.listed(before)
    more = len(found) == checkpoints.PAGE and found[-1].number > 1
    user: Actor | None = request.user
    return Template(
        "checkpoints.html",
        context={
            "newest": found[0] if found and before is None else None,
            "found": found,
            "older": found[-1].number if more else None,
            "may_seal": user is not None and user.role in SEALERS,
            "sealed": sealed,
            "grouped": grouped,
            "counted": _counting(language(request)),
            "public_url": settings().PUBLIC_URL,
        },
    )


def _counting(lang: str) -> Callable[[int], str]:
    mark = "," if lang == "en" else "."
    return lambda count: f"{count:,}".replace(",", mark)


SEALERS = (Role.SUPERVISOR, Role.ADMIN)


@post("/checkpoints", include_in_schema=False, guards=[only(*SEALERS)])
async def seal_now() -> Redirect:
    """Seal what is new."""
    sealing = await checkpoints.seal()
    said = "now" if sealing.fresh else "already"
    return Redirect(f"/checkpoints?sealed={said}", status_code=303)


def grouped(digits: str) -> str:
    """Part a long hexadecimal number so that two people can compare it aloud."""
    return " ".join(digits[at : at + 4] for at in range(0, len(digits), 4))


@get(
    "/checkpoints/{number:int}",
    summary="Read a checkpoint",
    description=(
        "A root over the newest lines of all items, signed, as a file that proves "
        "itself. Nothing personal. With `since`, also every checkpoint between that "
        "one and this, so that who kept the older one sees that this follows from it. "
        "`docs/ledger.md` says how to check it; `/checkpoints/check_receipt.py` does."
    ),
    tags=["Proofs"],
    security=[{}],
    exclude_from_csrf=True,  # a cookie on it would keep it out of every cache
    responses=answers(200, CheckpointFile, _CHECKPOINT, "The checkpoint")
    | refuses(400, NotFound(), TooOften(1)),
)
async def read_checkpoint(
    request: AnyRequest, number: Number, since: Since = None
) -> Response[bytes]:
    """Give one checkpoint."""
    await _reading(request)
    return _file(await proofs.checkpoint_file(number, since), headers=_FOR_EVER)


@get(
    "/checkpoints/latest",
    summary="Read the newest checkpoint",
    description="The same as by its number; fetch it every day and keep it.",
    tags=["Proofs"],
    security=[{}],
    exclude_from_csrf=True,
    responses=answers(200, CheckpointFile, _CHECKPOINT, "The newest checkpoint")
    | refuses(400, NotFound(), TooOften(1)),
)
async def read_latest(request: AnyRequest, since: Since = None) -> Response[bytes]:
    """Give the newest checkpoint."""
    await _reading(request)
    return _file(await proofs.checkpoint_file(None, since), headers=_FOR_A_WHILE)


@get(
    "/checkpoints/key",
    summary="Read the key",
    description=(
        "The public key that signs checkpoints and receipts. Get it once, and by "
        "another way if you can: whoever compares keeps us honest."
    ),
    tags=["Proofs"],
    security=[{}],
    exclude_from_csrf=True,
    responses=answers(200, Key, _KEY, "The key") | refuses(TooOften(1)),
)
async def read_key(request: AnyRequest) -> Response[bytes]:
    """Give the public key."""
    await _reading(request)
    key = Key(
        "Ed25519",
        seals.public_key(),
        seals.public_pem(),
        list(settings().SEAL_OLD_KEYS),
    )
    return _file(msgspec.to_builtins(key), headers=_FOR_A_WHILE)


@get("/checkpoints/check_receipt.py", include_in_schema=False, exclude_from_csrf=True)
async def read_script(request: AnyRequest) -> Response[bytes]:
    """Give the program that checks receipts and checkpoints without us."""
    await _reading(request)
    return Response(
        SCRIPT.read_bytes(),
        media_type="text/x-python; charset=utf-8",
        headers=_FOR_A_WHILE
        | {"Content-Disposition": 'attachment; filename="check_receipt.py"'},
    )


# Receipts


@get("/d/{token:str}/receipts", include_in_schema=False)
async def receipts_page(request: AnyRequest, token: FromPath[str]) -> Template:
    """List the handoffs of a citizen's dossier, each with its receipt."""
    await _reading(request)
    try:
        stories = await proofs.stories_of(token)
    except NotFound:
        await misses.missed(address_of(request))
        raise
    context = {"stories": stories, "back": f"/d/{token}", "everything": False}
    return Template("receipts.html", context=context | {"link": _link(f"/d/{token}")})


@get(
    "/d/{token:str}/receipts/{waybill:str}/{seq:int}",
    summary="Get a receipt as a citizen",
    description=(
        "By the token of the dossier's page: a line of an item's ledger as it was "
        "hashed, signed, with its way to the root of the first checkpoint that covers "
        "it. Before one does, `checkpoint` is null: fetch it again later. It names no "
        "person. `docs/ledger.md` says how to check it."
    ),
    tags=["Proofs"],
    security=[{}],
    responses=answers(200, ReceiptFile, _RECEIPT, "The receipt")
    | refuses(400, NotFound(), LedgerBroken("DH123456785VN, line 2"), TooOften(1)),
)
async def citizens_receipt(
    request: AnyRequest, token: FromPath[str], waybill: Waybill, seq: Seq
) -> Response[bytes]:
    """Give a receipt to a citizen."""
    await _reading(request)
    try:
        receipt = await proofs.receipt_of(token, waybill, seq)
    except NotFound:
        await misses.missed(address_of(request))
        raise
    return _receipt_file(receipt)


async def _reading(request: AnyRequest) -> None:
    """Count what someone outside reads."""
    await misses.reading(address_of(request))


@get("/items/{waybill:str}/receipts", include_in_schema=False, guards=[logged_in])
async def staff_receipts_page(
    request: StaffRequest, waybill: FromPath[str]
) -> Template:
    """List every line of an item within someone's reach, each with its receipt."""
    story = await proofs.story_for(waybill, request.user)
    back = f"/items/{story.waybill}"

    def link(_: str, seq: int) -> str:
        return f"{back}/receipts/{seq}"

    context = {"stories": [story], "back": back, "everything": True, "link": link}
    return Template("receipts.html", context=context)


@get(
    "/items/{waybill:str}/receipts/{seq:int}",
    guards=[logged_in],
    summary="Get a receipt as staff or as an agency",
    description=(
        "A line of the ledger of an item within one's reach, as a file that proves "
        "itself: as it was hashed, signed, with its way to the root of the first "
        "checkpoint that covers it. It names no person."
    ),
    tags=["Proofs"],
    responses=answers(200, ReceiptFile, _RECEIPT, "The receipt")
    | refuses(400, NotLoggedIn(), NotFound(), LedgerBroken("DH123456785VN, line 2")),
)
async def staff_receipt(
    request: StaffRequest, waybill: Waybill, seq: Seq
) -> Response[bytes]:
    """Give a receipt to staff."""
    receipt = await proofs.receipt_for(waybill, seq, request.user)
    return _receipt_file(receipt)


def _receipt_file(receipt: dict[str, Any]) -> Response[bytes]:
    said = msgspec.json.decode(receipt["body"])
    return _file(receipt, f"receipt-{said['waybill']}-{said['seq']}")


def _link(page: str) -> Callable[[str, int], str]:
    return lambda waybill, seq: f"{page}/receipts/{waybill}/{seq}"


ROUTES = [
    checkpoints_page,
    seal_now,
    read_checkpoint,
    read_latest,
    read_key,
    read_script,
    receipts_page,
    citizens_receipt,
    staff_receipts_page,
    staff_receipt,
]
