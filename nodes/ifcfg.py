"""Red Hat's ifcfg files, from lines that the probe printed. Pure; never raises."""

from __future__ import annotations

from collections.abc import Iterable

# Neither initscripts (/etc/init.d/functions) nor NetworkManager (plugin ifcfg-rh) reads these.
_UNREAD = ("~", ".bak", ".orig", ".rpmnew")
# NetworkManager reads these, and initscripts until 2017 ".old": they count where the file itself is missing.
_COPIES = (".old", ".rpmorig", ".rpmsave")


def starting(lines: Iterable[tuple[str, str]]) -> dict[str, dict[str, str]]:
    """The keys of each device that starts at boot, by its name. `lines` are pairs of path and line."""
    files: dict[str, dict[str, str]] = {}
    for path, line in lines:
        name = path.rpartition("/")[2]
        if name.startswith("ifcfg-") and not name.endswith(_UNREAD):
            key, _, value = line.partition("=")
            files.setdefault(name.removeprefix("ifcfg-"), {})[key] = value.strip("\"'")
    return {
        keys.get("DEVICE") or name: keys
        for name, keys in files.items()
        if keys.get("ONBOOT", "yes").lower() != "no" and not _is_copy(name, files)
    }


def _is_copy(name: str, files: dict[str, dict[str, str]]) -> bool:
    return any(name.endswith(end) and name.removesuffix(end) in files for end in _COPIES)
