package broadcast

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md Q16.
func TestSecondOfferOfASenderChangesNothing(t *testing.T) {
	w := newWorld(t, 2)
	w.offer(w.near[0], 1, 100)
	w.offer(w.near[0], 2, 50)
	w.run(0)
	w.wantTakes(assembly.Both, 0)
	if got := w.stated(w.near[0]); got[2] != byte(assembly.Both) {
		t.Errorf("it was told %v, want both stripes of message 2", got)
	}
}

// PROTOCOL.md Q16: a late offer of a message that is here.
func TestSecondSenderOfAMessageThatIsHereSharesTheNextOne(t *testing.T) {
	w := newWorld(t, 2)
	w.offer(w.near[0], 2, 100)
	l, pieces := w.begun(id(2), 4*chunk)
	w.piece(w.near[0], l, pieces, 0, 4*chunk)
	w.d.Complete(w.now, l)
	w.offer(w.near[1], 2, 100)
	w.run(0)
	w.wantTakes(assembly.Even, assembly.Odd)
	if got := w.stated(w.near[1]); len(got) != 1 || got[3] != byte(assembly.Odd) {
		t.Errorf("the second was told %v, want its stripe of message 3", got)
	}
}

// PROTOCOL.md Q16.
func TestLinkThatLosesMuchIsCoveredByASecondCopy(t *testing.T) {
	for _, c := range []struct {
		name          string
		missed        [2]uint64 // of 1,000 packets
		first, second assembly.Stripes
	}{
		{"none", [2]uint64{0, 0}, assembly.Odd, assembly.Even},
		{"both little", [2]uint64{19, 19}, assembly.Odd, assembly.Even},
		{"the first", [2]uint64{30, 0}, assembly.Both, assembly.Both},
		{"the second", [2]uint64{0, 30}, assembly.Both, assembly.Both},
		{"both", [2]uint64{30, 30}, assembly.Both, assembly.Both},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, 2)
			for i, n := range w.near {
				n.Arrived, n.Missed = 1000, c.missed[i]
				w.offer(n, 1, 100)
			}
			w.wantTakes(c.first, c.second)
		})
	}
}

// PROTOCOL.md Q16: a second copy covers a loss, and a third one costs more than it brings.
func TestMessageIsNotTakenFromMoreThanTwoNeighborsOnLossyLinks(t *testing.T) {
	w := newWorld(t, 4)
	for _, n := range w.near {
		n.Arrived, n.Missed = 1000, 50
		w.offer(n, 1, 100)
	}
	w.wantTakes(assembly.Both, assembly.Both, 0, 0)
}

// PROTOCOL.md Q16, Q17: the one that is left after the loss of a sender shares with the next that offers.
func TestOfferAfterTheLossOfASenderIsTaken(t *testing.T) {
	w, even, odd := shared(t)
	w.d.LinkDown(w.now, odd)
	w.offer(w.near[3], 3, 110)
	w.run(0)
	w.wantTakes(0, assembly.Odd, 0, assembly.Even)
	if got := w.stated(even); got[3] != byte(assembly.Odd) {
		t.Errorf("the other was told %v, want the stripe with the first chunk of message 3", got)
	}
}

// PROTOCOL.md Q15.
func TestOfferIsMadeOnlyIfItHelps(t *testing.T) {
	w := newWorld(t, 3)
	m := id(1)
	w.d.originOf(w.now, &m)
	l, _ := w.begun(m, 4*chunk)
	l.Shown(w.near[0])
	s := w.d.PassOn(l, false)
	for i, full := range []bool{false, true, false} {
		out, stripes := w.d.Offer(nil, w.now, &s, w.near[i], full)
		if got, want := len(out), i/2; got != want {
			t.Errorf("%d offers to neighbor %d, want %d", got, i, want)
		}
		if stripes != 0 {
			t.Errorf("neighbor %d is sent stripes %v", i, stripes)
		}
	}
}

// PROTOCOL.md Q16: at most the newest 16 messages.
func TestStatementChangesABoundedNumberOfMessages(t *testing.T) {
	w := newWorld(t, 1)
	var last *Large
	for c := range uint64(statedMax + 4) {
		m := id(c + 1)
		w.d.originOf(w.now, &m)
		last, _ = w.begun(m, 4*chunk)
	}
	w.states(w.near[0], id(1), byte(assembly.Both))
	sent := w.take()
	if len(sent) != statedMax {
		t.Fatalf("%d messages change, want %d", len(sent), statedMax)
	}
	if got := sent[0].Message; got != id(5) {
		t.Errorf("the first that changes is %v, want message 5", got)
	}
	last.Release()
	w.states(w.near[0], id(1), byte(assembly.Odd))
	if got := w.count(ChangeStripes); got != statedMax-1 {
		t.Errorf("%d messages change after one was released, want %d", got, statedMax-1)
	}
}

// PROTOCOL.md Q16.
func TestStatementsFitIntoADatagram(t *testing.T) {
	w := newWorld(t, 1)
	for c := range uint64(2*stripesMax + 1) {
		w.offer(w.near[0], c+1, 100)
	}
	w.run(0)
	var sizes []int
	for _, o := range w.take() {
		if o.Kind == SendStripes {
			sizes = append(sizes, o.Stripes.Len())
		}
	}
	if !slices.Equal(sizes, []int{stripesMax, stripesMax, 1}) {
		t.Errorf("Stripes of %v entries", sizes)
	}
}

// PROTOCOL.md Q15.
func TestNodeKnowsWhoTakesItsLargeMessages(t *testing.T) {
	w := newWorld(t, 2)
	own := wire.BroadcastID(testSelf, 1)
	w.d.Own(w.now, &own)
	w.states(w.near[0], own, byte(assembly.Odd))
	for i, want := range []bool{true, false} {
		if got := w.d.SendsLarge(w.near[i]); got != want {
			t.Errorf("neighbor %d takes its messages: %v, want %v", i, got, want)
		}
	}
}

// PROTOCOL.md Q6.
func TestStopsAreCheckedAndMayNameAnyMessage(t *testing.T) {
	w := newWorld(t, 1)
	if _, ok := w.d.HandleStop(w.near[0], []byte{0xc4, 3, 1, 2, 3}); ok {
		t.Error("a malformed Stop is taken")
	}
	if got := w.d.Stats.Malformed; got != 1 {
		t.Errorf("%d malformed, want 1", got)
	}
	stop, ok := w.d.HandleStop(w.near[0], body(t, wire.AppendStop(nil, id(7), id(7))))
	if !ok {
		t.Error("a Stop of an unknown message is not taken")
	}
	if stop != id(7) {
		t.Errorf("it names %v, want message 7", stop)
	}
	if got := len(w.d.large); got != 0 {
		t.Errorf("%d messages are known because of it", got)
	}
}

// PROTOCOL.md Q6.
func TestStopsAreSentAgainAfterTheirPeriod(t *testing.T) {
	w := newWorld(t, 1)
	n := w.near[0]
	for c := range uint64(2 * stopsMax) {
		w.duplicate(n, c, nil)
	}
	w.now = w.now.Add(stopAgain)
	w.duplicate(n, 100, nil)
	if got := w.count(SendStop); got != stopsMax {
		t.Errorf("%d Stops within the period, want %d", got, stopsMax)
	}
	w.now = w.now.Add(time.Nanosecond)
	w.duplicate(n, 101, nil)
	if got := w.count(SendStop); got != stopsMax+1 {
		t.Errorf("%d Stops after the period, want %d", got, stopsMax+1)
	}
}

// PROTOCOL.md Q6.
func TestStopOnALongLinkIsRepeatedAfterTwoRoundTrips(t *testing.T) {
	w := newWorld(t, 1)
	n := w.near[0]
	n.RTT = 100 * time.Millisecond
	w.duplicate(n, 1, nil)
	w.now = w.now.Add(2 * n.RTT)
	w.duplicate(n, 1, nil)
	if got := w.count(SendStop); got != 1 {
		t.Errorf("%d Stops within two round trips", got)
	}
	w.now = w.now.Add(time.Nanosecond)
	w.duplicate(n, 1, nil)
	if got := w.count(SendStop); got != 2 {
		t.Errorf("%d Stops after two round trips, want 2", got)
	}
}

// PROTOCOL.md Q5.
func TestSteeringOfUnknownOriginsHasNoEffect(t *testing.T) {
	for _, prune := range []bool{true, false} {
		w := newWorld(t, 1)
		w.steered(w.near[0], testOrigin, prune, true)
		if got := w.d.Origins(); got != 1 {
			t.Errorf("prune %v: %d origins, want this node's own", prune, got)
		}
		w.met(w.near[0], 1)
		m := id(2)
		if s := w.d.Spread(&m); !s.Full(w.now, w.near[0], Queue{}) {
			t.Errorf("prune %v: the neighbor is lazy", prune)
		}
		w.d.HandleSteer(w.near[0], []byte{1}, prune)
		if got := w.d.Stats.Malformed; got != 1 {
			t.Errorf("prune %v: %d malformed, want 1", prune, got)
		}
	}
}

// PROTOCOL.md Q18: without candidates of both kinds, zones do not matter.
func TestCandidatesOfOneZoneAreTakenInTheirOrder(t *testing.T) {
	for _, c := range []struct {
		name          string
		local, remote int
	}{{"this zone", 3, 0}, {"another zone", 0, 3}} {
		t.Run(c.name, func(t *testing.T) {
			w := newZones(t, c.local, c.remote)
			w.arrive(1, 2, 0, 1)
			if got := w.parents(); !slices.Equal(got, []int{0, 2}) {
				t.Errorf("parents %v, want the two that were first", got)
			}
		})
	}
}
