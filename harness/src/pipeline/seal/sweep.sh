# Removes from the mounted root what identifies the machine, what its boots and users left, and all that the seed brought.
# It runs after the system's own tool, and also takes what a shutdown writes again. Wants: root, user, marks (may be empty), passwords (lock or keep).
set -eu
top=/mnt

gone() {
  for path in "$@"; do
    if [ -e "$path" ] || [ -L "$path" ]; then
      rm -rf "$path"
      echo "removed=${path#"$top"}"
    fi
  done
}

emptied() {
  for path in "$@"; do
    if [ -f "$path" ] && [ ! -L "$path" ] && [ -s "$path" ]; then
      : >"$path"
      echo "emptied=${path#"$top"}"
    fi
  done
}

# Writes the rest of a file back into it, so that its owner, mode and attributes stay.
kept() { # FILE WHAT FILTER…
  file=$1 what=$2
  shift 2
  [ -f "$file" ] || return 0
  "$@" <"$file" >/run/kept
  cmp -s /run/kept "$file" && return 0
  cat /run/kept >"$file"
  echo "removed=${file#"$top"}: $what"
}

identity() {
  [ "$(cat "$top/etc/machine-id" 2>/dev/null)" = uninitialized ] || emptied "$top/etc/machine-id"
  [ -L "$top/var/lib/dbus/machine-id" ] || gone "$top/var/lib/dbus/machine-id"
  gone "$top"/etc/ssh/ssh_host_* "$top"/var/lib/systemd/random-seed "$top"/var/lib/systemd/credential.secret
  gone "$top"/var/lib/urandom/random-seed "$top"/var/lib/random-seed "$top"/var/lib/seedrng
  gone "$top"/etc/udev/rules.d/70-persistent-net.rules "$top"/etc/udev/rules.d/75-persistent-net-generator.rules
  gone "$top"/etc/iscsi/initiatorname.iscsi "$top"/etc/nvme/hostnqn "$top"/etc/nvme/hostid
  # Whoever has these keys signs modules for every machine that trusts them.
  gone "$top"/var/lib/dkms/mok.key "$top"/var/lib/dkms/mok.pub "$top"/var/lib/shim-signed/mok/MOK.priv
  gone /esp/loader/random-seed
}

leases() {
  gone "$top"/var/lib/dhcp/* "$top"/var/lib/dhcpcd/* "$top"/var/lib/dhclient/* "$top"/etc/dhcpcd.duid "$top"/etc/dhcpcd.secret
  gone "$top"/var/lib/systemd/network/* "$top"/var/lib/systemd/timers/* "$top"/var/lib/systemd/coredump/*
  gone "$top"/var/lib/NetworkManager/*.lease "$top"/var/lib/NetworkManager/secret_key "$top"/var/lib/NetworkManager/timestamps
  gone "$top"/var/lib/NetworkManager/seen-bssids
}

users() {
  for home in "$top"/root "$top"/home/*; do
    gone "$home"/.bash_history "$home"/.sh_history "$home"/.ash_history "$home"/.zsh_history "$home"/.python_history
    gone "$home"/.lesshst "$home"/.viminfo "$home"/.wget-hsts "$home"/.ssh/known_hosts "$home"/.ssh/known_hosts.old
  done
  # Each is the file as it was before somebody changed it: accounts that are gone, passwords that were.
  for file in passwd shadow group gshadow subuid subgid; do
    gone "$top/etc/$file-" "$top/etc/$file.bak" "$top/var/backups/$file.bak" "$top/var/backups/$file"
  done
}

# A locked hash is still a hash, and whoever has the image can try words on it: it goes.
# shellcheck disable=SC2016  # awk's own variables
without_hashes() {
  awk -F: -v OFS=: '$2 ~ /^[!*]*([$]|_|[A-Za-z0-9.\/][A-Za-z0-9.\/][A-Za-z0-9.\/])/ { $2 = "!" } { print }'
}

passwords() {
  [ "$passwords" = lock ] || return 0
  for file in shadow gshadow; do kept "$top/etc/$file" "hashes of passwords" without_hashes; done
}

logs() {
  gone "$top"/var/log/journal/* "$top"/var/log/wtmp* "$top"/var/log/btmp* "$top"/var/log/lastlog "$top"/var/lib/wtmpdb/wtmp.db
  gone "$top"/var/lib/lastlog/lastlog2.db "$top"/var/crash/* "$top"/var/tmp/* "$top"/var/tmp/.[!.]* "$top"/tmp/* "$top"/tmp/.[!.]*
  find "$top/var/log" -type f \( -name '*.gz' -o -name '*.xz' -o -name '*.old' -o -name '*.[0-9]' \) >/run/logs
  while read -r file; do gone "$file"; done </run/logs
  find "$top/var/log" -type f -size +0 >/run/logs
  while read -r file; do emptied "$file"; done </run/logs
}

cloud_init() {
  gone "$top"/var/lib/cloud/* "$top"/var/log/cloud-init* "$top"/etc/netplan/50-cloud-init.yaml
  gone "$top"/etc/systemd/network/10-cloud-init-* "$top"/etc/ssh/sshd_config.d/50-cloud-init.conf
  gone "$top"/etc/network/interfaces.d/50-cloud-init "$top"/etc/zfs/zpool.cache
}

# shellcheck disable=SC2016  # awk's own variables
without_member() {
  awk -F: -v OFS=: -v user="$user" '
    function others(list,    names, count, n, kept) {
      count = split(list, names, ",")
      for (n = 1; n <= count; n++) if (names[n] != user) kept = kept (kept == "" ? "" : ",") names[n]
      return kept
    }
    $1 == user { next }
    { if (NF == 4) { before = $4; after = others(before); if (after != before) $4 = after }
      if (groups == 2) { before = $3; after = others(before); if (after != before) $3 = after }
      print }' groups="$1"
}

# shellcheck disable=SC2016  # awk's own variables
without_rule() {
  awk -v user="$user" '$1 == user || $0 == "# User rules for " user { next } { print }'
}

# What the seed made: an account of a name that only kverify gives.
account() {
  home=$(awk -F: -v user="$user" '$1 == user { print $6 }' "$top/etc/passwd")
  id=$(awk -F: -v user="$user" '$1 == user { print $3 }' "$top/etc/passwd")
  for file in passwd shadow subuid subgid; do kept "$top/etc/$file" "account $user" grep -v "^$user:" || :; done
  kept "$top/etc/group" "group $user" without_member 1
  kept "$top/etc/gshadow" "group $user" without_member 2
  case $home in /home/?*) gone "$top$home" ;; esac
  gone "$top/var/mail/$user" "$top/var/spool/mail/$user" "$top/var/spool/cron/crontabs/$user" "$top/var/spool/cron/$user"
  gone "$top/var/lib/systemd/linger/$user" "$top/var/lib/AccountsService/users/$user"
  gone "$top/var/lib/sudo/lectured/$user" "$top/var/db/sudo/lectured/$user" "$top/run/sudo/ts/$user"
  [ -z "$id" ] || gone "$top/var/lib/sudo/lectured/$id" "$top/var/db/sudo/lectured/$id"
  for file in "$top/etc/sudoers" "$top"/etc/sudoers.d/*; do
    kept "$file" "rule of $user" without_rule
    if head -n 1 "$file" | grep -q '^# Created by cloud-init' && ! grep -qv -e '^#' -e '^$' "$file"; then gone "$file"; fi
  done
  # cloud-init makes this for root even where it has nothing to put into it.
  if [ -f "$top/root/.ssh/authorized_keys" ] && [ ! -s "$top/root/.ssh/authorized_keys" ]; then
    gone "$top/root/.ssh/authorized_keys"
    rmdir "$top/root/.ssh" 2>/dev/null || :
  fi
  for place in etc home root var srv opt tmp; do
    [ -z "$id" ] || [ ! -d "$top/$place" ] || find "$top/$place" -user "$id" >>/run/owned
  done
  while read -r path; do gone "$path"; done </run/owned
}

flags() {
  [ ! -d "$top/etc/kldload" ] || : >"$top/etc/kldload/first-boot"
}

# Nothing of this run may be anywhere; and of what only a person can judge, at least the place is said.
proof() {
  : >/run/found
  for place in etc home root var srv opt; do
    [ ! -d "$top/$place" ] || grep -rlE -e "${marks:+$marks|}-----BEGIN [A-Z ]*PRIVATE KEY-----" "$top/$place" >>/run/found 2>/dev/null || :
  done
  while read -r path; do
    if [ -n "$marks" ] && grep -qE "$marks" "$path"; then
      echo "${path#"$top"} still holds what the seed brought"
      exit 3
    fi
    echo "left=${path#"$top"}: holds a private key"
  done </run/found
  if [ -n "$user" ] && grep -q "^$user:" "$top/etc/passwd" "$top/etc/shadow" "$top/etc/group"; then
    echo "the account $user is still there"
    exit 3
  fi
}

# A boot may have written into the places of file systems before these were mounted: cloud-init's logs, for one. What lies
# there is seen by nobody who looks at the running system, and by everybody who mounts the root file system alone.
beneath() {
  zfs unmount -a
  zfs mount "$root" 2>/dev/null || [ "$(zfs list -H -o mounted "$root")" = yes ]
  cloud_init
  leases
  users
  logs
  zfs mount -a
}

: >/run/owned
beneath
cloud_init
identity
leases
users
[ -z "$user" ] || account
passwords
logs
flags
proof
sync
