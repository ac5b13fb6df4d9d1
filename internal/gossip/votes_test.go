package gossip

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

var errNo = errors.New("no, said the application")

// known returns the names of the members of node i.
func (c *cluster) known(i int) (names []string) {
	for m := range c.nodes[i].members.Each {
		names = append(names, m.Name)
	}
	slices.Sort(names)
	return names
}

// twoClusters returns a cluster of nodes 0 and 1, and one of nodes 2 and 3. Nodes 1 and 3 take no part in what follows,
// except by the messages that they receive.
func twoClusters(t *testing.T, tweak func(i int, cfg *Config)) *cluster {
	c := withStates(t, 1, lan(), 4, func(i int, cfg *Config) {
		cfg.PushPullInterval = -1
		tweak(i, cfg)
	})
	c.join(1, 0)
	c.join(3, 2)
	c.net.RunFor(5 * time.Second)
	for _, n := range c.nodes {
		n.joined, n.events, n.app.calls, n.app.merged = nil, nil, nil, nil
	}
	return c
}

// apart checks that neither of two clusters knows about the other, and that nothing was exchanged.
func (c *cluster) apart() {
	c.t.Helper()
	for i, n := range c.nodes {
		want := fmt.Sprint([]string{"node-0", "node-1"})
		if i > 1 {
			want = fmt.Sprint([]string{"node-2", "node-3"})
		}
		if got := fmt.Sprint(c.known(i)); got != want || len(n.events) > 0 || len(n.app.merged) > 0 {
			c.t.Errorf("node %d knows %s, was told %v, merged %q", i, got, n.names(), n.app.merged)
		}
	}
}

func TestVetoOfAMergeAtEitherEndFailsTheJoinAndLeavesBothClustersAsTheyWere(t *testing.T) {
	for _, at := range []int{0, 2} {
		for _, both := range []bool{false, true} {
			c := twoClusters(t, func(i int, cfg *Config) { cfg.AskMerge = both || i == at })
			c.nodes[at].app.merge = errNo
			c.join(2, 0)
			err := c.joinEnded(2, 1, 2*time.Second)
			if at == 2 && !errors.Is(err, errNo) {
				t.Errorf("veto of the one that joins: %v", err)
			}
			var veto *pushpull.VetoError
			if at == 0 && (!errors.As(err, &veto) || veto.Reason != errNo.Error()) {
				t.Errorf("veto of the other: %v", err)
			}
			c.net.RunFor(30 * time.Second)
			c.apart()
			c.idle()
		}
	}
}

func TestClustersThatAgreeBecomeOne(t *testing.T) {
	c := twoClusters(t, func(_ int, cfg *Config) { cfg.AskMerge = true })
	c.join(2, 0)
	if err := c.joinEnded(2, 1, 2*time.Second); err != nil {
		t.Fatal(err)
	}
	c.net.RunFor(3 * time.Second)
	for i := range c.nodes {
		if got := c.known(i); len(got) != 4 {
			t.Errorf("node %d knows %v", i, got)
		}
	}
	a, b := c.nodes[0].app.calls, c.nodes[2].app.calls
	if fmt.Sprint(b) != "[LocalState own join NotifyMerge of 2 MergeRemoteState own join]" {
		t.Errorf("the one that joins was asked %q", b)
	}
	if fmt.Sprint(a) != "[NotifyMerge of 2 LocalState join MergeRemoteState join]" {
		t.Errorf("the other was asked %q", a)
	}
	c.idle()
}

func TestNotifyMergeSeesTheDepartedAndTheDead(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.tweak = func(_ int, cfg *Config) { cfg.AskMerge = true }
	c.add(4)
	c.form(2 * time.Second)
	c.do(1, func(now time.Time) { c.nodes[1].Leave(now) })
	c.net.Crash(testAddr(2))
	c.net.RunFor(20 * time.Second)
	c.add(1)
	c.join(4, 0)
	if err := c.joinEnded(4, 1, 2*time.Second); err != nil {
		t.Fatal(err)
	}
	states := map[string]wire.State{}
	for _, m := range c.nodes[4].app.peers {
		states[m.Name] = m.State
	}
	want := map[string]wire.State{"node-0": wire.StateAlive, "node-1": wire.StateLeft, "node-2": wire.StateDead, "node-3": wire.StateAlive}
	if fmt.Sprint(states) != fmt.Sprint(want) {
		t.Errorf("it saw %v, want %v", states, want)
	}
	if got := fmt.Sprint(c.known(4)); got != "[node-0 node-3 node-4]" {
		t.Errorf("members %s", got)
	}
}

func TestJoinFailsIfTheListOfMembersOfEitherSideIsTooLarge(t *testing.T) {
	for side := range 2 {
		c := newCluster(t, 1, lan())
		c.tweak = func(_ int, cfg *Config) { cfg.AskMerge, cfg.DatagramSize, cfg.MetaMax = true, 60_000, 32<<10 }
		c.add(2)
		c.do(side, func(now time.Time) {
			meta := strings.Repeat("m", 32<<10)
			for i := range MessageMax / len(meta) {
				c.nodes[side].membership.apply(now, said(i, uint64(now.UnixMilli()), meta), nil, byComparison)
			}
		})
		c.join(1, 0)
		if err := c.joinEnded(1, 1, 5*time.Second); err == nil || !strings.Contains(err.Error(), fmt.Sprint(MessageMax)) {
			t.Errorf("the list of node %d: %v", side, err)
		}
	}
}

func TestJoinWithoutAMergeDelegateDoesNotWait(t *testing.T) {
	took := map[bool]time.Duration{}
	for _, ask := range []bool{false, true} {
		c := newCluster(t, 1, gigabit())
		c.tweak = func(_ int, cfg *Config) { cfg.AskMerge = ask }
		c.add(2)
		begin := c.net.Elapsed()
		c.join(1, 0)
		if err := c.joinEnded(1, 1, 2*time.Second); err != nil {
			t.Fatal(err)
		}
		took[ask] = c.net.Elapsed() - begin
	}
	if took[true] <= took[false] || took[false] > 200*time.Millisecond {
		t.Errorf("with %v, without %v", took[true], took[false])
	}
}

func TestNodeThatNotifyAliveRefusesStaysOutUntilItChangesItsMind(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.tweak = func(i int, cfg *Config) { cfg.AskAlive = i < 3 }
	c.add(3)
	c.form(2 * time.Second)
	c.add(1) // its application decides about no node
	for _, n := range c.nodes[:3] {
		n.app.alive = map[string]error{"node-3": errNo}
	}
	c.join(3, 0)
	c.net.RunFor(2 * time.Minute)
	for i, n := range c.nodes[:3] {
		if got := fmt.Sprint(c.known(i)); got != "[node-0 node-1 node-2]" {
			t.Errorf("node %d knows %s", i, got)
		}
		for _, p := range n.links {
			if p.ID == c.nodes[3].cfg.ID {
				t.Errorf("node %d has a link with it", i)
			}
		}
		asked := 0
		for _, s := range n.app.calls {
			if s == "NotifyAlive node-3" {
				asked++
			}
		}
		if asked > 40 {
			t.Errorf("node %d was asked %d times in two minutes", i, asked)
		}
	}
	if n := c.nodes[0].Stats().Vetoed; n == 0 {
		t.Error("no veto was counted")
	}
	for _, n := range c.nodes[:3] {
		n.app.alive = nil
	}
	c.do(3, func(now time.Time) { c.nodes[3].membership.renewSelf(now, 0) })
	c.join(3, 0)
	c.net.RunFor(2 * time.Second)
	for i := range c.nodes {
		if got := c.known(i); len(got) != 4 {
			t.Errorf("node %d knows %v", i, got)
		}
	}
	c.net.RunFor(time.Minute)
	c.idle()
}

func TestJoinWithVerdictsEndsWithTheLastOfThem(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.tweak = func(i int, cfg *Config) { cfg.AskAlive = i == 20 }
	c.add(20)
	c.form(5 * time.Second)
	c.add(1)
	n := c.nodes[20]
	n.app.later = true
	c.join(20, 0)
	for range 2 { // about node 0, then about the other members of node 0
		c.net.RunFor(50 * time.Millisecond)
		asked := n.app.asked
		n.app.asked = nil
		c.do(20, func(now time.Time) {
			for _, e := range asked {
				n.app.answer(now, n.Core, e)
			}
		})
	}
	if err := c.joinEnded(20, 1, 100*time.Millisecond); err != nil || n.members.Count() != 21 {
		t.Errorf("%v, %d members", err, n.members.Count())
	}
}

func TestAliveIsNotForwardedBeforeTheVerdict(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.tweak = func(i int, cfg *Config) { cfg.AskAlive = i == 1 }
	c.add(2)
	c.join(1, 0)
	c.net.RunFor(time.Second)
	n := c.nodes[1]
	n.app.later = true
	c.do(1, func(now time.Time) { n.membership.apply(now, said(7, uint64(now.UnixMilli()), ""), nil, byNews) })
	c.net.RunFor(time.Second)
	if got := fmt.Sprint(c.known(0), c.known(1)); got != "[node-0 node-1] [node-0 node-1]" || len(n.app.asked) != 1 {
		t.Fatalf("before the verdict: %s; asked %d times", got, len(n.app.asked))
	}
	c.do(1, func(now time.Time) { n.app.answer(now, n.Core, n.app.asked[0]) })
	c.net.RunFor(100 * time.Millisecond)
	if got := fmt.Sprint(c.known(0), c.known(1)); got != "[node-0 node-1 stranger-7] [node-0 node-1 stranger-7]" {
		t.Errorf("after the verdict: %s", got)
	}
	c.idle()
}

// said returns an alive entry of a node with that number, as another node passes it on.
func said(i int, incarnation uint64, meta string) *wire.Member {
	return &wire.Member{ID: wire.NodeID{0: byte(i >> 8), 1: byte(i), 6: 0x80}, Incarnation: incarnation,
		Name: fmt.Append(nil, "stranger-", i), Addr: testAddr(1000 + i), Meta: []byte(meta)}
}

func TestNewestOfANameWaitsAndNamesAreBounded(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.tweak = func(_ int, cfg *Config) { cfg.AskAlive = true }
	c.add(1)
	n := c.nodes[0]
	n.app.later = true
	at := uint64(c.net.Now().UnixMilli())
	c.do(0, func(now time.Time) {
		n.membership.apply(now, said(0, at, "first"), nil, byNews)
		n.membership.apply(now, said(0, at+1, "second"), nil, byNews)
		n.membership.apply(now, said(0, at+2, "third"), nil, byNews)
		n.membership.apply(now, said(0, at+1, "second"), nil, byNews)
		for i := range 2 * pushpull.VotesMax {
			n.membership.apply(now, said(i+1, at, ""), nil, byNews)
		}
	})
	if got := n.push.Load().Votes; got != pushpull.VotesMax {
		t.Errorf("%d names wait, want %d", got, pushpull.VotesMax)
	}
	if got := len(n.app.asked); got != pushpull.VotesMax {
		t.Errorf("%d questions, want %d", got, pushpull.VotesMax)
	}
	if got := n.Stats().Dropped[stats.DropQueueFull]; got != pushpull.VotesMax+1 {
		t.Errorf("%d entries were dropped, want %d", got, pushpull.VotesMax+1)
	}
	answer := func() {
		q := n.app.asked
		n.app.asked = nil
		c.do(0, func(now time.Time) {
			for _, e := range q {
				n.app.answer(now, n.Core, e)
			}
		})
	}
	answer()
	if len(n.app.asked) != 1 || string(n.app.asked[0].Member.Meta) != "third" {
		t.Fatalf("asked next: %+v", n.app.asked)
	}
	answer()
	if m := n.members.Named("stranger-0"); m == nil || string(m.Meta) != "third" {
		t.Errorf("the newest entry was not taken in: %+v", m)
	}
	if got := len(n.members.Live()); got != pushpull.VotesMax+1 {
		t.Errorf("%d members, want %d", got, pushpull.VotesMax+1)
	}
	c.idle()
}

func TestRefutationDoesNotWaitForTheApplication(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.tweak = func(_ int, cfg *Config) { cfg.AskAlive = true }
	c.add(2)
	c.join(1, 0)
	c.net.RunFor(time.Second)
	n := c.nodes[0]
	n.app.later, n.app.calls = true, nil
	c.do(1, func(now time.Time) { c.nodes[1].membership.renewSelf(now, 0) })
	c.net.RunFor(time.Second)
	if m := n.members.Named("node-1"); m.Incarnation != c.nodes[1].members.Self().Incarnation || len(n.app.calls) != 0 {
		t.Errorf("incarnation %d, want %d; asked %q", m.Incarnation, c.nodes[1].members.Self().Incarnation, n.app.calls)
	}
}

func TestMemberWhoseNewsAreRefusedStaysAsItWas(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.tweak = func(i int, cfg *Config) { cfg.AskAlive = i == 0 }
	c.add(2)
	c.join(1, 0)
	c.net.RunFor(time.Second)
	n := c.nodes[0]
	n.app.alive = map[string]error{"node-1": errNo}
	c.do(1, func(now time.Time) {
		if err := c.nodes[1].SetMeta(now, []byte("new")); err != nil {
			t.Fatal(err)
		}
	})
	c.net.RunFor(20 * time.Second)
	if m := n.members.Named("node-1"); m == nil || len(m.Meta) != 0 {
		t.Errorf("the member did not stay as it was: %+v", m)
	}
	if got := len(n.links); got != 1 {
		t.Errorf("%d links, want 1", got)
	}
	n.app.alive = nil
	c.do(1, func(now time.Time) { c.nodes[1].membership.renewSelf(now, 0) })
	c.net.RunFor(time.Second)
	if m := n.members.Named("node-1"); string(m.Meta) != "new" {
		t.Errorf("%+v", m)
	}
	c.idle()
}

func TestNodesOfOtherVersionsOfTheApplicationAreRefused(t *testing.T) {
	for _, w := range []struct {
		versions [6]byte
		fits     bool
	}{
		{[6]byte{1, 5, 2, 1, 3, 2}, true},
		{[6]byte{1, 5, 4, 2, 9, 3}, true},
		{[6]byte{1, 5, 2, 3, 3, 3}, false}, // does not understand version 2
		{[6]byte{1, 5, 2, 1, 4, 4}, false}, // speaks a version that the others do not understand
		{[6]byte{2, 5, 2, 2, 2, 2}, true},
	} {
		c := newCluster(t, 1, lan())
		c.tweak = func(i int, cfg *Config) {
			if cfg.Versions = [6]byte{1, 5, 2, 1, 3, 2}; i == 3 {
				cfg.Versions = w.versions
			}
		}
		c.add(4)
		c.join(1, 0)
		c.join(2, 0)
		c.net.RunFor(2 * time.Second)
		c.join(3, 0)
		err := c.joinEnded(3, 1, 2*time.Second)
		c.net.RunFor(10 * time.Second)
		if w.fits {
			if len(c.known(0)) != 4 || len(c.known(3)) != 4 || err != nil {
				t.Errorf("%v: %v, members %v and %v", w.versions, err, c.known(0), c.known(3))
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "understand") || !strings.Contains(err.Error(), "node-3") {
			t.Errorf("%v: %v", w.versions, err)
		}
		if len(c.known(0)) != 3 || len(c.known(3)) != 1 {
			t.Errorf("%v: members %v and %v", w.versions, c.known(0), c.known(3))
		}
		if logs := strings.Join(c.nodes[0].logs, "\n"); !strings.Contains(logs, "understand") {
			t.Errorf("%v: log %q", w.versions, logs)
		}
		c.idle()
	}
}

// Only a comparison with all members shows that the node does not fit. The two ends of the Join would not show it.
func TestVersionsAreHeldAgainstAllMembers(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.tweak = func(i int, cfg *Config) {
		cfg.Versions = [...][6]byte{{1, 5, 2, 1, 3, 2}, {1, 5, 2, 1, 2, 2}, {1, 5, 2, 2, 3, 3}}[i]
	}
	c.add(3)
	c.join(1, 0)
	c.net.RunFor(time.Second)
	c.join(2, 0) // node 0 would understand it, and node 1 does not
	if err := c.joinEnded(2, 1, 2*time.Second); err == nil {
		t.Error("no error")
	}
	if got := fmt.Sprint(c.known(0), c.known(1), c.known(2)); got != "[node-0 node-1] [node-0 node-1] [node-2]" {
		t.Errorf("members %s", got)
	}
}

func TestNewMetadataSpreadsAtOnce(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(20)
	c.form(2 * time.Second)
	c.net.RunFor(3 * time.Second)
	for _, n := range c.nodes {
		n.events = nil
	}
	meta := bytes.Repeat([]byte("m"), 500)
	c.do(7, func(now time.Time) {
		if err := c.nodes[7].SetMeta(now, meta); err != nil {
			t.Fatal(err)
		}
	})
	c.net.RunFor(20 * time.Millisecond)
	for i, n := range c.nodes {
		if m := n.members.Named("node-7"); !bytes.Equal(m.Meta, meta) || fmt.Sprint(n.names()) != "[update node-7]" {
			t.Errorf("node %d: %q, told %v", i, m.Meta, n.names())
		}
	}
	c.do(7, func(now time.Time) {
		before := c.nodes[7].members.Self().Incarnation
		if err := c.nodes[7].SetMeta(now, make([]byte, 1400)); err == nil {
			t.Error("metadata that no datagram holds is taken")
		}
		self := c.nodes[7].members.Self()
		if self.Incarnation != before {
			t.Errorf("the incarnation is %d, and was %d", self.Incarnation, before)
		}
		if !bytes.Equal(self.Meta, meta) {
			t.Errorf("the metadata has changed, to %d bytes", len(self.Meta))
		}
	})
}

func TestLongMetadataTravelsWhereItFitsADatagram(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.tweak = func(i int, cfg *Config) {
		cfg.DatagramSize, cfg.MetaMax, cfg.Meta = 60_000, 32<<10, bytes.Repeat([]byte{byte(i)}, 32<<10)
	}
	c.add(6)
	c.form(3 * time.Second)
	c.net.RunFor(time.Second)
	for i, n := range c.nodes {
		for m := range n.members.Each {
			if len(m.Meta) != 32<<10 {
				t.Errorf("node %d has %d bytes of %s", i, len(m.Meta), m.Name)
			}
		}
	}
}
