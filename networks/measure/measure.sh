#!/bin/sh
# Measures who answers whom: ping and arping from a server and from inside its containers, all in one exec.
#   sh -s NONCE        with this text on standard input, the jobs in it
#   measure -          as a program: NONCE is the first line of standard input, the jobs are the others
# A line of jobs is one place to ask from:
#   server - ping=ADDRESS arp=LINK,ADDRESS ...         from the server itself
#   ct CTID ping=ADDRESS arp=ADDRESS ...               from inside a running container, by all its links
#   witness LINK,VID,ADDRESS/PREFIX SECONDS            answers on a VLAN of a link, in a namespace that is gone after
# The answer, every line begun by @NONCE and the place:
#   mac LINK MAC | ping ADDRESS yes|no | arp LINK ADDRESS MAC|none|unknown | missing TOOL | no-way-in | witness ready|failed
#   @NONCE done                                        missing: the answer was cut off
# Changes nothing but for a witness. A container is entered by its network namespace with the server's own tools; where
# it has none with a name, by vzctl exec with what the guest has.
# shellcheck disable=SC2016 # expanded by the shell that gets it
set -uf
LC_ALL=C
PATH=${MEASURE_PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}
export LC_ALL PATH
nonce=${1-} from=text
[ "$nonce" != - ] || { read -r nonce && from=input; } || nonce=''
netns=${MEASURE_NETNS:-/var/run/netns}
case $nonce in
'' | *[!0-9a-f]*)
    echo 'usage: sh -s NONCE (hexadecimal)' >&2
    exit 64
    ;;
esac
patient=''
if command -v timeout >/dev/null; then patient='timeout -s KILL 80'; fi

# What runs at the place, with the jobs as its arguments: at most 6 probes at the same time, each of two packets and up
# to 2 seconds. "none" only where arping itself says that it received nothing. Forks are what a server pays for.
inner='
six=ping6; command -v ping6 >/dev/null || six=ping
ping_one() {
    case $1 in *:*) tool=$six ;; *) tool=ping ;; esac
    if "$tool" -c 2 -W 1 -q "$1" >/dev/null 2>&1; then echo "ping $1 yes"; else echo "ping $1 no"; fi
}
ask() { arping "$@" 2>&1; }
arp_one() {
    out=$(ask -f -c 2 -w 2 -I "$1" "$2")
    case $out in *Unicast*|*"Received 0"*) ;; *) out=$(ask -D -f -c 2 -w 2 -I "$1" "$2") ;; esac
    case $out in
    *"Unicast reply from "*"["*"]"*) mac=${out#*"["}; mac=${mac%%"]"*} ;;
    *"Received 0"*) mac=none ;;
    *) mac=unknown ;;
    esac
    echo "arp $1 $2 $mac"
}
links() {
    for link in /sys/class/net/*; do
        name=${link##*/}
        case $name in lo|venet*|bonding_masters) continue ;; esac
        [ -e "$link/master" ] || [ -e "$link/brport" ] || echo "$name"
    done
}
for link in /sys/class/net/*/address; do
    read -r mac <"$link" && link=${link%/address} && echo "mac ${link##*/} $mac"
done
arp=yes; command -v arping >/dev/null || { arp=; echo "missing arping"; }
ping=yes; command -v ping >/dev/null || { ping=; echo "missing ping"; }
count=0
for job; do
    case $job in
    ping=*) [ -z "$ping" ] || { ping_one "${job#ping=}" & count=$((count + 1)); } ;;
    arp=*,*) [ -z "$arp" ] || { job=${job#arp=}; arp_one "${job%%,*}" "${job#*,}" & count=$((count + 1)); } ;;
    arp=*)
        for name in ${arp:+$(links)}; do arp_one "$name" "${job#arp=}" & count=$((count + 1)); done ;;
    esac
    [ $((count % 6)) != 0 ] || wait
done
wait'

# say PLACE: each line that comes, named. One write a line, so that places can speak at the same time.
say() {
    while IFS= read -r line; do
        case $line in *[!\ -~]*) continue ;; esac
        printf '@%s %s %.120s\n' "$nonce" "$1" "$line"
    done
}

# shellcheck disable=SC2086 # $patient: words or none
from_container() {
    ctid=$1
    shift
    for name in "$ctid" "ct$ctid"; do
        if [ -e "$netns/$name" ]; then
            $patient ip netns exec "$name" sh -c "$inner" measure "$@" 2>/dev/null | head -c 65536 | say "$ctid"
            return
        fi
    done
    if command -v vzctl >/dev/null; then
        $patient vzctl exec "$ctid" "set -- $*; $inner" 2>/dev/null | head -c 65536 | say "$ctid"
    else
        echo no-way-in | say "$ctid"
    fi
}

# A link-local address that answers on a VLAN of a link, for some seconds, where nobody else lives.
witness() {
    base=${1%%,*} rest=${1#*,}
    space="vnp-$(printf '%.12s' "$nonce")"
    if {
        ip netns add "$space" &&
            ip link add link "$base" name vnpw netns "$space" type vlan id "${rest%%,*}" &&
            ip netns exec "$space" ip addr add "${rest#*,}" dev vnpw &&
            ip netns exec "$space" ip link set dev vnpw up
    } 2>/dev/null; then echo 'witness ready'; else echo 'witness failed'; fi | say -
    sleep "$2"
    ip netns del "$space" 2>/dev/null
}

# Whoever sends jobs may not be trusted: as a program behind sudo this is all that stands between her and root.
is_made_of() { # is_made_of LETTERS LONGEST WORD
    case $3 in '' | -* | *[!$1]*) return 1 ;; esac
    [ ${#3} -le "$2" ]
}
is_address() { is_made_of 0-9A-Fa-f:. 45 "$1"; }
is_link() { is_made_of A-Za-z0-9_.- 15 "$1"; }
is_number() { is_made_of 0-9 4 "$1" && [ "$1" -ge 1 ] && [ "$1" -le "$2" ]; }
are_probes() {
    for job; do
        case $job in
        ping=*) is_address "${job#ping=}" ;;
        arp=*,*) job=${job#arp=} && is_link "${job%%,*}" && is_address "${job#*,}" ;;
        arp=*) is_address "${job#arp=}" ;;
        *) return 1 ;;
        esac || return 1
    done
}
is_witness() (
    [ $# = 2 ] && is_number "$2" 30 || exit 1
    base=${1%%,*} rest=${1#*,}
    vid=${rest%%,*} address=${rest#*,}
    # Link-local only: whoever has the key must not be able to answer for a gateway.
    case $address in 169.254.*/16) ;; *) exit 1 ;; esac
    is_link "$base" && is_number "$vid" 4094 && is_address "${address%/*}"
)

measure() {
    busy=0
    while read -r kind place jobs; do
        # shellcheck disable=SC2086 # words of harmless letters, see above; no globbing
        case $kind in
        server) are_probes $jobs && sh -c "$inner" measure $jobs 2>/dev/null </dev/null | say - & ;;
        ct) is_made_of 0-9A-Fa-f- 36 "$place" && are_probes $jobs && from_container "$place" $jobs </dev/null & ;;
        witness) is_witness "$place" $jobs && witness "$place" $jobs </dev/null & ;;
        *) continue ;;
        esac
        busy=$((busy + 1))
        [ $((busy % 3)) != 0 ] || wait
    done
    wait
}
if [ $from = input ]; then measure; else
    measure <<'JOBS'
@JOBS@
JOBS
fi
printf '@%s done\n' "$nonce"
