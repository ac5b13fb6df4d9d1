package compat

import (
	"errors"
	"log"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

// errRefused is the error of delegates that refuse.
var errRefused = errors.New("not those")

// quiet returns a logger that prints nothing.
func quiet() *log.Logger { return log.New(&safeBuffer{}, "", 0) }

// arrives waits, outside of a bubble, until an app has received a message.
func arrives(t *testing.T, a *app, msg string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); ; <-tick.C {
		for _, m := range a.messages() {
			if m == msg {
				return
			}
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("%q does not arrive", msg)
		}
	}
}

func TestChannelEventDelegateSendsCopies(t *testing.T) {
	events := make(chan memberlist.NodeEvent, 3)
	d := &memberlist.ChannelEventDelegate{Ch: events}
	n := &memberlist.Node{Name: "a", Meta: []byte("m")}
	d.NotifyJoin(n)
	d.NotifyUpdate(n)
	d.NotifyLeave(n)
	for _, want := range []memberlist.NodeEventType{memberlist.NodeJoin, memberlist.NodeUpdate, memberlist.NodeLeave} {
		e := <-events
		same(t, "event", []any{e.Event, e.Node.Name, e.Node == n}, []any{want, "a", false})
	}
}

func TestNodeMayBeCopied(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a", func(_ *memberlist.Config, a *app) { a.meta = []byte("rack 7") })
		own := *a.LocalNode()
		own.Name = "mine"
		c.same("original", a.LocalNode().Name, "a")
		c.same("copy", []string{own.Name, own.Address(), string(own.Meta)}, []string{"mine", a.end.addr(), "rack 7"})
	})
}

func TestMembersIsTheCallersSlice(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, _ := c.two()
		clear(a.Members())
		c.same("members", a.names(), "a b")
	})
}

// goakt's tests expect the other of two members at Members()[0]. No probe shuffles memberlist's list here.
func TestOneselfIsTheLastOfTwoMembers(t *testing.T) {
	inMemoryAndOnSockets(t, func(t *testing.T, c *cluster) {
		seldom := func(conf *memberlist.Config, _ *app) { conf.ProbeInterval = time.Hour }
		a, b := c.two(seldom)
		for _, n := range []*node{a, b} {
			members := n.Members()
			c.same("the last of two", members[len(members)-1].Name, n.LocalNode().Name)
		}
	})
}

// memberlist calls delegates under its lock, so its methods deadlock when called from a delegate.
func TestDelegateMayCallTheMemberlist(t *testing.T) {
	var m *memberlist.Memberlist
	made := make(chan struct{})
	returned := make(chan int, 1)
	a := newApp()
	a.onJoin = func(n *memberlist.Node) {
		if n.Name != "b" {
			return
		}
		<-made
		answer := make(chan int, 1)
		go func() { answer <- m.NumMembers() }()
		wait := time.NewTimer(differs(t, "calls-from-delegates", 200*time.Millisecond, 20*time.Second))
		defer wait.Stop()
		select {
		case n := <-answer:
			returned <- n
		case <-wait.C:
			returned <- 0
		}
	}
	m = loopback(t, "a", func(conf *memberlist.Config) { conf.Events = a })
	close(made)
	b := loopback(t, "b")
	if reached, err := b.Join([]string{m.LocalNode().Address()}); reached != 1 || err != nil {
		t.Fatal(reached, err)
	}
	same(t, "members seen from inside NotifyJoin", <-returned, differs(t, "calls-from-delegates", 0, 2))
}

// The waits let memberlist's old news expire.
func TestEventsOfANodeComeInOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, d := c.node("a"), c.node("d")
		c.join(a, d)
		c.soon("a knows d", func() bool { return a.names() == "a d" })
		for range 3 {
			b := c.node("b")
			c.join(a, b)
			c.soon("a knows b", func() bool { return a.names() == "a b d" })
			time.Sleep(10 * time.Second)
			_ = b.Leave(5 * time.Second)
			c.soon("a knows that b left", func() bool { return a.names() == "a d" })
			time.Sleep(10 * time.Second)
			_ = b.Shutdown()
		}
		c.soon("all told", func() bool { return len(a.calls("join", "leave")) >= 8 })
		events := a.calls("join", "leave")[2:] // without those of a and d
		for i, e := range events {
			if want := []string{"join b", "leave b"}[i%2]; e != want {
				t.Errorf("event %d is %q, want %q", i, e, want)
			}
		}
		// Rarely, memberlist takes an old alive message for another node with the name.
		if onGwyh && len(events) != 6 {
			t.Errorf("events: %q", events)
		}
	})
}

func TestLogLinesCarryTheirLevel(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a", func(conf *memberlist.Config, a *app) {
			conf.SecretKey = nil
			a.alive = func(n *memberlist.Node) error {
				if n.Name == "b" {
					return errRefused
				}
				return nil
			}
		})
		b := c.node("b", func(conf *memberlist.Config, _ *app) { conf.SecretKey = nil })
		_, _ = b.Join([]string{a.end.addr()})
		time.Sleep(5 * time.Second)
		line := regexp.MustCompile(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[(DEBUG|INFO|WARN|ERR|ERROR)\] ` + differs(t, "log-prefix", "memberlist", "gwyh") + `: `)
		lines := 0
		for l := range strings.Lines(c.log.String()) {
			lines++
			if !line.MatchString(l) {
				t.Errorf("%q", l)
			}
		}
		if lines == 0 {
			t.Error("no line")
		}
	})
}

func TestLoggerTakesTheLines(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		var lines safeBuffer
		a := c.node("a", func(conf *memberlist.Config, _ *app) {
			conf.LogOutput, conf.Logger, conf.SecretKey = nil, log.New(&lines, "mine: ", 0), nil
		})
		_, _ = a.Join([]string{"10.9.9.9:1"})
		_ = a.Shutdown()
		if onGwyh && !strings.Contains(lines.String(), "mine: [") || strings.Contains(c.log.String(), "mine") {
			t.Errorf("%q", lines.String())
		}
	})
}

func TestPeersAreNamedInLogLines(t *testing.T) {
	addr := &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 4}
	near, far := net.Pipe()
	defer func() { _, _ = near.Close(), far.Close() }()
	same(t, "text", []string{memberlist.LogAddress(addr), memberlist.LogAddress(nil), memberlist.LogStringAddress("x:1"), memberlist.LogStringAddress(""), memberlist.LogConn(nil), memberlist.LogConn(near)},
		[]string{"from=10.1.2.3:4", "from=<unknown address>", "from=x:1", "from=<unknown address>", "from=<unknown address>", "from=pipe"})
}
