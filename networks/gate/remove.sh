#!/bin/sh
# Takes off this server what preparing it for the panel has put there: the user, his key, the programs, the sudoers
# file. What the transaction script keeps (the replay at boot, the committed state) stays, and so does the network.
set -u
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
end() {
	echo "$2" | tr -s '\n\t' '  '
	printf '\ndone=%s\n' "$1"
	exit "$1"
}
[ "$(id -u)" = 0 ] || end 69 'error=only root can take it away'
[ ! -s /run/vnetpanel/pending ] || end 69 'error=a change of the network is not decided yet: wait for its end'
rm -f @FOLDER@/home/.ssh/authorized_keys @SUDOERS@ || end 74 'error=cannot remove @SUDOERS@'
if grep -q '^@USER@:.*:@FOLDER@/gate$' /etc/passwd; then
	# Connections of the panel that are still open keep the user in use.
	pkill -KILL -u @USER@ 2>/dev/null
	said=$(userdel -f @USER@ 2>&1) || end 74 "error=userdel: $said"
fi
rm -rf @FOLDER@ || end 74 'error=cannot remove @FOLDER@'
end 0 'state=removed'
