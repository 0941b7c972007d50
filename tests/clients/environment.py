"""Where the real clients live: a virtual environment of their own, made from their lock by `make clients`."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

PROGRAMS = Path(__file__).with_name("programs")
LOCK = Path(__file__).with_name("requirements.txt")


def folder() -> Path:
    """One per lock and Python; beside the other fetched things."""
    mark = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:12]
    return Path.home() / ".cache" / "marginstream" / f"clients-{mark}"


def python() -> Path | None:
    """The interpreter, if the environment was made."""
    found = folder() / "bin" / "python"
    return found if found.exists() else None


def make() -> Path:
    """The interpreter of an environment that is there afterwards."""
    target = folder()
    if not target.exists():
        scratch = target.with_suffix(".new")
        shutil.rmtree(scratch, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(scratch)], check=True)
        subprocess.run([str(scratch / "bin" / "python"), "-m", "pip", "install", "--disable-pip-version-check", "--quiet",
                        "--require-hashes", "-r", str(LOCK)], check=True)
        scratch.rename(target)  # only `bin/python` is used, which does not name it
    return target / "bin" / "python"


if __name__ == "__main__":
    print(make())
