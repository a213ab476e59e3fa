"""How an operation is told in /schema: an example of its answer, and every refusal.

Examples are made of the very classes that answer, so a document cannot say what the
code does not. Knows no operation.
"""

from http import HTTPStatus
from typing import Any

import msgspec
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example

from postal_track.errors import BadInput, PostalTrackError
from routes.errors import OTHERS, number_of

Answers = dict[int, ResponseSpec]


class Refusal(msgspec.Struct, omit_defaults=True):
    """What every error looks like to a program.

    ``error`` is a name to decide by, ``detail`` a sentence for a person. ``fields`` is
    there when a value of an order cannot be used: a sentence for each.
    """

    error: str
    detail: str
    fields: dict[str, str] = {}


def example(value: Any, summary: str = "") -> Example:
    """Make an example out of a payload."""
    return Example(summary=summary or None, value=_plainly(value))


def _plainly(value: Any) -> Any:
    """Turn a payload into what is read on the other side."""
    return msgspec.json.decode(msgspec.json.encode(value))


def answers(
    status: int, shape: Any, value: Any, description: str, media: str = ""
) -> Answers:
    """Tell a good answer with its example."""
    told = ResponseSpec(
        data_container=shape,
        generate_examples=False,
        description=description,
        media_type=media or "application/json",
        examples=[example(value)],
    )
    return {status: told}


def refuses(*errors: PostalTrackError | int) -> Answers:
    """Tell the refusals of an operation: our errors, and numbers of the framework's."""
    grouped: dict[int, list[Refusal]] = {}
    for error in errors:
        if isinstance(error, int):
            name, _, sentence = OTHERS[error]
            told = Refusal(name, sentence.format(why="data.phone missing").strip())
            grouped.setdefault(error, []).append(told)
            continue
        told = Refusal(type(error).__name__, error.sentence("en"))
        if isinstance(error, BadInput):
            told.fields = {each.field: each.detail for each in error.problems}
        grouped.setdefault(number_of(error), []).append(told)
    return {status: _told(status, each) for status, each in grouped.items()}


def _told(status: int, refusals: list[Refusal]) -> ResponseSpec:
    return ResponseSpec(
        data_container=Refusal,
        generate_examples=False,
        description=HTTPStatus(status).phrase,
        examples=[
            Example(summary=each.error, value=_plainly(each)) for each in refusals
        ],
    )
