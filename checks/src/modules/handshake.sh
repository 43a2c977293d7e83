# Two machines in small: an underlay and two network namespaces, each with a WireGuard interface of its own keys. Says
# what came of it, one line for each side and one for the ping.
for tool in ip wg ping; do
  command -v $tool >/dev/null || { echo "no $tool" >&2; exit 127; }
done
umask 077
work=$(mktemp -d) || exit 1
trap 'for n in u a b; do ip netns del "kvwg-$n" 2>/dev/null; done; rm -rf "$work"' EXIT
give_up() { echo "stopped $1: $(cat "$work/said")"; exit 0; }
try() { what=$1; shift; "$@" >"$work/said" 2>&1 || give_up "$what"; }
for n in u a b; do ip netns add "kvwg-$n" || exit 1; done
ip -n kvwg-u link set lo up || exit 1
for side in a b; do
  try key wg genkey
  mv "$work/said" "$work/$side.key"
  wg pubkey <"$work/$side.key" >"$work/$side.pub" || exit 1
  # Its socket stays in the namespace where the interface is made, so that the two meet on that one's loopback.
  try interface ip -n kvwg-u link add "kvwg-$side" type wireguard
  try interface ip -n kvwg-u link set "kvwg-$side" netns "kvwg-$side"
done
side() { # NAME OTHER PORT OTHERPORT ADDRESS OTHERADDRESS
  try configuration ip netns exec "kvwg-$1" wg set "kvwg-$1" listen-port "$3" private-key "$work/$1.key" \
    peer "$(cat "$work/$2.pub")" endpoint "127.0.0.1:$4" allowed-ips "$6/32"
  try address ip -n "kvwg-$1" addr add "$5/24" dev "kvwg-$1"
  try link ip -n "kvwg-$1" link set "kvwg-$1" up
}
side a b 47001 47002 192.0.2.1 192.0.2.2
side b a 47002 47001 192.0.2.2 192.0.2.1
if ip netns exec kvwg-a ping -n -c 3 -i 0.3 -W 5 192.0.2.2 >"$work/said" 2>&1; then echo 'ping answered'; else echo 'ping lost'; fi
for side in a b; do
  ip netns exec "kvwg-$side" wg show "kvwg-$side" latest-handshakes >"$work/said" || exit 1
  read -r _ time <"$work/said"
  echo "handshake $side $time"
done
