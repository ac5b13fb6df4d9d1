package assembly

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

var begin = time.Unix(1000, 0)

func id(n int) (id wire.MessageID) {
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

// spread is the dissemination state of a message.
type spread struct{ awaited, owned, released bool }

func (s *spread) Awaited() bool { return s.awaited }
func (s *spread) Owned() bool   { return s.owned }
func (s *spread) Release()      { s.released = true }

// content returns n bytes of varying content.
func content(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8) ^ byte(i>>16)
	}
	return b
}

// add adds a complete message to a store.
func add(t *testing.T, s *Store, now time.Time, n, size int) *Assembly {
	t.Helper()
	a := s.Add(now, id(n), make([]byte, size), false)
	if a == nil {
		t.Fatalf("no room for message %d", n)
	}
	return a
}

func wantForgotten(t *testing.T, what string, a *Assembly, want bool) {
	t.Helper()
	if a.Forgotten() != want {
		t.Errorf("%s: forgotten is %v, want %v", what, a.Forgotten(), want)
	}
}

// PROTOCOL.md F1.
func TestMessageIsPutTogetherFromPiecesInAnyOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	for _, size := range []int{1, chunkSize - 1, chunkSize, chunkSize + 1, 3*chunkSize + 7} {
		var s Store
		data := content(size)
		a := s.Begin(begin, id(1), uint32(size), false)
		var offsets []int
		const piece = 999
		for at := 0; at < size; at += piece {
			offsets = append(offsets, at)
		}
		rng.Shuffle(len(offsets), func(i, k int) { offsets[i], offsets[k] = offsets[k], offsets[i] })
		for i, at := range offsets {
			if a.Complete() {
				t.Fatalf("complete after %d of %d pieces", i, len(offsets))
			}
			fresh, ok := s.Write(begin, a, uint32(at), data[at:min(at+piece, size)])
			if !fresh || !ok {
				t.Fatalf("a piece: fresh %v, ok %v", fresh, ok)
			}
		}
		if !a.Complete() {
			t.Fatalf("%d bytes: not complete", size)
		}
		if fresh, ok := s.Write(begin, a, 0, data[:1]); fresh || !ok {
			t.Errorf("a piece again: fresh %v, ok %v", fresh, ok)
		}
		if !bytes.Equal(a.Copy(), data) {
			t.Errorf("%d bytes: other bytes came out", size)
		}
		if s.Size() != size {
			t.Errorf("%d bytes take %d", size, s.Size())
		}
	}
}

func TestPieceEndsWithItsChunk(t *testing.T) {
	var s Store
	data := content(2*chunkSize + 10)
	a := s.Add(begin, id(1), data, false)
	for _, x := range []struct{ from, to, want uint32 }{
		{0, 10, 10}, {chunkSize - 5, chunkSize + 5, chunkSize}, {chunkSize, chunkSize + 5, chunkSize + 5},
		{2 * chunkSize, 2*chunkSize + 10, 2*chunkSize + 10},
	} {
		if got := a.Piece(x.from, x.to); !bytes.Equal(got, data[x.from:x.want]) {
			t.Errorf("piece [%d, %d): %d bytes, want those up to %d", x.from, x.to, len(got), x.want)
		}
	}
}

func TestNothingIsAllocatedFromADeclaredLength(t *testing.T) {
	var s Store
	a := s.Begin(begin, id(1), MessageMax, false)
	if s.Size() != 0 {
		t.Errorf("%d bytes for a message of which nothing has arrived", s.Size())
	}
	if _, ok := s.Write(begin, a, MessageMax-1, []byte{1}); !ok {
		t.Fatal("no room")
	}
	if s.Size() != chunkSize || a.Allocated() != chunkSize {
		t.Errorf("%d bytes for one byte", s.Size())
	}
}

func TestTooManyRangesOfOneMessageAreRefused(t *testing.T) {
	var s Store
	a := s.Begin(begin, id(1), MessageMax, false)
	taken := 0
	for i := range uint32(2 * RangesMax) {
		if _, ok := s.Write(begin, a, 2*i, []byte{1}); ok {
			taken++
		}
	}
	if taken != RangesMax+1 {
		t.Errorf("%d separate ranges were taken", taken)
	}
}

func TestDirectMessagesAreNotFoundById(t *testing.T) {
	var s Store
	direct := s.Begin(begin, id(1), 10, true)
	if s.Get(id(1)) != nil {
		t.Error("a direct message was found")
	}
	broadcast := s.Begin(begin, id(1), 10, false)
	if s.Get(id(1)) != broadcast {
		t.Error("the broadcast was not found")
	}
	s.Remove(direct)
	if s.Get(id(1)) != broadcast {
		t.Error("the broadcast went with the direct message of its id")
	}
}

func TestForgottenMessageTakesNothing(t *testing.T) {
	var s Store
	a := add(t, &s, begin, 1, 1000)
	known := &spread{}
	a.Spread = known
	s.Remove(a)
	s.Remove(a) // a second Remove does nothing
	wantForgotten(t, "a removed message", a, true)
	if !known.released {
		t.Error("dissemination does not know")
	}
	if s.Len() != 0 || s.Size() != 0 || s.Get(a.ID) != nil {
		t.Errorf("%d messages of %d bytes are left", s.Len(), s.Size())
	}
	if _, ok := s.Write(begin, a, 0, []byte{1}); ok {
		t.Error("bytes were written to it")
	}
}

// PROTOCOL.md F3.
func TestPeerMayBeginABoundedAmount(t *testing.T) {
	for _, x := range []struct {
		name            string
		begun           int    // number of messages
		total, arrived  uint32 // size of each, and arrived bytes of each
		further         uint32 // size of one more message
		want, wantStall bool   // whether it is admitted: at once, and when the others are stalled
	}{
		{"nothing begun", 0, 0, 0, MessageMax, true, true},
		{"many small ones", incompleteCount - 1, 1000, 10, 1000, true, true},
		{"too many", incompleteCount, 1000, 10, 1000, false, true},
		{"too much declared", 4, MessageMax, 10, 1, false, true},
		{"as much declared as may be", 3, MessageMax, 10, MessageMax, true, true},
		{"too much arrived", 2, IncompleteSize/2 + 10, IncompleteSize / 2, 1, false, true},
	} {
		t.Run(x.name, func(t *testing.T) {
			var s Store
			var in Incoming
			for i := range x.begun {
				a := s.Begin(begin, id(i), x.total, false)
				s.Write(begin, a, 0, make([]byte, x.arrived))
				in = append(in, a)
			}
			evicted, ok := in.Admit(begin, x.further)
			if ok != x.want {
				t.Errorf("admitted: %v, want %v", ok, x.want)
			}
			if len(evicted) > 0 {
				t.Errorf("%d gave way although they make progress", len(evicted))
			}
			if _, ok = in.Admit(begin.Add(StallGrace+1), x.further); ok != x.wantStall {
				t.Errorf("admitted when the others stand still: %v, want %v", ok, x.wantStall)
			}
		})
	}
}

func TestCompleteAndForgottenMessagesDoNotCountForTheirPeer(t *testing.T) {
	var s Store
	var in Incoming
	for i := range incompleteCount {
		a := s.Begin(begin, id(i), 10, false)
		if in = append(in, a); i%2 == 0 {
			s.Write(begin, a, 0, make([]byte, 10))
		} else {
			s.Remove(a)
		}
	}
	if evicted, ok := in.Admit(begin, 10); !ok || len(evicted) > 0 {
		t.Errorf("admitted: %v, %d gave way", ok, len(evicted))
	}
	if len(in) != 0 {
		t.Errorf("%d messages are still counted", len(in))
	}
}
