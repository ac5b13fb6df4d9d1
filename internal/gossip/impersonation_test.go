package gossip

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/handshake"
)

// An insider that begins handshakes under the id of a member gets no session, no message for the member, and no place in
// the traffic, whether the nodes have a session with the member or not (PROTOCOL.md N1, X6).
func TestInsiderUnderTheIDOfAMemberGetsNothing(t *testing.T) {
	for name, down := range map[string]bool{"while the member lives": false, "after the member has failed": true} {
		t.Run(name, func(t *testing.T) {
			c := newCluster(t, 1, lan())
			c.add(6)
			c.form(2 * time.Second)
			victim := c.nodes[3]
			if down {
				c.net.Crash(victim.addr)
				c.net.RunFor(10 * time.Second)
			}
			linked := map[int]bool{}
			for i, n := range c.nodes {
				p := n.peers[victim.cfg.ID]
				linked[i] = p != nil && p.Linked
			}
			c.tweak = func(i int, cfg *Config) { cfg.ID, cfg.Name = victim.cfg.ID, victim.cfg.Name }
			c.add(1)
			insider := c.nodes[6]
			for _, n := range []int{0, 1, 2, 4, 5} {
				c.join(6, n)
			}
			c.net.RunFor(2 * time.Second)
			for _, i := range []int{0, 1, 2, 4, 5} {
				c.tell(i, 3, fmt.Sprint("for the member from ", i), true, 5*time.Second)
				c.do(i, func(now time.Time) { _ = c.nodes[i].Broadcast(now, []byte(fmt.Sprint("broadcast of ", i))) })
			}
			c.net.RunFor(20 * time.Second)
			if len(insider.got) != 0 {
				t.Errorf("the insider got %d messages", len(insider.got))
			}
			for _, i := range []int{0, 1, 2, 4, 5} {
				n := c.nodes[i]
				if refused := n.hs.Stats().Rejected[handshake.FalseID]; refused == 0 {
					t.Errorf("node %d refused no id", i)
				}
				line := fmt.Sprintf("handshake with %s refused: id not proven: it shows that of %q", insider.addr, victim.cfg.Name)
				if !slices.ContainsFunc(n.logs, func(s string) bool { return strings.Contains(s, line) }) {
					t.Errorf("the log of node %d lacks %q: %q", i, line, n.logs)
				}
				if p := n.peers[victim.cfg.ID]; p != nil && p.Sessions.Path().Remote == insider.addr {
					t.Errorf("node %d sends to the insider for the member", i)
				} else if !down && (p == nil || linked[i] && !p.Linked) {
					t.Errorf("node %d has no session or link with the member", i)
				}
				if m := n.members.Get(victim.cfg.ID); m == nil || m.Live() == down || m.Addr != victim.addr {
					t.Errorf("to node %d the member is %v", i, m)
				}
				if got := victim.got[key(fmt.Sprint("for the member from ", i))]; got != 1 && !down {
					t.Errorf("the member got the message of node %d %d times", i, got)
				}
			}
			if len(insider.links) != 0 {
				t.Errorf("the insider has %d links", len(insider.links))
			}
			for _, j := range insider.joined {
				if j.Err == nil {
					t.Error("a Join of the insider succeeded")
				}
			}
		})
	}
}
