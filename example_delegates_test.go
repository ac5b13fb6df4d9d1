package gwyh_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gwyh-go/gwyh"
)

// counters is a state that all nodes share: for each name, the greatest number that any node has seen.
type counters struct {
	app
	mu     sync.Mutex
	values map[string]int
}

// LocalState is sent to a joining node, and to a random node every PushPullInterval.
func (c *counters) LocalState(join bool) []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b []byte
	for name, value := range c.values {
		b = fmt.Appendf(b, "%s %d\n", name, value)
	}
	return b
}

// MergeRemoteState must give the same result in whatever order and however often states are merged.
func (c *counters) MergeRemoteState(buf []byte, join bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for line := range strings.Lines(string(buf)) {
		var name string
		var value int
		if _, err := fmt.Sscan(line, &name, &value); err == nil {
			c.values[name] = max(c.values[name], value)
		}
	}
}

// A Delegate with a state: two separate nodes agree when they join.
func ExampleDelegate() {
	network := new(gwyh.MockNetwork)
	ann := &counters{values: map[string]int{"visits": 7, "sales": 1}}
	bob := &counters{values: map[string]int{"visits": 5, "returns": 2}}
	a := start(network, "ann", func(c *gwyh.Config) { c.Delegate = ann })
	defer a.Shutdown()
	b := start(network, "bob", func(c *gwyh.Config) { c.Delegate = bob })
	defer b.Shutdown()
	if _, err := b.Join([]string{a.LocalNode().Address()}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(bob.values)
	// Output: map[returns:2 sales:1 visits:7]
}

// watcher is an EventDelegate. Its methods are called one at a time.
type watcher struct{ joined chan string }

func (w watcher) NotifyJoin(n *gwyh.Node)   { w.joined <- n.Name }
func (w watcher) NotifyLeave(n *gwyh.Node)  {}
func (w watcher) NotifyUpdate(n *gwyh.Node) {}

// An EventDelegate is notified of members that join, leave, fail and change. The first one is the node itself.
func ExampleEventDelegate() {
	network := new(gwyh.MockNetwork)
	w := watcher{make(chan string, 8)}
	a := start(network, "ann", func(c *gwyh.Config) { c.Events = w })
	defer a.Shutdown()
	b := start(network, "bob", nil)
	defer b.Shutdown()
	if _, err := b.Join([]string{a.LocalNode().Address()}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-w.joined, <-w.joined)
	// Output: ann bob
}

// guard is an AliveDelegate that admits only nodes of one team.
type guard struct{ team string }

func (g guard) NotifyAlive(n *gwyh.Node) error {
	if string(n.Meta) != g.team {
		return fmt.Errorf("%s is not of the team %s", n.Name, g.team)
	}
	return nil
}

// An AliveDelegate decides about each node, including the node itself, whether it is admitted, here by its metadata.
func ExampleAliveDelegate() {
	network := new(gwyh.MockNetwork)
	a := start(network, "ann", func(c *gwyh.Config) { c.Delegate, c.Alive = &app{meta: "red"}, guard{"red"} })
	defer a.Shutdown()
	b := start(network, "bob", func(c *gwyh.Config) { c.Delegate = &app{meta: "blue"} })
	defer b.Shutdown()
	_, err := b.Join([]string{a.LocalNode().Address()})
	fmt.Println(strings.Contains(err.Error(), "bob is not of the team red"), a.NumMembers())
	// Output: true 1
}

// closed is a MergeDelegate that admits no other cluster.
type closed struct{}

func (closed) NotifyMerge(peers []*gwyh.Node) error { return errors.New("this cluster is complete") }

// A MergeDelegate decides whether two clusters become one. It sees the members of the other cluster.
func ExampleMergeDelegate() {
	network := new(gwyh.MockNetwork)
	a := start(network, "ann", func(c *gwyh.Config) { c.Merge = closed{} })
	defer a.Shutdown()
	b := start(network, "bob", nil)
	defer b.Shutdown()
	_, err := b.Join([]string{a.LocalNode().Address()})
	fmt.Println(strings.Contains(err.Error(), "this cluster is complete"), b.NumMembers())
	// Output: true 1
}

// registrar is a ConflictDelegate.
type registrar struct{ conflicts chan string }

func (r registrar) NotifyConflict(existing, other *gwyh.Node) {
	r.conflicts <- existing.Name + " is taken by " + existing.Address()
}

// A ConflictDelegate is notified of a second live node with the name of a member. The first node keeps the name.
func ExampleConflictDelegate() {
	network := new(gwyh.MockNetwork)
	r := registrar{make(chan string, 8)}
	a := start(network, "ann", func(c *gwyh.Config) { c.Conflict = r })
	defer a.Shutdown()
	impostor := start(network, "ann", nil)
	defer impostor.Shutdown()
	_, _ = impostor.Join([]string{a.LocalNode().Address()})
	fmt.Println(<-r.conflicts == "ann is taken by "+a.LocalNode().Address(), a.NumMembers())
	// Output: true 1
}

// stopwatch is a PingDelegate.
type stopwatch struct{ measured chan string }

func (s stopwatch) AckPayload() []byte { return []byte("3 users") }

func (s stopwatch) NotifyPingComplete(other *gwyh.Node, rtt time.Duration, payload []byte) {
	select {
	case s.measured <- fmt.Sprintf("%s has %s, measured: %v", other.Name, payload, rtt > 0):
	default:
	}
}

// A PingDelegate receives round-trip times and the payload of the other node.
func ExamplePingDelegate() {
	network := new(gwyh.MockNetwork)
	s := stopwatch{make(chan string, 1)}
	quick := func(c *gwyh.Config) { c.Ping, c.ProbeInterval = s, 50*time.Millisecond }
	a := start(network, "ann", quick)
	defer a.Shutdown()
	b := start(network, "bob", func(c *gwyh.Config) { c.Ping = stopwatch{make(chan string, 1)} })
	defer b.Shutdown()
	if _, err := a.Join([]string{b.LocalNode().Address()}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(<-s.measured)
	// Output: bob has 3 users, measured: true
}

// ownZone is a NodeSelectionDelegate that selects only nodes of its own zone.
type ownZone struct{ zone string }

func (o ownZone) SelectNodes(nodes []*gwyh.NodeState) (selected []*gwyh.NodeState, preferred *gwyh.NodeState) {
	for _, n := range nodes {
		if n.Zone == o.zone {
			selected = append(selected, n)
		}
	}
	return selected, nil
}

// A NodeSelectionDelegate chooses the members with which a node makes links. The other nodes are still members.
func ExampleNodeSelectionDelegate() {
	var nodes []*gwyh.NodeState
	for _, zone := range []string{"north", "south", "north"} {
		n := &gwyh.NodeState{}
		n.Zone = zone
		nodes = append(nodes, n)
	}
	selected, _ := ownZone{"north"}.SelectNodes(nodes)
	fmt.Println(len(selected))
	// Output: 2
}

// lossy is a Transport that drops every tenth datagram.
type lossy struct {
	gwyh.NodeAwareTransport
	mu   sync.Mutex
	sent int
}

func (l *lossy) WriteToAddress(b []byte, addr gwyh.Address) (time.Time, error) {
	l.mu.Lock()
	l.sent++
	drop := l.sent%10 == 0
	l.mu.Unlock()
	if drop {
		return time.Now(), nil
	}
	return l.NodeAwareTransport.WriteToAddress(b, addr)
}

// A Transport carries the datagrams. Here it wraps an existing one, to test how a program copes with loss.
func ExampleTransport() {
	network := new(gwyh.MockNetwork)
	ann := &app{got: make(chan string, 100)}
	a := start(network, "ann", func(c *gwyh.Config) { c.Delegate = ann })
	defer a.Shutdown()
	b := start(network, "bob", func(c *gwyh.Config) {
		c.Transport = &lossy{NodeAwareTransport: network.NewTransport("bob")}
	})
	defer b.Shutdown()
	if _, err := b.Join([]string{a.LocalNode().Address()}); err != nil {
		log.Fatal(err)
	}
	for i := range 100 {
		if err := b.Broadcast([]byte{byte(i)}); err != nil {
			log.Fatal(err)
		}
	}
	for range 100 {
		<-ann.got // dropped datagrams are retransmitted
	}
	fmt.Println("all 100 arrived")
	// Output: all 100 arrived
}

// lines is the destination of the example's log.
type lines struct{ first chan string }

func (l lines) Write(b []byte) (int, error) {
	select {
	case l.first <- string(b):
	default:
	}
	return len(b), nil
}

// Config.LogHandler is a slog.Handler. Its level decides which lines the node writes.
func ExampleConfig_logHandler() {
	network := new(gwyh.MockNetwork)
	out := lines{make(chan string, 1)}
	noTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	a := start(network, "ann", func(c *gwyh.Config) {
		c.LogOutput = nil
		c.LogHandler = slog.NewJSONHandler(out, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: noTime})
		c.SecretKey = []byte("hunter2")
	})
	defer a.Shutdown()
	fmt.Print(<-out.first)
	// Output: {"level":"WARN","msg":"a key has 7 bytes: fewer than 16 can be guessed"}
}

// A zone tells which nodes are near each other. All nodes see it; the strategy decides how it affects links.
func ExampleConfig_zone() {
	network := new(gwyh.MockNetwork)
	in := func(zone string) func(*gwyh.Config) {
		return func(c *gwyh.Config) { c.Zone, c.DistributionStrategy = zone, gwyh.PreferLocal }
	}
	a := start(network, "ann", in("north"))
	defer a.Shutdown()
	b := start(network, "bob", in("south"))
	defer b.Shutdown()
	if _, err := b.Join([]string{a.LocalNode().Address()}); err != nil {
		log.Fatal(err)
	}
	var all []string
	for _, n := range b.Members() {
		all = append(all, n.Name+" in "+n.Zone)
	}
	slices.Sort(all)
	fmt.Println(all)
	// Output: [ann in north bob in south]
}

// Metrics returns all counters and gauges of docs/METRICS.md at once, for a custom exporter.
func ExampleMemberlist_Metrics() {
	a := start(new(gwyh.MockNetwork), "ann", nil)
	defer a.Shutdown()
	for _, m := range a.Metrics() {
		if m.Name == "members" {
			fmt.Println(m.Kind, m.Name, m.Value)
		}
	}
	// Output: gauge members 1
}

// Status returns what an operator needs to see.
func ExampleMemberlist_Status() {
	a := start(new(gwyh.MockNetwork), "ann", func(c *gwyh.Config) { c.SecretKey, c.LogOutput = []byte("hunter2"), io.Discard })
	defer a.Shutdown()
	for _, w := range a.Status().Warnings {
		fmt.Println(w.Code+":", w.Text)
	}
	// Output: weak-key: a key has 7 bytes: fewer than 16 can be guessed
}
