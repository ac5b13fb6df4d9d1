package handshake

import (
	"net/netip"
	"testing"
	"time"
)

func TestNothingIsRepeatedBeforeItIsWritten(t *testing.T) {
	w := newWorld(t, 1)
	written := false
	a := newNode(w, 1, func(c *Config) {
		c.AllowLegacy = false
		c.Unsent = func(netip.AddrPort) bool { return !written }
	})
	nobody := address(2)
	a.join(nobody, 10*time.Second)
	w.run(400 * time.Millisecond)
	if n := a.seq[nobody]; n != 1 {
		t.Errorf("%d Hellos were sent before the first was written", n)
	}
	written = true
	w.run(600 * time.Millisecond) // the write took 0.4 s, and a pause of twice that follows
	if n := a.seq[nobody]; n != 1 {
		t.Errorf("%d Hellos were sent while an answer could not have come", n)
	}
	w.run(2 * time.Second)
	if n := a.seq[nobody]; n < 2 {
		t.Error("the Hello was never repeated")
	}
}

func TestAttemptOverASlowTransportEndsWhenItIsExtendedTo(t *testing.T) {
	w := newWorld(t, 1)
	slow := true
	a := newNode(w, 1, func(c *Config) { c.Unsent = func(netip.AddrPort) bool { return slow } })
	a.slowUntil = w.now.Add(2 * time.Second)
	id := a.join(address(2), time.Second)
	w.run(1900 * time.Millisecond)
	if err := a.failed[id]; err != nil {
		t.Errorf("ended early: %v", err)
	}
	w.run(200 * time.Millisecond)
	if err := a.failed[id]; err == nil {
		t.Error("did not end")
	}
}
