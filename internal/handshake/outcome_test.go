package handshake

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestIntroduceAfterTheAttemptWasCanceledSendsNothing(t *testing.T) {
	w, a, b := pair(t, 1, nil)
	var ohai []byte
	w.filter = func(d *datagram) bool {
		if d.to == a.addr {
			ohai = d.bytes
		}
		return d.to == b.addr
	}
	id := a.join(b.addr, time.Second)
	w.run(20 * time.Millisecond)
	var p wire.Packet
	if err := wire.ParsePacket(&p, ohai); err != nil {
		t.Fatal(err)
	}
	out := a.ep.HandlePacket(nil, w.now, b.path(), &p)
	if len(out) != 1 || out[0].Kind != SessionEstablished {
		t.Fatalf("the Ohai had the outcomes %+v", out)
	}
	a.ep.Cancel(id)
	s := out[0].Session
	if more := a.ep.Introduce(nil, w.now, s, []byte("identity")); len(more) != 0 {
		t.Errorf("a canceled attempt goes on: %+v", more)
	}
	if !a.ep.NextTimeout().IsZero() {
		t.Error("a canceled attempt has a timer")
	}
	if s.SendKey != [32]byte{} || s.RecvKey != [32]byte{} {
		t.Error("keys are left")
	}
}

func TestAttemptThatAnOutcomeCancelsDoesNothingAtItsTime(t *testing.T) {
	w, a, _ := pair(t, 1, nil)
	until := w.now.Add(time.Millisecond)
	first, _ := a.ep.Initiate(nil, w.now, wire.Path{Remote: address(98)}, wire.NodeID{}, until)
	second, _ := a.ep.Initiate(nil, w.now, wire.Path{Remote: address(99)}, wire.NodeID{}, until)
	out := a.ep.HandleTimeout(nil, until)
	switch {
	case len(out) != 1:
		t.Fatalf("len(out) is %d, want 1: %v", len(out), out)
	case out[0].Kind != AttemptFailed:
		t.Fatalf("the outcome is of kind %v, want %v", out[0].Kind, AttemptFailed)
	case out[0].Attempt != first:
		t.Fatalf("the outcome is of attempt %v, want %v", out[0].Attempt, first)
	}
	a.ep.Cancel(second)
	if out = a.ep.HandleTimeout(nil, until); len(out) != 0 {
		t.Errorf("the canceled attempt ended in %+v", out)
	}
}

func TestOutcomesAreAppendedToTheBufferOfTheCaller(t *testing.T) {
	w, a, _ := pair(t, 1, nil)
	_, out := a.ep.Initiate([]Outcome{{Kind: PacketRejected, Reason: Unfinished}}, w.now, wire.Path{Remote: address(99)}, wire.NodeID{}, w.now.Add(time.Second))
	out = a.ep.HandlePacket(out, w.now, wire.Path{Remote: address(98)}, &wire.Packet{Sender: goID(4), Kind: wire.PacketBox})
	var kinds []OutcomeKind
	for _, o := range out {
		kinds = append(kinds, o.Kind)
	}
	if !slices.Equal(kinds, []OutcomeKind{PacketRejected, SendHandshake, PacketRejected}) {
		t.Errorf("%+v", out)
	}
	if out[0].Reason != Unfinished {
		t.Errorf("what was in the buffer became %+v", out[0])
	}
	if out[2].From.Remote != address(98) || out[2].Reason != Malformed {
		t.Errorf("%+v", out[2])
	}
}
