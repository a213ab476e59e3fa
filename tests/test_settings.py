"""What may be set, and what is said when it is wrong."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import pytest

from postal_track.settings import FIELDS, Settings, SettingsError, settings

KEY = "k" * 40


def read(folder: Path, **environment: str) -> Settings:
    return Settings.from_env({"VAR_DIR": str(folder), **environment})


def faults(folder: Path, **environment: str) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as refused:
        read(folder, **environment)
    return refused.value.faults


def test_nothing_needs_to_be_set(tmp_path: Path) -> None:
    chosen = read(tmp_path)
    assert (chosen.HOST, chosen.PORT) == ("127.0.0.1", 8000)
    assert chosen.PUBLIC_URL == "http://localhost:8000"
    assert chosen.SMS_GATEWAYS == ("console",)
    assert chosen.SHORT_LINK == "bd.vn/"
    assert chosen.DATABASE_URL == chosen.REDIS_URL == ""


def test_an_empty_value_is_as_good_as_none(tmp_path: Path) -> None:
    assert read(tmp_path, PORT="", HOTLINE=" ").PORT == 8000


def test_the_public_address_follows_the_port(tmp_path: Path) -> None:
    assert read(tmp_path, PORT="9001").PUBLIC_URL == "http://localhost:9001"


def test_the_public_address_ends_without_a_slash(tmp_path: Path) -> None:
    chosen = read(tmp_path, PUBLIC_URL="https://track.example.vn/")
    assert chosen.PUBLIC_URL == "https://track.example.vn"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "eighty", "PORT must be a whole number from 1 to 65535."),
        ("PORT", "0", "PORT must be a whole number from 1 to 65535."),
        (
            "DATABASE_URL",
            "mysql://localhost/x",
            "DATABASE_URL must be an address that starts with "
            "postgresql:// or postgres://.",
        ),
        (
            "PUBLIC_URL",
            "track.example.vn",
            "PUBLIC_URL must be an address such as https://track.example.vn.",
        ),
        ("SECRET_KEY", "short", "SECRET_KEY must have at least 32 characters."),
        (
            "SMS_GATEWAYS",
            "pigeon",
            "SMS_GATEWAYS must name each gateway once, out of: "
            "console, twilio, brandname.",
        ),
        ("HOLD_DAYS", "-1", "HOLD_DAYS must be a whole number from 1 to 365."),
    ],
)
def test_a_wrong_value_is_named_in_a_sentence(
    tmp_path: Path, name: str, value: str, sentence: str
) -> None:
    assert faults(tmp_path, **{name: value}) == (sentence,)


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    said = faults(tmp_path, PORT="x", HOLD_DAYS="x", TWILIO_ACCOUNT_SID="AC1")
    assert [sentence.split()[0] for sentence in said] == [
        "PORT",
        "HOLD_DAYS",
        "TWILIO_AUTH_TOKEN",
        "TWILIO_FROM",
    ]


def test_a_wrong_secret_is_not_repeated(tmp_path: Path) -> None:
    assert "hunter2" not in str(faults(tmp_path, SECRET_KEY="hunter2"))


@pytest.mark.parametrize("sender", ["TWILIO_FROM", "TWILIO_MESSAGING_SERVICE_SID"])
def test_twilio_is_used_once_its_account_is_whole(tmp_path: Path, sender: str) -> None:
    account = {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "t", sender: "BUUDIEN"}
    assert read(tmp_path, **account).SMS_GATEWAYS == ("twilio",)


def test_a_token_without_an_account_is_a_slip(tmp_path: Path) -> None:
    assert faults(tmp_path, TWILIO_AUTH_TOKEN="t") == (
        "TWILIO_ACCOUNT_SID is needed with TWILIO_AUTH_TOKEN.",
    )


def test_a_gateway_without_its_account_is_a_slip(tmp_path: Path) -> None:
    assert faults(tmp_path, SMS_GATEWAYS="twilio,console") == (
        "TWILIO_ACCOUNT_SID is needed when SMS_GATEWAYS names twilio.",
    )


def test_a_file_may_hold_a_secret(tmp_path: Path) -> None:
    held = tmp_path / "key"
    held.write_text(f"{KEY}\n")
    assert read(tmp_path, SECRET_KEY_FILE=str(held)).SECRET_KEY == KEY


def test_a_secret_given_twice_is_a_slip(tmp_path: Path) -> None:
    held = tmp_path / "key"
    held.write_text(KEY)
    assert faults(tmp_path, SECRET_KEY=KEY, SECRET_KEY_FILE=str(held)) == (
        "SECRET_KEY is set twice: itself and by SECRET_KEY_FILE; keep one.",
    )


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    (said,) = faults(tmp_path, SECRET_KEY_FILE=str(tmp_path / "none"))
    assert said.startswith("SECRET_KEY cannot be read from ")


def test_a_key_is_made_once_and_kept_for_the_owner_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    made = read(tmp_path / "var")
    said = capfd.readouterr().err
    kept = tmp_path / "var" / "secret_key"
    assert str(kept) in said
    assert made.SECRET_KEY not in said
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert read(tmp_path / "var") == made
    assert capfd.readouterr().err == ""


def test_of_many_that_start_at_once_all_have_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as many:
        keys = {one.SECRET_KEY for one in many.map(read, [tmp_path] * 64)}
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["secret_key"]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (said,) = faults(tmp_path / "file" / "var")
    assert said.startswith("SECRET_KEY is not set and none can be kept in ")


def test_a_kept_key_that_was_cut_is_said(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("cut")
    (said,) = faults(tmp_path)
    assert "must have at least 32 characters" in said


def test_a_setting_shows_no_secret_in_a_log(tmp_path: Path) -> None:
    account = {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "hush"}
    chosen = read(tmp_path, SECRET_KEY=KEY, TWILIO_FROM="BUUDIEN", **account)
    assert KEY not in repr(chosen)
    assert "hush" not in f"{chosen}"


def test_every_setting_is_described() -> None:
    assert list(FIELDS) == [one.name for one in fields(Settings)]
    for default, sentence in FIELDS.values():
        assert isinstance(default, str)
        assert sentence.endswith(".")


def test_they_are_read_once() -> None:
    assert settings() is settings()
