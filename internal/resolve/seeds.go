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
	seedsEvery = 60 * time.Second // between two looks for the seeds,
	seedsAlone = 15 * time.Second // and of a node that knows nobody
	shunnedFor = 5 * time.Minute  // an address at which something answered that is no node
)

// Seeds are the addresses that an application joined, as it wrote them: names are looked up anew each time.
// They are tried again for ever, so that a node finds its cluster whichever of them is up first. The zero
// value is ready. Not for concurrent use.
type Seeds struct {
	list []string
	due  time.Time
	busy bool // somebody looks them up

	shunned *quota.Map[netip.AddrPort, time.Time] // since when; nil while there was none
}

// Add remembers addresses, the oldest giving way. The next look is soon.
func (s *Seeds) Add(now time.Time, addresses []string) {
	for _, a := range addresses {
		if i := slices.Index(s.list, a); i >= 0 {
			s.list = slices.Delete(s.list, i, i+1)
		}
		s.list = append(s.list, a)
	}
	s.list = slices.Clone(s.list[max(0, len(s.list)-seedsMax):])
	s.due = now.Add(jittered(seedsAlone))
}

// Begin returns the addresses if it is time to look for them. Then Done has to follow.
func (s *Seeds) Begin(now time.Time) []string {
	if s.busy || len(s.list) == 0 || now.Before(s.due) {
		return nil
	}
	s.busy = true
	return slices.Clone(s.list)
}

// Done ends what Begin began, and says whether the node knows nobody yet.
func (s *Seeds) Done(now time.Time, alone bool) {
	s.busy = false
	s.due = now.Add(jittered(seedsEvery))
	if alone {
		s.due = now.Add(jittered(seedsAlone))
	}
}

// Shun keeps an address from being tried for a while: another program is there, which may log each packet as an error.
func (s *Seeds) Shun(now time.Time, a netip.AddrPort) {
	if s.shunned == nil {
		m := quota.NewMap[netip.AddrPort, time.Time](seedsMax)
		s.shunned = &m
	}
	s.shunned.Set(a, now)
}

// Unshunned is the addresses that may be tried.
func (s *Seeds) Unshunned(now time.Time, addrs []netip.AddrPort) []netip.AddrPort {
	if s.shunned == nil {
		return addrs
	}
	return slices.DeleteFunc(slices.Clone(addrs), func(a netip.AddrPort) bool {
		since, ok := s.shunned.Get(a)
		return ok && now.Sub(since) < shunnedFor
	})
}

// Clear forgets all.
func (s *Seeds) Clear() { s.list = nil }

// jittered is d, or up to a quarter less or more.
func jittered(d time.Duration) time.Duration { return d - d/4 + rand.N(d/2) }
