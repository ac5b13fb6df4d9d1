package direct

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md U4.
func TestMessageIsRepeatedMoreAndMoreSeldomUntilItsTimeIsUp(t *testing.T) {
	for _, size := range []int{1, smallMax + 1} {
		w := newWorld(t)
		m := w.message(wire.UseReliable)
		w.begin(m, size, w.peer)
		var at []time.Duration
		out := w.timeout(w.heard())
		for out[0].Kind == Repeat {
			if out[0].Peer != w.peer || !out[0].Missing.Empty() {
				t.Errorf("repeated to %v, missing %v", out[0].Peer, out[0].Missing)
			}
			at = append(at, w.now.Sub(start))
			out = w.timeout(w.heard())
		}
		const ms = time.Millisecond
		if want := []time.Duration{200 * ms, 600 * ms, 1400 * ms, 3000 * ms, 5000 * ms, 7000 * ms, 9000 * ms}; !slices.Equal(at, want) {
			t.Errorf("repeated after %v, want %v", at, want)
		}
		if end := out[len(out)-1]; end.Kind != Ended || !errors.Is(end.Err, ErrUnanswered) {
			t.Errorf("%v, %v", end.Kind, end.Err)
		}
		if !w.now.Equal(m.Until) {
			t.Errorf("ended after %v", w.now.Sub(start))
		}
		w.quiet()
	}
}

// PROTOCOL.md U4.
func TestFirstRepeatWaitsForFourRoundTrips(t *testing.T) {
	w := newWorld(t)
	if _, err := w.Begin(nil, w.now, w.message(wire.UseReliable), nil, w.peer, 300*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if got := w.NextTimeout().Sub(start); got != 1200*time.Millisecond {
		t.Errorf("after %v", got)
	}
}

func TestProgressShortensThePause(t *testing.T) {
	w := newWorld(t)
	m := w.message(wire.UseReliable)
	w.begin(m, 10*smallMax, w.peer)
	for range 3 {
		w.timeout(w.heard())
	}
	if got := w.NextTimeout().Sub(w.now); got != 1600*time.Millisecond {
		t.Fatalf("repeated after %v", got)
	}
	want(t, w.ack(m, 1000, 2000), Repeat)
	if got := w.NextTimeout().Sub(w.now); got != repeatMin {
		t.Errorf("repeated after %v when there was progress", got)
	}
	w.timeout(w.heard())
	pause := w.NextTimeout()
	want(t, w.ack(m, 1000, 2000), Repeat) // the same acknowledgement again
	if !w.NextTimeout().Equal(pause) {
		t.Errorf("without progress the time moved by %v", w.NextTimeout().Sub(pause))
	}
}

func TestMessageWaitsForANewSessionWhenTheOldOneIsStale(t *testing.T) {
	for _, x := range []struct {
		name    string
		current bool
		silent  time.Duration
		want    Kind
	}{
		{"usable", true, 0, Repeat},
		{"silent for a while", true, redialIdle, Repeat},
		{"silent for long", true, redialIdle + 1, Dial},
		{"without a session", false, 0, Dial},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t)
			m := w.message(wire.UseReliable)
			w.SetRoute(m.To, w.peer)
			w.begin(m, smallMax+1, w.peer)
			out := w.timeout(Session{Current: x.current, Heard: w.NextTimeout().Add(-x.silent)})
			want(t, out, x.want)
			if x.want == Repeat {
				return
			}
			if m.Peer() != nil || w.Route(m.To) != nil {
				t.Errorf("still to %v, by %v", m.Peer(), w.Route(m.To))
			}
			if at := w.NextTimeout(); !at.Equal(m.Until) {
				t.Errorf("timeout after %v", at.Sub(start))
			}
			next := goPeer(2)
			sent := w.SessionReady(nil, w.now, next, roundTrip, out[0].Dial)
			want(t, sent, Send)
			if sent[0].Peer != next || m.Peer() != next {
				t.Errorf("sent to %v", sent[0].Peer)
			}
			want(t, w.ack(m, smallMax+1, smallMax+1), EndTransfer, Ended)
			w.quiet()
		})
	}
}

func TestNothingIsRepeatedWhileASlowTransportHoldsIt(t *testing.T) {
	w := newWorld(t)
	w.begin(w.message(wire.UseReliable), 1, w.peer)
	for range 3 {
		before := w.NextTimeout()
		s := w.heard()
		s.Unwritten = true
		want(t, w.timeout(s))
		if got := w.NextTimeout().Sub(before); got != repeatMin {
			t.Errorf("next after %v", got)
		}
	}
	want(t, w.timeout(w.heard()), Repeat)
	if w.Stats.Resent != 1 {
		t.Errorf("%d resent", w.Stats.Resent)
	}
}

func TestMessagesAreDueInTheOrderOfTheirTimes(t *testing.T) {
	w := newWorld(t)
	a, b := w.message(wire.UseReliable), w.message(wire.UseReliable)
	a.Until, b.Until = start.Add(2*time.Second), start.Add(time.Second)
	w.begin(a, 1, nil)
	w.begin(b, 1, nil)
	now := start.Add(time.Minute)
	var due []*Message
	for m := w.Due(now); m != nil; m = w.Due(now) {
		due = append(due, m)
		want(t, w.HandleTimeout(nil, now, m, Session{}), Ended)
	}
	if !slices.Equal(due, []*Message{b, a}) {
		t.Errorf("%d were due, or in another order", len(due))
	}
}
