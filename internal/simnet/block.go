package simnet

import (
	"slices"
)

// A Block keeps datagrams from passing while it is in force. It acts where they are sent: what is on
// its way already arrives.
type Block struct {
	of    *blocks
	rules []rule
}

// A rule blocks the way from one set of hosts to another.
type rule struct{ from, to hostSet }

// A hostSet is a set of hosts by index, a bit for each.
type hostSet []uint64

func (s hostSet) has(i int32) bool { return int(i>>6) < len(s) && s[i>>6]>>(i&63)&1 != 0 }

// blocks are the Blocks in force.
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

// blocked reports whether nothing passes from one host to another.
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
