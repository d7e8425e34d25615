# shellcheck shell=sh disable=SC2034,SC2154
# What vzlist4 and vzlist7 share: options, sorting, columns, JSON. Sourced after common.sh and net.sh.
# A list program gives: known (all field names), get FIELD (F_value, F_header, F_width, F_kind), read_ct.

# Too long and not in the last column: lists are cut to their first item, other values to the column's width.
cut_lists=yes cut_strings=yes
all='' stopped='' header=yes json='' order='' wanted='' reverse='' sort_by=''
host_pattern='' name_pattern='' text_pattern='' link_pattern=''

# is_field WORD
is_field() { case " $known " in *" $1 "*) ;; *) return 1 ;; esac; }

# check_order LIST: every field of a comma-separated list must be known
check_order() {
    order_rest=$1,
    fields=''
    while [ -n "$order_rest" ]; do
        field=${order_rest%%,*}
        order_rest=${order_rest#*,}
        is_field "$field" || fail 1 "Unknown field: $field"
        fields="$fields$field "
    done
}

# sorted: cts, the CTIDs that have a conf file, numbers in numeric order (insertion: there are few)
sorted() {
    cts=''
    for path in "$conf_dir"/*.conf; do
        id=${path##*/}
        id=${id%.conf}
        is_ctid "$id" || continue
        [ -e "$path" ] || [ -L "$path" ] || continue
        [ -z "$wanted" ] || case " $wanted " in *" $id "*) ;; *) continue ;; esac
        before='' placed=''
        for one in $cts; do
            if [ -z "$placed" ] && precedes "$id" "$one"; then
                before="$before$id " placed=yes
            fi
            before="$before$one "
        done
        [ -n "$placed" ] || before="$before$id "
        cts=$before
    done
    [ -n "$reverse" ] || return 0
    before=''
    for one in $cts; do before="$one $before"; done
    cts=$before
}

# precedes A B: numbers by value, everything else after them in the order of the directory
precedes() {
    case $1$2 in *[!0-9]*) case $1 in *[!0-9]*) return 1 ;; *) case $2 in *[!0-9]*) return 0 ;; *) return 1 ;; esac ;; esac ;; esac
    [ "$1" -lt "$2" ]
}

# matches VALUE PATTERN
matches() {
    # shellcheck disable=SC2254 # a pattern is what it is
    [ -z "$2" ] || case $1 in $2) ;; *) return 1 ;; esac
}

# print_row header|values. Widths as printf has them: 15 pads left, -15 right. What stands last is neither cut nor followed
# by blanks.
print_row() {
    left=$fields
    while [ -n "$left" ]; do
        field=${left%% *}
        left=${left#* }
        last=''
        [ -n "$left" ] || last=yes
        get "$field"
        cut=''
        if [ "$1" = header ]; then
            F_value=$F_header
        elif [ "$F_kind" = list ]; then
            [ -n "$last" ] || [ -z "$cut_lists" ] || F_value=${F_value%% *} cut=.15
        else
            [ -z "$cut_strings" ] || cut=.${F_width#-}
        fi
        F_value=${F_value:--}
        # shellcheck disable=SC2059 # widths are numbers of ours
        case $last$F_width in
        yes-*) printf '%s\n' "${F_value% }" ;;
        yes*) printf "%${F_width}s\n" "$F_value" ;;
        *) printf "%$F_width${cut}s " "$F_value" ;;
        esac
    done
}

# json_object: one container. Strings are not escaped (v4 src/vzlist.c:95).
json_object() {
    printf '%s\n  {' "$comma"
    comma=,
    inner=''
    for field in $fields; do
        get "$field"
        case $F_kind in
        string) if [ -n "$F_value" ]; then F_value="\"$F_value\""; else F_value=null; fi ;;
        number) F_value=${F_value:-0} ;;
        bool) if [ "$F_value" = yes ]; then F_value=true; else F_value=false; fi ;;
        null) F_value=null ;;
        held) F_value='{"held": 0, "maxheld": 0, "barrier": 0, "limit": 0, "failcnt": 0}' ;;
        list)
            items=''
            for item in $F_value; do items="$items${items:+, }\"$item\""; done
            F_value="[$items]"
            ;;
        esac
        printf '%s\n    "%s": %s' "$inner" "$field" "$F_value"
        inner=,
    done
    printf '\n  }'
}

# print_all: the answer for cts
print_all() {
    comma=''
    [ -n "$json" ] && printf '['
    [ -n "$json" ] || [ -z "$header" ] || print_row header
    for ctid in $cts; do
        read_ct || continue
        [ -z "$stopped" ] || [ "$status" != running ] || continue
        [ -n "$all$stopped$wanted" ] || [ "$status" = running ] || continue
        matches "$C_HOSTNAME" "$host_pattern" || continue
        matches "$C_NAME" "$name_pattern" || continue
        matches "$C_DESCRIPTION" "$text_pattern" || continue
        if [ -n "$json" ]; then json_object; else print_row values; fi
    done
    [ -z "$json" ] || printf '\n]\n'
}

# list_options WORDS...: as getopt with "HtSanjN:h:d:o:s:Le1" and "i:cw" on 7+; short options may be joined
list_options() {
    while [ $# -gt 0 ]; do
        case $1 in
        --all) letters=a ;;
        --stopped) letters=S ;;
        --no-header) letters=H ;;
        --no-trim) letters=t ;;
        --name) letters=n ;;
        --json) letters=j ;;
        --list) letters=L ;;
        --help) letters=e ;;
        --output | --sort | --hostname | --name_filter | --description | --netif) letters=${1#--} ;;
        --*=*)
            long=${1%%=*} text=${1#*=}
            shift
            set -- "$long" "$text" "$@"
            continue
            ;;
        --*)
            complain "vzlist: unrecognized option '$1'"
            list_usage
            exit "$usage_rc"
            ;;
        -?*) letters=${1#-} ;;
        *)
            a_container "$1"
            shift
            continue
            ;;
        esac
        shift
        while [ -n "$letters" ]; do
            letter=${letters%"${letters#?}"} text=''
            case $letters in
            output | sort | hostname | name_filter | description | netif) letter=$letters ;;
            esac
            case $letter in
            o | s | h | N | d | i | output | sort | hostname | name_filter | description | netif)
                if [ "${#letter}" -eq 1 ] && [ -n "${letters#?}" ]; then
                    text=${letters#?}
                else
                    [ $# -gt 0 ] || { list_usage && exit "$usage_rc"; }
                    text=$1
                    shift
                fi
                letters=''
                ;;
            *) letters=${letters#?} ;;
            esac
            list_option "$letter" "$text"
        done
    done
}

list_option() {
    case $1 in
    a) all=yes ;;
    S) stopped=yes ;;
    H) header='' ;;
    t) cut_lists='' cut_strings='' ;;
    j) json=yes ;;
    n) order=$name_order ;;
    1) order=veid header='' ;;
    o | output) order=$2 ;;
    h | hostname) host_pattern=$2 ;;
    N | name_filter) name_pattern=$2 ;;
    d | description) text_pattern=$2 ;;
    i | netif)
        [ "$usage_rc" = 0 ] || bad_letter "$1"
        link_pattern=$2
        ;;
    s | sort)
        sort_by=${2#-}
        [ "$sort_by" = "$2" ] || reverse=yes
        is_field "$sort_by" || fail 1 "$bad_sort$2$bad_sort_end"
        ;;
    L)
        for field in $known; do
            get "$field"
            printf '%-15s %s\n' "$field" "$F_header"
        done
        exit 0
        ;;
    c | w) [ "$usage_rc" = 0 ] || bad_letter "$1" ;;
    e) list_usage && exit "$usage_rc" ;;
    *) bad_letter "$1" ;;
    esac
}

bad_letter() {
    complain "vzlist: invalid option -- '$1'"
    list_usage
    exit "$usage_rc"
}

list_usage() {
    echo 'Usage:	vzlist [-a | -S] [-n] [-H] [-o field[,field...] | -1] [-s [-]field]'
    echo '	       [-h pattern] [-N pattern] [-d pattern] [CTID [CTID ...]]'
    echo '	vzlist -L | --list'
}
