"""How the log is written: lines for people, or a JSON object a line for machines."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from typing import Any

LINE = "[%(levelname)s] %(asctime)s %(name)s - %(message)s"
FORMAT = "HELP_LOG_FORMAT"  # json; anything else: lines


class JsonFormatter(logging.Formatter):
    """Write a record as one JSON object on one line; ``at`` is in UTC, by ISO 8601."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line."""
        values: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            values["exception"] = self.formatException(record.exc_info)
        return json.dumps(values, ensure_ascii=False)


def formatter(line: str = LINE) -> logging.Formatter:
    """Return the formatter that the environment names, that of lines by default."""
    wanted = os.environ.get(FORMAT, "").strip().lower()
    return JsonFormatter() if wanted == "json" else logging.Formatter(line)
