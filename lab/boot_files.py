"""What a server starts at boot: SysV scripts under busybox init, or real systemd units.

Both kinds run network, then a boot unit of the panel if it was installed, then vz with its containers.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.definition import ServerDefinition
from lab.place import CHECKOUT

GUEST = CHECKOUT / "lab" / "guest"

# Parts of this machine's systemd that a lab server has no use for; each costs forks at every boot.
_MASKED_UNITS = (
    "dbus.service dbus.socket systemd-logind.service systemd-user-sessions.service getty.target "
    "systemd-ask-password-wall.path systemd-ask-password-console.path systemd-udevd.service "
    "systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service "
    "systemd-hwdb-update.service systemd-modules-load.service systemd-binfmt.service "
    "systemd-firstboot.service systemd-machine-id-commit.service systemd-pcrphase.service "
    "systemd-pcrphase-sysinit.service "
    "systemd-repart.service systemd-sysusers.service systemd-update-utmp.service "
    "systemd-update-utmp-runlevel.service systemd-tmpfiles-setup-dev.service systemd-tmpfiles-setup.service "
    "systemd-tmpfiles-clean.timer systemd-timesyncd.service systemd-random-seed.service "
    "systemd-sysctl.service "
    "systemd-journal-flush.service systemd-journald-audit.socket kmod-static-nodes.service "
    "dev-hugepages.mount dev-mqueue.mount proc-sys-fs-binfmt_misc.automount sys-fs-fuse-connections.mount "
    "sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount systemd-remount-fs.service"
).split()

# Generators that look for disks, databases and SysV scripts of this machine.
_GENERATORS = Path("/usr/lib/systemd/system-generators")

_JOURNAL = "[Journal]\nStorage=volatile\nRuntimeMaxUse=4M\nReadKMsg=no\n"
_MANAGER = "[Manager]\nLogLevel=warning\nShowStatus=no\nDefaultTimeoutStopSec=10s\n"


def write_boot_files(seed: Path, server: ServerDefinition) -> None:
    """Write init, boot scripts and console agent into the tree that becomes the server's disk."""
    programs = seed / ".usr-upper" / "local/lib/lab"
    programs.mkdir(parents=True)
    install(GUEST / "console_agent.py", programs / "console_agent.py", 0o644)
    {"sysv": _write_sysv, "systemd": _write_systemd}[server.init](seed, programs)


def install(source: Path, target: Path, mode: int) -> None:
    """Copy one file with its mode."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def _write_sysv(seed: Path, programs: Path) -> None:
    """SysV folders as Red Hat has them (/etc/rc.d real) with Debian's /etc/init.d, init by busybox."""
    etc = seed / "etc"
    for script in sorted((GUEST / "init.d").iterdir()):
        install(script, etc / "init.d" / script.name, 0o755)
    for level in ("rc0.d", "rc3.d"):
        (etc / "rc.d" / level).mkdir(parents=True)
        (etc / level).symlink_to(f"rc.d/{level}")
    (etc / "rc.d/init.d").symlink_to("../init.d")
    for link, name in {"rc3.d/S10network": "network", "rc3.d/S90vz": "vz", "rc0.d/K10vz": "vz"}.items():
        (etc / "rc.d" / link).symlink_to(f"../../init.d/{name}")
    install(GUEST / "inittab", etc / "inittab", 0o644)
    sbin = seed / ".usr-upper" / "sbin"
    sbin.mkdir(exist_ok=True)
    for applet in ("init", "poweroff", "reboot", "halt"):
        # This machine's own belong to systemd.
        (sbin / applet).symlink_to("/usr/bin/busybox")


def _write_systemd(seed: Path, programs: Path) -> None:
    """Real systemd with the units of guest/systemd and as little else as it agrees to."""
    for name in ("network", "vz"):
        install(GUEST / "init.d" / name, programs / name, 0o755)
    folder = seed / "etc/systemd"
    wanted = folder / "system/multi-user.target.wants"
    wanted.mkdir(parents=True)
    for unit in sorted((GUEST / "systemd").iterdir()):
        install(unit, folder / "system" / unit.name, 0o644)
        (wanted / unit.name).symlink_to(f"../{unit.name}")
    for name in _MASKED_UNITS:
        (folder / "system" / name).symlink_to("/dev/null")
    (folder / "system/default.target").symlink_to("/lib/systemd/system/multi-user.target")
    (folder / "system-generators").mkdir()
    for generator in _GENERATORS.iterdir():
        (folder / "system-generators" / generator.name).symlink_to("/dev/null")
    (folder / "journald.conf").write_text(_JOURNAL)
    (folder / "system.conf").write_text(_MANAGER)
