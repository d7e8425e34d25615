"""SSH to servers: approved host keys only, bounded in time and size, typed errors. Knows nothing of Django.

    completed = process_pool().run(Target(...), Command(("vzlist", "-a")), deadline_s=30)

Whatever fails raises an SshError with a code (`reason`) and a sentence for people.
"""

from __future__ import annotations

from nodes.ssh.dial import Timeouts
from nodes.ssh.errors import KeyNotReadable, SshError
from nodes.ssh.hostkey import HostKey, read_host_key, read_host_keys
from nodes.ssh.keys import KeyPair, make_key_pair, public_line
from nodes.ssh.pool import Pool, process_pool
from nodes.ssh.run import Completed, Limits, Runnable
from nodes.ssh.target import Credential, Target

__all__ = [
    "Completed",
    "Credential",
    "HostKey",
    "KeyNotReadable",
    "KeyPair",
    "Limits",
    "Pool",
    "Runnable",
    "SshError",
    "Target",
    "Timeouts",
    "make_key_pair",
    "process_pool",
    "public_line",
    "read_host_key",
    "read_host_keys",
]
