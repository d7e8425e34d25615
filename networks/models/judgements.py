"""What the rules say of each network as it was decided, kept so that lists can show it."""

from __future__ import annotations

from django.db import models

from networks.models.desired import VirtualNetwork


class Judgement(models.Model):
    """How many problems a network had at the last check (networks/problem_check.py); no row: none.

    Only numbers: the sentences name servers that not everybody may see.
    """

    network = models.OneToOneField(VirtualNetwork, on_delete=models.CASCADE, related_name="judgement")
    refused = models.PositiveIntegerField(
        default=0, help_text="What would be refused if it were drafted now."
    )
    warned = models.PositiveIntegerField(default=0)
    at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"problems of {self.network}"

    @property
    def number(self) -> int:
        return self.refused + self.warned

    @property
    def said(self) -> str:
        """ "1 refused, 2 warnings"."""
        words = [f"{self.refused} refused"] if self.refused else []
        words += [f"{self.warned} warning{'s' if self.warned > 1 else ''}"] if self.warned else []
        return ", ".join(words)
