package direct

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/rangeset"
	"github.com/gwyh-go/gwyh/internal/wire"
)

const (
	smallMax  = 1000
	roundTrip = 10 * time.Millisecond
)

var (
	start   = time.UnixMilli(1_700_000_000_000)
	there   = netip.MustParseAddrPort("10.0.0.1:6969")
	yonder  = netip.MustParseAddrPort("10.0.0.2:6969")
	errTest = errors.New("no answer")
)

// String returns the name of a kind for failed tests.
func (k Kind) String() string {
	return [...]string{"Send", "Repeat", "EndTransfer", "Dial", "Ended"}[k]
}

// world is a Sender with its store and the node that it sends to.
type world struct {
	*Sender
	t     *testing.T
	now   time.Time
	store *assembly.Store
	peer  *Peer
}

func newWorld(t *testing.T) *world {
	store := &assembly.Store{}
	return &world{t: t, now: start, store: store, peer: goPeer(1),
		Sender: NewSender(Config{SmallMax: smallMax, Store: store}, rand.New(rand.NewPCG(1, 1)))}
}

// goPeer returns a peer that is a Go node.
func goPeer(i byte) *Peer { return &Peer{ID: wire.NodeID{6: 0x80, 8: 0x80, 15: i}} }

// message returns a message to there that expires after ten seconds.
func (w *world) message(use wire.Use) *Message {
	return &Message{ID: w.NewID(), To: there, Use: use, Until: w.now.Add(10 * time.Second)}
}

// begin begins a message of size bytes to p, which may be nil.
func (w *world) begin(m *Message, size int, p *Peer) []Outcome {
	w.t.Helper()
	out, err := w.Begin(nil, w.now, m, make([]byte, size), p, roundTrip)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// timeout advances the clock to the next timeout and handles it.
func (w *world) timeout(s Session) []Outcome {
	w.t.Helper()
	w.now = w.NextTimeout()
	m := w.Due(w.now)
	if m == nil {
		w.t.Fatal("nothing is due")
	}
	return w.HandleTimeout(nil, w.now, m, s)
}

// heard returns a session whose peer was heard just now.
func (w *world) heard() Session {
	return Session{Current: true, Heard: w.NextTimeout()}
}

// ack acknowledges bytes of m.
func (w *world) ack(m *Message, upto, next uint32) []Outcome {
	ack := wire.DirectAck{ID: m.ID, Upto: upto, Next: next}
	return w.HandleAck(nil, w.now, w.Awaited(m.ID), ack, w.peer, roundTrip, false)
}

// want fails the test unless out has exactly the given kinds.
func want(t *testing.T, out []Outcome, kinds ...Kind) {
	t.Helper()
	var got []Kind
	for _, o := range out {
		got = append(got, o.Kind)
	}
	if !slices.Equal(got, kinds) {
		t.Fatalf("outcomes %v, want %v", got, kinds)
	}
}

// quiet fails the test if any message is left.
func (w *world) quiet() {
	w.t.Helper()
	if waiting, awaited := w.Len(); waiting != 0 || awaited != 0 {
		w.t.Errorf("%d wait for a session, %d for an acknowledgement", waiting, awaited)
	}
	if w.Kept() != 0 {
		w.t.Errorf("%d bytes are kept", w.Kept())
	}
	if at := w.NextTimeout(); !at.IsZero() {
		w.t.Errorf("a timeout after %v", at.Sub(w.now))
	}
}

func TestUnacknowledgedMessageIsSentOnce(t *testing.T) {
	for _, use := range []wire.Use{wire.UseMessage, wire.UseRepeat} {
		for _, size := range []int{0, smallMax, smallMax + 1} {
			t.Run(fmt.Sprint("use ", use, ", ", size, " bytes"), func(t *testing.T) {
				w := newWorld(t)
				m := w.message(use)
				out := w.begin(m, size, w.peer)
				want(t, out, Send)
				if out[0].Message != m || out[0].Peer != w.peer {
					t.Errorf("sent %v to %v", out[0].Message, out[0].Peer)
				}
				if large := m.Large != nil; large != (size > smallMax) {
					t.Errorf("large: %v", large)
				}
				if m.Size() != size {
					t.Errorf("%d bytes", m.Size())
				}
				if m.Token() != 0 {
					t.Errorf("token %d", m.Token())
				}
				w.quiet()
			})
		}
	}
}

func TestLargeMessageIsNeededUntilItIsHandedOver(t *testing.T) {
	w := newWorld(t)
	m := w.message(wire.UseMessage)
	w.begin(m, smallMax+1, nil)
	if m.Large.Pending != 1 {
		t.Errorf("%d pending while it waits", m.Large.Pending)
	}
	w.SessionReady(nil, w.now, w.peer, roundTrip, 1)
	if m.Large.Pending != 0 {
		t.Errorf("%d pending when the transfer has it", m.Large.Pending)
	}
	if m.Large.Forgotten() {
		t.Error("forgotten before it was transferred")
	}
}

func TestContentIsCopied(t *testing.T) {
	w := newWorld(t)
	m, data := w.message(wire.UseMessage), []byte("hello")
	if _, err := w.Begin(nil, w.now, m, data, w.peer, roundTrip); err != nil {
		t.Fatal(err)
	}
	if data[0] = 'j'; !bytes.Equal(m.Data, []byte("hello")) {
		t.Errorf("%q", m.Data)
	}
}

func TestReliableMessagesHaveTokensInOrder(t *testing.T) {
	w := newWorld(t)
	for i, use := range []wire.Use{wire.UseReliable, wire.UsePush, wire.UseReliable, wire.UseMessage, wire.UseReliable} {
		m := w.message(use)
		w.begin(m, 1, w.peer)
		if want := []Token{1, 0, 2, 0, 3}[i]; m.Token() != want {
			t.Errorf("message %d has token %d, want %d", i, m.Token(), want)
		}
	}
}

func TestIDsAreRandomAndHaveNoOrigin(t *testing.T) {
	w := newWorld(t)
	met := map[wire.MessageID]bool{}
	for range 1000 {
		id := w.NewID()
		if met[id] {
			t.Errorf("%v twice", id)
		}
		if met[id] = true; id.HasOrigin() {
			t.Errorf("%v has an origin", id)
		}
	}
}

func TestReliableMessageEndsWhenAllIsAcknowledged(t *testing.T) {
	for _, size := range []int{0, 1, smallMax + 1, 1 << 20} {
		t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
			w := newWorld(t)
			m := w.message(wire.UseReliable)
			m.For = "whoever waits"
			want(t, w.begin(m, size, w.peer), Send)
			out := w.ack(m, uint32(size), uint32(size))
			if size > smallMax {
				want(t, out, EndTransfer, Ended)
				if out[0].Peer != w.peer {
					t.Errorf("the transfer to %v ends", out[0].Peer)
				}
			} else {
				want(t, out, Ended)
			}
			end := out[len(out)-1]
			if end.Err != nil {
				t.Error(end.Err)
			}
			if end.Message.For != "whoever waits" || end.Message.Token() != 1 {
				t.Errorf("%v with token %d ended", end.Message.For, end.Message.Token())
			}
			want(t, w.ack(m, uint32(size), uint32(size))) // a second acknowledgement
			w.quiet()
			if w.store.Len() != 0 {
				t.Errorf("%d messages are stored", w.store.Len())
			}
		})
	}
}

func TestAcknowledgementOfMoreThanThereIsIsIgnored(t *testing.T) {
	w := newWorld(t)
	m := w.message(wire.UseReliable)
	w.begin(m, 5, w.peer)
	want(t, w.ack(m, 6, 6))
	want(t, w.ack(w.message(wire.UseReliable), 0, 0)) // for a message that was never sent
	want(t, w.ack(m, 5, 5), Ended)
}

// PROTOCOL.md U3.
func TestAcknowledgementOfAPartRepeatsWhatIsMissing(t *testing.T) {
	const size = 10 * smallMax
	for _, x := range []struct {
		name       string
		upto, next uint32
		other      bool // the acknowledgement comes from another peer
		sending    bool
		repeats    bool
	}{
		{"a gap", 1000, 2000, false, false, true},
		{"all after the start", 1000, size, false, false, true},
		{"an empty gap", 1000, 1000, false, false, false},
		{"a gap beyond the end", 1000, size + 1, false, false, false},
		{"of another peer", 1000, 2000, true, false, false},
		{"while the message is being sent", 1000, 2000, false, true, false},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t)
			m := w.message(wire.UseReliable)
			w.begin(m, size, w.peer)
			from := w.peer
			if x.other {
				from = goPeer(2)
			}
			ack := wire.DirectAck{ID: m.ID, Upto: x.upto, Next: x.next}
			out := w.HandleAck(nil, w.now, m, ack, from, roundTrip, x.sending)
			if !x.repeats {
				want(t, out)
				return
			}
			want(t, out, Repeat)
			if got := out[0].Missing; got != (rangeset.Range{From: x.upto, To: x.next}) {
				t.Errorf("missing %v", got)
			}
		})
	}
}

func TestStopEndsAMessageWithoutAnError(t *testing.T) {
	w := newWorld(t)
	m := w.message(wire.UsePush)
	w.begin(m, smallMax+1, w.peer)
	out := w.Stop(nil, w.Awaited(m.ID))
	want(t, out, EndTransfer, Ended)
	if out[1].Err != nil {
		t.Error(out[1].Err)
	}
	want(t, w.Stop(nil, w.Awaited(m.ID)))
	w.quiet()
}

func TestSmallMessageIsEnlarged(t *testing.T) {
	w := newWorld(t)
	m := w.message(wire.UseReliable)
	w.begin(m, 900, w.peer)
	for range 2 { // the second time, the message is already large
		if !w.Enlarge(w.now, m) {
			t.Fatal("not enlarged")
		}
		if m.Data != nil || m.Large == nil {
			t.Fatalf("%d bytes are left, large %v", len(m.Data), m.Large)
		}
		if m.Size() != 900 || w.Kept() != 900 {
			t.Errorf("%d bytes, %d kept", m.Size(), w.Kept())
		}
		if !m.Large.Kept || m.Large.Pending != 1 {
			t.Errorf("kept %v, %d pending", m.Large.Kept, m.Large.Pending)
		}
	}
	want(t, w.ack(m, 900, 900), EndTransfer, Ended)
	w.quiet()
}

func TestEnlargeNeedsRoomInTheStore(t *testing.T) {
	w := newWorld(t)
	m := w.message(wire.UseReliable)
	w.begin(m, 900, w.peer)
	w.fill()
	if w.Enlarge(w.now, m) {
		t.Fatal("enlarged in a full store")
	}
	if len(m.Data) != 900 || m.Large != nil {
		t.Errorf("%d bytes, large %v", len(m.Data), m.Large)
	}
	want(t, w.ack(m, 900, 900), Ended)
}

// With large datagrams a small message may have 60,000 bytes, so those that wait for their acknowledgement have a bound in
// bytes too.
func TestSmallReliableMessagesAreBoundedInBytes(t *testing.T) {
	const size = 60_000
	w := newWorld(t)
	w.cfg.SmallMax = size
	var sent []*Message
	for len(sent) < SmallBytes/size {
		m := w.message(wire.UseReliable)
		w.begin(m, size, w.peer)
		sent = append(sent, m)
	}
	if _, err := w.Begin(nil, w.now, w.message(wire.UseReliable), make([]byte, size), w.peer, roundTrip); !errors.Is(err, ErrQueueFull) {
		t.Errorf("one more: %v", err)
	}
	w.Enlarge(w.now, sent[0])
	for _, m := range sent {
		w.ack(m, size, size)
	}
	if w.small != 0 {
		t.Errorf("%d bytes when all are acknowledged", w.small)
	}
}

// fill leaves no room in the store.
func (w *world) fill() {
	for range assembly.StoreMax / assembly.MessageMax {
		w.store.Add(w.now, w.NewID(), make([]byte, assembly.MessageMax), true).Kept = true
	}
}

func TestMessagesAreBounded(t *testing.T) {
	for _, x := range []struct {
		name  string
		use   wire.Use
		size  int
		most  int
		waits bool
	}{
		{"that wait for a session", wire.UseMessage, 1, WaitingMax, true},
		{"bytes that wait for a session", wire.UseMessage, 8 << 20, WaitingBytes / (8 << 20), true},
		{"that wait for an acknowledgement", wire.UseReliable, 1, AwaitedMax, false},
		{"bytes that wait for an acknowledgement", wire.UseReliable, 8 << 20, KeptBytes / (8 << 20), false},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.peer
			if x.waits {
				p = nil
			}
			for range x.most {
				w.begin(w.message(x.use), x.size, p)
			}
			m := w.message(x.use)
			out, err := w.Begin(nil, w.now, m, make([]byte, x.size), p, roundTrip)
			if !errors.Is(err, ErrQueueFull) {
				t.Errorf("one more: %v", err)
			}
			want(t, out)
			if w.Awaited(m.ID) != nil || m.Token() != 0 {
				t.Errorf("it is awaited, token %d", m.Token())
			}
		})
	}
}

func TestLargeMessageNeedsRoomInTheStore(t *testing.T) {
	w := newWorld(t)
	w.fill()
	m := w.message(wire.UseReliable)
	if _, err := w.Begin(nil, w.now, m, make([]byte, smallMax+1), w.peer, roundTrip); !errors.Is(err, ErrQueueFull) {
		t.Errorf("%v", err)
	}
	w.quiet()
	want(t, w.begin(w.message(wire.UseReliable), smallMax, w.peer), Send)
}

func TestRoutesAreRemembered(t *testing.T) {
	w := newWorld(t)
	if p := w.Route(there); p != nil {
		t.Errorf("%v of nothing", p)
	}
	w.SetRoute(there, w.peer)
	if p := w.Route(there); p != w.peer {
		t.Errorf("%v", p)
	}
	w.SetRoute(there, nil)
	if p := w.Route(there); p != nil {
		t.Errorf("%v after it was forgotten", p)
	}
}

func TestOutcomesAreAppended(t *testing.T) {
	w := newWorld(t)
	before := []Outcome{{Kind: Dial, Dial: 99}}
	m := w.message(wire.UseReliable)
	for name, out := range map[string][]Outcome{
		"Stop": w.Stop(before, nil), "HandleAck": w.HandleAck(before, w.now, nil, wire.DirectAck{}, w.peer, 0, false),
		"SessionReady": w.SessionReady(before, w.now, w.peer, 0, 7), "DialFailed": w.DialFailed(before, w.now, 7, nil),
		"ReachedSelf": w.ReachedSelf(before, 7),
	} {
		if len(out) != 1 || out[0].Dial != 99 {
			t.Errorf("%s: %v", name, out)
		}
	}
	out, err := w.Begin(before, w.now, m, nil, w.peer, roundTrip)
	if err != nil {
		t.Fatal(err)
	}
	want(t, out, Dial, Send)
}

func TestStatsOfSender(t *testing.T) {
	w := newWorld(t)
	w.begin(w.message(wire.UseMessage), 1, w.peer)
	w.begin(w.message(wire.UseRepeat), 1, w.peer)
	w.begin(w.message(wire.UseReliable), 1, w.peer)
	w.timeout(w.heard())
	w.begin(w.message(wire.UseMessage), 1, nil)
	w.ReachedSelf(nil, 1)
	if got, want := w.Stats, (SenderStats{Sent: 3, Repeated: 1, Resent: 1, Unreachable: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}
