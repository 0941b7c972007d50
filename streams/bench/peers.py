"""The peers that the engine is measured beside: how each is started, and their tools, made at first use into the cache folder."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from streams.stack import kafka_jars
from streams.stack.process import StackError

SOURCES = Path(__file__).resolve().parents[2] / "tests" / "benchmarks" / "peers"
_STREAMS = ("java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", "{classes}:{classes}/../lib/*", "Wallet")


class Peer(NamedTuple):
    """`words` with places for the Python of the peers, the folder of their sources and the Java classes; `most` deltas in a drain."""

    words: tuple[str, ...]
    env: Mapping[str, str] = {}
    changelog: bool = False  # it writes one, but creates none
    packages: tuple[str, ...] = ()  # whose versions say what was measured
    most: int = 1_000_000


PEERS: dict[str, Peer] = {
    "confluent": Peer(("{python}", "{sources}/confluent_loop.py"), {}, True, ("confluent-kafka", "orjson")),
    "aiokafka": Peer(("{python}", "{sources}/aiokafka_loop.py"), {}, True, ("aiokafka", "orjson", "uvloop")),
    "streams-alos": Peer(_STREAMS, {"GUARANTEE": "at_least_once"}),
    "streams-eos": Peer(_STREAMS, {"GUARANTEE": "exactly_once_v2"}),
    "bytewax": Peer(("{python}", "{sources}/bytewax_app.py"), {}, False, ("bytewax", "orjson")),
    "quix": Peer(("{python}", "{sources}/quix_app.py"), {}, False, ("quixstreams", "confluent-kafka", "orjson")),
    "faust": Peer(("{python}", "{sources}/faust_app.py", "worker", "-l", "warn", "--without-web"), {}, False,
                  ("faust-streaming", "aiokafka"), 20_000),
}


def words(name: str, cache: str) -> list[str]:
    """The command line of a peer; makes what it needs where it is not there. Raises `StackError`."""
    peer = PEERS[name]
    if not SOURCES.is_dir():
        raise StackError(f"bench: expected the peers' sources in {SOURCES}, was none; run it from a checkout")
    places = {"sources": str(SOURCES)} | ({"classes": str(_classes(cache))} if peer.words is _STREAMS else {"python": str(_python(cache))})
    return [word.format(**places) for word in peer.words]


def versions(name: str) -> dict[str, str]:
    """Of what a peer is made of, as pinned."""
    if PEERS[name].words is _STREAMS:
        return {"kafka-streams": kafka_jars.VERSION}
    pins = dict(line.split(" ")[0].split("==") for line in (SOURCES / "requirements.txt").read_text().splitlines() if "==" in line)
    return {package: pins[package] for package in PEERS[name].packages}


def _python(cache: str) -> Path:
    """The interpreter of the peers' own environment: their pins are not the product's."""
    pins = SOURCES / "requirements.txt"
    target = _place(cache, "peers", pins.read_bytes() + sys.version.encode())
    if not target.exists():
        scratch = target.with_suffix(".new")
        shutil.rmtree(scratch, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(scratch)])
        _run([str(scratch / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(pins)])
        scratch.rename(target)  # only `bin/python` is used, which does not name it
    return target / "bin" / "python"


def _classes(cache: str) -> Path:
    sources = SOURCES / "kafka_streams"
    content = b"".join(path.read_bytes() for path in sorted(sources.rglob("*")) if path.is_file())
    target = _place(cache, "kafka-streams", content)
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            project = Path(scratch) / "project"
            shutil.copytree(sources, project)
            _run(["mvn", "-q", "-B", "-f", str(project / "pom.xml"), "compile", "dependency:copy-dependencies", "-DincludeScope=runtime",
                  f"-DoutputDirectory={project / 'target' / 'lib'}"])
            (project / "target").rename(target)
    return target / "classes"


def _place(cache: str, name: str, content: bytes) -> Path:
    folder = kafka_jars.folder(cache).parent
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"


def _run(given: list[str]) -> None:
    try:
        done = subprocess.run(given, capture_output=True, text=True, check=False)
    except OSError as error:
        raise StackError(f"bench: expected {given[0]} for the peers, was {error}") from None
    if done.returncode != 0:
        raise StackError(f"bench: expected '{' '.join(given[:4])} ...' to succeed, was: {(done.stdout + done.stderr).strip()[-400:]}")
