package gossip

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/direct"
	"github.com/gwyh-go/gwyh/internal/handshake"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// reflector sends back every datagram that it receives, after a delay.
type reflector struct {
	delay  time.Duration
	copies int
	held   []heldBack
	now    time.Time
}

type heldBack struct {
	at time.Time
	to wire.Path
	b  []byte
}

func (r *reflector) HandleDatagram(now time.Time, from wire.Path, b []byte) {
	r.now = now
	for range r.copies {
		r.held = append(r.held, heldBack{now.Add(r.delay), from, append([]byte(nil), b...)})
	}
}

func (r *reflector) HandleTimeout(now time.Time) { r.now = now }

func (r *reflector) NextTimeout() time.Time {
	if len(r.held) == 0 {
		return time.Time{}
	}
	return r.held[0].at
}

func (r *reflector) Drain(_ time.Time, send func(to wire.Path, b []byte)) {
	for len(r.held) > 0 && !r.held[0].at.After(r.now) {
		send(r.held[0].to, r.held[0].b)
		r.held = r.held[1:]
	}
}

// reflected returns a cluster of one node, node 0, at 20 ms from the given reflector.
func reflected(t *testing.T, r *reflector, tweak func(*Config)) (*cluster, netip.AddrPort) {
	c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(20 * time.Millisecond)})
	c.tweak = func(_ int, cfg *Config) {
		if tweak != nil {
			tweak(cfg)
		}
	}
	c.add(1)
	c.net.Add(simnet.HostConfig{Addr: testAddr(99)}, r)
	return c, testAddr(99)
}

func TestReflectorIsReachedByNoJoinAndNoPing(t *testing.T) {
	for name, r := range map[string]func() *reflector{
		"at once":             func() *reflector { return &reflector{copies: 1} },
		"many times":          func() *reflector { return &reflector{copies: 3} },
		"after a second":      func() *reflector { return &reflector{copies: 1, delay: time.Second} },
		"after its time":      func() *reflector { return &reflector{copies: 1, delay: 11 * time.Second} },
		"after half a minute": func() *reflector { return &reflector{copies: 1, delay: 30 * time.Second} },
	} {
		t.Run(name, func(t *testing.T) {
			for _, advertised := range []bool{false, true} { // as over an application's own transport
				c, at := reflected(t, r(), func(cfg *Config) { cfg.AnswerAdvertised = advertised })
				n := c.nodes[0]
				c.do(0, func(now time.Time) { n.Join(now, at, now.Add(10*time.Second)) })
				if err := c.joinEnded(0, 1, 12*time.Second); err == nil {
					t.Errorf("advertised %v: Join succeeded", advertised)
				}
				for _, asked := range []string{"", "node-0", "node-5"} {
					if e := c.pinged(0, 99, asked, 2*time.Second); e.Err == nil {
						t.Errorf("advertised %v: Ping of %q took %v", advertised, asked, e.RTT)
					}
				}
				c.do(0, func(now time.Time) { _, _ = n.Send(now, at, []byte("x"), true, now.Add(2*time.Second)) })
				c.net.RunFor(time.Minute)
				if len(n.sent) != 1 || n.sent[0].Err == nil || errors.Is(n.sent[0].Err, direct.ErrOneself) {
					t.Errorf("advertised %v: a message to it ended with %+v", advertised, n.sent)
				}
				if n.hs.dials.Len() != 0 || n.members.Count() != 1 || len(n.links) != 0 {
					t.Errorf("advertised %v: %d handshakes and %d links are left", advertised, n.hs.dials.Len(), len(n.links))
				}
			}
		})
	}
}

func TestJoinOfAReflectorSaysWhatCameBack(t *testing.T) {
	c, at := reflected(t, &reflector{copies: 1}, nil)
	c.do(0, func(now time.Time) { c.nodes[0].Join(now, at, now.Add(10*time.Second)) })
	err := c.joinEnded(0, 1, 12*time.Second)
	if refused, ok := errors.AsType[*handshake.RefusedError](err); !ok || refused.Reason != handshake.Returned {
		t.Errorf("%v", err)
	}
}

func TestOwnHelloReachesOneselfOnlyAtOnesOwnAddresses(t *testing.T) {
	second := testAddr(99) // another address of the node, where its datagrams return to it
	c, at := reflected(t, &reflector{copies: 1}, func(cfg *Config) { cfg.Own = func(a netip.AddrPort) bool { return a == second } })
	c.do(0, func(now time.Time) { c.nodes[0].Join(now, at, now.Add(10*time.Second)) })
	if err := c.joinEnded(0, 1, time.Second); err != nil {
		t.Error(err)
	}
	for name, ok := range map[string]bool{"": true, "node-0": true, "node-5": false} {
		for _, to := range []int{0, 99} {
			if e := c.pinged(0, to, name, time.Second); (e.Err == nil) != ok {
				t.Errorf("Ping of %q at address %d: %v", name, to, e.Err)
			}
		}
	}
}

// Node 1 is not a member: its name comes with the handshake (PROTOCOL.md M1).
func TestPingComparesTheNameOfANodeThatIsNoMember(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(2)
	for _, to := range []string{"node-1", ""} {
		if e := c.pinged(0, 1, to, time.Second); e.Err != nil {
			t.Errorf("Ping of %q: %v", to, e.Err)
		}
	}
	if e := c.pinged(0, 1, "node-5", time.Second); !errors.Is(e.Err, delivery.ErrOtherName) {
		t.Errorf("Ping of another name: %v", e.Err)
	}
}
