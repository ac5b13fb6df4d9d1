package legacy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/outcome"
	"github.com/gwyh-go/gwyh/internal/wire"
)

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// A world is one Gateway, its member table, and the answers of its Node. It acts on outcomes as a core does, as far as
// that concerns the Gateway, and logs them in words.
type world struct {
	t       *testing.T
	now     time.Time
	g       *Gateway
	out     outcome.Buffer[Outcome]
	table   members.Table
	contact map[wire.NodeID]*Contact
	dialing map[wire.NodeID]bool
	avoided map[wire.NodeID]bool
	log     []string
	refuses bool // the application refuses gwyh 0.1 nodes
}

func goID(i int) wire.NodeID     { return wire.NodeID{0: byte(i >> 8), 1: byte(i), 6: 0x80} }
func legacyID(i int) wire.NodeID { return wire.NodeID{0: byte(i >> 8), 1: byte(i), 6: 0x40} }

func addr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 6969)
}

func newWorld(t *testing.T, tweak ...func(c *Config)) *world {
	cfg := Config{Admits: true, Subscriptions: 5}
	for _, f := range tweak {
		f(&cfg)
	}
	w := &world{t: t, now: begin, g: New(cfg, rand.New(rand.NewPCG(1, 2))), contact: map[wire.NodeID]*Contact{},
		dialing: map[wire.NodeID]bool{}, avoided: map[wire.NodeID]bool{}}
	w.table = members.NewTable(w.now, members.Config{Self: members.Member{ID: goID(0), Name: "self", Addr: addr(0)}})
	return w
}

func (w *world) Contact(_ time.Time, p *Peer) Contact    { return *w.contact[p.id] }
func (w *world) Dialing(id wire.NodeID) bool             { return w.dialing[id] }
func (w *world) Avoids(_ time.Time, id wire.NodeID) bool { return w.avoided[id] }

// peer makes a gwyh 0.1 peer with a session in which no packet has arrived.
func (w *world) peer(i int) *Peer {
	p := w.g.AddPeer(legacyID(i))
	w.contact[p.id] = &Contact{Session: true, Heard: w.now, Remote: addr(1000 + i)}
	return p
}

// known makes a gwyh 0.1 peer that is a member and to which this node subscribes.
func (w *world) known(i int) *Peer {
	p := w.peer(i)
	w.member(i)
	w.hear(p)
	w.do(w.g.Ready(w.out, w.now, w, &w.table, p))
	w.log = nil
	return p
}

// member makes a gwyh 0.1 node a member.
func (w *world) member(i int) *members.Entry {
	m := members.NewEntry(legacyID(i))
	m.Name, m.Addr, m.Incarnation, m.Named = Name(addr(1000+i)), addr(1000+i), millis(w.now), millis(w.now)
	w.table.Add(m)
	return m
}

// goMember makes a Go node a member.
func (w *world) goMember(i int) *members.Entry {
	m := members.NewEntry(goID(i))
	m.Name, m.Addr, m.Incarnation = fmt.Sprint("go-", i), addr(i), 1
	w.table.Add(m)
	return m
}

// hear makes a packet of a peer arrive.
func (w *world) hear(p *Peer) {
	c := w.contact[p.id]
	c.Heard, c.Opened = w.now, w.now
	w.do(w.g.EndCheck(w.out, w.now, &w.table, p))
	w.g.AnswerQuestion(w.now, p)
	w.do(w.g.Heard(w.out, w.now, w, &w.table, p))
	w.do(w.g.Subscribe(w.out, w.now, w, &w.table, p))
}

// receive handles a message of a peer, and reports whether the message is a broadcast for the caller.
func (w *world) receive(p *Peer, plain []byte) (broadcast bool) {
	w.t.Helper()
	var m wire.Message
	if _, err := wire.ParseMessage(&m, plain); err != nil {
		w.t.Fatal(err)
	}
	return w.receiveMessage(p, &m, false)
}

// receivePeers handles a message with the content of a Peers message.
func (w *world) receivePeers(p *Peer, data []byte) {
	w.receiveMessage(p, &wire.Message{Kind: wire.KindPeers, Data: data}, false)
}

func (w *world) receiveMessage(p *Peer, m *wire.Message, own bool) (broadcast bool) {
	out, broadcast := w.g.HandleMessage(w.out, w.now, w, &w.table, p, m, own)
	w.do(out)
	return broadcast
}

func (w *world) do(out []Outcome) { w.out.Work(out, w.act) }

func (w *world) note(format string, args ...any) { w.log = append(w.log, fmt.Sprintf(format, args...)) }

// who returns the name of a node in the log.
func (w *world) who(id wire.NodeID) string {
	if id == (wire.NodeID{}) {
		return "nobody"
	}
	kind := "go"
	if !id.IsGo() {
		kind = "old"
	}
	return fmt.Sprintf("%s-%d", kind, int(id[0])<<8|int(id[1]))
}

func (w *world) act(o *Outcome) {
	switch o.Kind {
	case Ping:
		w.note("ping %s", w.who(o.Peer.id))
	case Request:
		w.note("%s to %s", o.Request, w.who(o.Peer.id))
	case Subscribe:
		w.note("subscribe to %s", w.who(o.Peer.id))
		c := w.contact[o.Peer.id]
		c.Subscribing, c.AskedAt = true, w.now
		w.g.SetLinked(o.Peer, true)
	case Resubscribe:
		w.note("subscribe to %s again", w.who(o.Peer.id))
		w.contact[o.Peer.id].AskedAt = w.now
	case Serve:
		w.note("serve %s", w.who(o.Peer.id))
		c := w.contact[o.Peer.id]
		c.Subscriber = true
		w.g.SetLinked(o.Peer, true)
	case EndLink:
		w.note("end the link with %s", w.who(o.Peer.id))
		c := w.contact[o.Peer.id]
		c.Subscribing, c.Subscriber = false, false
		w.g.SetLinked(o.Peer, false)
	case Confirmed:
		w.note("%s has confirmed", w.who(o.Peer.id))
	case StatusArrived:
		w.do(w.g.HandleStatus(w.out, w.now, w, &w.table, *o))
	case Shake:
		w.note("shake hands with %s", w.who(o.Peer.id))
	case Introduce:
		w.introduce(o)
	case PassStatus:
		w.note("pass on %s up %t except to %s", w.who(o.Of.ID), o.Up, w.who(o.From))
	case AnnounceStatus:
		w.note("announce %s up %t", w.who(o.Of.ID), o.Up)
	default:
		w.actOnNode(o)
	}
}

func (w *world) actOnNode(o *Outcome) {
	switch o.Kind {
	case Dial:
		w.note("dial %s at %s", w.who(o.ID), o.Addr)
	case ContactAddr:
		w.note("meet %s", o.Addr)
	case ContactNode:
		w.note("meet %s at %s", w.who(o.ID), o.Addr)
	case Choose:
		w.note("choose %s", w.who(o.ID))
	case Avoid:
		w.note("avoid %s", w.who(o.ID))
		w.avoided[o.ID] = true
	case Renewed:
		w.note("renewed %s", w.who(o.Member.ID))
	case Dead:
		w.note("dead %s", w.who(o.Member.ID))
		o.Member.State = wire.StateDead
		w.table.Remove(w.now, o.Member)
	case PassQuestion:
		w.note("ask about %s by %s except %s", w.who(o.Member.ID), w.who(o.By), w.who(o.From))
	case SendEntry:
		w.note("tell %s of %s", w.who(o.ID), w.who(o.Member.ID))
	case CalledDown:
		w.note("called down")
	}
}

func (w *world) introduce(o *Outcome) {
	w.note("introduce %s", w.who(o.Entry.ID))
	if w.refuses {
		return
	}
	claim := w.table.Claim(w.now, o.Entry, nil)
	if !claim.Granted {
		return
	}
	w.table.SetAlive(w.now, o.Entry, claim)
	w.do(w.g.Introduced(w.out, w.now, w, &w.table, o.Peer))
}

// run lets time pass and runs the jobs. Nothing else happens.
func (w *world) run(d time.Duration) {
	end := w.now.Add(d)
	for at := w.g.NextTimeout(); !at.IsZero() && !at.After(end); at = w.g.NextTimeout() {
		w.now = at
		w.do(w.g.HandleTimeout(w.out, w.now, w, &w.table))
	}
	w.now = end
}

// watch lets time pass while a silent peer is monitored.
func (w *world) watch(p *Peer, d time.Duration) {
	end := w.now.Add(d)
	for w.now.Before(end) {
		out, next := w.g.Tick(w.out, w.now, w, &w.table, p)
		w.do(out)
		if next.IsZero() {
			break
		}
		if !next.After(w.now) {
			w.t.Fatalf("next tick at %v, now %v", next, w.now)
		}
		w.run(min(next.Sub(w.now), end.Sub(w.now)))
	}
}

func (w *world) wantLog(want ...string) {
	w.t.Helper()
	if !slices.Equal(w.log, want) {
		w.t.Errorf("it did %q, want %q", w.log, want)
	}
	w.log = nil
}

// count returns how many lines of the log begin with text.
func (w *world) count(text string) (n int) {
	for _, l := range w.log {
		if strings.HasPrefix(l, text) {
			n++
		}
	}
	return n
}

// wantCounts checks how many lines of the log begin with each text.
func (w *world) wantCounts(want map[string]int) {
	w.t.Helper()
	for text, n := range want {
		if got := w.count(text); got != n {
			w.t.Errorf("it did %q %d times, want %d: %q", text, got, n, w.log)
		}
	}
}

// entry returns an entry of a Go node about a gwyh 0.1 node.
func (w *world) entry(i int, s wire.State, incarnation uint64) *wire.Member {
	e := &wire.Member{State: s, ID: legacyID(i), Incarnation: incarnation, Name: []byte(Name(addr(1000 + i))), Addr: addr(1000 + i)}
	if s != wire.StateAlive {
		e.From = goID(7)
	}
	return e
}

func (w *world) weigh(e *wire.Member) Verdict {
	out, v := w.g.Weigh(w.out, w.now, w, &w.table, e, goID(8), false)
	w.do(out)
	return v
}
