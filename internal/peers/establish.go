package peers

import (
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/pacing"
	"github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A finished handshake is processed with three calls: Add if the node is not a peer yet, Establish, and then Introduce,
// after the caller has examined the contents of the handshake.

// MakeRoom returns the peer to remove before another one is added, or nil if there is room. If there are too many peers
// besides those of the given number of links, it is the peer without a link that was silent longest. MakeRoom closes its
// sessions, and the caller calls Remove.
func (t *Table) MakeRoom(now time.Time, links int) *Peer {
	if len(t.peers)-links < UnlinkedMax {
		return nil
	}
	var oldest *Peer
	for _, p := range t.peers {
		if !p.Packets.Linked() && (oldest == nil || p.silentLonger(oldest)) {
			oldest = p
		}
	}
	for _, s := range oldest.Sessions.RemoveAll(now) {
		t.forget(oldest, s)
	}
	return oldest
}

func (p *Peer) silentLonger(than *Peer) bool {
	if p.heard.Equal(than.heard) {
		return slices.Compare(p.ID[:], than.ID[:]) < 0
	}
	return p.heard.Before(than.heard)
}

// Add creates a peer for the node at the other end of a handshake. The timer becomes the peer's; it fires when the
// caller must call HandleTimeout or has work of its own.
func (t *Table) Add(now time.Time, e *handshake.Established, timer *timer.Timer) *Peer {
	p := &Peer{ID: e.Peer, Legacy: e.Legacy, timer: timer}
	p.Sessions = session.NewSet(t.cfg.Handshake.Node, e.Peer, t.cfg.Handshake.Rand)
	p.Packets = t.cfg.Endpoint.NewPeer(peer.Params{Legacy: e.Legacy, Sessions: p.Sessions, Timer: timer,
		Pace: pacing.New(now, e.RTT, t.cfg.RNG.Int64N, t.cfg.Datagram)})
	t.peers[p.ID] = p
	return p
}

// Remove removes a peer whose sessions have ended.
func (t *Table) Remove(p *Peer) {
	p.Packets.Discard()
	t.cfg.Timers.Stop(p.timer)
	delete(t.peers, p.ID)
}

// Establish creates a session of a finished handshake with p, and stores what the handshake says about p. The session
// carries nothing before Introduce, and only the identity until a packet of the peer has been decrypted.
func (t *Table) Establish(now time.Time, p *Peer, e *handshake.Established) *session.Session {
	if e.Initiator {
		t.stats.Initiated++
	} else {
		t.stats.Accepted++
	}
	p.heard, p.Zone = now, e.Zone
	p.Packets.Path().SetPeerMax(int(e.MaxDatagram))
	if e.Legacy {
		p.Packets.Path().SetPeerMax(pmtu.Max)
	}
	s := session.New(now, session.Params{Self: t.cfg.Handshake.Node, Peer: e.Peer, Handshake: e.Handshake, Initiator: e.Initiator,
		Legacy: e.Legacy, SendKey: e.SendKey, RecvKey: e.RecvKey, Prefix: e.Prefix, Timestamp: e.Timestamp,
		Fingerprint: e.Key, Path: e.Path, Suite: t.cfg.Suite, Rand: t.cfg.Handshake.Rand})
	for _, old := range p.Sessions.Add(now, s) {
		t.forget(p, old)
	}
	return s
}

// SealEarly allows packets to be sealed under a new session with a Go node that answered, before the session is
// confirmed: they share a datagram with the OkBoss. Packets lost at that point are retransmitted as usual. SealEarly
// returns false if another session can be used or the peer does not identify itself.
func (t *Table) SealEarly(now time.Time, p *Peer, s *session.Session, e *handshake.Established) bool {
	if e.Legacy || !e.HasVersions || p.Sessions.Current(now) != nil {
		return false
	}
	p.Sessions.SealEarly(s)
	return true
}

// Introduce completes this node's end of a new session. self is the entry of this node, which is the first message of the
// session in this direction, except in a legacy session (PROTOCOL.md M1).
func (t *Table) Introduce(out []handshake.Outcome, now time.Time, p *Peer, s *session.Session, e *handshake.Established, self *wire.Member) []handshake.Outcome {
	t.Wake(p)
	if e.Legacy {
		return t.Endpoint.Introduce(out, now, e, nil)
	}
	ch, packet := p.Packets.AddChannel(now, s, identity(t.cfg.IDs, *self))
	t.boxes[s.Prefix()] = box{p, ch}
	return t.Endpoint.Introduce(out, now, e, packet)
}

// HandleGoTeam confirms a session that this node began with a legacy node. It returns the peer, to which packets may now
// be sealed, or nil if there is no such session.
func (t *Table) HandleGoTeam(now time.Time, id wire.HandshakeID, of wire.NodeID) *Peer {
	p := t.peers[of]
	s := p.legacySession(id)
	if s == nil {
		return nil
	}
	p.Sessions.Confirm(now, s)
	t.Confirm(now, id, of)
	return p
}

func (p *Peer) legacySession(id wire.HandshakeID) *session.Session {
	if p == nil || !p.Legacy {
		return nil
	}
	for i := range p.Sessions.Len() {
		if s := p.Sessions.At(i); s.Handshake() == id {
			return s
		}
	}
	return nil
}

// forget removes all references to a session.
func (t *Table) forget(p *Peer, s *session.Session) {
	delete(t.boxes, s.Prefix())
	p.Packets.Forget(s)
}
