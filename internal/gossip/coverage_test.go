package gossip

import (
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/stats"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// No node sends such queries, so they are counted and not answered.
func TestQuestionAboutABroadcastOfAnotherLengthIsCountedAndNotAnswered(t *testing.T) {
	c := formed(t, 2)
	to := c.nodes[1].Self().ID
	// The last is as long as an answer, but ends in neither 0 nor 1.
	for _, content := range []string{"", "fifteen bytes..", "seventeen bytes.."} {
		for _, use := range []wire.Use{wire.UseCoverage, wire.UseCoverageAnswer} {
			before := c.nodes[1].Stats().Dropped[stats.DropMalformedBody]
			c.do(0, func(now time.Time) {
				if err := c.nodes[0].SendMember(now, to, use, []byte(content), now.Add(time.Second)); err != nil {
					t.Fatal(err)
				}
			})
			c.net.RunFor(time.Second)
			if n := c.nodes[1].Stats().Dropped[stats.DropMalformedBody] - before; n != 1 {
				t.Errorf("use %d with %d bytes: %d were counted as malformed", use, len(content), n)
			}
		}
	}
	if n := c.nodes[0].Stats().Dropped[stats.DropMalformedBody]; n != 0 {
		t.Errorf("%d answers came that do not parse", n)
	}
}

func TestNodeHasABroadcastOnceAllOfItIsThere(t *testing.T) {
	c := formed(t, 3)
	for _, size := range []int{30, 200 << 10} {
		msg := payload(size, 1)
		c.do(0, func(now time.Time) {
			if err := c.nodes[0].Broadcast(now, []byte(msg)); err != nil {
				t.Fatal(err)
			}
		})
		id := c.nodes[0].LastBroadcast()
		if !c.nodes[0].Has(id) || c.nodes[1].Has(id) {
			t.Errorf("%d bytes, when sent: its origin %v, another %v", size, c.nodes[0].Has(id), c.nodes[1].Has(id))
		}
		c.net.RunFor(5 * time.Second)
		if !c.nodes[1].Has(id) || !c.nodes[2].Has(id) {
			t.Errorf("%d bytes, 5 s later: %v, %v", size, c.nodes[1].Has(id), c.nodes[2].Has(id))
		}
	}
}
