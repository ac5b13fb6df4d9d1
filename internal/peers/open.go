package peers

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// An Opened is a decrypted packet of a peer.
type Opened struct {
	Peer    *Peer
	Session *session.Session
	Channel *peer.Channel // nil for a legacy node
	Plain   []byte        // aliases the packet
}

// Open decrypts a packet with a box in place. It returns false if the packet was dropped and counted. Otherwise, the
// caller then calls HandleOpened (PROTOCOL.md S6).
func (t *Table) Open(now time.Time, pkt *wire.Packet) (o Opened, ok bool) {
	box, ok := t.boxes[[16]byte(pkt.Box.Nonce[:16])]
	if !ok {
		return t.openLegacy(now, pkt)
	}
	plain, err := box.channel.Open(now, pkt)
	if err != nil {
		t.dropped(err)
		return Opened{}, false
	}
	t.cfg.Endpoint.BeginPacket()
	return Opened{Peer: box.peer, Session: box.channel.Session, Channel: box.channel, Plain: plain}, true
}

// openLegacy opens a box without a known nonce prefix, which may be of a legacy node. Nonces of legacy nodes are random,
// so their sessions are tried, newest first.
func (t *Table) openLegacy(now time.Time, pkt *wire.Packet) (o Opened, ok bool) {
	p := t.peers[pkt.Sender]
	if p == nil || !p.Legacy {
		t.stats.UnknownSession++
		return Opened{}, false
	}
	for i := p.Sessions.Len() - 1; i >= 0; i-- {
		s := p.Sessions.At(i)
		if plain, err := s.Open(now, pkt); err == nil {
			return Opened{Peer: p, Session: s, Plain: plain}, true
		}
	}
	t.stats.Forged++
	return Opened{}, false
}

func (t *Table) dropped(err error) {
	if err == session.ErrReplay {
		t.stats.Replayed++
	} else {
		t.stats.Forged++
	}
}

// HandleOpened records the source of a decrypted packet. It returns true if the packet is the first of its session: the
// session is confirmed, and waiting messages can be sent once the packet has been processed.
func (t *Table) HandleOpened(now time.Time, o *Opened, from wire.Path) (confirmed bool) {
	p := o.Peer
	p.heard = now
	confirmed = p.Sessions.Opened(now, o.Session, from)
	t.Wake(p)
	if confirmed {
		t.Confirm(now, o.Session.Handshake(), p.ID)
	}
	return confirmed
}
