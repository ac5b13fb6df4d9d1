package resolve

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
)

const (
	seedsMax    = 256
	seedsEvery  = 60 * time.Second // average interval at which the seeds are tried,
	seedsAlone  = 15 * time.Second // and the interval for a node that knows no other node
	excludedFor = 5 * time.Minute  // how long an address is excluded at which another program answered
)

// Seeds are the addresses that an application joined, as it wrote them; names are resolved again each time. A node
// retries them for as long as it runs, so that it finds its cluster whichever of the two starts first. In a simulation
// they are IP addresses and ports. The zero value is ready to use. Seeds are not safe for concurrent use.
type Seeds[A comparable] struct {
	Rand *rand.Rand // spreads the times; nil means the source of the process

	list []A
	due  time.Time
	busy bool // between Begin and Done

	excluded *quota.Map[netip.AddrPort, time.Time] // time of the exclusion; nil until the first one
}

// Add adds addresses, which are due after about 15 s. Beyond seedsMax it drops the oldest addresses.
func (s *Seeds[A]) Add(now time.Time, addresses []A) {
	for _, a := range addresses {
		if i := slices.Index(s.list, a); i >= 0 {
			s.list = slices.Delete(s.list, i, i+1)
		}
		s.list = append(s.list, a)
	}
	s.list = slices.Clone(s.list[max(0, len(s.list)-seedsMax):])
	s.due = now.Add(s.jittered(seedsAlone))
}

// Begin returns the addresses if they are due. The caller then tries those that are NotExcluded, and calls Done.
func (s *Seeds[A]) Begin(now time.Time) []A {
	if s.busy || len(s.list) == 0 || now.Before(s.due) {
		return nil
	}
	s.busy = true
	return slices.Clone(s.list)
}

// Due returns when Begin will return addresses, or the zero time if it will not.
func (s *Seeds[A]) Due() time.Time {
	if s.busy || len(s.list) == 0 {
		return time.Time{}
	}
	return s.due
}

// Done ends the attempt that Begin started. If alone is true, the node still knows no other node, so it retries sooner.
func (s *Seeds[A]) Done(now time.Time, alone bool) {
	s.busy = false
	s.due = now.Add(s.jittered(seedsEvery))
	if alone {
		s.due = now.Add(s.jittered(seedsAlone))
	}
}

// Exclude excludes an address for five minutes, because a program there may log each packet as an error.
func (s *Seeds[A]) Exclude(now time.Time, a netip.AddrPort) {
	if s.excluded == nil {
		m := quota.NewMap[netip.AddrPort, time.Time](seedsMax)
		s.excluded = &m
	}
	s.excluded.Set(a, now)
}

// NotExcluded returns the addresses that are not excluded.
func (s *Seeds[A]) NotExcluded(now time.Time, addrs []netip.AddrPort) []netip.AddrPort {
	if s.excluded == nil {
		return addrs
	}
	return slices.DeleteFunc(slices.Clone(addrs), func(a netip.AddrPort) bool {
		since, ok := s.excluded.Get(a)
		return ok && now.Sub(since) < excludedFor
	})
}

// Clear removes all addresses.
func (s *Seeds[A]) Clear() { s.list = nil }

// jittered returns a random duration within a quarter of d.
func (s *Seeds[A]) jittered(d time.Duration) time.Duration {
	if s.Rand != nil {
		return d - d/4 + time.Duration(s.Rand.Int64N(int64(d/2)))
	}
	return d - d/4 + rand.N(d/2)
}
