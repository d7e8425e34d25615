"""The command line of the lab, shared by ``manage.py lab`` and ``python -m lab``."""

from __future__ import annotations

import argparse
import json
import shlex
import sys

from lab.definition import SERVERS
from lab.errors import LabError
from lab.lab import Lab
from lab.status import LabStatus, look


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the lab's verbs to ``parser``."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("up", help="boot what is not up, repair what is half up")
    down = verbs.add_parser("down", help="stop and remove everything")
    down.add_argument("--keep-disks", action="store_true", help="shut down in order; the next up finds them")
    down.add_argument("--force", action="store_true", help="even if another process uses the lab")
    status = verbs.add_parser("status", help="servers, containers, interfaces, addresses, states")
    status.add_argument("--json", action="store_true", dest="as_json")
    execute = _server_verb(verbs, "exec", "run a command on a server's console, whatever its network does")
    execute.add_argument("-i", "--stdin", action="store_true", help="pass standard input on")
    execute.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD")
    _server_verb(verbs, "reboot", "shut a server down in order and start it again")
    cut = _server_verb(verbs, "powercut", "cut a server's power; it comes back at once")
    cut.add_argument("--stay-off", action="store_true", help="`up` brings it back")
    cable = _server_verb(verbs, "cable", "put a server's cable into the switch, or pull it")
    cable.add_argument("way", choices=["in", "out"])
    trunk = _server_verb(verbs, "trunk", "let the switch carry a VLAN to a server, or not")
    trunk.add_argument("vlan", type=int, metavar="VLAN")
    trunk.add_argument("way", choices=["on", "off"])


def perform(options: argparse.Namespace) -> int:
    """Do what the command line says; returns the exit code. Errors become one sentence and 1."""
    try:
        lab = Lab(report=lambda sentence: print(sentence, file=sys.stderr, flush=True))
        return _perform(lab, options)
    except (LabError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1


def main() -> int:
    """Entry point of ``python -m lab``."""
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    add_arguments(parser)
    return perform(parser.parse_args())


def _server_verb(verbs: argparse._SubParsersAction, verb: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(verb, help=text)
    parser.add_argument("server", choices=[one.name for one in SERVERS], metavar="SERVER")
    return parser


def _perform(lab: Lab, options: argparse.Namespace) -> int:
    match options.verb:
        case "up":
            lab.up()
        case "down":
            lab.down(keep_disks=options.keep_disks, force=options.force)
        case "status":
            status = look(lab)
            print(json.dumps(status.as_dict(), indent=2) if options.as_json else _in_words(status))
        case "exec":
            return _execute(lab, options.server, options.command, sys.stdin.read() if options.stdin else "")
        case "reboot":
            lab.reboot(options.server)
        case "powercut":
            lab.powercut(options.server, back=not options.stay_off)
        case "cable":
            lab.cable(options.server, plugged=options.way == "in")
        case "trunk":
            lab.trunk(options.server, options.vlan, carried=options.way == "on")
    return 0


def _execute(lab: Lab, server: str, words: list[str], stdin: str) -> int:
    """Run the words as given; a single word is a shell command line, as with ssh."""
    words = words[1:] if words[:1] == ["--"] else words
    done = lab.execute(server, words[0] if len(words) == 1 else shlex.join(words), stdin, timeout_s=600)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
    return done.exit_code


def _in_words(status: LabStatus) -> str:
    lines = [f"The lab is {status.state}. Panel namespace: {status.panel_namespace}"]
    lines += [f"Used by {user}" for user in status.users]
    lines += [f"The switch does not carry to {port}" for port in status.untrunked]
    for server in status.servers:
        lines.append(
            f"{server.name}  {server.address}  {server.state}  cable {server.cable}  vzctl {server.dialect}  "
            f"{server.init}  {server.host_key_sha256}"
        )
        for container in server.containers:
            lines.append(f"  {container.ctid}  {container.name}  {container.state}")
            lines += [
                f"    {i.ifname:8} {i.mode:12} {i.mac:17} {i.host_ifname:13} {' '.join(i.addresses)}".rstrip()
                for i in container.interfaces
            ]
            if container.inner_bridge:
                addresses = " ".join(container.inner_bridge_addresses)
                lines.append(f"    {container.inner_bridge} (made inside, joins them) {addresses}")
    return "\n".join(lines)
