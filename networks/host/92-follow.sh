# shellcheck shell=sh disable=SC2034,SC2154
# vzctl's saved configuration follows the commit. vzctl saves at once and outside any rollback, so it comes last,
# and is repeated until it agrees. Its exit code is believed only together with a re-read: 4.x has `set --save`
# of an unknown container succeed and create a conf file, and 7+ saves even when the setting failed.

CONF=${VNP_CONF:-$SYS/etc/vz/conf}

follow() {
	hold_transaction 3 || fail "$BUSY" "a transaction is at work"
	pending
	[ -z "$P_txid" ] || fail "$BUSY" "$P_txid is not decided yet"
	committed_txid
	[ -n "$C_txid" ] || { say state=empty && leave "$OK"; }
	[ "$1" = - ] || [ "$1" = "$C_txid" ] || fail "$UNKNOWN" "committed is $C_txid"
	F_open=0
	while read -r f_kind f_a f_b f_c f_d f_e; do
		case $f_kind in
		save) follow_save "$f_a" "$f_b" "$f_c" "$f_d" "$f_e" || F_open=1 ;;
		drop) drop_bridge "$f_a" || F_open=1 ;;
		esac
	done <"$ETC/committed"
	if [ $F_open = 0 ]; then
		say "$C_txid" | put "$LIB/followed"
		say state=agrees
		leave "$OK"
	fi
	say state=differs
	leave "$BUSY"
}
# follow_save DIALECT CTID IFNAME HOSTIF BRIDGE|-
follow_save() {
	s_what="saved $2 $3"
	[ -f "$CONF/$2.conf" ] || { say "$s_what differs container $2 has no configuration here" && return 1; }
	saved_as "$2" "$3" || { say "$s_what differs container $2 has no interface $3" && return 1; }
	[ "$S_type" != routed ] || { say "$s_what differs $3 is host-routed" && return 1; }
	if ! agrees "$1" "$5"; then
		s_words=$(vzctl_saves "$1" "$2" "$3" "$4" "$5" 2>&1)
		saved_as "$2" "$3"
		agrees "$1" "$5" || {
			say "$s_what differs $(say "$s_words" | tail -n 1 | tr -cd ' -~')"
			return 1
		}
	fi
	joins "$4" "$5" || { say "$s_what differs $4 cannot join $5" && return 1; }
	say "$s_what ok"
}
saved_as() {
	S_bridge='' S_type=''
	s_line=$(awk -v key=ifname -v value="$2" "$AWK_NETIF" "$CONF/$1.conf") || return 1
	S_bridge=${s_line% *} S_type=${s_line#* }
}
# agrees DIALECT BRIDGE. On 4.x "none" is a name of its own: an empty --bridge would keep the old one.
agrees() {
	case $1$2 in
	4-) [ "$S_bridge" = - ] || [ "$S_bridge" = vn-none ] ;;
	7-) [ "$S_bridge" = - ] ;;
	4*) [ "$S_bridge" = "$2" ] ;;
	7*) [ "$S_bridge" = "$2" ] && [ "$S_type" = bridge ] ;;
	esac
}
vzctl_saves() (
	# The start hook runs inside this too, with the conf still old: told to keep its hands off.
	say "$$ $2" >"$RUN/following"
	bridge=$5
	[ "$1$bridge" != 4- ] || bridge=vn-none
	[ "$1$bridge" != 7- ] || bridge=
	tries=3
	while :; do
		case $1 in
		4) vzctl set "$2" --ifname "$3" --host_ifname "$4" --bridge "$bridge" --save ;;
		# --network resets the type, so --nettype comes after it, every time.
		7) if [ -n "$bridge" ]; then
			vzctl set "$2" --ifname "$3" --network "$bridge" --nettype bridge --save
		else
			vzctl set "$2" --ifname "$3" --network "" --save
		fi ;;
		esac </dev/null 9>&-
		[ $? = 9 ] && [ $tries -gt 0 ] || break # 9: another vzctl has the container locked
		tries=$((tries - 1))
		sleep 1
	done
	true >"$RUN/following"
)
# A container restarted between commit and now came up with its old configuration.
joins() (
	[ -d "/sys/class/net/$1" ] || return 0
	for m in /sys/class/net/*/brif/"$1"; do [ -e "$m" ] && break; done
	m=${m#/sys/class/net/}
	m=${m%%/*}
	[ "$m" != '*' ] || m=-
	[ "$m" != "$2" ] || return 0
	find_tools
	if [ "$B_brctl" = 1 ]; then
		[ "$m" = - ] || brctl delif "$m" "$1"
		[ "$2" = - ] || brctl addif "$2" "$1"
	elif [ "$2" = - ]; then
		ip link set dev "$1" nomaster
	else
		ip link set dev "$1" master "$2" && ip link set dev "$1" up
	fi >/dev/null 2>&1
)
referred_to() (
	for conf in "$CONF"/*.conf; do
		[ -f "$conf" ] && awk -v bridge="$1" "$AWK_NETIF" "$conf" && return 0
	done
	return 1
)
# A bridge that a plan emptied goes when nothing saved refers to it: a 7+ container would not start without it.
drop_bridge() {
	[ -d "/sys/class/net/$1/bridge" ] || return 0
	for d_port in "/sys/class/net/$1/brif/"*; do
		[ ! -e "$d_port" ] || { say "warn bridge-kept $1 still has ${d_port##*/}" && return 1; }
	done
	! referred_to "$1" || { say "warn bridge-kept a saved container configuration refers to $1" && return 1; }
	case $(ip -o addr show dev "$1" scope global 2>/dev/null) in
	*inet*) say "warn bridge-kept $1 carries an address of the server" && return 1 ;;
	esac
	find_tools
	if [ "$B_brctl" = 1 ]; then
		ip link set dev "$1" down && brctl delbr "$1"
	else
		ip link del dev "$1"
	fi
}
