package peer

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/pacing"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Delivery reports (docs/PROTOCOL.md, "Delivery reports").
const (
	reportBytes    = 16 << 10              // received in small messages before a report is worth a datagram
	ReportInterval = 20 * time.Millisecond // at least between two reports, or a round trip if that is longer
)

// CountReceived counts a packet of n bytes for the reports. It returns true if a report is worth a datagram.
func (ch *Channel) CountReceived(n int) (report bool) {
	ch.received += uint64(n)
	ch.peer.reports.unreported += n
	return ch.peer.reports.unreported >= reportBytes
}

// WantReport makes a report of the channel due now, or as soon as one may be sent: see ReportDue. Pieces of large
// messages, and what uncovers that pieces were lost, are always reported, so that no sender waits in vain.
func (ch *Channel) WantReport(now time.Time) {
	p := ch.peer
	p.reports.of = ch
	if p.reports.notBefore.After(now) {
		p.wakeAt(p.reports.notBefore)
	}
}

// ReportDue reports whether SendReport is to be called.
func (p *Peer) ReportDue(now time.Time) bool {
	return p.reports.of != nil && !p.reports.notBefore.After(now)
}

// NextReport returns the time before which no further report is sent.
func (p *Peer) NextReport() time.Time { return p.reports.notBefore }

// SendReport sends a report, which must be due. The next one follows no sooner than after an interval, times a factor: a
// node that cannot pass on what it receives slows its senders down.
func (p *Peer) SendReport(now time.Time, factor int) {
	e, ch := p.endpoint, p.reports.of
	p.reports = reports{notBefore: now.Add(max(ReportInterval, p.rtt) * time.Duration(factor))}
	delay := min(now.Sub(ch.HighestAt()), time.Minute)
	e.control = wire.AppendReport(e.control[:0], e.cfg.IDs.Control(), wire.Report{Highest: ch.Highest(), Lowest: ch.Lowest(),
		Bytes: ch.received, Delay: uint32(delay.Microseconds())})
	e.control = ch.AppendChatter(e.control)
	ch.Send(now, p.sessions.Path(), e.control)
}

// HandleReport tells the pacing how much of what was sent has arrived, and how quickly. It returns when the newest packet
// that arrived was sent; ok is false if the report names none that is remembered. Otherwise the caller calls Confirm.
func (ch *Channel) HandleReport(now time.Time, r wire.Report) (sent time.Time, ok bool) {
	p := ch.peer
	what, at, size, ok := ch.log.Get(r.Highest)
	if r.Highest <= ch.Sent() {
		p.moved = now
	}
	if !ok {
		return time.Time{}, false
	}
	p.mtu.Arrived(now, size)
	rtt := now.Sub(at) - time.Duration(r.Delay)*time.Microsecond
	p.pace.Report(now, pacing.Report{Delivered: min(ch.base+r.Bytes, p.sent), InFlightSent: what.total, RTT: max(rtt, 0)})
	return at, true
}

// Confirm ends the transfers of which everything was sent in packets below lowest, which have arrived or were given up.
// It appends their messages to arrived.
func (ch *Channel) Confirm(now time.Time, lowest uint64, arrived []*assembly.Assembly) []*assembly.Assembly {
	ch.peer.transfers.end(func(t *Transfer) bool {
		over := t.confirmed(ch.Session, lowest)
		if over {
			arrived = append(arrived, t.message)
		}
		return over
	})
	ch.settleRisk(now, lowest)
	return arrived
}

// settleRisk ends the wait for the last packet that may have been too large, if the peer has received all below a number.
func (ch *Channel) settleRisk(now time.Time, lowest uint64) {
	p := ch.peer
	r := p.risked
	if r.ch != ch || r.number >= lowest {
		return
	}
	p.risked = risked{}
	if what, _, _, ok := ch.log.Get(r.number); ok && !what.settled {
		p.mtu.Arrived(now, r.size)
		if len(p.transfers.list) == 0 {
			p.tail.at = time.Time{}
		}
	}
}
