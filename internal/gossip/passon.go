package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
)

// carry puts the large messages that are on their way through this node on a link that is new. A peer
// that was deaf for a while gets what is still here for repair, too. Another that was a member already when a message
// came, and may have lost the links that told it of that, is told of it.
func (ds *dissemination) carry(now time.Time, p *peer) {
	c := ds.core
	if p.legacy {
		return
	}
	m := c.members.Get(p.id)
	for a := range ds.store.All {
		switch {
		case !a.PassedOn || p.packets.Transfer(a) != nil:
		case !a.Complete() || a.Pending > 0 || p.deaf:
			p.packets.Begin(now, a, 0)
		case m != nil && m.Since.Before(a.Began):
			ds.mention(now, a, p)
		}
	}
	p.deaf = false
	c.transport.pump(now, p)
}

// redirect sends what was to go along a link that has ended along another, unless somebody has it already: a message
// that few links carry would end with them.
func (ds *dissemination) redirect(now time.Time, p *peer) {
	c := ds.core
	for _, t := range p.packets.Transfers() {
		a := t.Message()
		if a.Direct || t.Whole() || !a.Complete() || largeOf(a).Owned() {
			continue
		}
		var to *peer
		for _, o := range c.links {
			if !o.legacy && o.packets.Transfer(a) == nil && (to == nil || len(o.packets.Transfers()) < len(to.packets.Transfers())) {
				to = o
			}
		}
		if to != nil {
			to.packets.Begin(now, a, 0)
			c.transport.pump(now, to)
		}
	}
}

// has notes that p has a piece of a message that is passed on.
func (ds *dissemination) has(now time.Time, p *peer, a *assembly.Assembly, from, to uint32) {
	largeOf(a).Shown(&p.neighbor)
	t := p.packets.Transfer(a)
	if t == nil && !a.PassedOn && p.neighbor.Eager {
		t = p.packets.Begin(now, a, 0)
	}
	if t != nil {
		t.Has(from, to)
	}
}
