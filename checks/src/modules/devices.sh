# Makes one virtual device of each kind in a network namespace of its own, and opens the device files of the rest: what
# loads a module is then the kernel's own request, which a blacklist refuses though modprobe by name would not.
command -v ip >/dev/null || { echo 'no ip' >&2; exit 127; }
ip netns add kvdev || exit 1
trap 'ip netns del kvdev' EXIT
one() { # NAME COMMAND…
  name=$1
  shift
  if said=$("$@" 2>&1); then echo "$name works"; else echo "$name fails: $(echo "$said" | head -n 1)"; fi
}
opens() { exec 9<>"$1"; }
link() { ip -n kvdev link add "$@"; }
one dummy link kv-dummy type dummy
one bridge link kv-bridge type bridge
one bond link kv-bond type bond
one veth link kv-veth type veth peer name kv-peer
one vlan link link kv-dummy name kv-vlan type vlan id 7
one macvlan link link kv-dummy name kv-macvlan type macvlan
one vxlan link kv-vxlan type vxlan id 7 dstport 4789
one tun ip netns exec kvdev ip tuntap add kv-tun mode tun
for file in fuse vhost-net vhost-vsock; do
  # In a shell of its own: one that cannot be opened ends the shell.
  if said=$( (opens "/dev/$file") 2>&1); then echo "$file works"; else echo "$file fails: ${said##*: }"; fi
done
