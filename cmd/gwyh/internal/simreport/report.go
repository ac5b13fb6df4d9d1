// Package simreport is the report of a simulation: its format as JSON, and a page with plots.
package simreport

import (
	"time"

	"github.com/gwyh-go/gwyh/cmd/gwyh/internal/cli"
	"github.com/gwyh-go/gwyh/internal/sim"
)

// Format is the version of the format of a report. It rises when a field changes its meaning or is removed.
const Format = 1

// Report is everything that a simulation found out, in the format of docs/sim.schema.json.
type Report struct {
	Format     int        `json:"format"`
	Program    cli.Build  `json:"program"`
	Parameters Parameters `json:"parameters"`
	*sim.Report
	Sizes []sim.Size `json:"sizes"` // of all clusters that ran, in ascending order
}

// Parameters are the flags of a simulation, those without a value of their own with the one that was used.
type Parameters struct {
	Nodes         int        `json:"nodes"`
	Zones         int        `json:"zones"`
	Map           string     `json:"map,omitempty"`
	Preset        string     `json:"preset"`
	Strategy      string     `json:"strategy"`
	Formed        bool       `json:"formed"`
	Subscriptions int        `json:"subs"`
	Latency       string     `json:"latency,omitempty"` // absent with zones, which have theirs
	Jitter        float64    `json:"jitter_percent"`
	Loss          float64    `json:"loss_percent"`
	MTU           int        `json:"mtu_bytes"`
	Probed        bool       `json:"mtu_probed"` // the nodes search for the largest datagram
	Idle          sim.Millis `json:"idle_ms"`
	Rate          float64    `json:"rate_per_s"`
	Duration      sim.Millis `json:"duration_ms"`
	Size          int        `json:"size_bytes"`
	Crashes       int        `json:"crash"`
	Seed          int64      `json:"seed"`
	Sizes         []int      `json:"sizes,omitempty"`
}

// in returns a number of milliseconds or seconds of a duration.
func in(unit time.Duration, m sim.Millis) float64 { return float64(m) / float64(unit) }
