package compat

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

// bare hides the node-aware methods of an end.
type bare struct{ memberlist.Transport }

func TestTransportOfOnesOwnNeedsNoNames(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two(func(conf *memberlist.Config, _ *app) { conf.Transport = bare{conf.Transport} })
		a.broadcast("hello")
		c.soon("it arrives", func() bool { return len(b.messages()) > 0 })
	})
}

func TestNodeAwareTransportGetsNames(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		c.soon("a writes to b by name", func() bool { return a.end.nameOf(b.end.addr()) == "b" })
		time.Sleep(10 * time.Second)
		c.same("b writes to a by name", b.end.nameOf(a.end.addr()), "a")
		if err := a.SendToAddress(memberlist.Address{Addr: b.end.addr(), Name: "b"}, []byte("m")); err != nil {
			t.Error(err)
		}
		c.same("SendToAddress", a.end.nameOf(b.end.addr()), "b")
	})
}

func TestPacketBufferIsTheTransportsOwn(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		scribble := func(conf *memberlist.Config, _ *app) { conf.Transport.(*end).scribble = true }
		a, b, d := c.node("a", scribble), c.node("b", scribble), c.node("d", scribble)
		c.join(a, b, d)
		long := strings.Repeat("0123456789", 100)
		a.broadcast(long)
		for _, n := range []*node{b, d} {
			c.soon("it arrives whole", func() bool { got := n.messages(); return len(got) > 0 && got[0] == long })
		}
		if err := a.SendBestEffort(b.LocalNode(), []byte("direct")); err != nil {
			t.Fatal(err)
		}
		c.soon("it arrives whole", func() bool { got := b.messages(); return got[len(got)-1] == "direct" })
	})
}

// failing is a transport whose writes fail some of the time.
type failing struct {
	*end
	fails atomic.Bool
}

func (f *failing) WriteToAddress(b []byte, addr memberlist.Address) (time.Time, error) {
	if f.fails.Load() {
		return time.Time{}, errors.New("network is down")
	}
	return f.end.WriteToAddress(b, addr)
}

func (f *failing) WriteTo(b []byte, addr string) (time.Time, error) {
	return f.WriteToAddress(b, memberlist.Address{Addr: addr})
}

func TestErrorsOfATransportStopNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		f := &failing{}
		a := c.node("a", func(conf *memberlist.Config, _ *app) {
			f.end = conf.Transport.(*end)
			conf.Transport = f
		})
		b := c.node("b")
		if reached, err := b.Join([]string{a.addr()}); reached != 1 || err != nil {
			t.Fatal(reached, err)
		}
		f.fails.Store(true)
		time.Sleep(time.Second)
		f.fails.Store(false)
		a.broadcast("still here")
		c.soon("it arrives", func() bool { return len(b.messages()) > 0 })
	})
}

// nameless gives packets a source that is not an IP address.
type nameless struct {
	*end
	packets chan *memberlist.Packet
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

func (n *nameless) PacketCh() <-chan *memberlist.Packet { return n.packets }

func (n *nameless) run() {
	for {
		select {
		case p := <-n.end.packets:
			p.From = pipeAddr{}
			n.packets <- p
		case <-n.end.done:
			return
		}
	}
}

func TestSourceOfAPacketMayBeNoAddress(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		hide := func(conf *memberlist.Config, _ *app) {
			n := &nameless{end: conf.Transport.(*end), packets: make(chan *memberlist.Packet, 1024)}
			go n.run()
			conf.Transport = n
		}
		a, b := c.node("a", hide), c.node("b", hide)
		if reached, err := b.Join([]string{a.addr()}); reached != 1 || err != nil {
			t.Fatal(reached, err)
		}
		a.broadcast("hello")
		c.soon("it arrives", func() bool { return len(b.messages()) > 0 })
		time.Sleep(time.Minute)
		c.same("members", a.names()+", "+b.names(), "a b, a b")
	})
}

// counting wraps the library's own transport.
type counting struct {
	*memberlist.NetTransport
	written atomic.Int64
}

func (w *counting) WriteTo(b []byte, addr string) (time.Time, error) {
	w.written.Add(1)
	return w.NetTransport.WriteTo(b, addr)
}

func (w *counting) WriteToAddress(b []byte, addr memberlist.Address) (time.Time, error) {
	w.written.Add(1)
	return w.NetTransport.WriteToAddress(b, addr)
}

func TestNetTransportMayBeWrapped(t *testing.T) {
	wrapped := func(w *counting) func(*memberlist.Config) {
		return func(conf *memberlist.Config) {
			nt, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{BindAddrs: []string{"127.0.0.1"}, Logger: quiet()})
			if err != nil {
				t.Fatal(err)
			}
			w.NetTransport, conf.Transport = nt, w
			conf.BindPort = nt.GetAutoBindPort()
		}
	}
	var wa, wb counting
	a, b := loopback(t, "a", wrapped(&wa)), loopback(t, "b", wrapped(&wb))
	if reached, err := b.Join([]string{a.LocalNode().Address()}); reached != 1 || err != nil {
		t.Fatal(reached, err)
	}
	same(t, "members", b.NumMembers(), 2)
	if err := b.SendBestEffort(a.LocalNode(), []byte("m")); err != nil {
		t.Fatal(err)
	}
	if wb.written.Load() == 0 {
		t.Error("nothing went through the wrapper")
	}
}

func TestNetTransportReturnsItsAddress(t *testing.T) {
	nt, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{BindAddrs: []string{"127.0.0.1"}, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nt.Shutdown() }()
	bound := nt.GetAutoBindPort()
	for _, c := range []struct {
		ip       string
		port     int
		wantIP   string
		wantPort int
	}{{"", 0, "127.0.0.1", bound}, {"10.1.2.3", 77, "10.1.2.3", 77}} {
		ip, port, err := nt.FinalAdvertiseAddr(c.ip, c.port)
		if err != nil || ip.String() != c.wantIP || port != c.wantPort {
			t.Errorf("%q %d: %v %d %v", c.ip, c.port, ip, port, err)
		}
	}
	if _, _, err := nt.FinalAdvertiseAddr("nonsense", 1); err == nil {
		t.Error("nonsense is taken")
	}
}

func TestNetTransportTakesPacketsOfOthers(t *testing.T) {
	nt, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{BindAddrs: []string{"127.0.0.1"}, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = nt.Shutdown() }()
	var ingest memberlist.IngestionAwareTransport = nt
	near, far := net.Pipe()
	var writer sync.WaitGroup
	writer.Go(func() {
		_, _ = far.Write([]byte("packet"))
		_ = far.Close()
	})
	defer writer.Wait()
	from := &net.UDPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 5}
	taken := make(chan error, 1)
	go func() { taken <- ingest.IngestPacket(near, from, time.Now(), true) }() // may wait for a reader
	p := <-nt.PacketCh()
	same(t, "packet", []any{string(p.Buf), p.From.String()}, []any{"packet", "10.1.2.3:5"})
	same(t, "IngestPacket", <-taken, error(nil))
}

func TestMockNetworkConnectsNodes(t *testing.T) {
	network := &memberlist.MockNetwork{}
	make := func(name string) (*memberlist.Memberlist, *app) {
		a := newApp()
		m := loopback(t, name, func(conf *memberlist.Config) {
			conf.Transport, conf.Delegate = network.NewTransport(name), a
		})
		return m, a
	}
	a, atA := make("a")
	b, _ := make("b")
	if reached, err := b.Join([]string{"a/" + a.LocalNode().Address()}); reached != 1 || err != nil {
		t.Fatal(reached, err)
	}
	same(t, "members", b.NumMembers(), 2)
	if err := b.SendReliable(a.LocalNode(), []byte("hello")); err != nil {
		t.Fatal(err)
	}
	arrives(t, atA, "hello")
}

func TestMockTransportCarriesPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := &memberlist.MockNetwork{}
		a, b := network.NewTransport("a"), network.NewTransport("b")
		ip, port, err := b.FinalAdvertiseAddr("", 0)
		if err != nil {
			t.Fatal(err)
		}
		addr := (&memberlist.Node{Name: "b", Addr: ip, Port: uint16(port)}).FullAddress()
		go func() { _, _ = a.WriteTo([]byte("by address"), addr.Addr) }()
		p := <-b.PacketCh()
		same(t, "packet", []string{string(p.Buf), p.From.Network()}, []string{"by address", "mock"})
		go func() { _, _ = a.WriteToAddress([]byte("by name"), memberlist.Address{Addr: "1.2.3.4:5", Name: "b"}) }()
		same(t, "packet", string((<-b.PacketCh()).Buf), "by name")
		if _, err := a.WriteTo([]byte("x"), "1.2.3.4:5"); err == nil {
			t.Error("no error for nobody")
		}
	})
}

func TestLabelsKeepClustersApart(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		label := func(l string) func(*memberlist.Config, *app) {
			return func(conf *memberlist.Config, _ *app) { conf.Label = l }
		}
		a, b := c.two(label("blue"))
		for _, other := range []string{"green", ""} {
			n := c.node("n"+other, label(other), func(conf *memberlist.Config, _ *app) { conf.TCPTimeout = 2 * time.Second })
			reached, err := n.Join([]string{a.end.addr()})
			c.same("Join with label "+other, []any{reached, err != nil}, []any{0, true})
		}
		c.same("members", a.names(), "a b")
		a.broadcast("among the blue")
		c.soon("it arrives", func() bool { return len(b.messages()) > 0 })
	})
}

func TestCIDRsAllowedKeepsNodesOut(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		_, _ = c.node("x"), c.node("y") // they take the first addresses
		nets, err := memberlist.ParseCIDRs([]string{"10.0.0.2/31"})
		if err != nil {
			t.Fatal(err)
		}
		a := c.node("a", func(conf *memberlist.Config, _ *app) { conf.CIDRsAllowed = nets }) // 10.0.0.3
		b := c.node("b")                                                                     // 10.0.0.4
		reached, err := b.Join([]string{a.end.addr()})
		c.same("Join", []any{reached, err != nil}, differs(t, "refusal-is-told", []any{1, false}, []any{0, true}))
		time.Sleep(10 * time.Second)
		c.same("members of a", a.names(), "a")
		c.same("events of a", a.calls("join"), []string{"join a"})
	})
}

func TestMessageSurvivesBytesOfAllValues(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		a.broadcast(string(all))
		c.soon("it arrives", func() bool { got := b.messages(); return len(got) > 0 && bytes.Equal([]byte(got[0]), all) })
	})
}

func TestDatagramsOfATransportOfOnesOwnMayBeLarge(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two(func(conf *memberlist.Config, _ *app) { conf.UDPBufferSize = 10 << 20 })
		for i, size := range []int{60 << 10, 100 << 10, 1 << 20, 4 << 20, 9 << 20} {
			long := strings.Repeat("0123456789abcdef", size/16)
			if err := a.SendBestEffort(b.LocalNode(), []byte(long)); err != nil {
				t.Fatal(err)
			}
			c.soon("it arrives", func() bool { return len(b.messages()) > i })
			c.same("whole", b.messages()[i] == long, true)
		}
	})
}
