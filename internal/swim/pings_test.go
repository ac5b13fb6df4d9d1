package swim

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// ping sends a Ping to a peer and returns its number.
func (w *world) ping(p *Peer, purpose Purpose) uint64 {
	w.t.Helper()
	b := p.AppendPing([]byte("before"), w.now, wire.MessageID{1}, purpose)
	var m wire.Message
	if string(b[:6]) != "before" {
		w.t.Fatal("what was there is gone")
	}
	if _, err := wire.ParseMessage(&m, b[6:]); err != nil || m.Kind != wire.KindPing {
		w.t.Fatalf("%v, %v", m.Kind, err)
	}
	ping, err := wire.ParsePing(m.Data)
	if err != nil {
		w.t.Fatal(err)
	}
	return ping.Seq
}

func TestAckGivesRoundTripAndPurpose(t *testing.T) {
	w := newLinked(t, 2)
	p := w.peer(1)
	w.ping(p, Purpose{})
	seq := w.ping(p, Purpose{Token: 7, Leave: true})
	if p.PingedAt() != w.now {
		t.Errorf("pinged at %v", p.PingedAt())
	}
	w.now = w.now.Add(30 * time.Millisecond)
	a, ok, out := w.HearAck(nil, w.now, p, seq)
	w.do(out)
	if want := (Answer{RTT: 30 * time.Millisecond, Purpose: Purpose{Token: 7, Leave: true}}); !ok || a != want {
		t.Errorf("%+v, %v, want %+v", a, ok, want)
	}
	if !p.PingedAt().IsZero() {
		t.Error("it still waits for an answer")
	}
	if p.heardUs != w.now.Add(-30*time.Millisecond) {
		t.Errorf("it heard this node at %v", p.heardUs)
	}
}

func TestAckCountsOnce(t *testing.T) {
	w := newLinked(t, 2)
	p := w.peer(1)
	first, second := w.ping(p, Purpose{}), w.ping(p, Purpose{})
	for _, step := range []struct {
		seq  uint64
		want bool
	}{{second + 1, false}, {second, true}, {second, false}, {first, false}} { // earlier ones are not awaited any more
		_, ok, out := w.HearAck(nil, w.now, p, step.seq)
		if w.do(out); ok != step.want {
			t.Errorf("Ack of %d: %v, want %v", step.seq, ok, step.want)
		}
	}
}

func TestOfManyUnansweredPingsTheOldestAreForgotten(t *testing.T) {
	w := newLinked(t, 2)
	p := w.peer(1)
	first := w.ping(p, Purpose{})
	for range pingsMax {
		w.ping(p, Purpose{})
	}
	if len(p.pings) != pingsMax {
		t.Errorf("%d are remembered", len(p.pings))
	}
	if _, ok, _ := w.HearAck(nil, w.now, p, first); ok {
		t.Error("the first is remembered")
	}
	if _, ok, _ := w.HearAck(nil, w.now, p, first+1); !ok {
		t.Error("the second is forgotten")
	}
}

func TestRoundTripIsNeverZero(t *testing.T) {
	w := newLinked(t, 2)
	a, _, _ := w.HearAck(nil, w.now, w.peer(1), w.ping(w.peer(1), Purpose{}))
	if a.RTT != 1 {
		t.Errorf("%v", a.RTT)
	}
}

func TestAckImprovesLocalHealth(t *testing.T) {
	w := newLinked(t, 2)
	w.health.note(2)
	_, _, out := w.HearAck(nil, w.now, w.peer(1), w.ping(w.peer(1), Purpose{}))
	if w.do(out); w.Health() != 1 {
		t.Errorf("health %d", w.Health())
	}
}

// PROTOCOL.md V8.
func TestEachLinkHasItsTurnOnceInARound(t *testing.T) {
	w := newLinked(t, 5)
	turns := map[int]int{}
	most := 0
	for range 50 { // ten rounds of five heartbeats
		w.now = w.now.Add(time.Second)
		at := 0
		for i := 1; i <= 5; i++ {
			if w.TakeTurn(w.now, w.peer(i)) {
				turns[i]++
				at++
			}
		}
		most = max(most, at)
	}
	for i := 1; i <= 5; i++ {
		if turns[i] < 9 || turns[i] > 11 {
			t.Errorf("link %d had %d turns in ten rounds", i, turns[i])
		}
	}
	if most > 4 {
		t.Errorf("%d links had their turn at once", most)
	}
}

func TestRoundIsThatOfTheHeartbeatIfItIsLonger(t *testing.T) {
	w := newLinked(t, 4, func(c *Config) { c.Heartbeat = 10 * time.Second })
	if got := w.turn(); got != 40*time.Second {
		t.Errorf("%v", got)
	}
}
