package peer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/arena"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md A3.
func TestLostSmallMessageIsSentAgain(t *testing.T) {
	w := newWorld(t)
	w.lose = losePackets(w.a, 1)
	w.a.send("lost")
	w.run(10 * time.Millisecond)
	w.a.send("after")
	w.run(time.Second)
	if got, want := w.b.small, []string{"after", "lost"}; !slices.Equal(got, want) {
		t.Errorf("came %v, want %v", got, want)
	}
	if got := w.a.endpoint.Stats().Resent; got != 1 {
		t.Errorf("%d messages sent again, want 1", got)
	}
	if got := w.b.endpoint.Stats().NaksSent; got != 1 {
		t.Errorf("%d Naks, want 1", got)
	}
}

// PROTOCOL.md A3.
func TestEveryPacketNumberIsServedOnce(t *testing.T) {
	w := newWorld(t)
	w.a.send("once")
	w.run(time.Millisecond)
	number := uint32(w.a.ch.Sent())
	for range 5 {
		w.b.ch.Send(w.now, w.a.source, wire.AppendNak(nil, w.b.ids.Control(), number, number+1))
	}
	w.run(time.Second)
	if got := w.a.endpoint.Stats().Resent; got != 1 {
		t.Errorf("%d messages sent again, want 1", got)
	}
	if got := w.b.kinds[wire.KindSettled]; got < 5 {
		t.Errorf("%d of 5 Naks were answered", got)
	}
}

func TestNakThatNamesWhatItMayNotIsRefused(t *testing.T) {
	for name, nak := range map[string][2]uint32{
		"beyond what was sent": {1, 1000},
		"more than a window":   {1, nakMax + 2},
		"backwards":            {2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.a.send("one")
			w.run(time.Millisecond)
			w.a.ch.HandleNak(w.now, nak[0], nak[1])
			if got := w.a.endpoint.Stats(); got.Unexpected != 1 || got.Resent != 0 {
				t.Errorf("%d refused, %d sent again", got.Unexpected, got.Resent)
			}
			if w.a.ch.SendSettled(w.now) {
				t.Error("it was answered")
			}
		})
	}
}

// PROTOCOL.md A2.
func TestNaksOfOnePacketNameNoMoreThanAWindow(t *testing.T) {
	w := newWorld(t)
	for range 300 {
		w.a.ping()
	}
	w.a.ch.log.DropBefore(w.now.Add(time.Hour), 0, func(content) {})
	w.a.endpoint.BeginPacket()
	for range 500 {
		w.a.ch.HandleNak(w.now, 1, 300)
	}
	got := *w.a.endpoint.Stats()
	if got.Forgotten > nakMax {
		t.Errorf("%d packet numbers were looked for, at most %d may be", got.Forgotten, nakMax)
	}
	if got.Unexpected == 0 {
		t.Error("no Nak was refused")
	}
	w.a.endpoint.BeginPacket()
	if w.a.ch.HandleNak(w.now, 1, 300); w.a.endpoint.Stats().Unexpected != got.Unexpected {
		t.Error("a Nak of the next packet is refused")
	}
}

func TestAnswersToNaksFillADatagram(t *testing.T) {
	w := newWorld(t)
	w.a.ping()
	full := 0
	for full = 0; full < 1000; full++ {
		if _, over := w.a.ch.HandleNak(w.now, 1, 1); over {
			break
		}
	}
	if !w.a.ch.SendSettled(w.now) {
		t.Error("nothing was sent")
	}
	if w.a.ch.SendSettled(w.now) {
		t.Error("the answers were sent twice")
	}
	before := w.b.packets
	w.run(time.Second)
	if full < 10 || w.b.packets != before+2 { // including the Ping
		t.Errorf("full after %d, %d packets came", full, w.b.packets-before)
	}
}

func TestWhatTheArenaHasForgottenIsLost(t *testing.T) {
	w := newWorld(t)
	w.a.send("gone")
	w.run(time.Millisecond)
	w.a.arena = arena.New(arena.Config{})
	number := uint32(w.a.ch.Sent())
	w.a.ch.HandleNak(w.now, number, number+1)
	if got := w.a.endpoint.Stats(); got.Forgotten != 1 || got.Resent != 0 {
		t.Errorf("%d forgotten, %d sent again", got.Forgotten, got.Resent)
	}
}

func TestLostMessagesAreDroppedByAFullQueue(t *testing.T) {
	w := newWorld(t)
	w.a.send("lost")
	w.run(time.Millisecond)
	w.a.stopPace()
	for w.a.peer.Backlog() < SmallMax {
		w.a.send(strings.Repeat("x", 1000))
	}
	number := uint32(w.a.ch.Sent())
	w.a.ch.HandleNak(w.now, number, number+1)
	if got := w.a.endpoint.Stats(); got.QueueFull != 1 || got.Resent != 0 {
		t.Errorf("%d dropped, %d sent again", got.QueueFull, got.Resent)
	}
}

func TestLostMessageThatFitsNoMoreIsHandedBack(t *testing.T) {
	w := newWorld(t)
	large := strings.Repeat("x", 1250)
	plain := wire.AppendBroadcast(nil, wire.Bin, w.a.ids.Broadcast(), []byte(large))
	plain = wire.AppendBroadcast(plain, wire.Bin, w.a.ids.Broadcast(), []byte("small"))
	w.a.ch.transmit(w.now, w.b.source, plain, carries(w.a.arena.Put(w.now, plain)))
	number := uint32(w.a.ch.Sent())
	unfit, _ := w.a.ch.HandleNak(w.now, number, number+1)
	w.a.noteUnfit(unfit)
	if got := w.a.unfit; !slices.Equal(got, []string{large}) {
		t.Errorf("%d messages were handed back, want the large one", len(got))
	}
	if got := w.a.peer.Waiting(); got != 1 {
		t.Errorf("%d messages wait, want the small one", got)
	}
}

func TestControlThatIsTooLargeForAnyPathIsKeptForRepair(t *testing.T) {
	w := newWorld(t)
	w.widen()
	plain := wire.AppendBroadcast(nil, wire.Bin, w.a.ids.Broadcast(), make([]byte, 1250))
	if !w.a.peer.SendControl(w.now, plain) {
		t.Fatal("it does not fit")
	}
	number := w.a.ch.Sent()
	if what, _, _, _ := w.a.ch.log.Get(number); !what.repairable() {
		t.Error("it would not be sent again")
	}
	w.a.peer.SendControl(w.now, plain[:100])
	if what, _, _, _ := w.a.ch.log.Get(number + 1); what.repairable() {
		t.Error("control that any path carries would be sent again")
	}
	if w.a.peer.SendControl(w.now, make([]byte, 1500)) {
		t.Error("a plaintext fits into a datagram that it does not fit into")
	}
}

// widen makes node a learn that the path carries the configured size.
func (w *world) widen() {
	w.t.Helper()
	w.a.peer.Widen(w.now)
	w.run(time.Second)
	if got := w.a.peer.Path().Size(); got < 1390 {
		w.t.Fatalf("datagrams of %d bytes after the search", got)
	}
}

func TestLostChatterIsNotAskedFor(t *testing.T) {
	w := newWorld(t)
	w.lose = losePackets(w.a, 1, 2, 3)
	for range 3 {
		w.a.ping()
	}
	w.run(time.Millisecond)
	plain := w.a.ch.AppendChatter(wire.AppendPing(nil, wire.KindPing, w.a.ids.Control(), wire.Ping{Seq: 9}))
	w.a.ch.Send(w.now, w.b.source, plain)
	w.run(time.Second)
	if got := w.b.endpoint.Stats().NaksSent; got != 0 {
		t.Errorf("%d Naks for packets that nobody would send again", got)
	}
}

func TestChatterEndsWithWhatWouldBeSentAgain(t *testing.T) {
	w := newWorld(t)
	w.a.ping()
	w.a.send("one")
	w.a.peer.Seal(w.now)
	if got := w.a.ch.AppendChatter(nil); got != nil {
		t.Error("a message counts as chatter")
	}
	w.a.ping()
	if got := w.a.ch.AppendChatter(nil); got == nil {
		t.Error("a Ping does not count as chatter")
	}
}

func TestSettledIsParsedWithCare(t *testing.T) {
	w := newWorld(t)
	w.a.ch.HandleSettled([]byte{1, 2, 3})
	w.a.ch.HandleSettled(settled(7, 3))
	w.a.ch.HandleSettled(settled(1<<31, 1<<31+9))
	if got := w.a.endpoint.Stats(); got.MalformedBody != 1 || got.Unexpected != 1 {
		t.Errorf("%d malformed, %d unexpected", got.MalformedBody, got.Unexpected)
	}
}

// settled returns the body of a Settled.
func settled(start, end uint32) []byte {
	var m wire.Message
	if _, err := wire.ParseMessage(&m, wire.AppendSettled(nil, wire.MessageID{}, wire.Settled{Start: start, End: end})); err != nil {
		panic(err)
	}
	return m.Data
}

// PROTOCOL.md F5.
func TestLastPieceThatIsLostIsUncovered(t *testing.T) {
	w := newWorld(t)
	a := w.a.message(5000)
	w.a.peer.Begin(w.now, a, 0)
	last := 0
	w.lose = func(from *node, packet []byte) bool {
		last++
		return from == w.a && last == 5 // 5 pieces of up to 1,100 bytes
	}
	w.a.pump()
	w.run(10 * time.Second)
	w.b.wantWhole(a)
	if w.a.endpoint.Stats().Resent != 1 {
		t.Errorf("%d pieces sent again, want the last one", w.a.endpoint.Stats().Resent)
	}
}

// PROTOCOL.md A5.
func TestTailProbesEnd(t *testing.T) {
	w := newWorld(t)
	w.lose = func(*node, []byte) bool { return true }
	w.a.transfer(100)
	before := w.a.ch.Sent()
	w.run(time.Minute)
	if got := w.a.ch.Sent() - before; got != tailProbes {
		t.Errorf("%d packets to a peer that does not answer, want %d", got, tailProbes)
	}
}

func TestLogOfAQuietChannelShrinks(t *testing.T) {
	w := newWorld(t)
	for range 100 {
		w.a.send(strings.Repeat("x", 1000))
		w.a.send(strings.Repeat("x", 1000))
		w.run(10 * time.Millisecond)
	}
	if !w.a.ch.grown {
		t.Fatalf("the log has not grown with %d packets", w.a.ch.log.Len())
	}
	w.run(10 * time.Millisecond)
	for range 30 {
		w.run(time.Second)
		w.a.tick(w.now)
	}
	if w.a.ch.grown || w.a.ch.log.Len() != 0 {
		t.Errorf("grown %v, %d packets are remembered after half a minute", w.a.ch.grown, w.a.ch.log.Len())
	}
}

func TestEverythingArrivesOverALossyLink(t *testing.T) {
	for seed := range uint64(8) {
		w := newWorld(t)
		rng := rand.New(rand.NewPCG(seed, 1))
		w.delay = time.Duration(1+rng.IntN(30)) * time.Millisecond
		w.lose = func(*node, []byte) bool { return rng.Float64() < 0.1 }
		small := map[*node][]string{}
		for range 60 {
			n := []*node{w.a, w.b}[rng.IntN(2)]
			if rng.IntN(10) == 0 {
				n.transfer(1 + rng.IntN(100_000))
			} else {
				s := strings.Repeat("x", rng.IntN(1000)) + numbered(100)[rng.IntN(100)]
				if n.send(s)[0] != Dropped {
					small[n] = append(small[n], s)
				}
			}
			w.run(time.Duration(rng.IntN(50)) * time.Millisecond)
		}
		for range 10 { // as heartbeats do
			w.a.ping()
			w.b.ping()
			w.run(2 * time.Second)
		}
		for _, n := range []*node{w.a, w.b} {
			for _, s := range small[n] {
				if !slices.Contains(n.other.small, s) {
					t.Errorf("seed %d: a small message of %s did not come", seed, n.name)
				}
			}
			for a := range n.store.All {
				if a.Delivered { // one of its own messages
					n.other.wantWhole(a)
				}
			}
		}
		if t.Failed() {
			return
		}
	}
}
