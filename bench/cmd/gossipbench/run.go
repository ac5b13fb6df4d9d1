package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh/bench/adapter"
	"github.com/gwyh-go/gwyh/bench/measure"
)

// options are the flags of one run.
type options struct {
	adapter string
	n       int
	tests   string
	size    int
	count   int
	burst   int
	open    int
	gap     time.Duration
	idle    time.Duration
	form    time.Duration
	settle  time.Duration
	cap     time.Duration
	kills   int
	profile string
	heap    string
}

func (o *options) flags() *flag.FlagSet {
	f := flag.NewFlagSet("run", flag.ContinueOnError)
	f.StringVar(&o.adapter, "adapter", "", "what to run, see list")
	f.IntVar(&o.n, "n", 10, "nodes")
	f.StringVar(&o.tests, "tests", "idle,latency", "of form, idle, latency, saturate, window, large, kill")
	f.IntVar(&o.size, "size", 256, "bytes of a message")
	f.IntVar(&o.count, "count", 100, "messages of latency")
	f.IntVar(&o.burst, "burst", 20_000, "messages of saturate and window")
	f.IntVar(&o.open, "open", 64, "messages under way in window")
	f.DurationVar(&o.gap, "gap", 0, "mean time between messages of latency; 0 is the adapter's own")
	f.DurationVar(&o.idle, "idle", 3*time.Second, "how long to look at idle nodes")
	f.DurationVar(&o.settle, "settle", 0, "how long to wait after that; 0 is the adapter's own")
	f.DurationVar(&o.form, "form", 40*time.Second, "how long to wait until the nodes know each other")
	f.DurationVar(&o.cap, "cap", 10*time.Second, "longest sending of saturate and window")
	f.IntVar(&o.kills, "kills", 4, "nodes that kill kills")
	f.StringVar(&o.profile, "cpuprofile", "", "file for a CPU profile of all but the formation")
	f.StringVar(&o.heap, "memprofile", "", "file for a heap profile of the idle nodes")
	return f
}

func (o *options) wants(test string) bool {
	for t := range strings.SplitSeq(o.tests, ",") {
		if t == test {
			return true
		}
	}
	return false
}

// run is the command. Outside it starts itself in a namespace; inside it measures.
func run(args []string) error {
	var o options
	if err := o.flags().Parse(args); err != nil {
		return err
	}
	spec, err := adapter.Get(o.adapter)
	if err != nil {
		return err
	}
	inside, is := os.LookupEnv(insideEnv)
	if !is {
		return inNamespace(args)
	}
	if inside != "0" {
		if err := loopbackUp(); err != nil {
			return err
		}
	}
	if o.gap == 0 {
		o.gap = spec.Gap
	}
	b := &bench{options: o, spec: spec}
	b.result = Result{Adapter: o.adapter, N: o.n, Line: strings.Join(args, " "), At: time.Now().UTC()}
	if err := b.measure(); err != nil {
		b.result.Error = err.Error()
	}
	return json.NewEncoder(os.Stdout).Encode(&b.result)
}

// bench is one run in progress.
type bench struct {
	options
	spec    adapter.Spec
	cluster adapter.Cluster
	hub     measure.Hub
	kill    killWatch
	rest    measure.Counters // cost of the idle cluster per second
	result  Result

	rss        float64 // before the nodes start
	goroutines int
}

func (b *bench) measure() error {
	machine, before := measure.MachineNow(), measure.Snapshot()
	b.rss, b.goroutines = settledRSS(), runtime.NumGoroutine()
	b.cluster = b.spec.New()
	b.cluster.OnDeliver(b.hub.Deliver)
	if k, ok := b.cluster.(adapter.Killer); ok {
		k.OnEvent(b.kill.event)
	}
	defer b.cluster.Stop()
	if err := b.form(); err != nil {
		return err
	}
	if b.profile != "" {
		f, err := os.Create(b.profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	if err := b.test(); err != nil {
		return err
	}
	used, secs := measure.Snapshot().Sub(before)
	b.result.OthersCores = measure.OthersCores(machine, measure.MachineNow(), used.CPU, secs)
	return nil
}

func (b *bench) test() error {
	if s, ok := b.cluster.(adapter.Settler); ok && b.settle == 0 {
		b.settle = s.Settle()
	}
	if b.tests != "form" {
		time.Sleep(b.settle)
	}
	if b.wants("idle") || b.wants("latency") || b.wants("large") {
		if err := b.atRest(); err != nil {
			return err
		}
	}
	if b.wants("latency") {
		b.result.Latency = b.latency(b.size, b.count)
	}
	if b.wants("saturate") {
		b.result.Saturate = b.flow(b.burst)
	}
	if b.wants("window") {
		b.result.Window = b.flow(b.open)
	}
	if b.wants("large") {
		for _, size := range []int{64 << 10, 1 << 20} {
			b.result.Large = append(b.result.Large, *b.latency(size, max(5, b.count/10)))
		}
	}
	if b.wants("kill") {
		return b.killSome()
	}
	return nil
}

// settledRSS returns the memory of the process after it has freed as much as possible.
func settledRSS() float64 {
	runtime.GC()
	debug.FreeOSMemory()
	return measure.RSS()
}

// form starts the nodes and waits until they know each other.
func (b *bench) form() error {
	begin := time.Now()
	if err := b.cluster.Start(b.n); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	whole := true
	for ; !b.whole(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > b.options.form {
			whole = false
			break
		}
	}
	b.result.Form = &Form{Seconds: time.Since(begin).Seconds(), Whole: whole}
	return nil
}

func (b *bench) whole() bool {
	for i := range b.n {
		if m, ok := b.cluster.(adapter.Membership); ok && m.Known(i) < b.n-1 {
			return false
		}
		if l, ok := b.cluster.(adapter.Linked); ok && !l.Ready(i) {
			return false
		}
	}
	return true
}

// atRest measures the traffic and the memory of the idle nodes.
func (b *bench) atRest() error {
	n := float64(b.n)
	memory, goroutines := settledRSS()-b.rss, runtime.NumGoroutine()-b.goroutines
	if b.heap != "" {
		f, err := os.Create(b.heap)
		if err != nil {
			return err
		}
		if err := errors.Join(pprof.WriteHeapProfile(f), f.Close()); err != nil {
			return err
		}
	}
	before := measure.Snapshot()
	time.Sleep(b.idle)
	d, secs := measure.Snapshot().Sub(before)
	b.rest = d.Over(secs)
	b.result.Idle = &Idle{Millicores: 1000 * b.rest.CPU / n, Packets: b.rest.LoPackets / n, Bytes: b.rest.LoBytes / n,
		KiB: memory / 1024 / n, Goroutines: float64(goroutines) / n}
	return nil
}
