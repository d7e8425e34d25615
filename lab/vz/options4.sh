# shellcheck shell=sh disable=SC2034,SC2154
# Command line of `vzctl set` and `vzctl create` of 4.x (src/vzctl-actions.c, src/lib/config.c).

save='' added='' deleted='' all_deleted='' configured='' ip_added='' ip_deleted='' ips_all=''
name='' name_given='' plain='' sample='' template='' private_given=''

bad() { fail 21 "Bad parameter for --$1: $2"; }

# configure FIELD OPTION VALUE: one option that belongs to --ifname; `configured` is a device
configure() {
    device "$configured"
    case $1 in
    ifname)
        [ -z "$D_ifname" ] || { complain "Multiple use of --ifname option not allowed" && bad "$2" "$3"; }
        D_ifname=$3
        ;;
    bridge)
        [ -z "$D_bridge" ] || { complain "Multiple use of --bridge option not allowed" && bad "$2" "$3"; }
        D_bridge=$3
        ;;
    host) D_host=$3 ;;
    esac
    # The genuine check lets 16 through, one more than fits (config.c:1703): its buffer overflows then, ours refuses.
    [ "${#3}" -le 15 ] || [ "$1" = mac ] || [ "$1" = host_mac ] || bad "$2" "$3"
    case $1 in
    mac | host_mac)
        is_mac "$3" || bad "$2" "$3"
        upper "$3"
        if [ "$1" = mac ]; then D_mac=$U; else D_host_mac=$U; fi
        ;;
    filter) case $3 in on | off) D_filter=$3 ;; *) bad "$2" "$3" ;; esac ;;
    esac
    pack_device
    configured=$packed
}

set_option() {
    case $1 in
    netif_add)
        set -f
        for word in $2; do
            parse_netif_add "$word" || bad "$1" "$2"
            added="$added$packed "
        done
        set +f
        ;;
    netif_del) if [ "$2" = all ]; then all_deleted=yes; else deleted="$deleted$2 "; fi ;;
    ifname) configure ifname "$@" ;;
    bridge) configure bridge "$@" ;;
    host_ifname) configure host "$@" ;;
    mac) configure mac "$@" ;;
    host_mac) configure host_mac "$@" ;;
    mac_filter) configure filter "$@" ;;
    ipadd | ip)
        for word in $2; do
            address "$word" || bad "$1" "$2"
            ip_added="$ip_added${ip_added:+ }$word"
        done
        ;;
    ipdel)
        [ "$2" = all ] && ips_all=yes && return 0
        for word in $2; do
            address "$word" || bad "$1" "$2"
            ip_deleted="$ip_deleted $word"
        done
        ;;
    name) name=$2 name_given=yes ;;
    hostname) plain=${plain}HOSTNAME=$2$NL ;;
    description) plain=${plain}DESCRIPTION=$2$NL ;;
    ostemplate) plain=${plain}OSTEMPLATE=$2$NL template=$2 ;;
    nameserver) plain=${plain}NAMESERVER=$2$NL ;;
    searchdomain) plain=${plain}SEARCHDOMAIN=$2$NL ;;
    private) plain=${plain}VE_PRIVATE=$2$NL private_given=$2 ;;
    root) plain=${plain}VE_ROOT=$2$NL ;;
    onboot | disabled)
        case $2 in yes | no) ;; *) bad "$1" "$2" ;; esac
        if [ "$1" = onboot ]; then plain=${plain}ONBOOT=$2$NL; else plain=${plain}DISABLED=$2$NL; fi
        ;;
    config) sample=$2 ;;
    *) return 1 ;;
    esac
}

# parse_options set|create WORDS...: as getopt_long, "--option value" and "--option=value"
parse_options() {
    action=$1
    shift
    while [ $# -gt 0 ]; do
        option=${1#--} given=''
        case $1 in
        --*=*) option=${option%%=*} given=yes ;;
        --*) ;;
        *) fail 20 "Invalid extra arguments: $*" ;;
        esac
        case $option in
        save | force | skip_arpdetect | reset_ub | offline-resize | offline)
            [ "$action" = set ] || fail 21 "vzctl: unrecognized option '--$option'"
            [ "$option" = save ] && save=yes
            shift
            continue
            ;;
        cpuunits | cpulimit | cpus | cpumask | ram | swap | diskspace | diskinodes | quotatime | numproc | kmemsize | \
            privvmpages | features | capability | iptables | netfilter | ioprio | iolimit | iopslimit | userpasswd | \
            bootorder | devices | devnodes | setmode | applyconfig | layout | local_uid | local_gid | physpages | swappages)
            known=yes ;;
        *) known='' ;;
        esac
        if [ -n "$given" ]; then
            argument=${1#*=}
            shift
        elif [ $# -gt 1 ]; then
            argument=$2
            shift 2
        else
            argument=''
            shift
            [ -n "$known" ] || ! set_option "$option" 0 2>/dev/null || fail 21 "vzctl: option '--$option' requires an argument"
        fi
        [ -n "$known" ] || set_option "$option" "$argument" || fail 21 "vzctl: unrecognized option '--$option'"
    done
}
