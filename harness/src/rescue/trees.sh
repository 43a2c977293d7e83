# Mounts every file system and snapshot of the disk's pools, and the EFI system partition, below /tree, for programs that
# walk them: /run/trees has number, name and mount point of each, /run/closed name and reason of what could not be mounted.
# Wants: pool_devices, esp, how (readonly or writable).
set -eu
tab=$(printf '\t')
for device in $pool_devices $esp; do
  [ -b "$device" ] || { echo "no disk $device"; exit 1; }
done
dirs=
for device in $pool_devices; do dirs="$dirs -d $device"; done
if [ "$how" = readonly ]; then import='-o readonly=on' mode=ro; else import='' mode=rw; fi
# shellcheck disable=SC2086  # several options
zpool import $dirs $import -N -f -R /mnt -a
: >/run/trees
: >/run/closed
number=0

tree() { # NAME AT MOUNT…
  name=$1 at=$2
  shift 2
  mkdir -p "/tree/$number"
  if "$@" "/tree/$number" 2>/run/why; then
    printf '%s\t%s\t%s\n' "$number" "$name" "$at" >>/run/trees
    number=$((number + 1))
  else
    printf '%s\t%s\n' "$name" "$(tr '\t\n' '  ' </run/why)" >>/run/closed
  fi
}

zfs list -H -t filesystem -o name,mountpoint,keystatus >/run/filesystems
while IFS=$tab read -r name at key; do
  if [ "$key" = unavailable ]; then
    printf '%s\t%s\n' "$name" "encrypted, without its key" >>/run/closed
    continue
  fi
  case $at in
    legacy) zfsutil='' at=- ;;
    none) zfsutil=,zfsutil at=- ;;
    /mnt | /mnt/) zfsutil=,zfsutil at=/ ;;
    *) zfsutil=,zfsutil at=${at#/mnt} ;;
  esac
  tree "$name" "$at" mount.zfs -o "$mode$zfsutil" "$name"
  zfs list -H -t snapshot -d 1 -o name "$name" >/run/snapshots
  while read -r snapshot; do tree "$snapshot" "$at" mount.zfs -o ro "$snapshot"; done </run/snapshots
done </run/filesystems
zfs list -H -t volume -o name >/run/volumes
while read -r name; do printf '%s\t%s\n' "$name" "a volume" >>/run/closed; done </run/volumes
[ -z "$esp" ] || tree esp /boot/efi mount -t vfat -o "$mode,umask=0077" "$esp"
