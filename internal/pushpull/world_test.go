package pushpull

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/members"
	"github.com/gwyh-go/gwyh/internal/outcome"
	"github.com/gwyh-go/gwyh/internal/wire"
)

const messageMax = 1 << 16

var (
	begin   = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	goodFit = [6]byte{1, 5, 2, 1, 3, 2}
)

// A world is several Exchangers that exchange complete messages, and a clock. It has no sessions, links or packets.
type world struct {
	t     *testing.T
	now   time.Time
	nodes []*node
	mail  []letter // messages in transit, in order
	count byte     // number of message ids
}

type letter struct {
	from, to int
	use      wire.Use
	id       wire.MessageID
	data     []byte
	until    time.Time
	refusal  bool
}

// A node is one Exchanger with its member table and an application.
type node struct {
	w      *world
	i      int
	x      *Exchanger
	out    outcome.Buffer[Outcome]
	table  members.Table
	peers  []*Peer // indexed by node
	joins  []*joining
	asked  []Outcome // open questions, if the application is slow
	log    []string  // the outcomes as text
	merged []string
	ended  []error // results of the Joins

	state   string
	slow    bool             // the application does not answer by itself
	full    bool             // nothing can be sent
	lossy   bool             // messages are lost but acknowledged
	merge   error            // the application's answer to MergeAsked
	alive   map[string]error // the application's answer to AliveAsked, by name
	refuses error            // why the node itself refuses the other end of a Join
	store   assembly.Store
}

// joining is a Join with its caller's state.
type joining struct {
	Join
	with  int
	until time.Time
}

func nodeID(i int) wire.NodeID { return wire.NodeID{0: byte(i + 1), 6: 0x80} }

func nodeAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 6969)
}

func nodeName(i int) string { return fmt.Sprint("node-", i) }

func memberNo(i int) members.Member {
	return members.Member{ID: nodeID(i), Name: nodeName(i), Addr: nodeAddr(i), Versions: goodFit, Incarnation: 1}
}

// newWorld returns n nodes that do not know each other.
func newWorld(t *testing.T, n int, tweak func(i int, c *Config)) *world {
	w := &world{t: t, now: begin}
	for i := range n {
		cfg := Config{Versions: goodFit, MessageMax: messageMax, State: true, Interval: 30 * time.Second}
		if tweak != nil {
			tweak(i, &cfg)
		}
		nd := &node{w: w, i: i, x: New(cfg, rand.New(rand.NewPCG(uint64(i), 7))), state: fmt.Sprint("state of ", i),
			alive: map[string]error{}}
		for k := range n {
			p := &Peer{ID: nodeID(k)}
			nd.peers = append(nd.peers, p)
			nd.x.AddPeer(p)
		}
		self := memberNo(i)
		self.Versions = cfg.Versions
		nd.table = members.NewTable(w.now, members.Config{Self: self})
		w.nodes = append(w.nodes, nd)
	}
	for _, a := range w.nodes {
		for _, b := range w.nodes {
			a.peers[b.i].Versions = b.x.Config.Versions
			a.peers[b.i].SetCapabilities(b.x.Config.Capabilities())
		}
	}
	return w
}

// acquaint makes all nodes members of each other.
func (w *world) acquaint() {
	for _, a := range w.nodes {
		for _, b := range w.nodes {
			if a != b {
				a.add(memberNo(b.i))
			}
			a.peers[b.i].introduced = true
		}
	}
}

func (n *node) add(m members.Member) {
	e := members.NewEntry(m.ID)
	e.Member = m
	n.table.Add(e)
}

func (n *node) remove(i int, s wire.State) {
	m := n.table.Get(nodeID(i))
	m.State = s
	n.table.Remove(n.w.now, m)
}

// do processes the outcomes of one input.
func (n *node) do(out []Outcome) { n.out.Work(out, n.act) }

func (n *node) act(o *Outcome) {
	x := n.x
	switch o.Kind {
	case StateWanted, StateArrived, MergeAsked, AliveAsked:
		n.ask(*o)
	case Send:
		n.send(o)
	case StopSending:
		n.note("stop sending")
		n.w.mail = slices.DeleteFunc(n.w.mail, func(l letter) bool { return l.id == o.ID })
	case SendNothing:
		n.note("send nothing to %d", o.Peer.ID[0]-1)
		n.post(o.Peer, letter{use: o.Use, id: o.ID})
	case SendRefusal:
		n.note("refuse %d", o.Peer.ID[0]-1)
		n.post(o.Peer, letter{id: o.ID, refusal: true})
	case ListArrived:
		var veto error
		if o.Member != nil {
			veto = n.refuses
		}
		n.note("list of %d, node %t", len(o.Members), o.Member != nil)
		n.do(x.JudgeList(n.out, n.w.now, &n.table, o.Exchange, o.Members, veto))
	case Agreed:
		n.note("agreed")
	case JoinFailed:
		n.end(o.Join, o.Err)
	case JoinAdvanced:
		n.advanced(o.Join)
	case RoomMade:
		n.advance()
	case Pull:
		n.note("pull from %s", o.Entry.Name)
	case SelectionWanted:
		n.note("selection wanted")
	case Subscribes:
		n.note("%d subscribes", o.Peer.ID[0]-1)
	case VetoedHere:
		n.note("vetoed here: %v", o.Err)
	case VetoedByPeer:
		n.note("vetoed there: %v", o.Err)
	case StateTooLarge:
		n.note("state of %d has %d bytes", o.Peer.ID[0]-1, o.Size)
	case OwnStateTooLarge:
		n.note("own state has %d bytes", o.Size)
	}
}

func (n *node) note(format string, args ...any) { n.log = append(n.log, fmt.Sprintf(format, args...)) }

func (n *node) send(o *Outcome) {
	if !n.x.InProgress(o.Exchange) {
		n.w.t.Errorf("node %d sends for an exchange that has ended", n.i)
		return
	}
	if n.full {
		n.do(n.x.NotSent(n.out, n.w.now, o.Exchange))
		return
	}
	id := o.ID
	if id == (wire.MessageID{}) {
		n.w.count += 2
		id = wire.MessageID{0: byte(n.i), 1: n.w.count, 6: 0x40}
	}
	n.post(o.Peer, letter{use: o.Use, id: id, data: bytes.Clone(o.Data), until: o.Until})
	n.do(n.x.Sent(n.out, n.w.now, &n.table, o.Exchange, id, len(o.Data)))
}

func (n *node) post(p *Peer, l letter) {
	l.from, l.to = n.i, int(p.ID[0])-1
	if !n.lossy {
		n.w.mail = append(n.w.mail, l)
	}
}

// deliver delivers all messages in transit, and those that they cause, and acknowledges them.
func (w *world) deliver() {
	for len(w.mail) > 0 {
		l := w.mail[0]
		w.mail = w.mail[1:]
		w.nodes[l.to].take(l)
		if !l.refusal {
			w.nodes[l.from].acknowledged(l)
		}
	}
}

func (n *node) take(l letter) {
	p := n.peers[l.from]
	if l.refusal {
		n.do(n.x.HandleRefused(n.out, n.w.now, p, refusalOf(l.id)))
		return
	}
	if n.expect(p, l.id, wire.Direct{Use: l.use, Total: uint32(len(l.data)), Data: l.data}) {
		n.do(n.x.HandleMessage(n.out, n.w.now, &n.table, p, l.use, l.id, l.data))
	}
}

// refusalOf returns the content of a message that refuses a push.
func refusalOf(push wire.MessageID) []byte {
	var m wire.Message
	if _, err := wire.ParseMessage(&m, wire.AppendStateRefused(nil, wire.MessageID{}, push)); err != nil {
		panic(err)
	}
	return m.Data
}

func (n *node) expect(p *Peer, id wire.MessageID, d wire.Direct) bool {
	out, ok := n.x.Expect(n.out, n.w.now, &n.table, p, id, d)
	n.do(out)
	return ok
}

// receives delivers the first of several pieces of a peer's push.
func (n *node) receives(from int, push wire.MessageID) *assembly.Assembly {
	a := n.store.Begin(n.w.now, push, 1000, true)
	n.x.Receives(n.peers[from], a)
	return a
}

func (n *node) acknowledged(l letter) {
	for _, e := range n.inProgress() {
		if e.ours && e.id == l.id {
			n.do(n.x.SendEnded(n.out, e, l.id, nil))
		}
	}
}

func (n *node) inProgress() (list []*Exchange) {
	for _, e := range n.x.byID {
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b *Exchange) int { return int(a.token) - int(b.token) })
	return list
}

// ask passes a question to the application.
func (n *node) ask(o Outcome) {
	if n.slow {
		n.asked = append(n.asked, o)
		return
	}
	n.answer(o)
}

func (n *node) answer(o Outcome) {
	x, now := n.x, n.w.now
	from := map[bool]string{true: "join", false: "background"}[o.Joining]
	if o.Join.token() != 0 {
		from = "own " + from
	}
	switch o.Kind {
	case StateWanted:
		n.note("LocalState %s", from)
		n.do(x.AnswerState(n.out, now, &n.table, o.Token, []byte(n.state)))
	case StateArrived:
		n.note("MergeRemoteState %s", from)
		n.merged = append(n.merged, string(o.Data))
		n.do(x.StateMerged(n.out, o.Token))
	case MergeAsked:
		n.note("NotifyMerge of %d", len(o.Members))
		n.do(x.AnswerMerge(n.out, now, &n.table, o.Token, n.merge))
	case AliveAsked:
		n.note("NotifyAlive %s", o.Member.Name)
		n.verdict(o.Vote, n.alive[o.Member.Name])
	}
}

// verdict processes the answer to a question about a node, as the core does.
func (n *node) verdict(vote VoteToken, veto error) {
	out, ok := n.x.AnswerNode(n.out, n.w.now, &n.table, vote, veto)
	if n.do(out); ok {
		return
	}
	v := n.x.AnswerAlive(&n.table, vote, veto)
	if v == nil {
		return
	}
	if veto == nil {
		n.admit(v.Member)
	}
	n.do(n.x.Continue(n.out, n.w.now, &n.table, v))
}

func (n *node) peerOf(id wire.NodeID) *Peer {
	for _, p := range n.peers {
		if p.ID == id {
			return p
		}
	}
	return nil
}

// admit makes a node a member.
func (n *node) admit(m members.Member) {
	if e := n.table.Get(m.ID); e != nil && e.Live() {
		e.Member = m
	} else {
		n.add(m)
	}
	if p := n.peerOf(m.ID); p != nil {
		n.do(n.x.Admitted(n.out, n.w.now, &n.table, p))
	}
}

// join begins a Join of node i with node k.
func (w *world) join(i, k int) *joining {
	n := w.nodes[i]
	j := &joining{Join: *n.x.NewJoin(uint64(len(n.joins) + 1)), with: k, until: w.now.Add(10 * time.Second)}
	n.joins = append(n.joins, j)
	n.advance()
	return j
}

func (n *node) advance() {
	for _, j := range slices.Clone(n.joins) {
		n.do(n.x.AdvanceJoin(n.out, n.w.now, &n.table, n.peers[j.with], &j.Join, j.until))
	}
}

func (n *node) of(j *Join) *joining {
	for _, o := range n.joins {
		if &o.Join == j {
			return o
		}
	}
	return nil
}

// sync completes the comparison of tables of a Join: both ends then have each other's members.
func (w *world) sync(i int, j *joining) {
	n, o := w.nodes[i], w.nodes[j.with]
	if !j.Agreed {
		w.t.Errorf("node %d compares tables before both agree", i)
	}
	for _, way := range [][2]*node{{n, o}, {o, n}} {
		for m := range way[0].table.Each {
			if !way[1].table.IsLive(m.ID) {
				way[1].admit(m.Member)
			}
		}
		way[1].do(way[1].x.Introduced(way[1].out, w.now, &way[1].table, way[1].peers[way[0].i]))
	}
	n.do(n.x.JoinSynced(n.out, w.now, &n.table, &j.Join))
	n.advanced(&j.Join)
	w.deliver()
}

// advanced ends a Join that has nothing left to do.
func (n *node) advanced(j *Join) {
	if j.Synced && !j.WantsState() {
		n.end(j, nil)
	}
}

func (n *node) end(j *Join, err error) {
	o := n.of(j)
	if o == nil {
		return
	}
	n.joins = slices.DeleteFunc(n.joins, func(x *joining) bool { return x == o })
	n.do(n.x.EndJoin(n.out, j))
	n.ended = append(n.ended, err)
}

// run advances virtual time by d. It processes everything that is due and delivers messages at once.
func (w *world) run(d time.Duration) {
	end := w.now.Add(d)
	for {
		w.deliver()
		var first *node
		for _, n := range w.nodes {
			at := n.x.NextTimeout()
			if !at.IsZero() && (first == nil || at.Before(first.x.NextTimeout())) {
				first = n
			}
		}
		if first == nil || first.x.NextTimeout().After(end) {
			break
		}
		w.now = first.x.NextTimeout()
		first.do(first.x.HandleTimeout(first.out, w.now, &first.table))
	}
	w.now = end
}

// idle fails the test if an exchange or a question is left.
func (w *world) idle() {
	w.t.Helper()
	for _, n := range w.nodes {
		if l := n.x.Load(); l != (Load{}) || len(n.x.byID)+len(n.x.votes.byToken) != 0 {
			w.t.Errorf("node %d: left over: %+v", n.i, l)
		}
		for _, p := range n.peers {
			if p.Busy() {
				w.t.Errorf("node %d: left with a peer: %+v", n.i, p)
			}
		}
		if len(n.out) != 0 {
			w.t.Errorf("node %d: %d outcomes are left", n.i, len(n.out))
		}
	}
}

func (w *world) wantLog(i int, want ...string) {
	w.t.Helper()
	if got := w.nodes[i].log; !slices.Equal(got, want) {
		w.t.Errorf("node %d: %q, want %q", i, got, want)
	}
}

func (w *world) wantMerged(i int, want ...string) {
	w.t.Helper()
	if got := w.nodes[i].merged; !slices.Equal(got, want) {
		w.t.Errorf("node %d merged %.40q, want %.40q", i, got, want)
	}
}

// pushPull makes node i exchange states with node k in the background.
func (w *world) pushPull(i, k int) {
	n := w.nodes[i]
	n.do(n.x.PushPull(n.out, w.now, n.peers[k], false))
}
