package gossip

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/pacing"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Reports (docs/PROTOCOL.md, "Delivery reports").
const (
	reportBytes    = 16 << 10              // received in small messages before a report is worth a datagram
	reportInterval = 20 * time.Millisecond // at least between two, or a round trip if that is longer
	reportStrain   = 8                     // times as long while a link has much waiting, at most
)

// noteReceived counts a datagram for the delivery reports.
func (c *Core) noteReceived(now time.Time, ch *channel, n int) {
	ch.received += uint64(n)
	p := ch.peer
	if p.unreported += n; p.unreported >= reportBytes {
		c.reportSoon(now, ch)
	}
}

// reportSoon has what came reported, now or when the next report is due: pieces of large messages, and
// what uncovers that they were lost, always are, so that no sender waits for a report in vain.
func (c *Core) reportSoon(now time.Time, ch *channel) {
	p := ch.peer
	p.reporting = ch
	if p.rtt == 0 && now.Sub(p.swim.pinged) > guessedRTT {
		c.ping(now, p)
	}
	if !p.reportAt.After(now) {
		c.report(now, p)
		return
	}
	c.timers.Advance(&p.timer, p.reportAt)
}

func (c *Core) report(now time.Time, p *peer) {
	ch := p.reporting
	p.reporting = nil
	p.unreported = 0
	pause := max(reportInterval, p.rtt)
	if p.source { // what more comes could not be passed on: whoever sends it shall slow down
		pause *= c.strain(now)
	}
	p.reportAt = now.Add(pause)
	c.plain = wire.AppendReport(c.plain[:0], c.newID(), wire.Report{Highest: ch.Highest(), Lowest: ch.Lowest(),
		Bytes: ch.received, Delay: uint32(min(now.Sub(ch.HighestAt()), time.Minute).Microseconds())})
	c.plain = c.appendChatter(c.plain, ch)
	c.transmit(now, ch, p.set.Path(), c.plain, sent{})
}

// strain is how many times as long as usual a source waits for a report: one more for each part of what waits for
// others, beyond what may.
func (c *Core) strain(now time.Time) time.Duration {
	const part = storeMax / 2 / reportStrain
	large := max(c.store.wanted(now)-storeMax/2, 0)
	return time.Duration(min(1+c.backlog(now)/smallOwn+large/part, reportStrain))
}

// handleReport lets the pacing know how much of what was sent has arrived, and how quickly, and ends
// what has arrived whole.
func (c *Core) handleReport(now time.Time, ch *channel, data []byte) {
	r, err := wire.ParseReport(data)
	if err != nil {
		c.drop(DropMalformedBody)
		return
	}
	p := ch.peer
	w, at, size, ok := ch.log.Get(r.Highest)
	if r.Highest <= ch.Sent() {
		p.moved = now
	}
	if !ok {
		return
	}
	p.mtu.Arrived(now, size)
	rtt := now.Sub(at) - time.Duration(r.Delay)*time.Microsecond
	p.pace.Report(now, pacing.Report{Delivered: min(ch.base+r.Bytes, p.sent), InFlightSent: w.total, RTT: max(rtt, 0)})
	c.measured(p, p.pace.RTT())
	c.heardBy(now, p, at)
	p.confirm(ch, r.Lowest)
	c.settleRisk(now, ch, r.Lowest)
	c.pump(now, p)
}

// confirm ends the large messages of which all that was sent below a counter has arrived, or was given
// up.
func (p *peer) confirm(ch *channel, lowest uint64) {
	p.bulk = slices.DeleteFunc(p.bulk, func(b *bulk) bool {
		arrived := b.ch == ch && b.last < lowest && b.whole()
		if arrived {
			b.asm.pending--
			b.asm.shown(p)
		}
		return arrived
	})
}

// roundTrip is the round-trip time to p as far as it is known, or a guess.
func (p *peer) roundTrip() time.Duration {
	if p.rtt > 0 {
		return p.rtt
	}
	return guessedRTT
}

// guessedRTT stands for the round-trip time before any was measured.
const guessedRTT = 100 * time.Millisecond
