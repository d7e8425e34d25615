# shellcheck shell=sh disable=SC2034,SC2154
# Command line of `vzctl set` and `vzctl create` of 7+ (vzctl src/vzctl.c ParseSetOptions, libvzctl lib/veth.c).

save='' added='' deleted='' configured='' ip_added='' ip_deleted='' ips_all='' deleted_ips='' delete_all_ips=''
name='' name_given='' plain='' template='' private_given='' about_veth='' own_ifname=''

bad() { fail 21 "Bad parameter for --$1: $2"; }

# parse_ctid WORD: ctid, an old number or a UUID (braces dropped)
parse_ctid() {
    ctid=${1#\{}
    ctid=${ctid%\}}
    case $ctid in
    '' | *[!0-9]*) ;;
    *) [ "${#ctid}" -le 10 ] && [ "$ctid" -gt 0 ] && return 0 ;;
    esac
    case $ctid in
    ????????-????-????-????-????????????) case $ctid in *[!0-9a-fA-F-]*) return 1 ;; esac ;;
    *) return 1 ;;
    esac
}

# network_id WORD: a name that libvirt networks may have (libvzctl lib/util.c:139)
network_id() {
    # 64 letters, digits and #() -_. ; bytes above ASCII are letters of other languages.
    [ "${#1}" -le 64 ] || return 1
    case $1 in *[\!\"\$%\&\'*+,/:\;\<=\>?@\[\\\]^\`\{\|\}~]*) return 1 ;; esac
}

# configure OPTION VALUE: one option that belongs to --ifname; `configured` is a device
configure() {
    device "$configured"
    case $1 in
    ifname)
        [ -z "$D_ifname" ] || { complain "Multiple use of --ifname option not allowed" && bad "$1" "$2"; }
        # The genuine check lets 16 through, one more than fits; its buffer overflows then, ours refuses.
        [ "${#2}" -le 15 ] || bad "$option" "$2"
        D_ifname=$2
        ;;
    mac | host_mac)
        is_mac "$2" || bad "$1" "$2"
        upper "$2"
        if [ "$1" = mac ]; then D_mac=$U; else D_host_mac=$U; fi
        ;;
    host_ifname)
        [ "${#2}" -le 15 ] || bad "$1" "$2"
        D_host=$2
        ;;
    network)
        network_id "$2" || bad "$1" "$2"
        # Sets the type as well, so --nettype must come after it; of two the first counts (veth.c:1313).
        [ -n "$D_network" ] || D_network=${2:-\~} D_type=vnet
        ;;
    nettype) case $2 in bridge | routed) D_type=$2 ;; *) bad "$1" "$2" ;; esac ;;
    gw | gateway) D_gw=${2:-\~} D_configure=${D_configure:-all} ;;
    gw6 | gateway6) D_gw6=${2:-\~} ;;
    dhcp | dhcp6)
        case $2 in yes | no) ;; *) bad "$1" "$2" ;; esac
        if [ "$1" = dhcp ]; then D_dhcp=$2; else D_dhcp6=$2; fi
        D_configure=${D_configure:-all}
        ;;
    mac_filter) case $2 in on | off) D_filter=$2 ;; *) bad "$1" "$2" ;; esac ;;
    configure)
        case $2 in
        none | no) D_configure=none ;;
        all | yes) D_configure=all ;;
        *) bad "$1" "$2" ;;
        esac
        ;;
    ipadd | ip)
        for one in $2; do
            address "$one" || bad "$1" "$2"
            D_ips="$D_ips${D_ips:+ }$A_ip${A_len:+/$A_len}"
        done
        D_configure=${D_configure:-all}
        ;;
    esac
    pack_device
    configured=$packed
}

# netif_add WORD: ifname[,mac[,host_ifname[,host_mac]]], no empty fields and no bridge. Without an --ifname of its own
# the whole word is taken for one (vzctl src/vzctl.c:1217), so a positional MAC works only beside --ifname.
netif_add() {
    [ -n "$own_ifname" ] || configure ifname "$1"
    D_rest=$1,
    device "${D_rest%%,*}"
    D_rest=${D_rest#*,}
    [ -n "$D_ifname" ] && [ "${#D_ifname}" -le 15 ] || return 1
    if [ -n "$D_rest" ]; then
        D_mac=${D_rest%%,*}
        [ "${#D_mac}" -eq 17 ] || {
            complain "Invalid Container MAC address length: ${D_rest%,}"
            return 1
        }
        is_mac "$D_mac" || {
            complain "Invalid Container MAC address format"
            return 1
        }
        upper "$D_mac"
        D_mac=$U D_host_mac=$U
        D_rest=${D_rest#*,}
        host_name
    fi
    if [ -n "$D_rest" ]; then
        D_host=${D_rest%%,*}
        D_rest=${D_rest#*,}
        [ "${#D_host}" -le 15 ] || return 1
    fi
    if [ -n "$D_rest" ]; then
        D_host_mac=${D_rest%,}
        is_mac "$D_host_mac" || {
            complain "Invalid host MAC address"
            return 1
        }
        upper "$D_host_mac"
        D_host_mac=$U
    fi
    pack_device
    in_devices "$D_ifname" "$added" || added=$added$packed$NL
}

set_option() {
    case $1 in
    netif_add) netif_add "$2" || bad "$1" "$2" ;;
    # Not special here: an interface called "all".
    netif_del) deleted="$deleted$2 " ;;
    ifname | mac | host_mac | host_ifname | network | nettype | gw | gateway | gw6 | gateway6 | dhcp | dhcp6 | \
        mac_filter | configure) configure "$@" ;;
    ipadd | ip)
        if [ -n "$about_veth" ]; then
            configure "$@"
        else
            for one in $2; do
                address "$one" || bad "$1" "$2"
                ip_added="$ip_added${ip_added:+ }$one"
            done
        fi
        ;;
    ipdel)
        if [ "$2" = all ]; then
            if [ -n "$about_veth" ]; then delete_all_ips=yes; else ips_all=yes; fi
            return 0
        fi
        for one in $2; do
            address "$one" || bad "$1" "$2"
            if [ -n "$about_veth" ]; then deleted_ips="$deleted_ips $one"; else ip_deleted="$ip_deleted $one"; fi
        done
        ;;
    name) name=$2 name_given=yes ;;
    hostname) plain=${plain}HOSTNAME=$2$NL ;;
    description) plain=${plain}DESCRIPTION=$2$NL ;;
    ostemplate) plain=${plain}OSTEMPLATE=$2$NL template=$2 ;;
    nameserver) plain=${plain}NAMESERVER=$2$NL ;;
    searchdomain) plain=${plain}SEARCHDOMAIN=$2$NL ;;
    distribution) plain=${plain}DISTRIBUTION=$2$NL ;;
    private) private_given=$2 ;;
    onboot)
        case $2 in yes | no | auto) plain=${plain}ONBOOT=$2$NL ;; *) bad "$1" "$2" ;; esac
        ;;
    disabled)
        case $2 in yes | no) plain=${plain}DISABLED=$2$NL ;; *) bad "$1" "$2" ;; esac
        ;;
    cpuunits | cpulimit | cpus | cpumask | memory | ram | swap | diskspace | diskinodes | size | features | ioprio | \
        iolimit | iopslimit | userpasswd | bootorder | devices | devnodes | setmode | applyconfig | layout | ve_layout | \
        root | config | id | uuid | physpages | swappages | rate | memguarantee | default_gateway | default_gw | vporttype) ;;
    *) return 1 ;;
    esac
}

# parse_options set|create WORDS...: as getopt_long, "--option value" and "--option=value"
parse_options() {
    action=$1
    shift
    for word in "$@"; do
        case $word in
        --ifname) about_veth=yes own_ifname=yes ;;
        --netif_add) about_veth=yes ;;
        esac
    done
    while [ $# -gt 0 ]; do
        option=${1#--} argument=''
        case $1 in
        --*=*)
            option=${option%%=*} argument=${1#*=}
            shift
            set -- "--$option" "$argument" "$@"
            ;;
        --*) ;;
        *) fail 20 "non-option ARGV-elements: $*" ;;
        esac
        case $option in
        save | force | skip_arpdetect | reset_ub | crypted | offline | no-hdd)
            [ "$option" != save ] || save=yes
            shift
            continue
            ;;
        esac
        if [ $# -lt 2 ]; then
            complain "vzctl: option '--$option' requires an argument"
            leave 21
        fi
        argument=$2
        shift 2
        set_option "$option" "$argument" || fail 21 "vzctl: unrecognized option '--$option'"
    done
}
