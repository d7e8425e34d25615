"""`manage.py prepare_script`: the scripts that prepare servers, for administrators who run them."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from networks.services import preparing
from nodes.models import PhysicalServer
from nodes.services.errors import ServiceError


class Command(BaseCommand):
    """Write the script of one server to standard output, or of many into a folder."""

    help = "Write the script that prepares a server for the panel's own user (docs/least-privilege.md)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("servers", nargs="+", metavar="SERVER", help="name of a physical server")
        parser.add_argument(
            "--from", dest="addresses", default="", metavar="ADDRESS", help="of the panel, as servers see it"
        )
        parser.add_argument("--to", type=Path, metavar="FOLDER", help="one file per server, named after it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Make keys where there are none, and write the scripts; they hold no secret."""
        names = list(dict.fromkeys(options["servers"]))
        if len(names) > 1 and options["to"] is None:
            raise CommandError("Several servers need a folder for their scripts: --to FOLDER.")
        for name in names:
            server = self._server(name)
            script = self._script(server, options["addresses"])
            if options["to"] is None:
                self.stdout.write(script, ending="")
                continue
            path = options["to"] / preparing.script_file(server)
            try:
                path.write_text(script)
            except OSError as error:
                raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
            self.stdout.write(str(path))

    def _server(self, name: str) -> PhysicalServer:
        server = PhysicalServer.objects.filter(name=name).first()
        if server is None:
            raise CommandError(f"There is no physical server “{name}”.")
        return server

    def _script(self, server: PhysicalServer, addresses: str) -> str:
        login = preparing.login_of(server)
        known = addresses or (login.panel_addresses if login else server.panel_address)
        if not known:
            raise CommandError(f"Say from where {server.name} sees the panel: --from ADDRESS.")
        try:
            if login is None or addresses:
                login = preparing.store_login(server, known, f"{getpass.getuser()} at the command line")
        except ServiceError as error:
            raise CommandError(error.message) from error
        return preparing.script_of(server, login)
