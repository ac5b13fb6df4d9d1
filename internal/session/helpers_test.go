package session

import (
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// epoch is the start of virtual time.
var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

var (
	lowID  = wire.NodeID{0: 1, 6: 0x80}
	highID = wire.NodeID{0: 2, 6: 0x80}
)

// suites yields every suite with its name.
func suites(yield func(string, Suite) bool) {
	_ = yield("nacl", NaCl) && yield("null", Null)
}

// random returns a reproducible source of bytes.
func random(seed byte) *rand.ChaCha8 { return rand.NewChaCha8([32]byte{seed}) }

func path(addr string) wire.Path { return wire.Path{Remote: netip.MustParseAddrPort(addr)} }

var (
	lowPath  = path("10.0.0.1:6969")
	highPath = path("10.0.0.2:6969")
)

// params returns the results of one handshake: first the lower id's, then the higher's.
func params(rng *rand.ChaCha8, now time.Time, lowInitiates bool, suite Suite) (low, high Params) {
	low = Params{Self: lowID, Peer: highID, Initiator: lowInitiates, Timestamp: now, Path: highPath, Suite: suite, Rand: rng}
	for _, b := range [][]byte{low.Handshake[:], low.SendKey[:], low.RecvKey[:], low.Prefix[:], low.Fingerprint[:]} {
		rng.Read(b)
	}
	high = low
	high.Self, high.Peer, high.Initiator, high.Path = highID, lowID, !lowInitiates, lowPath
	high.SendKey, high.RecvKey = low.RecvKey, low.SendKey
	return low, high
}

// pair returns the two ends of a bound session.
func pair(suite Suite) (low, high *Session) {
	p, q := params(random(1), epoch, true, suite)
	return New(epoch, p), New(epoch, q)
}

// legacyPair returns the two ends of a legacy session.
func legacyPair() (low, high *Session) {
	p, q := params(random(9), epoch, true, NaCl)
	p.Legacy, q.Legacy = true, true
	p.RecvKey, q.RecvKey, q.SendKey = p.SendKey, p.SendKey, p.SendKey
	return New(epoch, p), New(epoch, q)
}

// parse returns the packet in a copy of datagram.
func parse(t testing.TB, datagram []byte) *wire.Packet {
	t.Helper()
	p := new(wire.Packet)
	if err := wire.ParsePacket(p, append([]byte(nil), datagram...)); err != nil {
		t.Fatalf("parse %x: %v", datagram, err)
	}
	return p
}

// open opens a copy of datagram.
func open(t testing.TB, s *Session, datagram []byte) (string, error) {
	t.Helper()
	plain, err := s.Open(epoch, parse(t, datagram))
	return string(plain), err
}

// mustOpen fails the test unless datagram opens to want.
func mustOpen(t testing.TB, s *Session, datagram []byte, want string) {
	t.Helper()
	if got, err := open(t, s, datagram); err != nil || got != want {
		t.Fatalf("opened %q, %v; want %q", got, err, want)
	}
}

// mustFail fails the test unless datagram is rejected with want.
func mustFail(t testing.TB, s *Session, datagram []byte, want error) {
	t.Helper()
	if got, err := open(t, s, datagram); err != want {
		t.Fatalf("opened %q, %v; want error %q", got, err, want)
	}
}

// seal returns a datagram.
func seal(s *Session, text string) []byte { return s.Seal(epoch, nil, []byte(text)) }

// sealAt returns a datagram with the given packet number.
func sealAt(s *Session, counter uint64) []byte {
	s.sent = counter - 1
	return seal(s, "x")
}
