package direct

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestMessagesForOneAddressWaitForOneHandshake(t *testing.T) {
	w := newWorld(t)
	first, second, other := w.message(wire.UseReliable), w.message(wire.UseMessage), w.message(wire.UseReliable)
	other.To = yonder
	out := w.begin(first, 1, nil)
	want(t, out, Dial)
	if out[0].To != there || !out[0].Until.Equal(first.Until) {
		t.Errorf("to %v until %v", out[0].To, out[0].Until)
	}
	want(t, w.begin(second, 1, nil))
	elsewhere := w.begin(other, 1, nil)
	want(t, elsewhere, Dial)
	if elsewhere[0].Dial == out[0].Dial {
		t.Errorf("both handshakes are number %d", out[0].Dial)
	}
	sent := w.SessionReady(nil, w.now, w.peer, roundTrip, out[0].Dial)
	want(t, sent, Send, Send)
	if sent[0].Message != first || sent[1].Message != second {
		t.Error("sent in another order")
	}
	if w.Route(there) != w.peer {
		t.Errorf("the route goes to %v", w.Route(there))
	}
	if waiting, awaited := w.Len(); waiting != 1 || awaited != 2 {
		t.Errorf("%d wait for a session, %d for an acknowledgement", waiting, awaited)
	}
}

func TestSessionOfSeveralHandshakesSendsForAll(t *testing.T) {
	w := newWorld(t)
	other := w.message(wire.UseMessage)
	other.To = yonder
	a, b := w.begin(w.message(wire.UseMessage), 1, nil), w.begin(other, 1, nil)
	want(t, w.SessionReady(nil, w.now, w.peer, roundTrip, a[0].Dial, b[0].Dial), Send, Send)
	w.quiet()
}

func TestMessageForALegacyNodeFails(t *testing.T) {
	w := newWorld(t)
	old := &Peer{ID: wire.NodeID{6: 0x40, 8: 0x80, 15: 1}}
	w.begin(w.message(wire.UseMessage), smallMax+1, nil)
	w.begin(w.message(wire.UseReliable), 1, nil)
	out := w.SessionReady(nil, w.now, old, roundTrip, 1)
	want(t, out, Ended)
	if !errors.Is(out[0].Err, ErrLegacy) {
		t.Errorf("%v", out[0].Err)
	}
	if w.Stats.Unreachable != 1 {
		t.Errorf("%d unreachable", w.Stats.Unreachable)
	}
	if w.store.Len() != 0 {
		t.Errorf("%d are stored", w.store.Len())
	}
	w.quiet()
}

func TestFailedHandshakeIsTriedAgainForWhatHasTimeLeft(t *testing.T) {
	w := newWorld(t)
	hasty, patient := w.message(wire.UseReliable), w.message(wire.UseReliable)
	hasty.Until = start.Add(time.Second)
	w.begin(hasty, 1, nil)
	w.begin(patient, 1, nil)
	w.now = hasty.Until
	out := w.DialFailed(nil, w.now, 1, errTest)
	want(t, out, Ended, Dial)
	if out[0].Message != hasty || out[0].Err != errTest {
		t.Errorf("%v ended with %v", out[0].Message.To, out[0].Err)
	}
	if out[1].Dial != 2 || !out[1].Until.Equal(patient.Until) {
		t.Errorf("handshake %d until %v", out[1].Dial, out[1].Until)
	}
	want(t, w.DialFailed(nil, w.now, 1, errTest)) // the previous handshake
	want(t, w.SessionReady(nil, w.now, w.peer, roundTrip, 2), Send)
}

func TestMessageToOneselfFails(t *testing.T) {
	w := newWorld(t)
	w.begin(w.message(wire.UseReliable), 1, nil)
	out := w.ReachedSelf(nil, 1)
	want(t, out, Ended)
	if !errors.Is(out[0].Err, ErrOneself) {
		t.Errorf("%v", out[0].Err)
	}
	w.quiet()
}

func TestWaitingMessageEndsInTime(t *testing.T) {
	for _, use := range []wire.Use{wire.UseMessage, wire.UseReliable} {
		w := newWorld(t)
		m := w.message(use)
		w.begin(m, smallMax+1, nil)
		if at := w.NextTimeout(); !at.Equal(m.Until) {
			t.Errorf("timeout after %v", at.Sub(start))
		}
		if m := w.Due(m.Until.Add(-1)); m != nil {
			t.Errorf("%v is due too soon", m.ID)
		}
		out := w.timeout(Session{})
		if use.Acknowledged() {
			want(t, out, Ended)
			if !errors.Is(out[0].Err, ErrNoSession) {
				t.Errorf("%v", out[0].Err)
			}
		} else {
			want(t, out)
			if w.Stats.Unreachable != 1 {
				t.Errorf("%d unreachable", w.Stats.Unreachable)
			}
		}
		if w.store.Len() != 0 {
			t.Errorf("%d are stored", w.store.Len())
		}
		w.quiet()
	}
}

// Whatever happens, each reliable message ends exactly once, and nothing is left at the end.
func TestEachReliableMessageEndsOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	w := newWorld(t)
	var all []*Message
	ends := map[*Message]int{}
	take := func(out []Outcome) {
		for _, o := range out {
			if o.Kind == Ended {
				ends[o.Message]++
			}
		}
	}
	run := func() {
		for m := w.Due(w.now); m != nil; m = w.Due(w.now) {
			take(w.HandleTimeout(nil, w.now, m, Session{Current: rng.IntN(4) > 0, Heard: w.now, Unwritten: rng.IntN(4) == 0}))
		}
	}
	for range 5000 {
		w.now = w.now.Add(time.Duration(rng.IntN(100)) * time.Millisecond)
		run()
		switch rng.IntN(5) {
		case 0:
			m := w.message(wire.UseReliable)
			m.Until = w.now.Add(time.Duration(1+rng.IntN(2000)) * time.Millisecond)
			p := w.peer
			if rng.IntN(2) == 0 {
				p = nil
			}
			out, err := w.Begin(nil, w.now, m, make([]byte, 1+rng.IntN(2*smallMax)), p, roundTrip)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, m)
			take(out)
		case 1:
			take(w.SessionReady(nil, w.now, w.peer, roundTrip, w.lastDial))
		case 2:
			take(w.DialFailed(nil, w.now, w.lastDial, errTest))
		case 3:
			if len(all) > 0 {
				m := all[rng.IntN(len(all))]
				upto := uint32(rng.IntN(m.Size() + 1))
				if rng.IntN(2) == 0 {
					upto = uint32(m.Size())
				}
				take(w.ack(m, upto, upto+1))
			}
		case 4:
			if len(all) > 0 {
				take(w.Stop(nil, w.Awaited(all[rng.IntN(len(all))].ID)))
			}
		}
	}
	w.now = w.now.Add(time.Minute)
	run()
	for i, m := range all {
		if ends[m] != 1 {
			t.Errorf("message %d ended %d times", i, ends[m])
		}
	}
	if len(all) < 500 {
		t.Errorf("only %d messages", len(all))
	}
	if w.store.Len() != 0 {
		t.Errorf("%d are stored", w.store.Len())
	}
	w.quiet()
}
