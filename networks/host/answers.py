"""What the transaction script answers, read strictly, bounded, never trusting its characters. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

MAX_ANSWER_BYTES = 524_288
_DIGEST = re.compile(r"[0-9a-f]{64}")


class BadAnswer(ValueError):
    """The script's answer could not be read: truncated, too long, or not in its form."""


Phase = Literal["prologue", "critical", "epilogue", "follow"]
"""What comes after the commit is `follow`; what comes before is taken back if it fails."""


@dataclass(frozen=True, slots=True)
class Note:
    """A warning or refusal of the preflight: a stable `code`, and a sentence with the remedy."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """One command as the server will run it, for people to read."""

    phase: Phase
    text: str


@dataclass(frozen=True, slots=True)
class Saved:
    """What `follow` found for one container interface; `reason` is "" when it agrees."""

    ctid: str
    ifname: str
    agrees: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the script. `values` are its key=value lines; a key is said once."""

    values: dict[str, str] = field(default_factory=dict)
    warnings: tuple[Note, ...] = ()
    refusals: tuple[Note, ...] = ()
    commands: tuple[Command, ...] = ()
    saved: tuple[Saved, ...] = ()

    def get(self, key: str) -> str:
        """The value of `key`, "" when it was not said."""
        return self.values.get(key, "")

    @property
    def digest(self) -> str:
        """The reviewed plan's digest (64 hex digits), "" when the answer has none."""
        return self.get("digest")

    @property
    def is_guarded(self) -> bool:
        """Whether the change needs the dead-man and confirmations (`path=guarded`)."""
        return self.get("path") == "guarded"


_KEY = re.compile(r"[a-z][a-z0-9_]{0,31}")
_CODE = re.compile(r"[a-z][a-z0-9-]{0,31}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
MAX_TEXT = 1000


def parse_answer(raw: bytes) -> Answer:
    """What the script printed. Raises `BadAnswer` unless it is complete (last line `done=CODE`) and in form.

    Texts are cut to `MAX_TEXT` characters and hold no control characters; they are still untrusted.
    """
    if len(raw) > MAX_ANSWER_BYTES:
        raise BadAnswer(f"more than {MAX_ANSWER_BYTES} bytes")
    lines = raw.decode("utf-8", "replace").split("\n")
    if len(lines) < 2 or lines[-1] != "" or not re.fullmatch(r"done=[0-9]{1,3}", lines[-2]):
        raise BadAnswer("the answer is cut short")
    values: dict[str, str] = {}
    notes: dict[str, list[Note]] = {"warn": [], "refuse": []}
    commands: list[Command] = []
    saved: list[Saved] = []
    for line in lines[:-1]:
        clean = _CONTROL.sub("", line)[:MAX_TEXT]
        head, _, rest = clean.partition(" ")
        if head in notes:
            code, _, text = rest.partition(" ")
            if not _CODE.fullmatch(code):
                raise BadAnswer(f"a {head} line without a code")
            notes[head].append(Note(code, text))
        elif head in ("prologue", "critical", "epilogue", "follow"):
            commands.append(Command(head, rest))  # type: ignore[arg-type]
        elif head == "saved":
            saved.append(_parse_saved(rest))
        else:
            key, equals, value = clean.partition("=")
            if not equals or not _KEY.fullmatch(key) or key in values:
                raise BadAnswer("a line that is neither key=value nor a known word")
            values[key] = value
    if "digest" in values and not _DIGEST.fullmatch(values["digest"]):
        raise BadAnswer("a digest that is not one")
    return Answer(values, tuple(notes["warn"]), tuple(notes["refuse"]), tuple(commands), tuple(saved))


def _parse_saved(rest: str) -> Saved:
    words = rest.split(" ", 3)
    if len(words) < 3 or words[2] not in ("ok", "differs"):
        raise BadAnswer("a saved line out of form")
    return Saved(words[0], words[1], words[2] == "ok", words[3] if len(words) > 3 else "")
