"""What a browser without scripts would send of a form on a page."""

from __future__ import annotations

from html.parser import HTMLParser


class _Reader(HTMLParser):
    """Collects the values of one form: the first that has fields with names."""

    def __init__(self) -> None:
        super().__init__()
        self.action = ""
        self.found: list[tuple[str, dict[str, str]]] = []
        self.open = False
        self.select = ""
        self.area = ""

    def handle_starttag(
        self, tag: str, attributes: list[tuple[str, str | None]]
    ) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.open = True
            self.found.append((given.get("action", ""), {}))
        if not self.open:
            return
        fields, name = self.found[-1][1], given.get("name", "")
        if tag == "input" and name:
            box = given.get("type") in ("checkbox", "radio")
            if not box or "checked" in given:
                fields[name] = given.get("value", "")
        elif tag == "select":
            self.select = name
        elif tag == "option" and self.select:
            if "selected" in given or self.select not in fields:
                fields[self.select] = given["value"]
        elif tag == "textarea":
            self.area, fields[name] = name, ""

    def handle_data(self, data: str) -> None:
        if self.area:
            self.found[-1][1][self.area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.open = False
        elif tag == "select":
            self.select = ""
        elif tag == "textarea":
            self.area = ""


def fields(page: str, action: str) -> dict[str, str]:
    """Read all fields of the form that is sent to this address, as they stand."""
    reader = _Reader()
    reader.feed(page)
    (wanted,) = [fields for to, fields in reader.found if to == action]
    return wanted


def forms(page: str, action: str) -> list[dict[str, str]]:
    """Read all fields of all forms that are sent to this address."""
    reader = _Reader()
    reader.feed(page)
    return [fields for to, fields in reader.found if to == action]
