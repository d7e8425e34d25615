# shellcheck shell=sh disable=SC2034,SC2154
# Reading the kernel. One `ip` process brings everything; the rest awk reads from /sys and /proc itself.

# The line of lo closes each list. Family by family, or a bare "default dev eth0" would say nothing of which; by what
# each list is of, since a batch has one family at most.
LISTS4='addr show to 0.0.0.0/0
link show dev lo
route show table all root 0.0.0.0/0
link show dev lo'
LISTS6='addr show to ::/0
link show dev lo
route show table all root ::/0
link show dev lo'
LISTS='neigh show proxy
link show dev lo
neigh show
link show dev lo'
# look [exec]: fails where it cannot write; whether ip answered in full, awk finds out. "exec" only as the left side of a
# pipe, its last process is this shell no more then. Needs find_tools.
look() {
	printf '%s\n' /sys/class/net/*/brif/* || return 1
	if [ -e /proc/net/if_inet6 ]; then
		echo %46 || return 1
		l_lists="$LISTS4
$LISTS6
$LISTS" l_families='4 6'
	else
		echo %4 || return 1
		l_lists="$LISTS4
$LISTS" l_families=4
	fi
	if [ "$B_apart" = 1 ]; then
		look_apart
	else
		feed "$l_lists" "$@" ip -o -batch -
	fi
	return 0
}
# The same, by a process for each list. It ends where one fails, and so is not complete.
look_apart() {
	for l_family in $l_families; do
		ip "-$l_family" -o addr show && close_list || return
		ip "-$l_family" -o route show table all && close_list || return
	done
	{ ip -o neigh show proxy 2>/dev/null || published; } && close_list && ip -o neigh show && close_list
}
close_list() { echo '1: lo: <>'; }
# Before 3.x ip does not know of proxied neighbours; the kernel lists those of IPv4, by their flags.
published() {
	while read -r n_address _ n_flags _ _ n_dev; do
		[ "$n_flags" != 0xc ] || say "$n_address dev $n_dev proxy"
	done </proc/net/arp
}
# iproute2 of EL6 neither makes bridges nor knows "master": brctl does (B_brctl). Before 4.18 it ends with the first list of
# a batch, or takes the next one for another family's (B_apart). Asked once per boot, of ip itself: distributions mend
# theirs without a new number.
find_tools() {
	B_brctl=$VNP_BRCTL B_apart=''
	[ -n "$B_brctl" ] || { [ -r "$RUN/tools" ] && read -r B_brctl <"$RUN/tools"; }
	[ ! -r "$RUN/lists" ] || read -r B_apart <"$RUN/lists"
	if [ -z "$B_brctl" ]; then
		case $(ip link help 2>&1) in *master*bridge*) B_brctl=0 ;; *) B_brctl=1 ;; esac
		say $B_brctl >"$RUN/tools"
	fi
	# A file of its own: programs of an earlier version, as the one for the boot may be, read the other one.
	if [ -z "$B_apart" ]; then
		case $(feed 'link show dev lo
route show table all root 0.0.0.0/0
link show dev lo' ip -o -batch - 2>&1) in 1:*'
1: lo: <'*) B_apart=0 ;; *) B_apart=1 ;; esac
		say $B_apart >"$RUN/lists"
	fi
}
# An older NetworkManager (EL6, EL7 before 7.3) has no files that say what it manages.
ask_older_manager() {
	[ -d /run/NetworkManager ] || [ -d /var/run/NetworkManager ] || return 0
	[ ! -d /run/NetworkManager/devices ] || return 0
	timeout 5 nmcli -t -f DEVICE,STATE dev >"$D/nmcli" 2>/dev/null </dev/null
}
AWK_KERNEL='of == "kernel" { take(); next }
'
# compose TXID <plan: that and the kernel's state to $D/{plan,work,snap,expected,committed,…}; prints path, notes, or the
# plan's first error. One awk reads both: starting another costs as much as either.
compose() {
	ask_older_manager
	look >"$D/kernel" 2>>"$D/log" || { say "error=cannot write $RUN" && return "$BROKEN"; }
	awk -v txid="$1" -v dir="$D" -v committed="$ETC/committed" -v followed="$LIB/followed" -v errands="$LIB/errands" \
		-v brctl="$B_brctl" "$AWK_LOOK$AWK_KERNEL$AWK_PLAN$AWK_COMPOSE" - of=kernel "$D/kernel"
	c_rc=$?
	true >"$D/kernel"
	return $c_rc
}
# compare MODE FILE HARD
compare() {
	look exec 2>>"$D/log" | awk -v mode="$1" -v target="$2" -v hard="$3" -v brctl="$B_brctl" "$AWK_LOOK$AWK_CONVERGE"
}
# compose has put the plan and its commands one after the other.
digest() {
	D_digest=$(sha256sum <"$D/digested")
	D_digest=${D_digest%% *}
}
