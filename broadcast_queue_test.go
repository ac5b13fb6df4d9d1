package gwyh

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// A testBroadcast invalidates plain broadcasts about the same subject, and counts the calls of Finished.
type testBroadcast struct {
	msg      string
	about    string
	finished atomic.Int32
	onFinish func()
}

func (b *testBroadcast) Invalidates(old Broadcast) bool {
	o, ok := old.(*testBroadcast)
	return ok && b.about != "" && o.about == b.about
}
func (b *testBroadcast) Message() []byte { return []byte(b.msg) }
func (b *testBroadcast) Finished() {
	b.finished.Add(1)
	if b.onFinish != nil {
		b.onFinish()
	}
}

// A testNamed and a testUnique claim to invalidate everything. The queue must not call their Invalidates.
type testNamed struct {
	testBroadcast
	name string
}

func (b *testNamed) Invalidates(Broadcast) bool { return true }
func (b *testNamed) Name() string               { return b.name }

type testUnique struct{ testBroadcast }

func (b *testUnique) Invalidates(Broadcast) bool { return true }
func (b *testUnique) UniqueBroadcast()           {}

func newPlain(msg string) *testBroadcast      { return &testBroadcast{msg: msg} }
func plainAbout(a, msg string) *testBroadcast { return &testBroadcast{msg: msg, about: a} }
func newNamed(name, msg string) *testNamed    { return &testNamed{testBroadcast{msg: msg}, name} }
func newUnique(msg string) *testUnique        { return &testUnique{testBroadcast{msg: msg}} }
func queueFor(mult, nodes int) (q *TransmitLimitedQueue) {
	return &TransmitLimitedQueue{RetransmitMult: mult, NumNodes: func() int { return nodes }}
}

func queueAll[B Broadcast](q *TransmitLimitedQueue, bs ...B) {
	for _, b := range bs {
		q.QueueBroadcast(b)
	}
}

// wantNext checks the result of one GetBroadcasts, including its order.
func wantNext(t *testing.T, q *TransmitLimitedQueue, overhead, limit int, want ...string) {
	t.Helper()
	var got []string
	for _, m := range q.GetBroadcasts(overhead, limit) {
		got = append(got, string(m))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("handed out %q, want %q", got, want)
	}
}

func wantFinished(t *testing.T, n int32, bs ...*testBroadcast) {
	t.Helper()
	for _, b := range bs {
		if got := b.finished.Load(); got != n {
			t.Fatalf("%q finished %d times, want %d", b.msg, got, n)
		}
	}
}

func TestZeroQueueWorksAndHandsOutOnce(t *testing.T) {
	var app struct {
		name  string
		queue TransmitLimitedQueue // embedded by value, fields set later
	}
	q := &app.queue
	if q.GetBroadcasts(3, 1400) != nil || q.NumQueued() != 0 {
		t.Fatal("an empty queue has something")
	}
	q.Prune(0)
	q.Reset()
	b := newPlain("a")
	queueAll(q, b)
	wantNext(t, q, 3, 1400, "a")
	wantNext(t, q, 3, 1400)
	wantFinished(t, 1, b)
	q.RetransmitMult, q.NumNodes = 2, func() int { return 9 }
	queueAll(q, b)
	wantNext(t, q, 3, 1400, "a")
	wantNext(t, q, 3, 1400, "a")
	wantNext(t, q, 3, 1400)
}

func TestQueueHandsOutTheLeastSentThenTheLongestThenTheNewest(t *testing.T) {
	q := queueFor(3, 5)
	queueAll(q, newPlain("old"), newPlain("longest"), newPlain("new"))
	wantNext(t, q, 0, 7, "longest")
	wantNext(t, q, 0, 6, "new", "old")
	queueAll(q, newPlain("x"))
	wantNext(t, q, 0, 100, "x", "longest", "new", "old")
	wantNext(t, q, 0, 100, "x", "longest", "new", "old")
	wantNext(t, q, 0, 100, "x")
}

func TestQueueKeepsToTheLimitWithOverhead(t *testing.T) {
	q := queueFor(4, 10)
	for i := range 10 {
		queueAll(q, newPlain(fmt.Sprintf("message %d", i)))
	}
	for limit, want := range map[int]int{0: 0, 2: 0, 11: 0, 12: 1, 23: 1, 24: 2, 119: 9, 120: 10, 1400: 10} {
		if got := len(q.GetBroadcasts(3, limit)); got != want {
			t.Errorf("%d messages in %d bytes, want %d", got, limit, want)
		}
	}
}

func TestOversizedMessageBlocksNoOther(t *testing.T) {
	q := queueFor(1, 5)
	large := newPlain(strings.Repeat("x", 2000))
	queueAll(q, large, newPlain("small"), newPlain("tiny"))
	wantNext(t, q, 2, 1400, "small", "tiny")
	wantNext(t, q, 2, 1400)
	wantFinished(t, 0, large)
	wantNext(t, q, 2, 3000, large.msg)
}

func TestQueueFillsTheRoomThatLongOnesLeave(t *testing.T) {
	q := queueFor(2, 5)
	queueAll(q, newPlain("1234567890"), newPlain("12345678"), newPlain("123"), newPlain("12"))
	wantNext(t, q, 1, 16, "1234567890", "123") // 11 + 4 of 16
	wantNext(t, q, 1, 16, "12345678", "12", "123")
}

func TestTurnsGrowWithTheDigitsOfTheCluster(t *testing.T) {
	for _, c := range []struct{ mult, nodes, turns int }{
		{4, 0, 1}, {4, 1, 4}, {4, 9, 4}, {4, 10, 8}, {4, 99, 8}, {4, 100, 12}, {1, 999, 3},
		{0, 1000, 1}, {-1, 1000, 1}, {4, -7, 1},
	} {
		q, b := queueFor(c.mult, c.nodes), newPlain("m")
		queueAll(q, b)
		turns := 0
		for len(q.GetBroadcasts(0, 10)) > 0 {
			ended := int32(0)
			if turns++; turns == c.turns {
				ended = 1
			}
			wantFinished(t, ended, b)
		}
		if turns != c.turns {
			t.Errorf("mult %d, %d nodes: %d turns, want %d", c.mult, c.nodes, turns, c.turns)
		}
	}
}

func TestClusterThatShrankEndsBroadcastsAtTheirNextTurn(t *testing.T) {
	nodes := 100
	q := &TransmitLimitedQueue{RetransmitMult: 4, NumNodes: func() int { return nodes }}
	b := newPlain("m")
	queueAll(q, b)
	for range 6 {
		wantNext(t, q, 0, 10, "m")
	}
	nodes = 1
	wantNext(t, q, 0, 10, "m")
	wantNext(t, q, 0, 10)
	wantFinished(t, 1, b)
}

func TestPlainBroadcastMakesThePlainOnesItInvalidatesVoid(t *testing.T) {
	q := queueFor(1, 5)
	old1, old2, other := plainAbout("a", "old1"), plainAbout("a", "old2"), plainAbout("b", "other")
	sameNamed, sameUnique := newNamed("a", "named"), newUnique("unique")
	sameNamed.about, sameUnique.about = "a", "a"
	queueAll(q, old1, other)
	queueAll(q, sameNamed)
	queueAll(q, sameUnique)
	queueAll(q, old2)
	wantFinished(t, 1, old1)
	queueAll(q, plainAbout("a", "new"))
	wantFinished(t, 1, old1, old2)
	wantFinished(t, 0, other, &sameNamed.testBroadcast, &sameUnique.testBroadcast)
	wantNext(t, q, 0, 100, "unique", "named", "other", "new")
}

func TestNamedBroadcastMakesOnlyItsNamesakeVoid(t *testing.T) {
	q := queueFor(2, 5)
	first, other, p, u := newNamed("x", "first"), newNamed("y", "other"), newPlain("plain"), newUnique("unique")
	queueAll(q, first, other)
	queueAll(q, p)
	queueAll(q, u)
	wantNext(t, q, 0, 100, "unique", "plain", "other", "first")
	queueAll(q, newNamed("x", "second"))
	wantFinished(t, 1, &first.testBroadcast)
	wantFinished(t, 0, &other.testBroadcast, p, &u.testBroadcast)
	wantNext(t, q, 0, 100, "second", "unique", "plain", "other")
	wantNext(t, q, 0, 100, "second")
	queueAll(q, newNamed("x", "third")) // the name is free again
	wantNext(t, q, 0, 100, "third")
	wantFinished(t, 1, &first.testBroadcast)
}

func TestNameIsFreeAfterPruneAndReset(t *testing.T) {
	q := queueFor(4, 5)
	for _, clean := range []func(){func() { q.Prune(0) }, q.Reset} {
		a := newNamed("x", "a")
		queueAll(q, a)
		clean()
		wantFinished(t, 1, &a.testBroadcast)
		queueAll(q, newNamed("x", "b"))
		wantFinished(t, 1, &a.testBroadcast)
		wantNext(t, q, 0, 10, "b")
		q.Reset()
	}
}

func TestUniqueBroadcastsLeaveEachOtherAlone(t *testing.T) {
	q := queueFor(1, 5)
	a, b := newUnique("a"), newUnique("b")
	queueAll(q, a, b)
	wantFinished(t, 0, &a.testBroadcast, &b.testBroadcast)
	wantNext(t, q, 0, 10, "b", "a")
	wantFinished(t, 1, &a.testBroadcast, &b.testBroadcast)
}

func TestPruneKeepsWhatWouldGoFirst(t *testing.T) {
	q := queueFor(4, 5)
	a, b, c, d := newPlain("a"), newPlain("b"), newPlain("longer"), newPlain("d")
	queueAll(q, a, b)
	wantNext(t, q, 0, 10, "b", "a")
	queueAll(q, c, d)
	q.Prune(10)
	wantFinished(t, 0, a, b, c, d)
	q.Prune(3)
	wantFinished(t, 1, a)
	wantFinished(t, 0, b, c, d)
	wantNext(t, q, 0, 10, "longer", "d", "b")
	q.Prune(-1)
	wantFinished(t, 1, a, b, c, d)
	if q.NumQueued() != 0 {
		t.Fatal(q.NumQueued())
	}
}

func TestResetFinishesAll(t *testing.T) {
	q := queueFor(4, 5)
	a, b := newPlain("a"), newNamed("n", "b")
	queueAll(q, a)
	queueAll(q, b)
	q.Reset()
	q.Reset()
	wantFinished(t, 1, a, &b.testBroadcast)
	if q.NumQueued() != 0 || q.GetBroadcasts(0, 100) != nil {
		t.Fatal("something is left")
	}
}

func TestQueueMayBeCalledFromFinishedAndNumNodes(t *testing.T) {
	var q TransmitLimitedQueue
	asked := 0
	q.NumNodes = func() int { asked++; return q.NumQueued() }
	reenter := func() {
		q.NumQueued()
		q.GetBroadcasts(0, 0)
		q.QueueBroadcast(newUnique("from Finished"))
	}
	for _, end := range []func(){
		func() { q.GetBroadcasts(0, 100) },
		func() { q.Prune(0) },
		func() { q.Reset() },
		func() { q.QueueBroadcast(plainAbout("a", "new")) },
	} {
		q.Reset()
		queueAll(&q, &testBroadcast{msg: "old", about: "a", onFinish: reenter})
		end()
		if q.NumQueued() == 0 {
			t.Fatal("what Finished queued is lost")
		}
	}
	if asked == 0 {
		t.Fatal("nobody asked for the number of nodes")
	}
}

func TestEmptyQueueDoesNotAskForTheNumberOfNodes(t *testing.T) {
	q := TransmitLimitedQueue{NumNodes: func() int { panic("the Memberlist is not there yet") }}
	q.GetBroadcasts(3, 1400)
}

func TestMessageIsAskedForOnceAndHandedOutAsTheSameSlice(t *testing.T) {
	q := queueFor(2, 5)
	queueAll(q, newPlain("m")) // its Message returns a new slice each time
	first, again := q.GetBroadcasts(0, 10), q.GetBroadcasts(0, 10)
	if &first[0][0] != &again[0][0] {
		t.Fatal("handed out a copy")
	}
}

func TestEmptyMessagesPass(t *testing.T) {
	q := queueFor(1, 5)
	queueAll(q, newPlain(""), newPlain(""))
	wantNext(t, q, 3, 7, "", "")
}

// Every broadcast is finished exactly once whatever runs concurrently, and NumQueued returns to zero.
func TestConcurrentUseFinishesEachExactlyOnce(t *testing.T) {
	q := queueFor(1, 20)
	const writers, each = 4, 250
	all := make([][]*testBroadcast, writers)
	var writing, reading sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				msg := strings.Repeat("m", i%40)
				switch i % 3 {
				case 0:
					b := newNamed(fmt.Sprint(i%7), msg)
					all[w] = append(all[w], &b.testBroadcast)
					q.QueueBroadcast(b)
				case 1:
					b := newUnique(msg)
					all[w] = append(all[w], &b.testBroadcast)
					q.QueueBroadcast(b)
				default:
					b := plainAbout(fmt.Sprint(i%5), msg)
					all[w] = append(all[w], b)
					q.QueueBroadcast(b)
				}
			}
		})
	}
	var stop atomic.Bool
	for r := range 2 {
		reading.Go(func() {
			for i := 0; !stop.Load(); i++ {
				q.GetBroadcasts(2, 200)
				q.NumQueued()
				if r == 0 && i%50 == 0 {
					q.Prune(100)
				}
			}
		})
	}
	writing.Wait()
	stop.Store(true)
	reading.Wait()
	q.Reset()
	if q.NumQueued() != 0 {
		t.Fatal(q.NumQueued())
	}
	wantFinished(t, 1, slices.Concat(all...)...)
}

// The test compares the queue with one that searches all of its broadcasts each time.
func TestQueueAgreesWithAPlainSearch(t *testing.T) {
	q := queueFor(3, 5)
	var model []*queued
	state := uint32(1)
	random := func(n int) int { state = state*1664525 + 1013904223; return int(state>>16) % n }
	for step := range 3000 {
		if random(2) == 0 {
			msg := fmt.Sprintf("%d%s", step, strings.Repeat("x", random(30)))
			queueAll(q, newUnique(msg))
			model = append(model, &queued{msg: []byte(msg), number: uint64(step)})
			continue
		}
		overhead, limit := random(4), random(150)
		var want []string
		var taken []*queued
		for free := limit - overhead; free > 0; {
			fits := slices.DeleteFunc(slices.Clone(model), func(e *queued) bool {
				return len(e.msg) > free || slices.Contains(taken, e)
			})
			if len(fits) == 0 {
				break
			}
			e := slices.MinFunc(fits, compareQueued)
			taken = append(taken, e)
			want = append(want, string(e.msg))
			free -= len(e.msg) + overhead
		}
		for _, e := range taken {
			e.transmits++
		}
		model = slices.DeleteFunc(model, func(e *queued) bool { return e.transmits == 3 })
		wantNext(t, q, overhead, limit, want...)
		if q.NumQueued() != len(model) {
			t.Fatal(q.NumQueued(), len(model))
		}
	}
}

func BenchmarkQueue(b *testing.B) {
	for _, n := range []int{100, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			q := queueFor(4, 100)
			msg := strings.Repeat("m", 100)
			for range n {
				queueAll(q, newUnique(msg))
			}
			b.ReportAllocs()
			for b.Loop() {
				queueAll(q, newUnique(msg))
				q.GetBroadcasts(3, 1400)
				q.Prune(n)
			}
		})
	}
}

func TestNamedBroadcastWithoutANameIsNobodysNamesake(t *testing.T) {
	q := queueFor(1, 1)
	queueAll(q, newNamed("", "1"), newNamed("", "22"))
	if n := q.NumQueued(); n != 2 {
		t.Errorf("%d queued", n)
	}
	queueAll(q, newPlain("333"))
	queueAll(q, newNamed("", "4444"))
	if n := q.NumQueued(); n != 3 {
		t.Errorf("%d queued: its Invalidates, which takes all, is for plain ones", n)
	}
}
