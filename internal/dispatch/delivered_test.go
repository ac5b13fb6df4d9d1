package dispatch

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// deliver delivers a message at the current time.
func deliver(q *Queue[string], via Via, msg string) {
	q.Message(time.Now(), via, []byte(msg))
	for n, ok := q.pop(); ok; n, ok = q.pop() {
		q.deliver(n)
	}
}

func TestBroadcastsAndRepeatsDeliveredLatelyAreKnownByTheirBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, _ := newQueue()
		within := func(msg string) bool { return q.DeliveredWithin(time.Now(), time.Second, []byte(msg)) }
		if within("nothing yet") {
			t.Error("a message is known before any was delivered")
		}
		q.Message(time.Now(), Broadcast, []byte("waits"))
		if within("waits") {
			t.Error("a message is known that waits for the application")
		}
		deliver(q, Broadcast, "broadcast")
		deliver(q, Repeat, "repeat")
		deliver(q, Direct, "direct")
		time.Sleep(time.Second - 1)
		if !within("broadcast") || !within("repeat") {
			t.Error("a message that was delivered just before is not known")
		}
		if within("direct") {
			t.Error("a message to this node only is known as one to all")
		}
		if within("other") {
			t.Error("a message is known that never came")
		}
		time.Sleep(time.Nanosecond)
		if within("broadcast") {
			t.Error("a message is known beyond the time")
		}
		deliver(q, Broadcast, "broadcast")
		if !within("broadcast") {
			t.Error("a message that came again is not known")
		}
	})
}

func TestRepeatOfWhatWasDeliveredLatelyIsNotDelivered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, calls := newQueue()
		deliver(q, Broadcast, "a")
		deliver(q, Repeat, "a")
		deliver(q, Repeat, "b")
		deliver(q, Repeat, "b")
		deliver(q, Direct, "c")
		deliver(q, Repeat, "c") // the direct message may be a different one
		time.Sleep(deliveredFor - 1)
		deliver(q, Repeat, "a")
		if want := []string{"message a", "message b", "message c", "message c"}; !slices.Equal(*calls, want) {
			t.Errorf("%q, want %q", *calls, want)
		}
		if n := q.KnownRepeats(); n != 3 {
			t.Errorf("%d repeats counted as known", n)
		}
	})
}

func TestEqualBroadcastsAndDirectMessagesAreAllDelivered(t *testing.T) {
	q, calls := newQueue()
	for _, via := range []Via{Broadcast, Broadcast, Repeat, Broadcast, Direct, Direct} {
		deliver(q, via, "a")
	}
	if len(*calls) != 5 {
		t.Errorf("%d calls", len(*calls))
	}
}

func TestKnownDeliveriesAreBounded(t *testing.T) {
	q, _ := newQueue()
	for i := range 5 * deliveredMax / 2 {
		deliver(q, Broadcast, fmt.Sprint(i))
	}
	if n := len(q.recent.now) + len(q.recent.before); n > 2*deliveredMax {
		t.Errorf("%d messages are known", n)
	}
	for i := 3 * deliveredMax / 2; i < 5*deliveredMax/2; i++ {
		if !q.DeliveredWithin(time.Now(), time.Hour, fmt.Append(nil, i)) {
			t.Fatalf("message %d is not known", i)
		}
	}
}
