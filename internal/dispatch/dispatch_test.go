package dispatch

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// drained makes the queued calls and returns them.
func drained(q *Queue[string], calls *[]string) []string {
	for n, ok := q.pop(); ok; n, ok = q.pop() {
		q.deliver(n)
	}
	got := *calls
	*calls = nil
	return got
}

func newQueue() (*Queue[string], *[]string) {
	var calls []string
	note := func(kind string) func(string) {
		return func(s string) { calls = append(calls, kind+" "+s) }
	}
	return New(Handlers[string]{Message: func(b []byte) { note("message")(string(b)) },
		Join: note("join"), Update: note("update"), Leave: note("leave"), Log: note("log")}, 64<<20), &calls
}

func TestCallsComeInOrder(t *testing.T) {
	q, calls := newQueue()
	q.Message(time.Time{}, Broadcast, []byte("a"))
	q.Member(Join, "n", "n1")
	q.Log("line")
	q.Call(func() { *calls = append(*calls, "call") })
	q.Message(time.Time{}, Broadcast, []byte("b"))
	want := []string{"message a", "join n1", "log line", "call", "message b"}
	if got := drained(q, calls); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestEventsOfANodeMergeAndEachJoinHasItsLeave(t *testing.T) {
	for _, c := range []struct {
		events []Kind
		want   []string
	}{
		{[]Kind{Join, Update}, []string{"join 2"}},
		{[]Kind{Join, Leave}, nil},
		{[]Kind{Join, Leave, Join}, []string{"join 3"}},
		{[]Kind{Update, Update, Leave}, []string{"leave 3"}},
		{[]Kind{Leave, Join}, []string{"leave 1", "join 2"}},
		{[]Kind{Leave, Join, Leave}, []string{"leave 1"}},
	} {
		q, calls := newQueue()
		for i, k := range c.events {
			q.Member(k, "n", fmt.Sprint(i+1))
			q.Member(Join, fmt.Sprint("other", i), "") // events of other nodes lie between
		}
		got := slices.DeleteFunc(drained(q, calls), func(s string) bool { return s == "join " })
		if !slices.Equal(got, c.want) {
			t.Errorf("%v: %q, want %q", c.events, got, c.want)
		}
	}
}

func TestOldestMessageGivesWayAndIsCounted(t *testing.T) {
	q, calls := newQueue()
	for i := range MessagesMax + 3 {
		q.Message(time.Time{}, Broadcast, fmt.Append(nil, i))
	}
	q.Member(Join, "n", "n")
	got := drained(q, calls)
	if len(got) != MessagesMax+1 || got[0] != "message 3" || q.Dropped() != 3 {
		t.Errorf("%d calls, the first %q, %d dropped", len(got), got[0], q.Dropped())
	}
}

func TestOtherCallsAreBounded(t *testing.T) {
	q, calls := newQueue()
	for range callsMax + 1 {
		q.Call(func() { *calls = append(*calls, "call") })
	}
	if got := drained(q, calls); len(got) != callsMax || q.Dropped() != 1 {
		t.Errorf("%d calls, %d dropped", len(got), q.Dropped())
	}
}

// Other nodes can cause log lines while a blocked application reads none.
func TestLinesForTheLogAreBounded(t *testing.T) {
	q, calls := newQueue()
	for range 2 {
		for range linesMax + 1 {
			q.Log("line")
		}
		if got := drained(q, calls); len(got) != linesMax {
			t.Errorf("%d lines", len(got))
		}
		*calls = nil
	}
	if q.Dropped() != 2 {
		t.Errorf("%d dropped", q.Dropped())
	}
}

func TestNothingIsCalledAfterClose(t *testing.T) {
	q, calls := newQueue()
	q.Log("before")
	q.Member(Join, "n", "n")
	q.Message(time.Time{}, Broadcast, []byte("before"))
	q.Close()
	q.Log("after")
	q.Member(Leave, "n", "n")
	q.Message(time.Time{}, Broadcast, []byte("after"))
	q.Call(func() { t.Error("called") })
	if got := drained(q, calls); got != nil {
		t.Errorf("%q", got)
	}
}
