package gossip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/logbook"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// app holds the answers of an application, and what it was asked.
type app struct {
	state  []byte
	later  bool // it does not answer on its own
	merge  error
	alive  map[string]error // by name
	calls  []string
	merged []string      // states, in the form that key returns
	asked  []event.Event // not answered yet
	peers  []Member      // of the last event.MergeAsked
	inside func(event.Event)

	selects    func([]Member) (selected []wire.NodeID, preferred wire.NodeID)
	selections int // number of times that it was asked for a selection
	silent     bool
	unanswered [][]Member // what it was asked about while silent
}

func (a *app) ask(now time.Time, c *Core, e event.Event) {
	if a.inside != nil {
		a.inside(e)
	}
	from := map[bool]string{true: "join", false: "background"}[e.Joining]
	if e.Token != 0 {
		from = "own " + from
	}
	switch e.Kind {
	case event.StateWanted:
		a.calls = append(a.calls, "LocalState "+from)
	case event.State:
		a.calls = append(a.calls, "MergeRemoteState "+from)
		a.merged = append(a.merged, key(e.Data))
	case event.MergeAsked:
		a.calls = append(a.calls, fmt.Sprintf("NotifyMerge of %d", len(e.Peers)))
		a.peers = e.Peers
	case event.AliveAsked:
		a.calls = append(a.calls, "NotifyAlive "+e.Member.Name)
	}
	if a.later {
		e.Data = nil
		a.asked = append(a.asked, e)
		return
	}
	a.answer(now, c, e)
}

func (a *app) answer(now time.Time, c *Core, e event.Event) {
	switch e.Kind {
	case event.StateWanted:
		c.AnswerState(now, e.State, a.state)
	case event.State:
		c.StateMerged(now, e.State)
	case event.MergeAsked:
		c.AnswerMerge(now, e.State, a.merge)
	case event.AliveAsked:
		c.AnswerAlive(now, e.Vote, a.alive[e.Member.Name])
	}
}

// withStates returns a cluster whose nodes have states to exchange: "state of N".
func withStates(t *testing.T, seed uint64, link simnet.Link, n int, tweak func(i int, c *Config)) *cluster {
	c := newCluster(t, seed, link)
	c.tweak = func(i int, cfg *Config) {
		cfg.State = true
		if tweak != nil {
			tweak(i, cfg)
		}
	}
	c.add(n)
	for i, nd := range c.nodes {
		nd.app.state = fmt.Append(nil, "state of ", i)
	}
	return c
}

// joinEnded runs until the n-th Join of node i has ended, and returns its error.
func (c *cluster) joinEnded(i, n int, within time.Duration) error {
	c.t.Helper()
	if !c.net.RunUntil(within, func() bool { return len(c.nodes[i].joined) >= n }) {
		c.t.Fatalf("node %d: %d Joins have ended, want %d", i, len(c.nodes[i].joined), n)
	}
	return c.nodes[i].joined[n-1].Err
}

// idle checks that no exchange and no vote is in progress.
func (c *cluster) idle() {
	c.t.Helper()
	for i, n := range c.nodes {
		if l := n.push.Load(); l != (pushpull.Load{}) {
			c.t.Errorf("node %d: left over: %+v", i, l)
		}
		for _, p := range n.peers {
			if p.push.Busy() {
				c.t.Errorf("node %d: left over with a peer: %+v", i, p.push)
			}
		}
	}
}

func TestJoinExchangesStatesBothWaysBeforeItEnds(t *testing.T) {
	c := withStates(t, 1, lan(), 2, nil)
	c.join(1, 0)
	if err := c.joinEnded(1, 1, time.Second); err != nil {
		t.Fatal(err)
	}
	a, b := c.nodes[0].app, c.nodes[1].app
	if !slices.Equal(b.calls, []string{"LocalState own join", "MergeRemoteState own join"}) || !slices.Equal(b.merged, []string{"state of 0"}) {
		t.Errorf("the one that joins: %q, %q", b.calls, b.merged)
	}
	if !slices.Equal(a.calls, []string{"LocalState join", "MergeRemoteState join"}) || !slices.Equal(a.merged, []string{"state of 1"}) {
		t.Errorf("the other: %q, %q", a.calls, a.merged)
	}
	c.idle()
}

// The entry of the joining node and its push are two datagrams, and the first may be lost.
func TestStateOfANodeIsMergedAfterTheNodeIsAMember(t *testing.T) {
	for _, ask := range []bool{false, true} {
		for seed := range uint64(30) {
			c := withStates(t, seed, lan(), 2, func(_ int, cfg *Config) { cfg.AskAlive, cfg.PushPullInterval = ask, -1 })
			c.net.Adjust(func(l *simnet.Link) { l.Loss = 0.3 })
			n := c.nodes[0]
			n.app.inside = func(e event.Event) {
				if e.Kind == event.State && n.members.Named("node-1") == nil {
					t.Errorf("asked %v, seed %d: merged before node-1 was a member", ask, seed)
				}
			}
			c.join(1, 0)
			if !c.net.RunUntil(time.Minute, func() bool { return len(n.app.merged) > 0 }) {
				t.Errorf("asked %v, seed %d: nothing was merged", ask, seed)
			}
		}
	}
}

// Another node may have its name, or the application may refuse it.
func TestStateOfANodeThatDoesNotBecomeAMemberIsMergedAllTheSame(t *testing.T) {
	c := withStates(t, 1, lan(), 3, func(i int, cfg *Config) {
		if cfg.PushPullInterval = -1; i == 2 {
			cfg.Name = "node-1"
		}
	})
	c.join(1, 0)
	c.net.RunFor(5 * time.Second)
	c.join(2, 0)
	c.net.RunFor(5 * time.Second)
	if got := c.nodes[0].app.merged; !slices.Equal(got, []string{"state of 1", "state of 2"}) {
		t.Errorf("merged %q", got)
	}
	c.idle()
}

func TestEmptyStateIsNotMergedAndDelaysNothing(t *testing.T) {
	for name, set := range map[string]func(c *cluster, i int){
		"empty":     func(c *cluster, i int) { c.nodes[i].app.state = nil },
		"stateless": func(c *cluster, i int) { c.nodes[i].push.Config.State = false },
	} {
		for quiet := range 2 {
			c := withStates(t, 1, lan(), 2, nil)
			set(c, quiet)
			begin := c.net.Elapsed()
			c.join(1, 0)
			if err := c.joinEnded(1, 1, time.Second); err != nil {
				t.Fatal(err)
			}
			if took := c.net.Elapsed() - begin; took > 100*time.Millisecond {
				t.Errorf("%s at %d: the Join took %v", name, quiet, took)
			}
			want := fmt.Sprint("state of ", 1-quiet)
			if got := c.nodes[quiet].app.merged; name == "empty" && !slices.Equal(got, []string{want}) {
				t.Errorf("%s at %d: it merged %q", name, quiet, got)
			}
			if got := c.nodes[1-quiet].app.merged; len(got) != 0 {
				t.Errorf("%s at %d: the other merged %q", name, quiet, got)
			}
			c.idle()
		}
	}
}

func TestStatesOfAnySizeAreExchangedAtAnyLoss(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1400, 1 << 20, MessageMax}[:brief(3, 2)] {
		for _, loss := range []float64{0, 0.05} {
			if !*full && size == MessageMax && loss > 0 {
				continue
			}
			c := withStates(t, 3, gigabit(), 2, nil)
			c.net.Adjust(func(l *simnet.Link) { l.Loss = loss })
			states := [][]byte{[]byte(payload(size, 1)), []byte(payload(size, 2))}
			c.nodes[0].app.state, c.nodes[1].app.state = states[0], states[1]
			begin := c.net.Elapsed()
			c.do(1, func(now time.Time) { c.nodes[1].Join(now, c.nodes[0].addr, now.Add(30*time.Second)) })
			if err := c.joinEnded(1, 1, 31*time.Second); err != nil {
				t.Errorf("%d bytes at %g: %v", size, loss, err)
			}
			t.Logf("%d bytes both ways at %g loss took %v", size, loss, c.net.Elapsed()-begin)
			for i, n := range c.nodes {
				if !slices.Equal(n.app.merged, []string{key(states[1-i])}) {
					t.Errorf("%d bytes at %g: node %d merged %.40q", size, loss, i, n.app.merged)
				}
			}
			c.net.Adjust(func(l *simnet.Link) { l.Loss = 0 })
			c.net.RunFor(90 * time.Second)
			c.idle()
		}
	}
}

func TestJoinFailsIfTheStateOfEitherSideIsTooLargeAndNamesSizeAndLimit(t *testing.T) {
	const size = MessageMax + 1
	for side := range 2 {
		for _, loss := range []float64{0, 0.2} {
			c := withStates(t, 1, lan(), 2, func(_ int, cfg *Config) { cfg.PushPullInterval = -1 })
			c.net.Adjust(func(l *simnet.Link) { l.Loss = loss })
			c.nodes[side].app.state = make([]byte, size)
			c.join(1, 0)
			err := c.joinEnded(1, 1, 9*time.Second) // before its deadline
			large, ok := errors.AsType[*pushpull.StateTooLargeError](err)
			if !ok || *large != (pushpull.StateTooLargeError{Size: size, Max: MessageMax, Theirs: side == 0}) {
				t.Errorf("too large at node %d, %g loss: %v", side, loss, err)
			}
			c.net.RunFor(90 * time.Second)
			if got := c.nodes[1-side].app.merged; len(got) != 0 {
				t.Errorf("too large at node %d: the other merged %.40q", side, got)
			}
			c.idle()
		}
	}
}

func TestStateThatIsTooLargeIsCountedAndWarnedOfOnBothSidesAtABoundedRate(t *testing.T) {
	const every, run = 2 * time.Second, 5 * time.Minute
	for large := range 2 {
		c := withStates(t, 1, lan(), 2, func(i int, cfg *Config) {
			if cfg.PushPullInterval = -1; i == 1 { // so that one node begins all exchanges
				cfg.PushPullInterval = every
			}
		})
		c.join(1, 0)
		c.net.RunFor(time.Second)
		for _, n := range c.nodes {
			n.app.merged, n.logs = nil, nil
		}
		c.nodes[large].app.state = make([]byte, MessageMax+1)
		c.net.RunFor(run)
		for i, n := range c.nodes {
			if got := n.Stats().StatesTooLarge; got < uint64(run/every/2) {
				t.Errorf("too large at node %d: node %d counts %d", large, i, got)
			}
			warned := 0
			for _, l := range n.logs {
				if strings.HasPrefix(l, "[WARN] gwyh: ") && strings.Contains(l, fmt.Sprint(MessageMax+1)) && strings.Contains(l, fmt.Sprint(MessageMax)) {
					warned++
				}
			}
			if most := int(run / logbook.Interval); warned == 0 || warned > most+1 {
				t.Errorf("too large at node %d: node %d warns %d times", large, i, warned)
			}
			if merged := len(n.app.merged); (i == large) != (merged > 0) { // the state that fits is still sent
				t.Errorf("too large at node %d: node %d merged %d states", large, i, merged)
			}
		}
		c.idle()
	}
}

// A member may send any sizes.
func TestSizesOfStatesThatMakeNoSenseAreDropped(t *testing.T) {
	c := withStates(t, 1, lan(), 2, func(_ int, cfg *Config) { cfg.PushPullInterval = -1 })
	c.join(1, 0)
	c.net.RunFor(20 * time.Second)
	n, hostile := c.nodes[0], c.nodes[1]
	n.app.calls = nil
	before := n.Stats()
	for i, data := range [][]byte{nil, make([]byte, 7), make([]byte, 8), make([]byte, 9), make([]byte, 1000), binary.BigEndian.AppendUint64(nil, MessageMax)} {
		for _, use := range []wire.Use{wire.UseLargePush, wire.UseLargeAnswer} {
			c.do(1, func(now time.Time) {
				hostile.sender.Send(now, &hostile.peers[n.cfg.ID].Peer, wire.AppendDirect(hostile.sender.Begin(), wire.MessageID{byte(i), byte(use), 6: 0x40}, wire.Direct{Use: use, Total: uint32(len(data)), Data: data}))
			})
			c.net.RunFor(2 * time.Second)
		}
	}
	if got := n.Stats().StatesTooLarge - before.StatesTooLarge; got != 0 || len(n.app.calls) != 0 {
		t.Errorf("%d counted, the application was asked %q", got, n.app.calls)
	}
	c.idle()
}

func TestPushPullWithARandomNodeAtItsInterval(t *testing.T) {
	c := withStates(t, 1, lan(), 8, func(_ int, cfg *Config) { cfg.PushPullInterval = 10 * time.Second })
	c.form(5 * time.Second)
	for _, n := range c.nodes {
		n.app.calls, n.app.merged = nil, nil
	}
	c.net.RunFor(100 * time.Second)
	from := map[string]bool{}
	for i, n := range c.nodes {
		own := 0
		for _, s := range n.app.calls {
			if s != "LocalState background" && s != "MergeRemoteState background" {
				t.Errorf("node %d was asked %q", i, s)
			}
			if s == "LocalState background" {
				own++
			}
		}
		// The ten that it begins and, on average, as many that other nodes begin with it.
		if own < 10 || own > 40 || len(n.app.merged) < 10 {
			t.Errorf("node %d: asked for its state %d times, merged %d", i, own, len(n.app.merged))
		}
		for _, s := range n.app.merged {
			from[fmt.Sprint(i, s)] = true
		}
	}
	if len(from) < 7*8*3/4 {
		t.Errorf("%d of %d pairs exchanged states", len(from), 7*8)
	}
	c.idle()
}

// The peer begins more pushes than it may, or announces a large push and does not send it.
func TestPushesOfAPeerAreBounded(t *testing.T) {
	c := withStates(t, 1, lan(), 2, nil)
	c.join(1, 0)
	c.net.RunFor(20 * time.Second)
	n, hostile := c.nodes[0], c.nodes[1]
	p := hostile.peers[n.cfg.ID]
	before := footprint(n)
	n.app.calls = nil
	push := func(id byte, d wire.Direct) {
		c.do(1, func(now time.Time) {
			hostile.sender.Send(now, &p.Peer, wire.AppendDirect(hostile.sender.Begin(), wire.MessageID{id, 6: 0x40, 15: 2 * id}, d))
		})
		c.net.RunFor(10 * time.Millisecond)
	}
	for i := range 100 {
		push(byte(i+1), wire.Direct{Use: wire.UsePush, Total: MessageMax, Data: make([]byte, 1000)})
	}
	if l := n.push.Load(); l.Theirs != 1 || footprint(n) > before+2*chunkSize {
		t.Errorf("%+v, %d bytes for what was declared", l, footprint(n)-before)
	}
	c.net.RunFor(90 * time.Second)
	if footprint(n) > before || n.Stats().StatesRefused < 90 {
		t.Errorf("%d bytes are left, %d refused", footprint(n)-before, n.Stats().StatesRefused)
	}
	c.idle()
	n.app.calls = nil
	for i := range 100 {
		push(byte(i+1), wire.Direct{Use: wire.UsePush, Total: 1, Data: []byte("x")})
	}
	if got := len(n.app.calls); got > 2*(pushpull.PushRate.Burst+2) {
		t.Errorf("the application was asked %d times", got)
	}
	c.idle()
}

func TestPushesOfManyPeersAreBoundedWhileTheApplicationIsSlow(t *testing.T) {
	const others = 70
	c := withStates(t, 1, gigabit(), 1+others, func(i int, cfg *Config) { cfg.PushPullInterval = -1 })
	c.form(10 * time.Second)
	n := c.nodes[0]
	n.app.later = true
	for i := 1; i <= others; i++ {
		c.nodes[i].app.state = []byte(payload(1<<20, byte(i)))
	}
	for i := 1; i <= others; i++ {
		c.do(i, func(now time.Time) {
			o := c.nodes[i]
			if p := o.peers[n.cfg.ID]; p != nil && p.Sessions.Current(now) != nil {
				o.push.begin(now, p, false)
			}
		})
	}
	most := 0
	for range 100 {
		c.net.RunFor(100 * time.Millisecond)
		l := n.push.Load()
		most = max(most, l.Held+footprint(n))
		if l.Theirs > pushpull.TheirsMax || l.Declared > pushpull.TheirsSize*MessageMax {
			t.Fatalf("%+v", l)
		}
	}
	if len(n.app.asked) < 20 || most > pushpull.TheirsSize*MessageMax+8<<20 {
		t.Errorf("%d asked; %d bytes held", len(n.app.asked), most)
	}
	if n.Stats().StatesRefused == 0 {
		t.Error("none was refused")
	}
}

func TestJoinsWaitTheirTurnWhereTheOtherSideTakesNoState(t *testing.T) {
	t.Parallel()
	const others = 40
	c := withStates(t, 1, gigabit(), 1+others, func(_ int, cfg *Config) { cfg.PushPullInterval = -1 })
	for i, n := range c.nodes {
		n.app.state = []byte(payload(1<<20, byte(i)))
	}
	for i := 1; i <= others; i++ {
		c.do(i, func(now time.Time) { c.nodes[i].Join(now, c.nodes[0].addr, now.Add(30*time.Second)) })
	}
	for i := 1; i <= others; i++ {
		if err := c.joinEnded(i, 1, 31*time.Second); err != nil {
			t.Errorf("node %d: %v", i, err)
		}
	}
	if got := len(c.nodes[0].app.merged); got != others {
		t.Errorf("%d of %d states came", got, others)
	}
}

func TestExchangeWithANodeThatCrashesEnds(t *testing.T) {
	c := withStates(t, 1, gigabit(), 2, nil)
	c.nodes[0].app.state, c.nodes[1].app.state = []byte(payload(MessageMax, 1)), []byte(payload(MessageMax, 2))
	c.join(1, 0)
	c.net.RunFor(300 * time.Millisecond)
	c.net.Crash(testAddr(0))
	if err := c.joinEnded(1, 1, 12*time.Second); err == nil {
		t.Error("no error")
	}
	c.net.RunFor(5 * time.Minute)
	c.nodes = c.nodes[1:]
	c.idle()
	c.quiet()
}

func TestStateOfANodeThatAnswersLateStillCounts(t *testing.T) {
	c := withStates(t, 1, lan(), 2, func(_ int, cfg *Config) { cfg.PushPullInterval = -1 })
	a := &c.nodes[0].app
	a.later = true
	c.join(1, 0)
	c.net.RunFor(3 * time.Second)
	if len(a.asked) != 1 || len(c.nodes[1].joined) != 0 {
		t.Fatalf("asked %v, %d Joins ended", a.asked, len(c.nodes[1].joined))
	}
	c.do(0, func(now time.Time) { a.answer(now, c.nodes[0].Core, a.asked[0]) })
	if err := c.joinEnded(1, 1, 2*time.Second); err != nil || !slices.Equal(c.nodes[1].app.merged, []string{"state of 0"}) {
		t.Errorf("%v, merged %q", err, c.nodes[1].app.merged)
	}
}

func TestCanceledJoinLeavesNothing(t *testing.T) {
	c := withStates(t, 1, lan(), 2, func(_ int, cfg *Config) { cfg.AskMerge, cfg.AskAlive = true, true })
	c.nodes[1].app.later = true
	var token event.JoinToken
	c.do(1, func(now time.Time) { token = c.nodes[1].Join(now, c.nodes[0].addr, now.Add(10*time.Second)) })
	c.net.RunFor(time.Second)
	c.do(1, func(now time.Time) { c.nodes[1].CancelJoin(now, token) })
	if err := c.joinEnded(1, 1, time.Second); !errors.Is(err, joining.ErrCanceled) {
		t.Error(err)
	}
	c.net.RunFor(time.Second)
	if c.nodes[1].Core.joins.Len() != 0 {
		t.Errorf("%d joins", c.nodes[1].Core.joins.Len())
	}
	c.idle()
}

// PROTOCOL.md B1. An answer that is not acknowledged would be repeated for a minute.
func TestAnswerThatNobodyAwaitsAnyMoreIsAcknowledged(t *testing.T) {
	for _, size := range []int{20, 100_000} {
		t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
			c := withStates(t, 1, lan(), 2, nil)
			asked, answerer := c.nodes[1], c.nodes[0]
			answerer.app.state = make([]byte, size)
			answerer.app.later = true
			var token event.JoinToken
			c.do(1, func(now time.Time) { token = asked.Join(now, answerer.addr, now.Add(10*time.Second)) })
			c.net.RunFor(time.Second)
			c.do(1, func(now time.Time) { asked.CancelJoin(now, token) })
			before := asked.push.Stats.Unexpected
			for _, e := range answerer.app.asked {
				c.do(0, func(now time.Time) { answerer.app.answer(now, answerer.Core, e) })
			}
			c.net.RunFor(10 * time.Second)
			if got := asked.push.Stats.Unexpected - before; got == 0 {
				t.Fatal("the answer did not arrive")
			}
			c.net.RunFor(time.Second)
			if waiting, _ := answerer.direct.Sender.Len(); waiting != 0 {
				t.Errorf("%d messages are still repeated", waiting)
			}
			late := asked.push.Stats.Unexpected
			c.net.RunFor(30 * time.Second)
			if more := asked.push.Stats.Unexpected - late; more != 0 {
				t.Errorf("the answer arrived %d times more", more)
			}
		})
	}
}

func TestCanceledJoinThatNobodyAnsweredSaysNoMoreHellos(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(1)
	n := c.nodes[0]
	for _, end := range []func(now time.Time, t event.JoinToken){n.CancelJoin, n.AbandonJoin} {
		var token event.JoinToken
		c.do(0, func(now time.Time) { token = n.Join(now, netip.MustParseAddrPort("10.9.9.9:9"), now.Add(time.Hour)) })
		c.net.RunFor(time.Second)
		sent := n.Stats().SentDatagrams
		c.do(0, func(now time.Time) { end(now, token) })
		c.net.RunFor(time.Minute)
		if more := n.Stats().SentDatagrams - sent; sent == 0 || more != 0 || n.hs.dials.Len() != 0 {
			t.Errorf("%d datagrams, %d after the end, %d handshakes", sent, more, n.hs.dials.Len())
		}
	}
	if len(n.joined) != 2 {
		t.Errorf("%d ends were told", len(n.joined))
	}
}

func TestJoinToWhomSomebodyAnsweredIsNotAbandoned(t *testing.T) {
	c := withStates(t, 1, lan(), 2, func(_ int, cfg *Config) { cfg.AskMerge = true })
	a := &c.nodes[0].app
	a.later = true
	var token event.JoinToken
	c.do(1, func(now time.Time) { token = c.nodes[1].Join(now, c.nodes[0].addr, now.Add(10*time.Second)) })
	c.net.RunFor(time.Second)
	c.do(1, func(now time.Time) { c.nodes[1].AbandonJoin(now, token) })
	if len(c.nodes[1].joined) != 0 || len(a.asked) == 0 {
		t.Fatalf("%d Joins ended, asked %v", len(c.nodes[1].joined), a.asked)
	}
	a.later = false
	c.do(0, func(now time.Time) { a.answer(now, c.nodes[0].Core, a.asked[0]) })
	if err := c.joinEnded(1, 1, 2*time.Second); err != nil {
		t.Error(err)
	}
}
