# shellcheck shell=sh disable=SC2034,SC2154
# vzctl's saved configuration follows the commit. vzctl saves at once and outside any rollback, so it comes last,
# and is repeated until it agrees. Its exit code is believed only together with a re-read: 4.x has `set --save`
# of an unknown container succeed and create a conf file, and 7+ saves even when the setting failed.

CONF=${VNP_CONF:-$SYS/etc/vz/conf}

follow() {
	hold_transaction 3 || fail "$BUSY" "a transaction is at work"
	! undecided || fail "$BUSY" "$P_txid is not decided yet"
	committed_txid
	[ -n "$C_txid" ] || { say state=empty && leave "$OK"; }
	[ "$1" = - ] || [ "$1" = "$C_txid" ] || fail "$UNKNOWN" "committed is $C_txid"
	if follow_committed; then
		say state=agrees
		leave "$OK"
	fi
	say state=differs
	leave "$BUSY"
}
# letgo TXID: what vzctl has not done of it is not tried again, nor carried into the next commit.
letgo() {
	hold_transaction 3 || fail "$BUSY" "a transaction is at work"
	! undecided || fail "$BUSY" "$P_txid is not decided yet"
	committed_txid
	[ "$1" = "$C_txid" ] || fail "$UNKNOWN" "committed is $C_txid"
	say "$C_txid" | put "$LIB/followed" || fail "$BROKEN" "cannot write $LIB"
	rm -f "$LIB/errands"
	say state=agrees
	leave "$OK"
}
# What `committed` says of saved configuration, errands and emptied bridges; done with all of it, or not.
follow_committed() {
	read_errands
	F_open=0 F_once=''
	while read -r f_kind f_words; do
		# shellcheck disable=SC2086 # words of our own committed file, none of them empty
		case $f_kind in
		save) follow_save $f_words || F_open=1 ;;
		netif_add | netif_del | ipadd | ipdel)
			F_once=yes
			errand $f_kind $f_words || F_open=1
			;;
		drop) drop_bridge $f_words || F_open=1 ;;
		esac
	done <"$ETC/committed"
	[ $F_open = 0 ] || return 1
	if [ -n "$E_all" ]; then
		: # it says so already
	elif [ -n "$F_once" ]; then
		# On the disk before they are forgotten, or a power cut would have them done twice.
		{ say "$C_txid" | put "$LIB/followed"; } || return 1
	else
		# Lost with the power, what is saved is only compared once more.
		{ say "$C_txid" >"$LIB/followed"; } 2>/dev/null
	fi
	[ ! -e "$LIB/errands" ] || rm -f "$LIB/errands"
	return 0
}
# differs WHY: about the container and interface in s_what
differs() {
	say "$s_what differs $*"
	return 1
}
# is_gone CTID: destroyed, or moved to another server. Waiting would be for ever; should it come back, its look tells.
is_gone() {
	[ -d "$CONF" ] && [ ! -e "$CONF/$1.conf" ] && [ ! -L "$CONF/$1.conf" ] || return 1
	say "warn gone container $1 is not on this server any more: vzctl is told nothing of it"
}
last_words() { say "$s_words" | tail -n 1 | tr -cd ' -~'; }
# follow_save DIALECT CTID IFNAME HOSTIF BRIDGE|-
follow_save() {
	s_what="saved $2 $3"
	! is_gone "$2" || return 0
	[ -f "$CONF/$2.conf" ] || { differs "container $2 has no configuration here" || return 1; }
	if ! saved_as "$2" "$3"; then
		say "warn gone container $2 has no $3 any more: nothing is saved for it"
		return 0
	fi
	[ "$S_type" != routed ] || { differs "$3 is host-routed" || return 1; }
	if ! agrees "$1" "$5"; then
		s_words=$(as_vzctl vzctl_does save "$@" 2>&1)
		saved_as "$2" "$3"
		agrees "$1" "$5" || { differs "$(last_words)" || return 1; }
		# vzctl leaves it to the system when: after a power cut the container would start without its network.
		sync_file "$CONF/$2.conf"
	fi
	# Its configuration may have been put right since the plan was made.
	[ "$S_host" != - ] || S_host=$4
	joined "$2" "$S_host" "$5" || return 1
	say "$s_what ok"
}
# saved_as CTID IFNAME: S_bridge S_type S_host of its conf file, "-" for what is not said
saved_as() {
	S_bridge='' S_type='' S_host=''
	s_line=$(awk -v key=ifname -v value="$2" "$AWK_NETIF" "$CONF/$1.conf") || return 1
	S_host=${s_line##* } s_line=${s_line% *}
	S_bridge=${s_line% *} S_type=${s_line##* }
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
# as_vzctl DO KIND DIALECT CTID IFNAME …: calls DO with the words for vzctl, to run them or to show them
as_vzctl() {
	v_do=$1 v_kind=$2$3 v_ctid=$4 v_if=$5
	shift 5
	case $v_kind in
	save4)
		[ "$2" != - ] || set -- "$1" vn-none
		$v_do set "$v_ctid" --ifname "$v_if" --host_ifname "$1" --bridge "$2" --save
		;;
	save7) # --network resets the type, so --nettype comes after it, every time
		v_bridge=$2
		set -- --network ''
		[ "$v_bridge" = - ] || set -- --network "$v_bridge" --nettype bridge
		$v_do set "$v_ctid" --ifname "$v_if" "$@" --save
		;;
	netif_add4) $v_do set "$v_ctid" --netif_add "$(netif_add4 "$@")" --save ;;
	netif_add7) # its positional form knows no empty fields: options
		v_mac=$1 v_host=$2 v_bridge=$3
		set -- --netif_add "$v_if"
		[ "$v_bridge" = - ] || set -- "$@" --network "$v_bridge" --nettype bridge
		[ "$v_mac" = - ] || set -- "$@" --mac "$v_mac"
		[ "$v_host" = - ] || set -- "$@" --host_ifname "$v_host"
		$v_do set "$v_ctid" "$@" --save
		;;
	netif_del*) $v_do set "$v_ctid" --netif_del "$v_if" --save ;;
	ip*) as_vzctl_address "$@" ;;
	esac
}
netif_add4() (
	bridge=$3
	[ "$1" != - ] || set -- '' "$2"
	[ "$2" != - ] || set -- "$1" ''
	[ "$bridge" != - ] || bridge=vn-none
	echo "$v_if,$1,$2,,$bridge"
)
# On 4.x a bridged interface has its addresses from inside only, and comes up down.
as_vzctl_address() {
	v_verb=${v_kind%?}
	case $v_kind$v_if in
	*venet0) $v_do set "$v_ctid" "--$v_verb" "${1%/*}" --save ;;
	ipadd4*) $v_do exec2 "$v_ctid" "ip addr add $1 dev $v_if && ip link set dev $v_if up" ;;
	ipdel4*) $v_do exec2 "$v_ctid" "ip addr del $1 dev $v_if" ;;
	ipadd7*) $v_do set "$v_ctid" --ifname "$v_if" --ipadd "$1" --save ;;
	ipdel7*) $v_do set "$v_ctid" --ifname "$v_if" --ipdel "${1%/*}" --save ;;
	esac
}
# As $(as_vzctl vzctl_does …): what it sets is its own.
vzctl_does() {
	# The start hook runs inside this too, with the conf still old: told to keep its hands off.
	say "$$ $2" >"$RUN/following"
	tries=3
	while :; do
		case "$* " in
		exec2* | *' --ipadd '* | *' --ipdel '*)
			g_errors=1
			bounded "$@" </dev/null
			rc=$?
			say "$G_said"
			;;
		*)
			vzctl "$@" </dev/null 9>&-
			rc=$?
			;;
		esac
		[ $rc = 9 ] && [ $tries -gt 0 ] || break # 9: another vzctl has the container locked
		tries=$((tries - 1))
		sleep 1
	done
	true >"$RUN/following"
	return "$rc"
}
# show_vzctl WORDS…: as they would be typed
show_vzctl() {
	v_line='follow vzctl'
	for v_word; do
		case $v_word in '' | *' '*) v_word="'$v_word'" ;; esac
		v_line="$v_line $v_word"
	done
	say "$v_line"
}
# What comes after the commit, for the review.
show_follow() {
	while read -r f_kind f_words; do
		# shellcheck disable=SC2086 # words that the grammar has checked
		case $f_kind in save | netif_add | netif_del | ipadd | ipdel) as_vzctl show_vzctl $f_kind $f_words ;; esac
	done <"$D/plan"
}
# joins CTID HOSTIF BRIDGE|-: a container restarted between commit and now came up with its old configuration. That may
# have been copied or written by hand, and name what another container has, or an adapter of the server: moved is only
# what a step of a plan may move, for a container that runs. Says why not. As $(joins …): what it sets is its own.
joins() {
	! is_joined "$2" "$3" || return 0
	is_running "$1"
	case $? in
	1) return 0 ;;
	2) say "vzctl does not say whether container $1 runs" && return 1 ;;
	esac
	j_others=$(grep -lF -e "host_ifname=$2," -e "host_ifname=$2;" -e "host_ifname=$2\"" "$CONF"/*.conf 2>/dev/null |
		grep -vxF "$CONF/$1.conf")
	[ -z "$j_others" ] || { say "$2 is what $(say "$j_others" | tail -n 1) names, too" && return 1; }
	D=$RUN/txn/joins j_keep=''
	[ "$3" = - ] || j_keep="keep bridge $3 -
"
	rm -rf "$D"
	mkdir "$D" 2>/dev/null || { say "cannot write $RUN" && return 1; }
	find_tools
	feed "vnetpanel-plan 1
step port $2 $3
${j_keep}end" compose joins >"$D/notes" && run_commands <"$D/work" >>"$D/log" 2>&1 && return 0
	say "$2 cannot join $3"
	tail -n 1 "$D/log"
	sed -n 's/^refuse [^ ]* //p' "$D/notes"
	return 1
}
# joined CTID HOSTIF BRIDGE|-: as joins, without its process where nothing is to be done
joined() { is_joined "$2" "$3" || s_words=$(joins "$@") || differs "$(last_words)"; }
# is_joined HOSTIF BRIDGE|-: or is not there
is_joined() { [ ! -d "/sys/class/net/$1" ] || is_in "$1" "$2"; }
# is_in HOSTIF BRIDGE|-
is_in() { if [ "$2" = - ]; then [ ! -e "/sys/class/net/$1/brport" ]; else [ -e "/sys/class/net/$2/brif/$1" ]; fi; }
referred_to() {
	# Hardly any says the name at all, and a process for each file would be most of what this costs. Only grep's own "no" is
	# one: it may have failed, or a file may not be readable. Then each is read.
	grep -Eq "^NETIF=.*=\"*$1([^-._0-9A-Za-z]|\$)" "$CONF"/*.conf 2>/dev/null
	[ $? != 1 ] || return 1
	for d_conf in "$CONF"/*.conf; do
		[ -f "$d_conf" ] && awk -v bridge="$1" "$AWK_NETIF" "$d_conf" && return 0
	done
	return 1
}
# stands_on BRIDGE: sets d_upper, a VLAN adapter, macvlan or the like that would go with it. Before 3.14 the kernel does not
# list them. A veth's iflink may be a number of another namespace; a port that is no VLAN adapter is one.
stands_on() {
	read -r d_release </proc/sys/kernel/osrelease
	case $d_release in
	2.* | 3.[0-9].* | 3.1[0-3].*) ;;
	*)
		for d_upper in "/sys/class/net/$1/upper_"*; do
			d_upper=${d_upper##*/upper_}
			[ "$d_upper" = '*' ] || return 0
		done
		return 1
		;;
	esac
	read -r d_index <"/sys/class/net/$1/ifindex"
	for d_link in /sys/class/net/*; do
		d_upper=${d_link##*/}
		[ ! -e "$d_link/brport" ] || [ -e "/proc/net/vlan/$d_upper" ] || continue
		read -r d_below 2>/dev/null <"$d_link/iflink" || continue
		[ "$d_upper" = "$1" ] || [ "$d_below" != "$d_index" ] || return 0
	done
	return 1
}
# A bridge that a plan emptied goes when nothing saved refers to it: a 7+ container would not start without it.
drop_bridge() {
	[ -d "/sys/class/net/$1/bridge" ] || return 0
	for d_port in "/sys/class/net/$1/brif/"*; do
		[ ! -e "$d_port" ] || { say "warn bridge-kept $1 still has ${d_port##*/}" && return 1; }
	done
	! stands_on "$1" || { say "warn bridge-kept $d_upper stands on $1" && return 1; }
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
