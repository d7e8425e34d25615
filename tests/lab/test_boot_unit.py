from __future__ import annotations

import re

import pytest

from lab.lab import Lab

pytestmark = pytest.mark.lab

# What a panel's boot unit finds: addresses there, containers not yet.
RECORD = "(ip -br -4 addr; ls /run/netns) >/run/lab-test-saw 2>&1"

SYSV = f"""cat >/etc/init.d/vnetpanel-net <<'END'
#!/bin/sh
# chkconfig: 2345 11 89
[ "$1" = start ] && {RECORD}
END
chmod 755 /etc/init.d/vnetpanel-net"""

SYSTEMD = f"""cat >/etc/systemd/system/vnetpanel-net.service <<'END'
[Unit]
DefaultDependencies=no
After=network.target
Before=vz.service

[Service]
Type=oneshot
ExecStart=/bin/sh -c '{RECORD}'

[Install]
WantedBy=multi-user.target
END
systemctl enable vnetpanel-net.service"""

CASES = {
    "a SysV script that was only copied": ("server1", SYSV, "rm /etc/init.d/vnetpanel-net"),
    "a SysV script in the run level": (
        "server3",
        SYSV + "; ln -s ../../init.d/vnetpanel-net /etc/rc.d/rc3.d/S11vnetpanel-net",
        "rm /etc/rc.d/rc3.d/S11vnetpanel-net /etc/init.d/vnetpanel-net",
    ),
    "a systemd unit": (
        "server2",
        SYSTEMD,
        "systemctl disable vnetpanel-net.service; rm /etc/systemd/system/vnetpanel-net.service",
    ),
}


@pytest.mark.parametrize("kind", CASES)
def test_a_boot_unit_runs_before_the_containers_start(lab: Lab, kind: str) -> None:
    server, install, remove = CASES[kind]
    lab.check(server, install)
    try:
        lab.reboot(server)
        saw = lab.check(server, "cat /run/lab-test-saw")
    finally:
        lab.check(server, remove + "; sync")

    assert "10.77.0.1" in saw
    assert not re.search(r"\bct\d", saw)
    assert re.search(r"\bct\d", lab.check(server, "ls /run/netns"))
