package main

import (
	"context"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/words"
)

// Sizes of the clusters that compare the strategies; the demo's size if that is smaller.
const (
	compareNodes    = 25
	compareMessages = 50
)

// printStrategies runs a cluster with each strategy and shows the traffic across zones.
func (d *demo) printStrategies(ctx context.Context) error {
	o := d.options
	o.nodes = min(o.nodes, compareNodes)
	o.zones = min(o.zones, o.nodes)
	o.messages = min(o.messages, compareMessages)
	d.screen.title("4. Strategies across zones: %s in %s, %s with each",
		words.Many(o.nodes, "node"), words.Many(o.zones, "zone"), words.Many(o.messages, "message"))
	if o.zones == 1 {
		d.screen.text("nothing: there is one zone only")
		return nil
	}
	d.screen.text("%-8s  %-18s  %6s  %-24s  %9s", "strategy", "a node links to", "copies", "of them from other zones", "last node")
	for _, s := range strategies {
		o.strategy = s
		r, err := d.tryOut(ctx, o)
		if err != nil {
			return err
		}
		if !r.complete() {
			d.judge(r)
		}
		across, all := r.perNode(r.crossZone), r.perNode(r.copies)
		d.screen.text("%-8s  %-18s  %6.1f  %4.1f %4.0f %%  %-11s  %9s", s.name, s.hears, all, across,
			100*across/all, bar(int(1000*across/all), 1000, 10), words.Short(median(r.spread)))
	}
	d.screen.text("(copies of a message at a node; last node: median time until it has it)")
	return nil
}

// tryOut runs one small cluster.
func (d *demo) tryOut(ctx context.Context, o options) (*round, error) {
	d.screen.step()
	c, err := newCluster(o, func(int) {})
	if err != nil {
		return nil, err
	}
	defer func() { c.shutdown(c.nodes) }()
	d.cluster = c
	if _, err := d.unite(ctx, c); err != nil {
		return nil, err
	}
	d.screen.step()
	r, err := c.broadcast(ctx, d.rng, o.messages, o.size, func(sent int) {
		d.screen.progress(o.strategy.name, sent, o.messages)
	})
	return &r, err
}
