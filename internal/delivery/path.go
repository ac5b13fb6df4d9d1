package delivery

import "time"

// SearchPath begins the search for the largest datagram to p, which has become a link.
func (d *Delivery) SearchPath(now time.Time, p *Peer) {
	p.Packets.SearchPath(now, d.cfg.RNG)
	d.reportPath(now, p)
}

// TickPath continues the search for the largest datagram to p. It returns the time of the next call.
func (d *Delivery) TickPath(now time.Time, p *Peer) (next time.Time) {
	next, gaveUp := p.Packets.TickPath(now)
	if gaveUp != 0 {
		d.cfg.Report.PathShrunk(now, p.ID, gaveUp, p.Packets.Path().Size())
	}
	d.reportPath(now, p)
	return next
}

// PathAnswered handles the answer to a Ping with a number. It returns false if the Ping did not probe the datagram size.
func (d *Delivery) PathAnswered(now time.Time, p *Peer, seq uint64) bool {
	if !p.Packets.PathAnswered(now, seq) {
		return false
	}
	d.reportPath(now, p)
	return true
}

// reportPath logs the maximum datagram size to a peer, if it was found since the last call.
func (d *Delivery) reportPath(now time.Time, p *Peer) {
	if size, ok := p.Packets.Path().Found(); ok {
		d.cfg.Report.PathFound(now, p.ID, size)
	}
}
