# shellcheck shell=sh disable=SC2034,SC2154
# From "applied" to one of its two ends, and what to do with what a crash left.

# The commit point is the one rename in `put`. Needs the decision, or a change that nobody can undo yet.
commit() {
	crash before-rename
	put "$ETC/committed" <"$D/committed" 2>>"$D/log" || return 1
	crash after-rename
	J_state=committed
	over
	return 0 # whatever could not be noted: it is committed
}
# What was left by another boot has gone with it: nothing is durable before the commit.
learn_end() {
	journal
	committed_txid
	if [ "$C_txid" = "$1" ]; then
		# Who renamed it may have died before it was on the disk.
		[ "$J_state" = committed ] || sync_name "$ETC/committed"
		J_state=committed
	elif [ "$J_state" != none ]; then
		boot_id
		[ "$J_boot" = "$BOOT" ] || J_state=rolledback J_reason=reboot
	fi
}
report() {
	clock
	learn_end "$1"
	say "state=$J_state"
	say "deadline=$J_deadline"
	say "now=$NOW"
	[ -z "$J_reason" ] || say "reason=$J_reason"
	case $J_state in
	none) leave "$UNKNOWN" ;;
	applied | committed) leave "$OK" ;;
	preparing | applying | rollingback) leave "$BUSY" ;;
	esac
	say "error=$(tail -n 3 "$D/log" 2>/dev/null | tr '\n\r' '; ')"
	leave "$BACK"
}
# The connection that confirms proves something only if it was opened after the change. sudo drops SSH_CONNECTION,
# hence it may come as arguments.
connection() {
	S_conn=${*:-${SSH_CONNECTION:-}}
	case $S_conn in *[!0-9A-Za-z.:%\ ]*) S_conn='' ;; esac
}
confirm() {
	D=$RUN/txn/$1
	txid=$1 stage=$2
	shift 2
	case $stage in 1 | 2) ;; *) fail "$BAD" "confirm wants stage 1 or 2" ;; esac
	connection "$@"
	learn_end "$txid"
	[ "$J_state" != committed ] || follow_at_once "$txid"
	[ "$J_state" != none ] || fail "$UNKNOWN" "no such transaction"
	hold_decision 10 || fail "$BUSY" "being decided"
	clock
	learn_end "$txid"
	[ "$J_state" = applied ] || { say "state=$J_state" && fail "$UNKNOWN" "not waiting for confirmation"; }
	[ "$NOW" -lt "$J_deadline" ] || fail "$UNKNOWN" "too late"
	[ "$J_path" != held ] || fail "$BAD" "a held change is settled, not confirmed"
	[ -n "$S_conn" ] || fail "$BAD" "a confirmation comes over SSH"
	[ "$S_conn" != "$J_ssh" ] || fail "$BAD" "a confirmation comes over a new SSH connection"
	"confirm_$stage"
}
# The reply already depends on neighbours asked anew.
confirm_1() {
	[ "$J_confirmed" != 0 ] || note "confirmed $NOW_CS $S_conn"
	forget_neighbours
	say state=applied
	say confirmed=1
	leave "$OK"
}
confirm_2() {
	[ "$J_confirmed" != 0 ] || fail "$BAD" "stage 1 comes first"
	[ "$S_conn" != "$J_confirmed_ssh" ] || fail "$BAD" "the second confirmation comes over another SSH connection"
	[ $((NOW_CS - J_confirmed)) -ge "${VNP_GAP:-300}" ] ||
		fail "$BUSY" "the second confirmation comes 3 seconds after the first"
	find_tools
	verify stands || fail "$BACK" "the server is no longer as planned: $(tail -n 1 "$D/log")"
	commit || fail "$BROKEN" "cannot write $ETC/committed"
	drop_decision
	follow_at_once "$txid"
}
# The end of a held change, once all have decided. It touched nothing that this connection depends on, so there is
# nothing to prove by another one.
settle() {
	D=$RUN/txn/$1
	learn_end "$1"
	if [ "$J_state" != committed ]; then
		[ "$J_state" != none ] || fail "$UNKNOWN" "no such transaction"
		[ "$J_path" = held ] || fail "$BAD" "a guarded change is confirmed over new connections"
		hold_decision 10 || fail "$BUSY" "being decided"
		clock
		learn_end "$1"
		[ "$J_state" = applied ] || { say "state=$J_state" && fail "$UNKNOWN" "not waiting for a decision"; }
		[ "$NOW" -lt "$J_deadline" ] || fail "$UNKNOWN" "too late"
		commit || fail "$BROKEN" "cannot write $ETC/committed"
		drop_decision
	fi
	follow_at_once "$1"
}
# follow_at_once TXID: it is committed; what vzctl saves follows in the same breath, unless another is at work.
follow_at_once() {
	say state=committed
	hold_transaction 3 || { say follows=later && leave "$OK"; }
	# Another may have begun since the commit: its snapshot must find everything as it was taken.
	! undecided || { say follows=later && leave "$OK"; }
	committed_txid
	if [ "$C_txid" = "$1" ] && follow_committed; then say follows=agrees; else say follows=differs; fi
	leave "$OK"
}
forget_neighbours() {
	[ -s "$D/owners" ] || return 0
	while read -r f_dev; do say "neigh flush dev $f_dev"; done <"$D/owners" |
		ip -force -batch - >>"$D/log" 2>&1
}
extend() {
	D=$RUN/txn/$1
	hold_decision 10 || fail "$BUSY" "being decided"
	clock
	learn_end "$1"
	[ "$J_state" = applied ] && [ "$NOW" -lt "$J_deadline" ] || fail "$UNKNOWN" "not waiting for confirmation"
	note "deadline $((NOW + $2))"
	report "$1"
}
# never TXID: it has not begun and shall not: whoever sends its plan later, having slept through the end of its
# Change, is told that it was taken back. Nobody begins it meanwhile: that needs the same lock.
never() {
	drop_decision
	hold_transaction 10 || fail "$BUSY" "another transaction is at work"
	learn_end "$1"
	if [ "$J_state" = none ]; then
		boot_id
		rm -rf "$D"
		{ mkdir "$D" && say "boot $BOOT
reason aborted
state rolledback" >"$D/journal"; } 2>/dev/null || fail "$BROKEN" "cannot write $RUN"
		journal
	fi
	exec 9>&-
	hold_decision 60 || fail "$BUSY" "being decided"
}
# bar TXID: `never`, and nothing else: one that has begun is only reported, whatever it was when the asker last looked.
bar() {
	D=$RUN/txn/$1
	learn_end "$1"
	[ "$J_state" != none ] || never "$1"
	report "$1"
}
abort() {
	D=$RUN/txn/$1
	hold_decision 60 || fail "$BUSY" "being decided"
	learn_end "$1"
	[ "$J_state" != none ] || never "$1"
	case $J_state in
	committed) say state=committed && fail "$UNKNOWN" "committed already" ;;
	stuck) roll_back "$1" abort || { note state failed && settled; } ;; # asked by a person: do not stand in the way
	preparing | applying | applied | rollingback) roll_back "$1" abort ;;
	esac
	learn_end "$1"
	say "state=$J_state"
	case $J_state in rolledback) leave "$OK" ;; *) leave "$BACK" ;; esac
}
# What ended a week ago is asked for by nobody; /run is memory. And who told vzctl something and was killed over it does so no
# more: a process that is called as he was now would keep the start hook from that container.
tidy() {
	hold_transaction 0 || return 0
	[ ! -s "$RUN/following" ] || true >"$RUN/following"
	pending
	[ -n "$P_txid" ] || find "$RUN/txn"/* "$RUN"/plan.* -prune -mtime +7 -exec rm -rf {} + 2>/dev/null
	return 0
}
# Whoever turns ip_forward on, as vzctl does for the first host-routed container after a boot, turns it on for every
# link there is, those without an address of the server included; the same goes for disable_ipv6 of "all".
stay_isolated() {
	[ -r "$ETC/committed" ] || return 0
	while read -r s_kind s_what s_name _; do
		[ "$s_kind $s_what" = 'keep bridge' ] || continue
		# 8 is ours alone: what it is set for carries no address of the server.
		setting ipv4/conf/"$s_name"/arp_ignore
		[ "$s_value" = 8 ] || continue
		stays ipv4/conf/"$s_name"/forwarding 0
		stays ipv6/conf/"$s_name"/disable_ipv6 1
	done <"$ETC/committed"
	# A setting that cannot be written is no reason to leave the rest of the minute undone.
	return 0
}
stays() {
	setting "$1"
	case $s_value in '' | "$2") ;; *) echo "$2" >/proc/sys/net/"$1" ;; esac
}
# Shells read byte by byte, which /proc/sys allows for the first one only: enough, and no success to go by.
setting() {
	s_value=''
	[ ! -r /proc/sys/net/"$1" ] || read -r s_value </proc/sys/net/"$1"
	return 0
}
# First words of every contact, once a minute by timer, and at boot. Where a watcher lives it is theirs.
recover() {
	pending
	[ -n "$P_txid" ] || { finish_boot && stay_isolated && tidy && say state=clean && leave "$OK"; }
	say "pending=$P_txid"
	D=$RUN/txn/$P_txid
	if hold_transaction 0 && ! alive worker && ! alive deadman; then
		hold_decision 60 || fail "$BUSY" "being decided"
		learn_end "$P_txid"
		case $J_state in
		committed | rolledback | failed | none) over ;;
		*) roll_back "$P_txid" recovered ;;
		esac
		learn_end "$P_txid"
		say "state=$J_state"
		leave "$OK"
	fi
	say state=busy
	leave "$BUSY"
}
status() {
	committed_txid
	pending
	boot_id
	clock
	say "boot=$BOOT"
	say "uptime=$NOW"
	say "committed=$C_txid"
	say "pending=$P_txid"
	[ $# -gt 0 ] || leave "$OK"
	D=$RUN/txn/$1
	learn_end "$1"
	say "state=$J_state"
	say "reason=$J_reason"
	say "deadline=$J_deadline"
	say "confirmed=$((J_confirmed > 0))"
	leave "$OK"
}
