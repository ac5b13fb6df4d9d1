package delivery

import (
	"bytes"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// id returns the id of a broadcast.
func id(counter uint64) wire.MessageID { return wire.BroadcastID(0x8000, counter) }

func TestMessagesWaitForTheFirstLink(t *testing.T) {
	var q HeldQueue
	now := time.Unix(0, 0)
	data := []byte("first")
	q.Add(now, id(1), data)
	data[0] = 'F' // the caller owns it
	q.Add(now, id(2), []byte("second"))
	if q.Bytes() != 11 || q.Count != 2 {
		t.Errorf("%d bytes of %d messages", q.Bytes(), q.Count)
	}
	got := q.Take(now.Add(heldAge))
	switch {
	case len(got) != 2:
		t.Errorf("len(got) is %d, want 2: %v", len(got), got)
	case got[0].ID != id(1):
		t.Errorf("got[0].ID is %v, want %v", got[0].ID, id(1))
	case string(got[0].Data) != "first":
		t.Errorf("string(got[0].Data) is %q, want %q", string(got[0].Data), "first")
	case string(got[1].Data) != "second":
		t.Errorf("string(got[1].Data) is %q, want %q", string(got[1].Data), "second")
	}
	if q.Bytes() != 0 || len(q.Take(now)) != 0 {
		t.Error("something waits still")
	}
}

// PROTOCOL.md D2.
func TestMessagesDoNotWaitForEver(t *testing.T) {
	var q HeldQueue
	now := time.Unix(0, 0)
	q.Add(now, id(1), []byte("old"))
	q.Add(now.Add(10*time.Second), id(2), []byte("new"))
	if !q.sweep(now.Add(heldAge)) || q.Dropped != 0 {
		t.Errorf("%d dropped at their age", q.Dropped)
	}
	if !q.sweep(now.Add(heldAge+1)) || q.Dropped != 1 {
		t.Errorf("%d dropped, want the old one", q.Dropped)
	}
	if got := q.Take(now.Add(time.Hour)); len(got) != 0 || q.Dropped != 2 {
		t.Errorf("took %v after an hour, %d dropped", got, q.Dropped)
	}
	if q.sweep(now.Add(2 * time.Hour)) {
		t.Error("there is nothing left to sweep")
	}
}

// PROTOCOL.md D2.
func TestMessagesThatWaitAreBounded(t *testing.T) {
	for _, size := range []int{1, heldBytes / 10} {
		var q HeldQueue
		now := time.Unix(0, 0)
		const count = heldMax + 100
		for i := range uint64(count) {
			q.Add(now, id(i), bytes.Repeat([]byte{1}, size))
		}
		kept := q.Take(now)
		if len(kept) > heldMax || len(kept)*size > heldBytes {
			t.Errorf("%d messages of %d bytes wait", len(kept), size)
		}
		if kept[len(kept)-1].ID != id(count-1) || q.Dropped != uint64(count-len(kept)) {
			t.Errorf("kept up to %v, %d dropped", kept[len(kept)-1].ID, q.Dropped)
		}
	}
}
