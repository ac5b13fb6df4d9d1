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
	CalmFor     = 5 * time.Second        // after the forming, until the choice of links is stable
	LateFor     = 5 * time.Second        // after the last broadcast, for missing messages to arrive
	noticeFor   = 2 * time.Minute        // for a crash to become known to all nodes
	refuteFor   = 10 * time.Second       // after that, for nodes that were wrongly declared dead to refute it
	stepsShown  = 100                    // progress reports in one phase
	crashSample = 100 * time.Millisecond // a sample of the traffic while a crash becomes known
	formSample  = 10 * time.Millisecond  // the shortest sample of the traffic while a cluster forms
	sampled     = 25                     // samples of the traffic in one phase
)

// Progress receives the progress of a phase. It may be called often.
type Progress func(phase string, done, total int)

// Run runs a plan. It returns an error if the cluster did not form or if ctx ended.
func (p *Plan) Run(ctx context.Context, progress Progress) (*Report, error) {
	c := New(p.Config)
	r, traffic := &Report{Seed: p.Seed, Nodes: p.Nodes}, &recorder{c: c}
	if p.Map != nil {
		r.Zones = p.Map.Zones
	}
	phases := []func() error{
		func() error { return p.form(ctx, traffic, r, progress) },
		func() error { return p.idle(ctx, traffic, r, progress) },
		func() error { return p.broadcast(ctx, traffic, r, progress) },
		func() error { return p.crash(ctx, traffic, r, progress) },
	}
	for _, phase := range phases {
		err := phase()
		r.Traffic = traffic.samples
		if err != nil {
			return r, err
		}
		if err := ctx.Err(); err != nil {
			return r, err
		}
	}
	return r, nil
}

// pass lets time pass, samples the traffic and reports progress.
func (r *recorder) pass(ctx context.Context, d time.Duration, phase string, progress Progress) error {
	for i := range stepsShown {
		r.c.Net.RunFor(d / stepsShown)
		r.sample(phase, d/sampled, false)
		progress(phase, i+1, stepsShown)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func (p *Plan) form(ctx context.Context, traffic *recorder, r *Report, progress Progress) error {
	c := traffic.c
	before := c.Meter()
	course, step := []Formed{c.formed()}, awaitStep
	c.joinFirst()
	whole := c.Await(p.FormLimit, func() bool {
		now := c.Net.Elapsed()
		progress("milliseconds of forming", int(now.Milliseconds()), int(p.FormLimit.Milliseconds()))
		if now-time.Duration(course[len(course)-1].At) >= step {
			course = thin(append(course, c.formed()), &step)
		}
		traffic.sample("forming", max(formSample, now/sampled), false)
		return ctx.Err() != nil || c.Whole()
	})
	if !whole {
		return fmt.Errorf("the cluster is not whole after %v: %s", p.FormLimit, c.Missing())
	}
	r.Formation = &Formation{Whole: Millis(c.Net.Elapsed()), Usage: c.Since(before), Course: append(course, c.formed())}
	return traffic.pass(ctx, CalmFor, "settling", progress)
}

func (p *Plan) idle(ctx context.Context, traffic *recorder, r *Report, progress Progress) error {
	if p.Idle == 0 {
		return nil
	}
	before := traffic.c.Meter()
	if err := traffic.pass(ctx, p.Idle, "idling", progress); err != nil {
		return err
	}
	u := traffic.c.Since(before)
	r.Idle = &u
	return nil
}

func (p *Plan) broadcast(ctx context.Context, traffic *recorder, r *Report, progress Progress) error {
	if total := p.messages(); total > 0 {
		b, err := p.measure(ctx, traffic, progress)
		r.Broadcast = b
		return err
	}
	return nil
}

func (p *Plan) messages() int { return int(p.Rate * p.Duration.Seconds()) }

// Measure runs the broadcasts of the plan in a cluster.
func (p *Plan) Measure(ctx context.Context, c *Cluster, progress Progress) (*Broadcast, error) {
	return p.measure(ctx, &recorder{c: c}, progress)
}

func (p *Plan) measure(ctx context.Context, traffic *recorder, progress Progress) (*Broadcast, error) {
	c := traffic.c
	total := p.messages()
	b := &Broadcast{Messages: total, Size: max(p.Size, HeaderSize)}
	before, totals := c.Meter(), c.Totals()
	begin := c.Net.Elapsed()
	for i := range total {
		if _, err := c.Broadcast(c.Pick(1)[0], p.Size); err != nil {
			b.Refused++
		}
		c.Net.RunFor(begin + time.Duration(float64(i+1)/p.Rate*float64(time.Second)) - c.Net.Elapsed())
		traffic.sample("broadcasting", p.Duration/sampled, true)
		progress("broadcasting", i+1, total)
		if err := ctx.Err(); err != nil {
			return b, err
		}
	}
	b.Usage = c.Since(before)
	if err := traffic.pass(ctx, LateFor, "waiting for late messages", progress); err != nil {
		return b, err
	}
	messages := c.ledger.between(begin, c.Net.Elapsed())
	b.count(messages)
	b.Coverage = reach(messages)
	var zones []string
	if p.Map != nil {
		zones = p.Map.Zones
	}
	b.Zones = c.delaysByZone(zones, messages)
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

func (p *Plan) crash(ctx context.Context, traffic *recorder, r *Report, progress Progress) error {
	if p.Crashes == 0 {
		return nil
	}
	c := traffic.c
	begin := c.Net.Elapsed()
	c.watch.observers = map[time.Duration]int{}
	falls := c.Kill(c.Pick(p.Crashes)...)
	for known := false; !known && c.Net.Elapsed()-begin < noticeFor; {
		progress("milliseconds until crashes are known", int((c.Net.Elapsed() - begin).Milliseconds()), int(noticeFor.Milliseconds()))
		known = c.AwaitKnown(falls, crashSample)
		traffic.sample("detecting", crashSample, false)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if err := traffic.pass(ctx, refuteFor, "waiting for refutations", progress); err != nil {
		return err
	}
	f := &Failure{Crashes: len(falls)}
	f.Count(falls)
	f.Suspicions, f.Knowing, f.Observers = percentilesOf(f.Suspected.sorted), percentilesOf(f.Known.sorted), percentilesOfCounts(c.watch.observers)
	for _, l := range c.FalseDeaths(begin) {
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

// parents returns the mean number of parents per node and known origin, a node's own id excluded.
func (c *Cluster) parents() float64 {
	parents := c.Sum(func(s *stats.Stats) uint64 { return uint64(s.Parents) })
	origins := c.Sum(func(s *stats.Stats) uint64 { return uint64(max(s.Origins-1, 0)) })
	return float64(parents) / float64(max(origins, 1))
}
