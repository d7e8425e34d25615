"""Make a physical server's disk: an ext4 image holding everything of its own, containers included.

All of it is written here, on the machine that carries the lab, because a fork inside costs some 30 ms: the
first boot is no slower than any other. Only /usr is this machine's (see guest/boot.sh).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from lab import credentials
from lab.boot_files import write_boot_files
from lab.containers import create_containers
from lab.definition import GATEWAY, GATEWAY6, ServerDefinition, lan_addresses
from lab.place import Place
from lab.shell import run

SIZE_MB = 128  # sparse
UML_MODULES = Path("/usr/lib/uml/modules")

_FOLDERS = (
    ".host dev proc sys run tmp mnt usr .usr-upper .usr-work root/.ssh home/admin/.ssh var/lib var/log "
    "var/tmp var/cache var/spool etc/ssh etc/pam.d etc/sudoers.d vz/private "
    "vz/lock vz/root etc/vz/conf etc/vz/names"
).split()

# Lookups of names, libraries and alternatives; nothing secret and nothing about this machine's own services.
_COPIED = (
    "alternatives nsswitch.conf ld.so.cache ld.so.conf ld.so.conf.d protocols services login.defs iproute2 "
    "security ethertypes debian_version os-release modprobe.d bindresvport.blacklist"
).split()

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_PAM = "auth required pam_unix.so\naccount required pam_unix.so\nsession required pam_permit.so\n"

_SSHD = """Port 22
HostKey /etc/ssh/ssh_host_ed25519_key
HostKey /etc/ssh/ssh_host_rsa_key
PermitRootLogin yes
PasswordAuthentication yes
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
MaxStartups 100
MaxSessions 100
Subsystem sftp internal-sftp
"""


def build_disk(place: Place, server: ServerDefinition) -> None:
    """Write ``disk.ext4`` of a server from scratch; whole or not at all."""
    folder = place.server(server.name)
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("seed-*"):
        shutil.rmtree(left, ignore_errors=True)
    seed = Path(tempfile.mkdtemp(prefix="seed-", dir=folder))
    try:
        _fill(seed, place, server)
        image = folder / "disk.new"
        image.unlink(missing_ok=True)
        with image.open("wb") as sparse:
            sparse.truncate(SIZE_MB << 20)
        run(["mkfs.ext4", "-q", "-F", "-E", "root_owner=0:0", "-d", str(seed), str(image)])
        image.rename(folder / "disk.ext4")
    finally:
        shutil.rmtree(seed)


def stage_modules(place: Place, server: ServerDefinition) -> None:
    """Link the kernel's modules where ``modprobe -d`` of boot.sh looks for them before /usr is mounted."""
    target = place.server(server.name) / "modules" / "lib" / "modules"
    target.mkdir(parents=True, exist_ok=True)
    _link_modules(target)


def _fill(seed: Path, place: Place, server: ServerDefinition) -> None:
    for folder in _FOLDERS:
        (seed / folder).mkdir(parents=True, exist_ok=True)
    for folder, mode in {"root": 0o700, "root/.ssh": 0o700, "home/admin/.ssh": 0o700, "tmp": 0o1777}.items():
        (seed / folder).chmod(mode)
    for name in ("bin", "sbin", "lib", "lib64"):
        (seed / name).symlink_to(f"usr/{name}")
    (seed / "var/run").symlink_to("/run")
    for name in _COPIED:
        _copy(Path("/etc") / name, seed / "etc" / name)
    _write_etc(seed / "etc", server)
    _write_accounts(seed, place)
    modules = seed / ".usr-upper/lib/modules"
    modules.mkdir(parents=True)
    _link_modules(modules)
    credentials.copy_host_keys(place, server, seed / "etc" / "ssh")
    write_boot_files(seed, server)
    create_containers(seed, server)


def _write_etc(etc: Path, server: ServerDefinition) -> None:
    (etc / "hostname").write_text(f"{server.name}\n")
    (etc / "hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n{server.address} {server.name}\n")
    (etc / "machine-id").write_text(f"{server.number:032x}\n")
    (etc / "fstab").write_text("")
    (etc / "resolv.conf").write_text("")
    (etc / "mtab").symlink_to("/proc/self/mounts")
    (etc / "profile").write_text(f"PATH={_PATH}\nexport PATH\n")
    (etc / "ssh" / "sshd_config").write_text(_SSHD)
    for service in ("sudo", "su", "other"):
        (etc / "pam.d" / service).write_text(_PAM)
    (etc / "lab.conf").write_text(
        f"NAME={server.name}\nMAC={server.mac}\nBRIDGE={server.bridge}\n"
        f'ADDRESSES="{" ".join(lan_addresses(server.number))}"\nGATEWAYS="{GATEWAY} {GATEWAY6}"\n'
    )


def _write_accounts(seed: Path, place: Place) -> None:
    """Accounts of root and admin; no shell start-up files, because sshd's bash reads them at every exec."""
    etc = seed / "etc"
    people = {"root": (0, "/root", "/bin/bash"), "admin": (1000, "/home/admin", "/bin/bash")}
    services = {
        "daemon": 1, "sshd": 101, "messagebus": 102, "systemd-network": 998, "systemd-timesync": 997,
        "nobody": 65534,
    }  # fmt: skip
    passwd = [f"{n}:x:{u}:{u}:{n}:{home}:{shell}" for n, (u, home, shell) in people.items()]
    passwd += [f"{n}:x:{u}:{u}:{n}:/nonexistent:/usr/sbin/nologin" for n, u in services.items()]
    groups = {"tty": 5, "disk": 6, "shadow": 42, "utmp": 43, "systemd-journal": 999}
    groups |= {n: u for n, (u, _, _) in people.items()} | services
    (etc / "passwd").write_text("\n".join(passwd) + "\n")
    (etc / "group").write_text("".join(f"{name}:x:{number}:\n" for name, number in groups.items()))
    hashed = credentials.hashed_root_password(place)
    shadow = {"root": hashed, "admin": "*"} | dict.fromkeys(services, "*")
    (etc / "shadow").touch(0o600)
    (etc / "shadow").write_text("".join(f"{n}:{p}:20000:0:99999:7:::\n" for n, p in shadow.items()))
    (etc / "sudoers").write_text(
        f"Defaults env_reset\nDefaults secure_path={_PATH}\n"
        "root ALL=(ALL:ALL) ALL\nadmin ALL=(ALL:ALL) NOPASSWD: ALL\n@includedir /etc/sudoers.d\n"
    )
    (etc / "sudoers").chmod(0o440)
    (etc / "sudoers.d").chmod(0o750)
    key = place.client_key.with_suffix(".pub").read_text()
    for home in ("root", "home/admin"):
        keys = seed / home / ".ssh" / "authorized_keys"
        keys.write_text(key)
        keys.chmod(0o600)
    for path in (seed / "home/admin", seed / "home/admin/.ssh", seed / "home/admin/.ssh/authorized_keys"):
        os.chown(path, 1000, 1000)


def _link_modules(folder: Path) -> None:
    for version in UML_MODULES.iterdir():
        link = folder / version.name
        if not link.is_symlink():
            link.symlink_to(version)


def _copy(source: Path, target: Path) -> None:
    """Copy a file, link or folder as it is; a missing one is left out (distributions differ)."""
    if source.is_symlink():
        target.symlink_to(source.readlink())
    elif source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    elif source.exists():
        shutil.copyfile(source, target)
        target.chmod(source.stat().st_mode & 0o777)
