# Leaves nothing in the free blocks of the pools. Wants: method (trim, initialize or none).
set -eu
parameters=/sys/module/zfs/parameters
for pool in $(zpool list -H -o name); do
  # What was freed last is not free yet: it could still be rolled back to.
  for _ in 1 2 3 4; do zpool sync "$pool"; done
  case $method in
    trim)
      # By default the smallest pieces are left out.
      echo 512 >$parameters/zfs_trim_extent_bytes_min
      zpool trim -w "$pool"
      ;;
    initialize)
      echo 0 >$parameters/zfs_initialize_value
      zpool initialize -w "$pool"
      zpool initialize -u "$pool" 2>/dev/null || :
      ;;
  esac
done
