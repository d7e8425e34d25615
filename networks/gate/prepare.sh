#!/bin/sh
# Prepares this server for the control panel for virtual networks. Run it as root; run again, it brings everything up
# to date. It makes the user @USER@, who has no password and no shell: his key opens the gate, the gate opens three
# programs that only root can change, by a sudoers file without wildcards. Nothing else of the server is changed.
set -u
umask 022
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
here=@FOLDER@
sudoers=@SUDOERS@

# Every answer ends with "done=" and the exit code.
end() {
	echo "$2" | tr -s '\n\t' '  '
	printf '\ndone=%s\n' "$1"
	exit "$1"
}
refuse() { end 69 "error=$*"; }
broken() { end 74 "error=$*"; }
# put FILE MODE <text: whole or not at all
put() {
	{ rm -rf "$1.new" && cat >"$1.new" && chmod "$2" "$1.new" && mv -f "$1.new" "$1"; } || broken "cannot write $1"
}
is_roots() {
	[ ! -L "$1" ] && [ "$(find "$1" -prune -user 0 ! -perm -020 ! -perm -002)" = "$1" ]
}

[ "$(id -u)" = 0 ] || refuse 'only root can prepare a server'
for tool in sudo visudo; do
	command -v $tool >/dev/null || refuse "there is no $tool here: install sudo, or leave the panel with root's login"
done
for tool in useradd usermod; do
	command -v $tool >/dev/null || refuse "there is no $tool here: install the package with it (passwd, shadow-utils)"
done
[ ! -s /run/vnetpanel/pending ] || refuse 'a change of the network is not decided yet: wait for its end'
said=$(visudo -c 2>&1) || refuse "sudo's configuration has an error already, mend that first: $said"
mkdir -p "$here/home/.ssh" || broken "cannot make $here"
# Whoever may rename a folder above the programs could put others in their place, or theirs before the tools.
for folder in / /usr /usr/local /usr/local/bin /usr/local/sbin /usr/local/lib "$here" "$here/home" "$here/home/.ssh"; do
	[ ! -e "$folder" ] || is_roots "$folder" || refuse "others than root can write to $folder: chown root $folder; chmod go-w $folder"
done
user=$(grep '^@USER@:' /etc/passwd)
case $user in
'' | *":$here/home:$here/gate") ;;
*) refuse 'there is a user @USER@ that the panel has not made: remove or rename it' ;;
esac

put "$here/probe" 0755 <<'VNP_END'
@probe@
VNP_END
put "$here/transaction" 0755 <<'VNP_END'
@transaction@
VNP_END
put "$here/measure" 0755 <<'VNP_END'
@measure@
VNP_END
put "$here/gate" 0755 <<'VNP_END'
@gate@
VNP_END
put "$here/sudoers" 0440 <<'VNP_END'
@sudoers@
VNP_END

if [ -z "$user" ]; then
	said=$(useradd -r -M -d "$here/home" -s "$here/gate" @USER@ 2>&1) || broken "useradd: $said"
fi
# No password fits "*"; "!" would be a locked account, which some sshds do not let in even with a key.
usermod -p '*' @USER@ || broken 'usermod failed'

said=$(visudo -cf "$here/sudoers" 2>&1) || refuse "this sudo does not accept the sudoers file: $said"
[ -d "${sudoers%/*}" ] || refuse "this sudo has no ${sudoers%/*}"
put "$sudoers" 0440 <"$here/sudoers"
if ! said=$(visudo -c 2>&1); then
	rm -f "$sudoers"
	refuse "sudo does not accept the sudoers file: $said"
fi
may=$(sudo -l -U @USER@ 2>&1)
case $may in
*"$here/probe -"*) ;;
*)
	rm -f "$sudoers"
	refuse "sudo does not read ${sudoers%/*}: add #includedir ${sudoers%/*} to /etc/sudoers"
	;;
esac
more=$(echo "$may" | grep '^ *(.*)' | grep -v "$here/")
if [ -n "$more" ]; then
	rm -f "$sudoers"
	refuse "other lines of sudo's configuration let @USER@ run more:$more"
fi

put "$here/home/.ssh/authorized_keys" 0644 <<'VNP_END'
@key@
VNP_END
echo @VERSION@ | put "$here/version" 0644
end 0 'version=@VERSION@'
