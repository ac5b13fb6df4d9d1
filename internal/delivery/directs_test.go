package delivery_test

import (
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/pair"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// withoutAcks lets A lose the first acknowledgments that arrive.
func (w *world) withoutAcks(lost int) {
	w.A.Handle = func(in pair.Arrival, m *wire.Message) {
		if m.Kind == wire.KindDirectAck && lost > 0 {
			lost--
			return
		}
		w.handle(w.A, in, m)
	}
}

// repeat handles the timeouts of A's direct messages.
func (w *world) repeat() {
	x := &w.A.Delivery.Directs
	for m := x.Sender.Due(w.Now); m != nil; m = x.Sender.Due(w.Now) {
		w.perform(x.Sender.HandleTimeout(nil, w.Now, m, x.SessionWith(w.Now, m)))
	}
}

func TestReliableMessageIsRepeatedUntilItIsAcknowledged(t *testing.T) {
	for name, size := range map[string]int{"small": 100, "large": 50_000} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Link()
			w.withoutAcks(2)
			data := content(size)
			m := &direct.Message{ID: w.A.Delivery.Directs.Sender.NewID(), To: w.B.Path.Remote, Use: wire.UseReliable, Until: w.Now.Add(time.Minute)}
			out, err := w.A.Delivery.Directs.Start(nil, w.Now, m, w.A.Peer, data)
			if err != nil {
				t.Fatal(err)
			}
			w.perform(out)
			for range 300 {
				w.repeat()
				w.run(100 * time.Millisecond)
			}
			if got := w.delivered(w.B); len(got) != 1 || got[0] != string(data) {
				t.Errorf("b delivered %d messages, want one", len(got))
			}
			if len(w.ended) != 1 {
				t.Fatalf("%d messages ended, want 1", len(w.ended))
			}
			if err := w.ended[0].Err; err != nil {
				t.Errorf("it ended with %v", err)
			}
			if got := w.arrived(wire.KindDirect); got < 2 {
				t.Errorf("%d pieces arrived, want repeats", got)
			}
		})
	}
}

func TestReliableMessageWithoutAnAcknowledgmentEndsAtItsDeadline(t *testing.T) {
	w := newWorld(t)
	w.Link()
	w.withoutAcks(1 << 30)
	m := &direct.Message{ID: w.A.Delivery.Directs.Sender.NewID(), To: w.B.Path.Remote, Use: wire.UseReliable, Until: w.Now.Add(10 * time.Second)}
	out, err := w.A.Delivery.Directs.Start(nil, w.Now, m, w.A.Peer, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	w.perform(out)
	for w.Now.Before(m.Until.Add(time.Second)) {
		if len(w.ended) > 0 && w.Now.Before(m.Until) {
			t.Fatalf("it ended %v early", m.Until.Sub(w.Now))
		}
		w.run(100 * time.Millisecond)
		w.repeat()
	}
	if len(w.ended) != 1 || w.ended[0].Err == nil {
		t.Fatalf("%d messages ended, want 1 with an error", len(w.ended))
	}
	if got := w.delivered(w.B); !slices.Equal(got, []string{"hello"}) {
		t.Errorf("b delivered %q", got)
	}
}

func TestMalformedAcknowledgmentIsCounted(t *testing.T) {
	w := newWorld(t)
	w.perform(w.A.Delivery.Directs.ReceiveAck(nil, w.Now, w.A.Peer, []byte{0xc1}))
	if got := w.A.Stats.Dropped[stats.DropMalformedBody]; got != 1 {
		t.Errorf("%d counted, want 1", got)
	}
}

// An answer that nobody awaits is acknowledged, or its sender would repeat it for a minute; a push is not.
func TestUnwantedAnswerIsAcknowledgedAndAPushIsNot(t *testing.T) {
	for name, c := range map[string]struct {
		use  wire.Use
		want int
	}{"push": {wire.UsePush, 0}, "message": {wire.UseReliable, 0}, "answer": {wire.UseAnswer, 1}, "veto": {wire.UseVeto, 1}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			piece := wire.Direct{Use: c.use, Total: 10, Data: make([]byte, 10)}
			ch := w.B.Peer.Packets.Channel(w.Now)
			w.B.Delivery.Directs.AcknowledgeUnwanted(w.Now, ch, id(1), &piece)
			ch.EndPacket(w.Now)
			w.run(time.Millisecond)
			got := 0
			for _, k := range w.A.Kinds {
				if k == wire.KindDirectAck {
					got++
				}
			}
			if got != c.want {
				t.Errorf("%d acknowledgments, want %d", got, c.want)
			}
		})
	}
}

func TestControlThatIsTooLargeIsDropped(t *testing.T) {
	w := newWorld(t)
	w.A.Delivery.Sender.SendPlain(w.Now, w.A.Peer, make([]byte, delivery.ControlMax+1))
	if got := w.A.Stats.Dropped[stats.DropOversize]; got != 1 {
		t.Errorf("%d counted, want 1", got)
	}
	if n := w.A.Lose(); n != 0 {
		t.Errorf("%d datagrams were sent", n)
	}
}

// On a path that is slower than the repeats of a message, each repeat would make the queue longer.
func TestMessageThatIsQueuedIsNotRepeated(t *testing.T) {
	w := newWorld(t)
	w.Link()
	busy := func() { // other traffic uses the path
		for pace := w.A.Peer.Packets.Pace(); pace.Wait(w.Now, 50) == 0; {
			pace.Sent(w.Now, 1400)
		}
	}
	busy()
	m := &direct.Message{ID: w.A.Delivery.Directs.Sender.NewID(), To: w.B.Path.Remote, Use: wire.UseReliable, Until: w.Now.Add(time.Minute)}
	out, err := w.A.Delivery.Directs.Start(nil, w.Now, m, w.A.Peer, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	w.perform(out)
	waited := 0
	for i := 0; len(w.ended) == 0 && w.Now.Before(m.Until); i++ {
		if i < 200 {
			busy()
		}
		w.run(time.Millisecond)
		w.repeat()
		waited = max(waited, w.A.Peer.Packets.Waiting())
	}
	if waited != 1 {
		t.Errorf("up to %d copies waited, want 1", waited)
	}
	if got := w.arrived(wire.KindDirect); got != 1 {
		t.Errorf("%d copies arrived, want 1", got)
	}
}
