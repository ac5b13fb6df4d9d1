package handshake

import (
	"net/netip"
	"testing"
	"time"

	"github.com/gwyh-go/gwyh/internal/wire"
)

// PROTOCOL.md E2.
func TestLedgerKnowsTheSixteenNewestTimestampsOfAnIdFor121Seconds(t *testing.T) {
	l := newLedger(10)
	id := goID(1)
	for i := range int64(20) {
		l.record(epoch, id, 100+i)
	}
	for i := range int64(30) {
		if got, want := l.seen(epoch, id, 90+i), i <= 29; got != want {
			t.Errorf("timestamp %d: seen %v", 90+i, got)
		}
	}
	if l.seen(epoch, id, 120) || l.seen(epoch, goID(2), 100) {
		t.Error("a new one is taken for a replay")
	}
	if !l.seen(epoch.Add(121*time.Second-1), id, 119) || l.seen(epoch.Add(121*time.Second), id, 119) {
		t.Error("not forgotten after 121 s")
	}
}

func TestLedgerThatIsNotFullTakesOlderTimestamps(t *testing.T) {
	l := newLedger(10)
	for i := range int64(15) {
		l.record(epoch, goID(1), 100+2*i)
	}
	switch {
	case l.seen(epoch, goID(1), 50):
		t.Error("50 was seen before")
	case l.seen(epoch, goID(1), 101):
		t.Error("101 was seen before")
	case !l.seen(epoch, goID(1), 102):
		t.Error("102 was not seen before")
	}
	l.record(epoch, goID(1), 50)
	if !l.seen(epoch, goID(1), 49) || l.seen(epoch, goID(1), 51) {
		t.Error("16 of 16")
	}
	l.record(epoch, goID(1), 51)
	if l.quiet.Len() != 1 || len(l.quiet.Front().Value.(*account).stamps) != ledgerStamps {
		t.Error("more than 16 are kept")
	}
}

func TestFullLedgerForgetsTheIdThatWasQuietLongest(t *testing.T) {
	l := newLedger(3)
	for i := range 3 {
		l.record(epoch.Add(time.Duration(i)), goID(i), 7)
	}
	l.record(epoch.Add(5), goID(0), 8)
	l.record(epoch.Add(6), goID(9), 9)
	for i, want := range []bool{true, false, true} {
		if got := l.seen(epoch, goID(i), 7); got != want {
			t.Errorf("id %d: %v", i, got)
		}
	}
	l.record(epoch.Add(time.Hour), goID(1), 1)
	if len(l.accounts) != 1 || l.quiet.Len() != 1 {
		t.Error("old ids are kept")
	}
}

func TestLegacyIdsAreBoundedApartFromGoIds(t *testing.T) {
	_, a, _ := pair(t, 1, nil)
	if a.ep.ledger(goID(3)) == a.ep.ledger(legacyID(3)) || a.ep.legacyIDs.max != 8192 {
		t.Error("one ledger for both")
	}
}

// PROTOCOL.md E6.
func TestPurseGrantsEachSourceAndAllTogetherSoMuchPerSecond(t *testing.T) {
	var b budget
	spend := func(now time.Time, p class, from string, n int) (granted int) {
		for range n {
			a := b.open(now, p, netip.MustParseAddr(from))
			if a.take() {
				granted++
			}
		}
		return granted
	}
	for _, x := range []struct {
		name       string
		class      class
		from       string
		ask, grant int
	}{
		{"a source", proven, "10.0.0.1", 2000, 2000},
		{"the rest of its share", proven, "10.0.0.1", 2000, 500},
		{"the same, mapped", proven, "::ffff:10.0.0.1", 1, 0},
		{"its neighbor", proven, "10.0.0.2", 3000, 2500},
		{"IPv6", proven, "2001:db8::1", 2000, 2000},
		{"the same /64", proven, "2001:db8:0:0:ffff::1", 2000, 500},
		{"another /64", proven, "2001:db8:0:1::1", 3000, 2500},
		{"a third", proven, "2001:db8:0:2::1", 3000, 2500},
		{"a fourth", proven, "2001:db8:0:3::1", 3000, 2500},
		{"the fifth of one /48", proven, "2001:db8:0:4::1", 1, 0},
		{"another /48", proven, "2001:db8:1::1", 1, 1},
		{"loopback, which is not counted by source", proven, "127.0.0.1", 30_000, 30_000},
		{"but in all", proven, "::1", 10_000, 50_000 - 2*2500 - 4*2500 - 1 - 30_000},
		{"nobody after that", proven, "10.0.9.1", 1, 0},
		{"another class", unbound, "10.0.0.1", 600, 500},
		{"a class without sources", unproven, "10.0.0.1", 20_000, 10_000},
	} {
		if got := spend(epoch.Add(time.Second-1), x.class, x.from, x.ask); got != x.grant {
			t.Errorf("%s: %d of %d granted, want %d", x.name, got, x.ask, x.grant)
		}
	}
	if spend(epoch.Add(2*time.Second-1), proven, "10.0.0.1", 1) != 1 {
		t.Error("the next second grants nothing")
	}
	if len(b.sources) != 1 {
		t.Error("sources are remembered beyond their second")
	}
	if spend(epoch.Add(-time.Hour), proven, "10.0.0.1", 2501) != 2500 {
		t.Error("a clock that went back stops the budget")
	}
}

// PROTOCOL.md E5.
func TestPrefixesOfASource(t *testing.T) {
	for from, want := range map[string][2]string{ // of an unverified address, and of a verified one
		"10.1.2.3":             {"10.1.2.0/24", "10.1.2.3/32"},
		"::ffff:10.1.2.3":      {"10.1.2.0/24", "10.1.2.3/32"},
		"2001:db8:1:2:3:4:5:6": {"2001:db8:1:2::/64", "2001:db8:1:2::/64"},
		"fe80::1%eth0":         {"fe80::/64", "fe80::/64"},
	} {
		a := netip.MustParseAddr(from)
		if got := [2]string{network(a).String(), prefix(a, 32).String()}; got != want {
			t.Errorf("%s: %v, want %v", from, got, want)
		}
	}
	if !network(netip.Addr{}).IsValid() {
		t.Error("no network for an address that is none")
	}
}

// PROTOCOL.md E3.
func TestOwnTimestampsNeverGoBackUnlessTheClockWentBackByMoreThanAMinute(t *testing.T) {
	var c stampClock
	now := epoch
	last := c.stamp(now)
	if !last.Equal(epoch) {
		t.Error(last)
	}
	for _, step := range []time.Duration{0, 0, -time.Second, -58 * time.Second, time.Second, time.Hour} {
		now = now.Add(step)
		next := c.stamp(now)
		switch {
		case !next.After(last):
			t.Errorf("after a step of %v: the next timestamp is not later", step)
		case step > time.Minute && !next.Equal(now):
			t.Errorf("after a step of %v: %v, then %v", step, last, next)
		}
		last = next
	}
	now = now.Add(-61 * time.Second)
	if next := c.stamp(now); !next.Equal(now) {
		t.Errorf("does not follow a clock set back: %v, want %v", next, now)
	}
}

// crowd adds n handshakes to a table, with ids and sources from the functions, and returns those that were removed.
func crowd(tb *table, n int, bound bool, node func(i int) int, source func(i int) int) (gone []int) {
	for i := range n {
		x := &halfOpen{key: halfKey{goID(node(i)), wire.HandshakeID{byte(i), byte(i >> 8), byte(i >> 16)}}, repeats: i}
		x.m.bound = bound
		from := address(source(i) << 8).Addr()
		x.source, x.place = network(from), place{x.key.node, prefix(from, 32)}
		for old := tb.room(x); old != nil; old = tb.room(x) {
			gone = append(gone, old.repeats)
			tb.remove(old)
		}
		tb.add(x)
	}
	return gone
}

// PROTOCOL.md E4.
func TestHalfOpenHandshakesAreBoundedAndTheOldestGivesWay(t *testing.T) {
	same, each := func(int) int { return 1 }, func(i int) int { return i }
	for name, x := range map[string]struct {
		n            int
		bound        bool
		node, source func(int) int
		keep         int
	}{
		"bound, in all":      {5000, true, each, same, 4096},
		"bound, one place":   {10, true, same, same, 4},
		"bound, one id":      {10, true, same, each, 10},
		"legacy, in all":     {2000, false, each, each, 1024},
		"legacy, one source": {100, false, each, same, 64},
		"legacy, one place":  {10, false, same, same, 4},
		"legacy, one id":     {10, false, same, each, 10},
	} {
		tb := newTable()
		gone := crowd(&tb, x.n, x.bound, x.node, x.source)
		kept := tb.bound.ages.Len() + tb.legacy.ages.Len()
		switch {
		case kept != x.keep:
			t.Errorf("%s: kept is %v, want %v", name, kept, x.keep)
		case len(tb.all) != kept:
			t.Errorf("%s: the table has %v handshakes, want %v", name, len(tb.all), kept)
		case len(gone) != x.n-x.keep:
			t.Errorf("%s: len(gone) is %d, want %d: %v", name, len(gone), x.n-x.keep, gone)
		}
		for i, g := range gone {
			if g != i {
				t.Fatalf("%s: number %d gave way as the %dth", name, g, i)
			}
		}
	}
}

func TestLegacyHandshakesDoNotCrowdOutBoundOnes(t *testing.T) {
	each := func(i int) int { return i }
	tb := newTable()
	crowd(&tb, 4096, true, each, each)
	crowd(&tb, 5000, false, func(i int) int { return i + 10000 }, each)
	if tb.bound.ages.Len() != 4096 || tb.legacy.ages.Len() != 1024 {
		t.Errorf("%d bound, %d legacy", tb.bound.ages.Len(), tb.legacy.ages.Len())
	}
}

func TestTableForgetsAllOfAHandshake(t *testing.T) {
	tb := newTable()
	crowd(&tb, 50, false, func(i int) int { return i / 2 }, func(i int) int { return i / 3 })
	for len(tb.all) > 0 {
		tb.remove(tb.legacy.ages.Front().Value.(*halfOpen))
	}
	if len(tb.legacy.byPlace)+len(tb.legacy.bySource)+tb.legacy.ages.Len() != 0 {
		t.Error("something is left")
	}
}

func TestEveryReasonHasAName(t *testing.T) {
	seen := make(map[string]bool)
	for r := range Reasons {
		if r.String() == "" || seen[r.String()] {
			t.Errorf("reason %d is named %q", r, r)
		}
		seen[r.String()] = true
	}
	if got := (&RefusedError{BadKey}).Error(); Reasons.String() == "" || got != "the answer was refused: wrong key or label" {
		t.Error(got)
	}
}
