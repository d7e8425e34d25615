"""The transaction script on one server, spoken to over SSH: every verb is one exec.

The script is kept on the server under its own digest; only a server that lacks it gets it, once. Where the
panel is a dedicated user it is one of three programs that only an administrator puts there (networks/gate).
What the server answers is parsed by networks/host/answers.py and never trusted further.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import timedelta

from django.utils import timezone

from networks.gate import transaction_command
from networks.host import installation, script_path
from networks.host.answers import MAX_ANSWER_BYTES, Answer, BadAnswer, parse_answer
from nodes import remembered
from nodes.commands import Command
from nodes.gate import checked
from nodes.models import PhysicalServer
from nodes.observe import LOOK_DEADLINE_S, Heard, LookFailed, Words, pool, target_of
from nodes.probe import AND_LOOK_S, MAX_LOOK_BYTES, and_look, new_nonce, parted
from nodes.ssh import Completed, Limits, SshError

MISSING = (126, 127, 2)
"""Exit statuses of a shell that cannot read the script: 127 by POSIX, 2 by dash and busybox."""
ANSWER_DEADLINE_S = 20.0
SETTLE_DEADLINE_S = 120.0
CONFIRM_LOOK_S = 10
"""A look after a confirmation is cut then: the answer that comes with it has a clock to race."""
LIMITS = Limits()
BOTH_LIMITS = Limits(stdout=MAX_LOOK_BYTES + MAX_ANSWER_BYTES)

BUSY, CHANGED, REFUSED, UNKNOWN = 75, 65, 69, 77


class NoAnswer(Exception):
    """The server could not be asked, or what it said could not be read; the text says which.

    `started`: the verb may have begun to run there. False: nothing was sent.
    """

    def __init__(self, text: str, *, started: bool) -> None:
        super().__init__(text)
        self.started = started


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the script with its exit code (0 is good; networks/host/README.md lists the others)."""

    code: int
    answer: Answer

    @property
    def ok(self) -> bool:
        return self.code == 0

    @property
    def is_busy(self) -> bool:
        """Another transaction is at work, or it is too early for this verb: asking again later may help."""
        return self.code == BUSY

    @property
    def state(self) -> str:
        """The transaction's state, "none" if the server does not know it."""
        return self.answer.get("state") or "none"

    @property
    def words(self) -> str:
        """Why, in the server's own words."""
        texts = [note.text for note in self.answer.refusals]
        texts += [f"{s.ifname} of Container {s.ctid}: {s.reason}" for s in self.answer.saved if not s.agrees]
        texts += filter(None, (self.answer.get("error"), self.answer.get("reason")))
        return "; ".join(texts)

    @property
    def seconds_left(self) -> int:
        """Until the dead-man fires, by the server's own clock; 0 if it said none."""
        deadline, now = self.answer.get("deadline"), self.answer.get("now")
        return max(0, int(deadline) - int(now)) if deadline.isdecimal() and now.isdecimal() else 0


@dataclass(frozen=True, slots=True)
class Host:
    """One server as the engine sees it. Every method raises NoAnswer when it cannot be asked."""

    server: PhysicalServer

    def plan(self, host_plan: str) -> Reply:
        """What the plan would run, computed from the live state, and its digest. Changes nothing."""
        return self._run("plan", stdin=host_plan)

    def apply(self, txid: uuid.UUID, timeout_s: int, digest: str, host_plan: str, *, hold: bool) -> Reply:
        """Run the reviewed plan. Asked again with the same txid it reports and runs nothing.

        `hold`: wait for confirmation even where no address of the server is touched.
        """
        verb = "hold" if hold else "apply"
        args = (verb, str(txid), str(timeout_s), digest, *self._connection())
        return self._run(*args, stdin=host_plan, deadline_s=timeout_s + ANSWER_DEADLINE_S)

    def extend(self, txid: uuid.UUID, timeout_s: int) -> Reply:
        """Move the dead-man's deadline to `timeout_s` from now."""
        return self._run("extend", str(txid), str(timeout_s))

    def confirm(self, txid: uuid.UUID, stage: int, deadline_s: float = ANSWER_DEADLINE_S) -> Reply:
        """First (1) or second (2) confirmation, each over a connection made for it. After the second vzctl
        follows at once."""
        words = (str(txid), str(stage), *self._connection())
        return self._run("confirm", *words, fresh=True, deadline_s=deadline_s)

    def confirm_and_look(
        self, txid: uuid.UUID, stage: int, deadline_s: float = ANSWER_DEADLINE_S
    ) -> tuple[Reply, Heard | None]:
        """The same, and what a look finds afterwards over that connection, with one exec.

        None: not confirmed, or the panel may run three programs there only, and a look is one by itself.
        """
        if self.server.by_gate:
            return self.confirm(txid, stage, deadline_s), None
        words = ("confirm", str(txid), str(stage), *self._connection())
        return self._run_and_look(*words, fresh=True, deadline_s=deadline_s, look_s=CONFIRM_LOOK_S)

    def settle(self, txid: uuid.UUID) -> Reply:
        """Commit a held change, over the connection that is there: it touched none. vzctl follows at once."""
        return self._run("settle", str(txid), deadline_s=SETTLE_DEADLINE_S)

    def settle_and_look(self, txid: uuid.UUID) -> tuple[Reply, Heard | None]:
        """The same, and what a look finds afterwards, with one exec. None: as in `confirm_and_look`."""
        if self.server.by_gate:
            return self.settle(txid), None
        deadline_s = SETTLE_DEADLINE_S + LOOK_DEADLINE_S
        return self._run_and_look("settle", str(txid), fresh=False, deadline_s=deadline_s)

    def status(self, txid: uuid.UUID) -> Reply:
        """What became of the transaction, asked over a new connection: an old one may hang half dead."""
        return self._run("status", str(txid), fresh=True)

    def abort(self, txid: uuid.UUID) -> Reply:
        """Roll back now."""
        return self._run("abort", str(txid), deadline_s=90)

    def bar(self, txid: uuid.UUID) -> Reply:
        """Have its plan refused, should it still be on its way; one that has begun is only reported."""
        return self._run("bar", str(txid), fresh=True, deadline_s=30)

    def recover(self) -> Reply:
        """Finish what a crash on the server left."""
        return self._run("recover", deadline_s=90)

    def follow(self, txid: uuid.UUID) -> Reply:
        """Bring vzctl's saved configuration after the committed transaction; repeat until it agrees."""
        return self._run("follow", str(txid), deadline_s=120)

    def let_go(self, txid: uuid.UUID) -> Reply:
        """Have the server try no more what vzctl has not done of the committed transaction."""
        return self._run("letgo", str(txid))

    def prepare(self) -> Reply:
        """Install the replay at boot, the watcher once a minute and, for vzctl 4.x, its start hook."""
        return self._run("prepare", deadline_s=60)

    def forget(self) -> Reply:
        """Remove everything that the panel has installed there; the network stays as it is."""
        return self._run("forget", deadline_s=30)

    def _connection(self) -> tuple[str, ...]:
        # sudo drops SSH_CONNECTION, by which the script tells connections apart; so we name ours.
        return (uuid.uuid4().hex,) if self.server.use_sudo or self.server.by_gate else ()

    def _run(
        self, *args: str, stdin: str = "", fresh: bool = False, deadline_s: float = ANSWER_DEADLINE_S
    ) -> Reply:
        command = (
            transaction_command(*args, stdin=stdin)
            if self.server.by_gate
            else Command(("sh", script_path(), *args), stdin=stdin.encode())
        )
        done = self._installed_exec(command, fresh=fresh, deadline_s=deadline_s)
        return self._reply(done, done.stdout)

    def _run_and_look(
        self, *args: str, fresh: bool, deadline_s: float, look_s: int = AND_LOOK_S
    ) -> tuple[Reply, Heard | None]:
        nonce, known = new_nonce(), remembered.known_of(self.server.pk)
        verb = Command(("sh", script_path(), *args))
        command = and_look(verb, nonce, look_s, known.words if known else ())
        done = self._installed_exec(command, fresh=fresh, deadline_s=deadline_s, limits=BOTH_LIMITS)
        both = parted(done.stdout, nonce)
        if both is None:
            return self._reply(done, done.stdout), None
        # By our clock alone: a look from the future would keep every later one from being stored.
        looked_s = max(0.0, done.seconds - both.look_after_s)
        connect_ms = round(done.connect_seconds * 1000)
        look = remembered.completed(self.server.pk, both.look, nonce, known)
        words = Words(look, nonce, connect_ms + round(looked_s * 1000), connect_ms)
        heard = Heard(words, timezone.now() - timedelta(seconds=looked_s))
        return self._reply(replace(done, exit_status=0), both.before), heard

    def _installed_exec(
        self, command: Command, *, fresh: bool, deadline_s: float, limits: Limits = LIMITS
    ) -> Completed:
        """Run it; where the script is not there yet, put it there and run it again."""
        try:
            done = self._exec(command, fresh=fresh, deadline_s=deadline_s, limits=limits)
            if not self.server.by_gate and done.exit_status in MISSING and not done.stdout:
                self._install()
                done = self._exec(command, fresh=fresh, deadline_s=deadline_s, limits=limits)
            return done
        except (SshError, LookFailed) as error:
            raise NoAnswer(str(error), started=getattr(error, "started", False)) from error

    def _reply(self, done: Completed, said: bytes) -> Reply:
        try:
            return Reply(done.exit_status, parse_answer(said))
        except BadAnswer as error:
            words = done.stderr.decode("utf-8", "replace").strip()[:300]
            text = f"{self.server.name} answered what the panel cannot read: {error}. {words}"
            raise NoAnswer(text, started=True) from error

    def _install(self) -> None:
        argv, script = installation()
        done = self._exec(Command(argv, stdin=script), fresh=False, deadline_s=30, limits=LIMITS)
        if done.exit_status != 0:
            words = done.stderr.decode("utf-8", "replace").strip()[:300]
            text = f"{self.server.name} could not store the transaction script: {words}"
            raise NoAnswer(text, started=False)

    def _exec(self, command: Command, *, fresh: bool, deadline_s: float, limits: Limits) -> Completed:
        target = target_of(self.server)
        done = pool().run(target, command, deadline_s=deadline_s, fresh=fresh, limits=limits)
        return checked(self.server, done)
