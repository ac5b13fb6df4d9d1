package assembly

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// The ranges of messages that arrive in many pieces count as memory of the store (PROTOCOL.md F4).
func TestRangesOfManyPiecesCountAsMemory(t *testing.T) {
	var s Store
	now := time.Unix(1e9, 0)
	a := s.Begin(now, wire.MessageID{1}, 8192, false)
	for i := range uint32(1000) {
		s.Write(now, a, 4*i, []byte("x"))
	}
	if want := 8192 + 999*rangeBytes; s.Size() != want {
		t.Errorf("%d bytes, want %d", s.Size(), want)
	}
	s.Write(now, a, 0, make([]byte, 8192))
	if s.Size() != 8192 {
		t.Errorf("%d bytes of a complete message, want 8192", s.Size())
	}
	s.Remove(a)
	if s.Size() != 0 {
		t.Errorf("%d bytes of no message", s.Size())
	}
}

// A declared size takes memory too: a list of chunks.
func TestDeclaredSizesAreBounded(t *testing.T) {
	var s Store
	now := time.Unix(1e9, 0)
	for i := 0; s.Room(); i++ {
		s.Begin(now, wire.MessageID{1, byte(i >> 8), byte(i)}, MessageMax, false)
	}
	if most := listMax + MessageMax/chunkSize; s.list > most {
		t.Errorf("lists of %d chunks, want at most %d", s.list, most)
	}
}
