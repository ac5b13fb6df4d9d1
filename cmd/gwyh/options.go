package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/gwyh-go/gwyh"
)

// strategy is a gwyh.DistributionStrategy by the name it has on the command line.
type strategy struct {
	name  string
	is    gwyh.DistributionStrategy
	hears string // from whom a node hears, in a few words
}

var strategies = []strategy{
	{"uniform", gwyh.Uniform, "nodes of any zone"},
	{"hub", gwyh.HubAndSpoke, "one of each other zone"},
	{"local", gwyh.PreferLocal, "own zone 2 : 1 others"},
	{"remote", gwyh.PreferRemote, "other zones 2 : 1 own"},
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

// options is what a demo is run with.
type options struct {
	nodes    int
	zones    int
	messages int // of each of the two rounds
	size     int // bytes of a message
	strategy strategy
	seed     int64

	heartbeat time.Duration // Config.HeartbeatInterval; no flag
}

// Bounds of the options. A message has to fit into one datagram of Config.UDPBufferSize.
const (
	nodesMin, nodesMax       = 4, 1000
	messagesMin, messagesMax = 1, 100_000
	sizeMin, sizeMax         = headerSize, 1200
)

func defaultOptions() options {
	return options{nodes: 25, zones: 3, messages: 200, size: 256, strategy: strategies[0], seed: 1,
		heartbeat: gwyh.DefaultLANConfig().HeartbeatInterval}
}

const demoUsage = `gwyh demo starts a cluster on loopback UDP in this process, waits until it is
whole, broadcasts messages from random nodes, stops some of the nodes, broadcasts
again among the rest, and compares the strategies for several zones. Exit code 0
says that every message was at every node exactly once.

Usage:

	gwyh demo [flags]

Flags:

	-nodes N       nodes of the cluster, 4 to 1000 (default 25)
	-zones N       zones that they are spread over, 1 to nodes (default 3)
	-messages N    messages of each round, 1 to 100000 (default 200)
	-size BYTES    size of a message, 8 to 1200 (default 256)
	-strategy S    which nodes a node hears from (default uniform)
	                 uniform  nodes of any zone
	                 hub      one of each other zone, the rest of its own
	                 local    its own zone twice as readily as others
	                 remote   other zones twice as readily as its own
	-seed N        for the choice of senders and of who is stopped (default 1)
`

// parseOptions reads the flags of demo. The error tells all that is wrong with their values.
func parseOptions(args []string) (options, error) {
	o := defaultOptions()
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.IntVar(&o.nodes, "nodes", o.nodes, "")
	fs.IntVar(&o.zones, "zones", o.zones, "")
	fs.IntVar(&o.messages, "messages", o.messages, "")
	fs.IntVar(&o.size, "size", o.size, "")
	fs.Var(&o.strategy, "strategy", "")
	fs.Int64Var(&o.seed, "seed", o.seed, "")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	}
	return o, o.validate()
}

func (o *options) validate() error {
	var bad []error
	within := func(name string, value, least, most int) {
		if value < least || value > most {
			bad = append(bad, fmt.Errorf("-%s is %d, want %d to %d", name, value, least, most))
		}
	}
	within("nodes", o.nodes, nodesMin, nodesMax)
	within("zones", o.zones, 1, min(max(o.nodes, nodesMin), nodesMax))
	within("messages", o.messages, messagesMin, messagesMax)
	within("size", o.size, sizeMin, sizeMax)
	return errors.Join(bad...)
}
