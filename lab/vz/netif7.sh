# shellcheck shell=sh disable=SC2034,SC2154
# NETIF of vzctl 7+: reading, merging and writing as libvzctl 8.0.90 lib/veth.c does.
# A device is "ifname|mac|host_mac|host_ifname|type|network|gw|gw6|mac_filter|ip_filter|configure|dhcp|dhcp6|ips|more",
# a list has one per line: names of networks may hold blanks. "~" is a value that was given and is empty.

# device LINE: D_ifname D_mac D_host_mac D_host D_type D_network D_gw D_gw6 D_filter D_ip_filter D_configure D_dhcp
# D_dhcp6 D_ips D_more. D_type "" is a libvirt network, as is "vnet", which was said so.
device() {
    set -f
    IFS='|'
    # shellcheck disable=SC2086
    set -- $1
    unset IFS
    set +f
    D_ifname=${1-} D_mac=${2-} D_host_mac=${3-} D_host=${4-} D_type=${5-} D_network=${6-} D_gw=${7-} D_gw6=${8-}
    D_filter=${9-} D_ip_filter=${10-} D_configure=${11-} D_dhcp=${12-} D_dhcp6=${13-} D_ips=${14-} D_more=${15-}
}

pack_device() {
    packed="$D_ifname|$D_mac|$D_host_mac|$D_host|$D_type|$D_network|$D_gw|$D_gw6|$D_filter|$D_ip_filter|$D_configure"
    packed="$packed|$D_dhcp|$D_dhcp6|$D_ips|$D_more"
}

# in_devices IFNAME LIST: true if there is one of that name; then `found` is it
in_devices() {
    case $NL$2 in *"$NL$1|"*) ;; *) return 1 ;; esac
    found=$NL$2
    found=$1\|${found#*"$NL$1|"}
    found=${found%%"$NL"*}
}

# parse_netif VALUE: `devices`. Unknown keys are ignored; the list of ip6 ends only with the device (veth.c:1182).
parse_netif() {
    devices='' netif_rest=$1
    while [ -n "$netif_rest" ]; do
        entry=${netif_rest%%;*}
        case $netif_rest in *\;*) netif_rest=${netif_rest#*;} ;; *) netif_rest='' ;; esac
        device ''
        while [ -n "$entry" ]; do
            word=${entry%%,*}
            case $entry in *,*) entry=${entry#*,} ;; *) entry='' ;; esac
            parse_netif_word
        done
        [ -n "$D_ifname" ] || continue
        in_devices "$D_ifname" "$devices" && continue
        fill_device
        pack_device
        devices=$devices$packed$NL
    done
}

parse_netif_word() {
    value=${word#*=}
    case $word in
    ifname=*) D_ifname=$value ;;
    mac=*) D_mac=$value ;;
    host_mac=*) D_host_mac=$value ;;
    host_ifname=*) D_host=$value ;;
    type=*) D_type=$value ;;
    network=*) D_network=$value ;;
    gw=*) D_gw=$value ;;
    gw6=*) D_gw6=$value ;;
    mac_filter=*) D_filter=$value ;;
    ip_filter=*) D_ip_filter=$value ;;
    configure=*) D_configure=$value ;;
    dhcp=*) D_dhcp=$value ;;
    dhcp6=*) D_dhcp6=$value ;;
    ip=*) add_ips : "$value:" ;;
    ip6=*)
        add_ips , "$value,$entry,"
        entry=''
        ;;
    vport=* | ifaceid=*) D_more=$D_more,$word ;;
    esac
}

# add_ips SEPARATOR LIST: to D_ips, as ADDR/LEN
add_ips() {
    ips_rest=$2
    while [ -n "$ips_rest" ]; do
        one=${ips_rest%%"$1"*}
        ips_rest=${ips_rest#*"$1"}
        [ -n "$one" ] || continue
        address "$one" || continue
        D_ips="$D_ips${D_ips:+ }$A_ip${A_len:+/$A_len}"
    done
}

# fill_device: what is missing is generated
fill_device() {
    [ -n "$D_mac" ] || { random_mac C4 && D_mac=$M; }
    [ -n "$D_host_mac" ] || { random_mac FE && D_host_mac=$M; }
    [ -n "$D_host" ] || host_name
}

# host_name: D_host of D_mac, veth and its last four bytes in lower case (veth.c:224)
host_name() {
    lower "$D_mac"
    L=${L#??:??:}
    D_host=veth${L%%:*}
    while case $L in *:*) ;; *) false ;; esac; do
        L=${L#*:}
        D_host=$D_host${L%%:*}
    done
}

# random_mac FIRST: M. The host side begins with FE, so that no bridge takes it for its own (veth.c:201).
random_mac() {
    read -r uuid </proc/sys/kernel/random/uuid
    upper "${uuid%%-*}"
    U=${U#??}
    M=$1:37:72:${U%????}
    U=${U#??}
    M=$M:${U%??}:${U#??}
}

# write_netif LIST: netif, the value of NETIF
write_netif() {
    netif='' list_rest=$1
    while [ -n "$list_rest" ]; do
        device "${list_rest%%"$NL"*}"
        list_rest=${list_rest#*"$NL"}
        # The genuine writer cuts the last character of a device when another follows: a comma, or the "=" of an
        # empty "ip6=" (veth.c:930 and 1017). Then "ip6" stands there alone.
        [ -z "$netif" ] || { netif=${netif%=} && netif=$netif\;; }
        netif="${netif}ifname=$D_ifname,mac=$D_mac,host_mac=$D_host_mac,host_ifname=$D_host"
        case $D_type in
        routed) netif=$netif,type=routed D_network='' ;;
        bridge) netif=$netif,type=bridge ;;
        esac
        case $D_network in '' | '~') ;; *) netif=$netif,network=$D_network ;; esac
        case $D_more in *vport=ovs*) netif=$netif,vport=ovs ;; esac
        case $D_gw in '' | '~') ;; *) netif=$netif,gw=$D_gw ;; esac
        case $D_gw6 in '' | '~') ;; *) netif=$netif,gw6=$D_gw6 ;; esac
        [ "$D_filter" != off ] || netif=$netif,mac_filter=off
        [ "$D_ip_filter" != off ] || netif=$netif,ip_filter=off
        case $D_more in *ifaceid=*) netif=$netif,ifaceid=${D_more#*ifaceid=} ;; esac
        netif=$netif${D_configure:+,configure=$D_configure}
        [ "$D_ifname" = venet0 ] || write_ips
    done
}

write_ips() {
    ip4='' ip6=''
    for one in $D_ips; do
        address "$one"
        if [ "$A_family" = 6 ]; then
            ip6=$ip6${ip6:+,}$A_ip${A_len:+/$A_len}
        elif [ -n "$A_len" ]; then
            mask "$A_len"
            ip4=$ip4${ip4:+:}$A_ip/$A_mask
        else
            ip4=$ip4${ip4:+:}$A_ip
        fi
    done
    if [ "$D_dhcp" = yes ]; then netif=$netif,dhcp=yes; elif [ -n "$D_ips" ]; then netif=$netif,ip=$ip4; fi
    # Both keys are there as soon as there is any address.
    if [ "$D_dhcp6" = yes ]; then netif=$netif,dhcp6=yes; elif [ -n "$D_ips" ]; then netif=$netif,ip6=$ip6; fi
}

# overlay OLD NEW: packed, OLD with what NEW says (fill_veth_dev); addresses of both, NEW's last
overlay() {
    device "$1"
    o_ifname=$D_ifname o_mac=$D_mac o_host_mac=$D_host_mac o_host=$D_host o_type=$D_type o_network=$D_network o_gw=$D_gw
    o_gw6=$D_gw6 o_filter=$D_filter o_ip_filter=$D_ip_filter o_configure=$D_configure o_dhcp=$D_dhcp o_dhcp6=$D_dhcp6
    o_ips=$D_ips o_more=$D_more
    device "$2"
    D_ifname=${D_ifname:-$o_ifname} D_mac=${D_mac:-$o_mac} D_host_mac=${D_host_mac:-$o_host_mac} D_host=${D_host:-$o_host}
    D_type=${D_type:-$o_type} D_network=${D_network:-$o_network} D_gw=${D_gw:-$o_gw} D_gw6=${D_gw6:-$o_gw6}
    D_filter=${D_filter:-$o_filter} D_ip_filter=${D_ip_filter:-$o_ip_filter} D_configure=${D_configure:-$o_configure}
    D_dhcp=${D_dhcp:-$o_dhcp} D_dhcp6=${D_dhcp6:-$o_dhcp6} D_more=${D_more:-$o_more}
    kept=''
    [ -n "$delete_all_ips" ] || for one in $o_ips; do
        same_ip "$one" "$D_ips $deleted_ips" || kept="$kept$one "
    done
    D_ips=$kept$D_ips
    D_ips=${D_ips% }
    pack_device
}

# merge OLD ADDED DELETED-NAMES: merged
merge() {
    merged='' list_rest=$1
    while [ -n "$list_rest" ]; do
        packed=${list_rest%%"$NL"*}
        list_rest=${list_rest#*"$NL"}
        case " $3 " in *" ${packed%%|*} "*) continue ;; esac
        in_devices "${packed%%|*}" "$2" && overlay "$packed" "$found"
        merged=$merged$packed$NL
    done
    list_rest=$2
    while [ -n "$list_rest" ]; do
        one=${list_rest%%"$NL"*}
        list_rest=${list_rest#*"$NL"}
        in_devices "${one%%|*}" "$1" || merged=$merged$one$NL
    done
}
