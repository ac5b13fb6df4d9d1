package gossip

import (
	"errors"
	"time"

	"github.com/gwyh-go/gwyh/internal/antientropy"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/outcome"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// comparisons is what the core holds for anti-entropy.
type comparisons struct {
	core     *Core
	comparer antientropy.Comparer
	outcomes outcome.Buffer[antientropy.Outcome]
	calm     timer.Timer // when the next heartbeats are brought forward after a change of the table
}

// greet begins the exchange of a Join: it sends this node's own entry, and begins a comparison of tables.
func (cs *comparisons) greet(now time.Time, p *peer) {
	c := cs.core
	cs.sendSelf(now, p)
	cs.compared(now, p, cs.comparer.Begin(cs.outcomes, now, &p.sync, &c.members, p.packets.Room()))
}

// sendSelf sends p this node's own entry.
func (cs *comparisons) sendSelf(now time.Time, p *peer) {
	c := cs.core
	w := c.membership.entries(p)
	w.add(now, c.members.Self())
	w.flush(now)
}

// compare begins a comparison of tables with p, unless one is in progress.
func (cs *comparisons) compare(now time.Time, p *peer) {
	c := cs.core
	if !p.sync.Active() {
		cs.compared(now, p, cs.comparer.Begin(cs.outcomes, now, &p.sync, &c.members, p.packets.Room()))
	}
}

// compareAgain begins another round of a comparison.
func (cs *comparisons) compareAgain(now time.Time, p *peer) {
	c := cs.core
	cs.compared(now, p, cs.comparer.Continue(cs.outcomes, now, &p.sync, &c.members, p.packets.Room()))
}

// compared carries out the outcomes of a comparison with p.
func (cs *comparisons) compared(now time.Time, p *peer, out []antientropy.Outcome) {

	if len(out) > len(cs.outcomes) { // the function below costs an allocation
		cs.outcomes.Work(out, func(o *antientropy.Outcome) { cs.doCompared(now, p, o) })
	}
}

func (cs *comparisons) doCompared(now time.Time, p *peer, o *antientropy.Outcome) {
	c := cs.core
	switch o.Kind {
	case antientropy.SendBuckets:
		c.transport.plain = wire.AppendSyncBuckets(c.transport.plain[:0], c.newID(), o.Buckets)
		c.transport.sendPlain(now, p, c.transport.plain)
	case antientropy.SendWant:
		c.transport.plain = wire.AppendSyncWant(c.transport.plain[:0], c.newID(), o.Want)
		c.transport.sendPlain(now, p, c.transport.plain)
	case antientropy.SendRoot:
		cs.sendRoot(now, p)
	case antientropy.SendSelf:
		cs.sendSelf(now, p)
	case antientropy.SendEntries:
		cs.comparer.Sent(cs.sendEntries(now, p, o.Entries, o.Most))
	case antientropy.Wait:
		c.timers.Advance(&p.timer, o.At)
	}
}

// sendRoot sends p the root of this node's table.
func (cs *comparisons) sendRoot(now time.Time, p *peer) {
	c := cs.core
	c.transport.plain = wire.AppendSyncRoot(c.transport.plain[:0], c.newID(), cs.rootFor(now, p))
	c.transport.sendPlain(now, p, c.transport.plain)
}

// sendEntries answers p with entries in at most so many datagrams, and returns how many datagrams it sent.
func (cs *comparisons) sendEntries(now time.Time, p *peer, list []*members.Entry, most int) (sent int) {
	c := cs.core
	w := c.membership.answers(p)
	for _, m := range list {
		if w.sent+1 >= most {
			break
		}
		w.add(now, m)
	}
	w.flush(now)
	return w.sent
}

// correct sends p the entry of one member.
func (cs *comparisons) correct(now time.Time, p *peer, m *members.Entry) {
	c := cs.core
	w := c.membership.answers(p)
	w.add(now, m)
	w.flush(now)
}

// handleSyncBuckets answers a part of a comparison that p has begun.
func (cs *comparisons) handleSyncBuckets(now time.Time, p *peer, data []byte) {
	c := cs.core
	out, err := cs.comparer.HandleBuckets(cs.outcomes, now, &p.sync, &c.members, data, p.packets.Room())
	cs.dropUnanswered(err)
	cs.compared(now, p, out)
}

// handleSyncWant sends p the entries that it asks for.
func (cs *comparisons) handleSyncWant(now time.Time, p *peer, data []byte) {
	c := cs.core
	out, err := cs.comparer.HandleWant(cs.outcomes, now, &p.sync, &c.members, data)
	cs.dropUnanswered(err)
	cs.compared(now, p, out)
}

// dropUnanswered counts a message that anti-entropy refused.
func (cs *comparisons) dropUnanswered(err error) {
	c := cs.core
	switch {
	case errors.Is(err, antientropy.ErrMalformed):
		c.drop(DropMalformedBody)
	case err != nil:
		c.drop(DropOversize)
	}
}

// handleSyncRoot takes in a root, and how long ago p heard this node.
func (cs *comparisons) handleSyncRoot(now time.Time, p *peer, data []byte) {
	c := cs.core
	theirs, err := wire.ParseSyncRoot(data)
	if err != nil {
		c.drop(DropMalformedBody)
		return
	}
	c.swim.detect(now, c.swim.HearReport(c.swim.outcomes, now, &p.swim, time.Duration(theirs.Heard)*time.Millisecond, p.packets.RTT()))
	out, ended := cs.comparer.HandleRoot(cs.outcomes, now, &p.sync, &c.members, theirs, p.packets.Room())
	cs.compared(now, p, out)
	if ended {
		c.joins.compared(now, p)
	}
}

// tickSync continues a comparison that has no answer, or whose answer left a difference. It returns when it wants
// to be called again.
func (cs *comparisons) tickSync(now time.Time, p *peer) time.Time {
	c := cs.core
	due := p.sync.NextTimeout()
	if due.IsZero() || due.After(now) {
		return due
	}
	if c.unwritten(p.set.Path().Remote) {
		return now.Add(antientropy.Retry)
	}
	out, ended := cs.comparer.Tick(cs.outcomes, now, &p.sync, &c.members, p.packets.Room(), c.joins.waitsFor(p))
	cs.compared(now, p, out)
	if ended {
		c.joins.compared(now, p)
	}
	return p.sync.NextTimeout()
}

// beatCalm sends heartbeats before their time when the table has changed and then been calm, so that a neighbor
// that lacks something soon finds out.
func (cs *comparisons) beatCalm(now time.Time) {
	c := cs.core
	for _, p := range c.links {
		c.overlay.heartbeat(now, p)
	}
}
