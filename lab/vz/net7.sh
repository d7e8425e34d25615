# shellcheck shell=sh disable=SC2034,SC2154
# Network of a running container of vzctl 7+: scripts vz-netns_dev_add, vznetcfg and dists/scripts/*-add_netif.sh of
# libvzctl 8.0.90. Sourced after net.sh and netif7.sh.

# bridge_of NETWORK TYPE: B, the bridge that a libvirt network uses, or with type bridge the network itself
bridge_of() {
    B=$1
    [ "$2" != bridge ] || return 0
    B=''
    # What `virsh net-info` would say; the lab's servers have only the definition.
    definition=$root/etc/libvirt/qemu/networks/$1.xml
    [ -e "$definition" ] || return 1
    while read -r line; do
        case $line in
        *'<bridge name='*)
            B=${line#*<bridge name=?}
            B=${B%%[\"\']*}
            return 0
            ;;
        esac
    done <"$definition"
    return 1
}

# connect HOSTIF NETWORK TYPE: "~" takes it out. Always out of the old bridge first, even when the new one is missing.
connect() {
    network=$2
    [ "$network" != '~' ] || network=''
    if [ -f "$etc/vznet.conf" ]; then
        # shellcheck source=/dev/null # sourced by the genuine one as well
        script=$(EXTERNAL_SCRIPT='' && . "$etc/vznet.conf" && echo "$EXTERNAL_SCRIPT")
        if [ -n "$script" ] && [ -x "$script" ]; then
            run_host || return 136
            if [ -n "$network" ]; then change=addif; else change=delif; fi
            VEID=$ctid NETWORK_TYPE=$([ "$3" != bridge ] || echo bridge) "$script" $change "$1" "$network" && return 0
            complain "/usr/libexec/libvzctl/scripts/vznetcfg exited with error"
            return 136
        fi
    fi
    [ ! -e "/sys/class/net/$1/master" ] || host link set "$1" nomaster
    [ -n "$network" ] || return 0
    bridge_of "$network" "$3" || {
        echo "Cannot find bridge interface for $network network"
        complain "/usr/libexec/libvzctl/scripts/vznetcfg exited with error"
        return 136
    }
    [ -d "/sys/class/net/$B/bridge" ] || {
        complain "bridge $B does not exist!"
        echo "Unable to attach $1 to bridge $B/$network"
        complain "/usr/libexec/libvzctl/scripts/vznetcfg exited with error"
        return 136
    }
    host link set "$1" master "$B"
    host link set "$1" up
}

# veth_add LINE: creates the pair if it is not there, both ends UP, joins its network, gives it its addresses
veth_add() {
    packed_one=$1
    device "$1"
    say "Configure veth device: $D_ifname"
    if live "$D_ifname"; then
        D_host=$V_host
        [ -z "$D_mac" ] || inside link set "$D_ifname" address "$D_mac"
        [ -z "$D_host_mac" ] || host link set "$D_host" address "$D_host_mac"
    else
        # A pair of the conf that is not there: somebody deleted it by hand.
        [ -n "$D_mac" ] || { in_devices "$D_ifname" "$devices" && overlay "$found" "$packed_one" && device "$packed"; }
        pair "$D_host" "$D_host_mac" "$D_ifname" "$D_mac" || return 136
        host link set "$D_host" up
        inside link set "$D_ifname" up
        R_veths="$R_veths$D_ifname|$D_host "
        created="$created$D_ifname "
    fi
    rc=0
    [ -z "$D_network" ] || connect "$D_host" "$D_network" "$D_type" || rc=$?
    # After a failure too: the pair is there then, and the port is out of its old bridge.
    run_host && run_inside || return 136
    [ $rc = 0 ] || return $rc
    configure_inside
}

# configure_inside: addresses and gateway of the device read last; an error is only said (veth.c:676)
configure_inside() {
    [ "$D_configure" != none ] || return 0
    [ -z "$delete_all_ips" ] || inside addr flush dev "$D_ifname" scope global
    for one in $deleted_ips; do
        # A deletion names no length and the kernel wants the right one.
        address "$one"
        same_ip "$one" "$old_ips" && address "$S_found"
        with_length
        inside addr del "$A_ip/$A_len" dev "$D_ifname"
    done
    for one in $D_ips; do
        address "$one"
        [ "$A_family$D_dhcp" != 4yes ] && [ "$A_family$D_dhcp6" != 6yes ] || continue
        with_length
        if [ "$A_family" = 6 ]; then nodad=nodad; else nodad=''; fi
        # shellcheck disable=SC2086 # a word or none
        inside addr replace "$A_ip/$A_len" dev "$D_ifname" $nodad
    done
    case $D_gw in '' | '~') ;; *) inside route replace default via "$D_gw" dev "$D_ifname" ;; esac
    case $D_gw6 in '' | '~') ;; *) inside route replace ::/0 via "$D_gw6" dev "$D_ifname" ;; esac
    run_inside -force || complain "veth network configuration script exited with error"
    return 0
}

# with_length: A_len as the guest's scripts have it when none was given
with_length() { A_len=${A_len:-$((A_family == 6 ? 64 : 24))}; }

# veth_delete NAMES: an unknown one is no error
veth_delete() {
    for one in $1; do
        say "Deleting veth device: $one"
        live "$one" || continue
        host link del "$V_host"
        forget_veth "$one"
    done
    run_host || return 136
}

# venet_add IPS: the host-routed pair is a device of NETIF, made and saved when the first address comes (veth.c:743)
venet_add() {
    [ -n "$1" ] || return 0
    say "Configure veth device: venet0"
    for one in $1; do
        in_use "$one" && {
            complain "IP ${one%%/*} already assigned to ${other##*/}."
            return 78
        }
    done
    in_devices venet0 "$devices" || {
        device venet0
        D_type=routed
        fill_device
        pack_device
        devices=$devices$packed$NL found=$packed
        write_netif "$devices"
        change NETIF "$netif"
        save_conf "$conf_file"
    }
    had=$R_venet
    [ -n "$R_venet" ] || venet_pair || return
    venet_here "$1"
    run_host && run_inside || return 136
    # The server answers for everybody on this wire.
    [ -n "$had" ] || echo 1 >"/proc/sys/net/ipv4/conf/$R_venet/proxy_arp"
    R_ips="$R_ips${R_ips:+ }$1"
}

venet_pair() {
    device "$found"
    pair "$D_host" "$D_host_mac" venet0 "$D_mac" || return 136
    R_venet=$D_host
    host link set "$D_host" up
    [ ! -e /proc/sys/net/ipv6 ] || host addr add fe80::ffff:1:1/128 dev "$D_host" nodad
    inside link set venet0 up
    inside route replace default dev venet0
    [ -e /proc/sys/net/ipv6 ] || return 0
    inside route replace fe80::ffff:1:1 dev venet0
    inside route replace ::/0 via fe80::ffff:1:1 dev venet0
}

# venet_delete IPS
venet_delete() {
    [ -n "$1" ] || return 0
    venet_away "$1"
    kept=''
    for one in $R_ips; do
        if same_ip "$one" "$1"; then
            address "$one"
            inside addr del "$A_ip/${A_len:-$((A_family == 6 ? 128 : 32))}" dev venet0
        else
            kept="$kept${kept:+ }$one"
        fi
    done
    R_ips=$kept
    run_host -force 2>/dev/null
    run_inside -force 2>/dev/null
    return 0
}
