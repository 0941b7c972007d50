"""What processes log: lines for people, or a JSON object a line for machines."""

import logging
import sys
import time
import traceback
from typing import Any

import orjson

TEXT = "%(asctime)s %(levelname)s %(name)s %(message)s"


class JsonLines(logging.Formatter):
    """`time` in ISO 8601 UTC with ms, `level`, `logger`, `message`, `process`; `error` with its traceback where there is one."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever the message holds."""
        time_ = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {"time": f"{time_}.{int(record.msecs):03d}Z", "level": record.levelname, "logger": record.name, "process": self._process,
                "message": _readable(record.getMessage())}
        if record.exc_info:
            line["error"] = _readable(self.formatException(record.exc_info))
        return orjson.dumps(line).decode()


def configure(level: str, form: str, process: str) -> None:
    """Logs of this process to stderr; `form` is text or json."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(process) if form == "json" else logging.Formatter(TEXT))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def json_config(level: str, process: str) -> dict[str, Any]:
    """The same for who configures by `logging.config.dictConfig`, as Faust does."""
    return {"version": 1, "disable_existing_loggers": False, "formatters": {"json": {"()": JsonLines, "process": process}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
            "root": {"level": level.upper(), "handlers": ["stderr"]}}


def place_of(error: BaseException) -> str:
    """Its type and where it happened: its words may hold what a stranger said."""
    where = "; ".join(f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-4:])
    return f"{type(error).__name__} at {where}"


def _readable(text: str) -> str:
    return text.encode(errors="replace").decode()  # a lone surrogate in a stranger's text must not cost the line
