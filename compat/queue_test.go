package compat

import (
	"fmt"
	"strings"
	"testing"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

// asStrings returns messages as strings.
func asStrings(msgs [][]byte) (list []string) {
	for _, m := range msgs {
		list = append(list, string(m))
	}
	return list
}

// queueOf returns a queue of messages for a cluster of nodes nodes.
func queueOf(mult, nodes int, msgs ...string) *memberlist.TransmitLimitedQueue {
	q := &memberlist.TransmitLimitedQueue{RetransmitMult: mult, NumNodes: func() int { return nodes }}
	for _, m := range msgs {
		q.QueueBroadcast(&plain{msg: []byte(m)})
	}
	return q
}

// named and unique are a NamedBroadcast and a UniqueBroadcast.
type named struct {
	plain
	name string
}

func (n *named) Name() string { return n.name }

type unique struct{ plain }

func (*unique) UniqueBroadcast() {}

func TestQueueMayBeEmbeddedByValueAndFilledInLater(t *testing.T) {
	var program struct {
		name  string
		queue memberlist.TransmitLimitedQueue
	}
	program.queue.QueueBroadcast(&plain{msg: []byte("m")}) // before the fields are set
	program.queue.RetransmitMult, program.queue.NumNodes = 1, func() int { return 1 }
	same(t, "messages", asStrings(program.queue.GetBroadcasts(0, 100)), []string{"m"})
	same(t, "left", program.queue.NumQueued(), 0)
}

func TestEmptyQueueGivesNil(t *testing.T) {
	var q memberlist.TransmitLimitedQueue
	if got := q.GetBroadcasts(0, 100); got != nil {
		t.Errorf("%q", got)
	}
	same(t, "number", q.NumQueued(), 0)
	q.Reset()
}

func TestQueueGivesTheLeastSentThenTheLongestThenTheNewest(t *testing.T) {
	q := queueOf(4, 10, "aa", "b", "cccc", "dd", "e")
	same(t, "first", asStrings(q.GetBroadcasts(0, 9)), []string{"cccc", "dd", "aa", "e"})
	same(t, "then", asStrings(q.GetBroadcasts(0, 100)), []string{"b", "cccc", "dd", "aa", "e"})
}

func TestQueueCountsOverheadAndLimit(t *testing.T) {
	q := queueOf(1, 1, "12345", "123", "1")
	same(t, "room for two", asStrings(q.GetBroadcasts(3, 14)), []string{"12345", "123"})
	same(t, "room for none", asStrings(q.GetBroadcasts(3, 3)), []string(nil))
	same(t, "room for the last", asStrings(q.GetBroadcasts(3, 4)), []string{"1"})
}

func TestMessageThatDoesNotFitDelaysNoOther(t *testing.T) {
	q := queueOf(1, 1, "much too long for this", "fits")
	same(t, "messages", asStrings(q.GetBroadcasts(2, 10)), []string{"fits"})
	same(t, "left", q.NumQueued(), 1)
}

func TestQueueHandsOutAsOftenAsTheSizeOfTheClusterAsks(t *testing.T) {
	for _, c := range []struct{ mult, nodes, want int }{{4, 1, 4}, {4, 9, 4}, {4, 10, 8}, {4, 99, 8}, {4, 100, 12}, {1, 1, 1}, {0, 10, 1}, {4, 0, 1}} {
		q := queueOf(c.mult, c.nodes, "m")
		turns := 0
		for q.NumQueued() > 0 {
			turns += len(q.GetBroadcasts(0, 100))
		}
		if turns != c.want {
			t.Errorf("multiplier %d, %d nodes: %d times, want %d", c.mult, c.nodes, turns, c.want)
		}
	}
}

func TestPlainBroadcastInvalidatesWhatItSays(t *testing.T) {
	old, other := &plain{msg: []byte("old")}, &plain{msg: []byte("other")}
	q := queueOf(1, 1)
	q.QueueBroadcast(old)
	q.QueueBroadcast(other)
	q.QueueBroadcast(&plain{msg: []byte("new"), void: func(b memberlist.Broadcast) bool { return b == old }})
	same(t, "messages", asStrings(q.GetBroadcasts(0, 100)), []string{"other", "new"})
	same(t, "finished", []int{old.finished, other.finished}, []int{1, 1})
}

func TestNamedBroadcastInvalidatesItsNameOnly(t *testing.T) {
	all := func(memberlist.Broadcast) bool { return true }
	q := queueOf(1, 1, "plain")
	old := &named{plain{msg: []byte("old"), void: all}, "x"}
	q.QueueBroadcast(old)
	q.QueueBroadcast(&named{plain{msg: []byte("another"), void: all}, "y"})
	q.QueueBroadcast(&named{plain{msg: []byte("new"), void: all}, "x"})
	same(t, "messages", asStrings(q.GetBroadcasts(0, 100)), []string{"another", "plain", "new"})
	same(t, "finished", old.finished, 1)
}

func TestNamedBroadcastsWithoutANameInvalidateEachOtherNever(t *testing.T) {
	q := queueOf(1, 1)
	for _, m := range []string{"1", "22", "333"} {
		q.QueueBroadcast(&named{plain: plain{msg: []byte(m)}})
	}
	same(t, "messages", asStrings(q.GetBroadcasts(0, 100)), []string{"333", "22", "1"})
}

func TestUniqueBroadcastsAreLeftAlone(t *testing.T) {
	all := func(memberlist.Broadcast) bool { return true }
	q := queueOf(1, 1, "plain")
	q.QueueBroadcast(&unique{plain{msg: []byte("unique 1"), void: all}})
	q.QueueBroadcast(&unique{plain{msg: []byte("unique 22"), void: all}})
	q.QueueBroadcast(&plain{msg: []byte("new"), void: all})
	same(t, "messages", asStrings(q.GetBroadcasts(0, 100)), []string{"unique 22", "unique 1", "new"})
}

func TestFinishedIsCalledOnceHoweverABroadcastEnds(t *testing.T) {
	q := queueOf(1, 1)
	add := func(name string) *named {
		b := &named{plain{msg: []byte(name)}, name}
		q.QueueBroadcast(b)
		return b
	}
	sent := add("sent")
	q.GetBroadcasts(0, 100)
	void := add("void")
	add("void")
	q.Prune(0)
	pruned := add("pruned")
	q.Prune(0)
	reset := add("reset")
	q.Reset()
	q.GetBroadcasts(0, 100)
	same(t, "finished", []int{sent.finished, void.finished, pruned.finished, reset.finished}, []int{1, 1, 1, 1})
	same(t, "left", q.NumQueued(), 0)
}

func TestPruneKeepsWhatWouldBeHandedOutFirst(t *testing.T) {
	q := queueOf(4, 10, "a", "bb", "ccc")
	q.GetBroadcasts(0, 3) // returns ccc
	q.Prune(2)
	same(t, "kept", asStrings(q.GetBroadcasts(0, 100)), []string{"bb", "a"})
}

func TestResetEmptiesTheQueueForFurtherUse(t *testing.T) {
	q := queueOf(4, 10, "a", "b")
	q.Reset()
	same(t, "after Reset", q.NumQueued(), 0)
	q.QueueBroadcast(&plain{msg: []byte("c")})
	same(t, "messages", asStrings(q.GetBroadcasts(0, 100)), []string{"c"})
}

func TestMessageIsHandedOutAsTheSameSlice(t *testing.T) {
	b := &plain{msg: []byte("m")}
	q := queueOf(4, 10)
	q.QueueBroadcast(b)
	for range 2 {
		if got := q.GetBroadcasts(0, 100); len(got) != 1 || &got[0][0] != &b.msg[0] {
			t.Errorf("%q, not the slice itself", got)
		}
	}
}

func TestFinishedMayCallTheQueue(t *testing.T) {
	q := queueOf(1, 1)
	called := make(chan int, 1)
	b := &plain{msg: []byte("m"), onFinish: func() { called <- q.NumQueued() }}
	if !onGwyh {
		// memberlist holds the queue's lock here and would deadlock.
		b.onFinish = func() { called <- 0 }
	}
	q.QueueBroadcast(b)
	q.GetBroadcasts(0, 100)
	same(t, "queued in Finished", <-called, 0)
	same(t, "may call", onGwyh, differs(t, "finished-unlocked", false, true))
}

func TestQueueOfManyMessagesDrains(t *testing.T) {
	q := queueOf(2, 20)
	for i := range 1000 {
		q.QueueBroadcast(&plain{msg: fmt.Append(nil, "message ", strings.Repeat("x", i%50))})
	}
	total := 0
	for q.NumQueued() > 0 {
		size := 0
		for _, m := range q.GetBroadcasts(3, 1400) {
			size += 3 + len(m)
			total++
		}
		if size > 1400 {
			t.Fatalf("%d bytes", size)
		}
	}
	same(t, "handed out", total, 4000)
}
