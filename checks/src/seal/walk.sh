#!/bin/sh
# kverify-walk: what stands in every file system and snapshot of a disk whose own system does not run, as lines of fields
# between tabs. It is told the trees by /run/trees (number, name, mount point) and what could not be mounted by /run/closed
# (name, reason), and only reads. Of a secret it says where it is, never what it is.
#   kverify-walk files|hostids|pools
set -u
export LC_ALL=C
tab=$(printf '\t')
nl='
'
# The places of a root file system in which a builder, a boot or a user leaves something; of other trees all is looked at.
places="etc home root var srv opt tmp boot usr/local"
private='-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----|^PuTTY-User-Key-File-|^[[:space:]]*PrivateKey[[:space:]]*=[[:space:]]*[A-Za-z0-9+/]{42}'
rules='aws-access-key=(^|[^A-Z0-9])AKIA[A-Z0-9]{16}([^A-Z0-9]|$)
github-token=(ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{22}
gitlab-token=glpat-[A-Za-z0-9_-]{20}
google-api-key=AIza[A-Za-z0-9_-]{35}
slack-token=xox[abprs]-[A-Za-z0-9-]{10}
password-in-address=^[^#;]*://[^][/:@[:space:]"<>$%*]+:[^][/:@[:space:]"<>$%*]+@[a-zA-Z0-9]'

say() {
  printf '%s' "$1"
  shift
  printf '\t%s' "$@"
  printf '\n'
}

# The files below PLACE that a line can name, given to a command, up to so many blocks of 512 bytes; what a line cannot
# name is told apart.
each() { # PLACE BLOCKS COMMAND…
  place=$1 most=$2
  shift 2
  find "$place" -xdev -path '*/var/lib/dpkg/info' -prune -o -type f -size "-$most" ! -path "*$nl*" -exec "$@" {} +
}

# Where a path of the whole system is in this tree, if it belongs there.
within() { # PATH
  case $at in
    /) echo "$tree$1" ;;
    *) case $1 in "$at"/*) echo "$tree${1#"$at"}" ;; esac ;;
  esac
}

first_line() { # PATH
  file=$(within "$1")
  [ -n "$file" ] && [ -f "$file" ] && [ ! -L "$file" ] || return 0
  say text "$number" "$1" "$(head -c 200 "$file" | head -n 1 | tr -d '\t\r')"
}

# Looks into files of up to 4 MiB: no key or token is longer, and what is, is an archive or a kernel.
secrets() { # PLACE
  all=$(echo "$rules" | cut -d= -f2- | tr '\n' '|')
  each "$1" 8193 grep -lE -e "$all$private" | while read -r file; do
    if grep -qE -e "$private" "$file"; then say key "$number" "${file#"$tree"}"; fi
    echo "$rules" | while IFS='=' read -r rule pattern; do
      if grep -qE -e "$pattern" "$file"; then say secret "$number" "$rule" "${file#"$tree"}"; fi
    done
  done
}

accounts() {
  for list in /etc/shadow /etc/gshadow; do
    file=$(within "$list")
    if [ -z "$file" ] || [ ! -f "$file" ]; then continue; fi
    # A lock is an exclamation mark before the hash, which is still there.
    cut -d: -f1,2 "$file" | grep -E ':[!*]*([$]|_|[A-Za-z0-9./]{13})' | cut -d: -f1 | while read -r user; do
      say hash "$number" "$list" "$user"
    done
  done
}

cloud() {
  main=$(within /etc/cloud/cloud.cfg)
  [ -n "$main" ] && [ -f "$main" ] || return 0
  for file in "$main" "$main".d/*.cfg; do
    [ -f "$file" ] || continue
    grep -E '^[[:space:]]*datasource_list[[:space:]]*:' "$file" | while read -r line; do
      say sources "$number" "${file#"$tree"}" "$(echo "$line" | tr '\t' ' ')"
    done
  done
}

hostid() {
  file=$(within /etc/hostid)
  [ -n "$file" ] && [ -f "$file" ] || return 0
  say hostid "$number" "$(od -An -v -tx1 "$file" | tr -d ' \n' | head -c 64)"
}

# Everything below PLACE.
contents() { # PLACE
  fields="file${tab}[0-9]*${tab}[0-9]*${tab}[0-9]*${tab}[0-9]*${tab}"
  each "$1" 99999999999 stat -c "file${tab}${number}${tab}%s${tab}%a${tab}%u${tab}%n" | sed "s|^\($fields\)$tree/|\1/|"
  find "$1" -xdev -path "*$nl*" -exec echo \; | head -n 1 | while read -r _; do say odd "$number" "${1#"$tree"}/"; done
  secrets "$1"
}

files() {
  if [ "$at" = / ]; then
    for place in $places; do
      if [ -d "$tree/$place" ] && [ ! -L "$tree/$place" ]; then contents "$tree/$place"; fi
    done
  else
    contents "$tree"
  fi
  first_line /etc/machine-id
  first_line /var/lib/dbus/machine-id
  accounts
  cloud
}

trees() { # COMMAND
  while IFS=$tab read -r number name at; do
    tree=/tree/$number
    say tree "$number" "$name" "$at"
    "$1"
  done </run/trees || exit 1
}

# What each pool has allocated. One that is imported read-only does not count it, but its first file system does, with what
# is only reserved.
pools() {
  names=$(zpool list -H -o name) || exit 1
  for pool in $names; do
    used=$(zfs list -H -p -t filesystem,volume -r -o used,usedbyrefreservation,reservation "$pool") || exit 1
    # shellcheck disable=SC2016  # awk's own variables
    say pool "$pool" "$(echo "$used" | awk 'NR == 1 { sum = $1 } { sum -= $2 } $3 > $1 { sum -= $3 - $1 } END { printf "%.0f", sum }')"
  done
}

case ${1:-} in
  files)
    trees files
    while IFS=$tab read -r name why; do say closed "$name" "$why"; done </run/closed || exit 1
    ;;
  hostids) trees hostid ;;
  pools) pools ;;
  *) echo "kverify-walk: files, hostids or pools" >&2; exit 2 ;;
esac
echo end
