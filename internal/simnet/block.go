package simnet

import (
	"net/netip"
	"slices"
)

// A Block keeps datagrams from passing while it is in force. It acts where they are sent: what is on
// its way already arrives.
type Block struct {
	n     *Network
	rules []rule
}

// A rule blocks the way from one set of hosts to another.
type rule struct{ from, to hostSet }

// A hostSet is a set of hosts by index, a bit for each.
type hostSet []uint64

func (s hostSet) has(i int32) bool { return int(i>>6) < len(s) && s[i>>6]>>(i&63)&1 != 0 }

func (n *Network) hostSet(addrs []netip.AddrPort) hostSet {
	s := make(hostSet, (len(n.hosts)+63)/64)
	for _, a := range addrs {
		i := n.host(a).index
		s[i>>6] |= 1 << (i & 63)
	}
	return s
}

// Block lets nothing pass from one set of hosts to another. The opposite direction stays open.
func (n *Network) Block(from, to []netip.AddrPort) *Block {
	return n.block(rule{n.hostSet(from), n.hostSet(to)})
}

// Partition lets nothing pass between the groups, in either direction. Hosts in none of them reach
// everyone.
func (n *Network) Partition(groups ...[]netip.AddrPort) *Block {
	var rules []rule
	for i, group := range groups {
		others := slices.Concat(slices.Concat(groups[:i]...), slices.Concat(groups[i+1:]...))
		rules = append(rules, rule{n.hostSet(group), n.hostSet(others)})
	}
	return n.block(rules...)
}

func (n *Network) block(rules ...rule) *Block {
	b := &Block{n, rules}
	n.blocks = append(n.blocks, b)
	return b
}

// Heal ends the block. Further calls do nothing.
func (b *Block) Heal() {
	b.n.blocks = slices.DeleteFunc(b.n.blocks, func(o *Block) bool { return o == b })
}

// HealAll ends all blocks.
func (n *Network) HealAll() { n.blocks = nil }

func (n *Network) blocked(from, to hostRef) bool {
	for _, b := range n.blocks {
		for i := range b.rules {
			if b.rules[i].from.has(from.index) && b.rules[i].to.has(to.index) {
				return true
			}
		}
	}
	return false
}
