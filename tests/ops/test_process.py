"""The frame of a process: it ends when it is told, its pauses with it, and where it answers is found whole or not at all."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest
from aiohttp import ClientSession

from streams.config import Config
from streams.ops import logs, process
from streams.ops.pages import open_pages


class Shown:
    """Gets ready."""

    ready = False

    def health(self) -> dict[str, object]:
        return {"status": "ok" if self.ready else "degraded"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_its_pauses(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    configured: list[tuple[str, ...]] = []
    monkeypatch.setattr(logs, "configure", lambda *given: configured.append(given))

    async def serve(stop: asyncio.Event) -> None:
        await process.pause(stop, 0.001)
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        await process.pause(stop, 600)
        assert stop.is_set()

    begun_s = time.monotonic()
    process.run(Config(log_format="json"), "one", serve)
    assert time.monotonic() - begun_s < 300
    assert configured == [("INFO", "json", "one")]


def test_an_error_leaves_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "configure", lambda *_: None)

    async def serve(_: asyncio.Event) -> None:
        raise OSError("expected a free port")

    with pytest.raises(OSError, match="a free port"):
        process.run(Config(), "one", serve)


def test_who_sees_the_file_finds_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, seen = tmp_path / "run" / "one.url", list[str]()
    write = Path.write_text

    def watched(path: Path, text: str) -> int:
        seen.extend(found.read_text() for found in [file] if found.exists())
        count = write(path, "")
        seen.extend(found.read_text() for found in [file] if found.exists())
        return write(path, text) + count

    monkeypatch.setattr(Path, "write_text", watched)
    for address in ("http://127.0.0.1:1", "http://127.0.0.1:2"):
        process.tell_address(Config(data_dir=str(tmp_path)), "one.url", address)
        assert file.read_text() == f"{address}\n"
    assert set(seen) == {"http://127.0.0.1:1\n"}
    assert [one.name for one in file.parent.iterdir()] == ["one.url"]


async def test_pages_say_what_is(tmp_path: Path) -> None:
    shown = Shown()
    runner = await open_pages(Config(data_dir=str(tmp_path)), "two", shown)
    url = (tmp_path / "run" / "two.url").read_text().strip()
    async with ClientSession() as http:

        async def ask(page: str) -> tuple[int, str]:
            async with http.get(f"{url}/{page}") as answer:
                return answer.status, await answer.text()

        assert (await ask("healthz"), await ask("readyz")) == ((200, "ok\n"), (503, "not ready\n"))
        shown.ready = True
        assert (await ask("health"), await ask("readyz")) == ((200, '{"status": "ok"}'), (200, "ready\n"))
        assert (await ask("metrics"))[0] == 200
    await runner.stop()
