"""Settings of an executor: a group of its own, and nothing about being late."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from streams.config import Config


@pytest.fixture
def config(config: Config, tmp_path: Path) -> Config:
    """The machine may be busy: a step is never too old here."""
    return replace(config, app_id=f"x{tmp_path.name.replace('_', '')}", log_level="DEBUG", report_ms_max=600_000)
