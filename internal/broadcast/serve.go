package broadcast

import "github.com/gwyh-go/gwyh/internal/wire"

// Bounds of requests from neighbors (docs/PROTOCOL.md, "Repair by digests").
const (
	creditMax  = 1 << 15 // maximum credit of a neighbor, in pieces
	creditEach = 5       // credit per message seen
	creditLess = 256     // initial credit
)

// grant raises the credit of n for the messages seen since it was last raised.
func (d *Disseminator) grant(n *Neighbor) {
	fresh := min(d.passed-n.granted, creditMax)
	n.credit = min(n.credit+creditEach*int(fresh), creditMax)
	n.granted = d.passed
}

// HandleRequests processes the body of a Want. A neighbor may request each message a few times, and each time rangesMax
// ranges of a large one (PROTOCOL.md Q11).
func (d *Disseminator) HandleRequests(out []Outcome, n *Neighbor, data []byte) []Outcome {
	want, err := wire.ParseWant(data)
	if err != nil {
		d.Stats.Malformed++
		return out
	}
	d.grant(n)
	for i := range want.Len() {
		id, from, until := want.At(i)
		if !n.linked || n.credit <= 0 || from >= until {
			d.Stats.Unexpected++
			continue
		}
		n.credit--
		out = append(out, Outcome{Kind: ServeRequest, To: n, Message: id, From: from, Until: until})
	}
	return out
}
