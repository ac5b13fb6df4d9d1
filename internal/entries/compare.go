package entries

import (
	"errors"
	"time"

	"github.com/gwyh-go/gwyh/internal/antientropy"
	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Greet begins the exchange of a Join: it sends this node's own entry and begins a comparison of tables.
func (e *Entries) Greet(now time.Time, p *delivery.Peer) {
	e.SendSelf(now, p)
	e.compared(now, p, e.Comparer.Begin(e.outcomes, now, &p.Sync, e.cfg.Members, p.Packets.Room()))
}

// SendSelf sends p this node's own entry.
func (e *Entries) SendSelf(now time.Time, p *delivery.Peer) {
	w := e.News(p)
	w.Add(now, e.cfg.Members.Self())
	w.Flush(now)
}

// Compare begins a comparison of tables with p, unless one is in progress.
func (e *Entries) Compare(now time.Time, p *delivery.Peer) {
	if !p.Sync.Active() {
		e.compared(now, p, e.Comparer.Begin(e.outcomes, now, &p.Sync, e.cfg.Members, p.Packets.Room()))
	}
}

// compareAgain begins another round of a comparison.
func (e *Entries) compareAgain(now time.Time, p *delivery.Peer) {
	e.compared(now, p, e.Comparer.Continue(e.outcomes, now, &p.Sync, e.cfg.Members, p.Packets.Room()))
}

// Decided continues the comparison of a Join with p after the application has decided about the last entry, because p's
// root arrived before that. If the decisions have made the tables equal, the comparison has ended, and Decided returns
// true. Otherwise another round begins.
func (e *Entries) Decided(now time.Time, p *delivery.Peer) (ended bool) {
	if !p.Sync.Active() || p.Sync.Waiting() {
		return false
	}
	if root, salt := p.Sync.LastRoot(); root == e.cfg.Members.Root(salt) {
		p.Sync.End()
		return true
	}
	e.compareAgain(now, p)
	return false
}

// compared carries out the outcomes of a comparison with p.
func (e *Entries) compared(now time.Time, p *delivery.Peer, out []antientropy.Outcome) {
	if len(out) > len(e.outcomes) { // the function below allocates
		e.outcomes.Work(out, func(o *antientropy.Outcome) { e.doCompared(now, p, o) })
	}
}

func (e *Entries) doCompared(now time.Time, p *delivery.Peer, o *antientropy.Outcome) {
	switch o.Kind {
	case antientropy.SendBuckets:
		e.sender.Send(now, p, wire.AppendSyncBuckets(e.sender.Begin(), e.newID(), o.Buckets))
	case antientropy.SendWant:
		e.sender.Send(now, p, wire.AppendSyncWant(e.sender.Begin(), e.newID(), o.Want))
	case antientropy.SendRoot:
		e.SendRoot(now, p)
	case antientropy.SendSelf:
		e.SendSelf(now, p)
	case antientropy.SendEntries:
		e.Comparer.Sent(e.SendEntries(now, p, o.Entries, o.Max))
	case antientropy.Wait:
		e.cfg.Timers.Advance(&p.Timer, o.At)
	}
}

// SendRoot sends p the root of this node's table.
func (e *Entries) SendRoot(now time.Time, p *delivery.Peer) {
	e.sender.Send(now, p, wire.AppendSyncRoot(e.sender.Begin(), e.newID(), e.RootFor(now, p)))
}

// SendEntries sends p entries in at most most datagrams, and returns the number of datagrams sent.
func (e *Entries) SendEntries(now time.Time, p *delivery.Peer, list []*members.Entry, limit int) (sent int) {
	w := e.Answers(p)
	for _, m := range list {
		if w.Sent+1 >= limit || e.cfg.Delivery.Endpoint.Exhausted() {
			break
		}
		w.Add(now, m)
	}
	w.Flush(now)
	return w.Sent
}

// Correct sends p the entry of one member.
func (e *Entries) Correct(now time.Time, p *delivery.Peer, m *members.Entry) {
	w := e.Answers(p)
	w.Add(now, m)
	w.Flush(now)
}

// ReceiveBuckets handles the buckets of a comparison that p has begun.
func (e *Entries) ReceiveBuckets(now time.Time, p *delivery.Peer, data []byte) {
	out, err := e.Comparer.HandleBuckets(e.outcomes, now, &p.Sync, e.cfg.Members, data, p.Packets.Room())
	e.dropUnanswered(err)
	e.compared(now, p, out)
}

// ReceiveWant sends p the entries that it requests.
func (e *Entries) ReceiveWant(now time.Time, p *delivery.Peer, data []byte) {
	out, err := e.Comparer.HandleWant(e.outcomes, now, &p.Sync, e.cfg.Members, data, p.Packets.Room())
	e.dropUnanswered(err)
	e.compared(now, p, out)
}

// dropUnanswered counts a message that anti-entropy refused.
func (e *Entries) dropUnanswered(err error) {
	switch {
	case errors.Is(err, antientropy.ErrMalformed):
		e.drop(stats.DropMalformedBody)
	case err != nil:
		e.drop(stats.DropOversize)
	}
}

// RootFor returns the SyncRoot for p.
func (e *Entries) RootFor(now time.Time, p *delivery.Peer) wire.SyncRoot {
	t := e.cfg.Members
	return wire.SyncRoot{Root: t.Root(t.Salt()), Count: uint32(t.Count()), Heard: p.HeardAge(now),
		Next: uint32(p.Swim.Promised() / time.Millisecond), Salt: t.Salt()}
}

// ReceiveRoot handles the root of p's table. It reports whether a comparison has ended.
func (e *Entries) ReceiveRoot(now time.Time, p *delivery.Peer, theirs wire.SyncRoot) (ended bool) {
	out, ended := e.Comparer.HandleRoot(e.outcomes, now, &p.Sync, e.cfg.Members, theirs, p.Packets.Room())
	e.compared(now, p, out)
	return ended
}

// Tick continues a comparison that has no answer, or whose answer left a difference. joining is whether a Join waits for it.
// Tick reports whether the comparison has ended.
func (e *Entries) Tick(now time.Time, p *delivery.Peer, joining bool) (ended bool) {
	out, ended := e.Comparer.Tick(e.outcomes, now, &p.Sync, e.cfg.Members, p.Packets.Room(), joining)
	e.compared(now, p, out)
	return ended
}
