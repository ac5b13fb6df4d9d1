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
	// refusedFor is how long the system of an address refuses packets before a Join believes it: nodes that are started
	// together join each other before all of them listen. A Join that has reached another node believes it at once.
	refusedFor = time.Second
	// knocksMax bounds the addresses that are knocked at, each by a goroutine and a socket of its own. Joins of further
	// addresses do without.
	knocksMax = 64
)

// A knocker finds out whether anybody listens at an address.
type knocker struct {
	loop    *loop
	sockets udp.Sockets     // nil over a foreign transport, where nobody knocks
	life    context.Context // ends with Shutdown
	count   atomic.Int32    // addresses that are knocked at
}

// context returns what the knocks at one address end with: with Shutdown, or when leave is called.
func (k *knocker) context() (ctx context.Context, leave func()) { return context.WithCancel(k.life) }

// knock knocks at an address in a goroutine of its own, which is in group, until ctx ends. told is called with each
// error that says that no node is there. foreign means that another program answered, lasting that the errors have
// come for a second.
func (k *knocker) knock(ctx context.Context, to netip.AddrPort, group *sync.WaitGroup, told func(err error, foreign, lasting bool)) {
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
			told(err, foreign, since >= refusedFor)
		})
	})
}
