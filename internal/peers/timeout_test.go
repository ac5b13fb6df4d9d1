package peers

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestSessionsThatAreNotUsedEndAndTheirPeerWithThem(t *testing.T) {
	w := newWorld(t)
	w.dial()
	w.run(5 * time.Minute)
	for _, n := range []*node{w.a, w.b} {
		if got := n.Sessions(); got != 0 {
			t.Errorf("%d sessions are left", got)
		}
		if got := len(n.Sorted()); got != 0 {
			t.Errorf("%d peers are left", got)
		}
		if got := n.timers.Len(); got != 0 {
			t.Errorf("%d timers are left", got)
		}
	}
}

func TestPacketOfASessionThatHasEndedIsUnknown(t *testing.T) {
	w := newWorld(t)
	ofA, ofB := w.dial()
	ofB.Packets.SetLinked(w.now, true)
	for range 20 { // a receives nothing, and b continues
		w.a.lost = true
		w.b.SendControl(w.now, ofB, []byte("x"))
		w.run(10 * time.Second)
	}
	if ofA.Sessions.Len() != 0 {
		t.Fatalf("%d sessions of a are left", ofA.Sessions.Len())
	}
	w.a.lost = false
	before := w.a.Stats().UnknownSession
	w.b.SendControl(w.now, ofB, []byte("x"))
	w.b.deliver()
	if got := w.a.Stats().UnknownSession - before; got != 1 {
		t.Errorf("%d packets without a session were counted, want 1", got)
	}
}

func TestNothingIsDoneBeforeItIsDue(t *testing.T) {
	w := newWorld(t)
	ofA, _ := w.dial()
	a := w.a.HandleTimeout(w.now, ofA)
	if len(a.Closed) != 0 || len(a.Probes) != 0 || a.Renew {
		t.Errorf("asked for %+v", a)
	}
}

func TestProbesGoToTheirAddressUnlessItIsStillWrittenTo(t *testing.T) {
	w := newWorld(t)
	ofA, _ := w.dial()
	current := ofA.Sessions.Current(w.now)
	w.a.unsent = pathOf(8).Remote
	w.a.Probe(w.now, ofA, &session.Actions{Probes: []session.Probe{
		{To: pathOf(7), Session: current, Token: 1}, {To: pathOf(8), Session: current, Token: 2}}})
	sent := w.a.drain()
	if len(sent) != 1 || sent[0].to != pathOf(7).Remote {
		t.Errorf("sent to %v", sent)
	}
	if !w.a.Unwritten(pathOf(8).Remote) || w.a.Unwritten(pathOf(7).Remote) {
		t.Error("it does not say where something waits to be written")
	}
}

func TestPeerThatMovesIsMeasuredAnew(t *testing.T) {
	w := newWorld(t)
	ofA, _ := w.dial()
	ofA.Packets.Widen(w.now)
	w.a.Refused(w.now, w.b.path, 1300, true)
	w.a.Probe(w.now, ofA, &session.Actions{PathChanged: true})
	if ofA.Packets.Widen(w.now); ofA.Packets.Path().NextTimeout().After(w.now) {
		t.Error("a size that the old path refused is not probed on the new one")
	}
}

// keysOf lists the keys that authenticated the sessions of p.
func keysOf(p *Peer) (ids []handshake.KeyID) {
	for i := range p.Sessions.Len() {
		ids = append(ids, p.Sessions.At(i).Fingerprint())
	}
	return ids
}

// PROTOCOL.md S12.
func TestChangeOfKeysRenewsTheSessionsOfAnotherKey(t *testing.T) {
	w := newWorld(t)
	ofA, ofB := w.dial()
	for _, p := range []*Peer{ofA, ofB} {
		p.Packets.SetLinked(w.now, true)
	}
	for _, keys := range [][]handshake.Key{{oldKey, newKey}, {newKey, oldKey}, {newKey}} {
		w.a.SetKeys(w.now, keys)
		w.b.SetKeys(w.now, keys)
		w.run(KeyChange + time.Second)
	}
	for _, p := range []*Peer{ofA, ofB} {
		ids := keysOf(p)
		if len(ids) == 0 {
			t.Errorf("%v has no session left", p.ID)
		}
		for _, id := range ids {
			if id != newKey.ID() {
				t.Errorf("%v still has a session of the old key", p.ID)
			}
		}
		if p.Sessions.Current(w.now) == nil {
			t.Errorf("no packet to %v can be sealed", p.ID)
		}
	}
}

// PROTOCOL.md S12.
func TestSessionOfARemovedKeyEndsAfterTheChange(t *testing.T) {
	w := newWorld(t)
	ofA, _ := w.dial()
	w.a.SetKeys(w.now, []handshake.Key{newKey}) // b has no such key
	w.run(KeyChange - time.Second)
	if got := ofA.Sessions.Len(); got != 1 {
		t.Errorf("%d sessions before the end of the change, want 1", got)
	}
	w.run(2 * time.Second)
	if got := ofA.Sessions.Len(); got != 0 {
		t.Errorf("%d sessions after it, want 0", got)
	}
	if got := w.a.Sessions(); got != 0 {
		t.Errorf("packets of %d sessions would still be opened", got)
	}
}

func TestChangeOfKeysLeavesLegacyAndUnconfirmedSessionsAlone(t *testing.T) {
	w := newWorld(t)
	old, end := w.a.legacyPeer(5, false)
	w.a.says(end, 5, []byte("confirms"))
	fresh := w.a.establish(&handshake.Established{Peer: goID(9), Handshake: wire.HandshakeID{9}, Prefix: [16]byte{9}, Path: pathOf(9), Key: oldKey.ID()})
	w.a.drain()
	started := w.a.Stats().Started
	w.a.SetKeys(w.now, []handshake.Key{newKey, oldKey})
	w.run(KeyChange / 2)
	if got := w.a.Stats().Started - started; got != 0 {
		t.Errorf("%d handshakes were begun", got)
	}
	if old.Sessions.Len() != 1 || fresh.Sessions.Len() != 1 {
		t.Errorf("%d and %d sessions are left, want one each", old.Sessions.Len(), fresh.Sessions.Len())
	}
}
