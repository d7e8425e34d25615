# shellcheck shell=sh disable=SC2034,SC2154
# Running composed commands, and looking whether they did what was planned.

# Consecutive `ip` commands are one batch.
flush() {
	[ -n "$X_batch" ] || return 0
	x_words=$X_batch
	X_batch=''
	[ "$X_phase" != critical ] || faults
	# shellcheck disable=SC2086
	feed "$x_words" ip $X_force -batch -
}
X_alone=''
# run_commands [FORCE] <commands: stops at the first error, unless forced. X_alone: each `ip` by itself.
run_commands() {
	X_force=${1:-} X_batch='' X_phase='' x_rc=0
	while read -r x_phase x_line; do
		if [ -n "$X_force" ]; then
			x_line="$x_phase $x_line"
		elif [ "$x_phase" != "$X_phase" ]; then
			flush || return 1
			[ "$x_phase" != epilogue ] || crash before-epilogue
			X_phase=$x_phase
		fi
		run_one || [ -n "$X_force" ] || return 1
	done
	flush || [ -n "$X_force" ]
}
run_one() {
	case $x_line in
	'ip '*)
		X_batch="$X_batch${x_line#ip }
"
		[ -z "$X_alone" ] || flush
		;;
	'# what '*) learnt_neighbours ;;
	*)
		flush || [ -n "$X_force" ] || return 1
		case $x_line in
		'brctl '*)
			# shellcheck disable=SC2086
			$x_line
			;;
		'echo '*)
			x_value=${x_line#echo }
			x_path=${x_value#*>}
			# Before 3.18 a bridge that filters tags has no VLAN for frames without one, and drops them.
			case $x_path in */vlan_filtering) [ -e "${x_path%/*}/default_pvid" ] || return 0 ;; esac
			# An older kernel may not have the setting; where it is, it must take the value.
			[ ! -e "$x_path" ] || { say "${x_value% >*}" >"$x_path"; }
			;;
		esac
		;;
	esac
}
# "# what FROM has learnt of its neighbours goes to TO": peers need not be asked again.
learnt_neighbours() {
	[ -r "$D/neighbours" ] || return 0
	x_to=${x_line##* } x_from=${x_line#\# what }
	x_from=${x_from%% *}
	while read -r n_from n_to n_words; do
		[ "$n_from $n_to" != "$x_from $x_to" ] || X_batch="${X_batch}neigh replace $n_words dev $n_to
"
	done <"$D/neighbours"
}
# Only tests come here with something set: an error in line K of the critical batch, or death after it.
faults() {
	if [ -n "$VNP_BAD_LINE" ]; then
		x_words=$(printf '%s' "$x_words" | awk -v k="$VNP_BAD_LINE" \
			'NR == k { print "route add 203.0.113.0/24 via 198.51.100.250 dev lo" } { print }')
		x_words="$x_words
"
	fi
	case " $VNP_CRASH " in *" critical:"*)
		x_k=${VNP_CRASH##*critical:}
		printf '%s' "$x_words" | head -n "${x_k%% *}" | ip -batch -
		kill -9 $$
		;;
	esac
}
run_plan() {
	crash before-prologue
	run_commands <"$D/work" >>"$D/log" 2>&1 || return 1
	crash before-verify
	verify && { [ ! -s "$D/gateways" ] || gateways_answer; }
}
# verify [stands]: "stands" some time after it was first verified
verify() {
	[ -e "$D/expected" ] || return 0
	compare "${1:-verify}" "$D/expected" 0 >>"$D/log" 2>&1
}
# Right after a move everything still works from cached neighbours and dies when they expire: forget them, and the
# gateways that answered before must answer again. Five tries, so that a cable pulled for a moment is no reason.
gateways_answer() (
	while read -r _ _ dev; do say "neigh flush dev $dev"; done <"$D/gateways" | ip -force -batch - >>"$D/log" 2>&1
	tries=5
	while :; do
		silent=''
		while read -r family gateway dev; do
			gateway_answers "$family" "$gateway" "$dev" || silent="$silent $gateway"
		done <"$D/gateways"
		[ -n "$silent" ] || return 0
		tries=$((tries - 1))
		[ $tries -gt 0 ] || break
	done
	say "gateway$silent does not answer any more" >>"$D/log"
	return 1
)
gateway_answers() {
	case $1 in
	4) ping -c 1 -W 1 -I "$3" "$2" ;;
	6) ping -6 -c 1 -W 1 -I "$3" "$2" || ping6 -c 1 -W 1 -I "$3" "$2" ;;
	esac >/dev/null 2>&1
	# Whether it answers the ping is its business; its hardware address is what counts.
	case $(ip -"$1" neigh show "$2" dev "$3" 2>/dev/null) in
	*FAILED* | *INCOMPLETE* | '') return 1 ;;
	*lladdr*) return 0 ;;
	esac
	return 1
}
