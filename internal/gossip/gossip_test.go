package gossip

import (
	"fmt"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/simnet"
)

func lan() simnet.Link { return simnet.Link{Latency: simnet.Constant(time.Millisecond)} }

func TestTwoNodesJoinAndTalk(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(2)
	t.Logf("whole after %v", c.form(2*time.Second))
	if len(c.nodes[1].joined) != 1 || c.nodes[1].joined[0].Err != nil {
		t.Fatalf("joined: %+v", c.nodes[1].joined)
	}
	t.Logf("last after %v", c.broadcast(0, "hello", time.Second))
	c.broadcast(1, "hello back", time.Second)
}

func TestHundredNodesThroughOneSeed(t *testing.T) {
	c := newCluster(t, 1, lan())
	c.add(100)
	t.Logf("whole after %v", c.form(3*time.Second))
	for i := range 200 {
		c.broadcast(i*37%100, fmt.Sprint("message ", i), 50*time.Millisecond)
	}
}

func TestThousandNodesColdStart(t *testing.T) {
	for _, loss := range []float64{0, 0.05} {
		t.Run(fmt.Sprintf("loss %v", loss), func(t *testing.T) {
			link := simnet.Link{Latency: simnet.Exponential(20*time.Millisecond, 0), Loss: loss}
			c := newCluster(t, 1, link)
			c.add(1000)
			real := time.Now()
			t.Logf("whole after %v", c.form(30*time.Second))
			t.Logf("real %v, %+v", time.Since(real), c.nodes[0].Stats())
			var sum time.Duration
			for i := range 20 {
				sum += c.broadcast(i*47, fmt.Sprint("message ", i), time.Second)
			}
			t.Logf("last node after %.2f mean latencies; real %v", float64(sum)/20/float64(20*time.Millisecond), time.Since(real))
		})
	}
}
