package main

import (
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh"
)

// strategy is a gwyh.DistributionStrategy with its name on the command line.
type strategy struct {
	name  string
	is    gwyh.DistributionStrategy
	hears string // which nodes a node receives from, in a few words
}

var strategies = []strategy{
	{"uniform", gwyh.Uniform, "any nodes"},
	{"hub", gwyh.HubAndSpoke, "one per other zone"},
	{"local", gwyh.PreferLocal, "own zone 2 : 1"},
	{"remote", gwyh.PreferRemote, "other zones 2 : 1"},
	{"nearest", gwyh.Nearest, "nearest, 2 random"},
}

func (s *strategy) String() string { return s.name }

// Set makes a strategy a flag.Value.
func (s *strategy) Set(name string) error {
	names := make([]string, len(strategies))
	for i, known := range strategies {
		if known.name == name {
			*s = known
			return nil
		}
		names[i] = known.name
	}
	return fmt.Errorf("want one of %s", strings.Join(names, ", "))
}

// options are the options of a demo.
type options struct {
	nodes    int
	zones    int
	messages int // in each of the two rounds
	size     int // bytes per message
	strategy strategy
	seed     int64
	http     string // address of a node's status page; empty for none

	heartbeat time.Duration // Config.HeartbeatInterval; has no flag
}

// number is a flag.Value for an integer within bounds.
type number struct {
	is         *int
	least, max int
}

func (n number) String() string { return "" } // flag requires it for its own help, which is not used

// Set makes a number a flag.Value.
func (n number) Set(text string) error {
	v, err := strconv.Atoi(text)
	if err != nil || v < n.least || v > n.max {
		return fmt.Errorf("want %d to %d", n.least, n.max)
	}
	*n.is = v
	return nil
}

// nodesMax bounds the nodes of one process.
const nodesMax = 500

// sizeMax is the size in bytes of the largest message that always fits into one datagram of Config.UDPBufferSize.
const sizeMax = 1200

func defaultOptions() options {
	return options{nodes: 25, zones: 3, messages: 200, size: 256, strategy: strategies[0], seed: 1,
		heartbeat: gwyh.DefaultLANConfig().ProbeInterval}
}

const demoUsage = `gwyh demo starts a cluster on loopback UDP in this process, waits until all its
nodes know each other, broadcasts messages from random nodes, stops some nodes,
broadcasts again among the rest, and compares the strategies for several zones.
The exit code is 0 if every message reached every node exactly once.

Usage:

	gwyh demo [flags]

Flags:

	-nodes N       nodes of the cluster, 4 to 500 (default 25)
	-zones N       zones that they are spread over, 1 to nodes (default 3)
	-messages N    messages of each round, 1 to 100000 (default 200)
	-size BYTES    size of a message, 8 to 1200 (default 256)
	-strategy S    which nodes a node links to (default uniform)
	                 uniform  nodes of any zone
	                 hub      one of each other zone, the rest of its own
	                 local    its own zone twice as often as others
	                 remote   other zones twice as often as its own
	                 nearest  the shortest round trips, and two at random
	-seed N        chooses who sends and who is stopped (default 1)
	-http HOST:PORT
	               serve the status page of a node there, port 0 for any.
	               At the end, send a message every second until ^C instead
	               of comparing strategies
`

// parseOptions parses the flags of demo. The error names the flag, the value and the accepted values.
func parseOptions(args []string) (options, error) {
	o := defaultOptions()
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Var(number{&o.nodes, 4, nodesMax}, "nodes", "")
	fs.Var(number{&o.zones, 1, nodesMax}, "zones", "")
	fs.Var(number{&o.messages, 1, 100_000}, "messages", "")
	fs.Var(number{&o.size, headerSize, sizeMax}, "size", "")
	fs.Var(&o.strategy, "strategy", "")
	fs.StringVar(&o.http, "http", "", "")
	fs.Int64Var(&o.seed, "seed", o.seed, "")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	if o.zones > o.nodes {
		return o, fmt.Errorf("-zones %d with -nodes %d: want at least one node in each zone", o.zones, o.nodes)
	}
	return o, nil
}
