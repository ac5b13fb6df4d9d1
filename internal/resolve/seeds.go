package resolve

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/internal/quota"
)

const (
	seedsMax   = 256
	seedsEvery = 60 * time.Second // about how often the seeds are tried,
	seedsAlone = 15 * time.Second // and by a node that knows no other
	shunnedFor = 5 * time.Minute  // how long an address is excluded at which something answered that is no node
)

// Seeds are the addresses that an application joined, as it wrote them: names are resolved anew each time. A node tries
// them again for as long as it runs, so that it finds its cluster whichever of the two is up first. A simulation writes
// them as IP addresses and ports. The zero value is ready for use. Seeds are not safe for concurrent use.
type Seeds[A comparable] struct {
	Rand *rand.Rand // spreads the times; nil: the source of the process

	list []A
	due  time.Time
	busy bool // between Begin and Done

	shunned *quota.Map[netip.AddrPort, time.Time] // since when; nil while there was none
}

// Add remembers addresses; when there are too many, it forgets the oldest. They are due after about 15 s.
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

// Begin returns the addresses if they are due. Then the caller tries those that are Unshunned, and calls Done.
func (s *Seeds[A]) Begin(now time.Time) []A {
	if s.busy || len(s.list) == 0 || now.Before(s.due) {
		return nil
	}
	s.busy = true
	return slices.Clone(s.list)
}

// Due returns when Begin will return addresses, the zero time if it will not.
func (s *Seeds[A]) Due() time.Time {
	if s.busy || len(s.list) == 0 {
		return time.Time{}
	}
	return s.due
}

// Done ends what Begin began. alone says that the node still knows no other, so that it tries again sooner.
func (s *Seeds[A]) Done(now time.Time, alone bool) {
	s.busy = false
	s.due = now.Add(s.jittered(seedsEvery))
	if alone {
		s.due = now.Add(s.jittered(seedsAlone))
	}
}

// Shun excludes an address for five minutes, because another program is there, which may log each packet as an error.
func (s *Seeds[A]) Shun(now time.Time, a netip.AddrPort) {
	if s.shunned == nil {
		m := quota.NewMap[netip.AddrPort, time.Time](seedsMax)
		s.shunned = &m
	}
	s.shunned.Set(a, now)
}

// Unshunned returns those of the addresses that are not excluded.
func (s *Seeds[A]) Unshunned(now time.Time, addrs []netip.AddrPort) []netip.AddrPort {
	if s.shunned == nil {
		return addrs
	}
	return slices.DeleteFunc(slices.Clone(addrs), func(a netip.AddrPort) bool {
		since, ok := s.shunned.Get(a)
		return ok && now.Sub(since) < shunnedFor
	})
}

// Clear forgets all addresses.
func (s *Seeds[A]) Clear() { s.list = nil }

// jittered returns d, or up to a quarter less or more.
func (s *Seeds[A]) jittered(d time.Duration) time.Duration {
	if s.Rand != nil {
		return d - d/4 + time.Duration(s.Rand.Int64N(int64(d/2)))
	}
	return d - d/4 + rand.N(d/2)
}
