package session

import (
	"bytes"
	"testing"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// FuzzOpen passes arbitrary datagrams to sessions that have received boxes before. None may panic, and only boxes
// that the peer sealed may open or change a window.
func FuzzOpen(f *testing.F) {
	low, high := pair(NaCl)
	legacyLow, legacyHigh := legacyPair()
	first, second := seal(low, "first"), seal(low, "second")
	legacy := legacyLow.SealLegacy(epoch, nil, 1, []byte("legacy"))
	mustOpen(f, high, first, "first")
	for _, d := range [][]byte{first, second, legacy, {}} {
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, datagram []byte) {
		bound, old := *high, *legacyHigh
		old.legacy = new(legacyState)
		bound.window = high.window.clone()
		for _, s := range []*Session{&bound, &old} {
			var p wire.Packet
			if wire.ParsePacket(&p, bytes.Clone(datagram)) != nil || p.Kind != wire.PacketBox {
				return
			}
			plain, err := s.Open(epoch, &p)
			switch {
			case err == nil && string(plain) != "second" && string(plain) != "legacy":
				t.Errorf("opened %q", plain)
			case err != nil && (s == &bound && !s.window.equal(&high.window) || s == &old && s.legacy.recent.marks != nil):
				t.Error("a refused box changed what the session remembers")
			}
		}
		if _, err := open(t, &bound, second); err != nil && err != ErrReplay {
			t.Errorf("the peer's next box: %v", err)
		}
	})
}
