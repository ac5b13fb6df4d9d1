package main

import (
	"fmt"
	"time"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/simreport"
	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/words"
	"github.com/gwyh-go/gwyh/internal/sim"
)

// simStory prints a report as text.
type simStory struct {
	*screen
	*simreport.Report
}

func (s simStory) printAll() {
	s.printFormation()
	if s.Idle != nil {
		s.title("Left alone for %s", words.Short(time.Duration(s.Idle.Duration)))
		s.printUsage(s.Idle)
	}
	if s.Broadcast != nil {
		s.printBroadcast(s.Broadcast)
	}
	if s.Failure != nil {
		s.printFailure(s.Failure)
	}
	s.printSizes()
}

// printSizes prints the figures of clusters of several sizes, if there are some.
func (s simStory) printSizes() {
	if len(s.Sizes) < 2 {
		return
	}
	s.title("Cost against size")
	s.text("%8s %14s %14s %14s %14s", "nodes", "complete", "at rest", "last node", "known dead")
	for _, z := range s.Sizes {
		rest := ""
		if z.Idle != nil {
			rest = words.Bytes(z.Idle.SentBytes) + "/s"
		}
		s.text("%8s %14s %14s %14s %14s", words.Grouped(z.Nodes), words.Short(time.Duration(z.Whole)), rest, words.Short(time.Duration(z.Last)), words.Short(time.Duration(z.Known)))
	}
}

func (s simStory) printFormation() {
	f := s.Formation
	if f == nil {
		return
	}
	if s.Parameters.Formed {
		s.title("All know each other from the start")
	} else {
		s.title("All join the first node at the same moment")
	}
	s.good("cluster complete after %s: each node knows all others and hears from enough", words.Short(time.Duration(f.Whole)))
	s.printUsage(&f.Usage)
}

// printUsage prints the cost of a span of time.
func (s simStory) printUsage(u *sim.Usage) {
	s.text("a node sends      %s  (the busiest one %s)", words.Rates(u.Mean.SentPackets, u.Mean.SentBytes), words.Rates(u.Busiest.SentPackets, u.Busiest.SentBytes))
	s.text("        receives  %s  (the busiest one %s)", words.Rates(u.Mean.ReceivedPackets, u.Mean.ReceivedBytes), words.Rates(u.Busiest.ReceivedPackets, u.Busiest.ReceivedBytes))
	if len(u.Between) > 0 {
		packets, bytes := u.Across()
		s.text("across zones go   %s, %.0f %% of all bytes", words.Rates(packets, bytes), 100*share(bytes, u.All.SentBytes))
	}
}

func (s simStory) printBroadcast(b *sim.Broadcast) {
	s.title("%s of %s from random nodes in %s", words.Many(b.Messages, "message"), words.Bytes(float64(b.Size)), words.Short(time.Duration(b.Usage.Duration)))
	if b.Missing == 0 && b.Again == 0 {
		s.good("every message reached all other nodes, exactly once: %s", words.Many(b.Wanted, "delivery"))
	} else {
		s.bad("coverage %.4f %%: %s missing of %s; %s repeated", 100*b.Delivered(), words.Grouped(b.Missing), words.Many(b.Wanted, "delivery"), words.Grouped(b.Again))
	}
	if b.Refused > 0 {
		s.bad("%s refused, as too much was waiting", words.Many(b.Refused, "message"))
	}
	s.printSpread("half of the nodes have it after", &b.Median)
	s.printSpread("the last node has it after", &b.Last)
	copies := fmt.Sprintf("%.1f copies of a message come to each node", b.Copies)
	if len(b.Usage.Between) > 0 {
		copies += fmt.Sprintf(", %.1f of them from another zone", b.CrossZone)
	}
	s.text("%s", copies)
	s.text("%.1f parents of each origin for each node; %.1f digests and %.4f repairs for each node and message", b.Parents, b.Digests, b.Repaired)
	s.printUsage(&b.Usage)
	s.print("")
	for _, line := range append(histogram(b.Last.Values()), append([]string{""}, reach(b.Deliveries())...)...) {
		s.text("  %s", line)
	}
	s.printZones(&b.Usage)
}

func (s simStory) printSpread(what string, d *sim.Spread) {
	s.text("%-34s %s median, %s 99 %%, %s at most", what, words.Short(time.Duration(d.P50)), words.Short(time.Duration(d.P99)), words.Short(time.Duration(d.Max)))
}

// printZones prints the flows between zones if they fit a terminal.
func (s simStory) printZones(u *sim.Usage) {
	if len(u.Between) == 0 || len(s.Zones) > 5 {
		return
	}
	line := fmt.Sprintf("%-13s", "sent by")
	for _, z := range s.Zones {
		line += fmt.Sprintf(" %11.11s", "to "+z)
	}
	s.print("")
	s.text("%s", line)
	for i, z := range s.Zones {
		line = fmt.Sprintf("%-13.13s", z)
		for _, f := range u.Between[i*len(s.Zones) : (i+1)*len(s.Zones)] {
			line += fmt.Sprintf(" %11s", words.Bytes(f.Bytes)+"/s")
		}
		s.text("%s", line)
	}
}

func (s simStory) printFailure(f *sim.Failure) {
	s.title("%s at the same moment", words.Many(f.Crashes, "crash"))
	if f.Unnoticed == 0 {
		s.good("all other nodes detected every crash")
	} else {
		s.bad("%s not known to all others", words.Many(f.Unnoticed, "crash"))
	}
	s.printSpread("the first node suspects it after", &f.Suspected)
	s.printSpread("the last node knows after", &f.Known)
	if f.FalseDead > 0 {
		s.bad("%s of nodes that lived, %d not refuted", words.Many(f.FalseDead, "death"), f.Unrefuted)
	}
}

func share(part, whole float64) float64 {
	if whole == 0 {
		return 0
	}
	return part / whole
}

// reach draws which fraction of the deliveries was made within which time.
func reach(sorted []time.Duration) []string {
	if len(sorted) == 0 {
		return nil
	}
	step := roundUp(sorted[len(sorted)-1] / 10)
	unit, name := words.UnitOf(step * 10)
	decimals := decimalsOf(step, unit)
	lines := []string{"within        of the deliveries"}
	at := 0
	for t := step; at < len(sorted); t += step {
		for at < len(sorted) && sorted[at] <= t {
			at++
		}
		lines = append(lines, fmt.Sprintf("%8.*f %-3s  %-40s %.1f %%", decimals, float64(t)/float64(unit), name, bar(at, len(sorted), barWidth), 100*share(float64(at), float64(len(sorted)))))
	}
	return lines
}
