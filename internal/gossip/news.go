package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// membersOverhead is the bytes of a message of entries beyond them, at most.
const membersOverhead = 64

// spread queues the entry of m for the links, unless it came by a comparison of tables.
func (ms *membership) spread(now time.Time, m *members.Entry, from *peer, how route) {
	c := ms.core
	if how != byNews {
		return
	}
	if due := ms.news.Add(now, m, idOf(from)); !due.IsZero() {
		c.timers.Advance(&ms.timer, due)
	}
}

// spreadAccusation passes the accusations of m on at once. Other news that waits goes with them.
func (ms *membership) spreadAccusation(now time.Time, m *members.Entry, from *peer) {
	c := ms.core
	ms.news.AddAccusations(m, idOf(from))
	c.timers.Advance(&ms.timer, now)
}

// idOf returns the id of p, or zero if p is nil.
func idOf(p *peer) wire.NodeID {
	if p == nil {
		return wire.NodeID{}
	}
	return p.id
}

// flushNews sends the queued entries along all links, in as few datagrams as hold them.
func (ms *membership) flushNews(now time.Time) {
	c := ms.core
	c.timers.Stop(&ms.timer)
	items := ms.news.Begin(now)
	if len(items) == 0 {
		return
	}
	for _, p := range c.links {
		ms.sendNews(now, p, items)
	}
	for i := range items {
		c.swim.PassedOn(items[i].Member)
	}
	ms.news.Done()
}

// sendNews sends p the queued entries, except those that it sent itself. A member gets its own entry only if it is
// suspected.
func (ms *membership) sendNews(now time.Time, p *peer, items []members.NewsItem) {
	c := ms.core
	w := ms.entries(p)
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

// entries returns a writer of news for p.
func (ms *membership) entries(p *peer) entryWriter {
	c := ms.core
	return entryWriter{c: c, p: p, begin: wire.BeginMembers, limit: p.packets.Room()}
}

// answers returns a writer of entries that p asked for, or that its table lacks.
func (ms *membership) answers(p *peer) entryWriter {
	c := ms.core
	return entryWriter{c: c, p: p, begin: wire.BeginSyncMembers, limit: p.packets.Room()}
}

// add writes the entry of m and its accusations.
func (w *entryWriter) add(now time.Time, m *members.Entry) {
	w.append(now, m.Fill(&w.c.membership.entry))
	w.addAccusers(now, m, true)
}

// append writes one entry. If the message in progress is full, it is sent first.
func (w *entryWriter) append(now time.Time, e *wire.Member) {
	if w.p.legacy { // gwyh 0.1 has no entries
		return
	}
	if w.open && w.mb.Append(e, w.limit) {
		return
	}
	if w.open {
		w.p.packets.Widen(now)
	}
	w.flush(now)
	w.mb = w.begin(w.c.transport.plain[:0], w.c.newID())
	w.open = true
	if !w.mb.Append(e, max(w.limit, controlMax)) { // an entry that no datagram to p holds is sent in pieces
		w.c.drop(DropOversize)
	}
}

// flush sends the message in progress.
func (w *entryWriter) flush(now time.Time) {
	if w.open {
		w.c.transport.plain = w.mb.End()
		w.c.transport.sendPlain(now, w.p, w.c.transport.plain)
		w.open = false
		w.sent++
	}
}

// addAccusers writes the accusations of m: all of them, or only those that were not passed on yet.
func (w *entryWriter) addAccusers(now time.Time, m *members.Entry, all bool) {
	accusers, incarnation := w.c.swim.Accusers(m, all)
	e := &w.c.membership.entry
	for _, by := range accusers {
		e.State, e.ID, e.Incarnation, e.From = wire.StateSuspect, m.ID, incarnation, by
		w.append(now, e)
	}
}
