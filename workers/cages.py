"""Whether this host can confine what opens strangers' files."""

import logging
from pathlib import Path

from activities.host.cage.caging import lacking, open_way
from clients.settings import Settings

log = logging.getLogger(__name__)


def check_cage(settings: Settings, scratch: Path) -> list[str]:
    """Say once what this host cannot confine; returns it. Ends the process where SANDBOX=require and
    something is missing. Blocking."""
    open_way(settings.work_dir, scratch.parent, scratch)
    missing = lacking(scratch)
    if not missing:
        log.info("children are confined: files, system calls, user")
        return []
    text = f"this host cannot confine the children that open uploaded files; it lacks {', '.join(missing)}"
    if settings.sandbox == "require":
        raise SystemExit(f"configuration: SANDBOX=require, but {text}")
    log.error("%s: see docs/security.md", text)
    return missing
