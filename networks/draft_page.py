"""The draft as its page shows it: sentences to filter and drop, what goes along, and what the rules say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.contrib.auth.models import User

from networks.desired import head
from networks.domain.diff import described
from networks.domain.drop import needing
from networks.domain.rules import Problem
from networks.domain.state import Edit, apply_edits
from networks.domain.waves import server_of
from networks.inventory_rows import inventory, servers_named
from networks.services import drafts
from networks.services.validate import problems

MOST_LINKED = 500
"""Of longer drafts the page does not say line by line what goes along: finding it takes its time."""

Told = tuple[str, tuple[Edit, ...]]
"""A sentence and the edits that it tells."""


@dataclass(frozen=True, slots=True)
class Line:
    """One sentence of the draft; `keys` name its edits, `along` are sentences of those that need them."""

    sentence: str
    keys: tuple[str, ...]
    along: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DraftPage:
    """A user's draft in sentences, with the names of the servers that they are about.

    `overtaken`: so many of her edits are left out, see `drafts.still_to_do`.
    """

    edits: tuple[Edit, ...]
    overtaken: int
    told: tuple[Told, ...]
    problems: tuple[Problem, ...]
    server_names: dict[int, str]

    def matching(self, text: str) -> list[Told]:
        """Those whose sentence has the text in it; all for no text."""
        wanted = text.casefold()
        return [one for one in self.told if wanted in one[0].casefold()]

    def lines(self, some: Sequence[Told]) -> list[Line]:
        """Those sentences as lines of the page."""
        of = {edit: sentence for sentence, edits in self.told for edit in edits}
        many = len(self.edits) > MOST_LINKED
        lines = []
        for sentence, edits in some:
            needed = () if many else (of[e] for e in needing(self.edits, edits) if e in of)
            along = tuple(one for one in dict.fromkeys(needed) if one != sentence)
            lines.append(Line(sentence, tuple(map(drafts.key_of, edits)), along))
        return lines

    def rows(self, some: Sequence[Told]) -> list[tuple[str, str]]:
        """Those sentences as rows of a file: what, and on which servers."""
        return [(sentence, self._servers(edits)) for sentence, edits in some]

    def _servers(self, edits: Sequence[Edit]) -> str:
        found = dict.fromkeys(server for edit in edits if (server := server_of(edit)) is not None)
        return ", ".join(self.server_names.get(server, "") for server in found)


def draft_page(user: User, *, judged: bool = True) -> DraftPage:
    """The user's draft, judged by the stored inventory. A fixed number of queries, whatever its length."""
    draft, decided = drafts.draft_of(user), head().state
    edits = drafts.still_to_do(draft, decided)
    after = apply_edits(decided, edits)
    known = inventory(servers_named(decided, after), user, about=(decided, after))
    return DraftPage(
        edits,
        len(set(drafts.edits_of(draft)) - set(edits)),
        tuple(described(edits, decided, known)),
        problems(decided, edits, user, found=drafts.is_found(draft), known=known) if judged else (),
        {server.id: server.name for server in known.servers if server.id not in known.hidden},
    )
