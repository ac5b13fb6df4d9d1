package doctor

import "fmt"

// A Fault is a reason why nodes cannot join.
type Fault struct {
	Name   string `json:"name"`   // stable, for scripts
	Code   int    `json:"code"`   // exit code
	Advice string `json:"advice"` // what to do
}

// The faults. docs/AGENT.md lists them.
var (
	NoAddress  = Fault{"no-address", 10, "Correct the name, or the DNS of this machine."}
	NoRoute    = Fault{"no-route", 11, "Look at the routes and the firewalls of this machine and on the way: the line above says what is refused."}
	ClosedPort = Fault{"closed-port", 12, "Start the node, or name the port that it listens on. If it runs, it may listen on another address only, such as loopback."}
	Dropped    = Fault{"udp-dropped", 13, "Open the UDP port in both directions, at both ends and on the way."}
	NotGwyh    = Fault{"not-gwyh", 14, "Name the address of a gwyh node. Nodes of memberlist and of gwyh cannot share a cluster."}
	WrongKey   = Fault{"wrong-key", 15, "Give both nodes the same key and the same label: a node does not say which of the two differs. `gwyh keys` shows the fingerprints of an agent's keys, and `gwyh info` its label."}
	WrongLabel = Fault{"wrong-label", 16, "Give both nodes the same label."}
	WrongClock = Fault{"clock", 17, "Set the clocks, for example by NTP. They may differ by at most 60 s."}
	NarrowPath = Fault{"narrow-path", 18, "Find what drops large datagrams on the way: a tunnel with a small MTU, or a firewall that drops fragments or ICMP's \"packet too big\". A path has to carry UDP datagrams of 1,200 bytes."}
	Refused    = Fault{"refused", 19, "The nodes can talk, but one refuses the other for the reason above. Change that at the node that refuses."}
	Silent     = Fault{"silent", 20, "Find out whether the machine runs and whether UDP reaches it. The log of the other node says whether it refuses a key, a label or a clock."}
	NoAnswer   = Fault{"no-answer", 21, "From outside, a key or a label that differs and a firewall that drops this port look the same. Compare the keys of both nodes (`gwyh keys`) and their labels (`gwyh info`). If they are equal, open the UDP port in both directions. With -api and the token of the other agent, the doctor finds out which it is."}
	NoBind     = Fault{"no-bind", 22, "The doctor cannot send from the address of -bind, or of bind in the file of -config. If a node has the port, stop the node first, or leave the port out of -bind."}
)

// Faults are all faults.
var Faults = []Fault{NoAddress, NoRoute, ClosedPort, Dropped, NotGwyh, WrongKey, WrongLabel, WrongClock, NarrowPath, Refused, Silent, NoAnswer, NoBind}

// An Outcome is the result of a step.
type Outcome string

// The outcomes of steps.
const (
	OK      Outcome = "ok"
	Warning Outcome = "warning"
	Failed  Outcome = "failed"
	Unknown Outcome = "unknown" // could not be determined
)

// A Step is one check.
type Step struct {
	Name    string  `json:"name"`
	Outcome Outcome `json:"outcome"`
	Text    string  `json:"text"`
}

// A Report is the result of an examination.
type Report struct {
	Target string `json:"target"`
	Steps  []Step `json:"steps"`
	Fault  *Fault `json:"fault,omitempty"` // absent if nodes can join

	Untested []string `json:"untested,omitempty"` // what the examination says nothing about

	onStep func(Step)
}

// note adds a step and reports it immediately.
func (r *Report) note(name string, o Outcome, format string, args ...any) {
	s := Step{name, o, fmt.Sprintf(format, args...)}
	r.Steps = append(r.Steps, s)
	if r.onStep != nil {
		r.onStep(s)
	}
}

// untested records what the examination says nothing about.
func (r *Report) untested(format string, args ...any) {
	r.Untested = append(r.Untested, fmt.Sprintf(format, args...))
}

// fail adds a step that ends the examination with a fault.
func (r *Report) fail(f Fault, name, format string, args ...any) {
	r.note(name, Failed, format, args...)
	r.Fault = &f
}
