package entries

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Spread queues the entry of m for the links, except the one to from. Zero means no exception.
func (e *Entries) Spread(now time.Time, m *members.Entry, from wire.NodeID) {
	if due := e.news.Add(now, m, from); !due.IsZero() {
		e.cfg.Timers.Advance(&e.timer, due)
	}
}

// Hurry sends the queued news with the timers that are due now.
func (e *Entries) Hurry(now time.Time) { e.cfg.Timers.Advance(&e.timer, now) }

// SpreadAccusation passes the accusations of m on at once, together with other queued news.
func (e *Entries) SpreadAccusation(now time.Time, m *members.Entry, from wire.NodeID) {
	e.news.AddAccusations(m, from)
	e.Hurry(now)
}

// FlushNews sends the queued entries along all links, in as few datagrams as possible.
func (e *Entries) FlushNews(now time.Time) {
	e.cfg.Timers.Stop(&e.timer)
	items := e.news.Begin(now)
	if len(items) == 0 {
		return
	}
	for _, p := range e.cfg.Delivery.Links() {
		e.sendNews(now, p, items)
	}
	for i := range items {
		e.cfg.Detector.PassedOn(items[i].Member)
	}
	e.news.Done()
}

// sendNews sends p the queued entries, except those that came from p. A member also receives what others report about
// it, so that it can refute it (PROTOCOL.md M6).
func (e *Entries) sendNews(now time.Time, p *delivery.Peer, items []members.NewsItem) {
	w := e.News(p)
	for i := range items {
		n := &items[i]
		suspected := e.cfg.Detector.Suspects(n.Member)
		switch {
		case n.From == p.ID:
		case n.Accusations && suspected:
			e.cfg.Stats.MembersForwarded++
			w.addAccusers(now, n.Member, false)
		default:
			e.cfg.Stats.MembersForwarded++
			w.Add(now, n.Member)
		}
	}
	w.Flush(now)
}
