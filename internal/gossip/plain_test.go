package gossip

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/nodeid"
	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md N1.
func TestNodeIDIsARandomUUIDOfVersion8(t *testing.T) {
	a, _, err := nodeid.New(rand.Reader, nodeid.X25519)
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := nodeid.New(rand.Reader, nodeid.X25519)
	if err != nil {
		t.Fatal(err)
	}
	if !a.IsGo() || !b.IsGo() {
		t.Errorf("ids %v and %v", a, b)
	}
	if a[8]>>6 != 2 {
		t.Errorf("id %v has the variant %b, want 10", a, a[8]>>6)
	}
	if a == b {
		t.Errorf("two nodes have the id %v", a)
	}
}

// PROTOCOL.md P1.
func TestBrokenMessageEndsAPlaintextButNotTheMessagesBeforeIt(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(2)
	c.form(time.Second)
	n := c.nodes[0]
	ping := wire.AppendPing(nil, wire.KindPing, wire.MessageID{}, wire.Ping{Seq: 1})
	plain := append(append(append([]byte(nil), ping...), 0xc1), ping...)
	before := n.Stats()
	c.do(1, func(now time.Time) {
		p := c.nodes[1].links[0]
		c.nodes[1].sender.SendPlain(now, &p.Peer, plain)
	})
	c.net.RunFor(10 * time.Millisecond)
	after := n.Stats()
	if got := after.SentDatagrams - before.SentDatagrams; got != 1 {
		t.Errorf("%d datagrams sent, want one Ack", got)
	}
	if got := after.Dropped[stats.DropMalformedBody] - before.Dropped[stats.DropMalformedBody]; got != 1 {
		t.Errorf("%d malformed bodies counted, want 1", got)
	}
}
