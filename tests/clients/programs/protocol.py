"""What every client program speaks with the test: settings as JSON in its first argument, JSON lines out, the end of stdin is goodbye."""

import asyncio
import json
import sys
import threading


def settings() -> dict[str, object]:
    """venue, rest, ws, key, secret, passphrase, symbol; for ccxt a list of them under `venues`."""
    found: dict[str, object] = json.loads(sys.argv[1])
    return found


def say(what: str, content: object = None) -> None:
    """One line."""
    sys.stdout.write(json.dumps({"what": what, "content": content}, default=str) + "\n")
    sys.stdout.flush()


async def goodbye() -> None:
    """Until the test closes our stdin."""
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def goodbye_thread() -> threading.Thread:
    """The same for clients made of threads."""
    thread = threading.Thread(target=sys.stdin.read)
    thread.start()
    return thread
