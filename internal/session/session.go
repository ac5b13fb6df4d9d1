// Package session owns the state that two nodes share after a handshake: keys, packet numbers, a replay window and
// its gaps (Session), the sessions of a pair of nodes and the path between them (Set), and sent packets for
// retransmission (SentLog). It seals into the datagram and opens in place. It never opens a socket, reads a clock or
// starts a goroutine. Read session.go, window.go, gaps.go, sentlog.go, set.go, timeout.go, path.go in this order.
package session

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// The reasons for which a box is dropped. A dropped box changes nothing in the session.
var (
	ErrSender = errors.New("box from another node than the session's peer")
	ErrPrefix = errors.New("box of another session")
	ErrReplay = errors.New("box is a repetition, or too old to know")
	ErrForged = errors.New("box does not authenticate")
	ErrClosed = errors.New("session is closed")
)

// Params is the result of a handshake from which a session is made.
type Params struct {
	Self, Peer  wire.NodeID
	Handshake   wire.HandshakeID
	Initiator   bool // we sent the Hello
	Legacy      bool // with a gwyh 0.1 node (PROTOCOL.md part 3)
	SendKey     [32]byte
	RecvKey     [32]byte  // in a legacy session both are the precomputed box key
	Prefix      [16]byte  // the start of every nonce of a bound session, in both directions
	Timestamp   time.Time // of the Hello
	Fingerprint [8]byte   // of the pre-shared key under which the peer was verified
	Path        wire.Path // where to answer, according to the handshake
	Suite       Suite     // nil means NaCl
	Rand        io.Reader // for the nonces of legacy boxes; not needed otherwise
}

// A Session seals boxes to one peer and opens its boxes under the keys of one handshake. The loop owns it.
type Session struct {
	p      origin
	suite  Suite
	send   [32]byte // bound: subkey; legacy: key
	recv   [32]byte
	nonce  [24]byte // of the next box; bound: it starts with the prefix; a field, because a local variable would be allocated
	sent   uint64   // last packet number sealed; in a legacy session the number of boxes
	opened uint64   // number of boxes
	window window
	gaps   gaps
	legacy *legacyState // nil in a bound session

	newest      bool // the box opened last had the highest packet number so far
	closed      bool
	retired     bool // nothing is sealed under it any longer: see Set.Retire
	createdAt   time.Time
	confirmedAt time.Time // zero until confirmed
	sealedAt    time.Time // when a box was last sealed; zero until the first
	openedAt    time.Time // when a box last opened; zero until the first

	supersededAt time.Time // set by the Set: since when another session is used to seal; zero if this one is
}

// origin is the part of its Params that a session keeps.
type origin struct {
	Self, Peer  wire.NodeID
	Handshake   wire.HandshakeID
	Initiator   bool
	Legacy      bool
	Timestamp   time.Time
	Fingerprint [8]byte
	Path        wire.Path
}

// New returns the session of a handshake that ended at now. The first box that opens, or Set.Confirm, confirms it
// (PROTOCOL.md S7).
func New(now time.Time, p Params) *Session {
	if p.Suite == nil {
		p.Suite = NaCl
	}
	s := &Session{suite: p.Suite, createdAt: now, p: origin{Self: p.Self, Peer: p.Peer, Handshake: p.Handshake, Initiator: p.Initiator,
		Legacy: p.Legacy, Timestamp: p.Timestamp, Fingerprint: p.Fingerprint, Path: p.Path}}
	if p.Legacy {
		s.send, s.recv, s.legacy = p.SendKey, p.RecvKey, &legacyState{rand: p.Rand}
	} else {
		s.suite.Subkey(&s.send, &p.SendKey, &p.Prefix)
		s.suite.Subkey(&s.recv, &p.RecvKey, &p.Prefix)
		copy(s.nonce[:], p.Prefix[:])
	}
	return s
}

// Seal appends a whole packet with plaintext in a box to b (PROTOCOL.md S3, S4: the nonce is the prefix and a
// packet number from 1, whose low 32 bits are the packet's s). It appends nothing if the session is closed or
// retired, or has used all packet numbers. plaintext must not overlap b's spare capacity. It is for bound sessions
// only (PROTOCOL.md S2).
func (s *Session) Seal(now time.Time, b, plaintext []byte) []byte {
	if ended := s.closed || s.retired; ended || s.p.Legacy || s.sent == math.MaxUint64 {
		return b
	}
	s.sent++
	s.sealedAt = now
	binary.BigEndian.PutUint64(s.nonce[16:], s.sent)
	packet, tag, data := wire.ReserveBox(b, uint32(s.sent), s.p.Self, &s.nonce, len(plaintext))
	s.suite.Seal(&s.send, (*[8]byte)(s.nonce[16:]), (*[16]byte)(tag), data, plaintext)
	return packet
}

// Open opens the box of p in place and returns its plaintext, which aliases p. The replay window changes only if
// the box is authentic. A box that does not open is not modified.
func (s *Session) Open(now time.Time, p *wire.Packet) ([]byte, error) {
	if s.closed {
		return nil, ErrClosed
	}
	if p.Sender != s.p.Peer {
		return nil, ErrSender
	}
	var err error
	if s.p.Legacy {
		err = s.openLegacy(&p.Box)
	} else {
		err = s.openBound(now, &p.Box)
	}
	if err != nil {
		return nil, err
	}
	s.opened++
	s.openedAt = now
	return p.Box.Data, nil
}

func (s *Session) openBound(now time.Time, box *wire.Box) error {
	if [16]byte(box.Nonce[:16]) != s.Prefix() {
		return ErrPrefix
	}
	counter := binary.BigEndian.Uint64(box.Nonce[16:])
	if !s.window.fresh(counter) {
		return ErrReplay
	}
	if !s.suite.Open(&s.recv, (*[8]byte)(box.Nonce[16:]), &box.Tag, box.Data) {
		return ErrForged
	}
	s.noteCounter(now, counter)
	return nil
}

// noteCounter records that the box with the packet number counter, which is fresh, has arrived.
func (s *Session) noteCounter(now time.Time, counter uint64) {
	highest := s.window.highest
	s.newest = counter > highest
	if s.newest {
		s.gaps.advances++
		s.gaps.highestAt = now
	}
	if counter != highest+1 || len(s.gaps.ranges) > 0 {
		s.gaps.note(now.Sub(s.createdAt), highest, counter)
	}
	s.window.mark(counter)
}

// close wipes the keys. A closed session neither seals nor opens, and its missing packets count as lost.
func (s *Session) close() {
	s.closed = true
	s.gaps.abandon()
	s.send, s.recv = [32]byte{}, [32]byte{}
	if s.legacy != nil {
		s.legacy.subkey = [32]byte{}
	}
}

// Peer returns the id of the other node.
func (s *Session) Peer() wire.NodeID { return s.p.Peer }

// Handshake returns the id of the handshake that made the session.
func (s *Session) Handshake() wire.HandshakeID { return s.p.Handshake }

// Prefix returns the start of the nonces of a bound session, which identifies the session.
func (s *Session) Prefix() [16]byte { return [16]byte(s.nonce[:16]) }

// Legacy reports whether the peer is a gwyh 0.1 node.
func (s *Session) Legacy() bool { return s.p.Legacy }

// Initiator reports whether we sent the Hello.
func (s *Session) Initiator() bool { return s.p.Initiator }

// Fingerprint identifies the pre-shared key under which the peer was verified.
func (s *Session) Fingerprint() [8]byte { return s.p.Fingerprint }

// Path returns where to answer according to the handshake. The path in use is Set.Path.
func (s *Session) Path() wire.Path { return s.p.Path }

// Timestamp returns the timestamp of the handshake's Hello.
func (s *Session) Timestamp() time.Time { return s.p.Timestamp }

// Sent returns the last packet number that was sealed or, in a legacy session, the number of boxes.
func (s *Session) Sent() uint64 { return s.sent }

// LastOpened returns when a box last opened, or zero if none has.
func (s *Session) LastOpened() time.Time { return s.openedAt }

// heardAt returns the latest time at which the peer is known to have had the session.
func (s *Session) heardAt() time.Time { return later(later(s.createdAt, s.confirmedAt), s.openedAt) }

// Confirmed reports whether the peer has proven that it has the keys.
func (s *Session) Confirmed() bool { return !s.confirmedAt.IsZero() }

// Closed reports whether the session has ended.
func (s *Session) Closed() bool { return s.closed }
