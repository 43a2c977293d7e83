# What stands in the mounted file systems that somebody asks about, one line each with tabs between its fields. Snapshots
# are not looked into, nor file systems of the kernel's own making.
set -u
export LC_ALL=C
tab=$(printf '\t')
nl='
'
# The first mount of each; what a bind mount shows is seen where it is.
roots=$(awk '($3 ~ /^(zfs|ext[234]|xfs|btrfs|f2fs)$/ || $2 == "/tmp") && $2 !~ /\/[.]zfs\// && !seen[$1 $3]++ { print $2 }' /proc/self/mounts)
IFS=$nl
set -f
set -- $roots
set +f
unset IFS
command -v getcap >/dev/null && { echo capabilities; caps='-exec getcap {} +'; }

find "$@" -xdev \( \
  -path "*$nl*" -printf 'odd\n' -prune -o \( \
  -type f -perm /6000 -printf 'setid\t%m\t%u:%g\t%p\n' , \
  -perm -0002 \( -type f -o -type d ! -perm -1000 \) -printf 'open\t%m\t%p\n' , \
  \( -type b -o -type c \) -printf 'device\t%y\t%p\n' , \
  \( ! -uid 0 -o ! -gid 0 \) -printf 'owner\t%U\t%G\t%p\n' , \
  -type f \( \
    \( -name '*.dpkg-*' -o -name '*.ucf-*' -o -name '*.rpmnew' -o -name '*.rpmsave' -o -name '*.rpmorig' \
      -o -name '*.pacnew' -o -name '*.pacsave' -o -name '*.apk-new' \) -printf 'package\t\t%p\n' -o \
    \( -name '.*_history' -o -name .lesshst -o -name .viminfo -o -name .wget-hsts -o -name 'known_hosts*' \) -printf 'history\t\t%p\n' -o \
    -name 'authorized_keys*' -size +0 -printf 'authorized\t\t%p\n' -o \
    \( -name core -o -name 'core.[0-9]*' -o -name 'vgcore.*' -o -path '/var/crash/*' -o -path '/var/lib/systemd/coredump/*' \) \
      ! -path '/usr/*' ! -path '/etc/*' -printf 'core\t\t%p\n' -o \
    \( -path '/root/*' -o -path '/tmp/*' -o -path '/var/tmp/*' -o -path '/var/lib/apt/lists/*' -o -path '/var/cache/apt/*' \
      -o -path '/var/cache/dnf/*' -o -path '/var/cache/yum/*' -o -path '/var/log/installer/*' -o -path '/var/log/anaconda/*' \
      -o -name 'anaconda-ks.cfg' -o -name 'preseed.cfg' -o -name 'packer-*' \) -printf 'left\t\t%p\n' \
  \) , \
  -type f -perm /0111 ${caps:--false} \) \) |
  awk -F '\t' '
    BEGIN {
      while ((getline line < "/etc/passwd") > 0) { split(line, part, ":"); uid[part[3]] }
      while ((getline line < "/etc/group") > 0) { split(line, part, ":"); gid[part[3]] }
    }
    /^\// { print "capability\t\t" $0; next }
    $1 == "owner" { if (!($2 in uid) || !($3 in gid)) print "unowned\t" $2 ":" $3 "\t" substr($0, length($2 $3) + 9); next }
    { print }'

# Keys are small; what packages bring is not among these places.
for place in /etc /root /home /srv /opt /var /boot /usr/local /tmp; do
  if [ -d "$place" ]; then
    find "$place" -xdev \( -path /var/lib/dpkg/info -o -path /var/log/journal -o -path "*$nl*" \) -prune -o -type f -size -64k \
      -exec grep -lE -e '-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----|^PuTTY-User-Key-File-|^[[:space:]]*PrivateKey[[:space:]]*=[[:space:]]*[A-Za-z0-9+/]{42}' {} +
  fi
done | sed "s/^/key$tab$tab/"
echo end
