package delivery

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestSmallBroadcastArrivesOnceAlongALink(t *testing.T) {
	w := newWorld(t)
	w.link()
	for range 3 {
		if err := w.a.Broadcasts.Broadcast(w.now, []byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	w.run(time.Second)
	if want := []string{"hello", "hello", "hello"}; !slices.Equal(w.b.delivered, want) {
		t.Errorf("b delivered %q, want %q", w.b.delivered, want)
	}
	if len(w.a.delivered) != 0 {
		t.Errorf("a delivered its own messages: %q", w.a.delivered)
	}
	if got := w.a.stats.BroadcastsForwarded; got != 3 {
		t.Errorf("%d copies sent, want 3", got)
	}
}

func TestSmallMessagesOfOneTurnShareADatagram(t *testing.T) {
	w := newWorld(t)
	w.link()
	w.run(time.Second)
	for range 4 {
		if err := w.a.Broadcasts.Broadcast(w.now, []byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	if got := w.a.Sender.Unsealed(); got != 1 {
		t.Errorf("%d datagrams are open, want 1", got)
	}
	w.a.Sender.SealDue(w.now, true)
	if got := w.a.Sender.Unsealed(); got != 0 {
		t.Errorf("%d datagrams are open after all were sealed", got)
	}
	if w.a.Sender.sealTimer.Pending() {
		t.Error("the timer is set, but no datagram is open")
	}
}

func TestBroadcastWithoutALinkWaitsForOne(t *testing.T) {
	w := newWorld(t)
	if err := w.a.Broadcasts.Broadcast(w.now, []byte("early")); err != nil {
		t.Fatal(err)
	}
	w.run(time.Second)
	if len(w.b.delivered) != 0 {
		t.Fatalf("b delivered %q without a link", w.b.delivered)
	}
	w.link()
	w.run(time.Second)
	if want := []string{"early"}; !slices.Equal(w.b.delivered, want) {
		t.Errorf("b delivered %q, want %q", w.b.delivered, want)
	}
}

func TestLargeBroadcastArrivesInFrames(t *testing.T) {
	w := newWorld(t)
	w.link()
	data := strings.Repeat("0123456789", 10_000)
	if err := w.a.Broadcasts.Broadcast(w.now, []byte(data)); err != nil {
		t.Fatal(err)
	}
	w.run(10 * time.Second)
	if len(w.b.delivered) != 1 || w.b.delivered[0] != data {
		t.Fatalf("b delivered %d messages", len(w.b.delivered))
	}
	if !slices.Contains(w.b.received, wire.KindFrame) || slices.Contains(w.b.received, wire.KindCast) {
		t.Error("the message did not arrive in frames alone")
	}
}

func TestBroadcastLargerThanAMessageIsRefused(t *testing.T) {
	w := newWorld(t)
	w.link()
	var tooLarge *TooLargeError
	if err := w.a.Broadcasts.Broadcast(w.now, make([]byte, MessageMax+1)); !errors.As(err, &tooLarge) || tooLarge.Max != MessageMax {
		t.Errorf("error %v, want a TooLargeError with the maximum %d", err, MessageMax)
	}
}

func TestReliableMessageEndsWhenItIsAcknowledged(t *testing.T) {
	for _, size := range []int{5, 50_000} {
		w := newWorld(t)
		data := strings.Repeat("x", size)
		m := &direct.Message{ID: w.a.Directs.Sender.NewID(), To: w.b.path.Remote, Use: wire.UseReliable, Until: w.now.Add(10 * time.Second)}
		out, err := w.a.Directs.Start(nil, w.now, m, w.a.peer, []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		w.a.perform(out)
		w.run(5 * time.Second)
		if len(w.b.delivered) != 1 || w.b.delivered[0] != data {
			t.Errorf("%d bytes: b delivered %d messages", size, len(w.b.delivered))
		}
		if len(w.a.ended) != 1 || w.a.ended[0].Err != nil || w.a.ended[0].Message != m {
			t.Errorf("%d bytes: %d messages ended", size, len(w.a.ended))
		}
	}
}

func TestMessageToAnUnknownAddressNeedsAHandshake(t *testing.T) {
	w := newWorld(t)
	to := w.b.path.Remote // b has a session, but is not a member
	_, out, err := w.a.Directs.SendTo(nil, w.now, to, []byte("hello"), true, w.now.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	w.a.perform(out)
	if len(w.a.ended) != 1 || w.a.ended[0].Kind != direct.Dial || w.a.ended[0].To != to {
		t.Fatalf("%d outcomes are left to the caller, want one Dial to %v", len(w.a.ended), to)
	}
	w.a.perform(w.a.Directs.Ready(nil, w.now, w.a.peer, []uint64{w.a.ended[0].Dial}))
	w.run(time.Second)
	if want := []string{"hello"}; !slices.Equal(w.b.delivered, want) {
		t.Errorf("b delivered %q, want %q", w.b.delivered, want)
	}
}

func TestControlThatFitsNoDatagramArrivesInPieces(t *testing.T) {
	w := newWorld(t)
	var plain []byte
	const requests = 200
	for range requests {
		plain = wire.AppendRequest(plain, w.a.newID(), wire.KindHeartbeat)
	}
	if len(plain) < 2*datagramSize {
		t.Fatalf("a plaintext of %d bytes fits in a datagram", len(plain))
	}
	w.a.Sender.SendPlain(w.now, w.a.peer, plain)
	w.run(time.Second)
	if got := len(w.b.control); got != requests {
		t.Errorf("%d control messages arrived in pieces, want %d", got, requests)
	}
}

func TestPingOfTheApplicationIsAnsweredWithThePayload(t *testing.T) {
	w := newWorld(t)
	if !w.b.Pings.SetPayload([]byte("payload")) {
		t.Fatal("the payload is refused")
	}
	token, _ := w.a.Pings.Pings.Begin(w.now, "", w.now.Add(time.Second))
	w.a.Pings.Ready(w.now, w.a.peer, token)
	w.run(time.Millisecond)
	if want := []string{"payload"}; !slices.Equal(w.a.acks, want) {
		t.Errorf("payloads %q, want %q", w.a.acks, want)
	}
	if w.a.Pings.Pings.Len() != 1 {
		t.Fatalf("%d Pings wait", w.a.Pings.Pings.Len())
	}
	w.a.Pings.Conclude(w.now, w.a.Pings.Pings.HandleAck(w.a.Pings.Outcomes, token, time.Millisecond))
	events := w.a.events.Take()
	if len(events) != 1 || events[0].Kind != event.Pinged || events[0].Ping != token || events[0].Err != nil {
		t.Errorf("events %+v, want one Pinged", events)
	}
}

func TestPingWithoutAnAnswerEnds(t *testing.T) {
	w := newWorld(t)
	token, _ := w.a.Pings.Pings.Begin(w.now, "", w.now.Add(time.Second))
	w.a.Pings.Conclude(w.now, nil)
	w.run(2 * time.Second)
	events := w.a.events.Take()
	if len(events) != 1 || events[0].Ping != token || !errors.Is(events[0].Err, direct.ErrUnanswered) {
		t.Errorf("events %+v, want one that has no answer", events)
	}
}

func TestEndedLinkCarriesNoBroadcast(t *testing.T) {
	w := newWorld(t)
	w.link()
	w.a.Unlink(w.now, w.a.peer)
	w.a.Broadcasts.LinkEnded(w.now, w.a.peer)
	if len(w.a.Links()) != 0 || w.a.peer.Linked {
		t.Fatal("the link has not ended")
	}
	if err := w.a.Broadcasts.Broadcast(w.now, []byte("late")); err != nil {
		t.Fatal(err)
	}
	w.run(time.Second)
	if len(w.b.delivered) != 0 {
		t.Errorf("b delivered %q", w.b.delivered)
	}
}

func TestPeerWithASessionIsFoundAtItsAddressOnlyAsAMember(t *testing.T) {
	w := newWorld(t)
	if p := w.a.PeerAt(w.now, w.b.path.Remote); p != nil {
		t.Error("a node that is not a member was found")
	}
	e := wire.Member{State: wire.StateAlive, ID: w.b.members.Self().ID, Incarnation: uint64(w.now.UnixMilli()), Name: []byte("b"), Addr: w.b.path.Remote}
	w.a.members.SetAlive(w.now, &e, w.a.members.Claim(w.now, &e, nil))
	if p := w.a.PeerAt(w.now, w.b.path.Remote); p != w.a.peer {
		t.Error("the member was not found")
	}
	w.a.Remove(w.a.peer)
	if p := w.a.PeerAt(w.now, w.b.path.Remote); p != nil {
		t.Error("a removed peer was found")
	}
}

func TestDistanceIsTheShortestRoundTripOfThePath(t *testing.T) {
	w := newWorld(t)
	p := &Peer{}
	w.a.Add(p, w.a.table.Add(w.now, &handshake.Established{Peer: wire.NodeID{9, 6: 0x80}, RTT: 2 * time.Millisecond}, &p.Timer))
	if got := p.SetRTT(9 * time.Millisecond); got != 2*time.Millisecond {
		t.Errorf("distance %v, want 2ms", got)
	}
	if got := p.RoundTrip(); got != 9*time.Millisecond {
		t.Errorf("round-trip time %v, want 9ms", got)
	}
	if got := p.SetRTT(time.Millisecond); got != time.Millisecond {
		t.Errorf("distance %v, want 1ms", got)
	}
}
