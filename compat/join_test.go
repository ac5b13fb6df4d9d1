package compat

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

func TestJoinNotifiesBothSides(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.node("a"), c.node("b")
		reached, err := b.Join([]string{a.end.addr()})
		c.same("Join", []any{reached, err}, []any{1, error(nil)})
		c.same("members when Join returns", b.names(), "a b")
		c.same("events when Join returns", b.calls("join", "leave", "update"), []string{"join b", "join a"})
		c.soon("a knows b", func() bool { return a.names() == "a b" })
		c.soon("a was told", func() bool { return len(a.calls("join")) == 2 })
		c.same("events of a", a.calls("join", "leave", "update"), []string{"join a", "join b"})
	})
}

func TestJoinKnowsTheWholeClusterWhenItReturns(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		d := c.node("d")
		c.join(a, d)
		c.same("members", d.names(), "a b d")
		c.same("number of joins", len(d.calls("join")), 3)
		c.soon("b knows d", func() bool { return b.names() == "a b d" })
	})
}

func TestJoinOfOneselfCountsAsReached(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a")
		reached, err := a.Join([]string{a.end.addr()})
		c.same("Join", []any{reached, err}, []any{1, error(nil)})
		c.same("members", a.names(), "a")
		c.same("events", a.calls("join"), []string{"join a"})
	})
}

func TestJoinCountsWhatItReachedAndIgnoresTheRest(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b, d := c.node("a"), c.node("b"), c.node("d")
		reached, err := d.Join([]string{"10.9.9.9:7000", a.end.addr(), b.end.addr()})
		c.same("Join", []any{reached, err}, []any{2, error(nil)})
		c.same("members", d.names(), "a b d")
	})
}

func TestJoinOfNobodyIsAnError(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a")
		reached, err := a.Join([]string{"10.9.9.9:7000", "10.9.9.8"})
		c.same("Join", []any{reached, err != nil}, []any{0, true})
		reached, err = a.Join(nil)
		c.same("Join of nothing", []any{reached, err}, []any{0, error(nil)})
	})
}

func TestJoinTakesAddressesInManyForms(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a")
		ip := a.end.ip.String()
		for i, form := range []string{ip, ip + ":" + strconv.Itoa(port), "a/" + ip, "a/" + ip + ":" + strconv.Itoa(port)} {
			n := c.node(string(rune('p' + i)))
			reached, err := n.Join([]string{form})
			c.same(form, []any{reached, err}, []any{1, error(nil)})
		}
		for _, form := range []string{"/" + ip, ip + ":port", ip + ":70000"} {
			if reached, err := a.Join([]string{form}); reached != 0 || err == nil {
				t.Errorf("%s: %d, %v", form, reached, err)
			}
		}
	})
}

func TestJoinAgainChangesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.node("a"), c.node("b")
		c.join(a, b)
		c.join(a, b)
		c.join(b, a)
		c.soon("a was told", func() bool { return len(a.calls("join")) > 1 })
		time.Sleep(5 * time.Second)
		c.same("events of b", b.calls("join", "update", "leave"), []string{"join b", "join a"})
		c.same("events of a", a.calls("join", "update", "leave"), []string{"join a", "join b"})
	})
}

func TestJoinOfTwoClustersMakesThemOne(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b, d, e := c.node("a"), c.node("b"), c.node("d"), c.node("e")
		c.join(a, b)
		c.join(d, e)
		c.join(d, a)
		for _, n := range []*node{a, b, d, e} {
			c.soon("all know all", func() bool { return n.names() == "a b d e" })
		}
	})
}

func TestJoinTakesHostNames(t *testing.T) {
	a, b := loopback(t, "a"), loopback(t, "b")
	if reached, err := b.Join([]string{"localhost:" + strconv.Itoa(int(a.LocalNode().Port))}); reached < 1 || err != nil {
		t.Fatalf("Join = %d, %v", reached, err)
	}
	same(t, "members", b.NumMembers(), 2)
}

func TestJoinOfAClosedPortIsRefusedBeforeItsTimeIsUp(t *testing.T) {
	const most = time.Minute
	a := loopback(t, "a", func(conf *memberlist.Config) { conf.TCPTimeout = most })
	b := loopback(t, "b")
	port := b.LocalNode().Port
	if err := b.Shutdown(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	reached, err := a.Join([]string{net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))})
	switch took := time.Since(begin); {
	case reached != 0:
		t.Errorf("the Join reached %v nodes, want 0", reached)
	case err == nil:
		t.Error("there is no error")
	case !strings.Contains(err.Error(), "refused"):
		t.Errorf("err lacks %q:\n%v", "refused", err)
	case took >= most:
		t.Errorf("it took %v, want less than %v", took, most)
	}
}

// loopback creates a node with sockets.
func loopback(t *testing.T, name string, changes ...func(*memberlist.Config)) *memberlist.Memberlist {
	t.Helper()
	conf := memberlist.DefaultLocalConfig()
	conf.Name, conf.BindAddr, conf.BindPort, conf.LogOutput, conf.SecretKey = name, "127.0.0.1", 0, &safeBuffer{}, key
	for _, change := range changes {
		change(conf)
	}
	m, err := memberlist.Create(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Shutdown() })
	return m
}

func TestRequireNodeNamesRefusesBareAddresses(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a")
		b := c.node("b", func(conf *memberlist.Config, _ *app) { conf.RequireNodeNames = true })
		reached, err := b.Join([]string{a.end.addr()})
		c.same("Join of an address", []any{reached, err != nil}, []any{0, true})
		reached, err = b.Join([]string{"a/" + a.end.addr()})
		c.same("Join with a name", []any{reached, err}, []any{1, error(nil)})
		c.same("SendTo", b.SendTo(&net.UDPAddr{IP: a.end.ip, Port: port}, []byte("x")) != nil, true)
		c.same("SendToAddress", b.SendToAddress(memberlist.Address{Addr: a.end.addr()}, []byte("x")) != nil, true)
		c.same("SendReliable", b.SendReliable(&memberlist.Node{Addr: a.end.ip, Port: port}, []byte("x")) != nil, true)
		c.same("SendBestEffort", b.SendBestEffort(&memberlist.Node{Name: "a", Addr: a.end.ip, Port: port}, []byte("x")), error(nil))
	})
}
