#!/bin/sh
# The probe: one look at a physical server. Changes nothing and writes no file.
#   sh -s NONCE        with this text on standard input
#   probe -            as a program: NONCE is the first line of standard input
# NONCE (hexadecimal, made by the panel for this look) is in every line that separates what the tools
# printed, so that nothing a container's owner can write passes for such a line. Answer:
#   @NONCE look 1
#   @NONCE begin SECTION
#   ...
#   @NONCE rc N                  the tool's exit code; missing: the section was cut off
#   @NONCE done                  missing: the look was cut off
# POSIX sh for dash, busybox and bash. A process costs more than a read: files are read by one grep for all of
# them, directories by the shell itself, and what cannot be long shares one limit. A server with one running
# container takes 19 forks (tests/facts/test_probe.py).
# shellcheck disable=SC2329 # functions are handed to `section` by name
set -u
read -r uptime _ </proc/uptime # the first thing, see ancestors
uptime=${PROBE_STARTED:-$uptime} # what ran before us in this session is no part of starting its shell
LC_ALL=C
# Tests look at trees and userlands of their own; nobody else sets the PROBE_ variables.
PATH=${PROBE_PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}
export LC_ALL PATH
unset CDPATH GREP_OPTIONS

nonce=${1-}
[ "$nonce" != - ] || read -r nonce || nonce=''
vz=${PROBE_VZ:-/etc/vz}
etc=${PROBE_ETC:-/etc/vnetpanel}
run=${PROBE_RUN:-/run/vnetpanel}
sys=${PROBE_SYS:-}
netns=${PROBE_NETNS:-/var/run/netns}
programs=/usr/local/lib/vnetpanel/version # of the root-owned programs, where there are any

# Only for tools that are known to hang (locks, a dead daemon, a guest); SIGKILL because -k is not in EL6.
patient=''
if command -v timeout >/dev/null; then patient='timeout -s KILL 5'; fi

begin() { printf '\n@%s begin %s\n' "$nonce" "$1"; }
rc() { printf '\n@%s rc %s\n' "$nonce" "$1"; }

# section NAME COMMAND...: what COMMAND prints, and its exit code
section() {
    begin "$1"
    shift
    "$@"
    rc $?
}

# at_most BYTES COMMAND...: the beginning of what COMMAND prints
at_most() {
    bytes=$1
    shift
    "$@" 2>/dev/null | head -c "$bytes"
}

# --- who we are -------------------------------------------------------------------------------------------

# Our ancestors with their start times (clock ticks since boot, field 22 of stat): the age of the one below
# sshd, until our first line, is what starting a shell costs here, start-up files included, and costs nothing.
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
    echo "uptime $uptime"
    last=$$
    ancestors
    # sudo drops SSH_CONNECTION; the first process of the session still has it in its environment.
    if [ -n "${SSH_CONNECTION:-}" ]; then
        echo "SSH_CONNECTION=$SSH_CONNECTION"
    elif [ "$last" != $$ ]; then
        tr '\000' '\n' <"/proc/$last/environ" | grep '^SSH_CONNECTION='
    fi
    [ -r "$sys$programs" ] && read -r version <"$sys$programs" && echo "programs $version"
    [ -d /run/systemd/system ] && echo systemd
    [ -e /proc/self/ns/net ] && echo netns
    [ -d /sys/module/bridge ] && echo 'module bridge'
    { [ -d /sys/module/8021q ] || [ -d /proc/net/vlan ]; } && echo 'module 8021q'
    for tool in ip brctl vzctl vzlist prlctl nft iptables nmcli ping arping nsenter flock timeout setsid awk \
        systemd-run; do
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
    # The list of all symbols takes the kernel 30 ms to write, more than all else: only where nothing else tells.
    code="/boot/config-$release /lib/modules/$release/kernel/net/bridge/bridge.ko"
    # shellcheck disable=SC2086 # two paths without blanks
    grep -slE 'CONFIG_BRIDGE_VLAN_FILTERING=y|br_vlan_filter_toggle' $code && return 0
    if [ -r /proc/config.gz ] && command -v gzip >/dev/null; then
        ! gzip -dc </proc/config.gz | grep -q '^CONFIG_BRIDGE_VLAN_FILTERING=y' || echo /proc/config-
    elif [ ! -r "${code%% *}" ]; then
        grep -sl br_vlan_filter_toggle /proc/kallsyms
    fi
    return 0
}

# --- the kernel's files -----------------------------------------------------------------------------------

# One grep reads them all and prints path:value. -s: a link that is down has no carrier and no speed.
kernel() {
    cd /sys/class/net || return
    conf4=/proc/sys/net/ipv4/conf conf6=/proc/sys/net/ipv6/conf
    grep -sH '' -- */ifindex */flags */type */mtu */address */addr_assign_type */carrier */speed \
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

questions='addr show
route show table all
neigh show proxy
rule show
netconf show'

ip_json() {
    ip -j -d -force -batch - <<BATCH
$questions
BATCH
}

# Of one container, with one process instead of three: the shell itself cuts it. It has to hold it all first,
# which here is bounded by what the kernel lets a container have; nobody prints but our own ip.
container_json() {
    begin "inside-json $1"
    answer=$(
        ip -n "$2" -j -d -force -batch - 2>/dev/null <<BATCH
$questions
BATCH
    )
    code=$?
    printf "%.${share}s\n" "$answer"
    rc $code
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
echo %rule4; ip rule show
echo %rule6; ip -6 rule show
echo %proxy; ip -o neigh show proxy
echo %arp; while read -r a t f r; do case $f in 0xc) echo "$a $r";; esac; done </proc/net/arp
echo %bridges; echo /sys/class/net/*/bridge /sys/class/net/*/brif/*
echo %forward; f=; read -r f </proc/sys/net/ipv4/ip_forward; echo "4 $f"
f=; read -r f </proc/sys/net/ipv6/conf/all/forwarding; echo "6 $f"'

ip_text() { eval "$view"; }

network_json() {
    section net-json ip_json
    [ ! -e /proc/net/if_inet6 ] || section rules6 ip -6 rule show # a batch has one family
}

network() {
    # "iproute2-ss170501" is an old one dated by snapshot (up to the early 5.x), "iproute2-6.1.0" has -j.
    version=$(ip -V 2>&1)
    section ip-version printf '%.120s\n' "$version"
    case $version in
    *iproute2-[0-9]*) at_most 458752 network_json ;;
    *) at_most 458752 section net-text ip_text ;;
    esac
}

# --- who configures the links -----------------------------------------------------------------------------

# Only the words we need: these files may hold passwords of wireless networks.
owner_files() {
    words='iface|auto|allow-hotplug|bridge[_-]ports'
    keys='DEVICE|ONBOOT|BOOTPROTO|NM_CONTROLLED|BRIDGE|ADMIN_STATE|managed|EXTERNAL_SCRIPT|NEIGHBOUR_DEVS'
    keys="$keys|Name|Bridge|DHCP"
    grep -sHE "^[[:space:]]*(($words)[[:space:]]|($keys)=)" /etc/network/interfaces \
        /etc/network/interfaces.d/* /etc/sysconfig/network-scripts/ifcfg-* /run/systemd/netif/links/* \
        /run/NetworkManager/devices/* "$vz/vz.conf" "$vz/vznet.conf" /etc/systemd/network/*.network
    for file in /run/network/ifstate /etc/network/run/ifstate; do
        [ -r "$file" ] || continue
        while read -r line; do echo "ifstate:$line"; done <"$file"
    done
}

# What brings the committed state back at boot (networks/host, prepare), and whether anything runs it then.
replay() {
    echo looked
    [ -e "$sys/etc/systemd/system/vnetpanel-net.service" ] && echo unit
    [ -x "$sys/etc/init.d/vnetpanel-net" ] && echo script
    [ -e "$sys/var/lib/vnetpanel/transaction" ] && echo program
    for link in "$sys"/etc/systemd/system/*.wants/vnetpanel-net.service; do
        [ -L "$link" ] && echo unit-enabled && break
    done
    for link in "$sys"/etc/rc[0-9].d/S*vnetpanel-net "$sys"/etc/rc.d/rc[0-9].d/S*vnetpanel-net; do
        [ -e "$link" ] && echo script-enabled && break
    done
    command -v chkconfig >/dev/null || command -v update-rc.d >/dev/null || echo no-enabler
    return 0
}

# DHCP clients in our own network namespace: a guest's processes are in our /proc as well, and a guest may
# call one of them "dhclient eth0". Kernels before 3.0 have no ns/net; OpenVZ's say envID in status.
# Without a trace of a client there is no need to search all processes.
dhcp_clients() {
    for trace in /run/dhclient* /run/dhcpcd* /run/udhcpc* /var/run/dhclient* /var/lib/dhcp/*.lease* \
        /var/lib/dhclient/*.lease*; do
        [ -e "$trace" ] && break
    done
    [ -e "$trace" ] || return 0
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

# shellcheck disable=SC2086 # $patient: words or none
network_manager() {
    command -v nmcli >/dev/null && { [ -d /run/NetworkManager ] || [ -d /var/run/NetworkManager ]; } || return 0
    $patient nmcli -t -f DEVICE,STATE dev
}

# --- firewall: looked at only where already loaded, looking must load nothing -----------------------------

# shellcheck disable=SC2086 # $patient: words or none
iptables_rules() {
    save=$1
    shift
    for legacy in "$@"; do command -v "$legacy" >/dev/null && save=$legacy; done
    $patient "$save" | grep -E '^:FORWARD|[[:space:]](-i|-o|--physdev-in|--physdev-out)[[:space:]]'
    return 0
}

firewall() {
    if read -r _ </proc/net/ip_tables_names; then
        at_most 49152 section iptables iptables_rules iptables-save iptables-legacy-save
    fi
    if read -r _ </proc/net/ip6_tables_names; then
        at_most 49152 section ip6tables iptables_rules ip6tables-save ip6tables-legacy-save
    fi
    if [ -d /sys/module/nf_tables ] && command -v nft >/dev/null; then
        # shellcheck disable=SC2086 # $patient: words or none
        at_most 131072 section nft $patient nft list ruleset
    fi
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

# Network namespaces of containers have names: the container's own on 7+ (libvzctl lib/util.c get_netns_path),
# so that the server's ip can look in without asking anything inside; "ct" before it where a name may not begin
# with a digit. OpenVZ's 2.6.32 has none: one vzctl exec.
# shellcheck disable=SC2086
inside() {
    for name in "$1" "ct$1"; do
        [ -e "$netns/$name" ] || continue
        case $version in
        *iproute2-[0-9]*) container_json "$1" "$name" ;;
        *) at_most "$share" section "inside-text $1" $patient ip netns exec "$name" sh -c "$view" ;;
        esac
        return
    done
    at_most "$share" section "inside-text $1" $patient vzctl exec "$1" "$view"
}

# All containers share 640 KiB, and the first 18 seconds of the look; who does not get a turn is named.
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
    stop=$((${uptime%%.*} + 18))
    for ctid in $running; do
        read -r now _ </proc/uptime
        if [ "${now%%.*}" -ge "$stop" ]; then
            section "inside-skipped $ctid" true
        else
            inside "$ctid"
        fi
    done
}

# vzlist in text, not -j: vzctl 4 does not escape strings in its JSON, 7+ shows one interface of several.
# shellcheck disable=SC2086
vz_answers() {
    section vzctl-version vzctl --version
    section vzlist $patient vzlist -a -H -o ctid,status
}

containers() {
    command -v vzctl >/dev/null || return 0
    list=$(at_most 49152 vz_answers)
    printf '%s\n' "$list"
    all_inside
}

quick() {
    section who who
    section kernel kernel
    section masters masters
    section modules modules
    section owners owner_files
    section replay replay
    section dhcp dhcp_clients
    section nmcli network_manager
    section conf-names conf_names
    section conf conf_lines
}

look() {
    printf '\n@%s look 1\n' "$nonce"
    at_most 655360 quick
    network
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
