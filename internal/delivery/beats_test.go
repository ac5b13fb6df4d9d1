package delivery

import (
	"testing"
	"time"
)

func TestSilenceIsLookedAtWithTheNextHeartbeatsAtTheLatest(t *testing.T) {
	epoch := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	at := func(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }
	bs := Beats{next: at(1000), then: at(2000)}
	for _, c := range []struct{ now, due, want time.Time }{
		{at(0), at(900), at(900)},
		{at(0), at(1000), at(1000)},
		{at(0), at(3100), at(1000)},
		{at(1000), at(3100), at(2000)}, // these heartbeats are being sent
		{at(2000), at(3100), at(3100)},
	} {
		if got := bs.LookAgain(c.now, c.due); got != c.want {
			t.Errorf("at %v about %v: %v, want %v", c.now.Sub(epoch), c.due.Sub(epoch), got.Sub(epoch), c.want.Sub(epoch))
		}
	}
}
