"""Apache Kafka's jars, fetched once by Maven into a cache folder."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from streams.stack.process import StackError

VERSION = "4.1.1"
LOG4J = "2.24.3"  # the broker's logging back end is no transitive dependency of it
_ARTEFACTS = (("org.apache.kafka", "kafka_2.13", VERSION), ("org.apache.logging.log4j", "log4j-core", LOG4J),
              ("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J))


def folder(cache: str) -> Path:
    """Where the jars are, or would be: `cache`, else `~/.cache/marginstream`."""
    return (Path(cache) if cache else Path.home() / ".cache" / "marginstream").expanduser() / f"kafka-{VERSION}"


def fetched(cache: str) -> bool:
    """Whether the jars are there, all of them: the folder gets its name when Maven is done."""
    return any(folder(cache).glob("kafka_2.13-*.jar"))


def fetch(cache: str, say: Callable[[str], None] = print) -> Path:
    """The jars' folder, filled if it was not; raises `StackError` where Maven is missing or fails."""
    target = folder(cache)
    if fetched(cache):
        return target
    if not shutil.which("mvn"):
        raise StackError("kafka: expected Maven on the PATH to fetch Apache Kafka once, was none; install maven, or set "
                         "MARGINSTREAM_KAFKA_BOOTSTRAP")
    say(f"fetching Apache Kafka {VERSION} (about 55 MiB, once) into {target} ...")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        pom = Path(scratch) / "pom.xml"
        pom.write_text(_pom())
        jars = Path(scratch) / "jars"
        _run_maven(["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", "-DincludeScope=runtime",
                    f"-DoutputDirectory={jars}"])
        if target.exists():  # a broken one, or another start was faster
            shutil.rmtree(target)
        jars.rename(target)
    say(f"fetched {len(list(target.glob('*.jar')))} jars")
    return target


def _run_maven(words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StackError(f"kafka: expected Maven to fetch the jars, was: {(done.stdout + done.stderr).strip()[-400:]}")


def _pom() -> str:
    rows = "".join(f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>"
                   for group, name, version in _ARTEFACTS)
    return ('<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>local</groupId>'
            f"<artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging><dependencies>{rows}</dependencies></project>")
