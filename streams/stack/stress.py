"""Price shocks over a book of accounts in JSON lines, or over the live book of the workers."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from typing import TextIO

import msgspec

from agents.fields import BadInput
from agents.intake import read
from agents.risk.tiers import BadRule
from agents.shocks import BadShock, scenarios
from agents.stress import Case, Stress
from streams.config import PREFIX, Config
from streams.stack import strict_json
from streams.stack.process import StackError
from streams.stack.supervisor import load_state

Json = dict[str, object]
_TIMEOUT_S = 120.0


def stress_lines(source: TextIO, shocks: Sequence[str], first: int) -> Json:
    """The figures over accounts as `evaluate` reads them, one a line, named by their line. Raises `StackError` naming line and field."""
    stress = Stress()
    for number, line in enumerate(source, 1):
        if line.strip():
            try:
                intake = read(strict_json.parse(line))
            except (BadInput, BadRule, ValueError) as error:
                raise StackError(f"line {number}: {error}") from None
            stress.add(Case((f"line {number}", ""), intake.book, intake.market, intake.thresholds, intake.previous))
    try:
        found: Json = msgspec.to_builtins(stress.run(scenarios(shocks), first))
    except BadShock as error:
        raise StackError(str(error)) from None
    return found


def stress_live(config: Config, shocks: Sequence[str], first: int) -> Json:
    """The same over what the workers hold, summed by the one that is asked. Raises `StackError`."""
    own = f"http://{config.web_host}:{config.web_port}"
    base = (config.web_url or load_state(config).addresses.get(f"{PREFIX}API_URL", own)).rstrip("/")
    query = urllib.parse.urlencode({"shock": ";".join(shocks), "first": first})
    headers = {"Authorization": f"Bearer {config.api_token}"} if config.api_token else {}
    request = urllib.request.Request(f"{base}/inspect/stress?{query}", headers=headers)  # noqa: S310  # http, by the settings' pattern
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as found:  # noqa: S310
            body = json.load(found)
    except urllib.error.HTTPError as error:
        raise StackError(f"worker at {base}: {error.read().decode(errors='replace')[:500]}") from None
    except (OSError, ValueError) as error:
        raise StackError(f"worker at {base}: expected an answer, was {error}") from None
    if not isinstance(body, dict):
        raise StackError(f"worker at {base}: expected a JSON object, was {type(body).__name__}")
    return body
