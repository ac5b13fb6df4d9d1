package overlay

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/wire"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func testID(n int) (id wire.NodeID) {
	binary.BigEndian.PutUint64(id[:8], members.Mix(uint64(n)))
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// legacyID returns the id of a legacy node.
func legacyID(n int) (id wire.NodeID) {
	id = testID(n)
	id[6] = id[6]&0x0f | 0x40
	return id
}

func testZone(n int) wire.Zone { return wire.Zone{Name: fmt.Sprint("zone-", n), Valid: true} }

func testAddr(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), 6969)
}

func testRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func testMember(id wire.NodeID, zone wire.Zone, addr int) members.Member {
	return members.Member{ID: id, Name: id.String(), Addr: testAddr(addr), Zone: zone}
}

// A node is the Overlay of node 0 among members that have no state of their own. It stands for the core: it executes
// and records the actions.
type node struct {
	*Overlay
	t       *testing.T
	now     time.Time
	table   members.Table
	peers   map[wire.NodeID]*Peer
	dialing map[wire.NodeID]bool
	remotes map[wire.NodeID]netip.AddrPort // of peers whose packets come from elsewhere than their entries say
	log     []string
}

func newNode(t *testing.T, count int, tweak ...func(*Config)) *node {
	t.Helper()
	n := &node{t: t, now: start, table: members.NewTable(start, members.Config{Self: testMember(testID(0), testZone(0), 0)}), peers: map[wire.NodeID]*Peer{}, dialing: map[wire.NodeID]bool{}, remotes: map[wire.NodeID]netip.AddrPort{}}
	cfg := Config{Zone: testZone(0), Subscriptions: 3}
	for _, f := range tweak {
		f(&cfg)
	}
	n.Overlay = New(start, cfg, &n.table, testRand(1))
	for i := 1; i <= count; i++ {
		n.addMember(testID(i), testZone(i%3))
	}
	n.MembersChanged(start)
	return n
}

func (n *node) addMember(id wire.NodeID, zone wire.Zone) *members.Entry {
	m := members.NewEntry(id)
	m.Member = testMember(id, zone, n.table.Count())
	n.table.Add(m)
	return m
}

// leave makes a member leave; node 0 is the node itself.
func (n *node) leave(id wire.NodeID) {
	m := n.table.Get(id)
	m.State = wire.StateLeft
	n.table.Remove(n.now, m)
	n.Forget(id)
}

// peer returns a peer with a session, which it creates if necessary.
func (n *node) peer(id wire.NodeID) *Peer {
	if n.peers[id] == nil {
		n.peers[id] = new(Peer)
		n.peers[id].Init(id)
	}
	delete(n.dialing, id)
	return n.peers[id]
}

func (n *node) OverlayPeer(id wire.NodeID) *Peer             { return n.peers[id] }
func (n *node) Reachable(now time.Time, id wire.NodeID) bool { return n.peers[id] != nil }
func (n *node) Remote(id wire.NodeID) (a netip.AddrPort) {
	if m := n.table.Get(id); m != nil && n.peers[id] != nil {
		a = m.Addr
	}
	if at, ok := n.remotes[id]; ok {
		a = at
	}
	return a
}
func (n *node) Dialing(id wire.NodeID) bool { return n.dialing[id] }

var kindNames = [...]string{LinkUp: "up", LinkDown: "down", Subscribe: "start", Confirm: "started", End: "end",
	Dial: "dial", AskSelection: "ask", Avoided: "avoided", Chosen: "chosen"}

// does executes the actions of an input.
func (n *node) does(out []Action) {
	for _, a := range out {
		if a.Kind == Dial {
			n.dialing[a.Member] = true
		}
		text := kindNames[a.Kind]
		if a.Peer != nil {
			text += " " + n.number(a.Peer.ID())
		} else if a.Member != (wire.NodeID{}) {
			text += " " + n.number(a.Member)
		}
		n.log = append(n.log, text)
	}
}

func (n *node) number(id wire.NodeID) string { return fmt.Sprint(binary.BigEndian.Uint16(id[14:])) }

// did returns the actions since the last call.
func (n *node) did() string {
	s := strings.Join(n.log, ", ")
	n.log = nil
	return s
}

func (n *node) expect(want string) {
	n.t.Helper()
	if got := n.did(); got != want {
		n.t.Errorf("it did %q, want %q", got, want)
	}
}

// rechoose advances the clock to the next choice.
func (n *node) rechoose() {
	n.t.Helper()
	if n.ChoiceAt().IsZero() {
		n.t.Fatal("no choice is due")
	}
	if n.ChoiceAt().After(n.now) {
		n.now = n.ChoiceAt()
	}
	out, made := n.Rechoose(nil, n.now, n)
	n.does(out)
	if made {
		n.does(n.Trim(nil, n))
	}
}

// answer creates sessions with all dialed members, and makes them confirm.
func (n *node) answer() {
	for _, id := range slices.Clone(n.choice) {
		p := n.peer(id)
		n.does(n.SessionReady(nil, n.now, p))
		if p.Requested() {
			n.does(n.HandleStarted(nil, n, p))
		}
	}
}

func (n *node) tick(p *Peer) (next time.Time) {
	out, next := n.Tick(nil, n.now, p)
	n.does(out)
	return next
}

func TestNodeSubscribesToAsManyMembersAsConfigured(t *testing.T) {
	n := newNode(t, 10)
	n.rechoose()
	if got := n.ChoiceAt(); len(n.Choice()) != 3 || got.IsZero() {
		t.Fatalf("%d members are chosen, the next choice is at %v", len(n.Choice()), got)
	}
	if got := strings.Count(n.did(), "dial"); got != 3 {
		t.Errorf("%d members are dialed", got)
	}
	n.answer()
	if n.Started() != 3 || !n.HasLink() {
		t.Errorf("%d subscriptions have started", n.Started())
	}
	if got := n.did(); strings.Count(got, "up") != 3 {
		t.Errorf("it did %q", got)
	}
}

// PROTOCOL.md G9.
func TestNodeWithoutSubscribersTakesAFewMore(t *testing.T) {
	n := newNode(t, 10)
	n.rechoose()
	n.answer()
	n.now = n.now.Add(choiceCalm)
	n.rechoose()
	if got := len(n.Choice()); got != 5 {
		t.Errorf("%d members are chosen, want 3 and half as many again", got)
	}
	n.answer()
	for i, id := range n.Choice() {
		if i < 2 {
			n.does(n.HandleStart(nil, n.now, n, n.peer(id), false))
		}
	}
	if n.Serving() != 2 {
		t.Fatalf("%d subscribers", n.Serving())
	}
	n.rechoose()
	if got := len(n.Choice()); got != 3 {
		t.Errorf("with two subscribers %d members are chosen, want 3", got)
	}
	if n.Started() != 3 {
		t.Errorf("%d subscriptions are left", n.Started())
	}
}

func TestChoiceIsMadeSoonWhileSubscriptionsAreMissingAndElseWhenTheMembersAreCalm(t *testing.T) {
	n := newNode(t, 10)
	if got := n.ChoiceAt().Sub(n.now); got != choiceSoon {
		t.Errorf("the first choice is due in %v", got)
	}
	n.rechoose()
	n.answer()
	n.now = n.now.Add(time.Minute)
	first := n.now
	n.MembersChanged(n.now)
	if got := n.ChoiceAt().Sub(n.now); got != choiceCalm {
		t.Errorf("a choice is due in %v after a change", got)
	}
	for n.now.Before(n.ChoiceAt()) {
		n.now = n.now.Add(choiceCalm / 2)
		n.MembersChanged(n.now)
	}
	if got := n.ChoiceAt().Sub(first); got != choiceLatest {
		t.Errorf("while members change all the time, a choice is due after %v", got)
	}
}

// While members arrive, the choice is kept, and only vacancies are filled (PROTOCOL.md G10).
func TestOnlyVacanciesAreFilledWhileTheMembersChange(t *testing.T) {
	n := newNode(t, 10)
	n.rechoose()
	n.answer()
	n.now = n.now.Add(choiceCalm)
	n.rechoose()
	before := slices.Clone(n.Choice())
	for i := 20; i < 40; i++ {
		n.addMember(testID(i), testZone(0))
	}
	n.MembersChanged(n.now)
	n.now = n.now.Add(choiceCalm / 2)
	out, _ := n.Rechoose(nil, n.now, n)
	n.does(out)
	if !slices.Equal(n.Choice()[:3], before[:3]) {
		t.Errorf("the choice changed from %v to %v", before, n.Choice())
	}
	n.now = n.now.Add(choiceCalm)
	n.rechoose()
	if slices.Equal(n.Choice(), before) {
		t.Error("twenty new members did not change the choice when they were calm")
	}
}

func TestSubscriptionsThatAreNotChosenEndWhenAllOthersHaveStarted(t *testing.T) {
	n := newNode(t, 10)
	n.rechoose()
	n.answer()
	n.did()
	old := n.Choice()[0]
	for i := 100; i < 200; i++ {
		n.addMember(testID(i), testZone(0))
	}
	n.now = n.now.Add(time.Minute)
	n.rechoose()
	if n.chosen(old) {
		t.Fatalf("the same member is chosen among a hundred others: take another seed")
	}
	if got := n.did(); strings.Contains(got, "end") {
		t.Errorf("it did %q before the new subscriptions have started", got)
	}
	n.answer()
	if got := n.did(); !strings.Contains(got, "down "+n.number(old)+", end "+n.number(old)) {
		t.Errorf("it did %q, and not end the subscription to %s", got, n.number(old))
	}
}

func TestFirstChoiceIsAMemberThatCanBeReachedWithoutAHandshake(t *testing.T) {
	n := newNode(t, 10)
	p := n.peer(testID(7))
	n.does(n.ChooseFirst(nil, n.now, n))
	n.expect("start 7")
	n.does(n.ChooseFirst(nil, n.now, n))
	n.expect("")
	n.does(n.HandleStarted(nil, n, p))
	n.expect("up 7")
	n.does(n.ChooseFirst(nil, n.now, n))
	n.expect("")
}

func TestNodeThatHasLeftChoosesNobody(t *testing.T) {
	n := newNode(t, 10)
	n.rechoose()
	n.answer()
	links := len(n.links)
	n.did()
	n.leave(testID(0))
	n.does(n.Leave(nil, n.now))
	if got := n.did(); strings.Count(got, "down") != links || len(n.links) != 0 {
		t.Errorf("of %d links it ended %q", links, got)
	}
	n.does(n.ChooseFirst(nil, n.now, n))
	n.rechoose()
	n.expect("")
	if got := n.ChoiceAt().Sub(n.now); got != choiceInterval {
		t.Errorf("the next choice is due in %v", got)
	}
	p := n.peer(testID(5))
	n.does(n.HandleStart(nil, n.now, n, p, false))
	n.expect("end 5")
	n.does(n.HandleStarted(nil, n, p))
	n.expect("end 5")
}

func TestLegacyMembersAreNotChosen(t *testing.T) {
	n := newNode(t, 2)
	for i := range 5 {
		n.addMember(legacyID(50+i), testZone(0))
	}
	n.rechoose()
	if len(n.Choice()) != 2 {
		t.Errorf("%d members are chosen of two Go nodes", len(n.Choice()))
	}
}

func TestChoiceAllocatesNothingPerMember(t *testing.T) {
	n := newNode(t, 1000)
	n.rechoose()
	n.answer()
	got := testing.AllocsPerRun(20, func() {
		n.now = n.now.Add(time.Minute)
		_, _ = n.Rechoose(nil, n.now, n)
	})
	if got > 30 {
		t.Errorf("%v allocations", got)
	}
}

// PROTOCOL.md G8.
func TestEachStrategyShapesTheChoiceOfANode(t *testing.T) {
	own := func(n *node) (count int) {
		for _, id := range n.Choice() {
			if n.table.Get(id).Zone == testZone(0) {
				count++
			}
		}
		return count
	}
	for name, c := range map[string]struct {
		strategy    Strategy
		least, most int // number of chosen members of the node's own zone
	}{
		"uniform":       {Uniform, 0, 6},
		"hub and spoke": {HubAndSpoke, 4, 4},
		"nearest":       {Nearest, 3, 5},
	} {
		t.Run(name, func(t *testing.T) {
			n := newNode(t, 90, func(cfg *Config) { cfg.Strategy, cfg.Subscriptions = c.strategy, 6 })
			n.now = n.now.Add(time.Minute)
			n.rechoose()
			if got := len(n.Choice()); got != 6 {
				t.Fatalf("%d members are chosen", got)
			}
			if got := own(n); got < c.least || got > c.most {
				t.Errorf("%d of 6 are of the own zone, want %d to %d", got, c.least, c.most)
			}
		})
	}
}

func TestMemberThatHasGoneIsReplaced(t *testing.T) {
	n := newNode(t, 10)
	n.rechoose()
	n.answer()
	gone := n.Choice()[1]
	n.leave(gone)
	n.does(n.Unlink(nil, n.now, n.peer(gone)))
	n.MembersChanged(n.now)
	if got := n.ChoiceAt().Sub(n.now); got > choiceSoon {
		t.Errorf("the next choice is due in %v although a subscription is missing", got)
	}
	n.rechoose()
	if n.chosen(gone) {
		t.Error("a member that has left is chosen")
	}
	if len(n.Choice()) < 3 {
		t.Errorf("%d members are chosen", len(n.Choice()))
	}
}

// A member that does not complete the handshake is replaced in the next choice.
func TestMemberThatCannotBeDialedIsReplaced(t *testing.T) {
	n := newNode(t, 10)
	n.rechoose()
	failed := n.Choice()[0]
	delete(n.dialing, failed)
	n.does(n.Avoid(nil, n.now, failed))
	n.rechoose()
	if n.chosen(failed) {
		t.Error("it is chosen again")
	}
	if got := len(n.Choice()); got != 3 {
		t.Errorf("%d members are chosen", got)
	}
}

// PROTOCOL.md G10.
func TestFirstLinkStaysBesideTheFirstChoice(t *testing.T) {
	n := newNode(t, 10)
	var first wire.NodeID
	for i := 1; i <= 10; i++ { // the member with the highest key
		if id := testID(i); first == (wire.NodeID{}) || n.cfg.Secret.rank(id) > n.cfg.Secret.rank(first) {
			first = id
		}
	}
	p := n.peer(first)
	n.does(n.ChooseFirst(nil, n.now, n))
	n.does(n.HandleStarted(nil, n, p))
	n.now = n.now.Add(time.Minute)
	n.rechoose()
	if !n.chosen(first) {
		t.Error("the first link is given up at once")
	}
	n.answer()
	n.now = n.now.Add(time.Minute)
	n.rechoose()
	if n.chosen(first) {
		t.Error("the first link is still chosen in the second choice")
	}
}

func TestLogHearsOfAChoiceOnlyIfItHasChanged(t *testing.T) {
	n := newNode(t, 3)
	n.rechoose()
	if got := n.did(); !strings.Contains(got, "chosen") {
		t.Errorf("it did %q", got)
	}
	n.answer()
	n.now = n.now.Add(time.Minute)
	n.did()
	n.rechoose()
	n.expect("")
}
