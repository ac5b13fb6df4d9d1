package broadcast

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/wire"
)

const chunk = 64 << 10

// offer lets an offer of a message arrive from n, whose delay for the origin is given.
func (w *world) offer(n *Neighbor, counter uint64, delay wire.Delay) {
	w.t.Helper()
	w.digest(n, digest.Digest{Origin: testOrigin, Top: counter, Delay: delay, Lazy: true, Offer: true})
}

// states makes n say which stripes it takes.
func (w *world) states(n *Neighbor, m wire.MessageID, stripes byte) {
	w.t.Helper()
	var s wire.Stripes
	s.Add(&m, stripes)
	w.do(w.d.HandleStripes(nil, w.now, n, body(w.t, wire.AppendList(nil, wire.KindStripes, wire.MessageID{}, s.Bytes()))))
}

// stated takes the outcomes and returns what n was told last about the stripes of each message.
func (w *world) stated(n *Neighbor) map[uint64]byte {
	last := map[uint64]byte{}
	for _, o := range w.sent {
		if o.Kind == SendStripes && o.To == n {
			for i := range o.Stripes.Len() {
				id, stripes := o.Stripes.At(i)
				last[id.Counter()] = stripes
			}
		}
	}
	return last
}

// takes returns the stripes that are taken from each neighbor.
func (w *world) takes() (list []assembly.Stripes) {
	for _, n := range w.near {
		list = append(list, w.d.Takes(testOrigin, n))
	}
	return list
}

func (w *world) wantTakes(want ...assembly.Stripes) {
	w.t.Helper()
	if got := w.takes(); !slices.Equal(got, want) {
		w.t.Errorf("stripes %v are taken, want %v", got, want)
	}
}

// piece lets bytes of a message arrive from n.
func (w *world) piece(n *Neighbor, l *Large, pieces *rangeset.Set, from, to uint32) {
	w.d.Piece(w.now, n, l)
	for ; from < to; from += chunk {
		if pieces.Add(from, min(to, from+chunk)) {
			w.d.NewPiece(w.now, n, l, from)
		}
	}
}

// shared returns a world in which neighbors 1 and 2 send one stripe each, beginning with message 2.
func shared(t *testing.T) (w *world, even, odd *Neighbor) {
	w = newWorld(t, 4)
	w.offer(w.near[1], 2, 100)
	w.offer(w.near[2], 2, 120)
	w.offer(w.near[3], 2, 110)
	w.run(0)
	w.wantTakes(0, assembly.Even, assembly.Odd, 0)
	return w, w.near[1], w.near[2]
}

// PROTOCOL.md Q16.
func TestFirstTwoOffersOfAMessageShareIt(t *testing.T) {
	w, even, odd := shared(t)
	for n, want := range map[*Neighbor]byte{even: 1, odd: 2, w.near[3]: 0} {
		if got := w.stated(n); len(got) != 1 || got[2] != want {
			t.Errorf("neighbor %v was told %v, want %d of message 2", n.ID, got, want)
		}
	}
	if got := w.stated(w.near[0]); len(got) != 0 {
		t.Errorf("a neighbor that made no offer was told %v", got)
	}
	if got := w.count(SendRequest); got != 0 {
		t.Errorf("%d requests", got)
	}
}

// PROTOCOL.md Q16.
func TestOfferOfANodeThatIsNotNearerToTheOriginIsNotTaken(t *testing.T) {
	w := newWorld(t, 2)
	w.offer(w.near[0], 1, 100)
	w.offer(w.near[1], 1, 100+wire.DelayOf(testRTT/2)) // as far as this node: it may take the message from here
	w.run(0)
	w.wantTakes(assembly.Both, 0)
}

func TestStripesOfAMessageThatIsHalfHereAreSharedFromTheNextOneOn(t *testing.T) {
	w := newWorld(t, 2)
	w.offer(w.near[0], 2, 100)
	l, pieces := w.begun(id(2), 8*chunk)
	w.piece(w.near[0], l, pieces, 0, 4*chunk)
	w.offer(w.near[1], 2, 100)
	w.run(0)
	w.wantTakes(assembly.Even, assembly.Odd)
	if got := w.stated(w.near[1]); len(got) != 1 || got[3] != byte(assembly.Odd) {
		t.Errorf("the second was told %v, want its stripe from message 3 on", got)
	}
	if got := w.stated(w.near[0]); got[2] != byte(assembly.Both) || got[3] != byte(assembly.Even) {
		t.Errorf("the first was told %v", got)
	}
}

func TestMessageThatIsHereIsNotTakenFromAnOffer(t *testing.T) {
	w := newWorld(t, 1)
	m := id(1)
	w.d.Seen.First(w.now, &m, nil)
	w.offer(w.near[0], 1, 100)
	w.run(0)
	if got := w.stated(w.near[0]); len(got) != 1 || got[2] != byte(assembly.Both) {
		t.Errorf("it was told %v, want both stripes from message 2 on", got)
	}
	own := wire.BroadcastID(testSelf, 1)
	w.digest(w.near[0], digest.Digest{Origin: own.Origin(), Top: 1, Lazy: true, Offer: true})
	if got := w.d.Takes(testSelf, w.near[0]); got != 0 {
		t.Errorf("stripes %v of its own messages are taken", got)
	}
}

func TestMessageThatWasOfferedAndDoesNotComeIsRequestedFromAnother(t *testing.T) {
	w := newWorld(t, 2)
	w.offer(w.near[0], 1, 100)
	w.offer(w.near[1], 1, 200) // no nearer to the origin
	w.run(2*testRTT + graceMin)
	if got := w.requested(w.near[0]); len(got) != 1 {
		t.Fatalf("%d requests", len(got))
	}
	w.run(2*testRTT + graceMin)
	if got := w.requested(w.near[1]); len(got) != 1 {
		t.Fatalf("%d requests to the other neighbor", len(got))
	}
	l, pieces := w.begun(id(1), 4*chunk)
	w.piece(w.near[1], l, pieces, 0, 4*chunk)
	w.wantTakes(0, assembly.Both)
}

// PROTOCOL.md Q16.
func TestStripeIsTakenFromANeighborThatIsNearTheOriginAndNotMuchFurther(t *testing.T) {
	for _, c := range []struct {
		rtt   time.Duration
		delay wire.Delay
		takes assembly.Stripes
	}{
		{testRTT, 49, assembly.Odd},
		{testRTT, 50, 0}, // as far as the node
		{testRTT * 6 / 5, 40, assembly.Odd},
		{testRTT * 6 / 5, 41, 0}, // 101 in all
	} {
		w := newWorld(t, 2)
		w.offer(w.near[0], 2, 0) // the node's own delay is 50
		w.near[1].RTT = c.rtt
		w.offer(w.near[1], 2, c.delay)
		if got := w.takes()[1]; got != c.takes {
			t.Errorf("round trip %v, delay %d: stripes %d are taken, want %d", c.rtt, c.delay, got, c.takes)
		}
	}
}

// PROTOCOL.md Q17.
func TestStripeThatStallsIsRequestedFromTheSenderOfTheOther(t *testing.T) {
	w, even, odd := shared(t)
	nearer := w.near[0]
	nearer.RTT = testRTT / 2
	l, pieces := w.begun(id(2), 8*chunk)
	w.piece(even, l, pieces, 0, chunk)
	w.piece(odd, l, pieces, chunk, 2*chunk)
	w.digest(nearer, digest.Digest{Origin: testOrigin, Top: 2})
	w.take()
	for at := uint32(2); at < 8; at += 2 {
		w.run(testRTT)
		w.piece(even, l, pieces, at*chunk, (at+1)*chunk)
	}
	w.run(testRTT + reportPause)
	var got []rangeset.Range
	for _, o := range w.take() {
		if o.Kind == SendRequest && o.To == nearer {
			t.Errorf("the stripe was requested from a neighbor that had sent nothing: %+v", o.Want)
		}
		if o.Kind == SendRequest && o.To == even {
			for i := range o.Want.Len() {
				_, from, to := o.Want.At(i)
				got = append(got, rangeset.Range{From: from, To: to})
			}
		}
	}
	if want := []rangeset.Range{{From: 3 * chunk, To: 4 * chunk}, {From: 5 * chunk, To: 6 * chunk}, {From: 7 * chunk, To: 8 * chunk}}; !slices.Equal(got, want) {
		t.Fatalf("%v was requested, want %v", got, want)
	}
	w.piece(even, l, pieces, 3*chunk, 4*chunk)
	w.wantTakes(0, assembly.Both, 0, 0)
	w.run(0)
	if got := w.stated(odd); got[3] != offerAgain {
		t.Errorf("the other was told %v, want to offer again", got)
	}
}

func TestLostEndOfAStripeDoesNotCostItsSenderTheStripe(t *testing.T) {
	w, even, odd := shared(t)
	l, pieces := w.begun(id(2), 8*chunk)
	for at := uint32(0); at < 7; at += 2 {
		w.piece(even, l, pieces, at*chunk, (at+1)*chunk)
		w.piece(odd, l, pieces, (at+1)*chunk, (at+2)*chunk)
	}
	pieces.Remove(8*chunk-10, 8*chunk)
	w.run(2*testRTT + reportPause)
	if got := w.requested(even); len(got) == 0 {
		t.Fatal("nothing was requested")
	}
	w.piece(even, l, pieces, 8*chunk-10, 8*chunk)
	w.wantTakes(0, assembly.Even, assembly.Odd, 0)
}

// PROTOCOL.md Q17.
func TestWhenALinkEndsTheOtherSenderTakesOver(t *testing.T) {
	w, even, odd := shared(t)
	w.take()
	w.d.LinkDown(w.now, odd)
	w.run(0)
	w.wantTakes(0, assembly.Both, 0, 0)
	for _, n := range []*Neighbor{w.near[0], w.near[3]} {
		if got := w.stated(n); got[2] != offerAgain {
			t.Errorf("neighbor %v was told %v, want to offer again", n.ID, got)
		}
	}
	w.d.LinkDown(w.now, even)
	w.offer(w.near[3], 3, 500)
	w.wantTakes(0, 0, 0, assembly.Both)
}

// passing returns what each neighbor is sent at once, and the neighbors that are sent an offer.
func (w *world) passing(l *Large, own bool) (sent []assembly.Stripes, offers []int) {
	s := w.d.PassOn(l, own)
	for i, n := range w.near {
		out, stripes := w.d.Offer(nil, w.now, &s, n, false)
		sent = append(sent, stripes)
		if len(out) > 0 {
			offers = append(offers, i)
		}
	}
	return sent, offers
}

// PROTOCOL.md Q15.
func TestOwnMessageIsSentToThreeNeighborsAtFirst(t *testing.T) {
	w := newWorld(t, 5)
	own := wire.BroadcastID(testSelf, 1)
	w.d.Own(w.now, &own)
	l, _ := w.begun(own, 4*chunk)
	sent, offers := w.passing(l, true)
	if want := []assembly.Stripes{3, 3, 3, 0, 0}; !slices.Equal(sent, want) {
		t.Errorf("sent %v, want %v", sent, want)
	}
	if len(offers) != 5 {
		t.Errorf("offers to %v, want all", offers)
	}
}

// PROTOCOL.md Q15.
func TestMessageIsSentAsTheNeighborsHaveSaid(t *testing.T) {
	for _, own := range []bool{false, true} {
		w := newWorld(t, 5)
		m := id(7)
		if own {
			m = wire.BroadcastID(testSelf, 7)
		}
		w.d.originOf(w.now, &m)
		for i, stripes := range []byte{1, 0, 3, 2} {
			w.states(w.near[i], m, stripes)
		}
		w.states(w.near[4], m, offerAgain)
		l, _ := w.begun(m, 4*chunk)
		sent, offers := w.passing(l, own)
		if want := []assembly.Stripes{1, 0, 3, 2, 0}; !slices.Equal(sent, want) {
			t.Errorf("own %v: sent %v, want %v", own, sent, want)
		}
		if !slices.Equal(offers, []int{4}) {
			t.Errorf("own %v: offers to %v, want the one that asked for them", own, offers)
		}
	}
}

func TestStripeOfAnOwnMessageThatNobodyTakesIsSentToOne(t *testing.T) {
	w := newWorld(t, 3)
	own := wire.BroadcastID(testSelf, 7)
	w.d.Own(w.now, &own)
	for i, stripes := range []byte{1, 0, 1} {
		w.states(w.near[i], own, stripes)
	}
	l, _ := w.begun(own, 4*chunk)
	if sent, _ := w.passing(l, true); !slices.Equal(sent, []assembly.Stripes{1, 2, 1}) {
		t.Errorf("sent %v", sent)
	}
}

// PROTOCOL.md Q16.
func TestStatementChangesMessagesInProgress(t *testing.T) {
	w := newWorld(t, 2)
	w.d.originOf(w.now, &wire.MessageID{})
	for c := uint64(1); c <= 3; c++ {
		m := id(c)
		w.d.originOf(w.now, &m)
		w.begun(m, 4*chunk)
	}
	w.states(w.near[0], id(2), byte(assembly.Odd))
	var got []uint64
	for _, o := range w.take() {
		if o.Kind == ChangeStripes && o.Take == assembly.Odd {
			got = append(got, o.Message.Counter())
		}
	}
	if !slices.Equal(got, []uint64{2, 3}) {
		t.Errorf("messages %v change, want 2 and 3", got)
	}
	w.states(w.near[0], id(3), offerAgain)
	if got := w.digestsTo(w.near[0]); len(got) != 1 || !got[0].Offer || got[0].Top != 3 {
		t.Errorf("offered %v, want message 3", got)
	}
}

func TestStatementsDrawNoMoreThanTheCreditOfANeighbor(t *testing.T) {
	w := newWorld(t, 1)
	m := id(1)
	w.d.originOf(w.now, &m)
	w.begun(m, 4*chunk)
	for range 1000 {
		w.states(w.near[0], m, 3)
	}
	if got := w.count(ChangeStripes); got != creditLess {
		t.Errorf("%d transfers, want %d", got, creditLess)
	}
	w.take()
	w.do(w.d.HandleStripes(nil, w.now, w.near[0], []byte{0xc4, 1, 1}))
	if w.d.Stats.Malformed != 1 {
		t.Error("a malformed body is not counted")
	}
	unknown := wire.BroadcastID(testOrigin+1<<16, 1)
	w.states(w.near[0], unknown, 3)
	if w.d.Origins() != 2 {
		t.Errorf("%d origins, want none for what a neighbor names", w.d.Origins())
	}
}

// Two messages of an origin at the same time have their stripes from the same neighbors, each in its own time.
func TestTwoMessagesAtOnceStallSeparately(t *testing.T) {
	w, even, odd := shared(t)
	one, onePieces := w.begun(id(2), 4*chunk)
	two, twoPieces := w.begun(id(4), 4*chunk)
	for i := range uint32(4) {
		from := even
		if i%2 == 1 {
			from = odd
		}
		w.piece(from, one, onePieces, i*chunk, (i+1)*chunk)
		if from == even {
			w.piece(from, two, twoPieces, i*chunk, (i+1)*chunk)
		}
	}
	w.d.Complete(w.now, one)
	w.run(2*testRTT + reportPause + time.Millisecond)
	if got := w.requested(even); !slices.Contains(got, id(4)) || slices.Contains(got, id(2)) {
		t.Errorf("%v was requested", got)
	}
}
