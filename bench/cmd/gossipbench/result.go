package main

import "time"

// Result is the result of one run, as one line of JSON. Values that were not measured are absent.
type Result struct {
	Adapter string `json:"adapter"`
	N       int    `json:"n"`
	Line    string `json:"line"`  // of the plan; identifies equal runs
	Round   int    `json:"round"` // of the suite
	At      time.Time

	OthersCores float64 `json:"others_cores"` // cores used by other processes
	Disturbed   bool    `json:"disturbed,omitempty"`
	Error       string  `json:"error,omitempty"`

	Form     *Form     `json:"form,omitempty"`
	Idle     *Idle     `json:"idle,omitempty"`
	Latency  *Latency  `json:"latency,omitempty"`
	Saturate *Flow     `json:"saturate,omitempty"`
	Window   *Flow     `json:"window,omitempty"`
	Large    []Latency `json:"large,omitempty"`
	Kill     *Kill     `json:"kill,omitempty"`
}

// Form is the time from the first join until all nodes know each other, or have their links if the library has no
// membership.
type Form struct {
	Seconds float64 `json:"seconds"`
	Whole   bool    `json:"whole"` // if false, Seconds is how long the run waited
}

// Idle is the cost of an idle node.
type Idle struct {
	Millicores float64 `json:"millicores"`
	Packets    float64 `json:"packets"` // received per second
	Bytes      float64 `json:"bytes"`   // received per second
	KiB        float64 `json:"kib"`     // of memory
	Goroutines float64 `json:"goroutines"`
}

// Latency is the result of single messages, one after another.
type Latency struct {
	Size    int     `json:"size"`
	Count   int     `json:"count"`
	LastP50 float64 `json:"last_p50"` // ms until the last node has it
	LastP99 float64 `json:"last_p99"`
	MidP50  float64 `json:"mid_p50"` // ms until half of the nodes have it
	Ratio   float64 `json:"ratio"`   // fraction of the expected deliveries that happened

	Delays []float64 `json:"delays,omitempty"` // ms, the percentiles 0 to 100 of all deliveries

	Incomplete int     `json:"incomplete"`
	CPU        float64 `json:"cpu"`     // us per message and node
	Packets    float64 `json:"packets"` // received per message and node
	Bytes      float64 `json:"bytes"`   // likewise
}

// Flow is the result of messages sent as fast as the library accepts them.
type Flow struct {
	Sent    int     `json:"sent"`    // messages accepted
	Refused int     `json:"refused"` // number of rejected attempts to send, each of which is repeated
	Rate    float64 `json:"rate"`    // messages per second, from the first sent to the last delivery
	Ratio   float64 `json:"ratio"`   // fraction of the expected deliveries that happened
	CPU     float64 `json:"cpu"`     // us per message and node
	Lost    float64 `json:"lost"`    // datagrams dropped by the system
}

// Kill is how fast the other nodes detect nodes that are killed one after another.
type Kill struct {
	Kills     int     `json:"kills"`
	Suspected float64 `json:"suspected"` // s until the first node suspects it, median; 0 if the library does not report it
	First     float64 `json:"first"`     // s until the first node considers it dead, median
	All       float64 `json:"all"`       // s until all nodes do, median
	Missed    int     `json:"missed"`    // kills that some node did not detect in time
	False     int     `json:"false"`     // live nodes that some node considered dead

	Known []float64 `json:"known,omitempty"` // s, the percentiles 0 to 100 over all kills and observers
}
