# shellcheck shell=sh disable=SC2034,SC2154
# The dead-man's first second. After it nearly every held change has been decided, and he has read no more of the script
# than up to here: reading the rest would be most of what he costs. A guarded one's reads all of it before that second.
# Whatever is left to do is `watch`'s.

arm() {
	trap '' HUP INT TERM PIPE
	D=$RUN/txn/$1
	exec 9>>"$D/deadman.lock"
	take_lock 9 5 || exit 1
	echo -1000 2>/dev/null >/proc/self/oom_score_adj
	note "deadman $$"
	exec >/dev/null # see ready
	journal
	[ "$J_path" = held ] || return 0
	sleep "${VNP_POLL:-1}"
	journal
	pending
	! decided || [ "$P_txid" = "$1" ] || exit 0
}
[ "${1:-}" != _deadman ] || arm "$2"
