package hashi

import (
	"io"
	"time"

	"github.com/gwyh-go/gwyh/bench/adapter"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"
)

func init() {
	adapter.Register(adapter.Spec{Name: "serf", Note: "user events, serf defaults (memberlist LAN), AES-256",
		Gap: 300 * time.Millisecond, New: func() adapter.Cluster { return &serfCluster{} }})
}

type serfCluster struct {
	deliver adapter.DeliverFunc
	nodes   []*serf.Serf
	quit    chan struct{}
}

func (c *serfCluster) OnDeliver(f adapter.DeliverFunc) { c.deliver = f }
func (c *serfCluster) Start(n int) error {
	c.quit = make(chan struct{})
	var seed string
	for i := range n {
		conf := serf.DefaultConfig()
		conf.NodeName = name(i)
		conf.LogOutput = io.Discard
		conf.MemberlistConfig = memberlist.DefaultLANConfig()
		conf.MemberlistConfig.LogOutput = io.Discard
		if err := loopback(conf.MemberlistConfig, i); err != nil {
			return err
		}
		ev := make(chan serf.Event, 1024)
		conf.EventCh = ev
		s, err := serf.Create(conf)
		if err != nil {
			return err
		}
		c.nodes = append(c.nodes, s)
		go c.consume(i, ev)
	}
	seed = c.nodes[0].Memberlist().LocalNode().Address()
	return joinAll(n, func(i int) error { _, err := c.nodes[i].Join([]string{seed}, true); return err })
}

func (c *serfCluster) consume(i int, ev <-chan serf.Event) {
	for {
		select {
		case e := <-ev:
			if u, ok := e.(serf.UserEvent); ok {
				c.deliver(i, u.Payload, time.Now())
			}
		case <-c.quit:
			return
		}
	}
}

func (c *serfCluster) Broadcast(from int, p []byte) error {
	return c.nodes[from].UserEvent("b", append([]byte(nil), p...), false)
}
func (c *serfCluster) Known(i int) int { return c.nodes[i].Memberlist().NumMembers() - 1 }
func (c *serfCluster) Stop() {
	close(c.quit)
	for _, s := range c.nodes {
		s.Shutdown()
	}
}
