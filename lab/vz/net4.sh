# shellcheck shell=sh disable=SC2034,SC2154
# Network of a running container of vzctl 4.x on an OpenVZ kernel (src/lib/veth.c, src/lib/net.c, scripts/vps-net_add).
# Sourced after net.sh and netif4.sh.

# run_vznetcfg HOSTIF: the genuine tool calls it for every interface, at a start and at every later `set`; what
# joins a bridge is up to its EXTERNAL_SCRIPT (veth.c:62)
run_vznetcfg() {
    if [ ! -f "$etc/vznet.conf" ]; then
        # Stock vznetcfg without its two forks.
        host link set "$1" up
        return 0
    fi
    run_host || return 130
    VEID=$ctid "$vznetcfg" init veth "$1" || {
        complain "/usr/sbin/vznetcfg exited with error"
        return 130
    }
}

# veth_add LIST: new pairs are created, existing ones left as they are; then vznetcfg for each
veth_add() {
    names='' missing=''
    for one in $1; do
        device "$one"
        live "$D_ifname" && D_host=$V_host
        names="$names$D_host "
        # Upstream-kernel mode needs the name and stops here (captured); an OpenVZ kernel would know it by /proc/vz/veth.
        [ -n "$D_host" ] && [ -z "$unnamed" ] || missing=yes
    done
    [ -z "$missing" ] || names=' '
    say "Configure veth devices: $names"
    [ -z "$missing" ] || {
        complain "vps-netns_dev_add ERROR: Missing parameter: HNAME"
        return 20
    }
    for one in $1; do
        device "$one"
        if live "$D_ifname"; then
            D_host=$V_host
        else
            # Harmless words of the genuine tool for every hot-added interface but the first (veth.c:393).
            [ -n "$starting" ] || [ -z "$R_veths" ] || complain "Container does not have configured veth: $D_ifname, skipped"
            pair "$D_host" "$D_host_mac" "$D_ifname" "$D_mac" || return 130
            R_veths="$R_veths$D_ifname|$D_host "
        fi
        run_vznetcfg "$D_host" || return
    done
    run_host || return 130
}

# veth_delete NAMES: unknown ones are no error (veth.c fill_veth_dev_name, hooks_vz.c veth_dev_remove)
veth_delete() {
    names=''
    for one in $1; do
        if live "$one"; then
            names="$names$V_host "
            host link del "$V_host"
            forget_veth "$one"
        else
            complain "Container does not have configured veth: $one, skipped"
            names="$names "
        fi
    done
    say "Deleting veth devices: $names"
    run_host || return 130
}

# venet_add IPS: the host-routed pair stands for OpenVZ's venet0
venet_add() {
    [ -n "$1" ] || return 0
    say "Adding IP address(es): $1"
    for word in $1; do
        in_use "$word" && {
            complain "Unable to add IP ${word%%/*}: Address already in use"
            return 78
        }
    done
    if [ -z "$R_venet" ]; then
        hex2 $((ctid >> 24)) $((ctid >> 16)) $((ctid >> 8)) "$ctid"
        # venet has no ARP. Both ends get one MAC, so that each takes what the other sends.
        pair "venet$ctid" "02:00:$H" venet0 "02:00:$H" || return 34
        R_venet=venet$ctid
        host link set "$R_venet" arp off up
        inside link set venet0 arp off up
        inside route replace default dev venet0
        [ ! -e /proc/sys/net/ipv6 ] || inside route replace ::/0 dev venet0
    fi
    venet_here "$1"
    run_host && run_inside || return 34
    R_ips="$R_ips${R_ips:+ }$1"
}

venet_delete() {
    [ -n "$1" ] || return 0
    say "Deleting IP address(es): $1"
    venet_away "$1"
    kept=''
    for word in $R_ips; do
        if same_ip "$word" "$1"; then
            address "$word"
            inside addr del "$A_ip/${A_len:-$((A_family == 6 ? 128 : 32))}" dev venet0
        else
            kept="$kept${kept:+ }$word"
        fi
    done
    R_ips=$kept
    run_host -force 2>/dev/null
    run_inside -force 2>/dev/null
    return 0
}
