package sim

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/gwyh01"
	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Mixed is a cluster of Go nodes and models of gwyh 0.1 nodes.
type Mixed struct {
	*Cluster
	Models []*Model
	said   []*saying
	naks   int // Naks of Go nodes that models received in earlier lives

	troubles []string // problems while the cluster formed
}

// Model is a machine that runs a gwyh 0.1 node.
type Model struct {
	*gwyh01.Node // of this life, or of the last one if the machine is down
	Addr         netip.AddrPort
	Seeds        []netip.AddrPort // for its next life

	mixed *Mixed
	index int
	up    bool
	since time.Duration
}

// saying is a broadcast in a mixed cluster. A model's own broadcast may come back to it.
type saying struct {
	by       string
	at       time.Duration
	goHeard  []int // by node: number of deliveries
	oldHeard []int // by model: number of deliveries
}

// NewMixed creates a cluster in which no node knows another one. AddModel and Join start it.
func NewMixed(cfg Config) *Mixed {
	m := &Mixed{Cluster: New(cfg)}
	m.Cluster.overheard = m.heard
	return m
}

// AddModel starts a gwyh 0.1 node with the addresses of its seeds.
func (m *Mixed) AddModel(seeds ...netip.AddrPort) *Model {
	i := len(m.Models)
	d := &Model{Addr: modelAddr(i), Seeds: seeds, mixed: m, index: i}
	m.Models = append(m.Models, d)
	d.begin()
	m.Net.Add(simnet.HostConfig{Addr: d.Addr, Name: fmt.Sprintf("model-%d", i)}, d)
	return d
}

// modelAddr returns the address of a model.
func modelAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 200, 0, byte(i)}), 6969)
}

func (d *Model) begin() {
	m := d.mixed
	m.lives++
	d.Node = gwyh01.New(m.Net.Now(), gwyh01.Config{Addr: d.Addr, Keys: []string{"insecure"}, Seeds: d.Seeds,
		Suite: session.Null, Agreement: nodeid.NoAgreement, Rand: m.Net.Reader(m.lives<<32 | uint64(d.index))})
	d.up, d.since = true, m.Net.Elapsed()
}

// Up reports whether the model runs.
func (d *Model) Up() bool { return d.up }

// HandleDatagram makes Model a simnet.Host that records what its node receives.
func (d *Model) HandleDatagram(now time.Time, from wire.Path, b []byte) {
	d.Node.HandleDatagram(now, from, b)
	for _, data := range d.Heard() {
		if s := d.mixed.saying(data); s != nil && d.since <= s.at {
			s.oldHeard[d.index]++
		}
	}
}

// CrashModel ends a model without a leave.
func (m *Mixed) CrashModel(d *Model) {
	m.naks += d.Stats().NaksOfGo
	m.Net.Crash(d.Addr)
	d.up = false
}

// ShutdownModel shuts a model down as its users do.
func (m *Mixed) ShutdownModel(d *Model) {
	m.Net.Do(d.Addr, func(time.Time) { d.Shutdown() })
	m.CrashModel(d)
}

// RestartModel begins the next life of a model, under a new id.
func (m *Mixed) RestartModel(d *Model) {
	d.begin()
	m.Net.Restart(d.Addr, d)
}

// Naks returns how many Naks the models received from Go nodes in all their lives.
func (m *Mixed) Naks() int {
	sum := m.naks
	for _, d := range m.Models {
		if d.up {
			sum += d.Stats().NaksOfGo
		}
	}
	return sum
}

// mixedMark begins each broadcast of a Mixed, which the cluster's ledger does not know.
const mixedMark = 0x6d69786564 << 24

func (m *Mixed) say(by string) (*saying, []byte) {
	s := &saying{by: by, at: m.Net.Elapsed(), goHeard: make([]int, len(m.Nodes)), oldHeard: make([]int, len(m.Models))}
	m.said = append(m.said, s)
	return s, binary.BigEndian.AppendUint64(nil, mixedMark+uint64(len(m.said)-1))
}

func (m *Mixed) saying(data []byte) *saying {
	if len(data) != HeaderSize {
		return nil
	}
	if i := binary.BigEndian.Uint64(data) - mixedMark; i < uint64(len(m.said)) {
		return m.said[i]
	}
	return nil
}

// heard records a delivery to a Go node.
func (m *Mixed) heard(n *Node, data []byte) bool {
	s := m.saying(data)
	if s != nil && n.since <= s.at {
		s.goHeard[n.Index]++
	}
	return s != nil
}

// BroadcastGo broadcasts from a Go node.
func (m *Mixed) BroadcastGo(n *Node) {
	s, b := m.say(n.Name)
	s.goHeard[n.Index] = 1
	m.Do(n, func(now time.Time) { _ = n.Core.Broadcast(now, b) }) // if Broadcast fails, the missing deliveries show it
}

// BroadcastLegacy broadcasts from a model.
func (m *Mixed) BroadcastLegacy(d *Model) {
	s, b := m.say(fmt.Sprintf("model-%d", d.index))
	s.oldHeard[d.index] = 1
	m.Net.Do(d.Addr, func(time.Time) { d.Broadcast(b) })
}

// Deaf lists missing and repeated deliveries of the broadcasts since a moment. Every Go node that is linked must get each
// broadcast exactly once. Every linked model must get each broadcast of a Go node at least once.
func (m *Mixed) Deaf(since time.Duration, limit int) (list []string) {
	add := func(s *saying, who string, times int) {
		if len(list) < limit {
			list = append(list, fmt.Sprintf("%s's broadcast at %v was heard %d times by %s", s.by, s.at, times, who))
		}
	}
	for _, s := range m.said {
		if s.at < since {
			continue
		}
		ofGo := s.by[0] == 'n'
		for i, times := range s.goHeard {
			if n := m.Nodes[i]; n.up && n.since+linkedAfter <= s.at && times != 1 {
				add(s, n.Name, times)
			}
		}
		for i, times := range s.oldHeard {
			d := m.Models[i]
			listened := d.up && d.since+linkedAfterLegacy <= s.at
			if ofGo && listened && times == 0 {
				add(s, fmt.Sprintf("model-%d", i), times)
			}
		}
	}
	return list
}

// A node gets broadcasts once it has links. A gwyh 0.1 node waits up to 5 s before its only request for one.
const (
	linkedAfter       = 3 * time.Second
	linkedAfterLegacy = 20 * time.Second
)

// A MixedLife is a run of a mixed cluster with one event per minute, in turn: a crash, a leave or shutdown, and a
// restart, of a Go node and of a model.
type MixedLife struct {
	Seed          uint64
	Nodes, Models int
	Duration      time.Duration
	Loss          float64
}

// MixedOutcome is the result of a MixedLife. Problems is empty if the run succeeded.
type MixedOutcome struct {
	Problems []string
	Said     int
	Sent     float64 // packets per second sent by a Go node, mean
	SentMax  float64 // the same in the worst second of any Go node
	Passed   float64 // packets per second sent by a model, mean

	Cluster *Cluster
}

// Live runs the MixedLife.
func (l MixedLife) Live() MixedOutcome {
	m := FormMixed(l.Seed, l.Nodes, l.Models, l.Loss)
	out := &MixedOutcome{Cluster: m.Cluster, Problems: m.troubles}
	begin := m.Net.Elapsed()
	sent, passed := m.SentBy()
	for turn := 0; m.Net.Elapsed()-begin < l.Duration; turn++ {
		m.minute(out, turn)
	}
	m.Net.RunFor(40 * time.Second) // time to detect the effects of the last event
	seconds := (m.Net.Elapsed() - begin).Seconds()
	sentNow, passedNow := m.SentBy()
	out.Sent = float64(sentNow-sent) / seconds / float64(l.Nodes)
	out.Passed = float64(passedNow-passed) / seconds / float64(l.Models)
	out.Said = len(m.said)
	out.Problems = append(out.Problems, m.Deaf(begin, 20)...)
	out.Problems = append(out.Problems, m.WrongMixed(20)...)
	for _, d := range m.FalseDeaths(begin) {
		out.Problems = append(out.Problems, fmt.Sprintf("%s considered %s dead, which was alive, at %v", d.By.Name, d.About.Name, d.At))
	}
	if n := m.Naks(); n > 0 {
		out.Problems = append(out.Problems, fmt.Sprintf("models got %d Naks", n))
	}
	return *out
}

// SentBy returns the numbers of packets that Go nodes and models sent.
func (m *Mixed) SentBy() (goNodes, models uint64) {
	for _, n := range m.Nodes {
		goNodes += m.Net.HostStats(n.Addr).Sent
	}
	for _, d := range m.Models {
		models += m.Net.HostStats(d.Addr).Sent
	}
	return goNodes, models
}

// minute causes one event and undoes it half a minute later, while all nodes broadcast.
func (m *Mixed) minute(out *MixedOutcome, turn int) {
	n, d := m.Nodes[turn*7%len(m.Nodes)], m.Models[turn*3%len(m.Models)]
	undo := func() {}
	switch turn % 6 {
	case 0:
		m.Crash(n)
		undo = func() { m.Restart(n, m.Nodes[(n.Index+1)%len(m.Nodes)]) }
	case 1:
		m.CrashModel(d)
		undo = func() { m.RestartModel(d) }
	case 2:
		m.Leave(n)
		undo = func() { m.Restart(n, m.Nodes[(n.Index+1)%len(m.Nodes)]) }
	case 3:
		m.ShutdownModel(d)
		undo = func() { m.RestartModel(d) }
	case 4: // the restart comes before any node notices the crash
		m.Crash(n)
		m.Net.RunFor(500 * time.Millisecond)
		m.Restart(n, m.Nodes[(n.Index+1)%len(m.Nodes)])
	case 5:
		m.CrashModel(d)
		m.Net.RunFor(time.Second)
		m.RestartModel(d)
	}
	for s := range 60 {
		if s == 30 {
			undo()
		}
		before := make([]uint64, len(m.Nodes))
		for i, n := range m.Nodes {
			before[i] = m.Net.HostStats(n.Addr).Sent
		}
		m.chat(turn*60 + s)
		m.Net.RunFor(time.Second)
		for i, n := range m.Nodes {
			out.SentMax = max(out.SentMax, float64(m.Net.HostStats(n.Addr).Sent-before[i]))
		}
	}
}

// chat makes a Go node or a model broadcast, each in turn.
func (m *Mixed) chat(second int) {
	n, d := m.Nodes[second%len(m.Nodes)], m.Models[second%len(m.Models)]
	now := m.Net.Elapsed()
	if second%2 == 0 && n.up && n.since+linkedAfter <= now {
		m.BroadcastGo(n)
	}
	if second%3 == 0 && d.up && d.since+linkedAfterLegacy <= now {
		m.BroadcastLegacy(d)
	}
}

// WrongMixed lists the differences between the views of the Go nodes and the truth.
func (m *Mixed) WrongMixed(limit int) (wrong []string) {
	up := make(map[wire.NodeID]string)
	for _, n := range m.Up() {
		up[n.ID()] = n.Name
	}
	for _, d := range m.Models {
		if d.up {
			up[d.ID()] = "gwyh01-" + d.Addr.String()
		}
	}
	for _, n := range m.Up() {
		seen := 0
		n.Core.Members(func(o *gossip.Member) {
			if up[o.ID] == o.Name && o.State == wire.StateAlive {
				seen++
			} else if len(wrong) < limit {
				wrong = append(wrong, fmt.Sprintf("%s has %s (%s) as %s, which does not run", n.Name, o.Name, o.ID, o.State))
			}
		})
		if seen != len(up) && len(wrong) < limit {
			wrong = append(wrong, fmt.Sprintf("%s knows %d of %d nodes", n.Name, seen, len(up)))
		}
	}
	return wrong
}

// Chatter makes nodes and models broadcast in turn for d.
func (m *Mixed) Chatter(d time.Duration) {
	for s := range int(d / time.Second) {
		m.chat(s)
		m.Net.RunFor(time.Second)
	}
}

// FormMixed creates a mixed cluster and waits until all its members know each other.
func FormMixed(seed uint64, nodes, models int, loss float64) *Mixed {
	m := NewMixed(Config{Seed: seed, Nodes: nodes, Core: withLegacy(LAN()), Link: simnet.Link{Latency: simnet.Uniform(200*time.Microsecond, time.Millisecond), Loss: loss}})
	if _, err := m.Form(time.Minute); err != nil {
		m.troubles = append(m.troubles, err.Error())
	}
	for i := range models {
		seeds := []netip.AddrPort{m.Nodes[i%nodes].Addr}
		if i > 0 {
			seeds = append(seeds, m.Models[0].Addr)
		}
		m.AddModel(seeds...)
		m.Net.RunFor(7 * time.Second)
	}
	m.Net.RunFor(linkedAfterLegacy)
	return m
}

// withLegacy enables gwyh 0.1 nodes in a configuration.
func withLegacy(core gossip.Config) gossip.Config {
	core.AllowLegacy = true
	return core
}
