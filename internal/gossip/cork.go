package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/timer"
)

// corkFor is how long, after the last one, a datagram on a busy link waits for company.
const corkFor = 250 * time.Microsecond

// cork is the datagrams of small messages that are not sealed yet.
type cork struct {
	timer    timer.Timer // fires when the first of them is due
	unsealed []*peer     // that have one, or announcements that wait
}

// list sees to it that what is open for p is sealed.
func (tr *transport) list(p *peer) {

	if !p.listed {
		p.listed = true
		tr.cork.unsealed = append(tr.cork.unsealed, p)
	}
}

// sealDue seals, at the end of a turn, the datagrams that may not wait, or all of them. On a busy link a datagram may
// wait for company.
func (tr *transport) sealDue(now time.Time, all bool) {
	c := tr.core
	var next time.Time
	tr.cork.unsealed = slices.DeleteFunc(tr.cork.unsealed, func(p *peer) bool {
		if due := p.neighbor.BatchDue(); !due.IsZero() && (all || !due.After(now)) {
			c.broadcast.disseminate(now, c.broadcast.SendBatch(c.broadcast.outcomes, &p.neighbor))
		}
		if until := p.packets.SealedAt().Add(corkFor); p.mayWait() && !all && until.After(now) {
			next = timer.Soonest(next, until)
		} else {
			p.packets.Seal(now)
		}
		due := p.neighbor.BatchDue()
		next = timer.Soonest(next, due)
		p.listed = p.packets.HasOpen() || !due.IsZero()
		return !p.listed
	})
	if next.IsZero() {
		c.timers.Stop(&tr.cork.timer)
	} else if !tr.cork.timer.Pending() || !tr.cork.timer.At().Equal(next) {
		c.timers.Set(&tr.cork.timer, next)
	}
}

// mayWait reports whether the open datagram for p may wait for company.
func (p *peer) mayWait() bool { return p.neighbor.Busy() && p.packets.HasOpen() }

// Flush lets nothing wait for company any more.
func (c *Core) Flush(now time.Time) {
	c.transport.sealDue(now, true)
}
