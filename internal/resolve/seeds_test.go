package resolve

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

func TestSeedsAreLookedForAgainAndAgain(t *testing.T) {
	var s Seeds[string]
	now := time.Unix(1e9, 0)
	if s.Begin(now) != nil {
		t.Error("there are seeds without any")
	}
	s.Add(now, []string{"a", "b.example:1", "a"})
	for i, alone := range []bool{true, true, false, false, true} {
		least, most := 45*time.Second, 75*time.Second
		if i == 0 || alone {
			least, most = 11250*time.Millisecond, 18750*time.Millisecond
		}
		if i > 0 {
			s.Done(now, alone)
		}
		if s.Begin(now.Add(least-1)) != nil {
			t.Errorf("round %d: too early", i)
		}
		now = now.Add(most)
		if got := s.Begin(now); !slices.Equal(got, []string{"b.example:1", "a"}) {
			t.Errorf("round %d: %v", i, got)
		}
		if s.Begin(now.Add(time.Hour)) != nil {
			t.Errorf("round %d: two looks at a time", i)
		}
	}
	s.Clear()
	s.Done(now, true)
	if s.Begin(now.Add(time.Hour)) != nil {
		t.Error("cleared seeds are looked for")
	}
}

func TestSeedsAreBounded(t *testing.T) {
	var s Seeds[string]
	now := time.Unix(1e9, 0)
	for i := range 3 * seedsMax {
		s.Add(now, []string{fmt.Sprint(i), "kept"})
	}
	got := s.Begin(now.Add(time.Minute))
	if len(got) != seedsMax || got[seedsMax-1] != "kept" || got[seedsMax-2] != fmt.Sprint(3*seedsMax-1) {
		t.Errorf("%d seeds, the last %v", len(got), got[len(got)-2:])
	}
}

func TestAddressOfAnotherProgramIsNotTriedForAWhile(t *testing.T) {
	var s Seeds[string]
	now := time.Unix(0, 0)
	a, b := netip.MustParseAddrPort("10.0.0.1:1"), netip.MustParseAddrPort("10.0.0.2:1")
	s.Exclude(now, a)
	for _, x := range []struct {
		after time.Duration
		want  []netip.AddrPort
	}{{0, []netip.AddrPort{b}}, {excludedFor - 1, []netip.AddrPort{b}}, {excludedFor, []netip.AddrPort{a, b}}} {
		if got := s.NotExcluded(now.Add(x.after), []netip.AddrPort{a, b}); !slices.Equal(got, x.want) {
			t.Errorf("after %v: %v, want %v", x.after, got, x.want)
		}
	}
	for i := range 10 * seedsMax {
		s.Exclude(now, netip.AddrPortFrom(a.Addr(), uint16(i)))
	}
	if n := s.excluded.Len(); n > seedsMax {
		t.Errorf("%d addresses are remembered", n)
	}
	latest := netip.AddrPortFrom(a.Addr(), 10*seedsMax-seedsMax/2)
	if got := s.NotExcluded(now, []netip.AddrPort{latest}); len(got) > 0 {
		t.Errorf("%v is tried although it is among the latest", got)
	}
}
