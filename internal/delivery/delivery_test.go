package delivery_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/pair"
	"github.com/gwyh-go/gwyh/internal/wire"
)

func TestSmallBroadcastArrivesOnceAlongALink(t *testing.T) {
	w := newWorld(t)
	w.Link()
	for range 3 {
		w.broadcast("hello")
	}
	w.run(time.Second)
	if want := []string{"hello", "hello", "hello"}; !slices.Equal(w.delivered(w.B), want) {
		t.Errorf("b delivered %q, want %q", w.delivered(w.B), want)
	}
	if len(w.delivered(w.A)) != 0 {
		t.Errorf("a delivered its own messages: %q", w.delivered(w.A))
	}
	if got := w.A.Stats.BroadcastsForwarded; got != 3 {
		t.Errorf("%d copies sent, want 3", got)
	}
}

func TestSmallMessagesOfOneTurnShareADatagram(t *testing.T) {
	w := newWorld(t)
	w.Link()
	w.run(time.Second)
	for range 4 {
		w.broadcast("hello")
	}
	if got := w.A.Delivery.Sender.Unsealed(); got != 1 {
		t.Errorf("%d datagrams are open, want 1", got)
	}
	w.A.Delivery.Sender.SealDue(w.Now, true)
	if got := w.A.Delivery.Sender.Unsealed(); got != 0 {
		t.Errorf("%d datagrams are open after all were sealed", got)
	}
	if at := w.A.Timers.Next(); at.Before(w.Now.Add(time.Millisecond)) {
		t.Errorf("a timer is due after %v, but no datagram is open", at.Sub(w.Now))
	}
}

func TestBroadcastWithoutALinkWaitsForOne(t *testing.T) {
	w := newWorld(t)
	w.broadcast("early")
	w.run(time.Second)
	if len(w.delivered(w.B)) != 0 {
		t.Fatalf("b delivered %q without a link", w.delivered(w.B))
	}
	w.Link()
	w.run(time.Second)
	if want := []string{"early"}; !slices.Equal(w.delivered(w.B), want) {
		t.Errorf("b delivered %q, want %q", w.delivered(w.B), want)
	}
}

func TestLargeBroadcastArrivesInFrames(t *testing.T) {
	w := newWorld(t)
	w.Link()
	data := strings.Repeat("0123456789", 10_000)
	w.broadcast(data)
	w.run(10 * time.Second)
	if len(w.delivered(w.B)) != 1 || w.delivered(w.B)[0] != data {
		t.Fatalf("b delivered %d messages", len(w.delivered(w.B)))
	}
	if !slices.Contains(w.B.Kinds, wire.KindFrame) || slices.Contains(w.B.Kinds, wire.KindCast) {
		t.Error("the message did not arrive in frames alone")
	}
}

func TestBroadcastLargerThanAMessageIsRefused(t *testing.T) {
	w := newWorld(t)
	w.Link()
	var tooLarge *delivery.TooLargeError
	if err := w.A.Delivery.Broadcasts.Broadcast(w.Now, make([]byte, delivery.MessageMax+1)); !errors.As(err, &tooLarge) || tooLarge.Max != delivery.MessageMax {
		t.Errorf("error %v, want a TooLargeError with the maximum %d", err, delivery.MessageMax)
	}
}

func TestReliableMessageEndsWhenItIsAcknowledged(t *testing.T) {
	for _, size := range []int{5, 50_000} {
		w := newWorld(t)
		data := strings.Repeat("x", size)
		m := &direct.Message{ID: w.A.Delivery.Directs.Sender.NewID(), To: w.B.Path.Remote, Use: wire.UseReliable, Until: w.Now.Add(10 * time.Second)}
		out, err := w.A.Delivery.Directs.Start(nil, w.Now, m, w.A.Peer, []byte(data))
		if err != nil {
			t.Fatal(err)
		}
		w.perform(out)
		w.run(5 * time.Second)
		if len(w.delivered(w.B)) != 1 || w.delivered(w.B)[0] != data {
			t.Errorf("%d bytes: b delivered %d messages", size, len(w.delivered(w.B)))
		}
		if len(w.ended) != 1 {
			t.Fatalf("%d bytes: %d messages ended, want 1", size, len(w.ended))
		}
		if err := w.ended[0].Err; err != nil {
			t.Errorf("%d bytes: it ended with %v", size, err)
		}
		if w.ended[0].Message != m {
			t.Errorf("%d bytes: another message ended", size)
		}
	}
}

func TestMessageToAnUnknownAddressNeedsAHandshake(t *testing.T) {
	w := newWorld(t)
	to := w.B.Path.Remote // b has a session, but is not a member
	_, out, err := w.A.Delivery.Directs.SendTo(nil, w.Now, to, []byte("hello"), true, w.Now.Add(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	w.perform(out)
	if len(w.ended) != 1 {
		t.Fatalf("%d outcomes are left to the caller, want 1", len(w.ended))
	}
	if o := w.ended[0]; o.Kind != direct.Dial || o.To != to {
		t.Fatalf("an outcome of kind %v to %v, want a Dial to %v", o.Kind, o.To, to)
	}
	w.perform(w.A.Delivery.Directs.Ready(nil, w.Now, w.A.Peer, []uint64{w.ended[0].Dial}))
	w.run(time.Second)
	if want := []string{"hello"}; !slices.Equal(w.delivered(w.B), want) {
		t.Errorf("b delivered %q, want %q", w.delivered(w.B), want)
	}
}

func TestControlThatFitsNoDatagramArrivesInPieces(t *testing.T) {
	w := newWorld(t)
	var plain []byte
	const requests = 200
	for range requests {
		plain = wire.AppendRequest(plain, w.A.IDs.Control(), wire.KindHeartbeat)
	}
	if len(plain) < 2*pair.DatagramSize {
		t.Fatalf("a plaintext of %d bytes fits in a datagram", len(plain))
	}
	w.A.Delivery.Sender.SendPlain(w.Now, w.A.Peer, plain)
	w.run(time.Second)
	arrived := func(kind wire.Kind) (count int) {
		for _, k := range w.B.Kinds {
			if k == kind {
				count++
			}
		}
		return count
	}
	if arrived(wire.KindDirect) == 0 {
		t.Error("no piece arrived")
	}
	if got := arrived(wire.KindHeartbeat); got != requests {
		t.Errorf("%d control messages arrived, want %d", got, requests)
	}
}

func TestPingOfTheApplicationIsAnsweredWithThePayload(t *testing.T) {
	w := newWorld(t)
	if !w.B.Delivery.Pings.SetPayload([]byte("payload")) {
		t.Fatal("the payload is refused")
	}
	token, _ := w.A.Delivery.Pings.Pings.Begin(w.Now, "", w.Now.Add(time.Second))
	w.A.Delivery.Pings.Ready(w.Now, w.A.Peer, token)
	w.run(time.Millisecond)
	if want := []string{"payload"}; !slices.Equal(w.acks, want) {
		t.Errorf("payloads %q, want %q", w.acks, want)
	}
	if w.A.Delivery.Pings.Pings.Len() != 1 {
		t.Fatalf("%d Pings wait", w.A.Delivery.Pings.Pings.Len())
	}
	w.A.Delivery.Pings.Conclude(w.Now, w.A.Delivery.Pings.Pings.HandleAck(w.A.Delivery.Pings.Outcomes, token, time.Millisecond))
	events := w.A.Events.Take()
	if len(events) != 1 || events[0].Kind != event.Pinged {
		t.Fatalf("events %+v, want one Pinged", events)
	}
	if e := events[0]; e.Ping != token || e.Err != nil {
		t.Errorf("Ping %d ended with %v, want %d without an error", e.Ping, e.Err, token)
	}
}

func TestPingWithoutAnAnswerEnds(t *testing.T) {
	w := newWorld(t)
	token, _ := w.A.Delivery.Pings.Pings.Begin(w.Now, "", w.Now.Add(time.Second))
	w.A.Delivery.Pings.Conclude(w.Now, nil)
	w.run(2 * time.Second)
	events := w.events(w.A, event.Pinged)
	if len(events) != 1 || events[0].Ping != token || !errors.Is(events[0].Err, direct.ErrUnanswered) {
		t.Errorf("events %+v, want one that has no answer", events)
	}
}

func TestEndedLinkCarriesNoBroadcast(t *testing.T) {
	w := newWorld(t)
	w.Link()
	w.A.Delivery.Unlink(w.Now, w.A.Peer)
	w.A.Delivery.Broadcasts.LinkEnded(w.Now, w.A.Peer)
	if len(w.A.Delivery.Links()) != 0 || w.A.Peer.Linked {
		t.Fatal("the link has not ended")
	}
	w.broadcast("late")
	w.run(time.Second)
	if len(w.delivered(w.B)) != 0 {
		t.Errorf("b delivered %q", w.delivered(w.B))
	}
}

func TestPeerWithASessionIsFoundAtItsAddressOnlyAsAMember(t *testing.T) {
	w := newWorld(t)
	if p := w.A.Delivery.PeerAt(w.Now, w.B.Path.Remote); p != nil {
		t.Error("a node that is not a member was found")
	}
	w.A.AddOther()
	if p := w.A.Delivery.PeerAt(w.Now, w.B.Path.Remote); p != w.A.Peer {
		t.Error("the member was not found")
	}
	w.A.Delivery.Remove(w.A.Peer)
	if p := w.A.Delivery.PeerAt(w.Now, w.B.Path.Remote); p != nil {
		t.Error("a removed peer was found")
	}
}

func TestDistanceIsTheShortestRoundTripOfThePath(t *testing.T) {
	w := newWorld(t)
	p := &delivery.Peer{}
	w.A.Delivery.Add(p, w.A.Sessions.Add(w.Now, &handshake.Established{Peer: wire.NodeID{9, 6: 0x80}, RTT: 2 * time.Millisecond}, &p.Timer))
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
