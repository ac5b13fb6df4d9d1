package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// membersOverhead is the bytes of a message of entries beyond them, at most.
const membersOverhead = 64

// spread queues an entry for the links.
func (c *Core) spread(now time.Time, m *members.Entry, from *peer, how origin) {
	if how != flooded {
		return
	}
	if due := c.membership.news.Add(now, m, idOf(from)); !due.IsZero() {
		c.timers.Advance(&c.membership.timer, due)
	}
}

// spreadAccusation passes the accusations of m on at once. Other news that waits goes with them.
func (c *Core) spreadAccusation(now time.Time, m *members.Entry, from *peer) {
	c.membership.news.AddAccusations(m, idOf(from))
	c.timers.Advance(&c.membership.timer, now)
}

// idOf is the id of p, zero if there is none.
func idOf(p *peer) wire.NodeID {
	if p == nil {
		return wire.NodeID{}
	}
	return p.id
}

// flushNews sends what is queued along all links, a datagram for as many entries as it holds.
func (c *Core) flushNews(now time.Time) {
	c.timers.Stop(&c.membership.timer)
	items := c.membership.news.Begin(now)
	if len(items) == 0 {
		return
	}
	for _, p := range c.links {
		c.sendNews(now, p, items)
	}
	for i := range items {
		c.swim.PassedOn(items[i].Member)
	}
	c.membership.news.Done()
}

func (c *Core) sendNews(now time.Time, p *peer, items []members.NewsItem) {
	w := c.entries(p)
	for i := range items {
		n := &items[i]
		suspected := c.swim.Suspects(n.Member)
		switch {
		case n.From == p.id, n.Member.ID == p.id && !suspected:
		case n.Accusations && suspected:
			c.stats.MembersForwarded++
			w.addAccusers(now, n.Member, false)
		default:
			c.stats.MembersForwarded++
			w.add(now, n.Member)
		}
	}
	w.flush(now)
}

// entryWriter packs membership entries for one peer into as few datagrams as hold them.
type entryWriter struct {
	c     *Core
	p     *peer
	begin func(b []byte, id wire.MessageID) wire.MembersWriter
	mb    wire.MembersWriter
	limit int
	open  bool
	sent  int // datagrams
}

// entries writes news for p.
func (c *Core) entries(p *peer) entryWriter {
	return entryWriter{c: c, p: p, begin: wire.BeginMembers, limit: p.packets.Room()}
}

// answers writes entries that p or its table asked for.
func (c *Core) answers(p *peer) entryWriter {
	return entryWriter{c: c, p: p, begin: wire.BeginSyncMembers, limit: p.packets.Room()}
}

// add writes what is known of m.
func (w *entryWriter) add(now time.Time, m *members.Entry) {
	w.append(now, m.Fill(&w.c.entry))
	w.addAccusers(now, m, true)
}

func (w *entryWriter) append(now time.Time, e *wire.Member) {
	if w.p.legacy { // who does not know what an entry is
		return
	}
	if w.open && w.mb.Append(e, w.limit) {
		return
	}
	if w.open {
		w.p.packets.Widen(now)
	}
	w.flush(now)
	w.mb = w.begin(w.c.plain[:0], w.c.newID())
	w.open = true
	if !w.mb.Append(e, max(w.limit, controlMax)) { // one that no datagram to p holds goes in pieces
		w.c.drop(DropOversize)
	}
}

func (w *entryWriter) flush(now time.Time) {
	if w.open {
		w.c.plain = w.mb.End()
		w.c.sendPlain(now, w.p, w.c.plain)
		w.open = false
		w.sent++
	}
}

// addAccusers writes the accusations of m: all of them, or those that were not passed on yet.
func (w *entryWriter) addAccusers(now time.Time, m *members.Entry, all bool) {
	accusers, incarnation := w.c.swim.Accusers(m, all)
	e := &w.c.entry
	for _, by := range accusers {
		e.State, e.ID, e.Incarnation, e.From = wire.StateSuspect, m.ID, incarnation, by
		w.append(now, e)
	}
}
