package node

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/gwyh-go/gwyh/internal/resolve"
	"github.com/gwyh-go/gwyh/internal/udp"
)

// rejoin retries the seeds, the addresses of earlier Joins, so that a node finds its cluster whichever of the two
// starts first, and also after a partition.
type rejoin struct {
	loop      *loop
	addresses *addresses
	life      context.Context // ends with Shutdown
	timeout   time.Duration   // of the lookup of all host names

	seeds resolve.Seeds[string] // owned by the loop
}

// every tries the seeds if that is due. A goroutine looks up their names and ends by itself. Only the loop may call
// it.
func (r *rejoin) every(now time.Time) {
	seeds := r.seeds.Begin(now)
	if seeds == nil {
		return
	}
	r.loop.others.Go(func() {
		ctx, cancel := context.WithTimeout(r.life, r.timeout)
		defer cancel()
		var found []netip.AddrPort
		for _, address := range seeds {
			name, to, _ := r.addresses.resolve(ctx, address)
			for _, a := range to {
				r.addresses.learn(a, name)
			}
			found = append(found, to...)
		}
		_ = r.loop.do(func(now time.Time) {
			r.loop.core.ContactSeeds(now, r.seeds.NotExcluded(now, found))
			r.seeds.Done(now, r.loop.core.NumMembers() == 1)
		})
	})
}

// exclude excludes an address from the seeds for a while if a memberlist node listens there, because such a node may log
// each packet as an error. err is the result of a knock. Only the loop may call it.
func (r *rejoin) exclude(now time.Time, a netip.AddrPort, err error) {
	if errors.Is(err, udp.ErrMemberlist) {
		r.seeds.Exclude(now, a)
	}
}
