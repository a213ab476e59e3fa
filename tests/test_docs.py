"""What is not documented fails: settings, commands, decisions and pictures."""

import re
from pathlib import Path

from postal_track.__main__ import COMMANDS
from postal_track.settings import FIELDS, ROOT
from postal_track.texting import FIELDS as TEXTING_FIELDS

README = (ROOT / "README.md").read_text("utf-8")


def test_the_readme_names_every_setting_with_its_default_and_meaning() -> None:
    table = README.split("<!-- settings -->")[1].split("<!-- /settings -->")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE))
    expected = {
        name: f"{f'`{default}`' if default else ''} | {sentence}"
        for name, (default, sentence) in (dict(FIELDS) | dict(TEXTING_FIELDS)).items()
    }
    assert rows == expected


def test_the_readme_names_every_command() -> None:
    assert [name for name in COMMANDS if f"postal-track {name}" not in README] == []


def test_the_readme_points_at_files_that_exist() -> None:
    named = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    named += re.findall(
        r"`((?:postal_track|routes|sms|docs|migrations)/[\w./-]*)`", README
    )
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_decisions_are_numbered_without_a_gap() -> None:
    files = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [int(Path(name).name[:4]) for name in files]
    assert numbers == list(range(1, len(files) + 1))
