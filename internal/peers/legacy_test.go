package peers

import (
	"bytes"
	"testing"

	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// says makes a legacy node send a plaintext to n.
func (n *node) says(end *session.Session, of byte, plain []byte) (opened bool) {
	var p wire.Packet
	if err := wire.ParsePacket(&p, end.SealLegacy(n.w.now, nil, 1, plain)); err != nil {
		n.w.t.Fatal(err)
	}
	return n.open(pathOf(of), &p)
}

func TestBoxesOfALegacyNodeAreTriedUnderEachOfItsSessions(t *testing.T) {
	w := newWorld(t)
	p, first := w.a.legacyPeer(5, false)
	second := [32]byte{55}
	e := &handshake.Established{Peer: p.ID, Handshake: wire.HandshakeID{55}, Legacy: true, SendKey: second, RecvKey: second, Path: pathOf(5), Timestamp: w.now}
	w.a.establish(e)
	other := session.New(w.now, session.Params{Self: p.ID, Peer: w.a.id, Handshake: e.Handshake, Initiator: true, Legacy: true,
		SendKey: second, RecvKey: second, Suite: session.Null, Rand: bytes.NewReader(make([]byte, 1<<10))})
	for i, end := range []*session.Session{first, other} {
		if !w.a.says(end, 5, []byte("hello")) {
			t.Errorf("a box of session %d does not open", i)
		}
		w.a.receives([]byte("hello"))
	}
	if w.a.confirmed != 2 {
		t.Errorf("%d sessions were confirmed, want 2", w.a.confirmed)
	}
}

func TestBoxOfALegacyNodeUnderNoSessionIsCounted(t *testing.T) {
	w := newWorld(t)
	p, end := w.a.legacyPeer(5, false)
	_, stranger := w.b.legacyPeer(6, false)
	if w.a.says(stranger, 6, []byte("x")) {
		t.Error("a box of a stranger opens")
	}
	if got := w.a.Stats().UnknownSession; got != 1 {
		t.Errorf("%d boxes of strangers were counted, want 1", got)
	}
	w.a.says(end, 5, []byte("x"))
	var again wire.Packet
	if err := wire.ParsePacket(&again, end.SealLegacy(w.now, nil, 2, []byte("y"))); err != nil {
		t.Fatal(err)
	}
	again.Box.Nonce = [24]byte{} // not the nonce that it was sealed with
	w.a.open(pathOf(5), &again)
	w.a.open(pathOf(5), &again)
	if got := w.a.Stats().Forged; got == 0 {
		t.Error("a box that does not open was not counted")
	}
	if p.Sessions.Len() != 1 {
		t.Errorf("%d sessions, want 1", p.Sessions.Len())
	}
}

func TestControlForALegacyNodeIsSealedAndNumberedAsItWants(t *testing.T) {
	w := newWorld(t)
	p, end := w.a.legacyPeer(5, false)
	w.a.says(end, 5, []byte("confirms"))
	w.a.drain()
	for want := uint32(1); want <= 3; want++ {
		w.a.SendControl(w.now, p, []byte("control"))
		packets := w.a.packets(pathOf(5))
		if len(packets) != 1 {
			t.Fatalf("%d packets, want 1", len(packets))
		}
		if packets[0].Seq != want {
			t.Errorf("packet number %d, want %d", packets[0].Seq, want)
		}
		plain, err := end.Open(w.now, &packets[0])
		if err != nil || string(plain) != "control" {
			t.Errorf("it opens to %q, %v", plain, err)
		}
	}
}

func TestGoTeamConfirmsTheSessionThatItNames(t *testing.T) {
	w := newWorld(t)
	p, _ := w.a.legacyPeer(5, true)
	bound, _ := w.dial()
	for _, c := range []struct {
		name string
		id   wire.HandshakeID
		of   wire.NodeID
	}{
		{"of another handshake", wire.HandshakeID{6}, p.ID},
		{"of a node without a session", wire.HandshakeID{5}, legacyID(6)},
		{"of a Go node", w.a.established[1].Handshake(), bound.ID},
	} {
		if got := w.a.HandleGoTeam(w.now, c.id, c.of); got != nil {
			t.Errorf("a GoTeam %s confirms a session of %v", c.name, got.ID)
		}
	}
	if p.Sessions.Current(w.now) != nil {
		t.Error("boxes are sealed before the GoTeam")
	}
	if got := w.a.HandleGoTeam(w.now, wire.HandshakeID{5}, p.ID); got != p {
		t.Error("the GoTeam confirms nothing")
	}
	if p.Sessions.Current(w.now) == nil {
		t.Error("no box can be sealed after the GoTeam")
	}
}

func TestLegacyProbeIsAnEmptyFrame(t *testing.T) {
	w := newWorld(t)
	p, end := w.a.legacyPeer(5, false)
	for _, of := range []wire.NodeID{p.ID, legacyID(6)} { // there is no session with the second one
		w.a.Send(w.now, &handshake.Outcome{Kind: handshake.SendLegacyProbe, To: pathOf(5), Handshake: wire.HandshakeID{5}, Peer: of})
	}
	packets := w.a.packets(pathOf(5))
	if len(packets) != 1 {
		t.Fatalf("%d packets, want 1", len(packets))
	}
	plain, err := end.Open(w.now, &packets[0])
	if err != nil {
		t.Fatal(err)
	}
	var m wire.Message
	if _, err := wire.ParseMessage(&m, plain); err != nil {
		t.Fatal(err)
	}
	if m.Kind != wire.KindFrame || len(m.Data) != 0 || m.Total != 0 {
		t.Errorf("the probe is %+v", m)
	}
}

// PROTOCOL.md W5.
func TestAllHandshakePacketsToOneAddressAreNumberedExceptCookies(t *testing.T) {
	w := newWorld(t)
	to := pathOf(9)
	for _, step := range []wire.Step{wire.StepHello, wire.StepCookie, wire.StepOhai} {
		w.a.Send(w.now, &handshake.Outcome{Kind: handshake.SendHandshake, To: to, Message: &wire.Handshake{Step: step}})
	}
	w.a.Send(w.now, &handshake.Outcome{Kind: handshake.SendHandshake, To: pathOf(8), Message: &wire.Handshake{Step: wire.StepHello}})
	var got []uint32
	for _, d := range w.a.drain() {
		var p wire.Packet
		if err := wire.ParsePacket(&p, d.bytes); err != nil {
			t.Fatal(err)
		}
		got = append(got, p.Seq)
	}
	for i, want := range []uint32{1, 0, 2, 1} {
		if i >= len(got) || got[i] != want {
			t.Fatalf("packet numbers %v, want [1 0 2 1]", got)
		}
	}
}

func TestOnlyOutcomesThatAskForAPacketAreSent(t *testing.T) {
	w := newWorld(t)
	for _, kind := range []handshake.OutcomeKind{handshake.SessionEstablished, handshake.GoTeamReceived, handshake.AttemptFailed,
		handshake.AttemptSlow, handshake.PacketRejected} {
		if w.a.Send(w.now, &handshake.Outcome{Kind: kind}) {
			t.Errorf("outcome %d is not left to the caller", kind)
		}
	}
	if sent := w.a.drain(); len(sent) != 0 {
		t.Errorf("%d datagrams were sent", len(sent))
	}
}
