# Overwrites the free clusters of the EFI system partition, says what it holds, and unmounts it. Wants: esp, scrub.
set -eu
[ -n "$esp" ] || exit 0
if [ "$scrub" = yes ]; then
  # It ends when the partition is full.
  dd if=/dev/zero of=/esp/kverify.zero bs=1M 2>/dev/null || :
  sync
  rm -f /esp/kverify.zero
fi
echo "esp_kib=$(df -k /esp | awk 'END { print $(NF - 3) }')"
umount /esp
