// Package fake simulates the node of a cluster of any size for tests of the page.
package fake

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/status"
)

// A Node is a statuspage.Source with a given number of members. Its methods are safe for concurrent use.
type Node struct {
	mu       sync.Mutex
	status   status.Status
	stats    gwyh.Stats
	watchers []chan<- status.Event
	taken    int
}

var zones = []string{"eu-west", "us-east", "ap-south", "eu-north", "sa-east"}

// New returns a node of a cluster of n members in five zones. The node has a suspicion and ten links. One link loses
// packets, one is narrow, and one is deaf.
func New(n int) *Node {
	began := time.Now()
	f := &Node{}
	f.status = status.Status{
		At: began, Keys: []status.Key{{Fingerprint: "9f2c41d07a3e", Primary: true}, {Fingerprint: "1b77e05c92aa"}},
		Drops: []status.Drop{{Reason: "malformed"}, {Reason: "forged", Count: 3, Last: began.Add(-time.Hour)}, {Reason: "replay", Count: 12, Last: began.Add(-time.Minute)},
			{Reason: "handshake", Count: 41, Last: began.Add(-5 * time.Second)}, {Reason: "queue_full"}, {Reason: "slow_delegate"}},
		Refusals: []status.Drop{{Reason: "timestamp too far off", Count: 41, Last: began.Add(-5 * time.Second)}, {Reason: "wrong key or label"}},
	}
	for i := range n {
		m := status.Member{Node: status.Node{ID: fmt.Sprintf("%08x-0000-8000-8000-%012x", i*7919, i), Name: fmt.Sprintf("node-%04d", i),
			Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i % len(zones)), byte(i >> 8), byte(i)}), 6969), Zone: zones[i%len(zones)]},
			State: status.Alive, Since: began.Add(-time.Duration(i) * time.Minute), Incarnation: uint64(began.UnixMilli()) - uint64(i)*60_000,
			MetaSize: 40 + i%90, ProtocolMin: 1, ProtocolMax: 5, ProtocolCur: 2}
		switch {
		case i > 10 && i%97 == 0:
			m.State = status.Failed
		case i > 10 && i%143 == 0:
			m.State = status.Left
		}
		f.status.Members = append(f.status.Members, m)
	}
	f.status.Self = f.status.Members[0].Node
	for i := 1; i <= 10 && i < n; i++ {
		m := &f.status.Members[i]
		m.RTT = time.Duration(i*i*i) * 300 * time.Microsecond
		f.status.Links = append(f.status.Links, status.Link{Node: m.Node, Subscription: i%2 == 1, Subscriber: i%3 > 0, RTT: m.RTT, Heard: began,
			Rate: 4e6, Sent: uint64(i) * 123_456, MTU: 1400})
	}
	if l := f.status.Links; len(l) == 10 {
		l[3].Loss, l[4].Backlog, l[4].Queued = 0.034, 48_500, 31
		l[5].MTU, l[5].Narrow = 1200, true
		l[6].DeafSince = began.Add(-4 * time.Second)
		s := &f.status.Members[12]
		s.State, s.Since = status.Suspect, began.Add(-2*time.Second)
		f.status.Suspicions = []status.Suspicion{{Node: s.Node, Began: s.Since, Incarnation: s.Incarnation, Accusers: []status.Node{l[0].Node, l[2].Node}}}
		for i, z := range zones {
			d := time.Duration(i+1) * 11 * time.Millisecond
			f.status.Propagation = append(f.status.Propagation, status.Propagation{Zone: z, Count: uint64(900 - i), Heard: began, Median: d, P95: 2 * d, Max: 5 * d, Margin: d / 2})
		}
		f.status.Origins = []status.Origin{{Node: f.status.Members[12].Node, Heard: began.Add(-time.Minute), Interval: 10 * time.Second, Overdue: true},
			{Node: l[2].Node, Heard: began, Interval: 10 * time.Second, Took: 80 * time.Millisecond, Measured: true}}
		f.status.History = []status.Event{{At: began.Add(-time.Hour), Kind: status.Joined, Node: l[0].Node},
			{At: began.Add(-10 * time.Minute), Kind: status.MemberDied, Node: f.status.Members[13].Node, By: l[1].Node},
			{At: s.Since, Kind: status.Suspected, Node: s.Node, By: l[0].Node}}
		f.status.Warnings = []status.Warning{
			{Code: status.Clock, Text: "handshakes of other nodes were refused because their clocks differ from this node's by more than a minute: check NTP here and there (41 so far, the last one from 10.1.0.9:6969)"},
			{Code: status.NarrowPath, Text: fmt.Sprintf("datagrams of more than 1200 bytes do not reach %q, although Config.UDPBufferSize is larger: messages to it are cut", l[5].Name), Node: l[5].Node},
			{Code: status.DeafNeighbor, Text: fmt.Sprintf("%q says that it hears nothing of this node: check the firewall and NAT on the way there", l[6].Name), Node: l[6].Node}}
	}
	f.stats = gwyh.Stats{Members: n, Links: len(f.status.Links), Subscriptions: 5, BytesSent: 1 << 22, BytesReceived: 1 << 23, Dropped: 56}
	return f
}

// Status implements statuspage.Source.
func (f *Node) Status() status.Status {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken++
	s := f.status
	if s.At.IsZero() { // the node was shut down
		return s
	}
	s.At = time.Now()
	s.Members, s.Links = slices.Clone(s.Members), slices.Clone(s.Links)
	s.History, s.Suspicions = slices.Clone(s.History), slices.Clone(s.Suspicions)
	return s
}

// Stats implements statuspage.Source.
func (f *Node) Stats() gwyh.Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stats
}

// Watch implements statuspage.Source.
func (f *Node) Watch(ctx context.Context, ch chan<- status.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.watchers = append(f.watchers, ch)
	context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.watchers = slices.DeleteFunc(f.watchers, func(c chan<- status.Event) bool { return c == ch })
	})
	return nil
}

// Taken returns the number of calls of Status.
func (f *Node) Taken() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.taken
}

// Watchers returns the number of active calls of Watch.
func (f *Node) Watchers() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.watchers)
}

// SetState changes the state of a member and sends the event.
func (f *Node) SetState(name string, s status.State) {
	f.mu.Lock()
	defer f.mu.Unlock()
	kinds := map[status.State]status.Kind{status.Alive: status.Joined, status.Suspect: status.Suspected, status.Failed: status.MemberDied, status.Left: status.MemberLeft}
	for i := range f.status.Members {
		if m := &f.status.Members[i]; m.Name == name {
			m.State, m.Since = s, time.Now()
			e := status.Event{At: m.Since, Kind: kinds[s], Node: m.Node}
			f.status.History = append(f.status.History, e)
			f.publish(e)
		}
	}
}

// Rename changes the name of a member.
func (f *Node) Rename(index int, name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status.Members[index].Name = name
}

// Shutdown makes Status return the zero Status.
func (f *Node) Shutdown() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = status.Status{}
}

// Broadcast sends the events of a message and of two duplicates.
func (f *Node) Broadcast(number int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stats.BroadcastsDelivered++
	f.stats.BroadcastsDuplicate += 2
	f.stats.BytesReceived += 900
	now := time.Now()
	for i, lag := range []time.Duration{0, 3 * time.Millisecond, 41 * time.Millisecond} {
		kind := status.Received
		if i > 0 {
			kind = status.Duplicate
		}
		e := status.Event{At: now.Add(lag), Kind: kind, Node: f.status.Links[(number+i*3)%len(f.status.Links)].Node,
			Message: fmt.Sprintf("a1b2c3d4-0000-8%03x-0000-%012x", number%len(f.status.Links), number), Size: 300}
		if i == 0 && number%3 > 0 { // every third one is large and says nothing about its way
			e.Travel, e.Parents = time.Duration(number)*12*time.Millisecond, []status.Node{e.Node, f.status.Links[0].Node}
			e.Made = number%2 == 1
		}
		f.publish(e)
	}
}

func (f *Node) publish(e status.Event) {
	for _, ch := range f.watchers {
		select {
		case ch <- e:
		default:
		}
	}
}
