"""JSON logs: an object a line with `time`, `level`, `logger`, `message`, and maybe `request`, `task`, `exception`.

Secrets are taken out as in every log. Further facts of a record (`extra={"facts": {…}}`) become fields of their own.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from sites.logs import request_id
from sites.logs.redaction import redacted


class Formatter(logging.Formatter):
    def format(self, record: Any) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": redacted(record.getMessage()),
        }
        line |= {name: value for name, value in _where().items() if value}
        line |= getattr(record, "facts", {})
        if record.exc_info and record.exc_info[0]:
            line["exception"] = redacted(record.exc_text or self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


def _where() -> dict[str, str]:
    return {"request": request_id.current(), "task": request_id.current_task()}
