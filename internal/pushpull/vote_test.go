package pushpull

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// asksAlive returns two nodes; the first one asks its application, which answers slowly, about nodes.
func asksAlive(t *testing.T) (*world, *node) {
	w := newWorld(t, 2, func(i int, c *Config) { c.AskAlive = i == 0 })
	w.nodes[0].slow = true
	return w, w.nodes[0]
}

// said returns an alive entry of a node without a session.
func said(i int, incarnation uint64, meta string) Entry {
	return Entry{Member: members.Member{ID: wire.NodeID{1: byte(i >> 8), 2: byte(i), 6: 0x80}, Name: fmt.Sprint("stranger-", i),
		Addr: nodeAddr(i), Meta: []byte(meta), Incarnation: incarnation}}
}

func (n *node) hear(e Entry, from *Peer) {
	if from != nil {
		e.From = from.ID
	}
	n.do(n.x.AskAlive(n.out, e))
}

// PROTOCOL.md M10.
func TestNewestEntryOfANameIsAskedAboutAfterTheFirst(t *testing.T) {
	w, n := asksAlive(t)
	for i, meta := range []string{"first", "second", "third", "second"} {
		n.hear(said(0, []uint64{1, 2, 3, 2}[i], meta), nil)
	}
	if len(n.asked) != 1 || string(n.asked[0].Member.Meta) != "first" {
		t.Fatalf("asked %+v", n.asked)
	}
	n.answer(n.asked[0])
	if len(n.asked) != 2 || string(n.asked[1].Member.Meta) != "third" {
		t.Fatalf("asked %+v", n.asked)
	}
	n.answer(n.asked[1])
	if m := n.table.Named("stranger-0"); m == nil || string(m.Meta) != "third" {
		t.Errorf("%+v", m)
	}
	w.idle()
}

func TestNamesThatWaitForAVerdictAreBounded(t *testing.T) {
	w, n := asksAlive(t)
	for i := range 2 * VotesMax {
		n.hear(said(i, 1, ""), nil)
	}
	switch votes := n.x.Load().Votes; {
	case votes != VotesMax:
		t.Errorf("%v questions wait, want %v", votes, VotesMax)
	case len(n.asked) != VotesMax:
		t.Errorf("%v questions were asked, want %v", len(n.asked), VotesMax)
	case n.x.Stats.Crowded != VotesMax:
		t.Errorf("%v questions were left out, want %v", n.x.Stats.Crowded, VotesMax)
	}
	for _, o := range n.asked {
		n.answer(o)
	}
	if n.table.Count() != 1+VotesMax {
		t.Errorf("%d members", n.table.Count())
	}
	w.idle()
}

func TestVetoKeepsANodeOutAndIsCounted(t *testing.T) {
	w, n := asksAlive(t)
	p := n.peers[1]
	n.alive[nodeName(1)] = errNo
	n.hear(Entry{Member: memberNo(1), From: p.ID}, p)
	if !p.Asked() {
		t.Error("the peer is not being decided about")
	}
	n.answer(n.asked[0])
	switch {
	case p.Asked():
		t.Error("the peer is still decided about")
	case !p.Vetoed:
		t.Error("the peer is not kept out")
	case n.table.IsLive(p.ID):
		t.Error("the peer is a member")
	case n.x.Stats.Vetoed != 1:
		t.Errorf("%v vetoes were counted, want 1", n.x.Stats.Vetoed)
	}
	n.alive[nodeName(1)] = nil
	again := memberNo(1)
	again.Incarnation++
	n.hear(Entry{Member: again, From: p.ID}, p)
	n.answer(n.asked[1])
	if p.Vetoed || !n.table.IsLive(p.ID) {
		t.Errorf("vetoed %t, member %t after the application changed its mind", p.Vetoed, n.table.IsLive(p.ID))
	}
	w.idle()
}

func TestVetoAgainstWhatIsNewOfAMemberLeavesTheMember(t *testing.T) {
	w, n := asksAlive(t)
	w.acquaint()
	n.alive[nodeName(1)] = errNo
	changed := memberNo(1)
	changed.Meta = []byte("new")
	n.hear(Entry{Member: changed}, n.peers[1])
	n.answer(n.asked[0])
	switch m := n.table.Get(nodeID(1)); {
	case n.peers[1].Vetoed:
		t.Error("the peer is kept out")
	case !m.Live():
		t.Error("the member is gone")
	case len(m.Meta) != 0:
		t.Errorf("the metadata has %v bytes, want 0", len(m.Meta))
	}
}

func TestPeerThatSubscribesMeanwhileIsRememberedForItsNewestEntry(t *testing.T) {
	_, n := asksAlive(t)
	p := n.peers[1]
	n.hear(Entry{Member: memberNo(1)}, p)
	p.Subscribe()
	newer := memberNo(1)
	newer.Incarnation = 5
	n.hear(Entry{Member: newer}, p)
	n.answer(n.asked[0])
	if slices.Contains(n.log, "1 subscribes") {
		t.Error("the request is answered before the newest entry is decided about")
	}
	if len(n.asked) != 2 {
		t.Fatalf("%d questions, want 2", len(n.asked))
	}
	n.answer(n.asked[1])
	if !slices.Contains(n.log, "1 subscribes") {
		t.Errorf("the request is forgotten: %q", n.log)
	}
}

func TestPeerThatRepeatsAQuestionThatWaitsIsTiedToIt(t *testing.T) {
	_, n := asksAlive(t)
	e := Entry{Member: memberNo(1)}
	n.do(n.x.RemovePeer(n.out, n.peers[1]))
	n.do(n.x.AskAlive(n.out, e)) // before there is a session with it
	n.x.AddPeer(n.peers[1])
	if n.peers[1].Asked() {
		t.Fatal("it is tied to a question that came before it")
	}
	n.hear(e, n.peers[1])
	if !n.peers[1].Asked() || len(n.asked) != 1 {
		t.Errorf("tied %t, asked %d times", n.peers[1].Asked(), len(n.asked))
	}
}

func TestJoinCountsTheQuestionsThatItWaitsFor(t *testing.T) {
	_, n := asksAlive(t)
	j := n.x.NewJoin(7)
	for i := range 3 {
		e := said(i, 1, "")
		e.Join = j
		n.hear(e, nil)
	}
	if j.Votes != 3 || n.asked[0].Join != j {
		t.Errorf("%d questions", j.Votes)
	}
}

func TestAnswerToAQuestionThatDoesNotWaitIsIgnored(t *testing.T) {
	_, n := asksAlive(t)
	if v := n.x.AnswerAlive(&n.table, 99, errNo); v != nil || n.x.Stats.Vetoed != 0 {
		t.Errorf("%+v, %d vetoes", v, n.x.Stats.Vetoed)
	}
	n.hear(said(1, 1, ""), nil)
	if n.x.AnswerAlive(&n.table, n.asked[0].Vote, nil) == nil || n.x.AnswerAlive(&n.table, n.asked[0].Vote, nil) != nil {
		t.Error("the answer counts other than once")
	}
}

func TestStateOfANodeWaitsForTheVerdict(t *testing.T) {
	w, n := asksAlive(t)
	w.nodes[1].add(memberNo(0))
	p := n.peers[1]
	n.hear(Entry{Member: memberNo(1), From: p.ID}, p)
	n.do(n.x.Introduced(n.out, w.now, &n.table, p))
	w.pushPull(1, 0)
	w.deliver()
	n.slow = false
	n.answer(n.asked[1]) // the question about the state
	w.deliver()
	w.wantMerged(0)
	n.answer(n.asked[0])
	w.wantMerged(0, "state of 1")
	w.idle()
}

func TestVerdictIsNeededForWhatIsNewOnly(t *testing.T) {
	w, n := asksAlive(t)
	w.acquaint()
	m := n.table.Get(nodeID(1))
	for _, c := range []struct {
		name  string
		m     *members.Entry
		tweak func(e *wire.Member)
		want  bool
	}{
		{"stranger", nil, func(*wire.Member) {}, true},
		{"member that is alive", m, func(e *wire.Member) { e.Incarnation++ }, false},
		{"member with other metadata", m, func(e *wire.Member) { e.Meta = []byte("new") }, true},
		{"member at another address", m, func(e *wire.Member) { e.Addr = nodeAddr(5) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var e wire.Member
			m.Fill(&e)
			c.tweak(&e)
			if got := n.x.NeedsVerdict(c.m, &e); got != c.want {
				t.Errorf("needs a verdict: %t, want %t", got, c.want)
			}
		})
	}
	t.Run("approved when it joined", func(t *testing.T) {
		var e wire.Member
		m.Fill(&e)
		approved := m.Member
		n.peers[1].approved = &approved
		if n.x.NeedsVerdict(nil, &e) {
			t.Error("the application is asked again")
		}
		if e.Incarnation++; !n.x.NeedsVerdict(nil, &e) {
			t.Error("another entry counts as approved")
		}
	})
	t.Run("no AliveDelegate", func(t *testing.T) {
		var e wire.Member
		if w.nodes[1].x.NeedsVerdict(nil, m.Fill(&e)) {
			t.Error("an application is asked that has no AliveDelegate")
		}
	})
}

func TestJoinNoLongerWaitsForAVerdictThatWasGiven(t *testing.T) {
	_, n := asksAlive(t)
	j := n.x.NewJoin(7)
	for i := range 2 {
		e := said(i, 1, "")
		e.Join = j
		n.hear(e, nil)
	}
	n.answer(n.asked[0])
	if !j.Deciding() {
		t.Error("it waits for no verdict, but one is missing")
	}
	n.alive[n.asked[1].Member.Name] = errNo
	n.answer(n.asked[1])
	if j.Deciding() {
		t.Errorf("it waits for %d verdicts", j.Votes)
	}
}
