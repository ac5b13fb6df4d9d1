package swim

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/timer"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// start is the time at which the tests create their Detectors.
var start = time.UnixMilli(1_700_000_000_000)

// goID returns the id of the i-th Go node, and legacyID that of the i-th legacy node.
func goID(i int) wire.NodeID     { return wire.NodeID{6: 0x80, 8: 0x80, 14: byte(i >> 8), 15: byte(i)} }
func legacyID(i int) wire.NodeID { return wire.NodeID{6: 0x40, 8: 0x80, 14: byte(i >> 8), 15: byte(i)} }

func addr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 6969)
}

// String returns the name of a kind for the messages of failed tests.
func (k Kind) String() string {
	return [...]string{"SendPing", "SendNotice", "SendProbeFor", "SendProbeResult", "Reach", "CheckPath", "Watch", "Spread",
		"DeclareDead", "RemoveAlone", "Refute", "EndLink", "TakeCensus", "DropLink", "Suspected", "NobodyHeard",
		"ProbeStarted", "HelpersAsked", "ProbeAnswered", "ProbeVouched", "ProbeFailed", "FailedTogether", "BackTogether"}[k]
}

// lan corresponds to memberlist's DefaultLANConfig.
var lan = Config{Heartbeat: time.Second, ProbeInterval: time.Second, ProbeTimeout: 500 * time.Millisecond, Subscriptions: 8,
	IndirectChecks: 3, SuspicionMult: 4, SuspicionMaxTimeoutMult: 6, AwarenessMaxMultiplier: 8}

// beatEvery is the time between the heartbeats of a lively peer.
const beatEvery = 100 * time.Millisecond

// A world is the Detector of node 0, its member table, a clock, and a core that carries out the actions that concern
// the Detector. It has no network: a test determines what arrives.
type world struct {
	t testing.TB
	*Detector
	members    members.Table
	now        time.Time
	order      timer.Heap
	lively     []int    // peers that send a heartbeat every beatEvery, which reports that they hear this node
	subscribed bool     // see HandleTimeout
	acts       []Action // since the last call of clear
	byID       map[wire.NodeID]int
}

// newWorld returns a world with the members 1 to n, which are not peers yet.
func newWorld(t testing.TB, n int, changes ...func(*Config)) *world {
	t.Helper()
	cfg := lan
	for _, change := range changes {
		change(&cfg)
	}
	w := &world{t: t, now: start, byID: map[wire.NodeID]int{}}
	w.members = members.NewTable(start, members.Config{Self: w.memberFor(goID(0), 0)})
	w.Detector = New(start, cfg, rand.New(rand.NewPCG(1, 1)), &w.members, &w.order)
	for i := 1; i <= n; i++ {
		w.join(goID(i), i)
	}
	return w
}

// newLinked returns a world with the members 1 to n, all of which are linked and lively.
func newLinked(t testing.TB, n int, changes ...func(*Config)) *world {
	t.Helper()
	w := newWorld(t, n, changes...)
	for i := 1; i <= n; i++ {
		w.link(i)
		w.lively = append(w.lively, i)
	}
	w.run(time.Second + beatEvery/2)
	w.clear()
	return w
}

func (w *world) memberFor(id wire.NodeID, i int) members.Member {
	w.byID[id] = i
	return members.Member{ID: id, Name: fmt.Sprint("node-", id), Addr: addr(i), Incarnation: uint64(start.UnixMilli())}
}

// join makes a node a member.
func (w *world) join(id wire.NodeID, i int) *members.Entry {
	m := members.NewEntry(id)
	m.Member = w.memberFor(id, i)
	w.members.Add(m)
	return m
}

// entry returns the entry of node i.
func (w *world) entry(i int) *members.Entry { return w.members.Get(goID(i)) }

// peer returns the peer of node i, and creates it if necessary.
func (w *world) peer(i int) *Peer { return w.peerOf(goID(i)) }

func (w *world) peerOf(id wire.NodeID) *Peer {
	if p := w.peers[id]; p != nil {
		return p
	}
	p := &Peer{ID: id, Heard: w.now}
	p.SetInterval(time.Second, w.cfg.ProbeInterval)
	w.AddPeer(p)
	return p
}

// link creates a link with node i.
func (w *world) link(i int) *Peer {
	p := w.peer(i)
	w.LinkUp(w.now, p)
	return p
}

// silence stops the heartbeats of some peers.
func (w *world) silence(peers ...int) {
	w.lively = slices.DeleteFunc(w.lively, func(i int) bool { return slices.Contains(peers, i) })
}

// do carries out the actions of one input.
func (w *world) do(out []Action) {
	w.t.Helper()
	if w.out != nil {
		w.t.Fatal("the Detector keeps the caller's buffer")
	}
	for _, a := range out {
		w.acts = append(w.acts, a)
		switch a.Kind {
		case DeclareDead, RemoveAlone:
			w.fail(a.Member)
		case EndLink, DropLink:
			w.LinkDown(a.Peer)
		case TakeCensus:
			w.StartCensus(w.now)
		case Spread:
			w.PassedOn(a.Member)
		}
	}
}

// fail makes a member a tombstone.
func (w *world) fail(m *members.Entry) {
	w.members.Fail(w.now, m, w.self.ID)
	w.EndSuspicion(m)
	if p := w.peers[m.ID]; p != nil && p.linked {
		w.LinkDown(p)
	}
}

// run lets d pass. The lively peers send heartbeats, and due timers run.
func (w *world) run(d time.Duration) {
	w.t.Helper()
	for end := w.now.Add(d); ; {
		next := w.now.Truncate(beatEvery).Add(beatEvery)
		beat := !next.After(end)
		if !beat {
			next = end
		}
		w.runTo(next)
		if !beat {
			return
		}
		for _, i := range w.lively {
			w.beat(i)
		}
	}
}

// runTo runs the timers that are due up to a time.
func (w *world) runTo(then time.Time) {
	w.t.Helper()
	for at := w.NextTimeout(); !at.After(then); at = w.NextTimeout() {
		if at.After(w.now) {
			w.now = at
		}
		w.do(w.HandleTimeout(nil, w.now, w.subscribed))
	}
	w.now = then
}

// beat delivers a heartbeat of node i, which reports that node i has just heard this node.
func (w *world) beat(i int) {
	w.t.Helper()
	p := w.peer(i)
	w.HearPacket(w.now, p)
	w.do(w.HearReport(nil, w.now, p, 0, 0))
}

// hear delivers a packet of node i that does not show whether node i hears this node.
func (w *world) hear(i int) { w.HearPacket(w.now, w.peer(i)) }

// answer makes node i answer what is sent to it now.
func (w *world) answer(i int) {
	w.t.Helper()
	w.hear(i)
	w.do(w.HearAnswer(nil, w.now, w.peer(i), w.now))
}

// accuse delivers an accusation of node i by another node, as if a peer had passed it on.
func (w *world) accuse(by, i int) {
	w.t.Helper()
	w.do(w.HandleAccusation(nil, w.now, w.entry(i), w.entry(i).Incarnation, goID(by), w.peer(by)))
}

func (w *world) clear() { w.acts = nil }

// all returns the actions of a kind since the last call of clear.
func (w *world) all(k Kind) (found []Action) {
	for _, a := range w.acts {
		if a.Kind == k {
			found = append(found, a)
		}
	}
	return found
}

// targets returns the nodes that the actions of a kind are about.
func (w *world) targets(k Kind) (nodes []int) {
	for _, a := range w.all(k) {
		nodes = append(nodes, w.target(&a))
	}
	return nodes
}

func (w *world) target(a *Action) int {
	switch {
	case a.Kind == SendProbeFor || a.Kind == SendProbeResult:
		return w.byID[a.Peer.ID]
	case a.Member != nil:
		return w.byID[a.Member.ID]
	case a.Peer != nil:
		return w.byID[a.Peer.ID]
	}
	return w.byID[a.ID]
}

// want fails the test unless exactly these actions came since the last call of clear. Then it clears them.
func (w *world) want(kinds ...Kind) {
	w.t.Helper()
	var got []Kind
	for _, a := range w.acts {
		got = append(got, a.Kind)
	}
	if !slices.Equal(got, kinds) {
		w.t.Fatalf("after %v: actions %v, want %v", w.now.Sub(start), got, kinds)
	}
	w.clear()
}

// wantTargets fails the test unless the actions of a kind are about these nodes, in any order.
func (w *world) wantTargets(k Kind, nodes ...int) {
	w.t.Helper()
	got := w.targets(k)
	slices.Sort(got)
	if !slices.Equal(got, nodes) {
		w.t.Fatalf("after %v: %v of %v, want %v", w.now.Sub(start), k, got, nodes)
	}
}

// wantState fails the test unless node i has the given state.
func (w *world) wantState(i int, s wire.State) {
	w.t.Helper()
	if m := w.entry(i); m.State != s || w.Suspects(m) != (s == wire.StateSuspect) {
		w.t.Fatalf("after %v: node %d is %v, suspected: %v, want %v", w.now.Sub(start), i, m.State, w.Suspects(m), s)
	}
}

// until runs until a condition holds, and returns the time it took. It fails the test if that is longer than most.
func (w *world) until(most time.Duration, holds func() bool) time.Duration {
	w.t.Helper()
	began := w.now
	for !holds() {
		if w.now.Sub(began) >= most {
			w.t.Fatalf("not after %v", most)
		}
		w.run(10 * time.Millisecond)
	}
	return w.now.Sub(began)
}

// dead reports whether node i is a tombstone.
func (w *world) dead(i int) func() bool { return func() bool { return !w.entry(i).Live() } }
