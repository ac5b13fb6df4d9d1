package compat

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	memberlist "github.com/gwyh-go/gwyh/compat/lib"
)

func TestPingMeasuresTheRoundTrip(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		c.net.slow(20 * time.Millisecond)
		rtt, err := a.Ping("b", &net.UDPAddr{IP: b.end.ip, Port: port})
		if err != nil || rtt < 40*time.Millisecond || rtt > 60*time.Millisecond {
			t.Errorf("%v, %v", rtt, err)
		}
	})
}

func TestPingOfNobodySaysSo(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a := c.node("a")
		_, err := a.Ping("x", &net.UDPAddr{IP: net.IPv4(10, 9, 9, 9), Port: port})
		var none memberlist.NoPingResponseError
		if !errors.As(err, &none) || !strings.Contains(err.Error(), "x") {
			t.Errorf("%v", err)
		}
	})
}

func TestPingOfAnotherNameIsNotAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		a, b := c.two()
		_, err := a.Ping("d", &net.UDPAddr{IP: b.end.ip, Port: port})
		var none memberlist.NoPingResponseError
		if !errors.As(err, &none) {
			t.Errorf("%v", err)
		}
	})
}

func TestPingDelegateLearnsRoundTripAndPayload(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		c.net.slow(10 * time.Millisecond)
		a, b := c.two(func(conf *memberlist.Config, a *app) { a.payload = []byte("coordinates of " + conf.Name) })
		learnt := func(n *node) []ping {
			n.app.mu.Lock()
			defer n.app.mu.Unlock()
			return append([]ping(nil), n.pings...)
		}
		for n, other := range map[*node]string{a: "b", b: "a"} {
			c.soon("pings complete", func() bool { return len(learnt(n)) > 2 })
			for _, p := range learnt(n) {
				switch {
				case p.name != other:
					t.Errorf("the Ping was answered by %v, want %v", p.name, other)
				case p.payload != "coordinates of "+other:
					t.Errorf("the payload is %v, want %v", p.payload, "coordinates of "+other)
				case p.rtt < 20*time.Millisecond:
					t.Errorf("the round trip is %v, want at least %v", p.rtt, 20*time.Millisecond)
				case p.rtt > 30*time.Millisecond:
					t.Errorf("the round trip is %v, want at most %v", p.rtt, 30*time.Millisecond)
				}
			}
		}
	})
}
