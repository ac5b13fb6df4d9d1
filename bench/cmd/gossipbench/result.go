package main

import "time"

// Result is one run, one line of JSON. What was not measured is absent.
type Result struct {
	Adapter string `json:"adapter"`
	N       int    `json:"n"`
	Line    string `json:"line"`  // of the plan: what makes two runs the same
	Round   int    `json:"round"` // of the suite
	At      time.Time

	OthersCores float64 `json:"others_cores"` // cores that other processes kept busy
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

// Form is how long it took, from the first join on, until all nodes knew each other (or had their
// links, if the library has no members).
type Form struct {
	Seconds float64 `json:"seconds"`
	Whole   bool    `json:"whole"` // else Seconds is how long was waited
}

// Idle is what a node costs at rest.
type Idle struct {
	Millicores float64 `json:"millicores"`
	Packets    float64 `json:"packets"` // received per second
	Bytes      float64 `json:"bytes"`   // received per second
	KiB        float64 `json:"kib"`     // of memory
	Goroutines float64 `json:"goroutines"`
}

// Latency is messages one after another.
type Latency struct {
	Size       int     `json:"size"`
	Count      int     `json:"count"`
	LastP50    float64 `json:"last_p50"` // ms until the last node has it
	LastP99    float64 `json:"last_p99"`
	MidP50     float64 `json:"mid_p50"` // ms until half of the nodes have it
	Ratio      float64 `json:"ratio"`   // deliveries made of those due
	Incomplete int     `json:"incomplete"`
	CPU        float64 `json:"cpu"`     // us per message and node
	Packets    float64 `json:"packets"` // received per message and node
	Bytes      float64 `json:"bytes"`   // likewise
}

// Flow is messages as fast as they are taken.
type Flow struct {
	Sent    int     `json:"sent"`    // messages that were taken
	Refused int     `json:"refused"` // times that one was not, and was offered again
	Rate    float64 `json:"rate"`    // messages per second, from the first sent to the last delivery
	Ratio   float64 `json:"ratio"`   // deliveries made of those due
	CPU     float64 `json:"cpu"`     // us per message and node
	Lost    float64 `json:"lost"`    // datagrams that the system dropped
}

// Kill is how long the others took to hear of nodes killed one after another.
type Kill struct {
	Kills     int     `json:"kills"`
	Suspected float64 `json:"suspected"` // s until the first suspects it, median; 0 if nobody tells
	First     float64 `json:"first"`     // s until the first thinks it dead, median
	All       float64 `json:"all"`       // s until all do, median
	Missed    int     `json:"missed"`    // kills that not all heard of in time
	False     int     `json:"false"`     // nodes alive that somebody thought dead
}
