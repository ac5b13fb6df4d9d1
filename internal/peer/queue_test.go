package peer

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// refs returns the offsets of the queued messages in sending order.
func (q *queue) refs() (list []uint64) {
	for i := range q.len() {
		list = append(list, q.at(i).Off)
	}
	return list
}

func TestUrgentMessagesGoBeforeOthers(t *testing.T) {
	var q queue
	q.add(epoch, arena.Ref{Off: 1, Size: 10})
	q.add(epoch, arena.Ref{Off: 2, Size: 10})
	q.addUrgent(epoch, arena.Ref{Off: 3, Size: 10})
	q.addUrgent(epoch, arena.Ref{Off: 4, Size: 10})
	if got, want := q.refs(), []uint64{3, 4, 1, 2}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

func TestQueueCountsItsBytes(t *testing.T) {
	var q queue
	for i := range uint64(4) {
		q.add(epoch, arena.Ref{Off: i + 1, Size: 10})
	}
	q.addUrgent(epoch, arena.Ref{Off: 9, Size: 5})
	if q.bytes != 45 {
		t.Errorf("%d bytes, want 45", q.bytes)
	}
	q.drop(3)
	if q.bytes != 20 || q.len() != 2 {
		t.Errorf("%d bytes in %d messages, want 20 in 2", q.bytes, q.len())
	}
	q.drop(2)
	if q.bytes != 0 || q.normal != nil || q.urgent != nil {
		t.Errorf("an empty queue keeps %d bytes and arrays for %d and %d messages", q.bytes, cap(q.normal), cap(q.urgent))
	}
}

func TestMessagesThatWereTakenAreCountedNoMoreUntilTheyAreBack(t *testing.T) {
	var q queue
	for i := range uint64(3) {
		q.add(epoch, arena.Ref{Off: i + 1, Size: 10})
	}
	q.addUrgent(epoch, arena.Ref{Off: 9, Size: 10})
	list := q.take()
	if q.len() != 1 || q.bytes != 10 {
		t.Errorf("%d messages of %d bytes remain, want the urgent one", q.len(), q.bytes)
	}
	q.add(epoch, arena.Ref{Off: 5, Size: 10})
	q.putBack(list[1:])
	if got, want := q.refs(), []uint64{9, 2, 3, 5}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
	if q.bytes != 40 {
		t.Errorf("%d bytes, want 40", q.bytes)
	}
	q.putBack(nil)
	if q.len() != 4 {
		t.Errorf("%d messages after nothing was put back, want 4", q.len())
	}
}

// A peer whose queue is long requests what is on its way to it. Each copy that was sent again made the queue longer.
func TestMessageThatIsQueuedIsNotQueuedAgain(t *testing.T) {
	ref := func(off uint64) arena.Ref { return arena.Ref{Off: off, Size: 10} }
	var q queue
	for _, off := range []uint64{1, 3, 5} {
		q.add(epoch, ref(off))
	}
	for _, off := range []uint64{3, 2, 2, 5, 4} {
		q.addUrgent(epoch, ref(off))
	}
	if got, want := q.refs(), []uint64{2, 4, 1, 3, 5}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
	if q.bytes != 50 {
		t.Errorf("%d bytes, want 50", q.bytes)
	}
	q.drop(4)
	for _, off := range []uint64{2, 3, 5} {
		q.addUrgent(epoch, ref(off))
	}
	if got, want := q.refs(), []uint64{2, 3, 5}; !slices.Equal(got, want) {
		t.Errorf("after four were sent: order %v, want %v", got, want)
	}
	if got := len(q.isUrgent); got != 2 {
		t.Errorf("%d places are remembered for 2 urgent messages", got)
	}
	if q.drop(3); q.records() != 0 {
		t.Errorf("an empty queue has %d records", q.records())
	}
}

func TestMessageThatThePeerHasIsNeedless(t *testing.T) {
	var q queue
	ids := wire.NewIDs([8]byte{1})
	one, two := ids.Broadcast(), ids.Broadcast()
	plain := wire.AppendBroadcast(nil, wire.Bin, one, []byte("x"))
	if q.spare(one); q.needless(plain) {
		t.Error("an empty queue remembers what the peer has")
	}
	q.add(epoch, arena.Ref{Off: 1, Size: 10})
	if q.spare(two); q.needless(plain) {
		t.Error("needless although the peer has another message")
	}
	if q.spare(one); !q.needless(plain) {
		t.Error("not needless although the peer has it")
	}
	if q.drop(1); q.spared != nil {
		t.Error("an empty queue remembers what the peer has")
	}
}

func TestSparedIDsAreBounded(t *testing.T) {
	var q queue
	ids := wire.NewIDs([8]byte{1})
	q.add(epoch, arena.Ref{Off: 1, Size: 10})
	for range 2 * sparedMax {
		q.spare(ids.Broadcast())
	}
	if len(q.spared) != sparedMax {
		t.Errorf("%d ids, want %d", len(q.spared), sparedMax)
	}
}

func TestPurgeTakesOutWhatThePeerHas(t *testing.T) {
	var q queue
	a := arena.New(arena.Config{})
	ids := wire.NewIDs([8]byte{1})
	var all []wire.MessageID
	for i := range 100 {
		id := ids.Broadcast()
		all = append(all, id)
		m := a.Put(epoch, wire.AppendBroadcast(nil, wire.Bin, id, []byte("x")))
		if i%10 == 0 {
			q.addUrgent(epoch, m)
		} else {
			q.add(epoch, m)
		}
	}
	each := q.bytes / 100
	for _, id := range all[:20] {
		q.spare(id)
	}
	if q.purge(&a); q.len() != 100 {
		t.Errorf("%d left: the walk was not worth it", q.len())
	}
	for _, id := range all[20:60] {
		q.spare(id)
	}
	q.purge(&a)
	if q.len() != 40 || q.bytes != 40*each {
		t.Errorf("%d of %d bytes left, want 40 of %d", q.len(), q.bytes, 40*each)
	}
	if q.spared != nil {
		t.Errorf("%d ids are kept", len(q.spared))
	}
}

func TestSmallMessagesMayTakeAQuarterOfTheRateAhead(t *testing.T) {
	var a ahead
	const rate = 1_000_000. // bytes per second
	taken := 0
	for i := range 10_000 { // one second
		if a.take(epoch.Add(time.Duration(i)*100*time.Microsecond), rate, 100) {
			taken += 100
		}
	}
	if least, most := int(rate/4)-1000, int(rate/4)+aheadMax; taken < least || taken > most {
		t.Errorf("%d bytes in a second, want %d to %d", taken, least, most)
	}
}

func TestWhatMayGoAheadIsBounded(t *testing.T) {
	var a ahead
	a.take(epoch, 1e9, 1)
	now := epoch.Add(time.Hour)
	if !a.take(now, 1e9, aheadMax) {
		t.Errorf("%d bytes may not go ahead after an hour", aheadMax)
	}
	if a.take(now, 1e9, 1) {
		t.Error("more than the bound went ahead at once")
	}
}

func TestArenaKeepsWhatAQueueOfALinkHolds(t *testing.T) {
	w := newWorld(t)
	p := &w.a.peer
	queued := func() { // queues a message that waits for the pacing
		p.PutBack([]Queued{{Ref: w.a.broadcast("queued"), At: w.now}})
	}
	for _, c := range []struct {
		name string
		end  func()
	}{
		{"it is sent", func() { p.Pump(w.now, false) }},
		{"it is taken out", func() { p.TakeQueue(0) }},
		{"the link ends", func() { p.SetLinked(w.now, false) }},
		{"the peer is discarded", func() { p.Discard() }},
	} {
		p.SetLinked(w.now, true)
		queued()
		if later := w.now.Add(time.Hour); w.a.arena.Rest(later) {
			t.Fatalf("before %s: the arena is given back although the queue holds a message", c.name)
		}
		c.end()
		if later := w.now.Add(time.Hour); !w.a.arena.Rest(later) {
			t.Errorf("after %s: the arena is kept", c.name)
		}
	}
}
