# In a network namespace of its own: a packet passes, is dropped by a rule, and a chain of address translation is taken.
for tool in ip nft ping; do
  command -v $tool >/dev/null || { echo "no $tool" >&2; exit 127; }
done
ip netns add kvnft || exit 1
trap 'ip netns del kvnft' EXIT
ip -n kvnft link set lo up || exit 1
inside() { ip netns exec kvnft "$@"; }
ping_once() { if inside ping -n -c 1 -W "$1" 127.0.0.1 >/dev/null 2>&1; then echo answered; else echo lost; fi; }
said() { if said=$("$@" 2>&1); then echo taken; else echo "refused: $(echo "$said" | head -n 1)"; fi; }
echo "before $(ping_once 5)"
echo "filter $(said inside nft 'table inet kv { chain in { type filter hook input priority 0; icmp type echo-request counter drop; }; }')"
echo "after $(ping_once 1)"
echo "counted $(inside nft list ruleset 2>/dev/null | sed -n 's/.*counter packets \([0-9]*\).*/\1/p')"
echo "nat $(said inside nft 'table ip kvnat { chain post { type nat hook postrouting priority 100; oifname "kv*" masquerade; }; }')"
