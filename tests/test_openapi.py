"""The document at /schema: whole, valid, and true of what the service answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import validate

from app import app
from postal_track.errors import PostalTrackError
from routes.errors import OTHERS, number_of
from routes.openapi import Refusal
from tests.test_errors import every_class

METHODS = ("get", "post", "put", "patch", "delete")

DOCUMENT: dict[str, Any] = app.openapi_schema.to_schema()
OPERATIONS = [
    (f"{method.upper()} {path}", operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if method in METHODS
]
each_operation = pytest.mark.parametrize(
    "operation",
    [pytest.param(operation, id=name) for name, operation in OPERATIONS],
)


def examples_of(part: dict[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Give every example of a body or an answer, with its schema."""
    for content in part.get("content", {}).values():
        schema = content.get("schema", {})
        for told in content.get("examples", {}).values():
            yield told["value"], schema
        for value in schema.get("examples", ()):
            yield value, schema


def fits(value: Any, schema: dict[str, Any]) -> list[str]:
    """Say where a value is not what the schema promises."""
    whole = schema | {"components": DOCUMENT["components"]}
    faults = Draft202012Validator(whole).iter_errors(value)
    return [f"{fault.json_path}: {fault.message}" for fault in faults]


def test_the_document_is_valid_openapi() -> None:
    validate(DOCUMENT)


def test_what_other_systems_rely_on_is_there() -> None:
    assert {name for name, _ in OPERATIONS} >= {
        "POST /api/sessions",
        "DELETE /api/sessions",
        "POST /api/scans",
        "GET /api/items",
        "GET /api/held",
        "GET /api/receivers",
        "POST /api/dossiers",
        "POST /api/dossiers/{token}/result",
        "POST /api/dossiers/{token}/errands",
        "GET /api/status/{waybill}",
        "GET /api/procedures",
        "GET /api/agencies",
        "GET /api/wards",
        "GET /api/places/locate",
        "GET /labels/{file}",
        "GET /health",
        "GET /metrics",
    }


def test_every_operation_of_a_program_is_in_the_document() -> None:
    served = {
        f"{method} {route.path_format}"
        for route in app.routes
        if route.path.startswith("/api/")
        for method in getattr(route, "methods", ())
        if method != "OPTIONS"
    }
    assert served
    assert served <= {name for name, _ in OPERATIONS}


@each_operation
def test_an_operation_says_what_it_is_for(operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert len(operation["description"]) > len(operation["summary"])
    assert len(operation["tags"]) == 1


@each_operation
def test_an_operation_has_an_example_of_what_it_takes_and_gives(
    operation: dict[str, Any],
) -> None:
    good = [
        answer
        for status, answer in operation["responses"].items()
        if status.startswith("2")
    ]
    for answer in good:
        assert list(examples_of(answer)) or not answer.get("content")
    if "requestBody" in operation:
        assert list(examples_of(operation["requestBody"]))
    shown = [
        example
        for answer in operation["responses"].values()
        for example in examples_of(answer)
    ]
    assert shown


@each_operation
def test_examples_are_what_their_schemas_promise(operation: dict[str, Any]) -> None:
    parts = [*operation["responses"].values(), operation.get("requestBody", {})]
    faults = [
        fault
        for part in parts
        for value, schema in examples_of(part)
        for fault in fits(value, schema)
    ]
    assert not faults


@each_operation
def test_an_operation_lists_its_errors_in_the_one_shape(
    operation: dict[str, Any],
) -> None:
    refusals = {
        int(status): answer
        for status, answer in operation["responses"].items()
        if status.startswith("4")
    }
    needs_login = operation.get("security", DOCUMENT["security"]) != [{}]
    takes = operation.get("requestBody") or operation.get("parameters")
    assert (401 in refusals) or not needs_login
    assert (400 in refusals) or not takes
    names = {each.__name__ for each in every_class(PostalTrackError)}
    numbers = {
        each.__name__: number_of(each.__new__(each))
        for each in every_class(PostalTrackError)
    } | {name: status for status, (name, _, _) in OTHERS.items()}
    for status, answer in refusals.items():
        shown = [value for value, _ in examples_of(answer)]
        assert shown, status
        for value in shown:
            told = msgspec.convert(value, Refusal)
            assert told.error in names | {name for name, _, _ in OTHERS.values()}
            assert numbers[told.error] == status
            assert told.detail.endswith((".", "missing"))


async def test_anyone_may_read_the_document(server: str) -> None:
    async with httpx.AsyncClient(base_url=server) as client:
        for path in ("/schema", "/schema/openapi.json", "/schema/openapi.yaml"):
            answer = await client.get(path)
            assert answer.status_code == 200, path
            assert "/api/dossiers" in answer.text
