package delivery_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/digest"
	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/pair"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// id returns the id of a broadcast of the i-th node that is not one of the two.
func id(i int) wire.MessageID {
	ids := wire.NewIDs([8]byte{200, byte(i >> 8), byte(i)})
	return ids.Broadcast()
}

// frame sends A a piece of a large message from B.
func (w *world) frame(id wire.MessageID, total, offset uint32, data []byte) {
	w.B.Delivery.Sender.SendPlain(w.Now, w.B.Peer, wire.AppendFrame(nil, wire.Arrays, id, total, offset, data))
	w.run(time.Millisecond)
}

// frames sends A the bytes [from, to) of a message in pieces of 1,000 bytes.
func (w *world) frames(id wire.MessageID, data []byte, from, to int) {
	for at := from; at < to; at += 1000 {
		w.frame(id, uint32(len(data)), uint32(at), data[at:min(at+1000, to)])
	}
}

// content returns n bytes that differ from place to place.
func content(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i * i >> 8)
	}
	return data
}

// wantOnce fails the test unless the application of a node got one message, with the given content.
func (w *world) wantOnce(n *pair.Node, data []byte) {
	w.T.Helper()
	switch got := w.delivered(n); {
	case len(got) != 1:
		w.T.Errorf("%d messages delivered, want 1", len(got))
	case got[0] != string(data):
		w.T.Errorf("a message of %d bytes delivered, which is not the one of %d bytes", len(got[0]), len(data))
	}
}

func TestFalseFramesAreDropped(t *testing.T) {
	known := id(0)
	for name, c := range map[string]struct {
		id            wire.MessageID
		total, offset uint32
		data          []byte
		reason        stats.Drop
	}{
		"of a message that is too large":   {id(1), delivery.MessageMax + 1, 0, []byte("x"), stats.DropOversize},
		"without content":                  {id(1), 1000, 0, nil, stats.DropOversize},
		"beyond the end":                   {id(1), 1000, 999, []byte("xy"), stats.DropOversize},
		"at the largest offset":            {id(1), 1000, math.MaxUint32, []byte("xy"), stats.DropOversize},
		"that says another size":           {known, 2001, 1000, []byte("x"), stats.DropUnexpected},
		"that ends a message of no length": {id(1), 0, 0, []byte("x"), stats.DropOversize},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Link()
			w.frames(known, content(2000), 0, 1000)
			w.frame(c.id, c.total, c.offset, c.data)
			if got := w.A.Stats.Dropped[c.reason]; got != 1 {
				t.Errorf("%d counted, want 1", got)
			}
			w.frames(known, content(2000), 1000, 2000)
			w.wantOnce(w.A, content(2000))
		})
	}
}

func TestFrameWithoutContentOnlyShowsItsPacket(t *testing.T) {
	w := newWorld(t)
	w.Link()
	w.frame(id(1), 0, 0, nil)
	if got := w.A.Delivery.Broadcasts.Store.Len(); got != 0 {
		t.Errorf("%d messages begun", got)
	}
	for reason, count := range w.A.Stats.Dropped {
		if count > 0 {
			t.Errorf("%d dropped as %v", count, stats.Drop(reason))
		}
	}
}

func TestFramesThatArriveTwiceAreCountedAndDeliveredOnce(t *testing.T) {
	w := newWorld(t)
	w.Link()
	data := content(5000)
	for range 2 {
		w.frames(id(1), data, 0, len(data))
	}
	w.wantOnce(w.A, data)
	if got := w.A.Stats.FramesReceived; got != 5 {
		t.Errorf("%d new pieces counted, want 5", got)
	}
	if got := w.A.Stats.FramesDuplicate; got != 5 {
		t.Errorf("%d known pieces counted, want 5", got)
	}
}

func TestFramesInAnyOrderMakeAMessage(t *testing.T) {
	w := newWorld(t)
	w.Link()
	data := content(8000)
	for _, k := range []int{7, 0, 3, 1, 6, 2, 5, 4} {
		w.frames(id(1), data, k*1000, k*1000+1000)
	}
	w.wantOnce(w.A, data)
}

// A broadcast that came in one datagram is known: its pieces, from a neighbor with a narrow path, are duplicates.
func TestPiecesOfABroadcastThatCameWholeAreDuplicates(t *testing.T) {
	w := newWorld(t)
	w.Link()
	w.B.Delivery.Sender.SendPlain(w.Now, w.B.Peer, wire.AppendCast(nil, wire.KindCast, id(1), 0, content(1000)))
	w.frames(id(1), content(1000), 0, 1000)
	if got := len(w.delivered(w.A)); got != 1 {
		t.Errorf("delivered %d times", got)
	}
	if got := w.A.Stats.FramesDuplicate; got != 1 {
		t.Errorf("%d known pieces counted, want 1", got)
	}
}

// The first frame of a message costs the neighbors of its origin only, so that whoever begins messages and does not end
// them cannot use up what others may begin.
func TestLargeMessageIsPassedOnOnceSixteenKibibytesHaveArrived(t *testing.T) {
	w := newWorld(t)
	w.Link()
	other := w.link(10)
	data := content(100_000)
	w.frames(id(1), data, 0, 16_000)
	if got := len(other.Packets.Transfers()); got != 0 {
		t.Fatalf("passed on after 16,000 bytes")
	}
	w.frames(id(1), data, 16_000, 17_000)
	if got := len(other.Packets.Transfers()); got != 1 {
		t.Errorf("%d transfers after 17,000 bytes, want 1", got)
	}
	if got := w.arrived(wire.KindFrame); got != 0 {
		t.Errorf("%d pieces sent back to the sender", got)
	}
}

func TestPeerMayBeginABoundedNumberOfMessages(t *testing.T) {
	w := newWorld(t)
	w.Link()
	const limit = 256
	for i := range limit + 10 {
		w.frame(id(1000+i), 20_000, 0, []byte("x"))
	}
	if got := w.A.Stats.Dropped[stats.DropStoreFull]; got != 10 {
		t.Errorf("%d frames dropped, want 10", got)
	}
	if got := w.A.Delivery.Broadcasts.Store.Len(); got != limit {
		t.Errorf("%d messages begun, want %d", got, limit)
	}
	w.run(2 * time.Second) // they stall
	w.frame(id(1), 100_000, 0, []byte("x"))
	if got := w.A.Stats.Dropped[stats.DropIncomplete]; got == 0 {
		t.Error("no stalled message was given up for a new one")
	}
}

func TestLargeMessageThatDoesNotEndIsGivenUp(t *testing.T) {
	w := newWorld(t)
	w.Link()
	w.frames(id(1), content(5000), 0, 4000)
	w.run(10 * time.Minute)
	if got := w.A.Delivery.Broadcasts.Store.Len(); got != 0 {
		t.Errorf("%d messages are kept", got)
	}
	if got := w.A.Stats.Dropped[stats.DropIncomplete]; got != 1 {
		t.Errorf("%d counted, want 1", got)
	}
}

// want sends A a request of B for the bytes [from, to) of a message.
func (w *world) want(id wire.MessageID, from, to uint32) {
	var list wire.Want
	list.Add(&id, from, to)
	w.B.Kinds = nil
	w.B.Delivery.Sender.SendPlain(w.Now, w.B.Peer, wire.AppendList(nil, wire.KindWant, w.B.IDs.Control(), list.Bytes()))
	w.run(100 * time.Millisecond)
}

// arrived returns the number of messages of a kind that B has received.
func (w *world) arrived(kind wire.Kind) (count int) {
	for _, k := range w.B.Kinds {
		if k == kind {
			count++
		}
	}
	return count
}

func TestRequestedMessageIsSentAgain(t *testing.T) {
	t.Run("small", func(t *testing.T) {
		w := newWorld(t)
		w.Link()
		w.broadcast("hello")
		w.run(100 * time.Millisecond)
		if w.want(w.A.IDs.Last(), 0, 5); w.arrived(wire.KindCast) != 1 {
			t.Errorf("%d copies, want 1", w.arrived(wire.KindCast))
		}
		if got := len(w.delivered(w.B)); got != 1 {
			t.Errorf("delivered %d times", got)
		}
	})
	t.Run("a part of a large one", func(t *testing.T) {
		w := newWorld(t)
		w.Link()
		w.broadcast(string(content(100_000)))
		large := w.A.IDs.Last()
		w.run(2 * time.Second)
		w.want(large, 50_000, 53_000)
		if got := w.arrived(wire.KindFrame); got != 3 {
			t.Errorf("%d pieces, want the 3 that carry 3,000 bytes", got)
		}
		if got := len(w.delivered(w.B)); got != 1 {
			t.Errorf("delivered %d times", got)
		}
	})
}

func TestRequestThatCannotBeServedIsCounted(t *testing.T) {
	for name, c := range map[string]struct {
		from   uint32
		begin  func(w *world) wire.MessageID
		reason stats.Drop
	}{
		"of an unknown message": {0, func(*world) wire.MessageID { return id(1) }, stats.DropForgotten},
		"of one that is not passed on yet": {0, func(w *world) wire.MessageID {
			w.frames(id(2), content(100_000), 0, 1000)
			return id(2)
		}, stats.DropForgotten},
		"of bytes behind the end": {100_000, func(w *world) wire.MessageID {
			w.broadcast(string(content(100_000)))
			w.run(time.Second)
			return w.A.IDs.Last()
		}, stats.DropUnexpected},
		"of a small one of long ago": {0, func(w *world) wire.MessageID {
			w.broadcast("hello")
			m := w.A.IDs.Last()
			w.run(10 * time.Minute)
			w.A.Delivery.Sender.Rest(w.Now)
			return m
		}, stats.DropForgotten},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Link()
			m := c.begin(w)
			w.want(m, c.from, c.from+1000)
			if got := w.A.Stats.Dropped[c.reason]; got != 1 {
				t.Errorf("%d counted, want 1", got)
			}
		})
	}
}

func TestStopEndsATransferThatOthersCarry(t *testing.T) {
	for _, c := range []struct{ others, left int }{{1, 1}, {2, 0}} {
		t.Run(fmt.Sprintf("with %d other links", c.others), func(t *testing.T) {
			w := newWorld(t)
			w.Link()
			for i := range c.others {
				w.link(byte(10 + i))
			}
			w.broadcast(strings.Repeat("x", 1<<20))
			large := w.A.IDs.Last()
			if got := len(w.A.Peer.Packets.Transfers()); got != 1 {
				t.Fatalf("%d transfers to b, want 1", got)
			}
			var stop wire.Message
			if _, err := wire.ParseMessage(&stop, wire.AppendStop(nil, w.B.IDs.Control(), large)); err != nil {
				t.Fatal(err)
			}
			w.A.Delivery.Broadcasts.ReceiveStop(w.A.Peer, stop.Data)
			if got := len(w.A.Peer.Packets.Transfers()); got != c.left {
				t.Errorf("%d transfers after Stop, want %d", got, c.left)
			}
		})
	}
}

func TestNewLinkGetsALargeMessageThatIsOnItsWay(t *testing.T) {
	w := newWorld(t)
	w.link(10)
	data := content(100_000)
	w.broadcast(string(data))
	w.run(time.Second)
	w.Link()
	w.run(5 * time.Second)
	w.wantOnce(w.B, data)
}

// PROTOCOL.md F4, D5.
func TestPeerThatFailedIsToldOfTheLargeMessagesThatItLacks(t *testing.T) {
	for _, fails := range []bool{true, false} {
		w := newWorld(t)
		w.Link()
		w.broadcast(string(content(100_000)))
		w.A.Lose()
		a, p := w.A, w.A.Peer
		if m := a.AddOther(); fails {
			a.Members.Fail(w.Now, m, a.Members.Self().ID)
		}
		a.Delivery.Unlink(w.Now, p)
		a.Delivery.Broadcasts.LinkEnded(w.Now, p)
		w.run(15 * time.Second) // a message that nobody lacks is kept for 10 s
		if got := a.Delivery.Broadcasts.Store.Len(); got == 1 != fails {
			t.Fatalf("the peer failed: %v; %d messages are kept", fails, got)
		}
		a.Delivery.Link(w.Now, p)
		a.Delivery.Broadcasts.LinkBegan(w.Now, p)
		var told digest.Digest
		if list := a.Delivery.Broadcasts.Digests(w.Now, p); list != nil {
			list.Next(&told)
		}
		if told.Kept != fails {
			t.Errorf("the peer failed: %v; it is told %+v", fails, told)
		}
	}
}

// A path that carries less than a node's datagrams gets messages in pieces, each once.
func TestMessagesOfOneDatagramArriveOnANarrowPath(t *testing.T) {
	narrow := func(t *testing.T) *world {
		w := newWorld(t)
		w.Link()
		w.run(time.Second)
		w.A.Peer.Packets.Path().SetPeerMax(1000)
		w.B.Kinds = nil
		return w
	}
	t.Run("broadcast", func(t *testing.T) {
		w := narrow(t)
		data := content(w.A.Delivery.Broadcasts.SmallMax())
		w.broadcast(string(data))
		w.run(5 * time.Second)
		w.wantOnce(w.B, data)
		if got := w.arrived(wire.KindFrame); got < 2 {
			t.Errorf("it came in %d frames, want several", got)
		}
	})
	for name, use := range map[string]wire.Use{"reliable message": wire.UseReliable, "message": wire.UseMessage} {
		t.Run(name, func(t *testing.T) {
			w := narrow(t)
			data := content(1200)
			m := &direct.Message{ID: w.A.Delivery.Directs.Sender.NewID(), To: w.B.Path.Remote, Use: use, Until: w.Now.Add(10 * time.Second)}
			out, err := w.A.Delivery.Directs.Start(nil, w.Now, m, w.A.Peer, data)
			if err != nil {
				t.Fatal(err)
			}
			w.perform(out)
			w.run(5 * time.Second)
			w.wantOnce(w.B, data)
			if got := w.arrived(wire.KindDirect); got < 2 {
				t.Errorf("it came in %d pieces, want several", got)
			}
			if use == wire.UseReliable && len(w.ended) != 1 {
				t.Errorf("%d messages ended, want 1", len(w.ended))
			}
		})
	}
}

func TestLostFramesAreSentAgain(t *testing.T) {
	w := newWorld(t)
	w.Link()
	w.run(time.Second)
	data := content(50_000)
	w.broadcast(string(data))
	if n := w.A.Lose(); n == 0 {
		t.Fatal("nothing was lost")
	}
	w.run(10 * time.Second)
	w.wantOnce(w.B, data)
}
