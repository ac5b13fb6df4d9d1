package wire

import (
	"encoding/binary"
	"testing"
)

func TestIDsOfOneRunDiffer(t *testing.T) {
	ids := NewIDs([8]byte{1, 2, 3, 4, 5, 6, 7, 8})
	met := map[MessageID]bool{}
	for range 100 {
		met[ids.Broadcast()] = true
		met[ids.Control()] = true
	}
	if len(met) != 200 {
		t.Errorf("200 ids, %d of them differ", len(met))
	}
}

// PROTOCOL.md P3.
func TestBroadcastIDIsOriginAndCounter(t *testing.T) {
	ids := NewIDs([8]byte{0xff, 2, 3, 4, 5, 6, 0xff, 8})
	first, second := ids.Broadcast(), ids.Broadcast()
	if !first.HasOrigin() {
		t.Errorf("%v has no origin id", first)
	}
	if first.Origin() != second.Origin() {
		t.Errorf("%v and %v have different origins", first, second)
	}
	if n := binary.BigEndian.Uint64(second[8:]); n != 2 {
		t.Errorf("counter %d of the second broadcast, want 2", n)
	}
}

func TestRandomUUIDHasNoOrigin(t *testing.T) {
	id := MessageID{6: 0x4f}
	if id.HasOrigin() {
		t.Errorf("%v has an origin id", id)
	}
}

// PROTOCOL.md P3.
func TestIDsKnowTheirOwn(t *testing.T) {
	ids, others := NewIDs([8]byte{1}), NewIDs([8]byte{2})
	for _, id := range []MessageID{ids.Broadcast(), ids.Control()} {
		if !ids.Made(&id) {
			t.Errorf("%v is not known", id)
		}
		if others.Made(&id) {
			t.Errorf("%v of another node counts as its own", id)
		}
	}
}
