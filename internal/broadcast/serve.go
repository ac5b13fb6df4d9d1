package broadcast

import "github.com/gwyh-go/gwyh/internal/wire"

// creditMax is how many pieces a neighbor may request, at most.
const creditMax = AnnouncedMax

// HandleRequests takes in the body of a Want. A neighbor may request each message that was announced to it a few times,
// and rangesMax ranges of a large one each time.
func (d *Disseminator) HandleRequests(out []Outcome, n *Neighbor, data []byte) []Outcome {
	want, err := wire.ParseWant(data)
	if err != nil {
		d.Stats.Malformed++
		return out
	}
	for i := range want.Len() {
		id, from, until := want.At(i)
		granted := n.linked && n.credit > 0
		if !granted || from >= until {
			d.Stats.Unexpected++
			continue
		}
		n.credit--
		out = append(out, Outcome{Kind: ServeRequest, To: n, Message: id, From: from, Until: until})
	}
	return out
}

// AnnouncedLarge takes note that a large message is announced to n, which may request it.
func (d *Disseminator) AnnouncedLarge(n *Neighbor) {
	d.Stats.Announced++
	n.credit = min(n.credit+rangesMax*triesMax, creditMax)
}
