#!/bin/sh
# First process of a lab server. The root file system is this machine's own, read-only (hostfs); replace it by the
# server's disk, with only /usr laid over this machine's /usr, then hand over to the server's init.
# In: LAB_SERVER (state folder of the server) and LAB_INIT (absolute path of its init), from the kernel command line.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin

disk=/mnt
modules=$LAB_SERVER/modules

# The kernel mounts devtmpfs on /dev itself. -n: there is nowhere to write a mount table yet.
mount -n -t proc proc /proc
mount -n -t ext4 /dev/ubda $disk
modprobe -d "$modules" -a overlay 8021q bridge veth ipv6 nf_tables

mount -n -t overlay usr -o "lowerdir=/usr,upperdir=$disk/.usr-upper,workdir=$disk/.usr-work" $disk/usr
mount -n -t sysfs -o nosuid,nodev,noexec sysfs $disk/sys
mount -n -t tmpfs -o mode=755,nosuid,nodev tmpfs $disk/run
mount -n --move /dev $disk/dev
mount -n --move /proc $disk/proc

# pivot_root and not chroot: programs that enter namespaces walk out of a chroot.
cd $disk
pivot_root . .host
# Lazily: the overlay keeps the part of the old root that it lies on.
umount -n -l /.host
mkdir -p /dev/pts /dev/shm /run/lab /run/lock /run/sshd
mount -n -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -n -t tmpfs -o mode=1777,nosuid,nodev tmpfs /dev/shm

exec "$LAB_INIT" </dev/console >/dev/console 2>&1
