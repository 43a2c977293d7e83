#!/bin/sh
# The first process of a rescue system: makes the devices, loads what it takes to read the disk, and gives root's shell
# to whoever holds the other end of the second serial line. Nothing of the disk is touched before it is told to.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
mkdir -p /proc /sys /dev /run /tmp /mnt
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /run
exec >/dev/console 2>&1 </dev/null
for module in virtio_pci virtio_blk virtio_scsi sd_mod ahci nvme vfat nls_cp437 nls_ascii nls_utf8 zfs; do
  modprobe -q "$module"
done
[ -e /proc/self/mounts ] && ln -sf /proc/self/mounts /etc/mtab
port=/dev/ttyS1
exec 3<>"$port"
stty -F "$port" raw -echo clocal || echo "rescue: no raw line"
echo "rescue: ready"
echo kverify-rescue-is-ready >&3
# With a line for its input a shell would prompt and edit; as a script it reads what it is sent.
while :; do
  sh "$port" </dev/null >&3 2>&3
  sleep 1
done
