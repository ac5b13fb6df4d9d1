package simnet

import (
	"slices"
)

// A Block drops the datagrams that are sent while it is in force. It acts when a datagram is sent, so datagrams
// already in flight still arrive.
type Block struct {
	of    *blocks
	rules []rule
}

// A rule blocks the direction from one set of hosts to another.
type rule struct{ from, to hostSet }

// A hostSet is a bit set of host indices.
type hostSet []uint64

func (s hostSet) has(i int32) bool { return int(i>>6) < len(s) && s[i>>6]>>(i&63)&1 != 0 }

// blocks is the list of Blocks in force.
type blocks struct{ list []*Block }

func (bs *blocks) add(rules ...rule) *Block {
	b := &Block{bs, rules}
	bs.list = append(bs.list, b)
	return b
}

// Heal ends the block. Further calls do nothing.
func (b *Block) Heal() {
	b.of.list = slices.DeleteFunc(b.of.list, func(o *Block) bool { return o == b })
}

// blocked reports whether a Block drops datagrams from one host to another.
func (bs *blocks) blocked(from, to hostRef) bool {
	for _, b := range bs.list {
		for i := range b.rules {
			if b.rules[i].from.has(from.index) && b.rules[i].to.has(to.index) {
				return true
			}
		}
	}
	return false
}
