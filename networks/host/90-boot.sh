# shellcheck shell=sh disable=SC2034,SC2154
# After a reboot: the committed state again, network by network, before the containers start. One that cannot be
# had does not stop the others; a gateway that is silent (a whole room powering up) is no reason to undo.

boot() {
	boot_id
	# It stays there if this ends before its end, whatever ends it: `recover` does the rest.
	say "$BOOT" >"$RUN/booting"
	hold_transaction 30 || fail "$BUSY" "a transaction is at work"
	# The service may be started again by hand, with a change waiting for its confirmation.
	! undecided || fail "$BUSY" "$P_txid is not decided yet"
	bring_back || { say state=degraded && leave "$BACK"; }
	[ -s "$ETC/committed" ] || { say state=empty && leave "$OK"; }
	is_whole "$ETC/committed" || fail "$BAD" "$ETC/committed is damaged"
	[ -z "$B_failed" ] || { say "failed=${B_failed# }" && say state=degraded && leave "$BACK"; }
	say state=applied
	leave "$OK"
}
# A replay that did not come to its end is done again.
finish_boot() {
	f_boot=''
	[ ! -s "$RUN/booting" ] || read -r f_boot <"$RUN/booting"
	boot_id
	[ "$f_boot" = "$BOOT" ] && hold_transaction 0 || return 0
	# A change may have begun since `recover` looked.
	if ! undecided && bring_back && is_whole "$ETC/committed"; then say "booted=again"; fi
	exec 9>&-
}
# bring_back: all that is committed, done with, failed parts included; fails where that was not even tried.
bring_back() {
	# Another that was waited for has emptied it.
	say "$BOOT" >"$RUN/booting"
	# Where /run is on a disk, as on EL6, what was learnt of tools, and who follows, is of another boot.
	rm -f "$RUN/tools" "$RUN/lists" "$RUN/syncs" "$RUN/following"
	take_back_parts || return 1
	if is_whole "$ETC/committed"; then
		replay
		rejoin
	fi
	true >"$RUN/booting"
}
# What a replay of this boot left half-way goes back before another replaces its snapshot: planned from where it stopped it
# would be refused. What does not go back is tried once more, the next time, and then let go as `abort` does.
take_back_parts() {
	for t_snap in "$RUN"/txn/boot-*/snap; do
		D=${t_snap%/snap}
		journal
		case $J_boot$J_state in "$BOOT"applying | "$BOOT"stuck) ;; *) continue ;; esac
		is_whole "$t_snap" || continue
		forwards_since "$t_snap"
		find_tools
		if converged; then
			ended rolledback
		elif [ "$J_state" = stuck ]; then
			ended failed
		else
			note state stuck
			say "warn boot-stuck what was left half-way at boot does not go back: $(tail -n 1 "$D/stuck" | tr -cd ' -~')"
			return 1
		fi
	done
	return 0
}
# forwards_since SNAP: whoever has turned ip_forward on since it was taken, as vzctl does for the first host-routed container,
# has for every link there is: going back, those stay so, but for what we shut off (arp_ignore 8).
forwards_since() {
	read -r t_now </proc/sys/net/ipv4/ip_forward
	[ "$J_forward$t_now" = 01 ] || return 0
	sed '/^set /{/ ipv4\/arp_ignore=8 /!s| ipv4/forwarding=0 | ipv4/forwarding=1 |
}' "$1" >"$1.new" && is_whole "$1.new" && mv -f "$1.new" "$1"
}
# ended STATE: of a part. Taken back much later it would undo what others have done since.
ended() { note state "$1" 2>/dev/null || rm -f "$D/snap"; }
# Whoever was started before its bridge was there joins that.
rejoin() {
	r_ours=' '
	while read -r r_keep r_what r_name _; do
		case "$r_keep $r_what" in 'keep bridge' | 'keep adopted') r_ours="$r_ours$r_name " ;; esac
	done <"$ETC/committed"
	for r_conf in "$CONF"/*.conf; do
		r_ctid=${r_conf##*/}
		[ ! -f "$r_conf" ] || awk -v list="${r_ctid%.conf}" "$AWK_NETIF" "$r_conf"
	done | while read -r r_ctid r_bridge r_host; do
		case $r_ours in *" $r_bridge "*) ;; *) continue ;; esac
		# Before 3.14 a port of a bridge has no master there.
		[ ! -e "/sys/class/net/$r_host/master" ] || continue
		is_in "$r_host" - || continue
		is_joined "$r_host" "$r_bridge" || r_why=$(joins "$r_ctid" "$r_host" "$r_bridge") ||
			say "warn not-joined container $r_ctid: $(say "$r_why" | tail -n 1 | tr -cd ' -~')"
	done
}
replay() {
	B_failed='' b_vlans=''
	wait_for_adapters
	b_n=0
	while read -r b_kind b_what b_name b_rest; do
		[ "$b_kind $b_what" = 'keep vlan' ] || continue
		boot_part "$b_name" "vlan $b_name $b_rest" "vlan $b_name $b_rest"
		b_vlans="$b_vlans
keep vlan $b_name $b_rest"
	done <"$ETC/committed"
	crash booting
	while read -r b_kind b_what b_name b_rest; do
		case "$b_kind $b_what" in
		'keep bridge') boot_part "$b_name" "bridge $b_name $b_rest" "bridge $b_name $b_rest$b_vlans" ;;
		'keep adopted') boot_part "$b_name" "adopt $b_name $b_rest" "adopted $b_name $b_rest" ;;
		drop\ *)
			# A 7+ container whose saved bridge is missing does not start.
			! referred_to "$b_what" || boot_part "$b_what" "bridge $b_what -" "bridge $b_what -"
			;;
		esac
	done <"$ETC/committed"
}
# boot_part NAME STEP KEEPS: tried again where it was not refused. At boot others configure adapters too, and what
# they change while it runs makes it fail.
boot_part() {
	for b_wait in 1 2 0; do
		b_rc=0
		try_part "$2" "$3" || b_rc=$?
		[ $b_rc != 0 ] || return 0
		[ $b_rc = 1 ] || break
		! grep -q '^refuse ' "$D/notes" || break
		sleep $b_wait
	done
	B_failed="$B_failed $1"
	grep '^refuse ' "$D/notes" || say "warn boot-failed $1: $(tail -n 1 "$D/log" 2>/dev/null)"
}
# try_part STEP KEEPS: done; 1: everything as it was; 2: not even that, after minutes of trying.
try_part() {
	b_n=$((b_n + 1))
	D=$RUN/txn/boot-$b_n
	rm -rf "$D"
	mkdir -p "$D" || fail "$BROKEN" "cannot write $RUN"
	: >"$D/notes"
	read -r b_forward </proc/sys/net/ipv4/ip_forward
	say "boot $BOOT
forward $b_forward
state applying" >"$D/journal"
	find_tools
	feed "vnetpanel-plan 1
step $1
keep $2
end" compose boot >"$D/notes" && run_commands <"$D/work" >>"$D/log" 2>&1 && verify && { ended applied; return 0; }
	converged || { ended failed; return 2; }
	ended rolledback
	return 1
}
wait_for_adapters() (
	tries=${VNP_WAIT:-30}
	made=' '
	while read -r kind what name rest; do
		[ "$kind $what" != 'keep vlan' ] || made="$made$name "
	done <"$ETC/committed"
	while read -r kind what name rest; do
		case "$kind $what" in
		'keep vlan') dev=${rest% *} ;;
		'keep bridge' | 'keep adopted') dev=$rest ;;
		*) continue ;;
		esac
		# A VLAN of ours is made here, whatever it is called: only its base is waited for.
		case $made in *" $dev "*) continue ;; esac
		case $dev in -) continue ;; *.*) dev=${dev%.*} ;; esac
		until [ -d "/sys/class/net/$dev" ]; do
			[ "$tries" -gt 0 ] || return 0
			tries=$((tries - 1))
			sleep 1
		done
	done <"$ETC/committed"
)
