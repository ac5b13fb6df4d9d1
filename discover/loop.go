package discover

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Defaults and bounds of a Config.
const (
	DefaultInterval = time.Minute
	DefaultRetry    = time.Second
	DefaultTimeout  = 10 * time.Second
	DefaultMax      = 32

	// maxFound bounds the addresses of one source that one round uses.
	maxFound = 10_000
)

// A Config configures Run. Sources and Join must be set.
type Config struct {
	// Sources are queried in parallel in every round. An error of one does not keep the others' addresses from being
	// joined.
	Sources []Source
	// Join joins the nodes at the addresses and returns how many it reached, as Memberlist.JoinContext does.
	Join func(ctx context.Context, addresses []string) (int, error)
	// Members returns the addresses ("host:port") of the members, including this node. They are not joined. See
	// Addresses. Default nil: every address is joined in every round, which costs a handshake each.
	Members func() []string

	// Interval is the time between two rounds after a successful one. Every wait is random, between 3/4 and 5/4 of
	// it, so that nodes that started together do not query together. Zero means DefaultInterval.
	Interval time.Duration
	// Retry is the wait after a failed round: no source returned an address, or there were addresses to join and none
	// was reached. It doubles with every consecutive failure, up to Interval. Zero means DefaultRetry.
	Retry time.Duration
	// Timeout bounds the call of each source, and the call of Join. Zero means DefaultTimeout.
	Timeout time.Duration
	// Max is the maximum number of addresses that one round joins. If there are more, the round chooses at random.
	// The node learns of the others from the cluster. Zero means DefaultMax.
	Max int

	// Logger logs when a source begins to fail or works again, and when a Join reaches nodes or begins to fail.
	// Default nil: slog.Default().
	Logger *slog.Logger
}

// Run searches and joins until ctx is canceled, and returns the cause. It returns an error immediately if the Config
// is invalid. When it returns, no call of Join or of a Source is in progress, except of an Uncancellable function.
func Run(ctx context.Context, c Config) error {
	l, err := newLoop(c)
	if err != nil {
		return err
	}
	failures := 0
	for {
		if l.round(ctx) {
			failures = 0
		} else {
			failures++
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(l.pause(failures)):
		}
	}
}

// A loop is one call of Run. Only the goroutine of that call uses it.
type loop struct {
	Config
	failing []string // by source: the error that was logged last; empty if it works
	unheard string   // the error of Join that was logged last; empty if it works
}

func newLoop(c Config) (*loop, error) {
	switch {
	case c.Join == nil:
		return nil, errors.New("discover: Config.Join is nil")
	case len(c.Sources) == 0:
		return nil, errors.New("discover: Config.Sources is empty")
	case slices.Contains(c.Sources, nil):
		return nil, errors.New("discover: one of Config.Sources is nil")
	case c.Interval < 0 || c.Retry < 0 || c.Timeout < 0 || c.Max < 0:
		return nil, errors.New("discover: Config.Interval, Retry, Timeout and Max must not be negative")
	}
	l := &loop{Config: c, failing: make([]string, len(c.Sources))}
	setDefault(&l.Interval, DefaultInterval)
	setDefault(&l.Retry, DefaultRetry)
	setDefault(&l.Timeout, DefaultTimeout)
	setDefault(&l.Max, DefaultMax)
	setDefault(&l.Logger, slog.Default())
	return l, nil
}

// setDefault sets v to d if v is zero.
func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// pause returns the wait after a number of consecutive failures.
func (l *loop) pause(failures int) time.Duration {
	base := l.Interval
	if failures > 0 {
		base = min(l.Interval, l.Retry<<min(failures-1, 16))
	}
	return base*3/4 + rand.N(base/2+1)
}

// round searches and joins once. It returns false if the round failed.
func (l *loop) round(ctx context.Context) bool {
	found := l.find(ctx)
	if len(found) == 0 {
		return false
	}
	targets := l.targets(found)
	if len(targets) == 0 {
		return true
	}
	joining, cancel := context.WithTimeout(ctx, l.Timeout)
	defer cancel()
	n, err := l.Join(joining, targets)
	if ctx.Err() == nil {
		l.logJoin(n, len(targets), err)
	}
	return n > 0
}

// find queries all sources in parallel.
func (l *loop) find(ctx context.Context) (all []string) {
	found, errs := make([][]string, len(l.Sources)), make([]error, len(l.Sources))
	var wg sync.WaitGroup
	for i, s := range l.Sources {
		wg.Go(func() {
			searching, cancel := context.WithTimeout(ctx, l.Timeout)
			defer cancel()
			found[i], errs[i] = s.Find(searching)
		})
	}
	wg.Wait()
	for i := range l.Sources {
		if ctx.Err() == nil {
			l.logSource(i, len(found[i]), errs[i])
		}
		all = append(all, found[i][:min(len(found[i]), maxFound)]...)
	}
	return all
}

// targets returns each address that is not a member's once: at most Max of them, in random order.
func (l *loop) targets(found []string) []string {
	skip := map[string]bool{}
	if l.Members != nil {
		for _, m := range l.Members() {
			skip[canonical(m)] = true
		}
	}
	var targets []string
	for _, a := range found {
		if a = canonical(a); !skip[a] {
			skip[a] = true
			targets = append(targets, a)
		}
	}
	rand.Shuffle(len(targets), func(i, j int) { targets[i], targets[j] = targets[j], targets[i] })
	return targets[:min(len(targets), l.Max)]
}

// canonical returns one form for all notations of an IP address and port. It returns anything else unchanged.
func canonical(address string) string {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return address
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String()
}

// logSource logs when a source begins to fail, when its error changes, and when it works again.
func (l *loop) logSource(i, n int, err error) {
	name := l.Sources[i].String()
	switch before := l.failing[i]; {
	case err != nil && err.Error() != before:
		l.failing[i] = err.Error()
		l.Logger.Warn("discovery: a source does not work", "source", name, "err", err)
	case err == nil && before != "":
		l.failing[i] = ""
		l.Logger.Info("discovery: a source works again", "source", name, "addresses", n)
	}
}

// logJoin logs how many nodes were reached, and the first of several equal failures.
func (l *loop) logJoin(reached, of int, err error) {
	switch {
	case reached > 0:
		l.unheard = ""
		l.Logger.Info("discovery: joined nodes", "reached", reached, "of", of)
	case err != nil && err.Error() != l.unheard:
		l.unheard = err.Error()
		l.Logger.Warn("discovery: no node was reached", "of", of, "err", err)
	}
}

// withPort adds a port to a host without one. It returns an error if port is not valid.
func withPort(address string, port int) (string, error) {
	if a, err := netip.ParseAddr(address); err == nil {
		address = a.Unmap().String()
	} else if _, _, err := net.SplitHostPort(address); err == nil {
		return address, nil
	}
	if port < 1 || port > 65535 {
		return "", fmt.Errorf("address %q has no port", address)
	}
	return net.JoinHostPort(address, strconv.Itoa(port)), nil
}
