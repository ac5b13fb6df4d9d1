package gossip

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bounds of the tail probes (docs/PROTOCOL.md, "Loss repair").
const (
	tailMin    = 10 * time.Millisecond
	tailProbes = 3
)

// tail is the probes that follow what was last sent: the packet number of a probe uncovers the loss of what was sent
// before it.
type tail struct {
	at    time.Time // when the next probe is due; zero for none
	tries int       // probes sent since something else was
}

// tailPause is how long after the last piece, or the last tail probe, the next probe is sent.
func (p *packets) tailPause() time.Duration {
	return max(2*p.RoundTrip(), tailMin) << p.tail.tries
}

// probeTailLater has an empty Frame follow what was just sent.
func (p *packets) probeTailLater(now time.Time) {
	p.tail.tries = 0
	p.tail.at = now.Add(p.tailPause())
	p.wakeAt(p.tail.at)
}

// ProbeTail sends an empty Frame if one is due.
func (p *packets) ProbeTail(now time.Time) {
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
		e.control = wire.AppendFrame(e.control[:0], wire.Bin, e.ids.Control(), 0, 0, nil)
		ch.Send(now, p.sessions.Path(), e.control)
	}
}
