"""A log line in JSON is one line with the fields machines look for, whatever it says."""

import json
import logging
import re

import pytest

from streams.ops.logs import JsonLines, place_of


@pytest.mark.parametrize(("message", "given", "shown"), [
    ("moved %s", ("10",), "moved 10"), ("two\nlines", (), "two\nlines"), ('"quoted"', (), '"quoted"'), ("\ud800", (), "?"), ("", (), "")])
def test_a_line(message: str, given: tuple[object, ...], shown: str) -> None:
    record = logging.LogRecord("streams.admin", logging.WARNING, "", 0, message, given, None)
    line = JsonLines("admin").format(record)
    assert "\n" not in line
    found = json.loads(line)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found.pop("time"))
    assert found == {"level": "WARNING", "logger": "streams.admin", "process": "admin", "message": shown}


def test_an_error_is_in_its_line() -> None:
    try:
        raise ValueError("expected 1, was 2")
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "failed", (), (type(error), error, error.__traceback__))
    assert "ValueError: expected 1, was 2" in json.loads(JsonLines("w").format(record))["error"]


def test_where_an_error_happened_is_said_and_not_its_words() -> None:
    try:
        json.loads("the-secret")
    except ValueError as error:
        found = place_of(error)
    assert found.startswith("JSONDecodeError at test_where_an_error_happened_is_said_and_not_its_words:")
    assert "raw_decode:" in found
    assert "secret" not in found
