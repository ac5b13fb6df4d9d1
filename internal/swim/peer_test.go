package swim

import (
	"testing"
	"time"
)

// PROTOCOL.md G7.
func TestSilenceCountsFurtherHeartbeatsAsProbesIfTheyAreRarer(t *testing.T) {
	for _, c := range []struct {
		interval, probe time.Duration
		intervals       float64
		want            time.Duration
	}{
		{time.Second, time.Second, SilenceCheck, 2200 * time.Millisecond},
		{time.Second, 5 * time.Second, SilenceCheck, 2200 * time.Millisecond},
		{5 * time.Second, 5 * time.Second, SilenceLost, 25 * time.Second},
		{2 * time.Second, time.Second, SilenceAsk, 3100 * time.Millisecond},
		{2 * time.Second, time.Second, SilenceCheck, 3200 * time.Millisecond},
		{15 * time.Second, 5 * time.Second, SilenceCheck, 21250 * time.Millisecond},
		{15 * time.Second, 5 * time.Second, SilenceLost, 35250 * time.Millisecond},
		{30 * time.Second, 20 * time.Second, SilenceCheck, 53500 * time.Millisecond},
		{15 * time.Second, 10 * time.Millisecond, SilenceCheck, 21250 * time.Millisecond}, // at least a third of the interval
	} {
		if got := SilenceOf(c.interval, c.probe, c.intervals); got != c.want {
			t.Errorf("%v intervals of %v, probes every %v: %v, want %v", c.intervals, c.interval, c.probe, got, c.want)
		}
	}
}

func TestDeclaredHeartbeatIntervalIsBounded(t *testing.T) {
	for _, c := range []struct{ declared, want time.Duration }{
		{0, intervalMin}, {-time.Hour, intervalMin}, {time.Second, time.Second}, {time.Hour, intervalMax},
	} {
		p := Peer{ID: goID(1)}
		p.SetInterval(c.declared, time.Second)
		if want := SilenceOf(c.want, time.Second, SilenceCheck); p.Check() != want {
			t.Errorf("%v: probed after %v, want %v", c.declared, p.Check(), want)
		}
	}
}

func TestHeartbeatsOfLegacyNodesAreNeverRare(t *testing.T) {
	goNode, legacy := Peer{ID: goID(1)}, Peer{ID: legacyID(1)}
	for _, p := range []*Peer{&goNode, &legacy} {
		p.SetInterval(5*time.Second, time.Second)
	}
	if goNode.Check() != SilenceOf(5*time.Second, time.Second, SilenceCheck) {
		t.Errorf("Go node: %v", goNode.Check())
	}
	if legacy.Check() != 11*time.Second {
		t.Errorf("gwyh 0.1 node: %v", legacy.Check())
	}
}

func TestPeerIsSilentAfterItsCheck(t *testing.T) {
	p := Peer{ID: goID(1), Heard: start}
	p.SetInterval(time.Second, time.Second)
	if p.Silent(start.Add(p.Check())) {
		t.Error("silent at the time of the check")
	}
	if !p.Silent(start.Add(p.Check() + 1)) {
		t.Error("not silent after it")
	}
}

func TestPeerIsGuardedUntilATime(t *testing.T) {
	var p Peer
	if p.Guarded(start) {
		t.Error("guarded from the start")
	}
	p.Guard(start.Add(time.Second))
	if !p.Guarded(start) || p.Guarded(start.Add(time.Second)) {
		t.Error("not guarded until the time")
	}
}

// A deaf peer still sends.
func TestLinkWorksUntilThePeerSaysThatItHearsNothing(t *testing.T) {
	p := Peer{ID: goID(1), Heard: start, heardUs: start}
	p.SetInterval(time.Second, time.Second)
	now := start.Add(10 * time.Second)
	p.Heard = now
	if p.mutual() != now {
		t.Errorf("until %v, want now", p.mutual())
	}
	p.deafSince = now
	if p.mutual() != start {
		t.Errorf("until %v, want when it heard this node", p.mutual())
	}
	if p.works(now) {
		t.Error("a link that is dead in one direction works")
	}
	p.Introduced(now)
	if p.mutual() != now {
		t.Errorf("until %v, want now, after a handshake", p.mutual())
	}
}

// PROTOCOL.md V6.
func TestHealthStretchesTimeoutsWithinItsBounds(t *testing.T) {
	h := health{max: 7}
	for _, step := range []struct{ delta, want int }{{-1, 0}, {1, 1}, {3, 4}, {10, 7}, {-2, 5}, {-9, 0}} {
		if h.note(step.delta); h.score != step.want {
			t.Errorf("after %+d: %d, want %d", step.delta, h.score, step.want)
		}
		if got := h.stretch(time.Second); got != time.Duration(step.want+1)*time.Second {
			t.Errorf("score %d: a second becomes %v", step.want, got)
		}
	}
}
