"""What a use case answers when it cannot do what was asked."""

from __future__ import annotations

from networks.domain.rules import Problem


class NotAllowed(Exception):
    """The user may see the thing but lacks the role; the text says which role and where."""


class Refused(Exception):
    """The rules forbid it: `problems` say why and what is in the way."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(problem.text for problem in problems))
        self.problems = problems


class NobodyToAsk(Exception):
    """None of the servers that it is about can be asked; the text says so."""


class Conflict(Exception):
    """Somebody else's Change came first; the text says which, and what to do."""
