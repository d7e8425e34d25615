# shellcheck shell=sh disable=SC2034,SC2154
# Back to the snapshot, from any half state. The caller holds the decision.

# roll_back TXID REASON
roll_back() {
	D=$RUN/txn/$1
	journal
	decided && return 0
	find_tools
	[ "$J_state$J_path" != appliedguarded ] || proxied_since "$D/snap"
	note state rollingback 2>/dev/null
	crash rolling
	case $J_path in guarded | held) stop_worker ;; esac
	[ ! -e "$D/snap" ] || forwards_since "$D/snap"
	converged
	r_rc=$?
	note reason "$2" 2>/dev/null
	if [ $r_rc = 0 ]; then
		note state rolledback 2>/dev/null && settled # noted first: what is not is rolled back again
	else
		note state stuck 2>/dev/null
	fi
	return "$r_rc"
}
# proxied_since SNAP: with what of that others have done since the change was verified. Before anything goes back, and before
# it is noted to: a half state says nothing of it.
proxied_since() {
	compare since "$1" 0 >"$1.new" 2>>"$D/log" && is_whole "$1.new" && mv -f "$1.new" "$1"
} 2>/dev/null
# A first pass in one batch is fast; the next ones prove it and mend what the first could not, word by word: `ip` ends a
# batch, forced or not, at what it cannot read. It is an emergency: tried for some minutes, whatever else pulls at the same
# links.
converged() {
	[ -e "$D/snap" ] || return 0
	r_pass=0
	while :; do
		r_todo=$(compare converge "$D/snap" $((r_pass > 0))) || r_todo="error"
		[ -n "$r_todo" ] || { X_alone='' && return 0; }
		[ $r_pass -lt 60 ] || break
		# `-force` goes on after an error: right here, wrong for a change.
		[ "$r_todo" = error ] || printf '%s\n' "$r_todo" | run_commands -force >>"$D/log" 2>&1
		r_pass=$((r_pass + 1)) X_alone=yes
		case $r_pass in 1 | 2 | 3) ;; [4-9]) sleep 1 ;; *) sleep 5 ;; esac
	done
	X_alone=''
	printf '%s\n' "$r_todo" >"$D/stuck" 2>/dev/null
	return 1
}
# The worker may be in the middle of its batch: ended with its whole process group, and its lock says when the last
# of them, `ip` included, is gone. So does one whose roller died before he had stopped him.
stop_worker() {
	[ "${J_worker:-$$}" != $$ ] || return 0
	case $J_state in preparing | applying | rollingback) ;; *) return 0 ;; esac
	while alive worker; do
		# On the held path it may lead no group. Not "kill -9 --": dash takes that for a bad number and ends nobody.
		kill -9 "-$J_worker" 2>/dev/null
		kill -9 "$J_worker" 2>/dev/null
		nap
	done
}
