# Says what the pools hold, and exports them.
set -eu
for pool in $(zpool list -H -o name); do
  zpool sync "$pool"
  echo "pool=$(zpool list -H -p -o name,allocated "$pool" | tr '\t' ' ')"
  zpool export "$pool"
done
sync
