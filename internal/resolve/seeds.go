package resolve

import (
	"math/rand/v2"
	"slices"
	"time"
)

const (
	seedsMax   = 256
	seedsEvery = 60 * time.Second // between two looks for the seeds,
	seedsAlone = 15 * time.Second // and of a node that knows nobody
)

// Seeds are the addresses that an application joined, as it wrote them: names are looked up anew each time.
// They are tried again for ever, so that a node finds its cluster whichever of them is up first. The zero
// value is ready. Not for concurrent use.
type Seeds struct {
	list []string
	due  time.Time
	busy bool // somebody looks them up
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

// Clear forgets all.
func (s *Seeds) Clear() { s.list = nil }

// jittered is d, or up to a quarter less or more.
func jittered(d time.Duration) time.Duration { return d - d/4 + rand.N(d/2) }
