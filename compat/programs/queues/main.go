// Queues is a program with the structure of a service discovery agent: three queues embedded by value, of which the
// first has priority, and network coordinates that travel in the acks of probes.
//
// Commands on standard input: "event TEXT", "query TEXT" and "intent TEXT" send a message to all nodes, each of which
// prints it once. "coordinates" prints how many are known; "members" prints the number of members.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"math"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// A message is sent to all nodes. Each node forwards a new message.
type message struct {
	Kind, Text string
	Origin     string
	Number     int
}

// A coordinate is the position of a node. Distances are round-trip times in seconds.
type coordinate struct{ X, Y float64 }

// move moves c so that its distance from other gets closer to the round-trip time.
func (c *coordinate) move(other coordinate, rtt time.Duration) {
	dx, dy := c.X-other.X, c.Y-other.Y
	distance := math.Hypot(dx, dy)
	if distance == 0 {
		dx, distance = 1e-9, 1e-9
	}
	force := 0.25 * (rtt.Seconds() - distance) / distance
	c.X += force * dx
	c.Y += force * dy
}

type agent struct {
	name string
	list *memberlist.Memberlist

	intents memberlist.TransmitLimitedQueue
	events  memberlist.TransmitLimitedQueue
	queries memberlist.TransmitLimitedQueue

	mu    sync.Mutex
	made  int
	seen  map[string]bool
	own   coordinate
	known map[string]coordinate
	joins int
}

// delegate separates the agent's own methods from those of memberlist.
type delegate struct{ *agent }

func (d delegate) NodeMeta(limit int) []byte { return []byte("role=agent")[:min(limit, 10)] }

func (d delegate) NotifyMsg(b []byte) {
	if len(b) == 0 {
		return
	}
	msg := append([]byte(nil), b...) // memberlist reuses the buffer
	var m message
	if err := json.Unmarshal(msg, &m); err != nil {
		log.Print(err)
		return
	}
	if d.new(m) {
		fmt.Println(m.Kind, m.Text)
		d.queueOf(m.Kind).QueueBroadcast(broadcast(msg))
	}
}

func (d delegate) GetBroadcasts(overhead, limit int) [][]byte {
	var msgs [][]byte
	for _, q := range []*memberlist.TransmitLimitedQueue{&d.intents, &d.queries, &d.events} {
		more := q.GetBroadcasts(overhead, limit)
		for _, m := range more {
			limit -= overhead + len(m)
		}
		msgs = append(msgs, more...)
	}
	return msgs
}

func (d delegate) LocalState(bool) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	state, _ := json.Marshal(d.made)
	return state
}

func (d delegate) MergeRemoteState(state []byte, _ bool) {
	var made int
	if err := json.Unmarshal(state, &made); err != nil {
		log.Print(err)
	}
}

func (d delegate) NotifyJoin(*memberlist.Node) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.joins++
}
func (d delegate) NotifyLeave(*memberlist.Node)  {}
func (d delegate) NotifyUpdate(*memberlist.Node) {}

// pings is the PingDelegate.
type pings struct{ *agent }

func (p pings) AckPayload() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	payload, _ := json.Marshal(p.own)
	return payload
}

func (p pings) NotifyPingComplete(other *memberlist.Node, rtt time.Duration, payload []byte) {
	var c coordinate
	if err := json.Unmarshal(payload, &c); err != nil {
		return // an older version sends no coordinate
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.own.move(c, rtt)
	p.known[other.Name] = c
}

func (a *agent) queueOf(kind string) *memberlist.TransmitLimitedQueue {
	switch kind {
	case "intent":
		return &a.intents
	case "query":
		return &a.queries
	}
	return &a.events
}

// new reports whether a message is new.
func (a *agent) new(m message) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := fmt.Sprint(m.Origin, m.Number)
	old := a.seen[id]
	a.seen[id] = true
	return !old
}

func (a *agent) tell(kind, text string) {
	a.mu.Lock()
	a.made++
	m := message{Kind: kind, Text: text, Origin: a.name, Number: a.made}
	a.mu.Unlock()
	a.new(m)
	msg, err := json.Marshal(m)
	if err != nil {
		log.Print(err)
		return
	}
	a.queueOf(kind).QueueBroadcast(broadcast(msg))
}

type broadcast []byte

func (b broadcast) Message() []byte                       { return b }
func (b broadcast) Invalidates(memberlist.Broadcast) bool { return false }
func (b broadcast) Finished()                             {}
func (b broadcast) UniqueBroadcast()                      {}

func (a *agent) coordinates() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.known)
}

func main() {
	a := &agent{name: os.Args[1], seen: make(map[string]bool), known: make(map[string]coordinate)}
	config := memberlist.DefaultLANConfig()
	config.Name, config.BindAddr, config.BindPort, config.AdvertisePort = a.name, "127.0.0.1", 0, 0
	config.Delegate, config.Events, config.Ping, config.LogOutput = delegate{a}, delegate{a}, pings{a}, io.Discard
	config.SecretKey = []byte("sixteen byte key")
	config.ProbeInterval = 100 * time.Millisecond
	config.ProbeTimeout = 50 * time.Millisecond
	list, err := memberlist.Create(config)
	if err != nil {
		log.Fatal(err)
	}
	a.list = list
	for _, q := range []*memberlist.TransmitLimitedQueue{&a.intents, &a.events, &a.queries} {
		q.NumNodes, q.RetransmitMult = list.NumMembers, config.RetransmitMult
	}
	if others := os.Args[2:]; len(others) > 0 {
		if _, err := list.Join(others); err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("listening at", list.LocalNode().Address())
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		switch kind, text, _ := strings.Cut(lines.Text(), " "); kind {
		case "members":
			fmt.Println("members", list.NumMembers())
		case "coordinates":
			fmt.Println("coordinates", a.coordinates())
		default:
			a.tell(kind, text)
		}
	}
	if err := list.Leave(5 * time.Second); err != nil {
		log.Print(err)
	}
	if err := list.Shutdown(); err != nil {
		log.Fatal(err)
	}
}
