package broadcast

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// replaced ends the link of a neighbor and brings up another one, which gets its slot.
func (w *world) replaced(n *Neighbor) *Neighbor {
	w.t.Helper()
	slot := n.slot
	w.d.LinkDown(w.now, n)
	other := w.link()
	if other.slot != slot {
		w.t.Fatalf("the new neighbor has slot %d, want %d", other.slot, slot)
	}
	return other
}

// PROTOCOL.md Q3: when a link begins, nothing is pruned on it.
func TestNewNeighborInheritsNothingFromTheSlotOfAnother(t *testing.T) {
	w := newWorld(t, 3)
	w.copies(1, time.Millisecond, w.near...)
	w.offer(w.near[0], 2, 100)
	w.states(w.near[0], id(2), byte(assembly.Both))
	w.steered(w.near[0], testOrigin, true, true)
	n := w.replaced(w.near[0])
	if w.d.IsParent(testOrigin, n) {
		t.Error("it is a parent")
	}
	if got := w.d.Takes(testOrigin, n); got != 0 {
		t.Errorf("stripes %v are taken from it", got)
	}
	m := id(3)
	if got := w.d.Gives(&m, n); got != 0 {
		t.Errorf("it is sent stripes %v", got)
	}
	if s := w.d.Spread(&m); !s.Full(w.now, n, Queue{}) {
		t.Error("it is lazy")
	}
	w.run(10 * time.Second)
	w.take()
	w.met(w.near[1], 3)
	w.run(testRTT + soonAfter)
	if got := w.digestsTo(n); len(got) != 0 {
		t.Errorf("it was told %v soon, which it has not asked for", got)
	}
}

// PROTOCOL.md D4.
func TestNewNeighborGetsAnnouncementsOfMessagesThatCameFromTheOneBeforeInItsSlot(t *testing.T) {
	w := newWorld(t, 2)
	w.met(w.near[0], 1)
	n := w.replaced(w.near[0])
	w.do(w.d.AnnounceRecent(nil, w.now, n))
	if got := w.digestsTo(n); len(got) != 1 || got[0].Top != 1 {
		t.Errorf("it was told %+v, want message 1", got)
	}
}

// PROTOCOL.md F2, Q15: a neighbor whose link begins while a large message arrives.
func TestNewcomerDuringALargeMessageGetsAnOfferAndNoPieces(t *testing.T) {
	w := newWorld(t, 2)
	w.offer(w.near[0], 1, 100)
	w.states(w.near[1], id(1), byte(assembly.Both))
	l, pieces := w.begun(id(1), 8*chunk)
	w.piece(w.near[0], l, pieces, 0, 4*chunk)
	w.take()
	n := w.replaced(w.near[1])
	s := w.d.PassOn(l, false)
	out, stripes := w.d.Offer(nil, w.now, &s, n, false)
	if stripes != 0 {
		t.Errorf("it is sent stripes %v before it takes any", stripes)
	}
	w.do(out)
	got := w.digestsTo(n)
	if len(got) != 1 {
		t.Fatalf("%d offers", len(got))
	}
	if !got[0].Offer || !got[0].Lazy {
		t.Errorf("it is told %+v, want an offer of what it must take", got[0])
	}
	if want := 100 + wire.DelayOf(testRTT/2); got[0].Delay != want {
		t.Errorf("the delay of the offer is %d, want %d", got[0].Delay, want)
	}
	w.states(n, id(1), byte(assembly.Odd))
	sent := w.take()
	if len(sent) != 1 || sent[0].Kind != ChangeStripes {
		t.Fatalf("its choice draws %v, want a transfer of the message in progress", sent)
	}
	if sent[0].Take != assembly.Odd {
		t.Errorf("it is sent stripes %v, want the odd one", sent[0].Take)
	}
}

// The node may have a session, and so a Neighbor, that it did not have before (PROTOCOL.md F4, Q9).
func TestNeighborWhoseLinkBeginsAgainIsToldOfWhatItStillLacks(t *testing.T) {
	for _, again := range []string{"the same session", "another session", "it had the message", "another node"} {
		w := newWorld(t, 2)
		l, pieces := w.begun(id(1), 1000)
		pieces.Add(0, 1000)
		n, of := w.near[0], w.near[0].ID
		w.d.Announced(l, n)
		mentioned := 1
		switch again {
		case "another session":
			n = new(Neighbor)
		case "it had the message":
			l.has(n)
			mentioned = 0
		case "another node":
			n, of, mentioned = new(Neighbor), wire.NodeID{99}, 0
		}
		w.near[0].Failed = true
		w.d.LinkDown(w.now, w.near[0])
		w.d.LinkUp(n, of, testRTT, false)
		w.now = w.now.Add(time.Minute)
		if _, have := w.d.Heartbeat(nil, w.now, n); len(digestsIn(have)) != mentioned {
			t.Errorf("%s: a heartbeat mentions %+v", again, digestsIn(have))
		}
		if credit := n.credit > creditLess; credit != (mentioned > 0) {
			t.Errorf("%s: credit %d", again, n.credit)
		}
	}
}

func TestLinkThatBeginsAgainWithoutAnEndIsOneLink(t *testing.T) {
	w := newWorld(t, 2)
	w.copies(1, time.Millisecond, w.near...)
	w.d.LinkUp(w.near[0], wire.NodeID{1}, testRTT, false)
	if got := len(w.d.neighbors); got != 2 {
		t.Errorf("%d neighbors, want 2", got)
	}
	if got := w.parents(); !slices.Equal(got, []int{1}) {
		t.Errorf("parents %v, want the one whose link has not begun again", got)
	}
}

func TestEndOfALinkThatHasEndedChangesNothing(t *testing.T) {
	w := newWorld(t, 3)
	w.copies(1, time.Millisecond, w.near...)
	w.d.LinkDown(w.now, w.near[2])
	n := w.link() // in the slot of the former
	w.d.LinkDown(w.now, w.near[2])
	if got := w.d.slots[n.slot]; got != n {
		t.Error("the slot of another neighbor is free")
	}
	if got := len(w.d.neighbors); got != 3 {
		t.Errorf("%d neighbors, want 3", got)
	}
}

func TestInputsOfANodeWithoutALinkChangeNothing(t *testing.T) {
	w := newWorld(t, 2)
	w.copies(1, time.Millisecond, w.near...)
	w.take()
	stranger, m := &Neighbor{}, id(1)
	w.steered(stranger, testOrigin, true, true)
	w.states(stranger, m, byte(assembly.Both))
	w.d.Duplicate(w.now, stranger, &m, 0)
	if got := w.d.Takes(testOrigin, stranger); got != 0 {
		t.Errorf("stripes %v are taken from it", got)
	}
	if s := w.d.Spread(&m); !s.Full(w.now, w.near[0], Queue{}) {
		t.Error("the neighbor in slot 0 is lazy because of it")
	}
	if got := w.d.Gives(&m, w.near[0]); got != 0 {
		t.Errorf("the neighbor in slot 0 is sent stripes %v because of it", got)
	}
	w.run(time.Second)
	if got := w.kinds(stranger); got != nil {
		t.Errorf("it was sent %v", got)
	}
}

// fill lets messages of other origins arrive until there is no room for more.
func (w *world) fill() {
	for i, known := uint64(1), 0; w.d.Origins() > known; i++ {
		known = w.d.Origins()
		m := wire.BroadcastID(testOrigin+i<<16, 1)
		w.d.Seen.First(w.now, &m, nil)
		w.d.First(w.now, w.near[0], &m, 0)
	}
}

// full returns a world whose table of origins is full.
func full(t *testing.T, neighbors int) *world {
	w := newWorld(t, neighbors)
	w.fill()
	return w
}

// PROTOCOL.md 5 and Q15: without room for its paths, the messages of an origin are sent to all.
func TestMessagesOfAnOriginWithoutRoomGoToAll(t *testing.T) {
	w := full(t, 3)
	m := id(1)
	if got := w.d.Gives(&m, w.near[1]); got != assembly.Both {
		t.Errorf("stripes %v of large messages are sent, want both", got)
	}
	l, _ := w.begun(m, 4*chunk)
	sent, offers := w.passing(l, false)
	if want := []assembly.Stripes{3, 3, 3}; !slices.Equal(sent, want) {
		t.Errorf("sent %v, want %v", sent, want)
	}
	if len(offers) != 0 {
		t.Errorf("offers to %v", offers)
	}
	w.steered(w.near[1], testOrigin, true, false)
	if s := w.d.Spread(&m); !s.Full(w.now, w.near[1], Queue{}) {
		t.Error("a Prune has an effect without paths")
	}
}

// PROTOCOL.md Q16.
func TestOfferOfAnOriginWithoutRoomIsRequestedAtOnce(t *testing.T) {
	w := full(t, 2)
	w.take()
	w.offer(w.near[1], 1, 100)
	w.run(0)
	if got := w.stated(w.near[1]); len(got) != 0 {
		t.Errorf("the neighbor was told %v", got)
	}
	if got := w.requested(w.near[1]); !slices.Equal(got, []wire.MessageID{id(1)}) {
		t.Errorf("requested %v, want the message", got)
	}
	m := id(2)
	w.d.Seen.First(w.now, &m, nil)
	w.offer(w.near[1], 2, 100)
	w.run(0)
	if got := w.requested(w.near[1]); got != nil {
		t.Errorf("requested %v, which is here", got)
	}
}

// PROTOCOL.md 5: the names that a neighbor invents take no room of origins that are alive.
func TestOffersOfManyOriginsAreBounded(t *testing.T) {
	w := newWorld(t, 2)
	w.copies(1, time.Millisecond, w.near...)
	for i := range uint64(originsMax + 100) {
		w.digest(w.near[1], digest.Digest{Origin: testOrigin + (i+1)<<16, Top: 1, Lazy: true, Offer: true})
	}
	if got := w.d.Origins(); got > originsMax {
		t.Errorf("%d origins", got)
	}
	if len(w.parents()) == 0 {
		t.Error("the parents of an origin that is alive are forgotten")
	}
	if got := w.d.origins.bytes; got > originsBytes {
		t.Errorf("%d bytes", got)
	}
}

// PROTOCOL.md 5.
func TestOriginThatGivesWayIsTheOneThatWasSilentForTheLongestTime(t *testing.T) {
	w := newWorld(t, 2)
	w.met(w.near[0], 1) // the first of all but this node's own
	w.run(time.Second)
	w.fill()
	w.run(originAge - time.Second)
	w.met(w.near[0], 2)
	own := wire.BroadcastID(testSelf, 1)
	w.d.Own(w.now, &own)
	w.run(2 * time.Second)
	fresh := wire.BroadcastID(0x1234<<16|0x8000, 1)
	w.d.Seen.First(w.now, &fresh, nil)
	w.d.First(w.now, w.near[0], &fresh, 0)
	for origin, want := range map[uint64]bool{testOrigin: true, testOrigin + 1<<16: false, fresh.Origin(): true} {
		if got := w.d.origins.byID[origin] != nil; got != want {
			t.Errorf("origin %x is known: %v, want %v", origin, got, want)
		}
	}
}

// PROTOCOL.md 5: what waits for an origin that gave way is not sent.
func TestNothingIsSentOfAnOriginThatGaveWay(t *testing.T) {
	w := newWorld(t, 4)
	w.copies(1, time.Millisecond, w.near[:3]...)
	w.steered(w.near[3], testOrigin, true, true)
	w.run(originAge)
	w.take()
	w.digest(w.near[2], digest.Digest{Origin: testOrigin, Top: 1}) // which is pruned: a Prune waits
	o := w.d.origins.byID[testOrigin]
	w.d.schedule(w.now, o, w.near[3])
	if !w.near[2].Carries() || len(w.near[3].soon) != 1 {
		t.Fatal("nothing waits")
	}
	w.d.begin(w.now, o, 2)
	w.d.origins.remove(o)
	w.run(time.Second)
	w.beat()
	if got := w.take(); len(got) != 0 {
		t.Errorf("sent %v", got)
	}
	if w.d.Parents() != 0 {
		t.Errorf("%d parents", w.d.Parents())
	}
}
