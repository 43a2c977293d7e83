# Copies the disk to the empty one beside it: the partition table, what is not ZFS's as it is, and of the pools what is in
# use, by replacing their devices. What was deleted stays behind; ZFS's own trim and initialize would leave some of it.
# Wants: disk, beside, others (numbers of partitions), pool_devices, scrub.
set -eu
[ "$scrub" = yes ] || exit 0
case " $pool_devices " in
  *" $disk "*) echo "a pool on all of the disk, without partitions, cannot be copied"; exit 4 ;;
esac
sgdisk -R "$beside" "$disk" >/dev/null
# What a BIOS would start, before the table of the MBR.
dd if="$disk" of="$beside" bs=440 count=1 2>/dev/null
for device in $pool_devices; do
  copy=$beside${device#"$disk"}
  waited=0
  until [ -b "$copy" ]; do
    [ "$waited" -lt 50 ] || { echo "no partition $copy 5 s after its table was written"; exit 1; }
    waited=$((waited + 1))
    sleep 0.1
  done
done
for number in $others; do dd if="$disk$number" of="$beside$number" bs=1M 2>/dev/null; done
for pool in $(zpool list -H -o name); do
  # What was freed last is not free yet: it could still be rolled back to.
  for _ in 1 2 3 4; do zpool sync "$pool"; done
  for device in $pool_devices; do
    zpool status -P "$pool" | awk '{ print $1 }' | grep -qxF "$device" || continue
    zpool replace -f -w "$pool" "$device" "$beside${device#"$disk"}"
  done
  state=$(zpool list -H -o health "$pool")
  [ "$state" = ONLINE ] || { echo "$pool is $state once it was copied"; exit 1; }
  if zpool status -P "$pool" | awk '{ print $1 }' | grep -q "^$disk"; then
    echo "$pool is still on $disk: $(zpool status -P "$pool" | tr '\n' ' ')"
    exit 1
  fi
done
