package peers

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// HandleTimeout closes and renews the sessions of p as they are due. The caller does what the actions ask for, except
// that the closed sessions are forgotten already, and then calls Probe.
func (t *Table) HandleTimeout(now time.Time, p *Peer) (a session.Actions) {
	if at := p.Sessions.NextTimeout(); at.IsZero() || at.After(now) {
		return a
	}
	a = p.Sessions.HandleTimeout(now)
	for _, closed := range a.Closed {
		t.forget(p, closed.Session)
	}
	return a
}

// Probe sends the probes that the sessions of p ask for, and starts anew with the path if p has moved to another one.
func (t *Table) Probe(now time.Time, p *Peer, a *session.Actions) {
	if a.PathChanged && !p.Legacy {
		p.Packets.Moved(now)
	}
	for _, probe := range a.Probes {
		if t.Unwritten(probe.To.Remote) {
			continue
		}
		t.plain = wire.AppendPing(t.plain[:0], t.cfg.IDs.Control(), wire.Ping{Seq: probe.Token})
		t.boxes[probe.Session.Prefix()].channel.Send(now, probe.To, t.plain)
	}
}

// Unwritten reports whether something that was sent to an address waits for a slow transport. What repeats it waits too.
func (t *Table) Unwritten(to netip.AddrPort) bool {
	unsent := t.cfg.Handshake.Unsent
	return unsent != nil && unsent(to)
}
