package gossip

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/logbook"
	"github.com/gwyh-go/gwyh/internal/pushpull"
	"github.com/gwyh-go/gwyh/internal/simnet"
)

// refusals are the ways in which a node refuses another one, with words of the reason.
var refusals = map[string]struct {
	says  string
	tweak func(cfg *Config, refuses bool, other netip.AddrPort)
}{
	"metadata": {"MetaMax", func(cfg *Config, refuses bool, _ netip.AddrPort) {
		if !refuses {
			cfg.MetaMax, cfg.Meta = 1000, make([]byte, 1000)
		}
	}},
	"metadata above a lower bound": {"MetaMax", func(cfg *Config, refuses bool, _ netip.AddrPort) {
		if cfg.Meta = make([]byte, 100); refuses {
			cfg.MetaMax, cfg.Meta = 50, nil
		}
	}},
	"address": {"CIDRsAllowed", func(cfg *Config, refuses bool, other netip.AddrPort) {
		if refuses {
			cfg.Allow = func(a netip.Addr) bool { return a != other.Addr() }
		}
	}},
	"AliveDelegate": {errNo.Error(), func(cfg *Config, refuses bool, _ netip.AddrPort) { cfg.AskAlive = refuses }},
}

func TestNodeThatIsNotTakenInLearnsItFromJoinAndIsNotLinked(t *testing.T) {
	for name, refusal := range refusals {
		for r := range 2 {
			for _, loss := range []float64{0, 0.3} {
				t.Run(fmt.Sprintf("%s at node %d, %g loss", name, r, loss), func(t *testing.T) {
					c := withStates(t, 1, lan(), 2, func(i int, cfg *Config) {
						cfg.PushPullInterval = -1
						refusal.tweak(cfg, i == r, testAddr(1-r))
					})
					c.net.Adjust(func(l *simnet.Link) { l.Loss = loss })
					c.nodes[r].app.alive = map[string]error{fmt.Sprint("node-", 1-r): errNo}
					c.join(1, 0)
					err := c.joinEnded(1, 1, 9*time.Second) // before its deadline
					if err == nil || !strings.Contains(err.Error(), refusal.says) {
						t.Errorf("Join: %v", err)
					}
					if _, told := errors.AsType[*pushpull.VetoError](err); told != (r == 0) {
						t.Errorf("who refuses: %v", err)
					}
					c.net.RunFor(2 * time.Minute)
					for i, n := range c.nodes {
						switch {
						case len(c.known(i)) != 1:
							t.Errorf("node %d knows %v, want itself only", i, c.known(i))
						case len(n.links) != 0:
							t.Errorf("node %d has %d links, want 0", i, len(n.links))
						case len(n.app.merged) != 0:
							t.Errorf("node %d merged %q, want nothing", i, n.app.merged)
						case len(n.events) != 0:
							t.Errorf("node %d was told %v, want nothing", i, n.names())
						}
					}
					line := fmt.Sprintf("%q", fmt.Sprint("node-", 1-r))
					if !slices.ContainsFunc(c.nodes[r].logs, func(l string) bool { return strings.Contains(l, line) && strings.Contains(l, refusal.says) }) {
						t.Errorf("the node that refuses logs %q", c.nodes[r].logs)
					}
					c.idle()
				})
			}
		}
	}
}

// The node learns about the one that refuses it from a third node.
func TestNodeThatIsNotTakenInGetsNoLinkWithTheOneThatRefuses(t *testing.T) {
	for name, refusal := range refusals {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1, lan())
			c.tweak = func(i int, cfg *Config) {
				switch cfg.MetaMax = 1000; i { // node 0 refuses node 2, and node 1 accepts all
				case 0:
					cfg.MetaMax = 512
					refusal.tweak(cfg, true, testAddr(2))
				case 2:
					refusal.tweak(cfg, false, netip.AddrPort{})
				}
			}
			c.add(3)
			c.nodes[0].app.alive = map[string]error{"node-2": errNo}
			c.join(1, 0)
			c.net.RunFor(2 * time.Second)
			c.join(2, 1)
			if err := c.joinEnded(2, 1, 5*time.Second); err != nil {
				t.Fatal(err)
			}
			for range 120 {
				c.net.RunFor(time.Second)
				for _, p := range c.nodes[0].links {
					if p.ID == c.nodes[2].cfg.ID {
						t.Fatal("a link with it")
					}
				}
			}
			if got := fmt.Sprint(c.known(0)); got != "[node-0 node-1]" {
				t.Errorf("the one that refuses knows %s", got)
			}
		})
	}
}

func TestRefusalsAreLoggedAtABoundedRate(t *testing.T) {
	for name, refusal := range refusals {
		c := newCluster(t, 1, lan())
		c.tweak = func(i int, cfg *Config) { refusal.tweak(cfg, i == 0, testAddr(1)) }
		c.add(2)
		c.nodes[0].app.alive = map[string]error{"node-1": errNo}
		const joins = 100
		for range joins {
			c.join(1, 0)
			c.net.RunFor(time.Second)
		}
		for i, n := range c.nodes {
			if most := joins/int(logbook.Interval/time.Second) + 1; len(n.logs) > most {
				t.Errorf("%s: node %d logs %d lines", name, i, len(n.logs))
			}
		}
	}
}

func TestApplicationIsAskedOnceAboutTheOtherNodeOfAJoin(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.tweak = func(_ int, cfg *Config) { cfg.AskAlive = true }
	c.add(2)
	c.join(1, 0)
	if err := c.joinEnded(1, 1, 2*time.Second); err != nil {
		t.Fatal(err)
	}
	c.join(1, 0)
	c.net.RunFor(10 * time.Second)
	for i, n := range c.nodes {
		if want := []string{fmt.Sprint("NotifyAlive node-", 1-i)}; !slices.Equal(n.app.calls, want) {
			t.Errorf("node %d was asked %q", i, n.app.calls)
		}
	}
	c.idle()
}
