# shellcheck shell=sh disable=SC2034,SC2154
# What a transaction remembers of itself: one append-only file of "KEY VALUE" lines, the last of a key counts.
# Appending a short line is atomic and reading needs no process, unlike a file per value with a rename each.

note() { say "$*" >>"$D/journal"; }
journal() {
	J_state=none J_boot='' J_path='' J_ssh='' J_deadline=0 J_limit=0 J_seconds=0 J_worker='' J_deadman='' J_armed='' J_confirmed=0
	J_confirmed_ssh='' J_reason='' J_forward=''
	[ -r "$D/journal" ] || return 0
	while read -r j_key j_value; do
		case $j_key in
		state) J_state=$j_value ;;
		boot) J_boot=$j_value ;;
		path) J_path=$j_value ;;
		ssh) J_ssh=$j_value ;;
		deadline) J_deadline=$j_value ;;
		limit) J_limit=$j_value ;;
		seconds) J_seconds=$j_value ;;
		worker) J_worker=$j_value ;;
		deadman) J_deadman=$j_value ;;
		confirmed) J_confirmed=${j_value%% *} J_confirmed_ssh=${j_value#* } ;;
		reason) J_reason=$j_value ;;
		forward) J_forward=$j_value ;;
		esac
	done <"$D/journal"
}
# The committed file names its transaction: after its rename nothing can be mistaken, whoever was killed.
committed_txid() {
	C_txid=''
	[ -r "$ETC/committed" ] || return 0
	while read -r c_key c_value; do
		[ "$c_key" = txid ] && C_txid=$c_value && break
	done <"$ETC/committed"
	return 0
}
pending() {
	P_txid=''
	[ -s "$RUN/pending" ] && read -r P_txid <"$RUN/pending"
	return 0
}
# Only our own, and with the decision held: the next transaction may have begun already.
settled() {
	pending
	[ "$P_txid" != "${D##*/}" ] || true >"$RUN/pending"
}
# undecided: whether P_txid waits for its end, asked with the transaction's lock held. One that was killed between its
# end and its last words waits for nothing, and a dead-man that lives on learns it from the journal.
undecided() {
	pending
	[ -n "$P_txid" ] || return 1
	hold_decision 10 || return 0
	u_D=${D:-} D=$RUN/txn/$P_txid
	learn_end "$P_txid"
	! is_over || over
	D=$u_D
	drop_decision
	pending
	[ -n "$P_txid" ]
}
is_over() { [ "$J_state" = none ] || decided; }
# over: its end, as it was learnt, is remembered before `pending` forgets it: once another has committed, the journal
# alone can tell. Needs the decision.
over() {
	[ "$J_state" = none ] || [ ! -d "$D" ] || note state "$J_state" || return 1
	settled
}
decided() {
	case $J_state in committed | rolledback | failed) return 0 ;; esac
	return 1
}

# --- locks; each lives as long as a process holds the descriptor, `ip` children included ---

# alive worker|deadman: whether that one of $D lives. A server-wide lock was held by those of earlier versions, who may
# be at work while this one is new.
alive() { is_held "$D/$1.lock" || is_held "$RUN/$1.lock"; }
is_held() { [ -e "$1" ] && ! flock -n "$1" true 2>/dev/null; }
# flock of busybox cannot wait, hence the loop.
take_lock() {
	t_tries=$(($2 * 10))
	until flock -n "$1"; do
		t_tries=$((t_tries - 1))
		[ $t_tries -gt 0 ] || return 1
		nap
	done
}
nap() { sleep 0.1 2>/dev/null || sleep 1; }
# transaction.lock: held by the one that starts, or runs in the foreground.
hold_transaction() {
	exec 9>>"$RUN/transaction.lock"
	take_lock 9 "$1"
}
# decide.lock: held by whoever turns "applied" into one of its two ends.
hold_decision() {
	exec 8>>"$RUN/decide.lock"
	take_lock 8 "$1"
}
drop_decision() { exec 8>&-; }
