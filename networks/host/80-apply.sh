# shellcheck shell=sh disable=SC2034,SC2154
# Plan and apply. A change that touches no adapter with an address of the server runs here and now (short path);
# one that does runs detached from this connection, under two watchers (guarded path).

# show FILE: as `cat`, for a few lines, without a process
show() {
	while IFS= read -r s_text; do say "$s_text"; done <"$1"
}
# prepare_change: standard input and the kernel's state into files of $D; prints what a reviewer must see.
prepare_change() {
	find_tools
	compose "$1" >"$D/notes"
	p_rc=$?
	case $p_rc in "$OK" | "$REFUSED" | "$BAD") ;; *) p_rc=$BROKEN ;; esac
	[ -s "$D/notes" ] || say "error=cannot write $RUN"
	show "$D/notes"
	case $p_rc in "$OK" | "$REFUSED") ;; *) return "$p_rc" ;; esac
	[ ! -s "$D/moving" ] || preflight "$1" || p_rc=$REFUSED
	read -r p_path <"$D/notes"
	p_path=${p_path#path=}
	digest
	say "digest=$D_digest"
	return "$p_rc"
}
plan() {
	D=$RUN/plan.$$
	mkdir "$D" || fail "$BROKEN" "cannot write $RUN"
	trap 'rm -rf "$D"' EXIT
	prepare_change review
	rc=$?
	[ "$rc" = "$BAD" ] || [ "$rc" = "$BROKEN" ] || { cat "$D/work" && show_follow; }
	leave "$rc"
}
apply() {
	D=$RUN/txn/$1
	learn_end "$1"
	if [ "$J_state" = none ]; then
		begin "$@"
	fi
	a_tries=0
	until journal && { decided || [ "$J_state" = applied ] || [ "$J_state" = stuck ]; }; do
		a_tries=$((a_tries + 1))
		[ $a_tries -le $((($2 + 35) * 10)) ] || break
		nap
	done
	report "$1"
}
begin() {
	txid=$1 seconds=$2 wanted=$3
	shift 3
	connection "$@"
	b_busy=''
	hold_transaction 3 || b_busy=yes
	learn_end "$txid"
	[ "$J_state" = none ] || return 0 # the same one was begun while we waited
	[ -z "$b_busy" ] || fail "$BUSY" "another transaction is at work"
	! undecided || fail "$BUSY" "$P_txid is not decided yet"
	[ ! -d "$D" ] || rm -rf "$D" # killed while it prepared: nothing has been touched
	mkdir "$D" || fail "$BROKEN" "cannot write $RUN"
	p_rc=$BROKEN
	if ! prepare_change "$txid" >"$D/shown"; then
		[ -s "$D/shown" ] || say "error=no space left in $RUN"
		cat "$D/shown"
		rm -rf "$D"
		leave "$p_rc"
	fi
	if [ "$D_digest" != "$wanted" ]; then
		rm -rf "$D"
		say "digest=$D_digest"
		fail "$CHANGED" "the server has changed since the review"
	fi
	# A full /run cuts files short without a word.
	if ! { is_whole "$D/snap" && is_whole "$D/committed"; }; then
		rm -rf "$D"
		fail "$BROKEN" "no space left in $RUN"
	fi
	true 2>/dev/null >"$ETC/committed.new" || { rm -rf "$D" && fail "$BROKEN" "cannot write $ETC"; }
	boot_id
	clock
	# One server of several must not commit before all have answered, whatever it touches.
	[ "$A_held$p_path" != holdshort ] || p_path=held
	# Pending first: killed between the two, it is one that never began. One write: it is begun or it is not.
	say "$txid" >"$RUN/pending" || fail "$BROKEN" "cannot write $RUN"
	crash pending
	read -r b_forward </proc/sys/net/ipv4/ip_forward
	say "boot $BOOT
forward $b_forward
path $p_path
ssh $S_conn
seconds $seconds
limit $((NOW + 30 + seconds))
state preparing" >"$D/journal" || { true >"$RUN/pending" && fail "$BROKEN" "cannot write $RUN"; }
	crash prepared
	"run_$p_path" "$txid"
}
is_whole() {
	i_last=''
	while read -r i_line; do i_last=$i_line; done <"$1"
	[ "$i_last" = end ]
} 2>/dev/null
run_short() {
	trap '' HUP INT TERM PIPE
	note state applying
	if ! run_plan; then
		hold_decision 60 && roll_back "$1" apply-failed
	elif ! commit; then
		hold_decision 60 && roll_back "$1" commit-failed
		say "state=rolledback"
		fail "$BROKEN" "cannot write $ETC/committed"
	fi
}
# Nothing that carries an address of the server is touched: it cannot be lost, so this process does the work, and one
# dead-man takes it back should nobody decide.
run_held() {
	trap '' HUP INT TERM PIPE
	exec 7>>"$D/worker.lock"
	take_lock 7 5 || fail "$BUSY" "another transaction is at work"
	note "worker $$" || fail "$BROKEN" "cannot write $RUN" # nobody could stop it
	ready deadman "$1"
	h_tries=100
	until journal && [ -n "$J_deadman" ]; do
		h_tries=$((h_tries - 1))
		[ $h_tries -gt 0 ] || { hold_decision 60 && roll_back "$1" no-deadman && return; }
		nap
	done
	crash worker
	work "$1"
	exec 7>&- 9>&-
}
run_guarded() {
	ready deadman "$1"
	ready worker "$1"
	g_tries=100
	until journal && [ -n "$J_worker" ] && [ -n "$J_deadman" ]; do
		decided && break
		g_tries=$((g_tries - 1))
		[ $g_tries -gt 0 ] || break
		nap
	done
	# The lock files of the two say who is alive; this process must not, or "busy" would last as long as the SSH session.
	exec 9>&-
}
# ready deadman|worker TXID: starts it and returns when the dead-man has his lock, the worker has applied the change, or
# it is dead: it holds the other end of this pipe until then. A unit of systemd holds none, so the callers look into the
# journal all the same.
ready() { r_word=$(detach "$@"); }
# Under systemd with KillUserProcesses even setsid does not survive the session: a unit of its own does.
detach() {
	if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null 2>&1 &&
		systemd-run --quiet --unit="vnetpanel-$1-$2" /bin/sh "$SELF" "_$1" "$2" </dev/null >/dev/null 2>&1 7>&- 9>&-; then
		return 0
	fi
	setsid "${VNP_SHELL:-/bin/sh}" "$SELF" "_$1" "$2" </dev/null 2>/dev/null 7>&- 9>&- &
}
