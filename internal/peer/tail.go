package peer

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// ProbeTail sends an empty Frame if one is due. Its packet number reveals the loss of earlier packets (PROTOCOL.md F5).
func (p *Peer) ProbeTail(now time.Time) {
	if p.tail.at.IsZero() || p.tail.at.After(now) {
		return
	}
	p.tail.tries++
	p.tail.at = time.Time{}
	if p.tail.tries < tailProbes {
		p.tail.at = now.Add(p.tailPause())
	}
	if ch := p.Channel(now); ch != nil {
		e := p.endpoint
		e.control = wire.AppendFrame(e.control[:0], wire.Bin, e.cfg.IDs.Control(), 0, 0, nil)
		ch.Send(now, p.sessions.Path(), e.control)
	}
}
