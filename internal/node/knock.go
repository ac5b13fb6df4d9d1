package node

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gwyh-go/gwyh/internal/udp"
)

const (
	// refusedFor is how long an address must refuse packets before a Join gives it up: nodes that start together join
	// each other before all of them listen. A Join that has reached another node gives it up at the first refusal.
	refusedFor = time.Second
	// knocksMax bounds the addresses that are knocked at concurrently, each by its own goroutine and socket. Joins of
	// further addresses do not knock.
	knocksMax = 64
)

// A knocker finds out whether a program listens at an address.
type knocker struct {
	loop    *loop
	sockets udp.Sockets     // nil over a foreign transport, where knock does nothing
	life    context.Context // ends with Shutdown
	count   atomic.Int32    // addresses that are knocked at now
}

// context returns the context of the knocks at one address. It ends with Shutdown, or when leave is called.
func (k *knocker) context() (ctx context.Context, leave func()) { return context.WithCancel(k.life) }

// knock knocks at an address until ctx ends, in its own goroutine, which it adds to group. It calls report with each
// error that shows that no node listens there. foreign reports that another program answered, and lasting that the
// errors have continued for refusedFor.
func (k *knocker) knock(ctx context.Context, to netip.AddrPort, group *sync.WaitGroup, report func(err error, foreign, lasting bool)) {
	if k.sockets == nil {
		return
	}
	if k.count.Add(1) > knocksMax {
		k.count.Add(-1)
		return
	}
	group.Add(1)
	k.loop.others.Go(func() {
		defer group.Done()
		defer k.count.Add(-1)
		udp.Knock(ctx, k.sockets.Source(to.Addr()), to, func(err error, since time.Duration) {
			foreign := errors.Is(err, udp.ErrMemberlist) || errors.Is(err, udp.ErrStranger)
			report(err, foreign, since >= refusedFor)
		})
	})
}
