# shellcheck shell=sh disable=SC2034,SC2154
# NETIF of vzctl 4.x: reading, merging and writing as src/lib/config.c and src/lib/veth.c (4.11.1) do.
# A device is "ifname|bridge|mac|host_ifname|host_mac|mac_filter", a list has one per word: no value has a blank.

# device WORD: D_ifname D_bridge D_mac D_host D_host_mac D_filter
device() {
    set -f
    IFS='|'
    # shellcheck disable=SC2086 # the split is the point; the extra bar keeps empty last fields
    set -- $1
    unset IFS
    set +f
    D_ifname=${1-} D_bridge=${2-} D_mac=${3-} D_host=${4-} D_host_mac=${5-} D_filter=${6-}
}

pack_device() { packed="$D_ifname|$D_bridge|$D_mac|$D_host|$D_host_mac|$D_filter"; }

# parse_netif VALUE: `devices`. Any order of keys, unknown ones ignored, what is missing is generated (config.c:1746).
parse_netif() {
    devices='' netif_rest=$1
    while [ -n "$netif_rest" ]; do
        entry=${netif_rest%%;*}
        case $netif_rest in *\;*) netif_rest=${netif_rest#*;} ;; *) netif_rest='' ;; esac
        D_ifname='' D_bridge='' D_mac='' D_host='' D_host_mac='' D_filter=''
        while [ -n "$entry" ]; do
            word=${entry%%,*}
            case $entry in *,*) entry=${entry#*,} ;; *) entry='' ;; esac
            case $word in
            ifname=*) D_ifname=${word#*=} ;;
            bridge=*) D_bridge=${word#*=} ;;
            mac=*) D_mac=${word#*=} ;;
            host_ifname=*) D_host=${word#*=} ;;
            host_mac=*) D_host_mac=${word#*=} ;;
            mac_filter=*) D_filter=${word#*=} ;;
            esac
        done
        [ -n "$D_ifname" ] || continue
        [ -n "$D_host" ] || host_name "$D_ifname"
        [ -n "$D_mac" ] || { generate_mac "$D_host" && D_mac=$M; }
        D_host_mac=${D_host_mac:-$D_mac}
        in_devices "$D_ifname" "$devices" && continue
        pack_device
        devices="$devices$packed "
    done
}

# write_netif LIST: netif, the value of NETIF
write_netif() {
    netif=''
    for one in $1; do
        device "$one"
        netif="$netif${netif:+;}ifname=$D_ifname${D_bridge:+,bridge=$D_bridge}${D_mac:+,mac=$D_mac}"
        netif="$netif${D_host:+,host_ifname=$D_host}${D_host_mac:+,host_mac=$D_host_mac}"
        netif="$netif${D_filter:+,mac_filter=$D_filter}"
    done
}

# in_devices IFNAME LIST: true if there is one of that name; then `found` is it
in_devices() {
    for found in $2; do
        [ "${found%%|*}" != "$1" ] || return 0
    done
    return 1
}

# overlay OLD NEW: packed, OLD with what NEW says; an empty field says nothing (veth.c fill_veth_dev). So --bridge ''
# keeps the old bridge.
overlay() {
    device "$1"
    o_ifname=$D_ifname o_bridge=$D_bridge o_mac=$D_mac o_host=$D_host o_host_mac=$D_host_mac o_filter=$D_filter
    device "$2"
    D_ifname=${D_ifname:-$o_ifname} D_bridge=${D_bridge:-$o_bridge} D_mac=${D_mac:-$o_mac}
    D_host=${D_host:-$o_host} D_host_mac=${D_host_mac:-$o_host_mac} D_filter=${D_filter:-$o_filter}
    pack_device
}

# merge OLD ADDED DELETED-NAMES: merged (veth.c merge_veth_list)
merge() {
    merged=''
    for one in $1; do
        case " $3 " in *" ${one%%|*} "*) continue ;; esac
        packed=$one
        in_devices "${one%%|*}" "$2" && overlay "$one" "$found"
        merged="$merged$packed "
    done
    for one in $2; do
        in_devices "${one%%|*}" "$1" || merged="$merged$one "
    done
}

# host_name IFNAME: D_host, veth<CTID>.<digits of the name or 0> (config.c generate_veth_name)
host_name() {
    number=$1
    while case $number in '' | [0-9]*) false ;; esac; do number=${number#?}; done
    number=${number%%[!0-9]*}
    # Not a number to the genuine sscanf: a name that begins with a digit.
    case $1 in [0-9]*) number='' ;; esac
    D_host=veth$ctid.${number:-0}
}

# generate_mac NAME: M, 00:18:51 and a hash of NAME, the CTID and the server's first MAC (veth.c generate_mac)
generate_mac() {
    hardware_id
    data="$1:$ctid:$hwid "
    ascii=' !"#$%&'\''()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\]^_`abcdefghijklmnopqrstuvwxyz{|}~'
    w=4294967295 hash=$ctid
    char=${data%"${data#?}"}
    before=${ascii%%"$char"*}
    code=$((${#before} + 32))
    data=${data#?}
    while [ -n "$data" ]; do
        char=${data%"${data#?}"}
        data=${data#?}
        before=${ascii%%"$char"*}
        next=$((${#before} + 32))
        hash=$((hash + code & w))
        hash=$(((hash << 16 & w) ^ (next << 11) ^ hash))
        hash=$((hash + (hash >> 11) & w))
        code=$next
    done
    hash=$(((hash ^ hash << 3) & w))
    hash=$((hash + (hash >> 5) & w))
    hash=$(((hash ^ hash << 4) & w))
    hash=$((hash + (hash >> 17) & w))
    hash=$(((hash ^ hash << 25) & w))
    hash=$((hash + (hash >> 6) & w))
    hex2 $((hash)) $((hash >> 8)) $((hash >> 15))
    M=00:18:51:$H
}

# hardware_id: hwid, the MAC of the Ethernet link that was there first (veth.c get_hwid asks `ip a`)
hardware_id() {
    [ -z "${hwid:-}" ] || return 0
    hwid=00:00:00:00:00:00 first=''
    for link in /sys/class/net/*/type; do
        { read -r kind <"$link" && [ "$kind" = 1 ] && read -r index <"${link%type}ifindex"; } 2>/dev/null || continue
        [ -z "$first" ] || [ "$index" -lt "$first" ] || continue
        first=$index
        read -r hwid <"${link%type}address"
    done
}

# parse_netif_add WORD: packed, of --netif_add ifname[,mac,host_ifname,host_mac,bridge] (config.c:1943)
parse_netif_add() {
    set -f
    IFS=,
    # shellcheck disable=SC2086
    set -- $1
    unset IFS
    set +f
    D_ifname=${1-} D_mac=${2-} D_host=${3-} D_host_mac=${4-} D_bridge=${5-} D_filter=''
    [ "$#" -le 5 ] || D_bridge=$D_bridge,$6
    [ -n "$D_ifname" ] && [ "${#D_ifname}" -le 15 ] && [ "${#D_host}" -le 15 ] && [ "${#D_bridge}" -le 15 ] || return 1
    mac_field "$D_mac" "container MAC address" " length" || return 1
    mac_field "$D_host_mac" "host MAC address" || return 1
    [ -n "$D_host" ] || host_name "$D_ifname"
    [ -n "$D_mac" ] || { generate_mac "$D_ifname" && D_mac=$M; }
    if [ -z "$D_host_mac" ]; then
        # Nothing after the MAC: both ends get it. Empty fields in between: a generated one.
        if [ "$#" -gt 1 ] && [ "$#" -le 3 ]; then D_host_mac=$D_mac; else generate_mac "$D_host" && D_host_mac=$M; fi
    fi
    upper "$D_mac" && D_mac=$U
    upper "$D_host_mac" && D_host_mac=$U
    pack_device
}

# mac_field WORD WHAT [" length"]
mac_field() {
    [ -n "$1" ] || return 0
    [ "${#1}" -eq 17 ] || {
        complain "Invalid $2${3:-}"
        return 1
    }
    is_mac "$1" || {
        complain "Invalid $2${3:+ format}"
        return 1
    }
}
