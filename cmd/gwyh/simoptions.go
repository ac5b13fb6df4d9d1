package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/words"
	"github.com/gwyh-go/gwyh/internal/gossip"
	"github.com/gwyh-go/gwyh/internal/overlay"
	"github.com/gwyh-go/gwyh/internal/sim"
	"github.com/gwyh-go/gwyh/internal/simcheck"
	"github.com/gwyh-go/gwyh/internal/simnet"
	"github.com/gwyh-go/gwyh/internal/swim"
)

// simOptions are the options of a simulation.
type simOptions struct {
	nodes    int
	zones    int
	mapFile  string // latencies between zones; empty: the built-in map
	latency  distance
	jitter   percent
	loss     percent
	mtu      int // 0: not set, see path
	preset   preset
	strategy strategy
	subs     int // 0: the value of the preset
	size     int
	rate     positive
	duration time.Duration
	idle     time.Duration
	crash    int
	seed     int64
	formed   bool
	json     bool
	html     string // file for a page with plots; empty: none
	sizes    sizes  // further numbers of nodes to run the plan with
	trace    string // file for the trace; empty: none

	check    bool   // run all checks instead of a plan
	scenario string // run only this check
	quick    bool   // in a size that takes a second
	full     bool   // run each simulation in the size of the published figures
}

// Bounds of one simulation.
const (
	simNodesMax   = 20_000
	simSizeMax    = 16 << 20
	simCrashesMax = 10_000
	simSizesMax   = 20 // of -sizes
)

func defaultSimOptions() simOptions {
	return simOptions{nodes: 100, zones: 1, latency: distance{simnet.Constant(500 * time.Microsecond), "0.5ms"}, jitter: 5,
		preset: presets[0], strategy: strategies[0], size: 256, rate: 10, duration: 10 * time.Second, idle: 30 * time.Second, crash: 1, seed: 1}
}

const simUsage = `gwyh sim runs a cluster of production nodes over a simulated network in virtual
time, and shows what such a cluster does and costs. All nodes join the first
one, do nothing for a while, and broadcast; then some crash. The same seed gives
the same run. The nodes do not encrypt, and without -mtu they do not search for
the largest datagram of a path; otherwise they do what real nodes do. All times
are virtual, except the last one.

Usage:

	gwyh sim [flags]

Flags of the cluster:

	-nodes N      nodes, 2 to 20000 (default 100)
	-zones N      number of regions, 1 to 5: us-east, us-west, eu-west,
	              ap-southeast and sa-east, with the latencies between
	              them; 1 means one place without a zone (default 1)
	-map FILE     zones and latencies of your own, as comma-separated
	              values: a row with the names of all zones, then a row for
	              each zone with its name and the milliseconds to each zone,
	              one way
	-preset P     lan, wan or local (default lan)
	-strategy S   uniform, hub, local, remote or nearest (default uniform)
	-formed       begin with nodes that know each other; 10,000 nodes that
	              have to find each other take hours
	-subs N       subscriptions of a node, 1 to 64 (default: as preset)

Flags of the network:

	-latency D    time that a packet takes from node to node, without zones:
	              2ms for all pairs of nodes, 1ms-5ms for a random time of
	              each pair, exp:20ms for an exponential one with that mean
	              (default 0.5ms)
	-jitter PCT   random time that is added for each packet, exponential;
	              its mean in percent of the latency, 0 to 1000 (default 5)
	-loss PCT     percent of packets that are lost, 0 to 90 (default 0)
	-mtu BYTES    longest packet that passes, 1200 to 65507 (default 1472,
	              with -preset local 65507). Nodes begin with datagrams of
	              1400 (lan), 1200 (wan) or 60000 bytes (local). With this
	              flag, lan and wan nodes find out what passes, up to 8952,
	              as on Linux; with local it must be at least 60000

Flags of the run:

	-idle D       how long nodes send no messages, 0s to 24h (default 30s)
	-rate N       messages per second in the whole cluster, from random
	              nodes, above 0 to 100000 (default 10)
	-duration D   how long messages are sent, 0s to 24h (default 10s)
	-size BYTES   size of a message, 8 to 16777216 (default 256)
	-crash N      nodes that crash at the same moment (default 1)
	-seed N       seed of all random choices (default 1)
	-json         print a report for programs; docs/sim.schema.json is its
	              JSON Schema
	-html FILE    also write a page with plots, which needs no other file
	-sizes LIST   also run clusters of these sizes, such as 50,200, and show
	              what grows with the size (default with -html: an eighth, a
	              quarter and a half of -nodes)
	-trace FILE   write what happens in each node, one JSON object per line:
	              packets, messages, links, members, suspicions, choices and
	              lines of the log, with seconds since the start. A run with
	              the defaults writes 95 MB

Flags of checks. A check injects faults into a cluster of its own, or compares
it with the figures that the library claims. Checks use -seed, and none of the
flags above:

	-check        run all checks; the exit code says whether they hold
	-scenario S   run one check, by the name that -check shows
	-quick        use clusters so small that a check takes a second
	-full         use the clusters of docs/PERFORMANCE.md, which takes an
	              hour in all
`

// checkFlags are the flags that select checks and their size.
var checkFlags = []string{"check", "scenario", "quick", "full"}

// parseSimOptions parses the flags of sim. The error names the flag, the value and the accepted values.
func parseSimOptions(args []string) (simOptions, error) {
	o := defaultSimOptions()
	fs := flag.NewFlagSet("sim", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Var(number{&o.nodes, 2, simNodesMax}, "nodes", "")
	fs.Var(number{&o.zones, 1, sim.RegionsMax}, "zones", "")
	fs.StringVar(&o.mapFile, "map", "", "")
	fs.Var(&o.preset, "preset", "")
	fs.Var(&o.strategy, "strategy", "")
	fs.Var(number{&o.subs, 1, 64}, "subs", "")
	fs.Var(&o.latency, "latency", "")
	fs.Var(percentFlag{&o.jitter, 1000}, "jitter", "")
	fs.Var(percentFlag{&o.loss, 90}, "loss", "")
	fs.Var(number{&o.mtu, 1200, simnet.MaxDatagram}, "mtu", "")
	fs.Var(span{&o.idle}, "idle", "")
	fs.Var(&o.rate, "rate", "")
	fs.Var(span{&o.duration}, "duration", "")
	fs.Var(number{&o.size, sim.HeaderSize, simSizeMax}, "size", "")
	fs.Var(number{&o.crash, 0, simCrashesMax}, "crash", "")
	fs.Int64Var(&o.seed, "seed", o.seed, "")
	fs.BoolVar(&o.formed, "formed", false, "")
	fs.BoolVar(&o.check, "check", false, "")
	fs.StringVar(&o.scenario, "scenario", "", "")
	fs.BoolVar(&o.quick, "quick", false, "")
	fs.BoolVar(&o.full, "full", false, "")
	fs.BoolVar(&o.json, "json", false, "")
	fs.StringVar(&o.html, "html", "", "")
	fs.Var(&o.sizes, "sizes", "")
	fs.StringVar(&o.trace, "trace", "", "")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	checks := o.check || o.scenario != ""
	var ignored []string // flags without effect in combination with the others
	fs.Visit(func(f *flag.Flag) {
		if checks != slices.Contains(checkFlags, f.Name) && f.Name != "seed" {
			ignored = append(ignored, "-"+f.Name)
		}
	})
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case len(ignored) > 0 && checks:
		return o, fmt.Errorf("%s with -check or -scenario: they choose their clusters themselves, and take only -seed, -quick and -full", strings.Join(ignored, ", "))
	case len(ignored) > 0:
		return o, fmt.Errorf("%s without -check or -scenario: want one of these beside it", strings.Join(ignored, ", "))
	case o.quick && o.full:
		return o, fmt.Errorf("-quick with -full: want at most one")
	case o.check && o.scenario != "":
		return o, fmt.Errorf("-check with -scenario: the one runs all checks, the other one of them")
	case o.scenario != "" && !slices.ContainsFunc(allChecks(), func(k simcheck.Check) bool { return k.Name == o.scenario }):
		return o, fmt.Errorf("-scenario %q: want one of %s", o.scenario, checkNames())
	case len(o.sizes) > 0 && o.sizes[0] <= o.crash:
		return o, fmt.Errorf("-crash %d with -sizes %s: want at least one node that stays", o.crash, &o.sizes)
	case o.crash >= o.nodes:
		return o, fmt.Errorf("-crash %d with -nodes %d: want at least one node that stays", o.crash, o.nodes)
	case o.mapFile != "" && o.zones > 1:
		return o, fmt.Errorf("-map with -zones: the file names the zones")
	}
	// Nodes whose first size is above the probed sizes never learn that it does not pass.
	if size := o.preset.config().UDPBufferSize; size > gossip.DatagramProbed && o.path() < size {
		return o, fmt.Errorf("-mtu %d with -preset %s: want %d or more", o.mtu, o.preset.name, size)
	}
	if o.html != "" && len(o.sizes) == 0 {
		o.sizes = o.smallerSizes()
	}
	return o, nil
}

// smallerSizes returns an eighth, a quarter and a half of the nodes, as far as these differ and some nodes stay after the crashes.
func (o *simOptions) smallerSizes() (list sizes) {
	for _, part := range []int{8, 4, 2} {
		if n := o.nodes / part; n > max(o.crash, 1) && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

// path returns the longest packet that passes: with -preset local, which is for loopback, the longest possible one.
func (o *simOptions) path() int {
	switch {
	case o.mtu > 0:
		return o.mtu
	case o.preset.name == "local":
		return simnet.MaxDatagram
	}
	return 1472
}

// title describes the simulation.
func (o *simOptions) title() string {
	where := "in one place, " + o.latency.text + " apart"
	switch {
	case o.mapFile != "":
		where = "in the zones of " + o.mapFile
	case o.zones > 1:
		where = "in " + words.Many(o.zones, "region")
	}
	return fmt.Sprintf("gwyh: %s %s, simulated; preset %s, strategy %s, %v %% loss, seed %d",
		words.Many(o.nodes, "node"), where, o.preset.name, o.strategy.name, float64(o.loss), o.seed)
}

// plan returns the simulation that the options describe.
func (o *simOptions) plan() (*sim.Plan, error) {
	core := coreOf(o.preset.config())
	core.Strategy = overlay.Strategy(o.strategy.is)
	if o.subs > 0 {
		core.Subscriptions = o.subs
	}
	if o.mtu > 0 { // otherwise the probes find almost nothing, and are a tenth of the traffic of large clusters
		core.DatagramMax = gossip.DatagramProbed
	}
	p := &sim.Plan{Config: sim.Config{Seed: uint64(o.seed), Nodes: o.nodes, Core: core, Formed: o.formed,
		Link: simnet.Link{Latency: o.latency.is, Loss: float64(o.loss) / 100, MTU: o.path()}},
		FormLimit: 5 * time.Minute, Idle: o.idle, Duration: o.duration, Rate: float64(o.rate), Size: o.size, Crashes: o.crash}
	p.Link.Jitter = simnet.Exponential(time.Duration(float64(o.latency.is.Mean())*float64(o.jitter)/100), 0)
	switch {
	case o.mapFile != "":
		f, err := os.Open(o.mapFile)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if p.Map, err = sim.ReadMap(f); err != nil {
			return nil, fmt.Errorf("%s: %w", o.mapFile, err)
		}
	case o.zones > 1:
		p.Map = sim.Regions(o.zones)
	}
	if p.Map != nil {
		p.Map.Jitter = float64(o.jitter) / 100
	}
	return p, nil
}

// coreOf returns the part of a configuration that is the same on all nodes of a cluster.
func coreOf(c *gwyh.Config) gossip.Config {
	return gossip.Config{MetaMax: gwyh.MetaMaxSize, Versions: [6]byte(c.BuildVsnArray()), AllowLegacy: c.AllowLegacy, Subscriptions: c.Subscriptions,
		Heartbeat: c.ProbeInterval, DatagramSize: c.UDPBufferSize, DatagramTaken: simnet.MaxDatagram,
		Detection: swim.Config{ProbeInterval: c.ProbeInterval, ProbeTimeout: c.ProbeTimeout, IndirectChecks: c.IndirectChecks,
			SuspicionMult: c.SuspicionMult, SuspicionMaxTimeoutMult: c.SuspicionMaxTimeoutMult, AwarenessMaxMultiplier: c.AwarenessMaxMultiplier},
		DeadNodeReclaimTime: c.DeadNodeReclaimTime, GossipToTheDeadTime: c.GossipToTheDeadTime, PushPullInterval: c.PushPullInterval}
}

// preset is a default configuration with its name on the command line.
type preset struct {
	name   string
	config func() *gwyh.Config
}

var presets = []preset{{"lan", gwyh.DefaultLANConfig}, {"wan", gwyh.DefaultWANConfig}, {"local", gwyh.DefaultLocalConfig}}

func (p *preset) String() string { return p.name }

// Set makes a preset a flag.Value.
func (p *preset) Set(name string) error {
	for _, known := range presets {
		if known.name == name {
			*p = known
			return nil
		}
	}
	return fmt.Errorf("want one of lan, wan, local")
}

// distance is a flag.Value for a distribution of latencies.
type distance struct {
	is   simnet.Dist
	text string
}

func (d *distance) String() string { return d.text }

// Set parses 2ms, 1ms-5ms or exp:20ms.
func (d *distance) Set(text string) error {
	wrong := fmt.Errorf("want something like 2ms, 1ms-5ms or exp:20ms, up to a minute")
	read := func(s string) (time.Duration, bool) {
		v, err := time.ParseDuration(s)
		return v, err == nil && v >= 0 && v <= time.Minute
	}
	lower, upper, between := strings.Cut(text, "-")
	mean, exponential := strings.CutPrefix(text, "exp:")
	switch {
	case exponential:
		v, ok := read(mean)
		if !ok {
			return wrong
		}
		d.is = simnet.Exponential(v, 0)
	case between:
		a, ok := read(lower)
		b, too := read(upper)
		if !ok || !too || b < a {
			return wrong
		}
		d.is = simnet.Uniform(a, b)
	default:
		v, ok := read(text)
		if !ok {
			return wrong
		}
		d.is = simnet.Constant(v)
	}
	d.text = text
	return nil
}

// percent is a percentage.
type percent float64

// percentFlag is a flag.Value for a percentage from 0 to a bound.
type percentFlag struct {
	is  *percent
	max float64
}

func (p percentFlag) String() string { return "" }

// Set makes a percent a flag.Value.
func (p percentFlag) Set(text string) error {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0 && v <= p.max) {
		return fmt.Errorf("want a number from 0 to %g", p.max)
	}
	*p.is = percent(v)
	return nil
}

// positive is a flag.Value for a rate.
type positive float64

func (p *positive) String() string { return "" }

// Set makes a rate a flag.Value.
func (p *positive) Set(text string) error {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v > 0 && v <= 100_000) {
		return fmt.Errorf("want a number above 0 and up to 100000")
	}
	*p = positive(v)
	return nil
}

// sizes is a flag.Value for ascending numbers of nodes.
type sizes []int

func (s *sizes) String() string {
	texts := make([]string, len(*s))
	for i, n := range *s {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, ",")
}

// Set parses numbers of nodes, separated by commas (flag.Value).
func (s *sizes) Set(text string) error {
	*s = nil
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil || n < 2 || n > simNodesMax {
			return fmt.Errorf("want numbers of nodes such as 50,200, each 2 to %d", simNodesMax)
		}
		*s = append(*s, n)
	}
	slices.Sort(*s)
	*s = slices.Compact(*s)
	if len(*s) > simSizesMax {
		return fmt.Errorf("want at most %d", simSizesMax)
	}
	return nil
}

// span is a flag.Value for a duration of up to a day.
type span struct{ is *time.Duration }

func (s span) String() string { return "" }

// Set makes a duration a flag.Value.
func (s span) Set(text string) error {
	v, err := time.ParseDuration(text)
	if err != nil || v < 0 || v > 24*time.Hour {
		return fmt.Errorf("want a length of time such as 30s, 0s to 24h")
	}
	*s.is = v
	return nil
}
