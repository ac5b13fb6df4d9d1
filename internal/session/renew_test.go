package session

import (
	"errors"
	"testing"
	"testing/iotest"
	"time"
)

// renewTimes returns when the set requests a renewal within d of the epoch, and the RenewTries of the requests.
func renewTimes(t *testing.T, set *Set, d time.Duration) (at []time.Duration, tries []int) {
	t.Helper()
	for now := set.NextTimeout(); !now.IsZero() && now.Before(epoch.Add(d)); now = set.NextTimeout() {
		if a := set.HandleTimeout(now); a.Renew {
			at, tries = append(at, now.Sub(epoch)), append(tries, a.RenewTries)
		}
	}
	return at, tries
}

// PROTOCOL.md S10.
func TestLowerIDRenewsWithinTheHourAndTheOtherOnlyAfterIt(t *testing.T) {
	seen := map[time.Duration]bool{}
	for seed := range byte(50) {
		b := newBench()
		b.low.rand = random(seed)
		b.confirmed(true)
		b.low.SetLinked(b.now, true)
		b.high.SetLinked(b.now, true)
		at, _ := renewTimes(t, b.low, 64*time.Minute)
		switch {
		case len(at) == 0:
			t.Fatalf("len(at) is %d, want anything but 0: %v", len(at), at)
		case at[0] < 55*time.Minute:
			t.Fatalf("the first renewal is after %v, want at least %v", at[0], 55*time.Minute)
		case at[0] > 60*time.Minute:
			t.Fatalf("the first renewal is after %v, want at most %v", at[0], 60*time.Minute)
		}
		seen[at[0]] = true
		if at, _ := renewTimes(t, b.high, 66*time.Minute); len(at) != 1 || at[0] != 65*time.Minute {
			t.Fatalf("the other asks at %v", at)
		}
	}
	if len(seen) < 40 {
		t.Errorf("only %d different times in 50", len(seen))
	}
}

func TestFailedRenewalIsTriedAgainAndCounted(t *testing.T) {
	b, _, _ := linkedBench()
	at, tries := renewTimes(t, b.low, 2*time.Hour)
	if len(at) < 9 || len(at) > 18 {
		t.Fatalf("asked at %v", at)
	}
	for i := range at {
		if tries[i] != i {
			t.Errorf("request %d is counted as %d", i, tries[i])
		}
		if i > 0 && (at[i]-at[i-1] < 3*time.Minute || at[i]-at[i-1] > 7*time.Minute) {
			t.Errorf("asked at %v after %v", at[i], at[i-1])
		}
	}
}

func TestRenewalEndsTheRequests(t *testing.T) {
	b, _, _ := linkedBench()
	if a := b.pass(t, 62*time.Minute); !a.Renew {
		t.Fatal("not asked")
	}
	b.confirmed(true)
	if a := b.pass(t, 54*time.Minute); a.Renew {
		t.Error("asked again though it was renewed")
	}
	if a := b.pass(t, 7*time.Minute); !a.Renew {
		t.Error("the new session is not renewed in turn")
	}
}

func TestRenewalIsBroughtForwardNeverPutOff(t *testing.T) {
	b, _, _ := linkedBench()
	b.low.RenewBy(b.now, b.now.Add(2*time.Hour))
	b.low.RenewBy(b.now, b.now.Add(5*time.Second))
	b.low.RenewBy(b.now, b.now.Add(8*time.Second))
	if a := b.pass(t, 5*time.Second-1); a.Renew {
		t.Error("early")
	}
	if a := b.pass(t, 1); !a.Renew {
		t.Error("not in time")
	}
}

func TestIdleSessionIsNotRenewed(t *testing.T) {
	b := newBench()
	b.confirmed(true)
	b.pass(t, 95*time.Second)
	b.low.RenewBy(b.now, b.now.Add(time.Second))
	if a := b.pass(t, time.Hour); a.Renew {
		t.Error("asked though nothing may be sealed under it any more")
	}
}

func TestRenewalNeedsNoRandomness(t *testing.T) {
	b := newBench()
	b.low.rand = iotest.ErrReader(errors.New("dry"))
	b.confirmed(true)
	b.low.SetLinked(b.now, true)
	if a := b.pass(t, time.Hour); !a.Renew || len(a.Probes) > 0 {
		t.Errorf("renew %v, %d probes", a.Renew, len(a.Probes))
	}
}
