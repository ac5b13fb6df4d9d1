package node

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gwyh-go/gwyh/internal/event"
	"github.com/gwyh-go/gwyh/internal/handshake"
	corejoin "github.com/gwyh-go/gwyh/internal/joining"
	"github.com/gwyh-go/gwyh/internal/unreached"
)

const (
	// joinForever is the timeout of a Join without a deadline.
	joinForever = 10 * 365 * 24 * time.Hour
	// joinGrace is how long a Join that has reached a node still waits for addresses that have not answered. Of a
	// name's IPv4 and IPv6 addresses, one is often unreachable. The seeds are tried again in the background.
	joinGrace = 2 * time.Second
	// lateAnswer is how long a question waits for the puller before a Join in progress answers it. The puller may be
	// blocked in a delegate's call that waits for that Join, or for the Join of another node in the same position.
	lateAnswer = 200 * time.Millisecond
	// verdictFor is how long a verdict counts as the reason of a Join that is not hasty. Such a Join sends more often than
	// that, so an error that lasts renews its verdict.
	verdictFor = 5 * time.Second
	// warnUnreachedEvery is the minimum time between two warnings that a Join got no answer, because programs retry.
	warnUnreachedEvery = time.Minute
)

// joins are the calls of Join in progress.
type joins struct {
	loop       *loop
	addresses  *addresses
	rejoin     *rejoin
	knocker    *knocker
	answer     func(*question)
	background *questions // the questions that belong to no Join
	log        Log
	public     func(error) error // see Config
	timeout    time.Duration     // Config.Timeout
	needNames  bool              // Config.RequireNames

	pending map[event.JoinToken]*target // the targets of all Joins in progress
	warned  atomic.Int64                // when the warning that a Join got no answer was last logged, in Unix nanoseconds
}

// A joining is one call of Join. It is owned by the goroutine of that call.
type joining struct {
	questions *questions
	targets   map[event.JoinToken]*target // the targets that have not ended
	knocks    sync.WaitGroup
	company   atomic.Bool // another node was reached
	reached   int
	errs      []error
}

// A target is one address of a Join.
type target struct {
	join    *joining
	to      netip.AddrPort
	begun   time.Time
	hasty   bool                    // a verdict ends the target
	verdict atomic.Pointer[verdict] // nil if there is none
	leave   func()                  // ends the knocks at the target
}

// A verdict says that no node can be reached at an address. It comes from the local system, from a router on the
// path, or from the program at the address.
type verdict struct {
	err error
	at  time.Time
}

func newJoining() *joining {
	return &joining{questions: newQuestions(), targets: make(map[event.JoinToken]*target)}
}

// end removes a target and returns it, or nil if there is none.
func (j *joining) end(t event.JoinToken) *target {
	at := j.targets[t]
	if at != nil {
		at.leave()
		delete(j.targets, t)
	}
	return at
}

// fail ends all remaining targets with err.
func (j *joining) fail(err error) {
	for t := range j.targets {
		j.errs = append(j.errs, fmt.Errorf("join %s: %w", j.end(t).to, err))
	}
}

// join joins all addresses and waits for the result. A hasty Join gives up an address as soon as it has a verdict.
func (js *joins) join(ctx context.Context, existing []string, hasty bool) *joining {
	j := newJoining()
	_ = js.loop.do(func(now time.Time) { js.rejoin.seeds.Add(now, existing) })
	until, ok := ctx.Deadline()
	if !ok {
		until = time.Now().Add(joinForever)
	}
	for _, address := range existing {
		name, targets, err := js.addresses.resolve(ctx, address)
		if err == nil && name == "" && js.needNames {
			err, targets = fmt.Errorf("address %q: RequireNodeNames is set and it has no name", address), nil
		}
		if err != nil {
			j.errs = append(j.errs, err)
		}
		for _, to := range targets {
			js.addresses.learn(to, name)
			if err := js.loop.do(func(now time.Time) { js.begin(now, j, to, until, hasty) }); err != nil {
				j.errs = append(j.errs, js.public(err))
			}
		}
	}
	js.await(ctx, j)
	j.knocks.Wait()
	return j
}

// begin makes the core join an address. Only the loop may call it.
func (js *joins) begin(now time.Time, j *joining, to netip.AddrPort, until time.Time, hasty bool) {
	token := js.loop.core.Join(now, to, until)
	ctx, leave := js.knocker.context()
	at := &target{join: j, to: to, begun: now, hasty: hasty, leave: leave}
	js.pending[token], j.targets[token] = at, at
	if hasty {
		js.loop.core.ExtendJoin(token, until.Add(js.timeout))
		js.knock(ctx, token, at)
	}
}

// knock finds out whether a program listens at an address. If not, it ends the Join of that address. A forged refusal
// has no other effect, because the address is one of the seeds, which are tried again in the background.
func (js *joins) knock(ctx context.Context, token event.JoinToken, at *target) {
	j := at.join
	js.knocker.knock(ctx, at.to, &j.knocks, func(err error, foreign, lasting bool) {
		at.verdict.Store(&verdict{err, time.Now()})
		if !foreign && !lasting && !j.company.Load() {
			return
		}
		_ = js.loop.do(func(now time.Time) {
			js.rejoin.exclude(now, at.to, err)
			js.loop.core.AbandonJoin(now, token)
		})
	})
}

// put passes a question to the Join that it belongs to, or otherwise to the puller. Only the loop may call it.
func (js *joins) put(now time.Time, e *event.Event) {
	to := js.background
	if at := js.pending[e.Token]; at != nil {
		to = at.join.questions
	}
	to.put(question{event: *e, at: now})
	if e.Kind == event.Joined {
		delete(js.pending, e.Token)
	}
}

// await answers the questions of a Join until all its targets have ended.
func (js *joins) await(ctx context.Context, j *joining) {
	late := time.NewTicker(lateAnswer)
	defer late.Stop()
	var grace <-chan time.Time // starts when one node has been reached and targets remain
	canceled := ctx.Done()
	for len(j.targets) > 0 {
		select {
		case <-js.loop.stop:
			j.fail(js.public(ErrShutdown))
		case <-canceled:
			canceled = nil
			js.cancel(ctx, j)
		case <-late.C:
			if q, ok := js.background.take(time.Now().Add(-lateAnswer)); ok {
				js.answer(&q)
			}
		case <-j.questions.wake:
			for q, ok := j.questions.take(time.Now()); ok; q, ok = j.questions.take(time.Now()) {
				js.advance(ctx, j, &q)
			}
			if grace == nil && j.reached > 0 && len(j.targets) > 0 {
				t := time.NewTimer(joinGrace)
				defer t.Stop()
				grace = t.C
			}
		case <-grace:
			js.abandon(j)
		}
	}
}

// abandon ends all remaining targets.
func (js *joins) abandon(j *joining) {
	_ = js.loop.do(func(now time.Time) {
		for t := range j.targets {
			js.loop.core.AbandonJoin(now, t)
		}
	})
}

// cancel ends a Join whose context was canceled. A Join whose deadline has passed ends by itself.
func (js *joins) cancel(ctx context.Context, j *joining) {
	if !errors.Is(ctx.Err(), context.Canceled) {
		return
	}
	_ = js.loop.do(func(now time.Time) {
		for t := range j.targets {
			js.loop.core.CancelJoin(now, t)
		}
	})
}

// advance handles the next question of a Join, or the end of one of its targets.
func (js *joins) advance(ctx context.Context, j *joining, q *question) {
	e := &q.event
	switch {
	case e.Kind == event.Joined:
		at := j.end(e.Token)
		if at == nil {
			return
		}
		if e.Err == nil {
			j.reached++
			js.reached(j, at.to)
			return
		}
		j.errs = append(j.errs, fmt.Errorf("join %s: %w", at.to, js.failure(ctx, at, e.Err)))
	case errors.Is(ctx.Err(), context.Canceled):
		if e.Kind == event.AliveAsked {
			js.background.put(*q) // the answer is still needed
		}
	default:
		js.answer(q)
	}
}

// reached gives up the targets that have a verdict, once a node other than this one has been reached.
func (js *joins) reached(j *joining, to netip.AddrPort) {
	_ = js.loop.do(func(now time.Time) {
		if to == js.loop.core.Self().Addr || j.company.Swap(true) {
			return
		}
		for t, at := range j.targets {
			if at.verdict.Load() != nil {
				js.loop.core.AbandonJoin(now, t)
			}
		}
	})
}

// failure returns why a target was not reached, given the core's error and the verdict.
func (js *joins) failure(ctx context.Context, at *target, err error) error {
	canceled, silent := errors.Is(err, corejoin.ErrCanceled), errors.Is(err, handshake.ErrNoAnswer)
	switch {
	case (canceled || silent) && at.hasVerdict():
		return at.verdict.Load().err
	case canceled:
		return context.Cause(ctx)
	case silent:
		return &unreached.NoAnswerError{To: at.to.String(), Within: time.Since(at.begun)}
	}
	return js.public(err)
}

// hasVerdict reports whether there is a verdict that still counts.
func (t *target) hasVerdict() bool {
	v := t.verdict.Load()
	return v != nil && (t.hasty || time.Since(v.at) < verdictFor)
}

// noRoute records that the system cannot send to an address, and ends its hasty Joins. Only the loop may call it.
func (js *joins) noRoute(now time.Time, to netip.AddrPort, err error) {
	for token, at := range js.pending {
		if at.to != to {
			continue
		}
		at.verdict.Store(&verdict{err, now})
		if at.hasty {
			js.loop.core.AbandonJoin(now, token)
		}
	}
}

// result returns the result of the Join. If no node was reached because none answered, it logs a warning.
func (js *joins) result(j *joining) (int, error) {
	if j.reached > 0 || len(j.errs) == 0 {
		return j.reached, nil
	}
	now, last := time.Now().UnixNano(), js.warned.Load()
	due := last == 0 || now-last >= int64(warnUnreachedEvery)
	if text := unreached.Warning(j.errs); text != "" && due && js.warned.CompareAndSwap(last, now) {
		js.log.Warnf("%s", text)
	}
	return 0, unreached.Error(j.errs)
}
