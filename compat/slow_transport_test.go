package compat

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

// A delayed transport waits before it writes, as a transport does that dials for each packet.
type delayed struct {
	memberlist.NodeAwareTransport
	wait func(addr string)
}

func (d *delayed) WriteTo(b []byte, addr string) (time.Time, error) {
	d.wait(addr)
	return d.NodeAwareTransport.WriteTo(b, addr)
}

func (d *delayed) WriteToAddress(b []byte, addr memberlist.Address) (time.Time, error) {
	d.wait(addr.Addr)
	return d.NodeAwareTransport.WriteToAddress(b, addr)
}

func TestSlowWritesToADeadNodeMakeNobodyElseSeemDead(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		var nodes []*node
		var dead atomic.Value // the address with slow writes
		wait := func(addr string) {
			if addr == dead.Load() {
				time.Sleep(3 * time.Second)
			}
		}
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			nodes = append(nodes, c.node(name, func(conf *memberlist.Config, _ *app) {
				conf.Transport = &delayed{conf.Transport.(*end), wait}
			}))
		}
		c.join(nodes[0], nodes[1:]...)
		time.Sleep(10 * time.Second)
		dead.Store(nodes[4].addr())
		_ = nodes[4].Shutdown()
		time.Sleep(40 * time.Second)
		if !onGwyh { // memberlist waits for each write, and meanwhile may declare a live node dead
			return
		}
		for _, n := range nodes[:4] {
			left := slices.DeleteFunc(n.calls("leave"), func(call string) bool { return call == "leave e" })
			c.same("others that left", left, []string(nil))
		}
	})
}

func TestSlowWritesToOneNodeDoNotDelayMessagesToOthersOnRealSockets(t *testing.T) {
	var blocked atomic.Value // the address whose writes block until let is closed
	let := make(chan struct{})
	wrap := func(conf *memberlist.Config) {
		nt, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{BindAddrs: []string{"127.0.0.1"}, Logger: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		conf.BindPort = nt.GetAutoBindPort()
		conf.Transport = &delayed{nt, func(addr string) {
			if addr == blocked.Load() {
				<-let
			}
		}}
	}
	atC := newApp()
	a, b := loopback(t, "a", wrap), loopback(t, "b")
	c := loopback(t, "c", func(conf *memberlist.Config) { conf.Delegate = atC })
	for _, n := range []*memberlist.Memberlist{b, c} {
		if reached, err := a.Join([]string{n.LocalNode().Address()}); reached != 1 || err != nil {
			t.Fatal(reached, err)
		}
	}
	blocked.Store(b.LocalNode().Address())
	sent := make(chan error, 1)
	go func() { sent <- a.SendBestEffort(b.LocalNode(), []byte("to b")) }()
	if err := a.SendBestEffort(c.LocalNode(), []byte("to c")); err != nil {
		t.Fatal(err)
	}
	arrives(t, atC, "to c") // although no write to b has completed
	close(let)
	same(t, "send to b", <-sent, error(nil))
}

func TestJoinOverATransportThatTakesLongToWriteEndsInTime(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		slow := func(conf *memberlist.Config, a *app) {
			a.state = []byte("state of " + conf.Name)
			conf.Merge, conf.Alive = nil, nil
			conf.Transport = &delayed{conf.Transport.(*end), func(string) { time.Sleep(200 * time.Millisecond) }}
			conf.TCPTimeout = time.Second
		}
		a, b := c.node("a", slow), c.node("b", slow)
		reached, err := b.Join([]string{a.addr()})
		c.same("Join", []any{reached, err}, []any{1, error(nil)})
		c.same("state that came", b.received(), []string{"state of a"})
	})
}
