package entries

import (
	"testing"

	"github.com/gwyh-go/gwyh/internal/pair"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// message returns the content of a message with the entries of n nodes.
func message(t *testing.T, n int) []byte {
	t.Helper()
	mb := wire.BeginMembers(nil, wire.MessageID{1})
	for i := range n {
		if !mb.Append(pair.Member(i), 1<<16) {
			t.Fatal("the message is full")
		}
	}
	return body(t, mb.End())
}

func body(t *testing.T, plain []byte) []byte {
	t.Helper()
	var m wire.Message
	if _, err := wire.ParseMessage(&m, plain); err != nil {
		t.Fatal(err)
	}
	return m.Data
}

func TestEntriesOfAMessageArriveInOrder(t *testing.T) {
	for _, n := range []int{1, batchSize - 1, batchSize, batchSize + 1, 3 * batchSize} {
		w := newWorld(t)
		count := 0
		for e := range w.a.Received(message(t, n)) {
			if e.ID != pair.Member(count).ID {
				t.Errorf("%d entries: number %d is %v", n, count, e.ID)
			}
			count++
		}
		if count != n {
			t.Errorf("%d entries, want %d", count, n)
		}
		if got := w.a.Stats.Dropped[stats.DropMalformedBody]; got != 0 {
			t.Errorf("%d entries: counted %d times as malformed", n, got)
		}
	}
}

func TestEntriesBeforeAFaultAreHandledAndTheFaultIsCounted(t *testing.T) {
	w := newWorld(t)
	data := message(t, batchSize+4)
	count := 0
	for range w.a.Received(data[:len(data)-1]) {
		count++
	}
	if count != batchSize+3 {
		t.Errorf("%d entries, want %d", count, batchSize+3)
	}
	if got := w.a.Stats.Dropped[stats.DropMalformedBody]; got != 1 {
		t.Errorf("counted %d times, want 1", got)
	}
}
