#!/bin/sh
# The probe: one look at a physical server. Changes nothing and writes no file.
#   sh -s NONCE        with this text on standard input
# NONCE (hexadecimal, made by the panel for this look) is in every line that separates what the tools
# printed, so that nothing a container's owner can write passes for such a line. Answer:
#   @NONCE look 1
#   @NONCE begin SECTION
#   ...                          bounded; cut where it is too long, and then the rc line is missing
#   @NONCE rc N
#   @NONCE end SECTION
#   @NONCE done                  missing: the look was cut off
# POSIX sh for dash, busybox and bash. A fork costs more than a read: files are read by one grep for all of
# them, directories by the shell itself.
# shellcheck disable=SC2329 # functions are handed to `section` by name
set -u
LC_ALL=C
# Tests look at trees and userlands of their own; nobody else sets the PROBE_ variables.
PATH=${PROBE_PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}
export LC_ALL PATH
unset CDPATH GREP_OPTIONS

nonce=${1-}
vz=${PROBE_VZ:-/etc/vz}
etc=${PROBE_ETC:-/etc/vnetpanel}
run=${PROBE_RUN:-/run/vnetpanel}

# Only for tools that are known to hang (locks, a dead daemon, a guest); SIGKILL because -k is not in EL6.
patient=''
if command -v timeout >/dev/null; then patient='timeout -s KILL 5'; fi

begin() { printf '\n@%s begin %s\n' "$nonce" "$1"; }
end() { printf '\n@%s end %s\n' "$nonce" "$1"; }
rc() { printf '\n@%s rc %s\n' "$nonce" "$1"; }

# section NAME LIMIT COMMAND...: what COMMAND prints, at most LIMIT bytes of it
section() {
    name=$1 limit=$2
    shift 2
    begin "$name"
    { "$@"; rc $?; } 2>/dev/null | head -c "$limit"
    end "$name"
}

# --- who we are -------------------------------------------------------------------------------------------

# Our ancestors with their start times (clock ticks since boot, field 22 of stat): the age of the one below
# sshd is what starting a shell costs here, start-up files included, measured without starting another one.
ancestors() {
    pid=$$ steps=0 last=$$
    while [ "$pid" -gt 1 ] && [ "$steps" -lt 8 ]; do
        read -r stat <"/proc/$pid/stat" || return 1
        comm=${stat#*\(} comm=${comm%\)*}
        # shellcheck disable=SC2086 # numbers, to be split
        set -- ${stat##*\) }
        printf 'process %s %s %s\n' "$pid" "${20}" "$comm"
        case $comm in sshd* | dropbear*) return 0 ;; esac
        last=$pid pid=$2 steps=$((steps + 1))
    done
}

who() {
    read -r uptime _ </proc/uptime && echo "uptime $uptime"
    last=$$
    ancestors
    # sudo drops SSH_CONNECTION; the first process of the session still has it in its environment.
    if [ -n "${SSH_CONNECTION:-}" ]; then
        echo "SSH_CONNECTION=$SSH_CONNECTION"
    elif [ "$last" != $$ ]; then
        tr '\000' '\n' <"/proc/$last/environ" | grep '^SSH_CONNECTION='
    fi
    [ -d /run/systemd/system ] && echo systemd
    [ -e /proc/self/ns/net ] && echo netns
    [ -d /sys/module/bridge ] && echo 'module bridge'
    { [ -d /sys/module/8021q ] || [ -d /proc/net/vlan ]; } && echo 'module 8021q'
    for tool in ip brctl vconfig vzctl vzlist prlctl prlsrvctl nft iptables tc nmcli flock timeout setsid \
        systemd-run awk sed arping ethtool nsenter sudo; do
        printf 'tool %s ' "$tool"
        command -v "$tool" || echo
    done
}

# What could be loaded, and whether a bridge could filter VLANs: asked only of what does not show it already.
modules() {
    read -r release </proc/sys/kernel/osrelease
    if [ ! -d /sys/module/bridge ] || [ ! -d /sys/module/8021q ]; then
        grep -soE '^[^: ]*/(bridge|8021q)\.ko' "/lib/modules/$release/modules.dep" \
            "/lib/modules/$release/modules.builtin"
    fi
    for bridge in /sys/class/net/*/bridge; do [ -d "$bridge" ] && return 0; done
    grep -slE 'CONFIG_BRIDGE_VLAN_FILTERING=y|br_vlan_filter_toggle' "/boot/config-$release" \
        "/lib/modules/$release/kernel/net/bridge/bridge.ko" /proc/kallsyms
    return 0
}

# --- the kernel's files -----------------------------------------------------------------------------------

# One grep reads them all and prints path:value. -s: a link that is down has no carrier and no speed.
kernel() {
    cd /sys/class/net || return
    conf4=/proc/sys/net/ipv4/conf conf6=/proc/sys/net/ipv6/conf
    grep -sH '' -- */ifindex */iflink */flags */type */mtu */address */addr_assign_type */carrier */speed \
        */tun_flags */bridge/stp_state */bridge/forward_delay */bridge/vlan_filtering */bonding/mode \
        */bonding/slaves /proc/net/vlan/config \
        "$conf4"/*/proxy_arp "$conf4"/*/arp_ignore "$conf6"/*/disable_ipv6 \
        /proc/sys/net/ipv4/ip_forward "$conf6"/all/forwarding /proc/sys/net/bridge/* \
        /proc/sys/kernel/hostname /proc/sys/kernel/osrelease /proc/sys/kernel/random/boot_id \
        /etc/os-release /etc/virtuozzo-release /etc/redhat-release "$etc/committed" "$run/pending"
    return 0
}

# What is a link in sysfs: the shell's own cd resolves it without a fork. EL6 has brport/bridge, no master.
masters() {
    cd /sys/class/net || return
    for link in *; do
        [ -d "$link" ] || continue # bonding_masters is a file
        [ -e "$link/device" ] && echo "device $link"
        if cd -P "$link/master" || cd -P "$link/brport/bridge"; then
            echo "master $link ${PWD##*/}"
            cd /sys/class/net || return
        fi
    done
}

# --- iproute2 ---------------------------------------------------------------------------------------------

ip_json() {
    ip -j -d -force -batch - <<'BATCH'
addr show
route show table all
neigh show proxy
BATCH
}

container_json() {
    ip -n "$1" -j -d -force -batch - <<'BATCH'
addr show
route show table all
neigh show proxy
netconf show
BATCH
}

# The same for an iproute2 without -j, and for a guest, whatever it has. A string, because a guest gets it as
# the one argument of `vzctl exec`, which hands it to the guest's shell. Old iproute2 shows no proxy entries.
# `read` fails on these two though it has read: a number under /proc/sys can be read only once, from its start,
# so a shell that reads byte by byte gets the first digit and no end of line.
# shellcheck disable=SC2016 # expanded by the shell that gets it
view='echo %link; ip -o -d link show 2>/dev/null || ip -o link show
echo %addr; ip -o addr show
echo %route4; ip -4 -o route show table all 2>/dev/null || ip route show
echo %route6; ip -6 -o route show table all
echo %proxy; ip -o neigh show proxy
echo %arp; while read -r a t f r; do case $f in 0xc) echo "$a $r";; esac; done </proc/net/arp
echo %bridges; echo /sys/class/net/*/bridge /sys/class/net/*/brif/*
echo %forward; f=; read -r f </proc/sys/net/ipv4/ip_forward; echo "4 $f"
f=; read -r f </proc/sys/net/ipv6/conf/all/forwarding; echo "6 $f"'

ip_text() { eval "$view"; }

rules() {
    ip rule show
    echo %6
    [ ! -e /proc/net/if_inet6 ] || ip -6 rule show
}

network() {
    # "iproute2-ss170501" is an old one dated by snapshot (up to the early 5.x), "iproute2-6.1.0" has -j.
    version=$(ip -V 2>&1)
    begin ip-version
    printf '%.120s\n' "$version"
    end ip-version
    case $version in
    *iproute2-[0-9]*) section net-json 524288 ip_json ;;
    *) section net-text 524288 ip_text ;;
    esac
    section rules 32768 rules
}

# --- who configures the links -----------------------------------------------------------------------------

# Only the words we need: these files may hold passwords of wireless networks.
owner_files() {
    words='iface|auto|allow-hotplug'
    keys='DEVICE|ONBOOT|BOOTPROTO|NM_CONTROLLED|BRIDGE|ADMIN_STATE|managed|EXTERNAL_SCRIPT|NEIGHBOUR_DEVS'
    grep -sHE "^[[:space:]]*(($words)[[:space:]]|($keys)=)" /etc/network/interfaces \
        /etc/network/interfaces.d/* /etc/sysconfig/network-scripts/ifcfg-* /run/systemd/netif/links/* \
        /run/NetworkManager/devices/* "$vz/vz.conf" "$vz/vznet.conf"
    for file in /run/network/ifstate /etc/network/run/ifstate; do
        [ -r "$file" ] || continue
        while read -r line; do echo "ifstate:$line"; done <"$file"
    done
}

# DHCP clients in our own network namespace: a guest's processes are in our /proc as well, and a guest may
# call one of them "dhclient eth0". Kernels before 3.0 have no ns/net; OpenVZ's say envID in status.
dhcp_clients() {
    # shellcheck disable=SC2013 # paths under /proc have no blanks
    for file in $(grep -slE '(^|/)(dhclient|dhcpcd|udhcpc|dhcp6c)' /proc/[0-9]*/cmdline); do
        pid=${file#/proc/} pid=${pid%/cmdline}
        if [ -e /proc/self/ns/net ]; then
            [ "/proc/$pid/ns/net" -ef /proc/self/ns/net ] || continue
        elif ! grep -q '^envID:[[:space:]]*0$' "/proc/$pid/status"; then
            continue
        fi
        tr '\000\n' '  ' <"$file"
        echo
    done
}

owners() {
    section owners 65536 owner_files
    section dhcp 16384 dhcp_clients
    if command -v nmcli >/dev/null && { [ -d /run/NetworkManager ] || [ -d /var/run/NetworkManager ]; }; then
        # shellcheck disable=SC2086 # two words or none
        section nmcli 16384 $patient nmcli -t -f DEVICE,STATE dev
    fi
}

# --- firewall and traffic control: looked at only where already loaded, looking must load nothing ---------

# shellcheck disable=SC2086 # $patient: words or none
iptables_rules() {
    save=$1
    shift
    for legacy in "$@"; do command -v "$legacy" >/dev/null && save=$legacy; done
    $patient "$save" | grep -E '^:FORWARD|[[:space:]](-i|-o|--physdev-in|--physdev-out)[[:space:]]'
    return 0
}

# shellcheck disable=SC2086
nft_rules() {
    $patient nft list ruleset | grep -E '^table|hook forward|(iif|oif)(name)?[[:space:]]'
    return 0
}

firewall() {
    if read -r _ </proc/net/ip_tables_names; then
        section iptables 65536 iptables_rules iptables-save iptables-legacy-save
    fi
    if read -r _ </proc/net/ip6_tables_names; then
        section ip6tables 65536 iptables_rules ip6tables-save ip6tables-legacy-save
    fi
    if [ -d /sys/module/nf_tables ] && command -v nft >/dev/null; then section nft 65536 nft_rules; fi
    if command -v tc >/dev/null; then section tc 65536 tc qdisc show; fi
} 2>/dev/null

# --- containers -------------------------------------------------------------------------------------------

# A conf file without one of our keys, or a link to storage that is not mounted (7+), shows up only here.
conf_names() {
    for file in "$vz"/conf/*.conf; do
        if [ -e "$file" ]; then
            echo "file ${file##*/}"
        elif [ -L "$file" ]; then
            echo "dangling ${file##*/}"
        fi
    done
}

# Never sourced: vzctl writes values unescaped, so a description may hold shell.
conf_lines() {
    keys='NETIF|IP_ADDRESS|HOSTNAME|NAME|OSTEMPLATE|ONBOOT'
    grep -asHE "^[[:space:]]*($keys)=" "$vz"/conf/*.conf
    return 0
}

# 7+ keeps the namespace under the container's own name (libvzctl lib/util.c get_netns_path), so the server's
# own ip can look without asking anything inside. OpenVZ's 2.6.32 has no such thing: one vzctl exec.
# shellcheck disable=SC2086
inside() {
    ctid=$1 share=$2
    if [ -e "/var/run/netns/$ctid" ]; then
        case $version in
        *iproute2-[0-9]*) section "inside-json $ctid" "$share" container_json "$ctid" ;;
        *) section "inside-text $ctid" "$share" $patient ip netns exec "$ctid" sh -c "$view" ;;
        esac
    else
        section "inside-text $ctid" "$share" $patient vzctl exec "$ctid" "$view"
    fi
}

# All containers share 640 KiB and 15 seconds; who does not get a turn is named.
all_inside() {
    running=''
    count=0
    while read -r ctid status _; do
        case $ctid in '' | *[!0-9a-fA-F-]*) continue ;; esac
        [ "$status" = running ] && running="$running $ctid" count=$((count + 1))
    done <<LIST
$list
LIST
    [ "$count" -gt 0 ] || return 0
    share=$((655360 / count))
    [ "$share" -le 65536 ] || share=65536
    read -r now _ </proc/uptime
    stop=$((${now%%.*} + 15))
    for ctid in $running; do
        read -r now _ </proc/uptime
        if [ "${now%%.*}" -ge "$stop" ]; then
            begin "inside-skipped $ctid"
            end "inside-skipped $ctid"
        else
            inside "$ctid" "$share"
        fi
    done
}

# shellcheck disable=SC2086
containers() {
    section conf-names 65536 conf_names
    section conf 262144 conf_lines
    command -v vzctl >/dev/null || return 0
    section vzctl-version 1024 $patient vzctl --version
    # Text, not -j: vzctl 4 does not escape strings in its JSON, 7+ shows one interface of several.
    list=$({ $patient vzlist -a -H -o ctid,status; rc $?; } 2>/dev/null | head -c 65536)
    begin vzlist
    printf '%s\n' "$list"
    end vzlist
    all_inside
}

look() {
    printf '\n@%s look 1\n' "$nonce"
    section who 16384 who
    section kernel 393216 kernel
    section masters 65536 masters
    section modules 4096 modules
    network
    owners
    firewall
    containers
    printf '\n@%s done\n' "$nonce"
}

case $nonce in
'' | *[!0-9a-f]*)
    echo 'usage: sh -s NONCE (hexadecimal)' >&2
    exit 64
    ;;
esac
# Not the script's own standard input: a tool that reads would swallow the rest of this text.
look </dev/null
exit 0
