# shellcheck shell=sh disable=SC2034,SC2154
# The two processes of the guarded path; the held one has the dead-man only. Each holds its own lock, its transaction's,
# from its first to its last moment: those of the transaction before may sleep for a while after its end. The dead-man
# begins in 25-deadman.sh.

worker() {
	trap '' HUP INT TERM PIPE
	D=$RUN/txn/$1
	exec 9>>"$D/worker.lock"
	take_lock 9 5 || exit 1
	note "worker $$" || exit 1 # nobody could stop it
	crash worker
	# Nothing is touched before the dead-man holds his lock.
	w_tries=100
	until journal && [ -n "$J_deadman" ] && alive deadman; do
		w_tries=$((w_tries - 1))
		if [ $w_tries -le 0 ]; then
			hold_decision 60 && roll_back "$1" no-deadman
			exit 1
		fi
		nap
	done
	find_tools
	work "$1" || exit 0 # its end is in the journal; a unit of systemd would stay as failed
	exec >/dev/null # see ready
	watch "$1" 2
}
# work TXID: from "preparing" to "applied", its deadline set, or back. The caller holds the worker's lock.
work() {
	# Taken back before it had begun: whoever did so found nobody to stop.
	hold_decision 60 || return 1
	journal
	[ "$J_state" = preparing ] || { drop_decision && return 1; }
	note state applying
	drop_decision
	if run_plan; then
		hold_decision 60 || exit 1
		# Taken back meanwhile, whoever did so: it must not rise again.
		journal
		[ "$J_state" = applying ] || { drop_decision && return 1; }
		clock
		note "deadline $((NOW + J_seconds))"
		note state applied
		drop_decision
		crash applied
	else
		hold_decision 60 && roll_back "$1" apply-failed
		return 1
	fi
}
# watch TXID GRACE: until someone decides; past the deadline, or when the worker died half-way, undo.
# The deadline is read anew each time, it can be moved.
watch() {
	# Without the directory there is neither a snapshot to go back to nor anybody to tell.
	while [ -d "$D" ]; do
		if overdue "$2"; then
			hold_decision 600 || continue
			learn_end "$1"
			# Looked at again now that nobody else can decide.
			if decided || [ "$J_state" = committed ]; then
				break
			elif overdue "$2"; then
				undo "$1"
				break
			fi
			drop_decision
		fi
		decided && break
		rest "$2"
	done
	# Whoever ended it has emptied `pending`, unless he died over his last words.
	pending
	if [ "$P_txid" = "$1" ] && [ -d "$D" ] && hold_decision 600; then
		learn_end "$1"
		[ "$J_state" != committed ] || over
	fi
}
# rest GRACE: until the next look, after `overdue`. While a change only waits to be confirmed, and long has to, each second
# would be half of what watching costs.
rest() {
	w_rest=1
	[ "$J_state" != applied ] || [ $((J_deadline + $1 - NOW)) -le 10 ] || w_rest=5
	sleep "${VNP_POLL:-$w_rest}"
}
overdue() {
	clock
	journal
	case $J_state in
	applied) [ "$NOW" -ge $((J_deadline + $1)) ] ;;
	preparing | applying) [ "$NOW" -ge "$J_limit" ] || { [ -n "$J_worker" ] && ! alive worker; } ;;
	rollingback | stuck) [ "$1" = 0 ] || ! alive deadman ;;
	*) return 1 ;;
	esac
}
undo() {
	case $J_state in
	applied) roll_back "$1" timeout ;;
	*) roll_back "$1" worker-lost ;;
	esac
}
