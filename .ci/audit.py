"""`audit.py LOCK ANSWER [OSV.zip]`: what pip-audit has answered (`-f json`) of a lock, and if it did at all.

It is silent about packages that its service did not know, and ends with 0. Those are looked up in a stored
file of OSV (https://osv-vulnerabilities.storage.googleapis.com/PyPI/all.zip), whose date is told; without
one, or where it is older than 30 days, the audit has not been done, and that is an error.
"""

import json
import re
import sys
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

FRESH = timedelta(days=30)


def locked(text: str) -> dict[str, set[str]]:
    """Versions by name: some differ between Pythons."""
    packages: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.MULTILINE):
        packages.setdefault(name, set()).add(version)
    return packages


def concerns(affected: dict[str, Any], version: str) -> bool:
    """By the schema of OSV: listed, or between an event that introduced it and one that ended it."""
    if version in affected.get("versions", ()):
        return True
    for span in affected.get("ranges", ()):
        inside = False
        for event in span.get("events", ()) if span.get("type") == "ECOSYSTEM" else ():
            try:
                if "introduced" in event:
                    since = event["introduced"]
                    inside = inside or since == "0" or Version(version) >= Version(since)
                elif "fixed" in event:
                    inside = inside and Version(version) < Version(event["fixed"])
                elif "last_affected" in event:
                    inside = inside and Version(version) <= Version(event["last_affected"])
            except InvalidVersion:
                inside = True
        if inside:
            return True
    return False


def stored(path: Path, packages: dict[str, set[str]]) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            record = json.loads(archive.read(name))
            for affected in [] if "withdrawn" in record else record.get("affected", ()):
                package = re.sub(r"[-_.]+", "-", affected.get("package", {}).get("name", "")).lower()
                for version in packages.get(package, ()):
                    if concerns(affected, version):
                        yield f"{package} {version}: {record['id']}"


def date_of(path: Path) -> datetime:
    """Of the newest record: a copy of the file has another time."""
    with zipfile.ZipFile(path) as archive:
        newest = max(json.loads(archive.read(name))["modified"] for name in archive.namelist())
    return datetime.fromisoformat(newest[:19]).replace(tzinfo=UTC)


def main(lock: str, answer: str, osv: str | None = None) -> int:
    packages = locked(Path(lock).read_text())
    file = Path(answer)
    listed: list[dict[str, Any]] = json.loads(file.read_text())["dependencies"] if file.exists() else []
    asked = {each["name"]: each for each in listed if "skip_reason" not in each}
    found = {
        f"{name} {each['version']}: {hole['id']}" for name, each in asked.items() for hole in each["vulns"]
    }
    unasked = {name: versions for name, versions in packages.items() if name not in asked}
    print(f"{lock}: {len(packages) - len(unasked)} of {len(packages)} packages asked of the service")
    if unasked and osv:
        dated = date_of(Path(osv))
        print(f"the other {len(unasked)} looked up in {osv} of {dated:%Y-%m-%d}")
        found |= set(stored(Path(osv), unasked))
        if datetime.now(UTC) - dated > FRESH:
            print(f"NOT AUDITED: that file is older than {FRESH.days} days")
            return 2
    elif unasked:
        print(f"NOT AUDITED: the service does not know {len(unasked)} packages, and there is no OSV=file.zip")
        return 2
    for each in sorted(found):
        print(f"known hole: {each}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
