package gossip

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/delivery"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// payload returns size bytes that differ from position to position and from message to message.
func payload(size int, salt byte) string {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i>>8) ^ byte(i*7) ^ salt
	}
	copy(b, fmt.Sprint("message ", salt))
	return string(b)
}

// PROTOCOL.md D3.
func TestMessagesOfAnySizeArrive(t *testing.T) {
	t.Parallel()
	for _, loss := range []float64{0, 0.05} {
		c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(5 * time.Millisecond), Loss: loss})
		c.add(5)
		c.form(5 * time.Second)
		edge := c.nodes[0].BroadcastMax()
		sizes := []int{1, edge - 1, edge, edge + 1, delivery.PassOnFrom - 1, delivery.PassOnFrom, delivery.PassOnFrom + 1, chunkSize - 1, chunkSize, chunkSize + 1, 1 << 20}
		if loss > 0 {
			sizes = append(sizes, MessageMax)
		}
		for i, size := range sizes {
			took := c.broadcast(i%5, payload(size, byte(i)), 20*time.Second)
			t.Logf("loss %v: %d bytes took %v", loss, size, took)
		}
	}
}

func TestLargeMessagesAreForgottenWhenTheyAreEverywhere(t *testing.T) {
	c := newCluster(t, 1, simnet.Link{Latency: simnet.Constant(time.Millisecond), Loss: 0.05})
	c.add(10)
	c.form(5 * time.Second)
	c.broadcast(0, payload(1<<20, 1), 20*time.Second)
	c.net.RunFor(10 * time.Second)
	for i, n := range c.nodes {
		if n.broadcast.Store.Len() != 0 || n.broadcast.Store.Size() != 0 {
			t.Errorf("node %d holds %d messages, %d bytes", i, n.broadcast.Store.Len(), n.broadcast.Store.Size())
		}
		for _, p := range n.links {
			if len(p.Packets.Transfers()) != 0 || p.Packets.Waiting() != 0 {
				t.Errorf("node %d has %d large and %d small messages queued", i, len(p.Packets.Transfers()), p.Packets.Waiting())
			}
		}
	}
}

// While a large message is in transfer, its origin broadcasts more messages than any window of ids contains.
func TestLargeMessageIsDeliveredOnceHoweverMuchItsOriginSaysMeanwhile(t *testing.T) {
	c := duo(t)
	n, id := c.nodes[0], originID(9, 1)
	piece := func(from int) {
		c.say(1, 0, wire.AppendFrame(nil, wire.Bin, id, 1000, uint32(from), make([]byte, 500)))
	}
	before := n.stats.BroadcastsDelivered
	piece(0)
	c.do(0, func(now time.Time) {
		for i := range uint64(4 * 1 << 16) {
			other := originID(9, 2+i)
			n.broadcast.Disseminator.Seen.First(now, &other, nil)
		}
	})
	piece(500)
	piece(0)
	if got := n.stats.BroadcastsDelivered - before; got != 1 {
		t.Errorf("it was delivered %d times", got)
	}
}

// originID returns the id of the n-th broadcast of an origin.
func originID(origin byte, n uint64) (id wire.MessageID) {
	id[0], id[6] = origin, 0x80
	binary.BigEndian.PutUint64(id[8:], n)
	return id
}
