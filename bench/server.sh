#!/bin/sh
# One server of the benchmark, started by `ip netns exec` and so in a mount namespace of its own: real sshd, an /etc,
# a /run and a /var/lib of its own, one container stand-in. Nothing of the machine is changed.
#   server.sh FOLDER ADDRESS TOOLS      FOLDER: keys, sshd_config, authorized_keys; TOOLS: vzctl and vzlist
set -eu
folder=$1 address=$2 tools=$3
# What containers and the transaction script write goes into memory, and ends with this process.
mount -t tmpfs -o mode=755 none /mnt
mkdir -p /mnt/etc /mnt/etc.work /mnt/lib /mnt/lib.work /mnt/root/.ssh
mount -t overlay -o lowerdir=/etc,upperdir=/mnt/etc,workdir=/mnt/etc.work none /etc
mount -t overlay -o lowerdir=/var/lib,upperdir=/mnt/lib,workdir=/mnt/lib.work none /var/lib
cp "$folder/authorized_keys" /mnt/root/.ssh/
mount --bind /mnt/root /root
# The start-up files of a shell cost more than the work; a real root's are not part of the comparison.
mount -t tmpfs -o mode=755 none /run
mkdir -p /run/sshd /run/netns /etc/vz/conf
mount --bind "$tools" /usr/local/sbin
sed -i '/^root:/s|[^:]*$|/usr/local/sbin/shell|' /etc/passwd # see Farm.answers
# Where the transaction looks, which is not where a person may have put something.
mount -t overlay -o "lowerdir=$tools:/usr/sbin" none /usr/sbin
ip netns add ct101
ip -batch - <<EOT
link set lo up
addr add $address/16 dev eth0
link set eth0 up
link set eth1 up
route add default via 10.76.0.1
link add veth101.0 type veth peer name eth0 netns ct101
link set veth101.0 up
EOT
ip -n ct101 -batch - <<EOT
link set lo up
addr add 10.99.${address#10.76.}/16 dev eth0
link set eth0 up
EOT
mac=$(cat /sys/class/net/veth101.0/address)
cat >/etc/vz/conf/101.conf <<EOT
OSTEMPLATE="debian-12"
HOSTNAME="ct101"
NETIF="ifname=eth0,mac=$mac,host_ifname=veth101.0,host_mac=$mac"
EOT
exec /usr/sbin/sshd -D -e -f "$folder/sshd_config"
