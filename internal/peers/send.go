package peers

import (
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Dial begins a handshake with the node at an address, like [handshake.Endpoint.Initiate], and sends its first packet.
func (t *Table) Dial(now time.Time, to wire.Path, member wire.NodeID, until time.Time) handshake.AttemptID {
	t.stats.Started++
	a, out := t.Initiate(t.begun[:0], now, to, member, until)
	for i := range out {
		t.Send(now, &out[i])
	}
	clear(out)
	t.begun = out
	return a
}

// Send processes an outcome of the handshakes that asks for a packet to be sent. It returns false for any other outcome,
// which the caller processes.
func (t *Table) Send(now time.Time, o *handshake.Outcome) bool {
	out := t.cfg.Out
	switch o.Kind {
	case handshake.SendHandshake:
		t.sendHandshake(o.To, o.Message)
	case handshake.SendPacket:
		out.Pack(o.To, append(out.Buffer(), o.Packet...))
	case handshake.SendLegacyProbe:
		t.sendLegacyProbe(now, o)
	default:
		return false
	}
	return true
}

func (t *Table) sendHandshake(to wire.Path, h *wire.Handshake) {
	seq := uint32(0)
	if h.Step != wire.StepCookie { // addresses forged by a stranger must not displace others from the table
		seq = t.nextSeq(to.Remote)
	}
	buf := wire.AppendHandshake(t.cfg.Out.Buffer(), seq, t.cfg.Handshake.Node, h)
	if h.Step == wire.StepOkBoss { // later datagrams to a legacy node are not packed
		t.cfg.Out.Pack(to, buf)
	} else {
		t.cfg.Out.Add(to, buf)
	}
}

// sendLegacyProbe seals an empty Frame under a session that a legacy node began. The node's Nak confirms the session.
func (t *Table) sendLegacyProbe(now time.Time, o *handshake.Outcome) {
	if s := t.peers[o.Peer].legacySession(o.Handshake); s != nil {
		t.plain = wire.AppendFrame(t.plain[:0], wire.Arrays, t.cfg.IDs.Control(), 0, 0, nil)
		t.cfg.Out.Add(o.To, s.SealLegacy(now, t.cfg.Out.Buffer(), t.nextSeq(o.To.Remote), t.plain))
	}
}

// SendControl sends a control plaintext to p at once. It returns false if the plaintext fits into no datagram: the
// caller sends it in pieces. If there is no usable session, the plaintext is dropped and counted.
func (t *Table) SendControl(now time.Time, p *Peer, plain []byte) (fits bool) {
	s := p.Sessions.Current(now)
	switch {
	case s == nil:
		t.stats.UnknownSession++
		return true
	case s.Legacy():
		to := p.Sessions.Path()
		t.cfg.Out.Add(to, s.SealLegacy(now, t.cfg.Out.Buffer(), t.nextSeq(to.Remote), plain))
		return true
	}
	return p.Packets.SendControl(now, plain)
}

// nextSeq counts the packets to one address: handshakes and gwyh 0.1 boxes together (PROTOCOL.md W5).
func (t *Table) nextSeq(to netip.AddrPort) uint32 {
	n, _ := t.seqs.Get(to)
	n++
	t.seqs.Set(to, n)
	return n
}
