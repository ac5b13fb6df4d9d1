package peers

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// HandleTimeout closes and renews the sessions of p that are due. The caller processes the actions, except that closed
// sessions have already been removed, and then calls Probe.
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

// Probe sends the probes that the sessions of p request, and resets the path state if the path of p has changed.
func (t *Table) Probe(now time.Time, p *Peer, a *session.Actions) {
	if a.PathChanged && !p.Legacy {
		p.Packets.Moved(now)
	}
	for _, probe := range a.Probes {
		if t.Unwritten(probe.To.Remote) {
			continue
		}
		t.plain = wire.AppendPing(t.plain[:0], wire.KindPing, t.cfg.IDs.Control(), wire.Ping{Seq: probe.Token})
		t.boxes[probe.Session.Prefix()].channel.Send(now, probe.To, t.plain)
	}
}

// Unwritten reports whether data for an address waits for a slow transport. Retransmissions to it must wait too.
func (t *Table) Unwritten(to netip.AddrPort) bool {
	unsent := t.cfg.Handshake.Unsent
	return unsent != nil && unsent(to)
}
