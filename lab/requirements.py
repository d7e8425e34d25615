"""What a machine must have to carry the lab; the first thing missing is said in one sentence."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lab import wide_registers
from lab.errors import LabUnavailable

# program -> Debian package
_PROGRAMS = {
    "linux.uml": "user-mode-linux",
    "ip": "iproute2",
    "nft": "nftables",
    "mkfs.ext4": "e2fsprogs",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "modprobe": "kmod",
    "busybox": "busybox",
    "ping": "iputils-ping",
    "arping": "iputils-arping",
    "sudo": "sudo",
}
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def check_machine() -> None:
    """Raise LabUnavailable with the reason if this machine cannot carry the lab."""
    if os.geteuid() != 0:
        raise LabUnavailable("The lab needs root: it makes network namespaces and boots kernels.")
    for program, package in _PROGRAMS.items():
        if shutil.which(program, path=_PATH) is None:
            raise LabUnavailable(
                f"The lab needs `{program}`, which is not installed (Debian package {package})."
            )
    if wide_registers.are_here() and shutil.which(wide_registers.COMPILER, path=_PATH) is None:
        raise LabUnavailable(
            "On this processor (AMX) the lab needs `gcc`, which is not installed "
            "(Debian packages gcc and libc6-dev)."
        )
    if not Path("/usr/bin/python3").exists():
        raise LabUnavailable("The lab needs /usr/bin/python3 (Debian package python3).")
    if not Path("/dev/net/tun").exists():
        raise LabUnavailable("The lab needs /dev/net/tun, which this machine's kernel does not offer.")
    if not Path("/bin").is_symlink():
        raise LabUnavailable("The lab needs a system whose /bin is /usr/bin (Debian 12 or newer).")
