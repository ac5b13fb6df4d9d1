package node

import (
	"testing"
	"time"
)

func TestClockJumpsWhenTheTimeOfDayPassesOtherwiseThanTheTimeThatTheSystemRan(t *testing.T) {
	for _, x := range []struct {
		name     string
		day, ran time.Duration
		want     bool
	}{
		{"both pass", time.Second, time.Second, false},
		{"both stand still", 0, 0, false},
		{"a long wait", 5 * time.Hour, 5 * time.Hour, false},
		{"the clock is corrected a little", 12 * time.Second, 10 * time.Second, false},
		{"the system was suspended", time.Hour, time.Second, true},
		{"the system is a copy from an hour ago", time.Hour, 0, true},
		{"the clock was set back", -time.Minute, time.Second, true},
	} {
		if got := differ(x.day, x.ran); got != x.want {
			t.Errorf("%s: %t, want %t", x.name, got, x.want)
		}
	}
	var c clock
	now := time.Now()
	for i := range 3 {
		if c.jumped(now.Add(time.Duration(i) * time.Hour)) {
			t.Errorf("jumped at the %d. reading of a clock that runs", i)
		}
	}
}
