package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gwyh-go/gwyh"
)

// node is one member of the cluster together with its application, which records deliveries.
type node struct {
	*gwyh.Memberlist
	index  int // in the ledger
	zone   int
	hears  int // how many others it receives from in a whole cluster
	ledger *ledger
}

// NotifyMsg records a delivery. With the other methods, node is a gwyh.Delegate.
func (n *node) NotifyMsg(b []byte) { n.ledger.arrived(time.Now(), n.index, b) }

func (n *node) NodeMeta(int) []byte             { return nil }
func (n *node) GetBroadcasts(int, int) [][]byte { return nil }
func (n *node) LocalState(bool) []byte          { return nil }
func (n *node) MergeRemoteState([]byte, bool)   {}

// cluster is the running nodes. They communicate only by UDP.
type cluster struct {
	nodes  []*node
	ledger *ledger
}

// newCluster creates the nodes that o describes, spread over the zones in turn. No node knows another one yet. If it
// returns an error, no node is left running.
func newCluster(o options, each func(made int)) (*cluster, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	c := &cluster{ledger: &ledger{nodes: o.nodes}}
	for i := range o.nodes {
		n := &node{index: i, zone: i % o.zones, ledger: c.ledger}
		n.hears = hears(o, n.zone)
		list, err := gwyh.Create(nodeConfig(o, n, key))
		if err != nil {
			c.shutdown(c.nodes)
			return nil, fmt.Errorf("create node %d: %w", i+1, err)
		}
		n.Memberlist = list
		c.nodes = append(c.nodes, n)
		each(i + 1)
	}
	return c, nil
}

func nodeConfig(o options, n *node, key []byte) *gwyh.Config {
	c := gwyh.DefaultLANConfig()
	c.Name = fmt.Sprintf("node-%03d", n.index+1)
	c.Zone = fmt.Sprintf("zone-%d", n.zone+1)
	c.BindAddr, c.BindPort = "127.0.0.1", 0
	c.SecretKey = key
	c.DistributionStrategy = o.strategy.is
	c.HeartbeatInterval = o.heartbeat
	c.Delegate = n
	c.GossipInterval = 0 // messages are sent with Broadcast, so GetBroadcasts need not be polled
	c.LogOutput = io.Discard
	return c
}

// hears returns from how many others a node of a zone receives once the cluster is whole: 5, or fewer if the strategy
// allows fewer.
func hears(o options, zone int) int {
	want := gwyh.DefaultLANConfig().Subscriptions
	if o.strategy.is != gwyh.HubAndSpoke {
		return min(want, o.nodes-1)
	}
	others := (o.nodes - zone - 1) / o.zones // in its own zone
	hubs := o.zones - 1
	return hubs + min(max(want-hubs, 2), others)
}

// join makes all nodes join the first one at the same moment. The channel gets the result of each Join.
func (c *cluster) join() <-chan error {
	seed := c.nodes[0].LocalNode()
	address := net.JoinHostPort(seed.Addr.String(), strconv.Itoa(int(seed.Port)))
	begin := make(chan struct{})
	ended := make(chan error, len(c.nodes))
	for _, n := range c.nodes[1:] {
		go func() {
			<-begin
			_, err := n.Join([]string{address})
			if err != nil {
				err = fmt.Errorf("%s: %w", n.LocalNode().Name, err)
			}
			ended <- err
		}()
	}
	close(begin)
	return ended
}

// knowing returns the number of nodes that know all nodes.
func (c *cluster) knowing() int { return c.known().all }

// hearing returns the number of nodes that receive from as many others as they should.
func (c *cluster) hearing() (hear int) {
	for _, n := range c.nodes {
		if n.Stats().Subscriptions >= n.hears {
			hear++
		}
	}
	return hear
}

// behind describes the first few nodes that do not know, or receive from, as many others as they should.
func (c *cluster) behind(few int) string {
	var b strings.Builder
	for _, n := range c.nodes {
		if few == 0 {
			break
		}
		if s := n.Stats(); s.Members < len(c.nodes) || s.Subscriptions < n.hears {
			few--
			fmt.Fprintf(&b, "\n  %s knows %d others and hears from %d of %d", n.LocalNode().Name, s.Members-1, s.Subscriptions, n.hears)
		}
	}
	return b.String()
}

// split removes nodes from the cluster. The caller stops them.
func (c *cluster) split(chosen []int) []*node {
	out := make([]*node, 0, len(chosen))
	gone := make(map[int]bool, len(chosen))
	for _, i := range chosen {
		out = append(out, c.nodes[i])
		gone[i] = true
	}
	rest := make([]*node, 0, len(c.nodes)-len(chosen))
	for i, n := range c.nodes {
		if !gone[i] {
			rest = append(rest, n)
		}
	}
	c.nodes = rest
	return out
}

// leave makes nodes leave gracefully and stops them.
func (c *cluster) leave(nodes []*node) error {
	return together(nodes, func(n *node) error {
		return errors.Join(n.Leave(2*time.Second), n.Shutdown())
	})
}

// shutdown stops nodes without a leave, which is as close to a crash as one process gets.
func (c *cluster) shutdown(nodes []*node) error {
	return together(nodes, func(n *node) error { return n.Shutdown() })
}

// together calls f for all nodes at the same time.
func together(nodes []*node, f func(*node) error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(nodes))
	for i, n := range nodes {
		wg.Go(func() { errs[i] = f(n) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// copies returns how many messages all nodes received, duplicates included, and how many came from another zone.
func (c *cluster) copies() (all, crossZone uint64) {
	for _, n := range c.nodes {
		s := n.Stats()
		all += s.BroadcastsDelivered + s.BroadcastsDuplicate
		crossZone += s.BroadcastsCrossZone
	}
	return all, crossZone
}

// dropped returns the number of datagrams and messages that all nodes dropped.
func (c *cluster) dropped() (n int) {
	for _, o := range c.nodes {
		n += int(o.Stats().Dropped)
	}
	return n
}

// poll calls f every interval until it returns true or ctx ends. It returns the last result of f.
func poll(ctx context.Context, interval time.Duration, f func() bool) bool {
	t := time.NewTicker(interval)
	defer t.Stop()
	for !f() {
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
		}
	}
	return true
}

// pollWhileGrowing is poll for an f that also returns its progress. It stops if the progress does not grow within
// patience, so a slow machine has time as long as it progresses.
func pollWhileGrowing(ctx context.Context, interval, patience time.Duration, f func() (progress int, done bool)) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	highest, grew := math.MinInt, time.Now()
	done := false
	poll(ctx, interval, func() bool {
		var n int
		if n, done = f(); n > highest {
			highest, grew = n, time.Now()
		}
		return done || time.Since(grew) > patience
	})
	return done
}
