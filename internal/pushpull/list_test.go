package pushpull

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

var errNo = errors.New("no, said the application")

func askMerge(_ int, c *Config) { c.AskMerge, c.State = true, false }

func TestNodesThatJudgeNobodyAgreeAtOnce(t *testing.T) {
	w := newWorld(t, 2, func(_ int, c *Config) { c.State = false })
	j := w.join(1, 0)
	if !j.Agreed || len(w.mail) != 0 {
		t.Errorf("agreed %t, %d messages", j.Agreed, len(w.mail))
	}
}

func TestBothApplicationsJudgeTheListsOfTheOtherSide(t *testing.T) {
	w := newWorld(t, 3, askMerge)
	w.nodes[0].add(memberNo(2))
	j := w.join(1, 0)
	w.deliver()
	w.wantLog(0, "list of 1, node true", "NotifyMerge of 1")
	w.wantLog(1, "list of 2, node true", "NotifyMerge of 2", "agreed")
	if !j.Agreed {
		t.Error("they did not agree")
	}
	w.sync(1, j)
	if got := w.nodes[1].ended; len(got) != 1 || got[0] != nil {
		t.Errorf("the Joins ended with %v", got)
	}
	w.idle()
}

// PROTOCOL.md B6.
func TestVetoOfEitherApplicationFailsTheJoin(t *testing.T) {
	for at := range 2 {
		for _, both := range []bool{false, true} {
			w := newWorld(t, 2, func(i int, c *Config) { c.AskMerge = both || i == at })
			w.nodes[at].merge = errNo
			w.join(1, 0)
			w.deliver()
			err := errors.Join(w.nodes[1].ended...)
			veto, vetoed := errors.AsType[*VetoError](err)
			if at == 1 && !errors.Is(err, errNo) {
				t.Errorf("veto of the node that joins: %v", err)
			}
			if at == 0 && (!vetoed || veto.Reason != errNo.Error()) {
				t.Errorf("veto of the other node: %v", err)
			}
			if n := w.nodes[at]; !n.peers[1-at].Vetoed || n.x.Stats.Vetoed != 1 {
				t.Errorf("node %d: vetoed %t, %d counted", at, n.peers[1-at].Vetoed, n.x.Stats.Vetoed)
			}
			w.idle()
		}
	}
}

// PROTOCOL.md B6.
func TestLongReasonIsCut(t *testing.T) {
	w := newWorld(t, 2, askMerge)
	w.nodes[0].merge = errors.New(strings.Repeat("x", 10*wire.ReasonMax))
	w.join(1, 0)
	w.deliver()
	veto, ok := errors.AsType[*VetoError](errors.Join(w.nodes[1].ended...))
	if !ok || len(veto.Reason) != wire.ReasonMax {
		t.Errorf("%v", w.nodes[1].ended)
	}
	if !strings.Contains(veto.Error(), "the other side refuses") {
		t.Error(veto)
	}
}

func TestNodeItselfMayRefuseTheOtherEndOfAJoin(t *testing.T) {
	w := newWorld(t, 2, func(i int, c *Config) { c.Judges, c.State = i == 0, false })
	w.nodes[0].refuses = errors.New("wrong address")
	w.join(1, 0)
	w.deliver()
	w.wantLog(0, "list of 1, node true", "vetoed here: wrong address")
	if got := errors.Join(w.nodes[1].ended...); got == nil || !strings.Contains(got.Error(), "wrong address") {
		t.Errorf("the Join ended with %v", got)
	}
	w.idle()
}

func TestVetoAgainstAMemberLeavesItALink(t *testing.T) {
	w := newWorld(t, 2, askMerge)
	w.acquaint()
	w.nodes[0].merge = errNo
	w.join(1, 0)
	w.deliver()
	if w.nodes[0].peers[1].Vetoed {
		t.Error("a live member is kept out")
	}
}

func TestListHasTombstonesOnlyIfAllMembersAreJudged(t *testing.T) {
	for _, ask := range []bool{false, true} {
		w := newWorld(t, 4, func(_ int, c *Config) { c.AskMerge, c.AskAlive = ask, true })
		n := w.nodes[0]
		n.add(memberNo(2))
		n.add(memberNo(3))
		n.remove(2, wire.StateDead)
		n.remove(3, wire.StateLeft)
		states := statesOf(t, n.x.memberList(&n.table, n.peers[1]))
		want := []string{"node-0 alive"}
		if ask {
			want = append(want, "node-2 dead", "node-3 left")
		}
		if !slices.Equal(states, want) {
			t.Errorf("ask %t: %q, want %q", ask, states, want)
		}
	}
}

func statesOf(t *testing.T, list []byte) (states []string) {
	t.Helper()
	if err := wire.ParseMemberList(list, func(m *wire.Member) bool {
		states = append(states, string(m.Name)+" "+m.State.String())
		return true
	}); err != nil {
		t.Fatal(err)
	}
	return states
}

// A list of all members is needed only if applications judge clusters, or for versions (PROTOCOL.md B5).
func TestNodesThatJudgeOnlyEachOtherSendOnlyThemselves(t *testing.T) {
	for _, merge := range []bool{false, true} {
		w := newWorld(t, 10, func(_ int, c *Config) { c.AskAlive, c.AskMerge = true, merge })
		w.acquaint()
		n := w.nodes[0]
		sent := statesOf(t, n.x.memberList(&n.table, n.peers[1]))
		if want := map[bool]int{false: 1, true: 10}[merge]; len(sent) != want || sent[0] != "node-0 alive" {
			t.Errorf("asked about clusters %t: %q", merge, sent)
		}
	}
}

func TestListShowsSuspectedMembersAsSuspected(t *testing.T) {
	w := newWorld(t, 3, askMerge)
	n := w.nodes[0]
	m := memberNo(2)
	m.State = wire.StateSuspect
	n.add(m)
	if got := statesOf(t, n.x.memberList(&n.table, n.peers[1])); !slices.Equal(got, []string{"node-0 alive", "node-2 suspect"}) {
		t.Errorf("%q", got)
	}
}

// PROTOCOL.md B5.
func TestListHasAtMostTheNewestTombstones(t *testing.T) {
	w := newWorld(t, 2, askMerge)
	n := w.nodes[0]
	for i := range tombstonesMax + 10 {
		m := members.NewEntry(wire.NodeID{1: byte(i >> 8), 2: byte(i), 6: 0x80})
		m.Name, m.Addr, m.State = "gone", nodeAddr(i), wire.StateLeft
		n.table.Remove(w.now, m)
	}
	if got := len(statesOf(t, n.x.memberList(&n.table, n.peers[1]))); got != tombstonesMax+1 {
		t.Errorf("%d entries", got)
	}
}

func TestListThatIsTooLargeFailsTheJoinOnEitherSide(t *testing.T) {
	for side := range 2 {
		w := newWorld(t, 2, askMerge)
		for i := range messageMax / 100 {
			m := members.NewEntry(wire.NodeID{1: byte(i >> 8), 2: byte(i), 6: 0x80})
			m.Name, m.Addr, m.Meta, m.Versions = "many", nodeAddr(i), make([]byte, 100), goodFit
			w.nodes[side].table.Add(m)
		}
		w.join(1, 0)
		w.deliver()
		if got := errors.Join(w.nodes[1].ended...); got == nil || !strings.Contains(got.Error(), "the list of all members has") {
			t.Errorf("too large at node %d: %v", side, got)
		}
		w.idle()
	}
}

func TestMalformedListEndsTheExchange(t *testing.T) {
	w := newWorld(t, 2, askMerge)
	n := w.nodes[0]
	n.take(letter{from: 1, use: wire.UseMemberList, id: wire.MessageID{1}, data: []byte("not a list")})
	if n.x.Stats.Malformed != 1 {
		t.Errorf("%+v", n.x.Stats)
	}
	w.idle()
}

func TestMalformedAnswerWithAListFailsTheJoin(t *testing.T) {
	w := newWorld(t, 2, askMerge)
	w.join(1, 0)
	push := w.mail[0]
	w.mail = nil
	w.nodes[1].take(letter{from: 0, use: wire.UseMemberListAnswer, id: answerID(push.id), data: []byte("not a list")})
	if got := w.nodes[1].ended; len(got) != 1 || got[0] == nil {
		t.Errorf("the Joins ended with %v", got)
	}
	w.idle()
}

func TestEachEndAsksItsApplicationAboutTheOtherOne(t *testing.T) {
	w := newWorld(t, 2, func(_ int, c *Config) { c.AskAlive, c.State = true, false })
	j := w.join(1, 0)
	w.deliver()
	w.wantLog(0, "list of 1, node true", "NotifyAlive node-1")
	w.wantLog(1, "list of 1, node true", "NotifyAlive node-0", "agreed")
	for i := range 2 {
		other := w.nodes[1-i].table.Self()
		if !w.nodes[i].peers[1-i].approves(other.Fill(new(wire.Member))) {
			t.Errorf("node %d would ask about the other one again", i)
		}
	}
	w.sync(1, j)
	w.idle()
	for i := range 2 {
		if w.nodes[i].peers[1-i].approved != nil {
			t.Errorf("node %d: still approved after it became a member", i)
		}
	}
}

func TestEntryThatDiffersFromTheApprovedOneIsNotApproved(t *testing.T) {
	m := memberNo(1)
	p := &Peer{ID: m.ID, approved: &m}
	for what, change := range map[string]func(e *members.Entry){
		"":                    func(*members.Entry) {},
		"another incarnation": func(e *members.Entry) { e.Incarnation++ },
		"another address":     func(e *members.Entry) { e.Addr = nodeAddr(9) },
		"other metadata":      func(e *members.Entry) { e.Meta = []byte("new") },
		"another name":        func(e *members.Entry) { e.Name = "new" },
		"a zone":              func(e *members.Entry) { e.Zone = wire.Zone{Name: "a", Valid: true} },
		"other versions":      func(e *members.Entry) { e.Versions[5]++ },
	} {
		e := members.Entry{Member: m}
		change(&e)
		if got := p.approves(e.Fill(new(wire.Member))); got != (what == "") {
			t.Errorf("%s: approved %t", what, got)
		}
	}
}

func TestVetoAgainstTheOtherEndFailsTheJoin(t *testing.T) {
	for at := range 2 {
		w := newWorld(t, 2, func(i int, c *Config) { c.AskAlive, c.State = i == at, false })
		w.nodes[at].alive[nodeName(1-at)] = errNo
		w.join(1, 0)
		w.deliver()
		if got := errors.Join(w.nodes[1].ended...); got == nil || !strings.Contains(got.Error(), errNo.Error()) {
			t.Errorf("veto of node %d: %v", at, got)
		}
		w.idle()
	}
}

func TestMergeIsAskedAboutBeforeTheNode(t *testing.T) {
	w := newWorld(t, 2, func(i int, c *Config) { c.AskAlive, c.AskMerge, c.State = i == 0, i == 0, false })
	w.join(1, 0)
	w.deliver()
	w.wantLog(0, "list of 1, node true", "NotifyMerge of 1", "NotifyAlive node-1")
}

func TestLateAnswersAboutAMergeThatIsOverAreIgnored(t *testing.T) {
	w := newWorld(t, 2, askMerge)
	n := w.nodes[0]
	n.slow = true
	j := w.join(1, 0)
	w.deliver()
	token := n.asked[0].Token
	w.nodes[1].end(&j.Join, nil)
	n.do(n.x.RemovePeer(n.out, n.peers[1]))
	n.do(n.x.AnswerMerge(n.out, w.now, &n.table, token, nil))
	n.do(n.x.AnswerMerge(n.out, w.now, &n.table, token, errNo))
	w.wantLog(0, "list of 1, node true")
	w.idle()
}

func TestSecondAnswerAboutAMergeIsIgnored(t *testing.T) {
	w := newWorld(t, 2, func(i int, c *Config) { c.AskMerge, c.AskAlive, c.State = i == 0, i == 0, false })
	n := w.nodes[0]
	n.slow = true
	w.join(1, 0)
	w.deliver()
	token := n.asked[0].Token
	n.do(n.x.AnswerMerge(n.out, w.now, &n.table, token, nil))
	n.do(n.x.AnswerMerge(n.out, w.now, &n.table, token, errNo)) // the node is asked about in the meantime
	if len(n.asked) != 2 || n.asked[1].Kind != AliveAsked {
		t.Fatalf("asked %d times", len(n.asked))
	}
	n.answer(n.asked[1])
	w.deliver()
	if n.x.Stats.Vetoed != 0 {
		t.Error("the second answer counted")
	}
	w.idle()
}

func TestQuestionAboutANodeOfAJoinThatIsOverIsForgotten(t *testing.T) {
	w := newWorld(t, 2, func(i int, c *Config) { c.AskAlive, c.State = true, false })
	n := w.nodes[0]
	n.slow = true
	w.join(1, 0)
	w.deliver()
	n.do(n.x.RemovePeer(n.out, n.peers[1]))
	n.verdict(n.asked[0].Vote, nil)
	if n.peers[1].approved != nil {
		t.Error("approved after the end")
	}
	if l := n.x.Load(); l.Votes != 0 {
		t.Errorf("%d questions are left", l.Votes)
	}
}

func TestJudgementOfAnExchangeThatHasEndedIsIgnored(t *testing.T) {
	w := newWorld(t, 2, askMerge)
	n := w.nodes[0]
	n.slow = true
	w.join(1, 0)
	w.deliver()
	e := n.inProgress()[0]
	n.do(n.x.RemovePeer(n.out, n.peers[1]))
	n.do(n.x.JudgeList(n.out, w.now, &n.table, e, nil, errNo))
	w.wantLog(0, "list of 1, node true")
}

func TestListsAreExchangedIfTheVersionsOfTheTwoDiffer(t *testing.T) {
	w := newWorld(t, 2, func(i int, c *Config) {
		if c.State = false; i == 1 {
			c.Versions = [6]byte{1, 5, 4, 2, 9, 3}
		}
	})
	j := w.join(1, 0)
	w.deliver()
	w.wantLog(0, "list of 1, node true")
	w.wantLog(1, "list of 1, node true", "agreed")
	if !j.Agreed {
		t.Error("they did not agree")
	}
	w.idle()
}

func TestAgreementIsJudgedAgainOnlyIfAnExchangeBegan(t *testing.T) {
	w := newWorld(t, 6, askMerge)
	n := w.nodes[0]
	for i := 1; i < 6; i++ {
		w.join(0, i)
	}
	if ours := n.x.Load().Ours; ours != oursMax || len(w.mail) != oursMax {
		t.Fatalf("%d exchanges, %d messages", ours, len(w.mail))
	}
	w.deliver()
	agreed := 0
	for _, j := range n.joins {
		if j.Agreed {
			agreed++
		}
	}
	if agreed != 5 {
		t.Errorf("%d of 5 agreed", agreed)
	}
	w.run(time.Minute)
	w.idle()
}
