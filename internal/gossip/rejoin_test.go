package gossip

import (
	"testing"
	"time"
)

// A node is replaced by one with another name at the same address, while another node still has the session with the
// old one. A Join does not use that session.
func TestJoinFindsTheNodeThatWasStartedAnewAtTheAddress(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(2)
	c.form(5 * time.Second)
	old := c.nodes[1]
	c.net.Crash(old.addr)
	c.tweak = func(_ int, cfg *Config) { cfg.Name, cfg.Advertise = "another", old.addr }
	c.net.Restart(old.addr, c.make(2))
	c.join(0, 1)
	c.net.RunFor(3 * time.Second)
	n := c.nodes[0]
	if len(n.joined) != 1 || n.joined[0].Err != nil || n.members.Named("another") == nil {
		t.Errorf("%d joins ended with %v; %d members, among them another: %t", len(n.joined), joinErrors(n.joined), n.members.Count(), n.members.Named("another") != nil)
	}
}
