package gossip

import (
	"bytes"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/session"
)

// mute is the Suite of a member that reports little of what it received: it turns most of its Reports into unknown messages.
type mute struct {
	session.Suite
	every int // only every n-th Report is kept; 0 for none
	count *int
}

func (m mute) Seal(key *[32]byte, nonce *[8]byte, tag *[16]byte, data, plaintext []byte) {
	if bytes.Contains(plaintext, []byte("Report")) {
		if *m.count++; m.every == 0 || *m.count%m.every != 0 {
			plaintext = bytes.ReplaceAll(plaintext, []byte("Report"), []byte("Rep0rt"))
		}
	}
	m.Suite.Seal(key, nonce, tag, data, plaintext)
}

// flooded returns how many of 3,000 messages the Broadcast of node 0 accepts in 100 ms. In its cluster some members
// send only one of every reports, or none.
func flooded(t *testing.T, mutes, every int) int {
	c := newCluster(t, 5, lan())
	c.tweak = func(i int, cfg *Config) {
		if i > 0 && i <= mutes {
			cfg.Suite = mute{session.Null, every, new(int)}
		}
	}
	c.add(12)
	c.form(3 * time.Second)
	c.net.RunFor(5 * time.Second)
	return c.flood(1, 3000, 200)
}

func TestMembersThatNeverReportDelayNoOrigin(t *testing.T) {
	honest := flooded(t, 0, 0)
	for _, mutes := range []int{1, 4} {
		if got := flooded(t, mutes, 0); got < honest*9/10 {
			t.Errorf("with %d members that never report, Broadcast takes %d of 3000 messages, and %d without", mutes, got, honest)
		}
	}
}
