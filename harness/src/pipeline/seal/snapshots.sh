# Deals with the snapshots, which still hold what was removed. Wants: policy.
set -eu
zfs unmount -a
[ -z "$root" ] || zfs unmount "$root" 2>/dev/null || :
if zfs list -H -o mounted -t filesystem | grep -qx yes; then
  echo "a file system is still in use: $(zfs list -H -o mounted,name -t filesystem | grep '^yes' | head -n 1)"
  exit 1
fi
tab=$(printf '\t')
zfs list -H -p -t snapshot -s createtxg -o name,userrefs,clones >/run/snapshots
while IFS=$tab read -r name holds clones; do
  [ "$policy" = keep ] && { echo "kept=$name"; continue; }
  [ "$clones" = - ] || [ -z "$clones" ] || { echo "snapshot $name has the clone $clones: promote or destroy that first, or give --snapshots keep"; exit 4; }
  [ "$holds" = 0 ] || { echo "snapshot $name is held $holds times: release it first (zfs holds names the tags), or give --snapshots keep"; exit 4; }
done </run/snapshots
[ "$policy" != keep ] || exit 0
while IFS=$tab read -r name holds clones; do
  zfs destroy "$name"
  [ "$policy" = renew ] || echo "destroyed=$name"
done </run/snapshots
for pool in $(zpool list -H -o name); do zpool wait -t free "$pool"; done
[ "$policy" = renew ] || exit 0
# One of each data set at once: those of one name belong together.
cut -f 1 /run/snapshots | sed 's/.*@//' | awk '!seen[$0]++' >/run/names
while read -r label; do
  cut -f 1 /run/snapshots | awk -F@ -v label="$label" '$2 == label' >/run/group
  tr '\n' '\0' </run/group | xargs -0 zfs snapshot
  sed 's/^/renewed=/' /run/group
done </run/names
