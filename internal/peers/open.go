package peers

import (
	"time"

	"github.com/gwyh-go/gwyh/internal/peer"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// An Opened is a packet of a peer that was opened.
type Opened struct {
	Peer    *Peer
	Session *session.Session
	Channel *peer.Channel // nil if the peer is a legacy node
	Plain   []byte        // lies in the packet
}

// Open opens a packet with a box, in place. It returns false if the packet was dropped and counted. After it, the caller
// calls HandleOpened.
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

// openLegacy opens a box without a known nonce prefix: one of a legacy node, whose nonces are random and whose sessions
// are tried newest first.
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

// HandleOpened notes where an opened packet came from. It returns true if the packet is the first of its session: the
// session is confirmed, and what waited for it can be sent once the packet has been read.
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
