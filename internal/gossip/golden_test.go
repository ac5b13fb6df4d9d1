package gossip_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"hash/fnv"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/gwyh01"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/session"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/wire"
)

var updateGolden = flag.Bool("update", false, "write the golden traces anew")

const goldenFile = "testdata/golden.txt"

// Each golden trace is the hash of every datagram, timeout and event of one simulated run. A change that is not meant
// to alter behavior, such as moving code, must not change any of them. After a change that does alter behavior, `make
// golden` writes them again.
func TestGoldenTraces(t *testing.T) {
	if *updateGolden {
		writeGolden(t)
		return
	}
	want := readGolden(t)
	for _, g := range goldenRuns {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			got := g.trace(t)
			if got == want[g.name] {
				return
			}
			if again := g.trace(t); again != got {
				t.Fatalf("two runs of one seed gave %x and %x", got, again)
			}
			// Floating-point functions round differently on other processors.
			if runtime.GOARCH == "amd64" && got != want[g.name] {
				t.Errorf("trace %016x, want %016x: behavior changed (if that is meant: make golden)", got, want[g.name])
			}
		})
	}
}

func readGolden(t *testing.T) map[string]uint64 {
	t.Helper()
	f, err := os.Open(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	want := map[string]uint64{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var name string
		var hash uint64
		if _, err := fmt.Sscanf(lines.Text(), "%s %x", &name, &hash); err != nil {
			t.Fatalf("%s: %q: %v", goldenFile, lines.Text(), err)
		}
		want[name] = hash
	}
	return want
}

func writeGolden(t *testing.T) {
	t.Helper()
	var b strings.Builder
	for _, g := range goldenRuns {
		fmt.Fprintf(&b, "%s %016x\n", g.name, g.trace(t))
	}
	if err := os.WriteFile(goldenFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// goldenRun is one simulated run. Every run ends in a cluster in which something was delivered, so that no trace is
// that of an idle network.
type goldenRun struct {
	name  string
	link  simnet.Link
	tweak func(i int, c *gossip.Config)
	run   func(w *world)
}

func (g *goldenRun) trace(t *testing.T) uint64 {
	t.Helper()
	w := &world{t: t, tweak: g.tweak, events: fnv.New64a(), net: simnet.New(simnet.Config{Seed: 11, Link: g.link})}
	g.run(w)
	if w.delivered == 0 {
		t.Fatal("no message was delivered")
	}
	return w.net.TraceHash() ^ w.events.Sum64()
}

func quiet() simnet.Link { return simnet.Link{Latency: simnet.Constant(2 * time.Millisecond)} }

func lossyLink(loss float64) simnet.Link {
	return simnet.Link{Latency: simnet.Exponential(5*time.Millisecond, 0), Jitter: simnet.Uniform(0, time.Millisecond), Loss: loss}
}

var goldenRuns = []*goldenRun{
	{name: "formation", link: lossyLink(0), run: func(w *world) {
		w.form(20)
		w.say(3, 100)
		w.net.RunFor(5 * time.Second)
	}},
	{name: "flood", link: quiet(), run: func(w *world) {
		w.form(12)
		for i := range 2000 {
			w.say(i%3, 200)
			if i%20 == 0 {
				w.net.RunFor(5 * time.Millisecond)
			}
		}
		w.net.RunFor(3 * time.Second)
	}},
	{name: "large-message", link: simnet.Link{Latency: simnet.Constant(5 * time.Millisecond), Rate: 20 * simnet.Mbit, Queue: 128 << 10}, run: func(w *world) {
		w.form(8)
		w.say(1, 300<<10)
		w.say(5, 40<<10)
		w.net.RunFor(5 * time.Second)
	}},
	{name: "loss-and-repair", link: lossyLink(0.1), run: func(w *world) {
		w.form(12)
		for i := range 200 {
			w.say(i%12, 150+i)
			w.net.RunFor(3 * time.Millisecond)
		}
		w.say(2, 80<<10)
		w.net.RunFor(5 * time.Second)
	}},
	{name: "crash", link: lossyLink(0.02), run: func(w *world) {
		w.form(12)
		w.net.Crash(w.hosts[7].addr)
		w.say(2, 64)
		w.net.RunFor(12 * time.Second)
	}},
	{name: "partition-and-heal", link: quiet(), run: func(w *world) {
		w.form(10)
		cut := w.net.Partition(w.addrs(0, 5), w.addrs(5, 10))
		w.net.RunFor(20 * time.Second)
		w.say(1, 64)
		cut.Heal()
		w.net.RunFor(90 * time.Second)
		w.say(8, 64)
		w.net.RunFor(time.Second)
	}},
	{name: "leave-and-rejoin", link: quiet(), run: func(w *world) {
		w.form(10)
		w.do(4, w.hosts[4].Leave)
		w.net.RunFor(2 * time.Second)
		w.join(4, 0)
		w.net.RunFor(2 * time.Second)
		w.say(4, 64)
		w.net.RunFor(time.Second)
	}},
	{name: "restart", link: quiet(), run: func(w *world) {
		w.form(8)
		w.net.Crash(w.hosts[3].addr)
		w.net.RunFor(time.Second)
		w.restart(3)
		w.net.RunFor(10 * time.Second)
		w.say(3, 64)
		w.net.RunFor(time.Second)
	}},
	{name: "state-exchange", link: lossyLink(0.02), tweak: func(_ int, c *gossip.Config) { c.State, c.PushPullInterval = true, 3*time.Second }, run: func(w *world) {
		w.form(8)
		w.say(0, 64)
		w.net.RunFor(20 * time.Second)
	}},
	{name: "votes", link: quiet(), tweak: func(_ int, c *gossip.Config) { c.State, c.AskMerge, c.AskAlive = true, true, true }, run: func(w *world) {
		w.veto = "node-5"
		w.form(8)
		w.say(0, 64)
		w.net.RunFor(10 * time.Second)
	}},
	{name: "key-rotation", link: quiet(), run: func(w *world) {
		w.form(8)
		older, newer := handshake.NewKey([]byte("insecure"), ""), handshake.NewKey([]byte("newer"), "")
		for _, keys := range [][]handshake.Key{{older, newer}, {newer, older}, {newer}} {
			for i, h := range w.hosts {
				w.do(i, func(now time.Time) { h.SetKeys(now, keys) })
			}
			w.net.RunFor(5 * time.Second)
			w.say(2, 64)
		}
		w.net.RunFor(2 * time.Minute)
		w.say(3, 64)
		w.net.RunFor(time.Second)
	}},
	{name: "mtu", link: simnet.Link{Latency: simnet.Constant(3 * time.Millisecond), MTU: 1300}, tweak: func(_ int, c *gossip.Config) { c.DatagramMax = gossip.DatagramProbed }, run: func(w *world) {
		w.form(6)
		for size := 1150; size < 1400; size += 20 {
			w.say(1, size)
			w.net.RunFor(100 * time.Millisecond)
		}
		w.net.RunFor(30 * time.Second)
		w.say(2, 50<<10)
		w.net.RunFor(5 * time.Second)
	}},
	{name: "direct", link: lossyLink(0.05), tweak: func(_ int, c *gossip.Config) { c.Pings = true }, run: func(w *world) {
		w.form(6)
		for i := range 40 {
			from, to := i%6, w.hosts[(i+2)%6].addr
			w.do(from, func(now time.Time) {
				_, err := w.hosts[from].Send(now, to, make([]byte, 1<<(i%16)), i%2 == 0, now.Add(5*time.Second))
				w.note("send %v", err)
				_, err = w.hosts[from].Ping(now, "", to, now.Add(time.Second))
				w.note("ping %v", err)
			})
			w.net.RunFor(50 * time.Millisecond)
		}
		w.net.RunFor(5 * time.Second)
	}},
	{name: "metadata-and-address", link: quiet(), run: func(w *world) {
		w.form(8)
		w.do(2, func(now time.Time) { w.note("meta %v", w.hosts[2].SetMeta(now, []byte("version 2"))) })
		w.net.RunFor(time.Second)
		w.do(3, func(now time.Time) { w.hosts[3].Readdress(now, goldenAddr(103)) })
		w.net.Alias(w.hosts[3].addr, goldenAddr(103))
		w.say(3, 64)
		w.net.RunFor(10 * time.Second)
	}},
	{name: "zones-nearest", link: lossyLink(0), tweak: func(i int, c *gossip.Config) {
		c.Strategy, c.Zone = overlay.Nearest, wire.Zone{Name: string(rune('a' + i%3)), Valid: true}
	}, run: func(w *world) {
		w.form(18)
		w.net.RunFor(70 * time.Second)
		for i := range 20 {
			w.say(i%18, 300)
			w.net.RunFor(20 * time.Millisecond)
		}
		w.net.RunFor(time.Second)
	}},
	{name: "legacy", link: quiet(), run: func(w *world) {
		w.model(0)
		w.model(1)
		w.hostsUp(4)
		for i := range w.hosts {
			w.do(i, func(now time.Time) { w.hosts[i].Join(now, modelAddr(i%2), now.Add(10*time.Second)) })
		}
		w.net.RunFor(20 * time.Second)
		w.say(1, 500)
		w.net.Do(modelAddr(0), func(time.Time) { w.models[0].Broadcast([]byte("from a gwyh 0.1 node")) })
		w.net.RunFor(5 * time.Second)
		w.net.Crash(modelAddr(1))
		w.net.RunFor(30 * time.Second)
	}},
}

// world is the simulated network, its nodes, and a hash of all their events.
type world struct {
	t         *testing.T
	net       *simnet.Network
	tweak     func(i int, c *gossip.Config)
	hosts     []*goldenNode
	models    []*gwyh01.Node
	made      uint64 // number of random sources created
	said      uint32
	delivered int
	veto      string // name of a node that NotifyAlive refuses
	events    interface {
		Write(b []byte) (int, error)
		Sum64() uint64
	}
}

// goldenNode is a core with an application that answers every query at once.
type goldenNode struct {
	*gossip.Core
	w    *world
	name string
	addr netip.AddrPort
}

func goldenAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}), 6969)
}

func modelAddr(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 200, 0, byte(i)}), 6969)
}

func (w *world) note(format string, args ...any) { fmt.Fprintf(w.events, format+"\n", args...) }

func (w *world) addrs(from, to int) (list []netip.AddrPort) {
	for _, h := range w.hosts[from:to] {
		list = append(list, h.addr)
	}
	return list
}

// core returns the core of node i.
func (w *world) core(i int) *gossip.Core {
	w.t.Helper()
	random := w.net.Reader(w.made)
	w.made++
	id, secret, err := nodeid.New(random, nodeid.NoAgreement)
	if err != nil {
		w.t.Fatal(err)
	}
	cfg := gossip.Config{ID: id, Secret: secret, Name: fmt.Sprintf("node-%d", i), Advertise: goldenAddr(i), MetaMax: 512,
		Keys: []handshake.Key{handshake.NewKey([]byte("insecure"), "")}, AllowLegacy: true,
		Subscriptions: 5, Heartbeat: time.Second, DatagramSize: 1400, DatagramTaken: 65_507,
		Suite: session.Null, Agreement: nodeid.NoAgreement, Rand: random}
	if w.tweak != nil {
		w.tweak(i, &cfg)
	}
	core, err := gossip.New(w.net.Now(), cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return core
}

// hostsUp starts n nodes that do not know each other.
func (w *world) hostsUp(n int) {
	for i := range n {
		h := &goldenNode{Core: w.core(i), w: w, name: fmt.Sprintf("node-%d", i), addr: goldenAddr(i)}
		w.hosts = append(w.hosts, h)
		w.net.Add(simnet.HostConfig{Addr: h.addr, Name: h.name}, h)
	}
}

// form starts n nodes, has them join the first, and gives them five seconds.
func (w *world) form(n int) {
	w.hostsUp(n)
	for i := 1; i < n; i++ {
		w.join(i, 0)
	}
	w.net.RunFor(5 * time.Second)
}

func (w *world) join(i, seed int) {
	w.do(i, func(now time.Time) { w.hosts[i].Join(now, w.hosts[seed].addr, now.Add(10*time.Second)) })
}

func (w *world) restart(i int) {
	w.hosts[i].Core = w.core(i)
	w.net.Restart(w.hosts[i].addr, w.hosts[i])
	w.join(i, 0)
}

// model starts a node of gwyh 0.1.
func (w *world) model(i int) {
	m := gwyh01.New(w.net.Now(), gwyh01.Config{Addr: modelAddr(i), Keys: []string{"insecure"},
		Suite: session.Null, Agreement: nodeid.NoAgreement, Rand: w.net.Reader(1<<32 + uint64(i))})
	w.models = append(w.models, m)
	w.net.Add(simnet.HostConfig{Addr: modelAddr(i), Name: fmt.Sprintf("model-%d", i)}, m)
}

func (w *world) do(i int, f func(now time.Time)) {
	w.net.Do(w.hosts[i].addr, func(now time.Time) {
		f(now)
		w.hosts[i].take(now)
	})
}

// say broadcasts size bytes from node i. The message begins with a unique number.
func (w *world) say(i, size int) {
	w.said++
	msg := binary.BigEndian.AppendUint32(make([]byte, 0, size), w.said)
	msg = append(msg, make([]byte, size-len(msg))...)
	w.do(i, func(now time.Time) { w.note("broadcast %v", w.hosts[i].Broadcast(now, msg)) })
}

func (n *goldenNode) HandleDatagram(now time.Time, from wire.Path, b []byte) {
	n.Core.HandleDatagram(now, from, b)
	n.take(now)
}

func (n *goldenNode) HandleTimeout(now time.Time) {
	n.Core.HandleTimeout(now)
	n.take(now)
}

// take records the events of the core, and answers its queries.
func (n *goldenNode) take(now time.Time) {
	for events := n.Events(); len(events) > 0; events = n.Events() {
		for _, e := range slices.Clone(events) {
			n.hear(now, &e)
		}
	}
}

func (n *goldenNode) hear(now time.Time, e *event.Event) {
	if e.Kind == event.Log {
		return
	}
	sum := fnv.New64a()
	_, _ = sum.Write(e.Data)
	n.w.note("%s %s %d %s %d %v %x", now.Format(time.StampNano), n.name, e.Kind, e.Member.Name, e.Member.State, e.Err != nil, sum.Sum64())
	switch e.Kind {
	case event.Message:
		n.w.delivered++
	case event.StateWanted:
		n.AnswerState(now, e.State, fmt.Appendf(nil, "state of %s", n.name))
	case event.State:
		n.StateMerged(now, e.State)
	case event.MergeAsked:
		n.AnswerMerge(now, e.State, nil)
	case event.AliveAsked:
		n.AnswerAlive(now, e.Vote, n.w.verdict(e.Member.Name))
	case event.PayloadWanted:
		n.SetAckPayload(now, []byte("payload"))
	}
}

var errVetoed = errors.New("not wanted")

func (w *world) verdict(name string) error {
	if name == w.veto {
		return errVetoed
	}
	return nil
}
