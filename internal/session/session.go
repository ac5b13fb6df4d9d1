// Package session keeps what two nodes share after a handshake: keys, counters, a replay window and
// what is missing in it (Session), the few sessions of one pair of nodes with the path between them
// (Set), and what was sent lately, to be sent again (SentLog). It seals boxes into the datagram and
// opens them in place. It is pure: time and randomness are arguments.
package session

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// Why a box was dropped. None of them changes anything in the session.
var (
	ErrSender = errors.New("box from another node than the session's peer")
	ErrPrefix = errors.New("box of another session")
	ErrReplay = errors.New("box came before, or too late to tell")
	ErrForged = errors.New("box does not authenticate")
	ErrClosed = errors.New("session is closed")
)

// Params is what a handshake hands to the session that it ends in.
type Params struct {
	Self, Peer  wire.NodeID
	Handshake   wire.HandshakeID
	Initiator   bool // the Hello was ours
	Legacy      bool // with a gwyh 0.1 node, PROTOCOL.md 3
	SendKey     [32]byte
	RecvKey     [32]byte  // legacy: both are the precomputed box key
	Prefix      [16]byte  // begins every nonce of a bound session, both ways
	Timestamp   time.Time // of the Hello
	Fingerprint [8]byte   // of the pre-shared key that vouched
	Path        wire.Path // where the handshake says to answer
	Suite       Suite     // nil means NaCl
	Rand        io.Reader // nonces of legacy boxes; needed for those only
}

// A Session seals to and opens from one peer under the keys of one handshake. Owned by the loop.
type Session struct {
	p      origin
	suite  Suite
	send   [32]byte // bound: subkey; legacy: key
	recv   [32]byte
	nonce  [24]byte // of the next box; a field, for a local one would be allocated
	sent   uint64   // last counter sealed under; legacy: number of boxes
	opened uint64   // number of boxes
	window window
	gaps   gaps
	legacy *legacyState // nil in a bound session

	newest      bool // the box opened last had the highest counter so far
	closed      bool
	retired     bool // nothing is sealed under it any more: see Set.Retire
	createdAt   time.Time
	confirmedAt time.Time // zero until confirmed
	sealedAt    time.Time // when a box was last sealed; zero until the first
	openedAt    time.Time // when a box last opened; zero until the first

	supersededAt time.Time // the Set's: since when another one is sealed under; zero if none is
}

// origin is what a session keeps of its Params.
type origin struct {
	Self, Peer  wire.NodeID
	Handshake   wire.HandshakeID
	Initiator   bool
	Legacy      bool
	Prefix      [16]byte
	Timestamp   time.Time
	Fingerprint [8]byte
	Path        wire.Path
}

// New returns the session of a handshake that ended at now. It is confirmed by the first box that
// opens (PROTOCOL.md 4), or by Set.Confirm.
func New(now time.Time, p Params) *Session {
	if p.Suite == nil {
		p.Suite = NaCl
	}
	s := &Session{suite: p.Suite, createdAt: now, p: origin{Self: p.Self, Peer: p.Peer, Handshake: p.Handshake, Initiator: p.Initiator,
		Legacy: p.Legacy, Prefix: p.Prefix, Timestamp: p.Timestamp, Fingerprint: p.Fingerprint, Path: p.Path}}
	if p.Legacy {
		s.send, s.recv, s.legacy = p.SendKey, p.RecvKey, &legacyState{rand: p.Rand}
	} else {
		s.suite.Subkey(&s.send, &p.SendKey, &p.Prefix)
		s.suite.Subkey(&s.recv, &p.RecvKey, &p.Prefix)
		copy(s.nonce[:], p.Prefix[:])
	}
	return s
}

// Seal appends a whole packet with plaintext in a box to b (PROTOCOL.md 4: the nonce is the prefix
// and a counter from 1, whose low 32 bits are the packet's s). It appends nothing when the session
// is closed or retired, or its counters are used up. plaintext must not overlap b's spare capacity. For bound
// sessions only.
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

// Open opens the box of p in place and returns its plaintext, which aliases p. The window moves only
// when the box was authentic. A box that does not open is left as it was.
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
	if [16]byte(box.Nonce[:16]) != s.p.Prefix {
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

// noteCounter notes that the box of counter, which is fresh, has come.
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

// close wipes the keys. A closed session neither seals nor opens, and what it misses never comes.
func (s *Session) close() {
	s.closed = true
	s.gaps.abandon()
	s.send, s.recv = [32]byte{}, [32]byte{}
	if s.legacy != nil {
		s.legacy.subkey = [32]byte{}
	}
}

// Peer is the node at the other end.
func (s *Session) Peer() wire.NodeID { return s.p.Peer }

// Handshake is the id of the handshake that made the session.
func (s *Session) Handshake() wire.HandshakeID { return s.p.Handshake }

// Prefix begins the nonces of a bound session and names it.
func (s *Session) Prefix() [16]byte { return s.p.Prefix }

// Legacy reports whether the peer is a gwyh 0.1 node.
func (s *Session) Legacy() bool { return s.p.Legacy }

// Initiator reports whether the Hello was ours.
func (s *Session) Initiator() bool { return s.p.Initiator }

// Fingerprint tells which pre-shared key vouched for the peer.
func (s *Session) Fingerprint() [8]byte { return s.p.Fingerprint }

// Path is where the handshake said to answer. The path in use is Set.Path.
func (s *Session) Path() wire.Path { return s.p.Path }

// Timestamp is that of the handshake's Hello.
func (s *Session) Timestamp() time.Time { return s.p.Timestamp }

// Sent is the counter of the box sealed last; of a legacy session the number of boxes.
func (s *Session) Sent() uint64 { return s.sent }

// LastOpened is when a box last opened; zero if none has.
func (s *Session) LastOpened() time.Time { return s.openedAt }

// heardAt is when the peer last gave a sign of having the session.
func (s *Session) heardAt() time.Time { return later(later(s.createdAt, s.confirmedAt), s.openedAt) }

// Confirmed reports whether the peer has shown that it holds the keys.
func (s *Session) Confirmed() bool { return !s.confirmedAt.IsZero() }

// Closed reports whether the session has ended.
func (s *Session) Closed() bool { return s.closed }
