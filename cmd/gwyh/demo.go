package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/words"
)

// Time limits.
const (
	formWait   = 30 * time.Second // for the cluster to become whole, since any node last learned of another
	noticeWait = 30 * time.Second // for the others to notice which nodes stopped, since any node last noticed one
)

// demo is one run of the demo.
type demo struct {
	options
	screen  *screen
	rng     *rand.Rand
	cluster *cluster
	failed  bool // some result was wrong
	watched bool // the demo is over, and the cluster goes on for the viewers of the page
}

// runDemo runs the command "gwyh demo".
func runDemo(ctx context.Context, args []string, out, err io.Writer) int {
	o, problem := parseOptions(args)
	if problem != nil {
		return badUsage("demo", demoUsage, problem, out, err)
	}
	return runWith(ctx, o, out, err)
}

// runWith runs the demo. It returns when every node has stopped.
func runWith(ctx context.Context, o options, out, err io.Writer) int {
	begin := time.Now()
	d := &demo{options: o, screen: newScreen(out), rng: rand.New(rand.NewPCG(uint64(o.seed), 0))}
	problem := d.run(ctx)
	d.screen.clear()
	took := words.Short(time.Since(begin))
	switch {
	case ctx.Err() != nil && !d.watched:
		fmt.Fprintln(err, "gwyh demo: interrupted")
		return exitFailed
	case problem != nil:
		fmt.Fprintf(err, "gwyh demo: %v\n", problem)
		return exitFailed
	case d.failed:
		d.screen.print(fmt.Sprintf("\nNot everything was as it should be: see ✗ above. (%s)", took))
		return exitFailed
	}
	d.screen.print(fmt.Sprintf("\nEvery message reached every node exactly once. (%s)", took))
	return exitOK
}

func (d *demo) run(ctx context.Context) error {
	d.screen.print(fmt.Sprintf("gwyh: %s in %s on 127.0.0.1, each with a UDP socket and links\n"+
		"of its own; all of them in this process, on %s.", words.Many(d.nodes, "node"), words.Many(d.zones, "zone"), words.Many(runtime.NumCPU(), "CPU")))
	if text := ambitious(d.nodes, runtime.NumCPU()); text != "" {
		d.screen.print(text)
	}
	if err := d.printCluster(ctx); err != nil || d.watched {
		return err
	}
	return d.printStrategies(ctx)
}

// printCluster runs the life of one cluster.
func (d *demo) printCluster(ctx context.Context) error {
	d.screen.title("1. Form a cluster")
	if err := d.form(ctx); err != nil {
		return err
	}
	defer func() { d.cluster.shutdown(d.cluster.nodes) }()
	if d.http != "" {
		p, err := serve(d.http, d.cluster.nodes[0].Memberlist)
		if err != nil {
			return err
		}
		defer p.close()
		d.screen.good("page of %s: http://%s/", d.cluster.nodes[0].LocalNode().Name, p.addr)
	}

	d.screen.title("2. Broadcast %s of %d bytes from random nodes, one by one", words.Many(d.messages, "message"), d.size)
	if err := d.printRound(ctx, true); err != nil {
		return err
	}
	if err := d.printStops(ctx); err != nil || d.http == "" {
		return err
	}
	return d.goOn(ctx)
}

// form creates the cluster and waits until it is whole.
func (d *demo) form(ctx context.Context) error {
	d.screen.step()
	begin := time.Now()
	c, err := newCluster(d.options, func(made int) { d.screen.progress("nodes created", made, d.nodes) })
	if err != nil {
		return err
	}
	d.cluster = c
	d.screen.good("%s created in %s", words.Many(d.nodes, "node"), words.Short(time.Since(begin)))
	took, err := d.unite(ctx, c)
	if err != nil {
		c.shutdown(c.nodes)
		return err
	}
	fewest := slices.MinFunc(c.nodes, func(a, b *node) int { return a.hears - b.hears }).hears
	d.screen.good("all joined the first one at the same moment; cluster complete after %s", words.Short(took))
	d.screen.text("(each knows the other %d and has links to at least %d of them)", d.nodes-1, fewest)
	return nil
}

// unite makes the nodes join and waits until every node knows all others and receives from as many as it should. It
// returns how long that took.
func (d *demo) unite(ctx context.Context, c *cluster) (time.Duration, error) {
	begin := time.Now()
	ended := c.join()
	var known knowledge
	hear := 0
	d.screen.step()
	whole := pollWhileGrowing(ctx, 5*time.Millisecond, formWait, func() (int, bool) {
		switch known = c.known(); {
		case known.median < len(c.nodes):
			d.screen.progress(fmt.Sprintf("others known, fewest %d, median", known.fewest-1), known.median-1, len(c.nodes)-1)
			return known.sum, false
		case known.all < len(c.nodes):
			d.screen.progress("nodes that know all others", known.all, len(c.nodes))
			return known.sum, false
		}
		hear = c.hearing()
		d.screen.progress("nodes that hear from enough", hear, len(c.nodes))
		return known.sum + hear, hear == len(c.nodes)
	})
	took := time.Since(begin)
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	if !whole {
		return 0, fmt.Errorf("the cluster is not complete after %s, and has not grown for %s: %s; %d hear from enough%s%s",
			words.Short(took), words.Short(formWait), known, hear, c.behind(5), crowded(len(c.nodes)))
	}
	var first error
	failed := 0
	for range len(c.nodes) - 1 {
		if err := <-ended; err != nil {
			failed++
			first = cmp.Or(first, err)
		}
	}
	if failed > 0 { // these nodes became members later, without their Join
		d.screen.text("(%s of Join ended before that with an error, the first of them: %v)%s", words.Many(failed, "call"), first, crowded(len(c.nodes)))
	}
	return took, nil
}

// Nodes per CPU above which the demo says that the machine may be too small: after a failure, and before the start.
const (
	nodesCrowded   = 10
	nodesAmbitious = 25
)

// crowded returns a hint that the machine may be too small for so many nodes, or "".
func crowded(nodes int) string {
	if cpus := runtime.NumCPU(); nodes > nodesCrowded*cpus {
		return fmt.Sprintf("\nall %d nodes share %s: the machine may be too small, or too busy, for so many (try -nodes %d)", nodes, words.Many(cpus, "CPU"), nodesCrowded*cpus)
	}
	return ""
}

// ambitious returns a warning to print before so many nodes start on so many CPUs, or "" if they are few.
func ambitious(nodes, cpus int) string {
	if nodes <= nodesAmbitious*cpus {
		return ""
	}
	return fmt.Sprintf("That is many for %s: times are longer than on machines of their own,\nand it may take a while until all know all (-nodes %d is a good size here).", words.Many(cpus, "CPU"), nodesCrowded*cpus)
}

// printRound runs one round of broadcasts and shows the result. If full is set, it shows the histogram too.
func (d *demo) printRound(ctx context.Context, full bool) error {
	d.screen.step()
	r, err := d.cluster.broadcast(ctx, d.rng, d.messages, d.size, func(sent int) {
		d.screen.progress("messages everywhere", sent, d.messages)
	})
	if err != nil {
		return err
	}
	d.judge(&r)
	if len(r.spread) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(r.spread))
	d.screen.good("time to the last node: median %s, 95 %% within %s, slowest %s", words.Short(quantile(sorted, 0.5)),
		words.Short(quantile(sorted, 0.95)), words.Short(sorted[len(sorted)-1]))
	if !full {
		return nil
	}
	d.screen.print("")
	for _, line := range histogram(r.spread) {
		d.screen.text("  %s", line)
	}
	d.screen.print("")
	d.screen.good("%.1f copies of a message came to each node, over different links", r.perNode(r.copies))
	return nil
}

// judge shows whether every message of a round reached every node exactly once.
func (d *demo) judge(r *round) {
	if r.complete() {
		d.screen.good("every message reached each of %s, exactly once: %s", words.Many(r.receivers, "other node"), words.Many(r.wanted, "delivery"))
		return
	}
	d.failed = true
	if r.got < r.wanted {
		d.screen.bad("%s missing of %s: %s not everywhere", words.Many(r.wanted-r.got, "delivery"), words.Grouped(r.wanted),
			words.Many(r.short, "message"))
	}
	if r.duplicates > 0 {
		d.screen.bad("%s of a message to a node that had it already", words.Many(r.duplicates, "delivery"))
	}
	if r.foreign > 0 {
		d.screen.bad("%s of what was never sent", words.Many(r.foreign, "delivery"))
	}
	d.screen.text("datagrams that nodes dropped, for whatever reason: %s", words.Grouped(d.cluster.dropped()))
}

// printStops makes some nodes leave and others crash, and broadcasts before any node can have noticed the crashes.
func (d *demo) printStops(ctx context.Context) error {
	leave, crash := max(d.nodes/8, 1), max(d.nodes/12, 1)
	d.screen.title("3. Stop nodes: %d leave, %d crash", leave, crash)
	c := d.cluster

	leaving := c.split(d.draw(leave))
	begin := time.Now()
	left := make(chan error, 1)
	go func() { left <- c.leave(leaving) }()
	took, err := d.notice(ctx, begin, "nodes that know who left")
	if err := errors.Join(<-left, err); err != nil {
		return err
	}
	d.screen.good("%d left gracefully; all others knew it after %s", leave, words.Short(took))

	crashing := c.split(d.draw(crash))
	begin = time.Now()
	if err := c.shutdown(crashing); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	noticed := make(chan time.Duration, 1)
	go func() {
		poll(ctx, 5*time.Millisecond, func() bool { return c.knowing() == len(c.nodes) })
		noticed <- time.Since(begin)
	}()
	d.screen.good("%d crashed silently; at once the other %d broadcast %s again", crash, len(c.nodes),
		words.Many(d.messages, "message"))
	if err := d.printRound(ctx, false); err != nil {
		return err
	}
	if _, err := d.notice(ctx, begin, "nodes that detected the crashes"); err != nil {
		return err
	}
	d.screen.good("all of them detected the crashes after %s", words.Short(<-noticed))
	return nil
}

// goOn makes a random node broadcast every second until ctx ends.
func (d *demo) goOn(ctx context.Context) error {
	d.watched = true
	d.screen.title("4. Look at the page: the cluster goes on until ^C")
	message := bytes.Repeat([]byte{0xff}, d.size) // not in the ledger, which would otherwise grow without bound
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			n := d.cluster.nodes[d.rng.IntN(len(d.cluster.nodes))]
			if err := n.Broadcast(message); err != nil {
				return err
			}
		}
	}
}

// draw draws nodes to stop. It excludes the node whose page is served.
func (d *demo) draw(count int) []int {
	all := d.rng.Perm(len(d.cluster.nodes))
	if d.http != "" {
		all = slices.DeleteFunc(all, func(i int) bool { return i == 0 })
	}
	return all[:count]
}

// notice waits until every node knows exactly the remaining nodes, and shows how long that took.
func (d *demo) notice(ctx context.Context, begin time.Time, what string) (time.Duration, error) {
	d.screen.step()
	d.screen.begun = begin
	var known knowledge
	if !pollWhileGrowing(ctx, time.Millisecond, noticeWait, func() (int, bool) {
		known = d.cluster.known()
		d.screen.progress(what, known.all, len(d.cluster.nodes))
		return -known.off, known.all == len(d.cluster.nodes)
	}) {
		return 0, fmt.Errorf("%s: only %d of %d after %s: %s%s", what, known.all, len(d.cluster.nodes), words.Short(time.Since(begin)),
			known, crowded(len(d.cluster.nodes)))
	}
	return time.Since(begin), nil
}
