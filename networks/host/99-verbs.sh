# shellcheck shell=sh disable=SC2034,SC2154
# The verbs. Whatever the arguments, nothing of them is ever run.

main() {
	verb=${1:-}
	[ $# -eq 0 ] || shift
	if [ "$verb" = - ]; then
		verb=${1:-}
		read_words
		# shellcheck disable=SC2086 # words, of letters that mean nothing to a shell
		set -- $V_words
	fi
	case $verb in
	_deadman | _worker) ;;
	*) places_exist ;;
	esac
	case $verb in
	plan) plan ;;
	apply | hold)
		wants_txid "${1:-}"
		wants_seconds "${2:-}"
		[ -n "${3:-}" ] || fail "$BAD" "$verb TXID SECONDS DIGEST"
		A_held=$verb
		apply "$@"
		;;
	confirm) wants_txid "${1:-}" && confirm "$1" "${2:-}" ${3+"$3"} ;;
	extend) wants_txid "${1:-}" && wants_seconds "${2:-}" && extend "$1" "$2" ;;
	settle) wants_txid "${1:-}" && settle "$1" ;;
	abort) wants_txid "${1:-}" && abort "$1" ;;
	bar) wants_txid "${1:-}" && bar "$1" ;;
	status)
		[ $# -eq 0 ] || wants_txid "$1"
		status "$@"
		;;
	recover) recover ;;
	boot) boot ;;
	follow)
		[ "${1:-}" = - ] || wants_txid "${1:-}"
		follow "$1"
		;;
	letgo) wants_txid "${1:-}" && letgo "$1" ;;
	prepare) prepare ;;
	forget) forget ;;
	_deadman) watch "$1" 0 ;;
	_worker) worker "$1" ;;
	*) fail "$BAD" "verbs: plan apply hold extend confirm settle abort bar status recover boot follow letgo prepare forget" ;;
	esac
}
# `- VERB`: the verb's arguments are the first line of standard input. A sudoers file without wildcards cannot let
# them be words of the command.
read_words() {
	IFS= read -r V_words || fail "$BAD" "the arguments are missing: one line on standard input"
	case $V_words in *[!0-9A-Za-z\ -]*) fail "$BAD" "arguments are letters, digits and hyphens" ;; esac
	[ ${#V_words} -le 300 ] || fail "$BAD" "the arguments are too long"
}
wants_txid() { is_txid "$1" || fail "$BAD" "not a transaction id"; }
wants_seconds() {
	is_number "$1" && [ "$1" -ge "${VNP_LEAST:-15}" ] && [ "$1" -le 900 ] ||
		fail "$BAD" "seconds: a number from 15 to 900"
}
places_exist() {
	# EL6 has no /run; it is for all, whatever our umask.
	case $RUN in /run/*) [ -d /run ] || mkdir -m 0755 /run 2>/dev/null ;; esac
	for place in "$RUN/txn" "$ETC" "$LIB"; do
		[ -d "$place" ] || mkdir -p "$place" 2>/dev/null || fail "$BROKEN" "cannot write $place"
	done
	[ -w "$RUN" ] || fail "$BROKEN" "cannot write $RUN"
	for tool in ip awk flock sha256sum setsid; do
		command -v $tool >/dev/null 2>&1 || fail "$REFUSED" "this server has no $tool"
	done
}
main "$@"
