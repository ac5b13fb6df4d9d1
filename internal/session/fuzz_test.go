package session

import (
	"bytes"
	"testing"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// FuzzOpen hands arbitrary datagrams to sessions that have already heard something. None may panic,
// and nothing but what the peer sealed may open or move a window.
func FuzzOpen(f *testing.F) {
	low, _ := pair(NaCl)
	legacy, _ := legacyPair()
	f.Add(seal(low, "first"))
	f.Add(seal(low, "second"))
	f.Add(legacy.SealLegacy(epoch, nil, 1, []byte("legacy")))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, datagram []byte) {
		low, high := pair(NaCl)
		legacyLow, legacyHigh := legacyPair()
		legacyLow.SealLegacy(epoch, nil, 1, nil) // the nonce of the box in the corpus
		first, second := seal(low, "first"), seal(low, "second")
		mustOpen(t, high, first, "first")
		window := high.window
		for _, s := range []*Session{high, legacyHigh} {
			var p wire.Packet
			if wire.ParsePacket(&p, bytes.Clone(datagram)) != nil || p.Kind != wire.PacketBox {
				return
			}
			plain, err := s.Open(epoch, &p)
			known := string(plain) == "second" || s == legacyHigh && string(plain) == "legacy"
			if err == nil && !known {
				t.Errorf("opened %q", plain)
			}
			if err != nil && high.window != window {
				t.Error("a refused box moved the window")
			}
			window = high.window
		}
		if _, err := open(t, high, second); err != nil && err != ErrReplay {
			t.Errorf("the peer's next box: %v", err)
		}
		mustOpen(t, legacyHigh, legacyLow.SealLegacy(epoch, nil, 2, []byte("x")), "x")
	})
}
