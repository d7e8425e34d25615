# shellcheck shell=sh disable=SC2034,SC2154
# A container as the kernel sees it: a named network namespace, veth pairs and the host-routed pair. Sourced after
# common.sh. Batches for `ip` are gathered and run once: every fork counts.

# --- what runs ----------------------------------------------------------------------------------------------

# read_state: R_running (yes or ""), R_ips (host-routed), R_venet (its host side), R_veths ("ifname|host_ifname ...")
read_state() {
    R_running='' R_ips='' R_venet='' R_veths=''
    state=$run_dir/$ctid
    ns=$ns_prefix$ctid
    [ -e "$state" ] || return 0
    R_running=yes
    while read -r word rest; do
        case $word in
        ips) R_ips=$rest ;;
        venet) R_venet=$rest ;;
        # A pair that somebody deleted by hand is not ours any more.
        veth) [ ! -e "/sys/class/net/${rest#*|}" ] || R_veths="$R_veths$rest " ;;
        esac
    done <"$state"
}

write_state() {
    {
        printf 'ips %s\nvenet %s\n' "$R_ips" "$R_venet"
        for pair in $R_veths; do printf 'veth %s\n' "$pair"; done
    } >"$state"
}

# live IFNAME: true if the running container has it; then V_host is its host side
live() {
    for pair in $R_veths; do
        V_host=${pair#*|}
        [ "${pair%%|*}" != "$1" ] || return 0
    done
    V_host=''
    return 1
}

# forget_veth IFNAME: out of R_veths
forget_veth() {
    kept=''
    for pair in $R_veths; do
        [ "${pair%%|*}" = "$1" ] || kept="$kept$pair "
    done
    R_veths=$kept
}

# --- batches for ip -----------------------------------------------------------------------------------------

host_batch='' inside_batch=''
host() { host_batch=$host_batch$*$NL; }
inside() { inside_batch=$inside_batch$*$NL; }

# run_host [-force]: what host() gathered; ip's own words are the error message
run_host() {
    [ -n "$host_batch" ] || return 0
    batch=$host_batch
    host_batch=''
    ip "$@" -batch - <<BATCH
$batch
BATCH
}

run_inside() {
    [ -n "$inside_batch" ] || return 0
    batch=$inside_batch
    inside_batch=''
    ip -n "$ns" "$@" -batch - <<BATCH
$batch
BATCH
}

# pair HOSTIF HOST-MAC IFNAME MAC: in the next batches. False if the server has a link of that name already: it is none
# of ours, and must not be taken for one when we clean up.
pair() {
    [ ! -e "/sys/class/net/$1" ] || {
        complain "Unable to create veth $1: File exists"
        return 1
    }
    host link add "$1" address "$2" type veth peer name "$3" address "$4" netns "$ns"
}

# --- namespace ----------------------------------------------------------------------------------------------

# open_container: an empty one. A leftover of the same name (power cut of a tmpfs-less test) is replaced.
open_container() {
    [ ! -e "/run/netns/$ns" ] || ip netns del "$ns"
    ip netns add "$ns" || return 1
    [ -d "$run_dir" ] || mkdir -p "$run_dir"
    inside link set lo up
}

# start_guest PRIVATE: the guest's own network scripts, stood for by one snippet in its private area
start_guest() {
    [ -e "$1/etc/network-up" ] || return 0
    # Detached from our standard streams: a daemon that it starts would keep an ssh session open.
    (cd / && CTID=$ctid exec ip netns exec "$ns" sh "$1/etc/network-up") </dev/null >"$state.guest" 2>&1
}

# close_container: pairs first, because the kernel clears a dying namespace later, and a start that comes at once
# would find the old host side still there
close_container() {
    for pair in $R_veths; do host link del "${pair#*|}"; done
    venet_away "$R_ips"
    [ -z "$R_venet" ] || host link del "$R_venet"
    run_host -force 2>/dev/null
    pids=$(ip netns pids "$ns" 2>/dev/null)
    # shellcheck disable=SC2086 # numbers, to be split
    [ -z "$pids" ] || kill -9 $pids 2>/dev/null
    ip netns del "$ns" 2>/dev/null
    rm -f "$state" "$state.guest"
    R_running='' R_ips='' R_venet='' R_veths=''
}

# run_in_container WORDS...: genuine tools join all words with blanks, an empty one as '', and give them to a shell
# (v4 src/vzctl-actions.c:1409, v7 src/vz.c). "-" reads the script from standard input.
run_in_container() {
    command='' empty="''"
    for word in "$@"; do command="$command${word:-$empty} "; done
    cd / || return 1
    case $1 in
    -) ip netns exec "$ns" sh -c "${own_etc}exec sh" ;;
    *) ip netns exec "$ns" sh -c "$own_etc$command" ;;
    esac
}
# A guest has the server's files, but never its network configuration: what is written there would be the server's.
# `ip netns exec` has made a mount namespace for it.
own_etc=''
for dir in /etc/network /etc/sysconfig /etc/netplan; do
    [ ! -d $dir ] || own_etc="${own_etc}mount -t tmpfs none $dir || exit 126; "
done

# --- host-routed interface ----------------------------------------------------------------------------------

# carrier: D_dev, the link with the server's default route (eth0, or the bridge that took its address)
carrier() {
    D_dev=''
    while read -r dev destination _ _ _ _ _ dmask _; do
        [ "$destination$dmask" != 0000000000000000 ] || {
            D_dev=$dev
            return 0
        }
    done </proc/net/route
    complain "vps-net_add WARNING: Device list is empty"
    return 1
}

forwarding_on() {
    read -r flag </proc/sys/net/ipv4/ip_forward
    [ "$flag" = 1 ] || echo 1 >/proc/sys/net/ipv4/ip_forward
    v6=/proc/sys/net/ipv6/conf/all
    [ -e $v6 ] || return 0
    read -r flag <$v6/forwarding
    [ "$flag" = 1 ] || echo 1 >$v6/forwarding
    # Without it the kernel ignores proxy entries of IPv6.
    read -r flag <$v6/proxy_ndp
    [ "$flag" = 1 ] || echo 1 >$v6/proxy_ndp
}

# venet_here IPS: routes to R_venet and proxy entries on the server, addresses inside
venet_here() {
    forwarding_on
    carrier
    for word in $1; do
        address "$word" || continue
        host route replace "$A_ip" dev "$R_venet"
        [ -z "$D_dev" ] || host neigh replace proxy "$A_ip" dev "$D_dev"
        if [ "$A_family" = 6 ]; then
            inside addr replace "$A_ip/${A_len:-128}" dev venet0 nodad
        else
            inside addr replace "$A_ip/${A_len:-32}" dev venet0
        fi
    done
}

# venet_away IPS: the opposite, on the server only. Like the genuine 4.x script it looks at the link that carries the
# default route now, so an entry on the link that carried it before stays.
venet_away() {
    [ -n "$1" ] && carrier 2>/dev/null || return 0
    for word in $1; do
        host neigh del proxy "${word%%/*}" dev "$D_dev"
        [ -z "$R_venet" ] || host route del "${word%%/*}" dev "$R_venet"
    done
}

# in_use IP: true if another running container has it
in_use() {
    for other in "$run_dir"/*; do
        case $other in *.guest | "$run_dir/$ctid") continue ;; esac
        [ -e "$other" ] || continue
        read -r _ taken <"$other"
        same_ip "$1" "$taken" && return 0
    done
    return 1
}
