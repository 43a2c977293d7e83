# Mounts overlays whose upper and lower layer are on one file system, and writes, replaces and removes through them.
# Says which kind of file system it was, and what came of it.
work=$(mktemp -d /var/tmp/kverify-overlay.XXXXXX) || exit 1
clean() {
  cd /
  umount "$work/tmpfs/merged" "$work/tmpfs" "$work/tree/merged" 2>/dev/null
  rm -rf "$work"
}
trap clean EXIT
through() {
  mkdir lower upper work merged lower/folder && echo old >lower/kept && echo old >lower/gone && echo old >lower/folder/file &&
    mount -t overlay kverify -o lowerdir=lower,upperdir=upper,workdir=work merged && echo new >merged/kept &&
    rm merged/gone && rm -r merged/folder && mkdir merged/folder &&
    [ "$(cat merged/kept upper/kept lower/kept | tr '\n' ' ')" = 'new new old ' ] &&
    [ ! -e merged/gone ] && [ -e lower/gone ] && [ ! -e merged/folder/file ]
}
mkdir "$work/tmpfs" "$work/tree" && mount -t tmpfs kverify "$work/tmpfs" || exit 1
for there in tmpfs tree; do
  cd "$work/$there" || exit 1
  kind=$(stat -f -c %T .) || exit 1
  if said=$(through 2>&1); then echo "$kind works"; else echo "$kind fails: $(echo "$said" | tr '\n' ' ')"; fi
done
