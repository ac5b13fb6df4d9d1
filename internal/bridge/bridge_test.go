package bridge

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/antientropy"
	"github.com/gwyh-go/gwyh/internal/entries"
	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/legacy"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/pair"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// A world is the node A with a Bridge, two gwyh 0.1 nodes, and the Go node B.
type world struct {
	*pair.World
	*Bridge
	gateway *legacy.Gateway
	dials   *joining.Dials
	one     *old
	two     *old
	got     []wire.Member // entries that B received
}

// old is a gwyh 0.1 node with the state that A keeps about it.
type old struct {
	*pair.Legacy
	overlay overlay.Peer
	push    pushpull.Peer
	legacy  *legacy.Peer
}

func newWorld(t *testing.T) *world {
	w := &world{World: pair.New(t), dials: joining.NewDials()}
	n := w.A
	e := entries.New(entries.Config{Delivery: n.Delivery, Members: &n.Members, Detector: n.Detector, Comparer: antientropy.New(n.RNG), IDs: &n.IDs,
		Timers: &n.Timers, Report: n.Report, Stats: &n.Stats})
	w.gateway = legacy.New(legacy.Config{Admits: true, Subscriptions: 5}, n.RNG)
	w.Bridge = New(Config{Gateway: w.gateway, Delivery: n.Delivery, Entries: e, Members: &n.Members, Dials: w.dials, IDs: &n.IDs, Report: n.Report,
		Overlay: overlay.New(w.Now, overlay.Config{Subscriptions: 5}, &n.Members, n.RNG)})
	w.one, w.two = w.add(1), w.add(2)
	w.B.Handle = func(_ pair.Arrival, m *wire.Message) {
		if m.Kind != wire.KindMembers {
			return
		}
		it := wire.IterMembers(m.Data)
		for e := (wire.Member{}); it.Next(&e); {
			w.got = append(w.got, wire.Member{State: e.State, ID: e.ID, Incarnation: e.Incarnation, From: e.From})
		}
	}
	return w
}

// add adds a gwyh 0.1 peer with a link.
func (w *world) add(i byte) *old {
	o := &old{Legacy: w.A.AddLegacy(i)}
	o.overlay.Init(o.ID)
	o.push.ID = o.ID
	o.legacy = w.Bridge.Add(o.Peer, &o.overlay, &o.push)
	w.A.Delivery.Link(w.Now, o.Peer)
	w.A.Delivery.Admit(w.Now, o.Peer)
	return o
}

func (w *world) linkGo() {
	w.A.Delivery.Link(w.Now, w.A.Peer)
	w.A.Delivery.Broadcasts.LinkBegan(w.Now, w.A.Peer)
}

func (w *world) perform(t *testing.T, o legacy.Outcome) {
	t.Helper()
	if !w.Perform(w.Now, &o) {
		t.Fatalf("outcome %d is left to the caller", o.Kind)
	}
	w.Run(time.Second)
}

// stranger is a gwyh 0.1 node without a session.
var stranger = wire.Peer{ID: wire.NodeID{7, 6: 0x40}, Addr: netip.MustParseAddrPort("10.3.0.7:6969")}

func TestGatewaySendsItsPeersWhatTheyExpect(t *testing.T) {
	for _, c := range []struct {
		name    string
		outcome legacy.Outcome
		want    wire.Kind
	}{
		{"ping", legacy.Outcome{Kind: legacy.Ping}, wire.KindFrame},
		{"request", legacy.Outcome{Kind: legacy.Request, Request: wire.KindPeerList}, wire.KindPeerList},
		{"subscription again", legacy.Outcome{Kind: legacy.Resubscribe}, wire.KindStartSubscription},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			c.outcome.Peer = w.one.legacy
			w.perform(t, c.outcome)
			if want := []wire.Kind{c.want}; !slices.Equal(w.one.Kinds(), want) {
				t.Errorf("it got %v, want %v", w.one.Kinds(), want)
			}
			if len(w.two.Got) != 0 {
				t.Errorf("the other node got %v", w.two.Kinds())
			}
		})
	}
}

func TestSubscriptionThatIsRepeatedIsRequestedNow(t *testing.T) {
	w := newWorld(t)
	w.Run(time.Minute)
	w.perform(t, legacy.Outcome{Kind: legacy.Resubscribe, Peer: w.one.legacy})
	if got := w.Contact(w.Now, w.one.legacy).AskedAt; !got.Equal(w.Now.Add(-time.Second)) {
		t.Errorf("requested at %v, now is %v", got, w.Now)
	}
}

func TestOutcomesThatChangeTheNodeAreTheCallers(t *testing.T) {
	w := newWorld(t)
	for _, k := range []legacy.OutcomeKind{legacy.Subscribe, legacy.Serve, legacy.Confirmed, legacy.EndLink, legacy.Shake, legacy.Dial, legacy.ContactAddr,
		legacy.ContactNode, legacy.Choose, legacy.Avoid, legacy.Introduce, legacy.Renewed, legacy.Dead, legacy.StatusArrived} {
		if w.Perform(w.Now, &legacy.Outcome{Kind: k, Peer: w.one.legacy}) {
			t.Errorf("outcome %d was executed", k)
		}
	}
	if n := w.A.Lose(); n != 0 {
		t.Errorf("%d datagrams", n)
	}
}

func TestStatusIsPassedOnExceptToItsSourceAndItsSubject(t *testing.T) {
	for _, c := range []struct {
		name     string
		from     func(w *world) wire.NodeID
		of       func(w *world) wire.Peer
		one, two int
	}{
		{"from one", func(w *world) wire.NodeID { return w.one.ID }, func(*world) wire.Peer { return stranger }, 0, 1},
		{"about two", func(*world) wire.NodeID { return wire.NodeID{} }, func(w *world) wire.Peer { return wire.Peer{ID: w.two.ID, Addr: w.two.Path.Remote} }, 1, 0},
		{"another address family", func(*world) wire.NodeID { return wire.NodeID{} }, func(*world) wire.Peer {
			return wire.Peer{ID: stranger.ID, Addr: netip.MustParseAddrPort("[2001:db8::1]:6969")}
		}, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.linkGo()
			w.perform(t, legacy.Outcome{Kind: legacy.PassStatus, Status: wire.MessageID{5}, From: c.from(w), Of: c.of(w), Up: true})
			if got := len(w.one.Got); got != c.one {
				t.Errorf("node 1 got %d, want %d", got, c.one)
			}
			if got := len(w.two.Got); got != c.two {
				t.Errorf("node 2 got %d, want %d", got, c.two)
			}
			if slices.Contains(w.B.Kinds, wire.KindPeerStatus) {
				t.Error("the Go node got it")
			}
		})
	}
}

func TestOwnAnnouncementIsNoNewsWhenItComesBack(t *testing.T) {
	w := newWorld(t)
	w.Announce(w.Now, stranger, false)
	w.Run(time.Second)
	if len(w.one.Got) != 1 {
		t.Fatalf("it got %v", w.one.Kinds())
	}
	if w.IsNews(w.Now, &legacy.Outcome{Status: w.one.Got[0].ID, From: w.two.ID}) {
		t.Error("it is news")
	}
}

func TestStatusIsNewsOnceAndOnlyFromAPeer(t *testing.T) {
	w := newWorld(t)
	o := &legacy.Outcome{Status: wire.MessageID{5}, From: w.one.ID}
	if w.IsNews(w.Now, &legacy.Outcome{Status: o.Status, From: stranger.ID}) {
		t.Error("the status of a node without a session is news")
	}
	if !w.IsNews(w.Now, o) {
		t.Error("the first copy is no news")
	}
	if w.IsNews(w.Now, o) {
		t.Error("the second copy is news")
	}
}

func TestDepartureIsReportedAsDown(t *testing.T) {
	w := newWorld(t)
	w.Leave(w.Now)
	w.Run(time.Second)
	for i, o := range []*old{w.one, w.two} {
		if len(o.Got) != 1 {
			t.Fatalf("node %d got %v", i+1, o.Kinds())
		}
		of, up, err := wire.ParsePeerStatus(o.Got[0].Data)
		if err != nil || up || of.ID != w.A.ID {
			t.Errorf("node %d got a status of %v, up %t (%v)", i+1, of.ID, up, err)
		}
	}
}

// member makes a gwyh 0.1 node a member of A.
func (w *world) member() *members.Entry {
	return w.A.Add(&wire.Member{State: wire.StateAlive, ID: stranger.ID, Incarnation: 5, Name: []byte(legacy.Name(stranger.Addr)), Addr: stranger.Addr, Named: 5})
}

func TestQuestionGoesToLinkedGoNodesExceptItsSender(t *testing.T) {
	for _, c := range []struct {
		name string
		from func(w *world) wire.NodeID
		want int
	}{
		{"own", func(*world) wire.NodeID { return wire.NodeID{} }, 1},
		{"of the Go node", func(w *world) wire.NodeID { return w.B.ID }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.linkGo()
			w.perform(t, legacy.Outcome{Kind: legacy.PassQuestion, Member: w.member(), Incarnation: 5, By: w.A.ID, From: c.from(w)})
			if got := len(w.got); got != c.want {
				t.Errorf("it got %d entries %+v, want %d", got, w.got, c.want)
			}
			if n := len(w.one.Got); n != 0 {
				t.Errorf("a gwyh 0.1 node got %d messages", n)
			}
		})
	}
}

func TestEntryAnswersTheGoNodeThatLacksIt(t *testing.T) {
	w := newWorld(t)
	w.perform(t, legacy.Outcome{Kind: legacy.SendEntry, Member: w.member(), ID: w.B.ID})
	if len(w.got) != 1 || w.got[0].ID != stranger.ID || w.got[0].State != wire.StateAlive {
		t.Errorf("it got %+v", w.got)
	}
	w.perform(t, legacy.Outcome{Kind: legacy.SendEntry, Member: w.A.Members.Get(stranger.ID), ID: wire.NodeID{8, 6: 0x80}}) // it is gone
	if len(w.got) != 1 {
		t.Errorf("it got %+v", w.got)
	}
}

func TestContactShowsTheSession(t *testing.T) {
	w := newWorld(t)
	c := w.Contact(w.Now, w.one.legacy)
	if !c.Session {
		t.Error("there is no session")
	}
	if c.Remote != w.one.Path.Remote {
		t.Errorf("it is at %v, want %v", c.Remote, w.one.Path.Remote)
	}
	w.Bridge.Remove(w.one.legacy)
	if c := w.Contact(w.Now, w.one.legacy); c != (legacy.Contact{}) {
		t.Errorf("after its removal: %+v", c)
	}
	if w.gateway.Peer(w.one.ID) != nil {
		t.Error("the gateway keeps a peer that was removed")
	}
}

func TestHandshakesInProgressAreSeen(t *testing.T) {
	w := newWorld(t)
	if w.Dialing(stranger.ID) {
		t.Error("a handshake is in progress before it began")
	}
	w.dials.Add(1, joining.Dial{Member: stranger.ID})
	if !w.Dialing(stranger.ID) {
		t.Error("no handshake is in progress")
	}
}

func TestNodeThatIsConsideredDownLogsIt(t *testing.T) {
	w := newWorld(t)
	w.A.Events.Take()
	w.perform(t, legacy.Outcome{Kind: legacy.CalledDown})
	if lines := w.A.Warnings(); len(lines) != 1 {
		t.Errorf("log %q, want one line", lines)
	}
}
