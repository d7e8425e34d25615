# shellcheck shell=sh disable=SC2034,SC2154
# What the stand-ins of both generations share. Sourced by vzctl4, vzctl7, vzlist4 and vzlist7.
# A fork costs some 30 ms in User-Mode Linux: functions answer in the globals named beside them, not on standard
# output, and none has a subshell for a body.
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin:${PATH:-}
export LC_ALL PATH
unset CDPATH

# Tests look at trees and namespaces of their own; a server sets neither.
root=${VZ_ROOT:-}
ns_prefix=${VZ_NETNS_PREFIX:-ct}

etc=$root/etc/vz
conf_dir=$etc/conf
names_dir=$etc/names
lock_dir=$root/vz/lock
# On a tmpfs: after a reboot every container is stopped.
run_dir=$root/run/vz
NL='
'
quiet=''
locked=''

# --- what the user reads ------------------------------------------------------------------------------------

# The genuine logger: level 0 goes to standard output, errors to standard error (v4 src/lib/logger.c).
say() { [ -n "$quiet" ] || printf '%s\n' "$*"; }
complain() { printf '%s\n' "$*" >&2; }

# leave CODE: the one way out once a lock may be held
leave() {
    [ -z "$locked" ] || rm -f "$locked"
    exit "$1"
}

# fail CODE WORDS...
fail() {
    code=$1
    shift
    complain "$*"
    leave "$code"
}

# --- locks --------------------------------------------------------------------------------------------------

# take_lock STALE-WORDS: 0 taken, 1 another process has it (then locker_pid says which). Source: v4 src/lib/lock.c.
take_lock() {
    [ -d "$lock_dir" ] || mkdir -p "$lock_dir"
    lock_file=$lock_dir/$ctid.lck
    lock_tries=0
    while [ "$lock_tries" -lt 4 ]; do
        lock_tries=$((lock_tries + 1))
        # noclobber makes the shell open with O_EXCL.
        set -C
        if { printf '%s\n\n' $$ >"$lock_file"; } 2>/dev/null; then
            set +C
            locked=$lock_file
            return 0
        fi
        set +C
        locker_pid=''
        { read -r locker_pid <"$lock_file"; } 2>/dev/null
        case $locker_pid in
        # Gone, or its owner has not written yet, or never will: the power went just then.
        '') if [ "$lock_tries" -lt 3 ]; then sleep 0.2; else rm -f "$lock_file"; fi ;;
        *[!0-9]*) rm -f "$lock_file" ;;
        *)
            [ ! -d "/proc/$locker_pid" ] || return 1
            say "$1 ${lock_file#"$root"}"
            rm -f "$lock_file"
            ;;
        esac
    done
    return 1
}

# locker: locker_line, the command line of the process locker_pid
locker() {
    locker_line=$(tr '\000' ' ' <"/proc/$locker_pid/cmdline" 2>/dev/null)
    locker_line=${locker_line% }
}

# --- conf files ---------------------------------------------------------------------------------------------

# read_conf FILE: its values in C_KEY. The genuine tools neither escape nor unescape: outer quotes are dropped.
read_conf() {
    C_NETIF='' C_IP_ADDRESS='' C_HOSTNAME='' C_NAME='' C_OSTEMPLATE='' C_ONBOOT='' C_DESCRIPTION='' C_UUID=''
    C_DISABLED='' C_VE_PRIVATE='' C_VE_ROOT='' C_NAMESERVER='' C_SEARCHDOMAIN='' C_ORIGIN_SAMPLE=''
    C_DISTRIBUTION='' C_BOOTORDER=''
    [ -e "$1" ] || return 1
    while IFS= read -r line || [ -n "$line" ]; do
        value=${line#*=}
        value=${value#\"}
        value=${value%\"}
        case $line in
        NETIF=*) C_NETIF=$value ;;
        IP_ADDRESS=*) C_IP_ADDRESS=$value ;;
        HOSTNAME=*) C_HOSTNAME=$value ;;
        NAME=*) C_NAME=$value ;;
        OSTEMPLATE=*) C_OSTEMPLATE=$value ;;
        ONBOOT=*) C_ONBOOT=$value ;;
        DESCRIPTION=*) C_DESCRIPTION=$value ;;
        UUID=*) C_UUID=$value ;;
        DISABLED=*) C_DISABLED=$value ;;
        VE_PRIVATE=*) C_VE_PRIVATE=$value ;;
        VE_ROOT=*) C_VE_ROOT=$value ;;
        NAMESERVER=*) C_NAMESERVER=$value ;;
        SEARCHDOMAIN=*) C_SEARCHDOMAIN=$value ;;
        ORIGIN_SAMPLE=*) C_ORIGIN_SAMPLE=$value ;;
        DISTRIBUTION=*) C_DISTRIBUTION=$value ;;
        BOOTORDER=*) C_BOOTORDER=$value ;;
        esac
    done <"$1"
}

# place KEY-VALUE DEFAULT: P_path (as the user sees it) and P_real (below VZ_ROOT); $VEID stands for the CTID.
place() {
    P_path=${1:-$2}
    case $P_path in
    *\$VEID*) P_path=${P_path%%\$VEID*}$ctid${P_path#*\$VEID} ;;
    esac
    P_real=$root$P_path
}

# change KEY VALUE: to be written by save_conf
changes=$NL
change() { changes=$changes$1=$2$NL; }

# save_conf FILE: lines that change stay where they are, new ones follow, comments and unknown lines are kept.
save_conf() {
    new='' rest=$changes
    if [ -e "$1" ]; then
        while IFS= read -r line || [ -n "$line" ]; do
            key=${line%%=*}
            case $rest in
            *"$NL$key="*)
                after=${rest#*"$NL$key="}
                rest=${rest%%"$NL$key="*}$NL${after#*"$NL"}
                line="$key=\"${after%%"$NL"*}\""
                ;;
            esac
            new=$new$line$NL
        done <"$1"
    fi
    rest=${rest#"$NL"}
    while [ -n "$rest" ]; do
        line=${rest%%"$NL"*}
        rest=${rest#*"$NL"}
        [ -z "$line" ] || new="$new${line%%=*}=\"${line#*=}\"$NL"
    done
    changes=$NL
    printf '%s' "$new" >"$1.tmp" && mv -f "$1.tmp" "$1"
}

# --- addresses ----------------------------------------------------------------------------------------------

# address WORD: true for ADDR or ADDR/LEN or ADDR/MASK; then A_ip, A_len ("" if none given), A_family (4 or 6)
address() {
    A_ip=${1%%/*} A_len='' A_family=4
    case $1 in */*) A_len=${1#*/} ;; esac
    case $1 in */) return 1 ;; esac
    case $A_ip in
    '' | *[!0-9a-fA-F:.]*) return 1 ;;
    *:*:*) A_family=6 ;;
    *) four_octets "$A_ip" || return 1 ;;
    esac
    case $A_len in
    '') ;;
    *.*) four_octets "$A_len" && length "$A_len" ;;
    *[!0-9]*) return 1 ;;
    *) [ "$A_len" -le $((A_family == 4 ? 32 : 128)) ] ;;
    esac
}

four_octets() {
    case $1 in *[!0-9.]* | .* | *. | *..*) return 1 ;; esac
    octets=0 octet_rest=$1.
    while [ -n "$octet_rest" ]; do
        octet=${octet_rest%%.*}
        octet_rest=${octet_rest#*.}
        [ "${#octet}" -le 3 ] && [ "$octet" -le 255 ] || return 1
        octets=$((octets + 1))
    done
    [ "$octets" -eq 4 ]
}

# length MASK: A_len of a dotted mask
length() {
    A_len=0 octet_rest=$1.
    while [ -n "$octet_rest" ]; do
        octet=${octet_rest%%.*}
        octet_rest=${octet_rest#*.}
        while [ "$octet" -gt 0 ]; do
            A_len=$((A_len + (octet & 1)))
            octet=$((octet >> 1))
        done
    done
}

# mask LEN: A_mask, dotted
mask() {
    A_mask='' mask_bits=$1
    for octet in 1 2 3 4; do
        octet=$((mask_bits >= 8 ? 255 : mask_bits > 0 ? 256 - (1 << (8 - mask_bits)) : 0))
        mask_bits=$((mask_bits - 8))
        A_mask=$A_mask${A_mask:+.}$octet
    done
}

# same_ip WORD LIST: true if the list has that address, whatever its length; then S_found is the word in it
same_ip() {
    for S_found in $2; do
        [ "${S_found%%/*}" != "${1%%/*}" ] || return 0
    done
    return 1
}

# --- numbers and names --------------------------------------------------------------------------------------

# hex2 N...: H, two upper-case hexadecimal digits for each. Not printf: a command substitution forks.
hex2() {
    H=''
    for byte in "$@"; do
        for nibble in $((byte >> 4 & 15)) $((byte & 15)); do
            case $nibble in
            10) H=${H}A ;; 11) H=${H}B ;; 12) H=${H}C ;; 13) H=${H}D ;; 14) H=${H}E ;; 15) H=${H}F ;;
            *) H=$H$nibble ;;
            esac
        done
        H=$H:
    done
    H=${H%:}
}

# is_mac WORD
is_mac() {
    case $1 in
    [0-9a-fA-F][0-9a-fA-F]:[0-9a-fA-F][0-9a-fA-F]:[0-9a-fA-F][0-9a-fA-F]:[0-9a-fA-F][0-9a-fA-F]:[0-9a-fA-F][0-9a-fA-F]:[0-9a-fA-F][0-9a-fA-F]) ;;
    *) return 1 ;;
    esac
}

# upper WORD, lower WORD: U, L; hexadecimal letters only
upper() {
    U='' case_rest=$1
    while [ -n "$case_rest" ]; do
        char=${case_rest%"${case_rest#?}"}
        case_rest=${case_rest#?}
        case $char in
        a) char=A ;; b) char=B ;; c) char=C ;; d) char=D ;; e) char=E ;; f) char=F ;;
        esac
        U=$U$char
    done
}
lower() {
    L='' case_rest=$1
    while [ -n "$case_rest" ]; do
        char=${case_rest%"${case_rest#?}"}
        case_rest=${case_rest#?}
        case $char in
        A) char=a ;; B) char=b ;; C) char=c ;; D) char=d ;; E) char=e ;; F) char=f ;;
        esac
        L=$L$char
    done
}

# set_name NAME OLD CODE: the symbolic link by which a name is a container's; returns CODE if it may not be
set_name() {
    case $1 in
    *[!A-Za-z0-9\ _.+-]*)
        complain "Error: invalid name $1"
        return "$3"
        ;;
    esac
    by_name "$1" && [ "$N_ctid" != "$ctid" ] && {
        complain "Conflict: name $1 already used by container $N_ctid"
        return "$3"
    }
    [ "$1" != "$2" ] || [ ! -h "$names_dir/$1" ] || return 0
    [ -z "$1" ] || {
        [ -d "$names_dir" ] || mkdir -p "$names_dir"
        ln -sf "/etc/vz/conf/$ctid.conf" "$names_dir/$1"
    }
    [ -z "$2" ] || [ "$1" = "$2" ] || rm -f "$names_dir/$2"
    say "Name $1 assigned"
}

# by_name NAME: N_ctid of the container of that name
by_name() {
    case $1 in '' | */* | . | ..) return 1 ;; esac
    [ -h "$names_dir/$1" ] || return 1
    N_ctid=$(readlink "$names_dir/$1")
    N_ctid=${N_ctid##*/}
    N_ctid=${N_ctid%.conf}
}
