"""One account's JSON in, its margin as JSON out; or a line of each."""

import json
from typing import TextIO

from agents.evaluate import evaluate_json
from streams.stack import strict_json
from streams.stack.process import StackError

_ERROR_LENGTH_MAX = 500


def evaluate_one(source: TextIO, out: TextIO) -> int:
    """Evaluates the whole of `source`; raises `StackError` naming the field that was refused."""
    try:
        out.write(evaluate_text(source.read()) + "\n")
    except ValueError as error:
        raise StackError(str(error)) from None
    return 0


def evaluate_lines(source: TextIO, out: TextIO) -> int:
    """Evaluates line by line; a bad line answers `{"error"}` and the status is 1 at the end."""
    status = 0
    for line in source:
        if not line.strip():
            continue
        try:
            out.write(evaluate_text(line) + "\n")
        except ValueError as error:
            out.write(json.dumps({"error": str(error)[:_ERROR_LENGTH_MAX]}) + "\n")
            status = 1
        out.flush()
    return status


def evaluate_text(text: str) -> str:
    """The evaluation of one account's JSON; raises `ValueError`."""
    try:
        account = strict_json.parse(text)
    except ValueError as error:
        raise ValueError(f"input: {error}") from None
    if not isinstance(account, dict):
        raise ValueError(f"input: expected a JSON object, was {type(account).__name__}")
    return json.dumps(evaluate_json(account))
