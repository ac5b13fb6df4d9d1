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
	comparer antientropy.Comparer
	outcomes outcome.Buffer[antientropy.Outcome]
	calm     timer.Timer // when the next heartbeats are brought forward after a change of the table
}

// greet begins the exchange of a Join: it sends this node's own entry, and begins a comparison of tables.
func (c *Core) greet(now time.Time, p *peer) {
	c.sendSelf(now, p)
	c.compared(now, p, c.sync.comparer.Begin(c.sync.outcomes, now, &p.sync, &c.members, p.packets.Room()))
}

// sendSelf sends p this node's own entry.
func (c *Core) sendSelf(now time.Time, p *peer) {
	w := c.entries(p)
	w.add(now, c.self)
	w.flush(now)
}

// compare begins a comparison of tables with p, unless one is in progress.
func (c *Core) compare(now time.Time, p *peer) {
	if !p.sync.Active() {
		c.compared(now, p, c.sync.comparer.Begin(c.sync.outcomes, now, &p.sync, &c.members, p.packets.Room()))
	}
}

// compareAgain begins another round of a comparison.
func (c *Core) compareAgain(now time.Time, p *peer) {
	c.compared(now, p, c.sync.comparer.Continue(c.sync.outcomes, now, &p.sync, &c.members, p.packets.Room()))
}

// compared carries out the outcomes of a comparison with p.
func (c *Core) compared(now time.Time, p *peer, out []antientropy.Outcome) {
	if len(out) > len(c.sync.outcomes) { // the function below costs an allocation
		c.sync.outcomes.Work(out, func(o *antientropy.Outcome) { c.doCompared(now, p, o) })
	}
}

func (c *Core) doCompared(now time.Time, p *peer, o *antientropy.Outcome) {
	switch o.Kind {
	case antientropy.SendBuckets:
		c.plain = wire.AppendSyncBuckets(c.plain[:0], c.newID(), o.Buckets)
		c.sendPlain(now, p, c.plain)
	case antientropy.SendWant:
		c.plain = wire.AppendSyncWant(c.plain[:0], c.newID(), o.Want)
		c.sendPlain(now, p, c.plain)
	case antientropy.SendRoot:
		c.sendRoot(now, p)
	case antientropy.SendSelf:
		c.sendSelf(now, p)
	case antientropy.SendEntries:
		c.sync.comparer.Sent(c.sendEntries(now, p, o.Entries, o.Most))
	case antientropy.Wait:
		c.timers.Advance(&p.timer, o.At)
	}
}

// sendRoot sends p the root of this node's table.
func (c *Core) sendRoot(now time.Time, p *peer) {
	c.plain = wire.AppendSyncRoot(c.plain[:0], c.newID(), c.rootFor(now, p))
	c.sendPlain(now, p, c.plain)
}

// sendEntries answers p with entries in at most so many datagrams, and returns how many datagrams it sent.
func (c *Core) sendEntries(now time.Time, p *peer, list []*members.Entry, most int) (sent int) {
	w := c.answers(p)
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
func (c *Core) correct(now time.Time, p *peer, m *members.Entry) {
	w := c.answers(p)
	w.add(now, m)
	w.flush(now)
}

// handleSyncBuckets answers a part of a comparison that p has begun.
func (c *Core) handleSyncBuckets(now time.Time, p *peer, data []byte) {
	out, err := c.sync.comparer.HandleBuckets(c.sync.outcomes, now, &p.sync, &c.members, data, p.packets.Room())
	c.dropUnanswered(err)
	c.compared(now, p, out)
}

// handleSyncWant sends p the entries that it asks for.
func (c *Core) handleSyncWant(now time.Time, p *peer, data []byte) {
	out, err := c.sync.comparer.HandleWant(c.sync.outcomes, now, &p.sync, &c.members, data)
	c.dropUnanswered(err)
	c.compared(now, p, out)
}

// dropUnanswered counts a message that anti-entropy refused.
func (c *Core) dropUnanswered(err error) {
	switch {
	case errors.Is(err, antientropy.ErrMalformed):
		c.drop(DropMalformedBody)
	case err != nil:
		c.drop(DropOversize)
	}
}

// handleSyncRoot takes in a root, and how long ago p heard this node.
func (c *Core) handleSyncRoot(now time.Time, p *peer, data []byte) {
	theirs, err := wire.ParseSyncRoot(data)
	if err != nil {
		c.drop(DropMalformedBody)
		return
	}
	c.detect(now, c.swim.HearReport(c.detected, now, &p.swim, time.Duration(theirs.Heard)*time.Millisecond, p.packets.RTT()))
	out, ended := c.sync.comparer.HandleRoot(c.sync.outcomes, now, &p.sync, &c.members, theirs, p.packets.Room())
	c.compared(now, p, out)
	if ended {
		c.joins.compared(now, p)
	}
}

// tickSync continues a comparison that has no answer, or whose answer left a difference. It returns when it wants
// to be called again.
func (c *Core) tickSync(now time.Time, p *peer) time.Time {
	due := p.sync.NextTimeout()
	if due.IsZero() || due.After(now) {
		return due
	}
	if c.unwritten(p.set.Path().Remote) {
		return now.Add(antientropy.Retry)
	}
	out, ended := c.sync.comparer.Tick(c.sync.outcomes, now, &p.sync, &c.members, p.packets.Room(), c.joins.waitsFor(p))
	c.compared(now, p, out)
	if ended {
		c.joins.compared(now, p)
	}
	return p.sync.NextTimeout()
}

// beatCalm sends heartbeats before their time when the table has changed and then been calm, so that a neighbor
// that lacks something soon finds out.
func (c *Core) beatCalm(now time.Time) {
	for _, p := range c.links {
		c.heartbeat(now, p)
	}
}
