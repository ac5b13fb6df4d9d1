package peer

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/pacing"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Delivery reports (docs/PROTOCOL.md, "Delivery reports").
const (
	reportBytes    = 16 << 10              // bytes received in small messages that justify a report
	ReportInterval = 20 * time.Millisecond // minimum interval between reports, or a round trip if that is longer

	quickBytes = 32 << 10 // bytes received that justify a quick report: see pacing.QuickReport
)

// CountReceived counts a packet of n bytes for the reports. It returns true if enough was received to send a report.
func (ch *Channel) CountReceived(n int) (report bool) {
	ch.received += uint64(n)
	ch.peer.arrived++
	ch.peer.reports.unreported += n
	return ch.peer.reports.unreported >= reportBytes
}

// WantReport makes a report of the channel due as soon as one may be sent (see ReportDue). Pieces of large messages, and
// probes that reveal lost pieces, are always reported, so the sender gets an answer.
func (ch *Channel) WantReport(now time.Time) {
	p := ch.peer
	p.reports.of = ch
	if next := p.NextReport(); next.After(now) {
		p.wakeAt(next)
	}
}

// ReportDue reports whether SendReport must be called.
func (p *Peer) ReportDue(now time.Time) bool {
	return p.reports.of != nil && !p.NextReport().After(now)
}

// NextReport returns the earliest time of the next report.
func (p *Peer) NextReport() time.Time {
	if p.reports.unreported >= quickBytes {
		return p.reports.quick
	}
	return p.reports.notBefore
}

// SendReport sends a report, which must be due. The interval to the next report is multiplied by factor: a node that
// cannot pass on what it receives slows its senders down in this way (PROTOCOL.md T1).
func (p *Peer) SendReport(now time.Time, factor int) {
	e, ch := p.endpoint, p.reports.of
	p.reports = reports{notBefore: now.Add(max(ReportInterval, p.rtt) * time.Duration(factor))}
	if p.reports.quick = p.reports.notBefore; factor == 1 {
		p.reports.quick = now.Add(pacing.QuickReport(p.rtt))
	}
	delay := min(now.Sub(ch.HighestAt()), time.Minute)
	e.control = wire.AppendReport(e.control[:0], e.cfg.IDs.Control(), wire.Report{Highest: ch.Highest(), Lowest: ch.Lowest(),
		Bytes: ch.received, Delay: uint32(delay.Microseconds())})
	e.control = ch.AppendChatter(e.control)
	ch.Send(now, p.sessions.Path(), e.control)
}

// HandleReport updates the pacing with the bytes that arrived and the round-trip time. It returns when the newest packet
// that arrived was sent; ok is false if that is not remembered. If ok is true, the caller calls Confirm.
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
	p.pace.Report(now, pacing.Report{Delivered: min(ch.base+r.Bytes, p.sent), InFlightSent: what.total, SentAt: at, RTT: max(rtt, 0)})
	return at, true
}

// Confirm ends the transfers whose last piece was sent in a packet below lowest: these packets have arrived or were
// given up. It appends the messages of which these transfers carried all stripes to arrived.
func (ch *Channel) Confirm(now time.Time, lowest uint64, arrived []*assembly.Assembly) []*assembly.Assembly {
	ch.peer.transfers.end(func(t *Transfer) bool {
		over := t.confirmed(ch.Session, lowest)
		if over && !t.partial {
			arrived = append(arrived, t.message)
		}
		return over
	})
	ch.settleRisk(now, lowest)
	return arrived
}

// settleRisk clears the last packet that may have been too large if the peer has received all below lowest.
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
