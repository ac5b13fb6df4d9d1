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
	DefaultMost     = 32

	// maxFound is the number of addresses of one source that are looked at in one round.
	maxFound = 10_000
)

// A Config says what Run does. Sources and Join must be set.
type Config struct {
	// Sources are asked at the same time, in every round. An error of one does not keep the others' addresses from being joined.
	Sources []Source
	// Join makes this node and the nodes at the addresses members of one cluster, and returns how many it reached:
	// Memberlist.JoinContext.
	Join func(ctx context.Context, addresses []string) (int, error)
	// Members returns the addresses ("host:port") of the members of the cluster, this node's own among them. These are not joined.
	// See Addresses. Default nil: every address is joined in every round, which costs a handshake each.
	Members func() []string

	// Interval is the time between two rounds once a round has succeeded. Every wait is between 3/4 and 5/4 of it, at
	// random, so that nodes that were started at the same moment do not ask at the same moment. Zero means DefaultInterval.
	Interval time.Duration
	// Retry is the time after a round that failed: no source returned an address, or there were addresses to join and none was
	// reached. It doubles with every failure in a row, up to Interval. Zero means DefaultRetry.
	Retry time.Duration
	// Timeout bounds the search of each source and the Join, each for itself. Zero means DefaultTimeout.
	Timeout time.Duration
	// Most is the number of addresses that one round joins. If there are more, the round chooses among them at random. The
	// cluster tells a node about the rest. Zero means DefaultMost.
	Most int

	// Logger gets a line when a source begins to fail or works again, and when a Join reaches nodes or begins to fail. Default
	// nil: slog.Default().
	Logger *slog.Logger
}

// Run searches and joins until ctx is cancelled, and returns the cause of that. It returns at once with an error if the Config
// is bad. No call of Join or of a Source is in progress when it returns, except of an Uncancellable function.
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

// A loop is one call of Run. It is owned by the goroutine of that call.
type loop struct {
	Config
	failing []string // of each source, the error that was logged last; empty while it works
	unheard string   // the error of Join that was logged last; empty while it works
}

func newLoop(c Config) (*loop, error) {
	switch {
	case c.Join == nil:
		return nil, errors.New("discover: Config.Join is nil")
	case len(c.Sources) == 0:
		return nil, errors.New("discover: Config.Sources is empty")
	case slices.Contains(c.Sources, nil):
		return nil, errors.New("discover: one of Config.Sources is nil")
	case c.Interval < 0 || c.Retry < 0 || c.Timeout < 0 || c.Most < 0:
		return nil, errors.New("discover: Config.Interval, Retry, Timeout and Most must not be negative")
	}
	l := &loop{Config: c, failing: make([]string, len(c.Sources))}
	setDefault(&l.Interval, DefaultInterval)
	setDefault(&l.Retry, DefaultRetry)
	setDefault(&l.Timeout, DefaultTimeout)
	setDefault(&l.Most, DefaultMost)
	setDefault(&l.Logger, slog.Default())
	return l, nil
}

// setDefault gives v the value d if v is zero.
func setDefault[T comparable](v *T, d T) {
	var zero T
	if *v == zero {
		*v = d
	}
}

// pause returns the wait after so many failures in a row.
func (l *loop) pause(failures int) time.Duration {
	base := l.Interval
	if failures > 0 {
		base = min(l.Interval, l.Retry<<min(failures-1, 16))
	}
	return base*3/4 + rand.N(base/2+1)
}

// round searches and joins once. It returns false if it should be repeated soon.
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

// find asks all sources at the same time.
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

// targets returns the addresses that are not members', each once, at most Most of them in random order.
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
	return targets[:min(len(targets), l.Most)]
}

// canonical returns one form for all notations of an IP address and port, and anything else as it is.
func canonical(address string) string {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return address
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()).String()
}

// logSource logs a change of what a source says. The line of a failure comes once until the error changes.
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

// logJoin logs nodes that were reached, and the first of several failures.
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

// withPort adds a port to a host that has none. It returns an error if none is known.
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
