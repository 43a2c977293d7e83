# Imports every pool of the disk and mounts all file systems: what was still to be replayed from an intent log, or to be
# deleted once nobody had it open, is done by that. Wants: pool_devices, root, esp.
set -eu
for device in $pool_devices $esp; do
  [ -b "$device" ] || { echo "no disk $device"; exit 1; }
done
dirs=
for device in $pool_devices; do dirs="$dirs -d $device"; done
# shellcheck disable=SC2086  # several options
zpool import $dirs -N -f -R /mnt -a
zfs mount "$root"
zfs mount -a
mkdir -p /aside
zfs list -H -t filesystem -o name,mounted,canmount,mountpoint,keystatus | while IFS="$(printf '\t')" read -r name mounted can at key; do
  if [ "$mounted" = yes ] || [ "$can" = off ] || [ "$at" = none ]; then continue; fi
  if [ "$key" = unavailable ]; then
    echo "left=$name: encrypted, and not looked into"
    continue
  fi
  if [ "$at" = legacy ]; then mount.zfs "$name" /aside; else mount.zfs -o zfsutil "$name" /aside; fi
  umount /aside
  echo "left=$name: not mounted by the sealed system, and not looked into"
done
if [ -n "$esp" ]; then
  mkdir -p /esp
  mount -t vfat -o umask=0077 "$esp" /esp
fi
