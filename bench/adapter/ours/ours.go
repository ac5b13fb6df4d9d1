// Package ours adapts gwyh itself.
package ours

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/bench/adapter"
)

func init() {
	register := func(name, note string, preset func() *gwyh.Config) {
		adapter.Register(adapter.Spec{Name: name, Note: note, Gap: 60 * time.Millisecond,
			New: func() adapter.Cluster { return &cluster{preset: preset} }})
	}
	register("ours", "gwyh, DefaultLANConfig", gwyh.DefaultLANConfig)
	register("ours-local", "gwyh, DefaultLocalConfig: datagrams of 60,000 B", gwyh.DefaultLocalConfig)
}

type cluster struct {
	preset  func() *gwyh.Config
	deliver adapter.DeliverFunc
	event   adapter.EventFunc
	nodes   []*node
}

// node is its own Delegate and EventDelegate.
type node struct {
	c    *cluster
	i    int
	list *gwyh.Memberlist
}

func (n *node) NodeMeta(int) []byte                { return nil }
func (n *node) LocalState(bool) []byte             { return nil }
func (n *node) MergeRemoteState([]byte, bool)      {}
func (n *node) GetBroadcasts(int, int) [][]byte    { return nil }
func (n *node) NotifyMsg(b []byte)                 { n.c.deliver(n.i, b, time.Now()) }
func (n *node) NotifyJoin(*gwyh.Node)              {}
func (n *node) NotifyUpdate(*gwyh.Node)            {}
func (n *node) NotifyLeave(m *gwyh.Node)           { n.tell(m.Name, "dead") }
func (n *node) Write(b []byte) (int, error)        { return len(b), nil }
func (c *cluster) OnDeliver(f adapter.DeliverFunc) { c.deliver = f }
func (c *cluster) OnEvent(f adapter.EventFunc)     { c.event = f }

func (n *node) tell(name, what string) {
	if i, err := strconv.Atoi(strings.TrimPrefix(name, "n")); err == nil && n.c.event != nil && i != n.i {
		n.c.event(n.i, i, what, time.Now())
	}
}

func (c *cluster) Start(n int) error {
	for i := range n {
		nd := &node{c: c, i: i}
		conf := c.preset()
		conf.Name = "n" + strconv.Itoa(i)
		conf.BindAddr, conf.BindPort = "127.0.0.1", 0
		conf.SecretKey = []byte("0123456789abcdef0123456789abcdef")
		conf.Delegate, conf.Events = nd, nd
		conf.LogOutput = io.Discard
		var err error
		if nd.list, err = gwyh.Create(conf); err != nil {
			return err
		}
		c.nodes = append(c.nodes, nd)
	}
	return c.join()
}

// join makes all nodes except the first join the first one at the same moment.
func (c *cluster) join() error {
	seed := c.nodes[0].list.LocalNode().Address()
	var all sync.WaitGroup
	errs := make([]error, len(c.nodes))
	for i, nd := range c.nodes[1:] {
		all.Go(func() {
			if reached, err := nd.list.Join([]string{seed}); reached == 0 {
				errs[i] = fmt.Errorf("node %d: %w", nd.i, err)
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) Broadcast(from int, p []byte) error { return c.nodes[from].list.Broadcast(p) }
func (c *cluster) Known(i int) int                    { return c.nodes[i].list.NumMembers() - 1 }
func (c *cluster) Kill(i int) error                   { return c.nodes[i].list.Shutdown() }

// Settle returns the time until the final subscriptions have replaced those chosen while the cluster grew.
func (c *cluster) Settle() time.Duration { return 3 * time.Second }

func (c *cluster) Stop() {
	for _, nd := range c.nodes {
		_ = nd.list.Shutdown()
	}
}
