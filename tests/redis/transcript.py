"""Transcripts of the README: commands with what they print, and whether a text is what was promised."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

README = Path(__file__).resolve().parents[2] / "README.md"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_STANDS_FOR = {"<time>": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "<id>": r"\d{13}-\d+"}


class Said(NamedTuple):
    """A command and the lines it prints."""

    words: list[str]
    lines: list[str]


def blocks(text: str, program: str) -> list[list[Said]]:
    """The commands of every fenced block that begins with the program."""
    found = []
    for block in _BLOCK.findall(text):
        said: list[Said] = []
        for line in block.splitlines():
            if line.startswith("$ "):
                said.append(Said(shlex.split(line[2:]), []))
            elif said:
                said[-1].lines.append(line)
        if said and all(one.words[0] == program for one in said):
            found.append(said)
    return found


def as_promised(expected: list[str], was: list[str]) -> bool:
    """Line by line, where `<time>` and `<id>` stand for any of their kind."""
    if len(expected) != len(was):
        return False
    return all(re.fullmatch(_pattern(line), found) for line, found in zip(expected, was, strict=True))


def _pattern(line: str) -> str:
    pattern = re.escape(line)
    for name, form in _STANDS_FOR.items():
        pattern = pattern.replace(re.escape(name), form)
    return pattern
