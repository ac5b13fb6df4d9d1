package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/gwyh-go/gwyh/internal/stats"
)

// Plan is a run for capacity planning: a cluster forms, idles, broadcasts, and loses nodes.
type Plan struct {
	Config
	FormLimit time.Duration // for the cluster to become whole
	Idle      time.Duration // how long the cluster idles
	Duration  time.Duration // how long the nodes broadcast
	Rate      float64       // broadcasts per second of all nodes together, each from a random node
	Size      int           // bytes per broadcast
	Crashes   int           // nodes that crash at the same moment
}

// Durations of a plan's phases.
const (
	CalmFor    = 5 * time.Second  // after the forming, until the choice of links is stable
	LateFor    = 5 * time.Second  // after the last broadcast, for missing messages to arrive
	noticeFor  = 2 * time.Minute  // for a crash to become known to all nodes
	refuteFor  = 10 * time.Second // after that, for nodes that were wrongly declared dead to refute it
	stepsShown = 100              // progress reports in one phase
)

// Progress receives how far a phase is. It may be called often.
type Progress func(phase string, done, total int)

// Run runs a plan. It returns an error if the cluster did not form or if ctx ended.
func (p *Plan) Run(ctx context.Context, progress Progress) (*Report, error) {
	c := New(p.Config)
	r := &Report{Seed: p.Seed, Nodes: p.Nodes}
	if p.Map != nil {
		r.Zones = p.Map.Zones
	}
	phases := []func() error{
		func() error { return p.form(ctx, c, r, progress) },
		func() error { return p.idle(ctx, c, r, progress) },
		func() error { return p.broadcast(ctx, c, r, progress) },
		func() error { return p.crash(c, r, progress) },
	}
	for _, phase := range phases {
		if err := phase(); err != nil {
			return r, err
		}
		if err := ctx.Err(); err != nil {
			return r, err
		}
	}
	return r, nil
}

// pass lets time pass and reports progress.
func (c *Cluster) pass(ctx context.Context, d time.Duration, phase string, progress Progress) error {
	for i := range stepsShown {
		c.Net.RunFor(d / stepsShown)
		progress(phase, i+1, stepsShown)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plan) form(ctx context.Context, c *Cluster, r *Report, progress Progress) error {
	before := c.Meter()
	c.joinFirst()
	whole := c.Await(p.FormLimit, func() bool {
		progress("milliseconds of forming", int(c.Net.Elapsed().Milliseconds()), int(p.FormLimit.Milliseconds()))
		return ctx.Err() != nil || c.Whole()
	})
	if !whole {
		return fmt.Errorf("the cluster is not whole after %v: %s", p.FormLimit, c.Missing())
	}
	r.Formation = &Formation{Whole: Millis(c.Net.Elapsed()), Usage: c.Since(before)}
	return c.pass(ctx, CalmFor, "settling", progress)
}

func (p *Plan) idle(ctx context.Context, c *Cluster, r *Report, progress Progress) error {
	if p.Idle == 0 {
		return nil
	}
	before := c.Meter()
	if err := c.pass(ctx, p.Idle, "idling", progress); err != nil {
		return err
	}
	u := c.Since(before)
	r.Idle = &u
	return nil
}

func (p *Plan) broadcast(ctx context.Context, c *Cluster, r *Report, progress Progress) error {
	if total := p.messages(); total > 0 {
		b, err := p.Measure(ctx, c, progress)
		r.Broadcast = b
		return err
	}
	return nil
}

func (p *Plan) messages() int { return int(p.Rate * p.Duration.Seconds()) }

// Measure runs the broadcasts of the plan in a cluster.
func (p *Plan) Measure(ctx context.Context, c *Cluster, progress Progress) (*Broadcast, error) {
	total := p.messages()
	b := &Broadcast{Messages: total, Size: max(p.Size, HeaderSize)}
	before, totals := c.Meter(), c.Totals()
	begin := c.Net.Elapsed()
	for i := range total {
		if _, err := c.Broadcast(c.Pick(1)[0], p.Size); err != nil {
			b.Refused++
		}
		c.Net.RunFor(begin + time.Duration(float64(i+1)/p.Rate*float64(time.Second)) - c.Net.Elapsed())
		progress("broadcasting", i+1, total)
		if err := ctx.Err(); err != nil {
			return b, err
		}
	}
	b.Usage = c.Since(before)
	if err := c.pass(ctx, LateFor, "waiting for what is late", progress); err != nil {
		return b, err
	}
	b.count(c.ledger.between(begin, c.Net.Elapsed()))
	if got := float64(b.Wanted - b.Missing); got > 0 {
		after := c.Totals()
		each := func(after, before uint64) float64 { return float64(after-before) / got }
		b.Copies, b.CrossZone = each(after.Copies, totals.Copies), each(after.Crossed, totals.Crossed)
		b.Digests, b.Repaired = each(after.Digests, totals.Digests), each(after.Repaired, totals.Repaired)
	}
	b.Parents = c.parents()
	return b, nil
}

// count adds up what happened to messages.
func (b *Broadcast) count(messages []*Message) {
	var medians, lasts []time.Duration
	for _, m := range messages {
		b.Wanted += m.Wanted
		b.Missing += m.Wanted - m.Heard
		b.Again += m.Again
		var delays []time.Duration
		m.Delays(func(_ int, after time.Duration) { delays = append(delays, after) })
		if len(delays) == 0 {
			continue
		}
		medians = append(medians, time.Duration(SpreadOf(delays).P50))
		lasts = append(lasts, m.Last)
		b.deliveries = append(b.deliveries, delays...)
	}
	b.Median, b.Last = SpreadOf(medians), SpreadOf(lasts)
	b.deliveries = SpreadOf(b.deliveries).sorted
}

func (p *Plan) crash(c *Cluster, r *Report, progress Progress) error {
	if p.Crashes == 0 {
		return nil
	}
	begin := c.Net.Elapsed()
	falls := c.Kill(c.Pick(p.Crashes)...)
	progress("waiting for crashes to be known", 0, p.Crashes)
	c.AwaitKnown(falls, noticeFor)
	c.Net.RunFor(refuteFor)
	f := &Failure{Crashes: len(falls)}
	f.Count(falls)
	for _, l := range c.Lies(begin) {
		f.FalseDead++
		if l.Refuted == 0 {
			f.Unrefuted++
		}
	}
	r.Failure = f
	return nil
}

// Count adds up what happened to crashes.
func (f *Failure) Count(falls []*Fall) {
	var suspected, known []time.Duration
	for _, fall := range falls {
		if fall.Suspected > 0 {
			suspected = append(suspected, fall.Suspected)
		}
		if fall.Known == 0 {
			f.Unnoticed++
			continue
		}
		known = append(known, fall.Known)
	}
	f.Suspected, f.Known = SpreadOf(suspected), SpreadOf(known)
}

// Sum returns the sum of a counter over all nodes.
func (c *Cluster) Sum(of func(*stats.Stats) uint64) (sum uint64) {
	for _, n := range c.Nodes {
		s := n.Core.Stats()
		sum += of(&s)
	}
	return sum
}

// parents returns the mean number of parents per node and known origin, a node's own id excluded.
func (c *Cluster) parents() float64 {
	parents := c.Sum(func(s *stats.Stats) uint64 { return uint64(s.Parents) })
	origins := c.Sum(func(s *stats.Stats) uint64 { return uint64(max(s.Origins-1, 0)) })
	return float64(parents) / float64(max(origins, 1))
}

// Totals are counters of dissemination, summed over all nodes.
type Totals struct {
	Copies   uint64 // copies received, first ones and duplicates
	Crossed  uint64 // copies received from another zone
	Digests  uint64 // digests sent
	Repaired uint64 // messages received because they were requested
}

// Totals returns the sums over all nodes.
func (c *Cluster) Totals() (sum Totals) {
	c.Sum(func(s *stats.Stats) uint64 {
		sum.Copies += s.BroadcastsDelivered + s.BroadcastsDuplicate
		sum.Crossed += s.BroadcastsCrossZone
		sum.Digests += s.Announced
		sum.Repaired += s.Repaired
		return 0
	})
	return sum
}
