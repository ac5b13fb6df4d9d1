package peer

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// wakeAt sets the timer to fire at the given time, unless it fires earlier.
func (p *Peer) wakeAt(at time.Time) { p.endpoint.cfg.Timers.Advance(p.timer, at) }

// maySend reports whether the pacing allows a plaintext of n bytes now. If it does not, maySend sets the timer.
func (p *Peer) maySend(now time.Time, n int) bool {
	wait := p.pace.Wait(now, n+wire.BoxOverhead)
	if wait > 0 {
		p.sendLater(now, wait)
	}
	return wait == 0
}

// maySendSmall is maySend for n more bytes of small messages in a datagram that already holds some bytes of them.
func (p *Peer) maySendSmall(now time.Time, some, n int) bool {
	if some == 0 {
		n += wire.BoxOverhead
	}
	wait := p.pace.Wait(now, some+n)
	if wait == 0 || len(p.transfers.list) > 0 && p.ahead.take(now, p.pace.Rate(), n) {
		return true
	}
	p.sendLater(now, wait)
	if p.tail.at.IsZero() { // the report that would free the rate may have been lost
		p.probeTailLater(now)
	}
	return false
}

func (p *Peer) sendLater(now time.Time, wait time.Duration) {
	p.sendAt = now.Add(max(wait, timer.MinTick))
	p.wakeAt(p.sendAt)
}

// PumpSoon makes the timer fire at once. It is for callers that cannot call Pump themselves.
func (p *Peer) PumpSoon(now time.Time) {
	p.sendAt = now
	p.wakeAt(now)
}

// PumpDue reports whether queued messages that the pacing delayed may now be sent.
func (p *Peer) PumpDue(now time.Time) bool { return p.Paused() && !p.sendAt.After(now) }

const (
	tailMin    = 10 * time.Millisecond // minimum pause before a tail probe
	tailProbes = 3
)

// probeTailLater schedules an empty Frame after the packet that was just sent (PROTOCOL.md A5).
func (p *Peer) probeTailLater(now time.Time) {
	p.tail.tries = 0
	p.tail.at = now.Add(p.tailPause())
	p.wakeAt(p.tail.at)
}

// tailPause returns the pause between the last piece, or the last tail probe, and the next probe.
func (p *Peer) tailPause() time.Duration { return max(2*p.RoundTrip(), tailMin) << p.tail.tries }
