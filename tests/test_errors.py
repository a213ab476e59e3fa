"""The catalogue of errors: every class speaks both languages and survives a pickle."""

from __future__ import annotations

import pickle
import string
from collections.abc import Iterator
from dataclasses import fields

import pytest

from postal_track import errors
from postal_track.errors import (
    BadInput,
    BadPhone,
    BadWaybill,
    ForeignCode,
    PostalTrackError,
    Problem,
    WaybillCheckDigit,
)


def every_class(root: type[PostalTrackError]) -> Iterator[type[PostalTrackError]]:
    yield root
    for child in root.__subclasses__():
        yield from every_class(child)


CATALOGUE = [each for each in every_class(PostalTrackError) if each is not BadInput]


@pytest.mark.parametrize("kind", CATALOGUE, ids=lambda kind: kind.__name__)
class TestEveryError:
    def test_sentences_use_only_its_own_facts(
        self, kind: type[PostalTrackError]
    ) -> None:
        known = {each.name for each in fields(kind)}
        for template in (kind.detail, kind.detail_vi):
            named = {name for _, name, *_ in string.Formatter().parse(template) if name}
            assert named <= known

    def test_it_speaks_both_languages_in_whole_sentences(
        self, kind: type[PostalTrackError]
    ) -> None:
        error = kind(*("7" for _ in fields(kind)))
        assert str(error) == error.sentence("en")
        assert error.sentence() == error.sentence("vi") != error.sentence("en")
        assert error.sentence("vi").endswith(".")
        assert error.sentence("en").endswith(".")

    def test_it_has_its_own_docstring(self, kind: type[PostalTrackError]) -> None:
        assert kind.__doc__
        assert not kind.__doc__.startswith(kind.__name__)

    def test_it_survives_a_pickle(self, kind: type[PostalTrackError]) -> None:
        error = kind(*("7" for _ in fields(kind)))
        again = pickle.loads(pickle.dumps(error))  # noqa: S301
        assert type(again) is kind
        assert str(again) == str(error)


def test_facts_may_be_given_by_name() -> None:
    error = WaybillCheckDigit(text="DH123456784VN", expected="5", found="4")
    assert "would be 5, not 4" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301


def test_what_came_from_outside_is_quoted_short_and_on_one_line() -> None:
    said = str(ForeignCode("x" * 50 + "\r\n{text}\x1b[31m" + "y" * 5000))
    assert len(said) < 150
    assert said.isprintable()


def test_a_sentence_is_never_made_from_what_was_typed() -> None:
    assert "{0.__class__}" in str(ForeignCode("{0.__class__}"))


def test_bad_input_says_all_that_is_wrong_at_once() -> None:
    refused = BadInput(
        (
            Problem.of("phone", BadPhone()),
            Problem("originals", "At least one.", "Ít nhất một bản."),
        )
    )
    assert str(refused) == f"phone: {BadPhone()} originals: At least one."
    assert "originals: Ít nhất một bản." in refused.sentence("vi")


def test_names_are_those_of_the_catalogue() -> None:
    """Programs rely on them: a rename is a change others notice."""
    promised = [
        "BadWaybill",
        "UnknownWaybill",
        "ForgedLabel",
        "ForeignCode",
        "BadPhone",
        "BadAddress",
        "BadCode",
        "CodeLocked",
        "NotAllowed",
        "NotYourPlace",
        "NotLoggedIn",
        "LoginThrottled",
        "SessionExpired",
        "TooManyScans",
        "BadScan",
        "BadInput",
        "NotFound",
        "Conflict",
    ]
    assert all(issubclass(getattr(errors, name), PostalTrackError) for name in promised)
    assert issubclass(errors.WaybillLetters, BadWaybill)
