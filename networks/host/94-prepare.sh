# shellcheck shell=sh disable=SC2034,SC2154
# Making a server ready: the replay at boot, the watcher that calls `recover` once a minute, and where vzctl is 4.x
# its start hook. Each file is written only where it differs, so this can be repeated.

VZNET=$SYS/etc/vz/vznet.conf
HOOK=$LIB/vznet-hook
PROGRAM=$LIB/transaction

# install_file PATH MODE <text
install_file() {
	i_text=$(cat)
	[ -d "${1%/*}" ] || mkdir -p "${1%/*}"
	if [ ! -f "$1" ] || [ "$(cat "$1")" != "$i_text" ]; then
		say "$i_text" | put "$1" || fail "$BROKEN" "cannot write $1"
		I_wrote="$I_wrote $1"
	fi
	chmod "$2" "$1"
}
prepare() {
	I_wrote=''
	install_file "$PROGRAM" 0755 <"$SELF"
	# Those of other versions; a shell that runs one goes on.
	for p_old in "$PROGRAM"-*.sh; do
		[ "$p_old" = "$SELF" ] || rm -f "$p_old"
	done
	if [ -d "${VNP_SYSTEMD:-/run/systemd/system}" ]; then prepare_systemd; else prepare_sysv; fi
	[ ! -d "$SYS/etc/vz" ] || prepare_hook
	say "wrote=${I_wrote# }"
	leave "$OK"
}
# Before, never Requires: a failure here must not keep the containers from starting.
prepare_systemd() {
	install_file "$SYS/etc/systemd/system/vnetpanel-net.service" 0644 <<-EOT
		[Unit]
		Description=Virtual networks of this server
		After=network.target network.service networking.service NetworkManager.service
		Before=vz.service libvirtd.service network-online.target

		[Service]
		Type=oneshot
		RemainAfterExit=yes
		ExecStart=/bin/sh $PROGRAM boot
		TimeoutStartSec=90

		[Install]
		WantedBy=multi-user.target
	EOT
	install_file "$SYS/etc/systemd/system/vnetpanel-recover.service" 0644 <<-EOT
		[Unit]
		Description=Finish a network change that was left half-way

		[Service]
		Type=oneshot
		SuccessExitStatus=75
		ExecStart=/bin/sh $PROGRAM recover
	EOT
	install_file "$SYS/etc/systemd/system/vnetpanel-recover.timer" 0644 <<-EOT
		[Unit]
		Description=Look once a minute for a network change left half-way

		[Timer]
		OnBootSec=60
		OnUnitActiveSec=60
		AccuracySec=10

		[Install]
		WantedBy=timers.target
	EOT
	say init=systemd
	[ -z "$SYS" ] || return 0
	if ! { systemctl daemon-reload && systemctl -q enable vnetpanel-net.service &&
		systemctl -q enable --now vnetpanel-recover.timer; }; then
		fail "$BROKEN" "systemctl refused the units"
	fi
}
# EL6 starts network at 10 and vz later; Debian's insserv reads the LSB header.
prepare_sysv() {
	install_file "$SYS/etc/init.d/vnetpanel-net" 0755 <<-EOT
		#!/bin/sh
		# chkconfig: 2345 11 89
		# description: Virtual networks of this server
		### BEGIN INIT INFO
		# Provides:          vnetpanel-net
		# Required-Start:    \$local_fs \$network
		# Required-Stop:
		# X-Start-Before:    vz
		# Default-Start:     2 3 4 5
		# Default-Stop:
		# Short-Description: Virtual networks of this server
		### END INIT INFO
		case \$1 in
		start | restart) exec /bin/sh $PROGRAM boot ;;
		status) exec /bin/sh $PROGRAM status ;;
		esac
		exit 0
	EOT
	install_file "$SYS/etc/cron.d/vnetpanel" 0644 <<-EOT
		* * * * * root /bin/sh $PROGRAM recover >/dev/null 2>&1
	EOT
	say init=sysv
	[ -z "$SYS" ] || return 0
	if command -v chkconfig >/dev/null 2>&1; then
		chkconfig --add vnetpanel-net
	elif command -v update-rc.d >/dev/null 2>&1; then
		update-rc.d vnetpanel-net defaults
	fi >/dev/null 2>&1
}
# 7+ joins bridges itself and would be broken by an EXTERNAL_SCRIPT.
prepare_hook() {
	case ${VNP_VZCTL:-$(vzctl --version 2>/dev/null)} in
	*' 3.'* | *' 4.'*) ;;
	*) say hook=unneeded && return 0 ;;
	esac
	p_script=''
	[ ! -f "$VZNET" ] || p_script=$(sed -n 's/^[[:space:]]*EXTERNAL_SCRIPT=//p' "$VZNET" | tail -n 1 | tr -d "\"'")
	case $p_script in
	'' | "$HOOK") ;;
	*)
		say "warn foreign-hook $VZNET calls $p_script: containers that start join what that decides; remove the line" \
			"and prepare again"
		say hook=foreign
		return 0
		;;
	esac
	install_file "$HOOK" 0755 <<-EOT
		$(hook_text)
	EOT
	[ -n "$p_script" ] || install_file "$VZNET" 0644 <<-EOT
		$([ ! -f "$VZNET" ] || cat "$VZNET")
		EXTERNAL_SCRIPT="$HOOK"
	EOT
	say hook=ours
}
# The files go, the network stays.
forget() {
	# Locked: a transaction that begins meanwhile would lose its snapshot and its watchers.
	hold_transaction 3 || fail "$BUSY" "a transaction is at work"
	! undecided || fail "$BUSY" "$P_txid is not decided yet"
	if [ -z "$SYS" ] && [ -d /run/systemd/system ]; then
		systemctl -q disable --now vnetpanel-recover.timer vnetpanel-net.service 2>/dev/null
	elif [ -z "$SYS" ] && command -v chkconfig >/dev/null 2>&1; then
		chkconfig --del vnetpanel-net 2>/dev/null
	fi
	for f_file in vnetpanel-net.service vnetpanel-recover.service vnetpanel-recover.timer; do
		rm -f "$SYS/etc/systemd/system/$f_file"
	done
	rm -f "$SYS/etc/init.d/vnetpanel-net" "$SYS/etc/cron.d/vnetpanel"
	if [ -z "$SYS" ] && [ -d /run/systemd/system ]; then
		systemctl daemon-reload
	elif [ -z "$SYS" ] && command -v update-rc.d >/dev/null 2>&1; then
		update-rc.d vnetpanel-net remove # the links are told apart by the script being gone
	fi >/dev/null 2>&1
	if [ -f "$VZNET" ] && grep -q -F "$HOOK" "$VZNET"; then
		grep -v -F "$HOOK" "$VZNET" | put "$VZNET"
	fi
	rm -rf "$ETC" "$RUN" "$LIB"
	say state=forgotten
	leave "$OK"
}
